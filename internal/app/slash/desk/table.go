package desk

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

const (
	// margin is what the conversation leaves free at both sides, in columns.
	margin = 4
	// widestName is how wide the first column of a table may become, in columns.
	widestName = 26
	// leastText is how wide the second column is at least.
	leastText = 24
)

// Table is names and what they mean in two columns, of which the second one
// hangs; a name that is too long stands on a line of its own, and so do all
// where there is no room for two columns.
func Table(rows [][2]string, columns int) string {
	columns = max(columns-margin, 20)
	width := 0
	for _, r := range rows {
		if w := ansi.StringWidth(r[0]); w <= widestName {
			width = max(width, w)
		}
	}
	width += 2
	if columns < width+leastText {
		width = 4
	}
	var b strings.Builder
	for _, r := range rows {
		name := r[0]
		gap := width - ansi.StringWidth(name)
		if gap < 2 {
			b.WriteString(ansi.Wrap(name, columns, "|") + "\n")
			name, gap = "", width
		}
		b.WriteString(name + strings.Repeat(" ", gap))
		b.WriteString(strings.ReplaceAll(ansi.Wrap(r[1], columns-width, ""), "\n", "\n"+strings.Repeat(" ", width)) + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
