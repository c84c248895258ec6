// Package duplicate finds texts that are equal, and pairs that are nearly so:
// exactly those with a Jaccard similarity of 0.8 over shingles of five words,
// but for the tiny share that 128 hashes miss. Signatures of 160 bytes are
// kept of each text; candidates are confirmed in a second reading. It knows no
// rows and no splits.
package duplicate

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math"
	"slices"
)

// Threshold is the similarity from which two texts are near duplicates.
const Threshold = 0.8

// ErrChanged tells that the second reading gave other texts than the first.
var ErrChanged = errors.New("the rows changed between two readings")

// Options say how to search.
type Options struct {
	// Workers is how many goroutines compute, at least 1.
	Workers int
	// Memory is how many bytes of shingles are held while candidates are
	// compared; 128 MiB when 0. Less memory takes more readings.
	Memory int
	// Candidates is how many pairs are compared; 16 million when 0. From half of
	// it on, large groups of alike texts are no longer compared pair by pair.
	Candidates int
	// Crowd is how many texts in one bucket are too many to compare each with
	// all others there; 1,000 when 0.
	Crowd int
}

// Item is a text of the second reading.
type Item struct {
	// Document is its number: 0 for the first that was added.
	Document int
	// Text is in normal form.
	Text func() string
	// Size is about how long the text is in bytes.
	Size int
}

// Texts reads the wanted texts once more, in the order they were added.
type Texts func(wanted func(document int) bool) iter.Seq2[Item, error]

// Pair is two documents, the earlier one first.
type Pair struct {
	A, B    int
	Jaccard float64
}

// Index collects signatures.
type Index struct {
	n     int
	exact [][][16]byte
	sizes []uint32
	bands [][][bands]uint32
}

// block is how many documents are kept in one piece of memory: an index grows
// without being copied.
const block = 1 << 14

// MaxDocuments is how many documents an index takes.
const MaxDocuments = math.MaxInt32

// Add gives the next document its number.
func (x *Index) Add(s *Signature) error {
	if x.n == MaxDocuments {
		return errors.New("more documents than an index takes")
	}
	if x.n%block == 0 {
		x.exact = append(x.exact, make([][16]byte, 0, block))
		x.bands = append(x.bands, make([][bands]uint32, 0, block))
	}
	last := len(x.exact) - 1
	x.exact[last] = append(x.exact[last], s.exact)
	x.bands[last] = append(x.bands[last], s.bands)
	x.sizes = append(x.sizes, s.size)
	x.n++
	return nil
}

// Len is how many documents were added.
func (x *Index) Len() int { return x.n }

func (x *Index) band(document uint32, band int) uint32 {
	return x.bands[document/block][document%block][band]
}

func (x *Index) hash(document uint32) *[16]byte { return &x.exact[document/block][document%block] }

// Result is the groups of equal texts, and after Near also what near pairs link.
type Result struct {
	// Groups are the documents with equal texts, each in order, and the groups
	// in the order of their first documents.
	Groups [][]uint32
	// Cut tells that there were more candidates than are compared: pairs may be
	// missing.
	Cut bool
	// Sparse tells that large groups of alike texts were compared only with some
	// of their members: the groups are right, but not all their pairs are given.
	Sparse bool
	first  []uint32
	parent []uint32
}

// First is the first document with the same text.
func (r *Result) First(document int) int { return int(r.first[document]) }

// Cluster is the number of the first document of those that are linked with
// this one by equal texts and by near pairs.
func (r *Result) Cluster(document int) int {
	return int(r.find(r.first[document]))
}

func (r *Result) find(d uint32) uint32 {
	for r.parent[d] != d {
		r.parent[d] = r.parent[r.parent[d]]
		d = r.parent[d]
	}
	return d
}

func (r *Result) join(a, b uint32) {
	a, b = r.find(a), r.find(b)
	r.parent[max(a, b)] = min(a, b)
}

// Near shows each near pair among the documents of r, which Equal gave, once. A
// pair stands for the groups of its two documents, which are the first of
// theirs. The index cannot be used after it.
func (x *Index) Near(ctx context.Context, r *Result, texts Texts, o Options, near func(Pair)) error {
	if o.Workers < 1 || o.Memory < 0 || o.Candidates < 0 || o.Candidates > math.MaxInt32 || o.Crowd < 0 {
		return errors.New("duplicate: workers must be at least 1, memory, candidates and crowd not negative")
	}
	if o.Memory == 0 {
		o.Memory = 128 << 20
	}
	if o.Candidates == 0 {
		o.Candidates = 16 << 20
	}
	if o.Crowd == 0 {
		o.Crowd = 1000
	}
	x.exact = nil
	found, err := x.candidates(ctx, r, o)
	if err != nil {
		return err
	}
	x.bands = nil
	return x.confirm(ctx, r, found, texts, o, near)
}

// Equal groups the documents with the same text.
func (x *Index) Equal() *Result {
	r := &Result{first: make([]uint32, x.n), parent: make([]uint32, x.n)}
	order := make([]uint32, 0, x.n)
	for d := range uint32(x.n) {
		r.first[d], r.parent[d] = d, d
		if x.sizes[d] > 0 {
			order = append(order, d)
		}
	}
	slices.SortFunc(order, func(a, b uint32) int {
		if c := bytes.Compare(x.hash(a)[:], x.hash(b)[:]); c != 0 {
			return c
		}
		return int(a) - int(b)
	})
	for len(order) > 0 {
		n := 1
		for n < len(order) && *x.hash(order[n]) == *x.hash(order[0]) {
			r.first[order[n]] = order[0]
			n++
		}
		if n > 1 {
			r.Groups = append(r.Groups, slices.Clone(order[:n]))
		}
		order = order[n:]
	}
	slices.SortFunc(r.Groups, func(a, b []uint32) int { return int(a[0]) - int(b[0]) })
	return r
}
