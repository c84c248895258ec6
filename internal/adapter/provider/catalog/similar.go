package catalog

import (
	"cmp"
	"slices"
	"strings"
)

// minRatio is how alike two ids must be to be offered.
const minRatio = 0.4

// similar returns the n candidates that resemble id most, the best first.
func similar(id string, candidates []string, n int) []string {
	type scored struct {
		id    string
		ratio float64
	}
	var found []scored
	low := []rune(strings.ToLower(id))
	for _, c := range candidates {
		if r := ratio(low, []rune(strings.ToLower(c))); r >= minRatio {
			found = append(found, scored{c, r})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.ratio, a.ratio), cmp.Compare(a.id, b.id))
	})
	var out []string
	for _, f := range found[:min(n, len(found))] {
		out = append(out, f.id)
	}
	return out
}

// ratio is twice the matching characters over all characters, matching
// longest common blocks first.
func ratio(a, b []rune) float64 {
	if len(a)+len(b) == 0 {
		return 1
	}
	return 2 * float64(matching(a, b)) / float64(len(a)+len(b))
}

func matching(a, b []rune) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	i, j, size := longest(a, b)
	if size == 0 {
		return 0
	}
	return size + matching(a[:i], b[:j]) + matching(a[i+size:], b[j+size:])
}

// longest returns the first longest block that a and b have in common.
func longest(a, b []rune) (atA, atB, size int) {
	ends := make([]int, len(b)+1) // ends[j+1]: length of the block that ends at b[j]
	for i := range a {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] != b[j] {
				ends[j+1] = 0
				continue
			}
			ends[j+1] = ends[j] + 1
			if ends[j+1] > size {
				size = ends[j+1]
				atA, atB = i-size+1, j-size+1
			}
		}
	}
	return atA, atB, size
}
