package duplicate

import (
	"crypto/sha256"
	"math"
	"slices"

	"github.com/ml-intern/ml-intern/internal/lab/text"
)

// Width is how many words a shingle has. A shorter text has its words instead.
const Width = 5

// The permutations of a signature, in bands of rows. Two texts become
// candidates when one band is equal: 1-(1-J⁴)³², which is 0.99999995 at a
// Jaccard similarity of 0.8, 0.87 at 0.5 and 0.05 at 0.2.
const (
	bands = 32
	rows  = 4
)

// Signature is what is kept of a text while all are read.
type Signature struct {
	exact [16]byte // of the normalised text
	size  uint32   // how many different shingles it has
	bands [bands]uint32
}

// Empty reports whether the text had no word. Such texts are copies of nothing.
func (s *Signature) Empty() bool { return s.size == 0 }

// permutation is x → a·x+b modulo 2⁶⁴ with an odd a.
type permutation struct{ a, b uint64 }

// Signer makes signatures. Several goroutines need one each.
type Signer struct {
	permutations [bands * rows]permutation
	shingles     shingler
}

// NewSigner returns a signer. All signers make the same signatures.
func NewSigner() *Signer {
	s := &Signer{}
	state := uint64(0x6d6c2d696e7465)
	next := func() uint64 {
		state += 0x9e3779b97f4a7c15
		return mix(state)
	}
	for i := range s.permutations {
		s.permutations[i] = permutation{a: next() | 1, b: next()}
	}
	return s
}

// Sign is the signature of a text in the normal form of package text.
func (s *Signer) Sign(normalised string) Signature {
	set := s.shingles.set(normalised)
	out := Signature{size: uint32(min(uint64(len(set)), math.MaxUint32))}
	if len(set) == 0 {
		return out
	}
	sum := sha256.Sum256([]byte(normalised))
	copy(out.exact[:], sum[:])
	for band := range out.bands {
		p := s.permutations[band*rows : band*rows+rows : band*rows+rows]
		a0, a1, a2, a3 := p[0].a, p[1].a, p[2].a, p[3].a
		b0, b1, b2, b3 := p[0].b, p[1].b, p[2].b, p[3].b
		m0, m1, m2, m3 := uint64(math.MaxUint64), uint64(math.MaxUint64), uint64(math.MaxUint64), uint64(math.MaxUint64)
		for _, x := range set {
			m0 = min(m0, a0*x+b0)
			m1 = min(m1, a1*x+b1)
			m2 = min(m2, a2*x+b2)
			m3 = min(m3, a3*x+b3)
		}
		out.bands[band] = uint32(mix(mix(mix(mix(m0)+m1)+m2)+m3) >> 32)
	}
	return out
}

// shingler finds the different shingles of texts and keeps its memory between
// them.
type shingler struct {
	words []uint64
	out   []uint64
	table []slot
	epoch uint32
}

// slot of the table is taken when it has the epoch of the text at hand.
type slot struct {
	value uint64
	epoch uint32
}

// set is the hashes of the different shingles of a normalised text, in the
// order in which they first come. It is overwritten by the next call.
func (s *shingler) set(normalised string) []uint64 {
	s.words, s.out = s.words[:0], s.out[:0]
	for rest := normalised; ; {
		var word string
		if word, rest = text.Next(rest); word == "" {
			break
		}
		s.words = append(s.words, hash(word))
	}
	s.clear(len(s.words))
	if len(s.words) < Width {
		for _, w := range s.words {
			s.put(mix(w))
		}
		return s.out
	}
	for i := range len(s.words) - Width + 1 {
		h := uint64(Width)
		for _, w := range s.words[i : i+Width] {
			h = (h ^ w) * 0x9e3779b97f4a7c15
			h ^= h >> 29
		}
		s.put(mix(h))
	}
	return s.out
}

// clear makes the table empty and large enough for n values.
func (s *shingler) clear(n int) {
	size := 64
	for size < 2*n {
		size *= 2
	}
	if s.epoch++; len(s.table) < size || s.epoch == 0 || len(s.table) > 64*size && len(s.table) > 1<<16 {
		s.table, s.epoch = make([]slot, size), 1
	}
}

func (s *shingler) put(v uint64) {
	mask := uint64(len(s.table) - 1)
	for at := v & mask; ; at = (at + 1) & mask {
		switch slot := &s.table[at]; {
		case slot.epoch != s.epoch:
			slot.value, slot.epoch = v, s.epoch
			s.out = append(s.out, v)
			return
		case slot.value == v:
			return
		}
	}
}

// sorted is the set in order, in memory of its own.
func (s *shingler) sorted(normalised string) []uint64 {
	set := slices.Clone(s.set(normalised))
	slices.Sort(set)
	return set
}

// hash is FNV-1a with a finish that spreads it over all bits.
func hash(word string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(word) {
		h = (h ^ uint64(word[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finish of splitmix64: every bit of the input changes half of the
// output's.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// jaccard is the similarity of two sets in order.
func jaccard(a, b []uint64) float64 {
	shared := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x, y := a[i], b[j]
		if x == y {
			shared++
		}
		if x <= y {
			i++
		}
		if y <= x {
			j++
		}
	}
	return float64(shared) / float64(len(a)+len(b)-shared)
}
