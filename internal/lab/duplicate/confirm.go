package duplicate

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/lab/flow"
)

// document is a text of the second reading as its shingles in order.
type document struct {
	number   uint32
	shingles []uint64
}

// confirmation compares candidates while the texts come by once more. Of a
// document the shingles are held from when it comes until its last partner has
// come; what does not fit into the memory is left for another reading.
type confirmation struct {
	*candidates
	uses []uint32 // how many partners are still to come for an earlier document
	held map[uint32][]uint64
	left int             // bytes that may still be held
	late map[uint32]bool // earlier documents that did not fit: another reading
	near func(Pair)
	r    *Result
}

// confirm compares all candidates.
func (x *Index) confirm(ctx context.Context, r *Result, c *candidates, texts Texts, o Options, near func(Pair)) error {
	for len(c.earlier) > 0 {
		uses := make([]uint32, x.n)
		wanted := make([]bool, x.n)
		for d := range uint32(x.n) {
			for _, e := range c.of(d) {
				uses[e]++
				wanted[e], wanted[d] = true, true
			}
		}
		m := &confirmation{candidates: c, uses: uses, held: map[uint32][]uint64{}, left: o.Memory, late: map[uint32]bool{}, near: near, r: r}
		if err := x.read(ctx, m, texts, wanted, o); err != nil {
			return err
		}
		c = m.rest()
	}
	return nil
}

// read goes once over the wanted texts.
func (x *Index) read(ctx context.Context, m *confirmation, texts Texts, wanted []bool, o Options) error {
	open := 0
	for _, w := range wanted {
		if w {
			open++
		}
	}
	source := texts(func(d int) bool { return d >= 0 && d < x.n && wanted[d] })
	work := flow.Work[Item, document, *shingler]{
		Workers: o.Workers,
		Begin:   func() *shingler { return &shingler{} },
		Do: func(s *shingler, i Item) document {
			return document{number: uint32(i.Document), shingles: s.sorted(i.Text())}
		},
		Weigh: func(i Item) int { return i.Size },
	}
	last := -1
	for d, err := range flow.Map(ctx, source, work) {
		if err != nil {
			return err
		}
		if int(d.number) >= x.n || int(d.number) <= last || len(d.shingles) != int(x.sizes[d.number]) {
			return ErrChanged
		}
		last = int(d.number)
		if !wanted[d.number] {
			continue
		}
		open--
		m.take(d)
		if open == 0 {
			return nil
		}
	}
	return ErrChanged
}

// take compares a document with the earlier ones that wait for it, and holds it
// for later ones.
func (m *confirmation) take(d document) {
	for _, e := range m.of(d.number) {
		if m.late[e] {
			continue
		}
		if j := jaccard(m.held[e], d.shingles); j >= Threshold {
			m.r.join(e, d.number)
			m.near(Pair{A: int(e), B: int(d.number), Jaccard: j})
		}
		if m.uses[e]--; m.uses[e] == 0 {
			m.left += 8 * len(m.held[e])
			delete(m.held, e)
		}
	}
	if m.uses[d.number] == 0 {
		return
	}
	size := 8 * len(d.shingles)
	if size > m.left && len(m.held) > 0 {
		m.late[d.number] = true
		return
	}
	m.held[d.number] = d.shingles
	m.left -= size
}

// rest is the pairs for another reading.
func (m *confirmation) rest() *candidates {
	out := &candidates{starts: make([]uint32, len(m.starts))}
	for d := range uint32(len(m.starts) - 1) {
		for _, e := range m.of(d) {
			if m.late[e] {
				out.earlier = append(out.earlier, e)
			}
		}
		out.starts[d+1] = uint32(len(out.earlier))
	}
	return out
}
