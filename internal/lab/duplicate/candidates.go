package duplicate

import (
	"context"
	"iter"
	"slices"

	"github.com/ml-intern/ml-intern/internal/lab/flow"
)

// Limits on large buckets. Texts of one template share buckets; comparing all
// of them with each other would be quadratic.
const (
	// crowd is the size from which a bucket is no longer compared pair by pair.
	crowd = 1000
	// neighbours is how many members before it, beside the first, a member of a
	// crowd is compared with. Each band has other members between them.
	neighbours = 8
)

// candidates are the pairs to compare: of document d those in earlier[starts[d]:starts[d+1]].
type candidates struct {
	starts  []uint32
	earlier []uint32
}

func (c *candidates) of(d uint32) []uint32 { return c.earlier[c.starts[d]:c.starts[d+1]] }

// search collects candidates.
type search struct {
	*Index
	r *Result
	o Options

	pairs   [][]uint64 // later document above, earlier below
	n       int
	crowded map[uint64]struct{} // band and hash of the buckets that were crowds
}

// candidates finds the pairs of first documents that have a band in common and
// sizes that allow the threshold.
func (x *Index) candidates(ctx context.Context, r *Result, o Options) (*candidates, error) {
	s := &search{Index: x, r: r, o: o, crowded: map[uint64]struct{}{}}
	sorted := flow.Map(ctx, numbers(bands), flow.Work[int, []uint64, struct{}]{
		Workers: o.Workers,
		Begin:   func() struct{} { return struct{}{} },
		Do:      func(_ struct{}, band int) []uint64 { return s.sorted(band) },
		Weigh:   func(int) int { return 1 << 30 }, // each on its own
	})
	band := 0
	for entries, err := range sorted {
		if err != nil {
			return nil, err
		}
		for len(entries) > 0 {
			n := 1
			for n < len(entries) && entries[n]>>32 == entries[0]>>32 {
				n++
			}
			if n > 1 {
				s.bucket(band, entries[:n])
			}
			entries = entries[n:]
			if s.n%crowd == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		band++
	}
	return s.flat(), nil
}

func numbers(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// sorted is the band's hash and the document of every first document, in order.
func (s *search) sorted(band int) []uint64 {
	entries := make([]uint64, 0, s.Index.n)
	for d := range uint32(s.Index.n) {
		if s.sizes[d] > 0 && s.r.first[d] == d {
			entries = append(entries, uint64(s.band(d, band))<<32|uint64(d))
		}
	}
	slices.Sort(entries)
	return entries
}

// bucket takes the pairs of documents that share a band.
func (s *search) bucket(band int, entries []uint64) {
	if len(entries) <= crowd && s.n+len(entries)*len(entries)/2 <= s.o.Candidates/2 {
		for i := range entries {
			for _, e := range entries[:i] {
				s.pair(band, uint32(e), uint32(entries[i]))
			}
		}
		return
	}
	s.crowded[uint64(band)<<32|entries[0]>>32] = struct{}{}
	s.r.Sparse = s.r.Sparse || len(entries) > neighbours+1
	for i := 1; i < len(entries); i++ {
		from := max(i-neighbours, 1)
		s.pair(band, uint32(entries[0]), uint32(entries[i]))
		for _, e := range entries[from:i] {
			s.pair(band, uint32(e), uint32(entries[i]))
		}
	}
}

// pair takes one pair, unless its sizes forbid the threshold or an earlier
// band had it already.
func (s *search) pair(band int, a, b uint32) {
	x, y := s.sizes[a], s.sizes[b]
	if float64(min(x, y))/float64(max(x, y)) < Threshold {
		return
	}
	for e := range band {
		if h := s.band(a, e); h == s.band(b, e) {
			if _, crowd := s.crowded[uint64(e)<<32|uint64(h)]; !crowd {
				return
			}
		}
	}
	if s.n == s.o.Candidates {
		s.r.Cut = true
		return
	}
	const piece = 1 << 16
	if s.n%piece == 0 {
		s.pairs = append(s.pairs, make([]uint64, 0, piece))
	}
	last := len(s.pairs) - 1
	s.pairs[last] = append(s.pairs[last], uint64(b)<<32|uint64(a))
	s.n++
}

// flat orders the pairs by their later document.
func (s *search) flat() *candidates {
	c := &candidates{starts: make([]uint32, s.Index.n+1), earlier: make([]uint32, s.n)}
	for _, piece := range s.pairs {
		for _, p := range piece {
			c.starts[p>>32+1]++
		}
	}
	for d := range s.Index.n {
		c.starts[d+1] += c.starts[d]
	}
	at := slices.Clone(c.starts)
	for i, piece := range s.pairs {
		for _, p := range piece {
			c.earlier[at[p>>32]] = uint32(p)
			at[p>>32]++
		}
		s.pairs[i] = nil
	}
	for d := range uint32(s.Index.n) {
		slices.Sort(c.of(d))
	}
	c.unique()
	return c
}

// unique drops pairs that crowds brought twice.
func (c *candidates) unique() {
	to, from := uint32(0), uint32(0)
	for d := range len(c.starts) - 1 {
		begin, end := from, c.starts[d+1]
		from = end
		c.starts[d] = to
		for i := begin; i < end; i++ {
			if i == begin || c.earlier[i] != c.earlier[i-1] {
				c.earlier[to] = c.earlier[i]
				to++
			}
		}
	}
	c.starts[len(c.starts)-1] = to
	c.earlier = c.earlier[:to]
}
