// Package approve is the review of one approval request: item by item it shows
// what would be done, takes one line as the answer, and gives all decisions at
// the end. It is a state machine without a screen, a clock or a goroutine; the
// full app and the plain line mode drive the same one. It runs nothing, knows no
// session and keeps no rule.
package approve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/call"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Options is what a review needs. Gate and Theme are required.
type Options struct {
	Gate  event.ApprovalRequired
	Theme *theme.Theme
	// What the calls are shown with: money, secrets, addresses.
	sheet.Options
	// NoProject says why no rule can be kept for the project, such as "this
	// folder is not trusted"; empty when one can.
	NoProject string
	// Linear draws no lines: for screen readers.
	Linear bool
	// Typing says that the person was typing when the request came up: what was
	// typed is not taken for an answer, the first Enter only wakes the review.
	Typing bool
}

// Money is what the session has spent and may spend, in US dollars.
type Money = sheet.Money

// Kind says what the driver of a review does next.
type Kind int

// The kinds of steps.
const (
	// Ask shows the item again; Step.Reason says why, where there is a reason.
	Ask Kind = iota
	// Edit lets the person change Step.Text in an editor, in a file named
	// Step.Name, and gives the text to Review.Edited; where that fails it only
	// asks again.
	Edit
	// Page shows Step.Text in full under Step.Title, and asks again.
	Page
	// Next goes on with the next item.
	Next
	// Done ends the review: Review.Result has the decisions.
	Done
)

// Step is the outcome of an answer.
type Step struct {
	Kind   Kind
	Reason string // may have several lines
	Name   string
	Title  string
	Text   string
}

// Review is one request under review.
type Review struct {
	o     Options
	items []*item
	money *money // of a request that the engine makes itself about money
	at    int    // the item that is asked about; len(items) when done
	awake bool   // answers count
	note  string // why the item is asked about again, until the next answer
	yolo  bool
	limit *float64 // the new cap
	allow []string
	keep  []string // rules for the project
}

// New begins a review. A request without items is done at once.
func New(o Options) *Review {
	r := &Review{o: o, awake: !o.Typing}
	for _, c := range o.Gate.Tools {
		r.items = append(r.items, newItem(c))
	}
	if len(r.items) == 1 {
		r.money = newMoney(o.Gate, o.Gate.Tools[0])
	}
	return r
}

// Done reports whether every item is decided.
func (r *Review) Done() bool { return r.at >= len(r.items) }

// Awake reports whether what is typed counts as an answer.
func (r *Review) Awake() bool { return r.awake }

// Answer takes one line. Letter case, blanks and punctuation of what is no known
// answer are kept: it is told to the model.
func (r *Review) Answer(text string) Step {
	r.note = ""
	switch {
	case r.Done():
		return Step{Kind: Done}
	case !r.awake:
		r.awake = true
		return r.again("this came up while you were typing; nothing is decided yet")
	case r.money != nil:
		return r.answerMoney(text)
	}
	it, a := r.items[r.at], parse(text)
	switch a.kind {
	case empty:
		return r.again("an empty line decides nothing: y runs it, n does not, ? explains")
	case yes:
		return r.decide(it.approve())
	case yesAs:
		return r.bill(it, a.text)
	case no:
		return r.decide(it.reject(""))
	case editIt:
		return r.edit(it)
	case viewAll:
		return Step{Kind: Page, Title: it.call.Title(), Text: r.page(it)}
	case forSession, forProject:
		return r.always(it, a.kind == forProject)
	case yoloOn:
		return r.everything()
	case help:
		return r.again(r.help(it))
	}
	return r.decide(it.reject(text))
}

// again asks about the same item once more.
func (r *Review) again(reason string) Step {
	r.note = reason
	return Step{Kind: Ask, Reason: reason}
}

// decide records the decision about the item at hand and goes on.
func (r *Review) decide(ap event.Approval) Step {
	r.items[r.at].decision = &ap
	return r.next()
}

func (r *Review) next() Step {
	for !r.Done() && r.items[r.at].decision != nil {
		r.at++
	}
	if r.Done() {
		return Step{Kind: Done}
	}
	return Step{Kind: Next}
}

