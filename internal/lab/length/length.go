// Package length describes how long texts are: a histogram, percentiles and
// how many are longer than a limit. It knows no unit.
package length

import (
	"maps"
	"slices"
)

// Bins is how many bins a histogram has at most.
const Bins = 10

// Counter collects lengths. Its memory grows with how many different ones
// there are. The zero value is ready.
type Counter struct {
	n    map[int]int64
	rows int64
	sum  int64
}

// Add counts one length.
func (c *Counter) Add(length int) {
	if c.n == nil {
		c.n = map[int]int64{}
	}
	c.n[length]++
	c.rows++
	c.sum += int64(length)
}

// Bin counts the lengths from From to To, both included.
type Bin struct {
	From int   `json:"from"`
	To   int   `json:"to"`
	Rows int64 `json:"rows"`
}

// Summary describes the lengths that were added.
type Summary struct {
	Rows int64   `json:"rows"`
	Min  int     `json:"min"`
	Max  int     `json:"max"`
	Mean float64 `json:"mean"`
	P50  int     `json:"p50"`
	P90  int     `json:"p90"`
	P95  int     `json:"p95"`
	P99  int     `json:"p99"`
	// Over is how many are longer than the limit.
	Over int64 `json:"over"`
	// Total is the sum of all.
	Total     int64 `json:"total"`
	Histogram []Bin `json:"histogram"`
}

// Summary is what was counted so far, against a limit. Percentiles are the
// smallest length that so many in a hundred do not exceed.
func (c *Counter) Summary(limit int) Summary {
	s := Summary{Rows: c.rows, Total: c.sum, Histogram: []Bin{}}
	if c.rows == 0 {
		return s
	}
	lengths := slices.Sorted(maps.Keys(c.n))
	s.Min, s.Max, s.Mean = lengths[0], lengths[len(lengths)-1], float64(c.sum)/float64(c.rows)
	s.Histogram = bins(s.Min, s.Max)
	marks := []struct {
		percent int64
		to      *int
	}{{50, &s.P50}, {90, &s.P90}, {95, &s.P95}, {99, &s.P99}}
	seen := int64(0)
	for _, l := range lengths {
		n := c.n[l]
		seen += n
		for len(marks) > 0 && seen*100 >= marks[0].percent*c.rows {
			*marks[0].to = l
			marks = marks[1:]
		}
		if l > limit {
			s.Over += n
		}
		at := slices.IndexFunc(s.Histogram, func(b Bin) bool { return l <= b.To })
		s.Histogram[at].Rows += n
	}
	return s
}

// bins cuts the range into at most ten bins of one width; the last may be
// narrower.
func bins(low, high int) []Bin {
	width := (high-low)/Bins + 1
	var out []Bin
	for from := low; from <= high; from += width {
		out = append(out, Bin{From: from, To: min(from+width-1, high)})
	}
	return out
}
