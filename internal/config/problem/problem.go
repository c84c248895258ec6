// Package problem words what is wrong with settings: where, which key, why, and what
// may have been meant.
package problem

import (
	"sort"
	"strings"
)

// Problem is one fault of the settings. It never holds a value.
type Problem struct {
	Where   string // a file, a variable or a flag
	Pointer string // JSON pointer of the key, "" = the whole
	Reason  string
}

func (p Problem) text() string {
	parts := []string{p.Where, p.Pointer, p.Reason}
	// Names come from files of strangers and end up on terminals.
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, strings.Join(compact(parts), ": "))
}

func compact(parts []string) []string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

// Error says "config error: <where>: <pointer>: <reason>".
func (p Problem) Error() string { return "config error: " + p.text() }

// Warning is a Problem that does not stop the start.
type Warning Problem

func (w Warning) String() string { return Problem(w).text() }

// Problems are all faults of one Load.
type Problems []Problem

// Error gives one line for each fault.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Err gives nil for no problem, so that it can be compared.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	sort.SliceStable(p, func(i, j int) bool { return p[i].Where < p[j].Where })
	return p
}

// Nearest finds the name most like a mistyped one, "" when none is close: at
// most a third of the letters may differ.
func Nearest(name string, names []string) string {
	best, limit := "", len(name)/3+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < limit {
			best, limit = n, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
