package transcript

import (
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

const (
	shownCalls   = 8
	shownWaiting = 3
)

// Live is what still changes, at most so many lines of it. It changes nothing.
func (t *Transcript) Live(height int) []string {
	if height <= 0 {
		return nil
	}
	now := t.opts.Now()
	below := t.activity(now)
	if t.plan.shown {
		below = append(below, t.planLines()...)
	}
	below = append(below, t.queue()...)
	// What the model says gets the room that is left, and a third at least.
	var text []string
	if t.answer.stream != nil {
		text = t.answer.stream.Open()
	}
	least := min(len(text), max(1, height/3))
	if len(below) > height-least {
		below = below[:max(0, height-least)]
	}
	if room := height - len(below); len(text) > room {
		text = text[len(text)-room:]
	}
	return append(append([]string(nil), text...), below...)
}

// activity is what the turn is doing.
func (t *Transcript) activity(now time.Time) []string {
	lines := t.callRegion(now)
	switch {
	case len(lines) > 0 || !t.Busy():
		return lines
	case !t.thought.began.IsZero():
		words := oneLine(t.thought.tail)
		room := max(0, t.width-24)
		return []string{t.row(t.width,
			[]piece{{text: "  "}, {theme.Accent, t.spinner(now)}, {theme.Dim, " thinking  "}},
			piece{theme.Dim, t.clipLeft(words, room)}, piece{theme.Dim, "  " + running(now.Sub(t.thought.began))},
		)}
	case t.answer.stream != nil:
		return nil
	}
	return []string{t.join(t.width,
		piece{text: "  "}, piece{theme.Accent, t.spinner(now)}, piece{theme.Dim, " working  " + running(t.turn.took(now))},
	)}
}

// callRegion is a line for each running call.
func (t *Transcript) callRegion(now time.Time) []string {
	var lines []string
	hidden := 0
	for _, c := range t.calls {
		switch {
		case !c.running || c.tool == planTool || c.tool == researchTool && t.agents.has(c.id):
		case len(lines) == shownCalls:
			hidden++
		default:
			lines = append(lines, t.running(c, now))
		}
	}
	if hidden > 0 {
		lines = append(lines, t.paint(theme.Dim, "    and "+plural(hidden, "more")))
	}
	return append(lines, t.agentRegion(now)...)
}

func (t *Transcript) running(c *call, now time.Time) string {
	head := []piece{{text: "  "}, {theme.Accent, t.spinner(now)}, {theme.Strong, " " + oneLine(c.tool) + "  "}}
	took := "  " + running(now.Sub(c.began))
	if c.log == "" {
		return t.row(t.width, head, piece{theme.Text, c.means}, piece{theme.Dim, took})
	}
	head = append(head, piece{theme.Text, t.clip(c.means, max(8, t.width/3))}, piece{theme.Dim, took + "  "})
	return t.row(t.width, head, piece{theme.Dim, c.log})
}

// queue is what a person has said that has not begun.
func (t *Transcript) queue() []string {
	var lines []string
	for i, in := range t.waiting {
		if i == shownWaiting {
			lines = append(lines, t.paint(theme.Dim, "  and "+plural(len(t.waiting)-i, "more")))
			break
		}
		note := ""
		if in.Queued || in.Steer {
			note = "  " + waitingNote(in)
		}
		lines = append(lines, t.row(t.width,
			[]piece{{theme.Dim, t.glyph(theme.Prompt) + " "}}, piece{theme.Dim, oneLine(limit(typed(in), 4*t.width))}, piece{theme.Dim, note},
		))
	}
	return lines
}

// frame is how long a picture of the spinner stands.
const frame = 100 * time.Millisecond

func (t *Transcript) spinner(now time.Time) string {
	if t.opts.Plain {
		return t.glyph(theme.Running)
	}
	return t.theme.Spinner(int(now.UnixMilli()/frame.Milliseconds()) & 0xffffff)
}
