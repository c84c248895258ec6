package complete

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/sahilm/fuzzy"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// ranked is the most options that are worth showing.
const ranked = 200

// Recent remembers which options were taken, the latest with the highest
// number. Its zero value is empty.
type Recent struct{ used map[string]int }

// Use says that an option was taken.
func (r *Recent) Use(value string) {
	if r.used == nil {
		r.used = map[string]int{}
	}
	r.used[value] = len(r.used) + 1
}

// Copy is what Use does not change any more.
func (r *Recent) Copy() Recent { return Recent{maps.Clone(r.used)} }

// Rank returns the options that match a query, best first: what is exactly it,
// what begins with it, what has a part that begins with it, then what holds its
// characters in order; among equals what was taken lately, what fits better,
// what is shorter, what came first. Without a query all match.
func Rank(options []dialog.Option, query string, recent Recent) []dialog.Option {
	type match struct {
		at, class, recent, score, length int
	}
	var matches []match
	if query == "" {
		for i, o := range options {
			matches = append(matches, match{at: i, recent: recent.used[o.Value]})
		}
	} else {
		for _, found := range fuzzy.FindFromNoSort(query, values(options)) {
			o := options[found.Index]
			matches = append(matches, match{found.Index, class(o.Value, query), recent.used[o.Value], found.Score, len(o.Value)})
		}
		seen := make([]bool, len(options))
		for _, m := range matches {
			seen[m.at] = true
		}
		for i, o := range options {
			// What is shown may hold what the value does not, such as a title.
			if !seen[i] && o.Label != "" && contains(o.Label, query) {
				matches = append(matches, match{at: i, class: byLabel, recent: recent.used[o.Value], length: len(o.Label)})
			}
		}
	}
	slices.SortFunc(matches, func(a, b match) int {
		return cmp.Or(
			cmp.Compare(a.class, b.class), cmp.Compare(b.recent, a.recent), cmp.Compare(b.score, a.score),
			cmp.Compare(a.length, b.length), cmp.Compare(a.at, b.at),
		)
	})
	matches = matches[:min(len(matches), ranked)]
	out := make([]dialog.Option, len(matches))
	for i, m := range matches {
		out[i] = options[m.at]
	}
	return out
}

// The classes of matches, best first.
const (
	exact = iota
	prefix
	partPrefix
	byLabel
	scattered
)

// class says how a value that matches a query does so.
func class(value, query string) int {
	value, query = strings.ToLower(value), strings.ToLower(query)
	switch {
	case strings.TrimSuffix(value, "/") == strings.TrimSuffix(query, "/"):
		return exact
	case strings.HasPrefix(value, query):
		return prefix
	}
	for i := range len(value) - 1 {
		if strings.IndexByte("/-_.: ", value[i]) >= 0 && strings.HasPrefix(value[i+1:], query) {
			return partPrefix
		}
	}
	return scattered
}

func contains(s, query string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(query))
}

// values is what options are matched by.
type values []dialog.Option

func (v values) String(i int) string { return v[i].Value }
func (v values) Len() int            { return len(v) }
