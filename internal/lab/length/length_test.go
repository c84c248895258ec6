package length_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/length"
)

func TestSummary(t *testing.T) {
	var c length.Counter
	for l := 1; l <= 100; l++ {
		c.Add(l)
	}
	s := c.Summary(95)
	if s.Rows != 100 || s.Min != 1 || s.Max != 100 || s.P50 != 50 || s.P90 != 90 || s.P95 != 95 || s.P99 != 99 || s.Over != 5 || s.Mean != 50.5 {
		t.Errorf("%+v", s)
	}
	if len(s.Histogram) != 10 || s.Histogram[9] != (length.Bin{From: 91, To: 100, Rows: 10}) {
		t.Errorf("%+v", s.Histogram)
	}
	var empty length.Counter
	if s := empty.Summary(1); s.Rows != 0 || len(s.Histogram) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestSummaryOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.IntRange(0, 100000), 1, 200).Draw(t, "lengths")
		limit := rapid.IntRange(0, 100000).Draw(t, "limit")
		var c length.Counter
		for _, l := range all {
			c.Add(l)
		}
		s := c.Summary(limit)
		slices.Sort(all)
		over := int64(0)
		for _, l := range all {
			if l > limit {
				over++
			}
		}
		rank := func(p int) int { return all[(p*len(all)+99)/100-1] }
		if s.P50 != rank(50) || s.P90 != rank(90) || s.P99 != rank(99) || s.Over != over || s.Min != all[0] || s.Max != all[len(all)-1] {
			t.Fatalf("%+v of %v", s, all)
		}
		sum, next := int64(0), s.Min
		for _, b := range s.Histogram {
			if b.From != next || b.To < b.From {
				t.Fatalf("bins %v", s.Histogram)
			}
			sum, next = sum+b.Rows, b.To+1
		}
		if sum != s.Rows || next != s.Max+1 || len(s.Histogram) > length.Bins {
			t.Fatalf("bins %v of %d rows", s.Histogram, s.Rows)
		}
	})
}
