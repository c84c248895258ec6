package acp

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/tell"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/call"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
)

// configureWait is how long a change of settings is waited for that an approval
// needs.
const configureWait = 15 * time.Second

// gate is an open approval request.
type gate struct {
	event.ApprovalRequired
	answered map[string]bool    // which of its calls
	ctx      context.Context    // ends when the gate is closed
	stop     context.CancelFunc // somebody has answered, or nobody will
	asking   bool
}

func newGate(ev event.ApprovalRequired) *gate {
	g := &gate{ApprovalRequired: ev, answered: map[string]bool{}}
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g
}

// settle notes the answer to a call and closes the gate with the last. It is
// called with the lock.
func (one *session) settle(c event.ToolStateChange) {
	if one.gate == nil || !slices.Contains([]string{"approved", "rejected", "abandoned"}, c.State) {
		return
	}
	one.gate.answered[c.ToolCallID] = true
	for _, asked := range one.gate.Tools {
		if !one.gate.answered[asked.ToolCallID] {
			return
		}
	}
	one.closeGate()
	if c.State == "abandoned" {
		one.open = false
	}
}

// closeGate is called with the lock.
func (one *session) closeGate() {
	if one.gate != nil {
		one.gate.stop()
		one.gate = nil
	}
}

// askOpen asks the editor's person about the open gate, once.
func (one *session) askOpen() {
	one.mu.Lock()
	defer one.mu.Unlock()
	g := one.gate
	if g == nil || g.asking {
		return
	}
	g.asking = true
	one.work.Go(func() {
		ctx, cancel := context.WithCancel(one.ctx)
		defer cancel()
		stop := context.AfterFunc(g.ctx, cancel)
		defer stop()
		if err := one.ask(ctx, g); err != nil && ctx.Err() == nil {
			one.notice("error", "the approval was not answered: "+err.Error())
		}
	})
}

// question is one call of a gate, as it is asked about.
type question struct {
	shown   protocol.CallFields
	options []way
}

// way is one answer that can be given.
type way struct {
	protocol.PermissionOption
	approval event.Approval
	allow    []string // rules for the session
	project  bool     // and for the project
	limit    *float64 // the new spending cap
}

// ask asks about each call and hands the answers over.
func (one *session) ask(ctx context.Context, g *gate) error {
	var answers []event.Approval
	var change event.Configure
	for _, q := range one.questions(g) {
		w, err := one.askOne(ctx, q)
		if err != nil || w == nil {
			return err
		}
		answers = append(answers, w.approval)
		change.Allow = append(change.Allow, w.allow...)
		if w.limit != nil {
			change.MaxCostUSD = w.limit
		}
		if w.project {
			one.keepRules(w.allow)
		}
	}
	if len(change.Allow) > 0 || change.MaxCostUSD != nil {
		ctx, cancel := context.WithTimeout(ctx, configureWait)
		defer cancel()
		if _, err := one.do(ctx, change, event.TypeSettings); err != nil {
			one.notice("warning", err.Error())
		}
	}
	return one.opened.Session.Submit(ctx, event.Submission{ID: one.newID(), Operation: event.ExecApproval{Approvals: answers}})
}

// askOne asks about one call; nil is no answer: the turn is given up.
func (one *session) askOne(ctx context.Context, q question) (*way, error) {
	r := protocol.PermissionRequest{SessionID: one.id, Call: q.shown}
	for _, w := range q.options {
		r.Options = append(r.Options, w.PermissionOption)
	}
	var answer protocol.PermissionResponse
	err := one.server.conn.Call(ctx, protocol.RequestPermission, r, &answer)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil: // an editor that cannot ask must not leave the turn hanging
		no := q.options[len(q.options)-1]
		no.approval.Feedback = "the editor could not ask: " + err.Error()
		one.notice("warning", no.approval.Feedback)
		return &no, nil
	case answer.Outcome.Outcome != "selected":
		one.opened.Session.Interrupt()
		return nil, nil
	}
	at := slices.IndexFunc(q.options, func(w way) bool { return w.ID == answer.Outcome.OptionID })
	if at < 0 {
		return nil, errors.New("the editor has chosen an answer that was not offered")
	}
	return &q.options[at], nil
}

// keepRules keeps rules for the project.
func (one *session) keepRules(rules []string) {
	for _, rule := range rules {
		if err := one.opened.Rule(rule); err != nil {
			one.notice("warning", "the rule "+rule+" holds for this session only: "+err.Error())
		}
	}
}

// questions are what a gate asks.
func (one *session) questions(g *gate) []question {
	if goesOn, limit, ok := approve.Ways(g.ApprovalRequired); ok {
		return []question{one.aboutMoney(g, goesOn, limit)}
	}
	var all []question
	for _, c := range g.Tools {
		all = append(all, one.aboutCall(call.New(c)))
	}
	return all
}

