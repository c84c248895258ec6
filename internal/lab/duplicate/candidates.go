package duplicate

import (
	"context"
	"iter"
	"slices"

	"github.com/ml-intern/ml-intern/internal/lab/flow"
)

// Limits on large buckets. Texts of one template, or with one long instruction
// before each, share buckets; comparing all of them with each other would be
// quadratic.
const (
	// neighbours is how many members before it, beside the first, a member is
	// compared with where even that leaves a crowd. Each band has other members
	// between them.
	neighbours = 8
	// depth is how many crowds are cut with each other.
	depth = 4
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
	crowds  []bucket
}

// bucket is documents that share a band, in order.
type bucket struct {
	band    int
	members []uint32
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
			if s.n%1000 == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		band++
	}
	// Near copies meet in about thirteen bands, almost always also outside of
	// crowds. The rest is looked for among those who share several of them.
	for i, b := range s.crowds {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s.cut(b, 1)
		s.crowds[i].members = nil
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

// bucket takes the pairs of documents that share a band; crowds wait until all
// of them are known.
func (s *search) bucket(band int, entries []uint64) {
	members := make([]uint32, len(entries))
	for i, e := range entries {
		members[i] = uint32(e)
	}
	if len(members) > s.o.Crowd {
		s.crowded[uint64(band)<<32|entries[0]>>32] = struct{}{}
		s.crowds = append(s.crowds, bucket{band, members})
		return
	}
	s.all(members, func(a, b uint32) bool { return !s.met(a, b, band) })
}

// all takes every pair of the members that is fresh, or when that would be too
// many, some.
func (s *search) all(members []uint32, fresh func(a, b uint32) bool) {
	if len(members) > s.o.Crowd || s.n+len(members)*len(members)/2 > s.o.Candidates/2 {
		s.some(members, fresh)
		return
	}
	for i, b := range members {
		for _, a := range members[:i] {
			s.pair(a, b, fresh)
		}
	}
}

// some links the members with few pairs: each with the first and with those
// just before it.
func (s *search) some(members []uint32, fresh func(a, b uint32) bool) {
	s.r.Sparse = s.r.Sparse || len(members) > neighbours+1
	for i := 1; i < len(members); i++ {
		s.pair(members[0], members[i], fresh)
		for _, a := range members[max(i-neighbours, 1):i] {
			s.pair(a, members[i], fresh)
		}
	}
}

// cut looks in a crowd for those who share more crowds. Where these do not part
// it, the texts really are alike.
func (s *search) cut(b bucket, deep int) {
	fresh := func(x, y uint32) bool { return !s.met(x, y, bands) }
	for band := b.band + 1; band < bands; band++ {
		var entries []uint64
		for _, d := range b.members {
			h := s.band(d, band)
			if _, crowd := s.crowded[uint64(band)<<32|uint64(h)]; crowd {
				entries = append(entries, uint64(h)<<32|uint64(d))
			}
		}
		slices.Sort(entries)
		for len(entries) > 0 {
			n := 1
			for n < len(entries) && entries[n]>>32 == entries[0]>>32 {
				n++
			}
			members := make([]uint32, n)
			for i, e := range entries[:n] {
				members[i] = uint32(e)
			}
			entries = entries[n:]
			switch {
			case n > s.o.Crowd && n > len(b.members)/2:
				s.some(b.members, fresh)
				return
			case n > s.o.Crowd && deep < depth:
				s.cut(bucket{band, members}, deep+1)
			case n > 1:
				s.all(members, fresh)
			}
		}
	}
}

// met reports whether two documents share a band before the given one that is
// no crowd: then they are a pair already.
func (s *search) met(a, b uint32, before int) bool {
	x, y := &s.bands[a/block][a%block], &s.bands[b/block][b%block]
	for e := range before {
		if x[e] == y[e] {
			if _, crowd := s.crowded[uint64(e)<<32|uint64(x[e])]; !crowd {
				return true
			}
		}
	}
	return false
}

// pair takes a fresh pair, unless its sizes forbid the threshold.
func (s *search) pair(a, b uint32, fresh func(a, b uint32) bool) {
	x, y := s.sizes[a], s.sizes[b]
	if float64(min(x, y))/float64(max(x, y)) < Threshold || !fresh(a, b) {
		return
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
