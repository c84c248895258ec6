package audit

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/bits"
	"slices"

	"github.com/ml-intern/ml-intern/internal/lab/audit/report"
	"github.com/ml-intern/ml-intern/internal/lab/duplicate"
	"github.com/ml-intern/ml-intern/internal/lab/schema"
)

// copies finds equal and nearly equal rows, within splits and across them.
// Rows have numbers over all splits, in the order of the reading.
type copies struct {
	index  duplicate.Index
	splits []Split
	starts []int // the number of the first row of each split
	places []places
	empty  []bool // rows without text, which are copies of nothing

	found *duplicate.Result
	// exact and near are, for the first row of each text, the splits that have
	// this text and those that have one nearly equal, as bits.
	exact, near []uint64
	nearPairs   int64
	inside      []report.Pair // examples of near pairs within a split
	across      map[[2]int][]report.Pair
}

// places is the indices of a split's rows; they are only kept when they are not
// simply counted from the first.
type places struct {
	first, n int64
	odd      []int64
}

func (p *places) add(index int64) {
	switch {
	case p.odd != nil:
		p.odd = append(p.odd, index)
	case p.n == 0:
		p.first = index
	case index != p.first+p.n:
		p.odd = make([]int64, p.n, 2*p.n+1)
		for i := range p.odd {
			p.odd[i] = p.first + int64(i)
		}
		p.odd = append(p.odd, index)
	}
	p.n++
}

func (p *places) at(i int) int64 {
	if p.odd != nil {
		return p.odd[i]
	}
	return p.first + int64(i)
}

func newCopies(splits []Split) *copies {
	return &copies{splits: splits, places: make([]places, len(splits)), across: map[[2]int][]report.Pair{}}
}

// add takes the next row.
func (c *copies) add(s *seen) error {
	for len(c.starts) <= s.split {
		c.starts = append(c.starts, c.index.Len())
	}
	c.places[s.split].add(s.index)
	c.empty = append(c.empty, s.signature.Empty())
	return c.index.Add(&s.signature)
}

// split is the place of the split that a row is of.
func (c *copies) split(number int) int {
	at, found := slices.BinarySearch(c.starts, number)
	if !found {
		return at - 1
	}
	for at+1 < len(c.starts) && c.starts[at+1] == number {
		at++ // splits without rows begin where the next one does
	}
	return at
}

func (c *copies) ref(number int) report.Ref {
	s := c.split(number)
	return report.Ref{Split: c.splits[s].Name, Row: c.places[s].at(number - c.starts[s])}
}

// compare looks for copies, which takes a second reading. When that fails, the
// checks that need it are out.
func (a *run) compare(ctx context.Context) error {
	if a.copies == nil {
		return nil
	}
	done := int64(0)
	a.Progress(Progress{Phase: "comparing"})
	texts := func(wanted func(int) bool) iter.Seq2[duplicate.Item, error] {
		return func(yield func(duplicate.Item, error) bool) {
			err := a.source.repeat(func(number int, e entry) bool {
				if done++; done%1000 == 0 {
					a.Progress(Progress{Phase: "comparing", Done: done})
				}
				return !wanted(number) || yield(duplicate.Item{
					Document: number, Size: schema.Weigh(e.row), Text: func() string { return schema.Joined(a.Fields(e.row)) },
				}, nil)
			})
			if err != nil {
				yield(duplicate.Item{}, err)
			}
		}
	}
	err := a.copies.find(ctx, texts, a.Workers)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		a.copies = nil
		for _, check := range []Check{Duplicates, Leakage} {
			if a.runs(check) {
				a.fail(check, fmt.Errorf("the rows could not be read a second time: %w", err))
			}
		}
	}
	return nil
}

// find looks for copies among all rows that were added.
func (c *copies) find(ctx context.Context, texts duplicate.Texts, workers int) error {
	n := c.index.Len()
	c.exact, c.near = make([]uint64, n), make([]uint64, n)
	c.found = c.index.Equal()
	for number, none := range c.empty {
		if !none {
			c.exact[c.found.First(number)] |= 1 << c.split(number)
		}
	}
	return c.index.Near(ctx, c.found, texts, duplicate.Options{Workers: workers}, c.pair)
}

// pair takes a near pair: every row with the text of the one is near to every
// row with the text of the other.
func (c *copies) pair(p duplicate.Pair) {
	a, b := c.exact[p.A], c.exact[p.B]
	c.near[p.A] |= b
	c.near[p.B] |= a
	counted := false
	for left := a; left != 0; left &= left - 1 {
		s := bits.TrailingZeros64(left)
		for right := b; right != 0; right &= right - 1 {
			t := bits.TrailingZeros64(right)
			if s == t {
				if !c.splits[s].Compared {
					if !counted {
						c.nearPairs++
						counted = true
					}
					if len(c.inside) < report.Examples {
						c.inside = append(c.inside, c.example(c.member(p.A, s), c.member(p.B, t), p.Jaccard))
					}
				}
				continue
			}
			if key, ok := c.order(s, t); ok && len(c.across[key]) < report.Examples {
				c.across[key] = append(c.across[key], c.example(c.member(p.A, s), c.member(p.B, t), p.Jaccard))
			}
		}
	}
}

// order is the two splits as a leak from the first to the second; false when
// both are only compared with.
func (c *copies) order(s, t int) ([2]int, bool) {
	if c.splits[s].Compared && c.splits[t].Compared {
		return [2]int{}, false
	}
	if c.splits[s].Compared != c.splits[t].Compared && c.splits[s].Compared || c.splits[s].Compared == c.splits[t].Compared && s > t {
		s, t = t, s
	}
	return [2]int{s, t}, true
}

