package transcript

import (
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/agents"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/plan"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/waiting"
)

const (
	// shownCalls and shownWaiting are how many have a line each.
	shownCalls   = 8
	shownWaiting = 3
	// frame is how long a picture of the spinner stands.
	frame = 100 * time.Millisecond
)

// Live is what still changes, at most so many lines of it. It changes nothing.
func (t *Transcript) Live(height int) []string {
	now := t.opts.Now()
	below := t.activity(now)
	if t.showPlan {
		below = page.Below(below, plan.Lines(t.page, t.plan))
	}
	below = page.Below(below, t.queue())
	// The model's words get the room that is left, and a third at least.
	var text []string
	if t.answer.stream != nil {
		text = t.answer.stream.Open()
	}
	switch { // where the lines are printed one day they have an empty one above
	case len(text) > 0:
		if !t.answer.printed && t.page.Apart(page.Answer) {
			text = page.Spaced(text)
		}
		below = page.Spaced(below)
	case t.page.Apart(page.Note):
		below = page.Spaced(below)
	}
	least := min(len(text), max(1, height/3))
	below = below[:min(len(below), max(0, height-least))]
	if room := max(0, height-len(below)); len(text) > room {
		text = text[len(text)-room:]
	}
	return slices.Concat(text, below)
}

// activity is what the turn is doing.
func (t *Transcript) activity(now time.Time) []string {
	lines := t.callLines(now)
	switch {
	case len(lines) > 0 || !t.Busy():
		return lines
	case !t.thought.began.IsZero():
		took := "  " + running(now, t.thought.began)
		head := []page.Piece{{Text: "  "}, {Role: theme.Accent, Text: t.spinner(now)}, {Role: theme.Dim, Text: " thinking  "}}
		room := t.page.Width() - 16 - len(took)
		return []string{t.page.Row(head, page.Piece{Role: theme.Dim, Text: t.page.ClipLeft(oneLine(t.thought.tail), room)}, page.Piece{Role: theme.Dim, Text: took})}
	case t.answer.stream != nil:
		return nil
	}
	return []string{t.page.Join(
		page.Piece{Text: "  "}, page.Piece{Role: theme.Accent, Text: t.spinner(now)},
		page.Piece{Role: theme.Dim, Text: " working  " + amount.Took(t.turn.took(now).Truncate(time.Second))},
	)}
}

// callLines are a line for each running call, and the sub-agents.
func (t *Transcript) callLines(now time.Time) []string {
	var lines []string
	hidden := 0
	for _, c := range t.calls {
		switch {
		case !c.running || t.crew.Of(c.id) != nil:
		case len(lines) == shownCalls:
			hidden++
		default:
			lines = append(lines, t.runningLine(c, now))
		}
	}
	if hidden > 0 {
		lines = append(lines, t.page.Paint(theme.Dim, "    and "+amount.Grouped(hidden)+" more"))
	}
	return append(lines, t.agentLines(now)...)
}

func (t *Transcript) runningLine(c *call, now time.Time) string {
	head := []page.Piece{{Text: "  "}, {Role: theme.Accent, Text: t.spinner(now)}, {Role: theme.Strong, Text: " " + c.tool + "  "}}
	took := page.Piece{Role: theme.Dim, Text: "  " + running(now, c.began)}
	if c.log == "" || t.page.Width() < 60 {
		return t.page.Row(head, page.Piece{Text: c.means}, took)
	}
	head = append(head, page.Piece{Text: t.page.Clip(c.means, t.page.Width()/3)}, took, page.Piece{Text: "  "})
	return t.page.Row(head, page.Piece{Role: theme.Dim, Text: c.log})
}

// running is the time of what still runs, in whole seconds.
func running(now, began time.Time) string {
	return amount.Took(now.Sub(began).Truncate(time.Second))
}

func (t *Transcript) spinner(now time.Time) string {
	if t.opts.Plain {
		return t.theme.Glyph(theme.Running)
	}
	return t.theme.Spinner(int(now.UnixMilli()/frame.Milliseconds()) & 0xffffff)
}

// agentLine is the one line of a sub-agent whose call is over.
func (t *Transcript) agentLine(a *agents.Agent, ok bool, at time.Time) string {
	glyph, role := theme.Done, theme.Success
	if !ok {
		glyph, role = theme.Failed, theme.Danger
	}
	return t.agentRow(page.Piece{Role: role, Text: t.theme.Glyph(glyph)}, a, at)
}

func (t *Transcript) agentRow(mark page.Piece, a *agents.Agent, at time.Time) string {
	return t.page.Row(
		[]page.Piece{{Text: "  "}, mark, {Text: " "}}, page.Piece{Text: oneLine(a.Label)},
		page.Piece{Role: theme.Dim, Text: "  " + t.page.Ours(a.Stats(at))},
	)
}

// agentLines show the sub-agents at work: a lone one with its last calls,
// several with a line each.
func (t *Transcript) agentLines(now time.Time) []string {
	list := t.crew.AtWork()
	mark := page.Piece{Role: theme.Accent, Text: t.spinner(now)}
	var lines []string
	if len(list) == 1 {
		lines = append(lines, t.agentRow(mark, list[0], now))
		for _, step := range list[0].Steps {
			lines = append(lines, t.page.Join(page.Piece{Role: theme.Dim, Text: "    " + t.page.Ours(page.Step(step))}))
		}
		return lines
	}
	for _, a := range list {
		latest := ""
		if n := len(a.Steps); n > 0 {
			latest = "  " + page.Step(a.Steps[n-1])
		}
		lines = append(lines, t.page.Join(
			page.Piece{Text: "  "}, mark, page.Piece{Text: " " + oneLine(a.Label)},
			page.Piece{Role: theme.Dim, Text: t.page.Ours("  " + a.Stats(now) + latest)},
		))
	}
	return lines
}

// queue is what a person has said that has not begun: first what joins the
// running turn.
func (t *Transcript) queue() []string {
	var lines []string
	for i, in := range t.waiting.All() {
		if i == shownWaiting {
			return append(lines, t.page.Paint(theme.Dim, "  and "+amount.Grouped(t.waiting.Len()-i)+" more"))
		}
		head := []page.Piece{{Role: theme.Dim, Text: t.theme.Glyph(theme.Prompt) + " "}}
		var tail []page.Piece
		if in.Queued || in.Steer {
			tail = []page.Piece{{Role: theme.Dim, Text: "  " + waiting.Note(in)}}
		}
		lines = append(lines, t.page.Row(head, page.Piece{Role: theme.Dim, Text: oneLine(waiting.Typed(in))}, tail...))
	}
	return lines
}
