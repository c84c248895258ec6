package source

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/ml-intern/ml-intern/internal/lab/audit"
)

// random is a source of numbers for one split: the same seed and name give the
// same numbers.
func random(seed int64, split string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(split))
	return rand.New(rand.NewPCG(uint64(seed), h.Sum64()))
}

// reservoir keeps a sample of rows that pass by, each with the same chance.
type reservoir struct {
	size   int
	random *rand.Rand
	seen   int64
	kept   []audit.Row
}

func (r *reservoir) add(row audit.Row) {
	r.seen++
	if len(r.kept) < r.size {
		r.kept = append(r.kept, row)
	} else if i := r.random.Int64N(r.seen); i < int64(r.size) {
		r.kept[i] = row
	}
}

// rows are the sample in the order of the data.
func (r *reservoir) rows() []audit.Row {
	slices.SortFunc(r.kept, func(a, b audit.Row) int { return int(a.Index - b.Index) })
	return r.kept
}

// pages chooses offsets of pages of size rows that together hold at least want
// of total rows: whole pages, each with the same chance, in random order.
func pages(total, want, size int64, rng *rand.Rand) []int64 {
	count := (total + size - 1) / size
	need := min((want+size-1)/size, count)
	chosen := map[int64]bool{}
	var out []int64
	// Floyd's way: as many draws as pages are needed.
	for j := count - need; j < count; j++ {
		p := rng.Int64N(j + 1)
		if chosen[p] {
			p = j
		}
		chosen[p] = true
		out = append(out, p*size)
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