// bill runs a job at the cost of another namespace.
func (r *Review) bill(it *item, org string) Step {
	switch {
	case !it.call.SubmitsJob():
		return r.again("only a Hub job can be billed to somebody else: y runs this, and " + call.Clean(org) + " is not told")
	case !isNamespace(org):
		return r.again(fmt.Sprintf("%q is no name of a user or an organisation: y @acme bills acme", call.Clean(org)))
	}
	ap := it.approve()
	ap.Namespace = org
	return r.decide(ap)
}

// always runs the item and keeps rules that allow its like.
func (r *Review) always(it *item, project bool) Step {
	if why := r.noRule(it, project); why != "" {
		return r.again(why)
	}
	it.kept = "in this session"
	if r.allow = append(r.allow, it.call.Rules...); project {
		r.keep = append(r.keep, it.call.Rules...)
		it.kept = "in this project"
	}
	return r.decide(it.approve())
}

// noRule says why no rule can be kept for an item.
func (r *Review) noRule(it *item, project bool) string {
	hidden := func(rule string) bool { return strings.Contains(rule, call.HiddenMark) }
	switch {
	case it.call.Always():
		return "this is asked about every time, no rule waives it: y runs it once"
	case it.changed != nil:
		return "a rule stands for a call as it was asked for: y runs the changed one, once"
	case len(it.call.Rules) == 0:
		return "no rule is narrow and plain enough to allow just this: y runs it once"
	case slices.ContainsFunc(it.call.Rules, hidden):
		return "what looks like a secret stands in it, and rules are kept in the open: y runs it once"
	case project && r.o.NoProject != "":
		return "no rule can be kept for the project: " + r.o.NoProject + "; a keeps it for this session"
	}
	return ""
}

// everything turns yolo on: this item and all that follow run, but for those
// that are asked about in every mode.
func (r *Review) everything() Step {
	r.yolo = true
	here, passed := r.at, 0
	for _, it := range r.items[r.at:] {
		if it.decision == nil && !it.call.Always() {
			ap := it.approve()
			it.decision = &ap
			passed++
		}
	}
	step := r.next()
	if r.Done() {
		return step
	}
	note := "yolo is on, but this is asked about every time: y or n"
	if passed > 0 {
		note = "yolo is on for " + amount.Count(passed, "item") + ", but this is asked about every time: y or n"
	}
	if r.at == here {
		return r.again(note)
	}
	r.note = note
	return Step{Kind: Next, Reason: note}
}

// Cancel turns the whole request down: nothing of it runs, and nothing that was
// answered before is kept.
func (r *Review) Cancel() Step {
	if r.Done() {
		return Step{Kind: Done}
	}
	for i, it := range r.items {
		ap := it.reject("")
		if i == r.at {
			ap.Feedback = "User cancelled approval"
		}
		it.decision, it.kept = &ap, ""
	}
	r.yolo, r.limit, r.allow, r.keep, r.note = false, nil, nil, nil, ""
	return r.next()
}

// Result has one decision an item, in the order of the request, for one
// submission; what the session's settings become, nil for no change; and the
// rules to be written into the project's file. It is complete once the review is
// done.
func (r *Review) Result() (approvals []event.Approval, configure *event.Configure, projectRules []string) {
	for _, it := range r.items {
		if it.decision != nil {
			approvals = append(approvals, *it.decision)
		}
	}
	c := event.Configure{MaxCostUSD: r.limit, Allow: unique(r.allow)}
	if r.yolo {
		mode := "yolo"
		c.ApprovalMode = &mode
	}
	if c.MaxCostUSD != nil || c.ApprovalMode != nil || len(c.Allow) > 0 {
		configure = &c
	}
	return approvals, configure, unique(r.keep)
}

// Told says in one line an item what was decided, for the conversation.
func (r *Review) Told() []string {
	var lines []string
	for _, it := range r.items {
		switch {
		case it.decision == nil:
		case r.money != nil:
			lines = append(lines, r.money.told(it.decision.Approved, r.limit))
		default:
			lines = append(lines, it.told())
		}
	}
	return lines
}

func unique(texts []string) []string {
	var out []string
	for _, t := range texts {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
