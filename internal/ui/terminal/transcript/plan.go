package transcript

import (
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// plan is what the agent means to do.
type plan struct {
	items []event.PlanItem
	moved bool // in this turn
	shown bool // in the live region
}

// planLines are the steps, done ones first, and how many are done.
func (t *Transcript) planLines() []string {
	if len(t.plan.items) == 0 {
		return nil
	}
	looks := []struct {
		status string
		glyph  theme.Glyph
		mark   theme.Role
		text   theme.Role
	}{
		{"completed", theme.Done, theme.Dim, theme.Dim},
		{"in_progress", theme.Current, theme.Warning, theme.Warning},
		{"pending", theme.Pending, theme.Dim, theme.Dim},
	}
	var lines []string
	done := 0
	for _, look := range looks {
		for _, item := range t.plan.items {
			if item.Status != look.status {
				continue
			}
			if item.Status == "completed" {
				done++
			}
			lines = append(lines, t.join(t.width,
				piece{text: "  "}, piece{look.mark, t.glyph(look.glyph)}, piece{look.text, " " + oneLine(limit(item.Content, meaningSize))},
			))
		}
	}
	return append(lines, t.join(t.width, piece{theme.Dim, fmt.Sprintf("  %d/%d done", done, len(t.plan.items))}))
}

// planSummary shows the plan at the end of a turn that has changed it.
func (t *Transcript) planSummary() {
	if !t.plan.moved || t.quiet {
		t.plan.moved = false
		return
	}
	t.plan.moved = false
	if lines := t.planLines(); lines != nil {
		t.Add(lines)
	}
}