// member is the first row of a split with the text of the row.
func (c *copies) member(first, split int) int {
	if c.split(first) == split {
		return first
	}
	at, ok := slices.BinarySearchFunc(c.found.Groups, uint32(first), func(g []uint32, f uint32) int { return cmp.Compare(g[0], f) })
	if ok {
		g := c.found.Groups[at]
		from, _ := slices.BinarySearch(g, uint32(c.starts[split]))
		return int(g[from])
	}
	return first
}

// example is a pair in the order of its splits and rows.
func (c *copies) example(a, b int, jaccard float64) report.Pair {
	s, t := c.split(a), c.split(b)
	if key, ok := c.order(s, t); s != t && ok && key[0] != s || s == t && a > b {
		a, b = b, a
	}
	return report.Pair{A: c.ref(a), B: c.ref(b), Exact: jaccard == exactly, Jaccard: min(jaccard, 1)}
}

// exactly marks an example of equal texts; near ones can have the same shingles.
const exactly = 2

// results writes what was found.
func (c *copies) results(a *run, r *report.Results) {
	if a.runs(Duplicates) {
		r.Duplicates = c.duplicates(a)
	}
	if a.runs(Leakage) {
		r.Leakage = c.leakage(a)
	}
}

func (c *copies) duplicates(a *run) *report.DuplicatesResult {
	out := &report.DuplicatesResult{
		Rows: a.tally.rows, TextColumns: a.Texts, NearPairs: c.nearPairs, Complete: !c.found.Cut && !c.found.Sparse,
		Groups: [][]report.Ref{}, Near: c.inside,
	}
	if out.Near == nil {
		out.Near = []report.Pair{}
	}
	for _, g := range c.found.Groups {
		for len(g) > 0 { // members stand in order, so those of a split together
			s, n := c.split(int(g[0])), 1
			for n < len(g) && c.split(int(g[n])) == s {
				n++
			}
			if n > 1 && !c.splits[s].Compared {
				out.ExactGroups++
				out.ExactRows += int64(n - 1)
				if len(out.Groups) < report.Examples {
					var refs []report.Ref
					for _, d := range g[:min(n, report.Examples)] {
						refs = append(refs, c.ref(int(d)))
					}
					out.Groups = append(out.Groups, refs)
				}
			}
			g = g[n:]
		}
	}
	last := make([]uint8, len(c.empty)) // the split, counted from 1, that had the cluster last
	for number, none := range c.empty {
		s := c.split(number)
		if none || c.splits[s].Compared {
			continue
		}
		root := c.found.Cluster(number)
		if last[root] == uint8(s+1) {
			out.Redundant++
			a.tally.drop.add(c.ref(number))
		}
		last[root] = uint8(s + 1)
	}
	return out
}

func (c *copies) leakage(a *run) *report.LeakageResult {
	out := &report.LeakageResult{Complete: !c.found.Cut && !c.found.Sparse, Splits: []report.Leak{}}
	leaks := map[[2]int]*report.Leak{}
	for s := range c.splits {
		for t := range s {
			if key, ok := c.order(s, t); ok {
				leaks[key] = &report.Leak{
					From: c.splits[key[0]].Name, To: c.splits[key[1]].Name, Rows: a.source.counts[key[1]], Examples: []report.Pair{},
				}
			}
		}
	}
	for number, none := range c.empty {
		if none {
			continue
		}
		s, first := c.split(number), c.found.First(number)
		exact := c.exact[first] &^ (1 << s)
		near := c.near[first] &^ (1<<s | exact)
		if exact|near != 0 && !c.splits[s].Compared {
			a.tally.drop.leak(c, s, exact|near, number)
		}
		for other := exact | near; other != 0; other &= other - 1 {
			o := bits.TrailingZeros64(other)
			key, ok := c.order(s, o)
			if !ok || key[1] != s {
				continue
			}
			if exact>>o&1 == 1 {
				leaks[key].ExactRows++
			} else {
				leaks[key].NearRows++
			}
		}
	}
	c.exactExamples(leaks)
	keys := make([][2]int, 0, len(leaks))
	for key := range leaks {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for _, key := range keys {
		l := leaks[key]
		l.Examples = append(l.Examples, c.across[key]...)
		out.Splits = append(out.Splits, *l)
	}
	return out
}

// exactExamples adds pairs of equal rows of different splits.
func (c *copies) exactExamples(leaks map[[2]int]*report.Leak) {
	for _, g := range c.found.Groups {
		splits := c.exact[g[0]]
		for left := splits; left != 0; left &= left - 1 {
			for right := left & (left - 1); right != 0; right &= right - 1 {
				s, t := bits.TrailingZeros64(left), bits.TrailingZeros64(right)
				if key, ok := c.order(s, t); ok && len(leaks[key].Examples) < report.Examples {
					leaks[key].Examples = append(leaks[key].Examples, c.example(c.member(int(g[0]), s), c.member(int(g[0]), t), exactly))
				}
			}
		}
	}
}

// leak drops the row of a leak that is the earlier split's: what is held back
// for a test stays.
func (d *drops) leak(c *copies, split int, others uint64, number int) {
	for ; others != 0; others &= others - 1 {
		if key, ok := c.order(split, bits.TrailingZeros64(others)); ok && key[0] == split {
			d.add(c.ref(number))
			return
		}
	}
}
