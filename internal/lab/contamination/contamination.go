// Package contamination finds the items of benchmarks in training rows. Words
// are compared without punctuation: five in a row lead to an item, longer runs
// and their share of the item decide, and a run that stands in many rows
// counts less than a rare one. Items that are too short for that must be there
// exactly. It knows no data sets.
package contamination

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/ml-intern/ml-intern/internal/lab/text"
)

// The measures, in words.
const (
	// Gram is the shortest run that counts.
	Gram = 5
	// Run is the run that is an overlap whatever share of the item it is.
	Run = 13
)

const (
	// Share is the weighted share of an item from which a row contains it.
	Share = 0.8
	// maxWords of one text of an item are looked at.
	maxWords = 2000
	// spread is in how many texts of items a run of five words may stand before
	// it is taken for a form of words, not for content.
	spread = 64
)

// MaxGrams is how many runs of five words the items have in all: about a
// gigabyte of text would have more.
const MaxGrams = 8 << 20

// Item is one row of a benchmark.
type Item struct {
	Benchmark string
	Row       int64
}

// posting is where a gram stands.
type posting struct{ part, at uint32 }

// part is a text of an item that has five words or more, as its different
// grams.
type part struct {
	item  uint32
	grams []uint32
}

// short is an item without such a text: the hashes of all its texts.
type short struct {
	item  uint32
	words int
	texts []uint64
}

// Index is the items that are looked for. It is filled by one goroutine and
// then read by many.
type Index struct {
	items    []Item
	parts    []part
	ids      map[uint64]uint32
	postings [][]posting // nil for a gram that is spread too widely
	count    []uint32    // of texts with the gram
	total    int
	shorts   map[uint64][]short // by their longest text
}

// NewIndex returns an empty index.
func NewIndex() *Index {
	return &Index{ids: map[uint64]uint32{}, shorts: map[uint64][]short{}}
}

// Add takes one row of a benchmark by its texts in normal form.
func (x *Index) Add(item Item, texts []string) error {
	id := uint32(len(x.items))
	x.items = append(x.items, item)
	var all []uint64
	longest, most, words := uint64(0), 0, 0
	long := false
	for _, t := range texts {
		hashes := bare(t, maxWords)
		if len(hashes) == 0 {
			continue
		}
		if len(hashes) >= Gram {
			long = true
			if x.total += len(hashes) - Gram + 1; x.total > MaxGrams {
				return fmt.Errorf("the benchmarks have more text than is looked for: %d items fit", id)
			}
			x.addPart(id, hashes)
			continue
		}
		whole := fold(hashes)
		if all = append(all, whole); len(hashes) > most {
			longest, most = whole, len(hashes)
		}
		words += len(hashes)
	}
	if !long && words >= 2 { // one word says nothing
		slices.Sort(all)
		x.shorts[longest] = append(x.shorts[longest], short{item: id, words: words, texts: slices.Compact(all)})
	}
	return nil
}

func (x *Index) addPart(item uint32, words []uint64) {
	p := part{item: item}
	number := uint32(len(x.parts))
	for at := range len(words) - Gram + 1 {
		h := fold(words[at : at+Gram])
		id, ok := x.ids[h]
		if !ok {
			id = uint32(len(x.postings))
			x.ids[h] = id
			x.postings, x.count = append(x.postings, nil), append(x.count, 0)
		}
		if n := len(x.postings[id]); n > 0 && x.postings[id][n-1].part == number {
			continue // the same words again
		}
		p.grams = append(p.grams, id)
		if x.count[id]++; x.count[id] > spread {
			x.postings[id] = nil
			continue
		}
		x.postings[id] = append(x.postings[id], posting{part: number, at: uint32(at)})
	}
	x.parts = append(x.parts, p)
}

// bare is the hashes of a text's words without punctuation.
func bare(s string, most int) []uint64 {
	var out []uint64
	for len(out) < most {
		var word string
		if word, s = text.Next(s); word == "" {
			break
		}
		if word = text.Bare(word); word != "" {
			h := uint64(14695981039346656037)
			for i := range len(word) {
				h = (h ^ uint64(word[i])) * 1099511628211
			}
			out = append(out, h)
		}
	}
	return out
}

// fold is one hash of a run of words.
func fold(words []uint64) uint64 {
	h := uint64(len(words))
	for _, w := range words {
		h = (h ^ w) * 0x9e3779b97f4a7c15
		h ^= h >> 31
	}
	return h
}

// Match is an item found in a row.
type Match struct {
	Item Item
	// Document is the number of the row, as Collector.Add counts them.
	Document int
	// Share is the share of the item's text that is in the row, weighted by how
	// rare its words are together.
	Share float64
	// Words is the longest run they have in common; all of the item's for a
	// short one.
	Words int
}

// Collector gathers what scanners found, in the order of the rows.
type Collector struct {
	index *Index
	rows  int
	seen  []uint32 // in how many rows each gram is
	hits  []hit
	short []Match
	cut   bool
}

// hit is a row that may contain an item.
type hit struct {
	document int
	partHit
}

// maxHits is how many rows and items are weighed at the end.
const maxHits = 200_000

// Collector returns an empty one.
func (x *Index) Collector() *Collector {
	return &Collector{index: x, seen: make([]uint32, len(x.postings))}
}

// Add takes what was found in the next row.
func (c *Collector) Add(h Hits) {
	for _, g := range h.grams {
		c.seen[g]++
	}
	for _, p := range h.parts {
		if len(c.hits) == maxHits {
			c.cut = true
			break
		}
		c.hits = append(c.hits, hit{document: c.rows, partHit: p})
	}
	for _, s := range h.short {
		if len(c.short) == maxHits {
			c.cut = true
			break
		}
		c.short = append(c.short, Match{Item: c.index.items[s.item], Document: c.rows, Share: 1, Words: s.words})
	}
	c.rows++
}

// Cut tells that more was found than is weighed.
func (c *Collector) Cut() bool { return c.cut }

// Matches is what was found: each row and item once, by row, then by share.
func (c *Collector) Matches() []Match {
	best := map[[2]int]Match{}
	for _, h := range c.hits {
		p := c.index.parts[h.part]
		share, run := c.weigh(p, h.partHit)
		if share < Share && (h.words < Run || run < 0.5) {
			continue
		}
		key := [2]int{h.document, int(p.item)}
		if m, ok := best[key]; !ok || share > m.Share {
			best[key] = Match{Item: c.index.items[p.item], Document: h.document, Share: share, Words: max(h.words, m.Words)}
		}
	}
	out := slices.Clone(c.short)
	for _, m := range best {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Match) int {
		return cmp.Or(cmp.Compare(a.Document, b.Document), cmp.Compare(b.Share, a.Share),
			cmp.Compare(a.Item.Benchmark, b.Item.Benchmark), cmp.Compare(a.Item.Row, b.Item.Row))
	})
	return out
}

// weigh is the weighted share of the part that the row has, and the mean
// weight of what it has.
func (c *Collector) weigh(p part, h partHit) (share, mean float64) {
	all, found := 0.0, 0.0
	for _, g := range p.grams {
		all += c.rarity(g)
	}
	for _, g := range h.grams {
		found += c.rarity(g)
	}
	if all == 0 {
		return 0, 0
	}
	return found / all, found / float64(max(1, len(h.grams)))
}

// rarity is 1 for words that stand together in one row at most, and 0 when all
// rows have them or many items.
func (c *Collector) rarity(gram uint32) float64 {
	if c.index.postings[gram] == nil {
		return 0
	}
	return 1 - math.Log(float64(max(1, c.seen[gram])))/math.Log(float64(c.rows+1))
}
