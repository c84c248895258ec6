// Package show turns records of papers into text for the model: lists whose
// entries are whole, unknown values as "?", and nothing that could act on a
// terminal. It asks nobody.
package show

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Line makes a text from outside one line of at most n characters.
func Line(s string, n int) string {
	if len(s) > 8*n+1024 { // far too long to look at all of it
		s = strings.ToValidUTF8(s[:8*n+1024], "")
	}
	return Cut(strings.Join(strings.Fields(plain.ForTerminal(strings.ToValidUTF8(s, "\uFFFD"))), " "), n)
}

// Cut shortens a text to n characters and says so with three dots.
func Cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	i := 0
	for at := range s {
		if i == n {
			return strings.TrimRight(s[:at], " ") + "..."
		}
		i++
	}
	return s
}

// Text makes a longer text from outside safe; its lines stay.
func Text(s string) string {
	return strings.TrimSpace(plain.ForTerminal(strings.ToValidUTF8(s, "\uFFFD")))
}

// Or is a number, or "?" where there is none.
func Or(n *int) string {
	if n == nil {
		return "?"
	}
	return strconv.Itoa(*n)
}

// Grouped is a number in groups of three, such as 1,234.
func Grouped(n *int) string {
	if n == nil {
		return "?"
	}
	return amount.Grouped(*n)
}

// OrText is a text, or "?" where there is none.
func OrText(s string) string {
	if s == "" {
		return "?"
	}
	return s
}

// Counted is a number of things, such as "1 paper" or "2 papers".
func Counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// List is a text made of whole entries.
type List struct {
	// Head is above the entries, Tail below them.
	Head, Tail string
	Entries    []string
	// Offset is how many entries were before these, and More whether there are
	// others behind them.
	Offset int
	More   bool
	// Next gives the call that goes on from an entry.
	Next func(offset int) string
}

// Render returns the list in at most room characters. Entries that do not fit
// are left for the next call.
func (l List) Render(room int) string {
	room -= utf8.RuneCountInString(l.Head) + utf8.RuneCountInString(l.Tail) + 300 // for the line about what is left
	var b strings.Builder
	b.WriteString(l.Head)
	shown := 0
	for _, e := range l.Entries {
		n := utf8.RuneCountInString(e)
		if n > room && shown > 0 {
			break
		}
		b.WriteString(Cut(e, max(room, 500)))
		room -= n
		shown++
	}
	if rest := len(l.Entries) - shown; rest > 0 || l.More {
		what := "more"
		if rest > 0 && !l.More {
			what = strconv.Itoa(rest) + " more"
		}
		if !strings.HasSuffix(b.String(), "\n\n") {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "… %s: go on with %s\n", what, l.Next(l.Offset+shown))
	}
	b.WriteString(l.Tail)
	return b.String()
}
