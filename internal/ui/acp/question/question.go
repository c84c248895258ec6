// Package question words what an approval request asks an editor's person: each
// call as it is shown, and the answers that can be given. It asks nobody and
// decides nothing.
package question

import (
	"slices"
	"strconv"
	"strings"

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

// Options is what calls are shown with.
type Options struct {
	sheet.Options
	// Project says that rules can be kept for the project.
	Project bool
}

// Question is one call of a request, as it is asked about. Its last answer turns
// it down.
type Question struct {
	Shown   protocol.CallFields
	Answers []Answer
}

// Answer is one answer that can be given.
type Answer struct {
	protocol.PermissionOption
	Approval event.Approval
	Allow    []string // rules for the session
	Project  bool     // and for the project
	Limit    *float64 // the new spending cap
}

// Of are the questions of a request.
func Of(g event.ApprovalRequired, o Options) []Question {
	if goesOn, limit, ok := approve.Ways(g); ok {
		return []Question{aboutMoney(g, goesOn, limit)}
	}
	var all []Question
	for _, c := range g.Tools {
		all = append(all, o.aboutCall(call.New(c)))
	}
	return all
}

// aboutMoney asks whether to go on behind the spending cap, or a threshold.
func aboutMoney(g event.ApprovalRequired, goesOn bool, limit float64) Question {
	id := g.Tools[0].ToolCallID
	asked := plain.ForTerminal(sentence.Money(g))
	q := Question{Shown: protocol.CallFields{
		ID: id, Title: asked, ToolKind: "other", Status: protocol.Pending,
		Content: []protocol.Content{protocol.Shown(fenced(asked))},
	}}
	yes := event.Approval{ToolCallID: id, Approved: true}
	if goesOn {
		q.Answers = append(q.Answers, Answer{PermissionOption: protocol.PermissionOption{ID: "allow", Name: "Go on", Kind: "allow_once"}, Approval: yes})
	}
	if limit > 0 {
		q.Answers = append(q.Answers, Answer{PermissionOption: protocol.PermissionOption{
			ID: "raise", Name: "Raise the cap to " + sheet.Dollars(limit) + " and go on", Kind: "allow_once",
		}, Approval: yes, Limit: &limit})
	}
	q.Answers = append(q.Answers, no("Stop here", id))
	return q
}

func no(name, id string) Answer {
	return Answer{PermissionOption: protocol.PermissionOption{ID: "reject", Name: name, Kind: "reject_once"}, Approval: event.Approval{ToolCallID: id}}
}

// aboutCall asks whether a call may run.
func (o Options) aboutCall(c call.Call) Question {
	q := Question{Shown: protocol.CallFields{
		ID: c.ToolCallID, Title: tell.Title(c.Tool, c.Arguments) + costOf(c), Status: protocol.Pending, Content: o.described(c),
	}}
	yes := event.Approval{ToolCallID: c.ToolCallID, Approved: true}
	q.Answers = append(q.Answers, Answer{PermissionOption: protocol.PermissionOption{ID: "allow", Name: "Allow", Kind: "allow_once"}, Approval: yes})
	if rules := lasting(c); len(rules) > 0 {
		named := call.Clean(strings.Join(rules, ", "))
		q.Answers = append(q.Answers, Answer{PermissionOption: protocol.PermissionOption{
			ID: "allow_session", Name: "Allow " + named + " in this session", Kind: "allow_always",
		}, Approval: yes, Allow: rules})
		if o.Project {
			q.Answers = append(q.Answers, Answer{PermissionOption: protocol.PermissionOption{
				ID: "allow_project", Name: "Allow " + named + " in this project", Kind: "allow_always",
			}, Approval: yes, Allow: rules, Project: true})
		}
	}
	q.Answers = append(q.Answers, no("Reject", c.ToolCallID))
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
func (o Options) described(c call.Call) []protocol.Content {
	s := sheet.Write(c, nil, o.Options)
	var lines []string
	for _, a := range s.Alerts {
		lines = append(lines, "! "+a.Text)
	}
	for _, f := range s.Facts {
		lines = append(lines, f.Label+": "+f.Value)
	}
	change := o.intended(c)
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

// intended is the difference that a call would make of a file, with the whole
// file where it can be read and shows no secrets.
func (o Options) intended(c call.Call) []protocol.Content {
	return tell.Intended(o.Dir, func(path string) (string, bool) {
		if o.File == nil {
			return "", false
		}
		text, ok := o.File(path)
		if o.Shown != nil && text != o.Shown(text) {
			return "", false
		}
		return text, ok
	}, c.Tool, c.Arguments)
}
