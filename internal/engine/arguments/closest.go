package arguments

import (
	"slices"
	"strings"
)

// Closest returns the n known names that are most like name, the most alike
// first. Letter case, _ and - do not matter.
func Closest(name string, known []string, n int) []string {
	type scored struct {
		name string
		cost int
	}
	list := make([]scored, 0, len(known))
	folded := fold(name)
	for _, k := range known {
		other := fold(k)
		cost := 2 * distance(folded, other)
		if folded != "" && other != "" && (strings.Contains(other, folded) || strings.Contains(folded, other)) {
			cost = min(cost, 3) // a part of the name is nearly the name
		}
		list = append(list, scored{k, cost})
	}
	slices.SortStableFunc(list, func(a, b scored) int { return a.cost - b.cost })
	out := make([]string, 0, min(max(n, 0), len(list)))
	for _, s := range list[:min(max(n, 0), len(list))] {
		out = append(out, s.name)
	}
	return out
}

func fold(s string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(s))
}

// maxCompared bounds the work for absurdly long names.
const maxCompared = 200

// distance counts the letters to add, remove or change between a and b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	x, y = x[:min(len(x), maxCompared)], y[:min(len(y), maxCompared)]
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i, c := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j, d := range y {
			change := diagonal
			if c != d {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, change)
		}
	}
	return row[len(y)]
}
