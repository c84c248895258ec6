package transcript

import (
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// synthetic reports whether a gate was opened by the engine itself, about
// money, not for a tool.
func synthetic(tool string) bool { return tool == "usage_threshold" || tool == "yolo_budget" }

// shownOrigins is how much of what was read before a call asks is listed.
const shownOrigins = 5

// asks opens a gate and says what is asked.
func (t *Transcript) asks(in event.ApprovalRequired, at time.Time) {
	t.thought.end(t, at)
	t.closeText()
	if !t.turn.open {
		t.turn = turn{open: true, began: at}
	}
	if t.turn.paused.IsZero() {
		t.turn.paused = at
	}
	t.gate, t.answered = &in, map[string]bool{}
	if in.UsageThreshold || in.YoloBudget {
		t.note(theme.Warning, moneyQuestion(in))
		return
	}
	t.note(theme.Warning, "approval required: "+plural(len(in.Tools), "call"))
	for _, g := range in.Tools {
		c := t.known(g.ToolCallID, g.Tool, g.Arguments, at)
		c.running, c.refused = false, false
		t.block(kindNote)
		t.line(t.row(t.width, []piece{{text: "    "}, {theme.Strong, oneLine(g.Tool)}, {text: "  "}}, piece{theme.Text, c.means}))
		why := g.Reason
		if g.Block != nil && g.BlockReason != "" {
			why = g.BlockReason
		}
		if why != "" {
			t.words(theme.Dim, "      ", oneLine(limit(why, errorLimit)))
		}
		t.origins(g.Origin)
	}
}

// origins shows what was read from outside before a call asks, the newest
// first: what it does may have been asked for there.
func (t *Transcript) origins(read []event.Origin) {
	if len(read) == 0 {
		return
	}
	t.words(theme.Warning, "      ", "read from outside before it:")
	for i := range min(len(read), shownOrigins) {
		o := read[len(read)-1-i]
		t.words(theme.Dim, "        ", oneLine(limit(o.Source+" "+o.URL, meaningSize)))
	}
	if n := len(read) - shownOrigins; n > 0 {
		t.words(theme.Dim, "        ", fmt.Sprintf("%s %d more", t.glyph(theme.Ellipsis), n))
	}
}

func moneyQuestion(in event.ApprovalRequired) string {
	var a arguments
	if len(in.Tools) > 0 {
		a = readArguments(in.Tools[0].Arguments)
	}
	spent := a.dollars("current_spend_usd")
	if in.YoloBudget {
		text := "the spending cap needs an answer"
		if in.Block != nil && in.BlockReason != "" {
			text = oneLine(limit(in.BlockReason, errorLimit))
		}
		return text + ": " + spent + " spent of " + a.dollars("cap_usd") + "; go on?"
	}
	return "this session has spent " + spent + "; go on? (asked again at " + a.dollars("next_threshold_usd") + ")"
}

// answers folds a person's answer to one call of the gate.
func (t *Transcript) answers(in event.ToolStateChange, at time.Time) {
	c := t.call(in.ToolCallID)
	what := oneLine(in.Tool)
	if c != nil && c.means != "" {
		what += "  " + limit(c.means, meaningSize)
	}
	if synthetic(in.Tool) {
		what = "the question about money"
	}
	switch in.State {
	case "approved":
		text := "approved"
		if len(in.EditedArguments) > 0 && string(in.EditedArguments) != "null" {
			text += " with changes"
			if c != nil {
				c.args, c.means = limitArgs(in.EditedArguments), meaning(in.Tool, in.EditedArguments)
			}
		}
		if in.Namespace != "" {
			text += " (billed to " + oneLine(in.Namespace) + ")"
		}
		t.answer1(theme.Success, theme.Done, text, what)
	case "rejected":
		if c != nil {
			c.refused = true
		}
		t.answer1(theme.Danger, theme.Failed, "rejected", what)
		if in.Feedback != "" {
			t.words(theme.Dim, "    ", oneLine(limit(in.Feedback, errorLimit)))
		}
	case "abandoned":
		if c != nil {
			c.refused = true
		}
		t.answer1(theme.Warning, theme.Stopped, "not answered", what)
	}
	t.settle(in.ToolCallID, in.State == "abandoned")
}

// answer1 is the one line of an answer.
func (t *Transcript) answer1(role theme.Role, glyph theme.Glyph, text, what string) {
	t.block(kindNote)
	t.line(t.row(t.width, []piece{{text: "  "}, {role, t.glyph(glyph) + " " + text}, {text: ": "}}, piece{theme.Text, what}))
}

// answersByResult closes a call of the gate that has a result without an
// answer, as one whose arguments do not fit.
func (t *Transcript) answersByResult(in event.ToolOutput) {
	if t.gate != nil {
		t.settle(in.ToolCallID, false)
	}
}

// settle notes an answer and closes the gate with the last.
func (t *Transcript) settle(callID string, abandoned bool) {
	if t.gate == nil {
		return
	}
	t.answered[callID] = true
	for _, g := range t.gate.Tools {
		if !t.answered[g.ToolCallID] {
			return
		}
	}
	t.gate, t.answered = nil, nil
	if abandoned {
		t.calls, t.agents = nil, agents{}
		t.turn.open = false
	}
}

func (a arguments) dollars(key string) string {
	usd, ok := a.number(key)
	if !ok {
		return "unknown"
	}
	return strings.TrimSpace(dollars(usd))
}