// aboutMoney asks whether to go on behind the spending cap, or a threshold.
func (one *session) aboutMoney(g *gate, goesOn bool, limit float64) question {
	id := g.Tools[0].ToolCallID
	asked := clean(sentence.Money(g.ApprovalRequired))
	q := question{shown: protocol.CallFields{
		ID: id, Title: asked, ToolKind: "other", Status: protocol.Pending,
		Content: []protocol.Content{protocol.Shown(fenced(asked))},
	}}
	yes := event.Approval{ToolCallID: id, Approved: true}
	if goesOn {
		q.options = append(q.options, way{PermissionOption: protocol.PermissionOption{ID: "allow", Name: "Go on", Kind: "allow_once"}, approval: yes})
	}
	if limit > 0 {
		q.options = append(q.options, way{PermissionOption: protocol.PermissionOption{
			ID: "raise", Name: "Raise the cap to " + sheet.Dollars(limit) + " and go on", Kind: "allow_once",
		}, approval: yes, limit: &limit})
	}
	q.options = append(q.options, no("Stop here", id))
	return q
}

func no(name, id string) way {
	return way{PermissionOption: protocol.PermissionOption{ID: "reject", Name: name, Kind: "reject_once"}, approval: event.Approval{ToolCallID: id}}
}

// aboutCall asks whether a call may run.
func (one *session) aboutCall(c call.Call) question {
	q := question{shown: protocol.CallFields{
		ID: c.ToolCallID, Title: tell.Title(c.Tool, c.Arguments) + costOf(c), Status: protocol.Pending, Content: one.described(c),
	}}
	yes := event.Approval{ToolCallID: c.ToolCallID, Approved: true}
	q.options = append(q.options, way{PermissionOption: protocol.PermissionOption{ID: "allow", Name: "Allow", Kind: "allow_once"}, approval: yes})
	if rules := lasting(c); len(rules) > 0 {
		named := call.Clean(strings.Join(rules, ", "))
		q.options = append(q.options, way{PermissionOption: protocol.PermissionOption{
			ID: "allow_session", Name: "Allow " + named + " in this session", Kind: "allow_always",
		}, approval: yes, allow: rules})
		if one.opened.Rule != nil {
			q.options = append(q.options, way{PermissionOption: protocol.PermissionOption{
				ID: "allow_project", Name: "Allow " + named + " in this project", Kind: "allow_always",
			}, approval: yes, allow: rules, project: true})
		}
	}
	q.options = append(q.options, no("Reject", c.ToolCallID))
	return q
}

// lasting are the rules that would let the like of a call pass; none where a
// call is asked about every time.
func lasting(c call.Call) []string {
	if c.Always() || slices.ContainsFunc(c.Rules, func(rule string) bool { return strings.Contains(rule, call.HiddenMark) }) {
		return nil
	}
	return c.Rules
}

// costOf is the worst case of a call for its title.
func costOf(c call.Call) string {
	switch {
	case c.Cost == nil:
		return ""
	case c.Cost.USD == nil:
		return " (cost unknown)"
	}
	return " (at most " + sheet.Dollars(*c.Cost.USD) + ")"
}

// described says what a person should know of a call before deciding: what the
// terminal says, and the difference that it would make.
func (one *session) described(c call.Call) []protocol.Content {
	o := one.opened.Sheet
	one.mu.Lock()
	o.Money.Cap = one.settings.MaxCostUSD
	one.mu.Unlock()
	s := sheet.Write(c, nil, o)
	var lines []string
	for _, a := range s.Alerts {
		lines = append(lines, "! "+a.Text)
	}
	for _, f := range s.Facts {
		lines = append(lines, f.Label+": "+f.Value)
	}
	change := one.intended(c)
	for _, b := range s.Bodies {
		if len(change) > 0 && (c.Tool == "write" || c.Tool == "edit") {
			continue // the difference shows it
		}
		lines = append(lines, "", b.Title+":")
		for i, line := range b.Lines {
			if i == bodyLines {
				lines = append(lines, "  … "+strconv.Itoa(len(b.Lines)-i)+" more lines")
				break
			}
			lines = append(lines, "  "+line)
		}
	}
	if len(lines) == 0 {
		return change
	}
	return append([]protocol.Content{protocol.Shown(fenced(strings.TrimLeft(strings.Join(lines, "\n"), "\n")))}, change...)
}

// bodyLines is how much is shown of a script or a command.
const bodyLines = 400

// fenced is text that is no Markdown: nothing in it is a link or a picture.
func fenced(text string) string {
	fence := markup.Fence(text)
	return fence + "\n" + text + "\n" + fence
}

// clean takes out of a text what could steer a screen.
func clean(text string) string { return plain.ForTerminal(text) }
