package page

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Clean makes foreign text fit to be shown: no control sequences, no tabs.
func Clean(s string) string { return strings.ReplaceAll(plain.ForTerminal(s), "\t", "    ") }

// OneLine is foreign text on one line.
func OneLine(s string) string { return strings.Join(strings.Fields(Clean(s)), " ") }

// Step is foreign text on one line that keeps its blanks.
func Step(s string) string { return strings.ReplaceAll(Clean(s), "\n", " ") }

// Short is at most so many characters of foreign text on one line.
func Short(s string, most int) string { return OneLine(excerpt.Head(s, most)) }

// Wrap breaks a clean line between its words, so that no part is wider than
// the columns. A line of blanks is one empty part.
func Wrap(line string, columns int) []string {
	columns = max(1, columns)
	if ansi.StringWidth(line) <= columns {
		return []string{line}
	}
	var parts []string
	for part := range strings.SplitSeq(ansi.Wrap(line, columns, ""), "\n") {
		if part = strings.TrimRight(part, " "); ansi.StringWidth(part) <= columns {
			parts = append(parts, part)
			continue
		}
		for piece := range strings.SplitSeq(ansi.Hardwrap(part, columns, true), "\n") {
			parts = append(parts, ansi.Truncate(piece, columns, "")) // one character may be wider than all
		}
	}
	return parts
}

// Tail is the end of a text, at most so many bytes, with whole characters.
func Tail(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[len(s)-most:], "")
}
