// Package plan shows what the agent means to do.
package plan

import (
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
)

// looks are the states of a step in the order they are shown.
var looks = [...]struct {
	status     string
	glyph      theme.Glyph
	mark, text theme.Role
}{
	{"completed", theme.Done, theme.Dim, theme.Dim},
	{"in_progress", theme.Current, theme.Warning, theme.Warning},
	{"pending", theme.Pending, theme.Dim, theme.Dim},
}

// longest is the most characters of a step that are shown.
const longest = 300

// Lines are the steps ordered by their state, one line each, and how many are
// done; none for a plan without steps.
func Lines(p *page.Page, items []event.PlanItem) []string {
	if len(items) == 0 {
		return nil
	}
	var lines []string
	done := 0
	for _, look := range looks {
		for _, item := range items {
			if item.Status != look.status {
				continue
			}
			if item.Status == "completed" {
				done++
			}
			lines = append(lines, p.Join(
				page.Piece{Text: "  "}, page.Piece{Role: look.mark, Text: p.Glyph(look.glyph)},
				page.Piece{Role: look.text, Text: " " + page.Short(item.Content, longest)},
			))
		}
	}
	return append(lines, p.Paint(theme.Dim, "  "+amount.Grouped(done)+"/"+amount.Grouped(len(items))+" done"))
}
