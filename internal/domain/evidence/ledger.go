package evidence

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Limit is how many entries a ledger has. What is looked up behind them gets no
// mark.
const Limit = 5000

// The most characters of the fields of an entry: they come from outside.
const (
	maxTitle  = 300
	maxObject = 500
	maxURL    = 2000
)

// Ledger numbers what a session looks up: S1, S2, … It is safe for concurrent
// use.
type Ledger struct {
	mu      sync.Mutex
	entries []event.Evidence
	last    int // the highest number in use
}

// New returns a ledger that goes on from entries.
func New(entries []event.Evidence) *Ledger {
	l := &Ledger{}
	for _, e := range entries {
		if n := Number(e.ID); n > 0 && len(l.entries) < Limit {
			l.entries = append(l.entries, e)
			l.last = max(l.last, n)
		}
	}
	return l
}

// Add returns e as it stands in the ledger: with its number, and its texts on
// one line and of limited length. The ID is empty when the ledger is full; e is
// then not kept.
func (l *Ledger) Add(e event.Evidence) event.Evidence {
	e = trim(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ID = ""
	if len(l.entries) >= Limit {
		return e
	}
	l.last++
	e.ID = "S" + strconv.Itoa(l.last)
	l.entries = append(l.entries, e)
	return e
}

// Unnumbered returns e as a ledger would keep it, without a number: it is told,
// but nothing can cite it.
func Unnumbered(e event.Evidence) event.Evidence {
	e = trim(e)
	e.ID = ""
	return e
}

// Entries are the entries so far, in order.
func (l *Ledger) Entries() []event.Evidence {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// Number is n of "Sn", 0 for anything else.
func Number(id string) int {
	digits, ok := strings.CutPrefix(id, "S")
	if !ok || digits == "" || len(digits) > 6 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return 0
	}
	n, _ := strconv.Atoi(digits) // digits only
	return n
}

// trim keeps the fields of an entry to one line and to their limits.
func trim(e event.Evidence) event.Evidence {
	e.Title, e.Object, e.URL = line(e.Title, maxTitle), line(e.Object, maxObject), line(e.URL, maxURL)
	e.Tool, e.Operation = line(e.Tool, maxObject), line(e.Operation, maxObject)
	return e
}

// line is s without control characters and marks of formatting, its blanks
// run together, cut at limit characters.
func line(s string, limit int) string {
	if len(s) > 4*limit {
		s = s[:4*limit]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case r == utf8.RuneError, unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}
