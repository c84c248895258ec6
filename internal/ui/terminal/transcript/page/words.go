package page

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/flow"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Clean makes foreign text fit to be shown: no control sequences, four blanks
// for a tab.
func Clean(s string) string { return flow.Clean(strings.ReplaceAll(s, "\t", "    ")) }

// OneLine is foreign text on one line.
func OneLine(s string) string { return strings.Join(strings.Fields(Clean(s)), " ") }

// Step is foreign text on one line that keeps its blanks.
func Step(s string) string { return strings.ReplaceAll(Clean(s), "\n", " ") }

// Short is at most so many characters of foreign text on one line.
func Short(s string, most int) string { return OneLine(excerpt.Head(s, most)) }

// Wrap breaks clean text between its words, so that no line is wider than the
// columns.
func Wrap(text string, columns int) []string {
	return plainLines(flow.Wrap([]theme.Span{{Text: text}}, max(1, columns)))
}

// Cut breaks clean text wherever the columns end, and keeps its blanks.
func Cut(text string, columns int) []string {
	return plainLines(flow.Cut([]theme.Span{{Text: text}}, max(1, columns)))
}

func plainLines(lines []flow.Line) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		var b strings.Builder
		for _, s := range line.Spans {
			b.WriteString(s.Text)
		}
		out[i] = strings.TrimRight(b.String(), " ")
	}
	return out
}

// Tail is the end of a text, at most so many bytes, with whole characters.
func Tail(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[len(s)-most:], "")
}
