// Package balance tells how evenly the values of a column of labels are
// spread. It knows no columns and no rows.
package balance

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// MaxClasses is how many different values a column of labels has at most.
const MaxClasses = 1000

// Counter counts labels. The zero value is ready.
type Counter struct {
	n       map[string]int64
	missing int64
	tooMany bool
}

// Add counts one label.
func (c *Counter) Add(label string) { c.AddN(label, 1) }

// AddN counts a label n times.
func (c *Counter) AddN(label string, n int64) {
	if c.tooMany {
		return
	}
	if c.n == nil {
		c.n = map[string]int64{}
	}
	if c.n[label] += n; len(c.n) > MaxClasses {
		c.tooMany, c.n = true, nil
	}
}

// Miss counts rows without a label.
func (c *Counter) Miss(n int64) { c.missing += n }

// Class is one label.
type Class struct {
	Label string  `json:"label"`
	Rows  int64   `json:"rows"`
	Share float64 `json:"share"`
}

// Summary describes a column of labels.
type Summary struct {
	// Classes stand in order of their rows, most first, then by label.
	Classes []Class `json:"classes"`
	Rows    int64   `json:"rows"`
	Missing int64   `json:"missing"`
	// Entropy in bits, and as a share of what an even spread would have: 1 is
	// even, 0 is one class only.
	Entropy float64 `json:"entropy"`
	Even    float64 `json:"evenness"`
}

// Summary is what was counted; false when there are no labels or too many
// different ones to be labels.
func (c *Counter) Summary() (Summary, bool) {
	s := Summary{Missing: c.missing}
	if c.tooMany || len(c.n) == 0 {
		return s, false
	}
	for _, n := range c.n {
		s.Rows += n
	}
	for _, label := range slices.Sorted(maps.Keys(c.n)) {
		n := c.n[label]
		share := 0.0
		if s.Rows > 0 {
			share = float64(n) / float64(s.Rows)
		}
		if share > 0 {
			s.Entropy -= share * math.Log2(share)
		}
		s.Classes = append(s.Classes, Class{Label: label, Rows: n, Share: share})
	}
	slices.SortStableFunc(s.Classes, func(a, b Class) int { return cmp.Compare(b.Rows, a.Rows) })
	if s.Entropy = max(s.Entropy, 0); len(s.Classes) > 1 {
		s.Even = s.Entropy / math.Log2(float64(len(s.Classes)))
	}
	return s, true
}
