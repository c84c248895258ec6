package transcript

import (
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
)

// asks opens a gate and says what is asked.
func (t *Transcript) asks(in event.ApprovalRequired, at time.Time) {
	t.thinkingOver(at)
	t.closeText()
	if !t.turn.open {
		t.turn = turn{open: true, began: at}
	}
	if t.turn.paused.IsZero() {
		t.turn.paused = at
	}
	t.gate, t.answered = &in, map[string]bool{}
	if !in.UsageThreshold && !in.YoloBudget {
		for _, g := range in.Tools {
			c := t.known(g.ToolCallID, g.Tool, g.Arguments, at)
			c.running, c.refused = false, false
		}
	}
	if t.opts.Plain { // elsewhere the question stands on the screen until it is answered
		t.asked(in)
	}
}

// asked tells what is asked.
func (t *Transcript) asked(in event.ApprovalRequired) {
	if in.UsageThreshold || in.YoloBudget {
		t.Say(theme.Warning, sentence.Money(in))
		return
	}
	t.Say(theme.Warning, "approval required: "+count(len(in.Tools), "call"))
	for _, g := range in.Tools {
		c := t.call(g.ToolCallID)
		t.page.Line(t.page.Row([]page.Piece{{Text: "    "}, {Role: theme.Strong, Text: c.tool}, {Text: "  "}}, page.Piece{Text: c.means}))
		if why := sentence.Why(g); why != "" {
			t.page.Note(theme.Dim, 2, why)
		}
		t.page.Say(sentence.Origins(2, g.Origin))
	}
}

// answers shows what was answered to a call of the gate; c is nil for the
// questions about money.
func (t *Transcript) answers(in event.ToolStateChange, c *call, at time.Time) {
	what := "the question about money"
	if t.gate != nil && !t.opts.Plain {
		what = oneLine(sentence.Money(*t.gate)) // it has not been told
	}
	if c != nil {
		t.takes(c, edited(in))
		c.refused = in.State != "approved"
		what = join("  ", c.tool, c.means)
	} else if !sentence.AboutMoney(in.Tool) {
		what = oneLine(in.Tool)
	}
	switch in.State {
	case "approved":
		text := "approved"
		if edited(in) != nil {
			text += " with changes"
		}
		if in.Namespace != "" {
			text += ", billed to " + oneLine(in.Namespace)
		}
		t.answerLine(theme.Success, theme.Done, text, what)
	case "rejected":
		t.answerLine(theme.Danger, theme.Failed, "rejected", what)
		if in.Feedback != "" {
			t.page.Note(theme.Dim, 1, oneLine(in.Feedback))
		}
	default:
		t.answerLine(theme.Warning, theme.Stopped, "not answered", what)
	}
	t.settle(in.ToolCallID, in.State == "abandoned", at)
}

// edited are the arguments as a person has changed them; nil where not.
func edited(in event.ToolStateChange) []byte {
	if string(in.EditedArguments) == "null" {
		return nil
	}
	return in.EditedArguments
}

func (t *Transcript) answerLine(role theme.Role, glyph theme.Glyph, text, what string) {
	t.page.Block(page.Note)
	t.page.Line(t.page.Row([]page.Piece{{Text: "  "}, {Role: role, Text: t.theme.Glyph(glyph) + " " + text}, {Text: ": "}}, page.Piece{Text: what}))
}

// settle notes an answer and closes the gate with the last. A gate that nobody
// answers takes its turn with it.
func (t *Transcript) settle(callID string, abandoned bool, at time.Time) {
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
	t.turn.wake(at)
	if abandoned {
		t.turn.open = false
	}
}
