package contamination

import "slices"

// Scanner looks for items in rows. Several goroutines need one each.
type Scanner struct {
	index    *Index
	seen     map[uint32]struct{}
	progress map[uint32]*progress
}

// Scanner returns a scanner of a filled index.
func (x *Index) Scanner() *Scanner {
	return &Scanner{index: x, seen: map[uint32]struct{}{}, progress: map[uint32]*progress{}}
}

// progress is how far a row agrees with a part.
type progress struct {
	row, at uint32 // where the last gram stood in the row and in the part
	run     int    // how many grams in a row up to there
	longest int
	grams   []uint32
}

// partHit is the agreement of a row with one part.
type partHit struct {
	part  uint32
	words int // the longest run
	grams []uint32
}

// shortHit is a short item that a row contains.
type shortHit struct {
	item  uint32
	words int
}

// Hits is what one row has in common with the items.
type Hits struct {
	grams []uint32
	parts []partHit
	short []shortHit
}

// Scan looks through one row by its texts in normal form.
func (s *Scanner) Scan(texts []string) Hits {
	var out Hits
	clear(s.seen)
	clear(s.progress)
	var wholes []uint64
	for _, t := range texts {
		words := bare(t, len(t))
		if len(s.index.shorts) > 0 && len(words) > 0 && len(words) < Gram {
			wholes = append(wholes, fold(words))
		}
		s.text(words, &out)
	}
	for _, part := range s.sorted() {
		p := s.progress[part]
		if words := p.longest + Gram - 1; words >= Run || 2*len(p.grams) >= s.telling(part) {
			out.parts = append(out.parts, partHit{part: part, words: words, grams: p.grams})
		}
	}
	s.shorts(wholes, &out)
	return out
}

// text goes along one text of a row.
func (s *Scanner) text(words []uint64, out *Hits) {
	for row := range len(words) - Gram + 1 {
		id, ok := s.index.ids[fold(words[row:row+Gram])]
		if !ok || s.index.postings[id] == nil {
			continue
		}
		_, again := s.seen[id]
		if !again {
			s.seen[id] = struct{}{}
			out.grams = append(out.grams, id)
		}
		for _, place := range s.index.postings[id] {
			p := s.progress[place.part]
			if p == nil {
				p = &progress{}
				s.progress[place.part] = p
			}
			if p.run > 0 && p.row+1 == uint32(row) && p.at+1 == place.at {
				p.run++
			} else {
				p.run = 1
			}
			p.row, p.at, p.longest = uint32(row), place.at, max(p.longest, p.run)
			if !again {
				p.grams = append(p.grams, id)
			}
		}
	}
	for _, p := range s.progress {
		p.run = 0
	}
}

func (s *Scanner) sorted() []uint32 {
	out := make([]uint32, 0, len(s.progress))
	for part := range s.progress {
		out = append(out, part)
	}
	slices.Sort(out)
	return out
}

// telling is how many grams of a part are not spread too widely.
func (s *Scanner) telling(part uint32) int {
	n := 0
	for _, g := range s.index.parts[part].grams {
		if s.index.postings[g] != nil {
			n++
		}
	}
	return n
}

// shorts finds the short items all of whose texts are texts of the row.
func (s *Scanner) shorts(wholes []uint64, out *Hits) {
	slices.Sort(wholes)
	wholes = slices.Compact(wholes)
	for _, w := range wholes {
		for _, item := range s.index.shorts[w] {
			if len(out.short) == spread {
				return
			}
			all := true
			for _, t := range item.texts {
				_, ok := slices.BinarySearch(wholes, t)
				all = all && ok
			}
			if all {
				out.short = append(out.short, shortHit{item: item.item, words: item.words})
			}
		}
	}
}

// Any reports whether the row may contain an item.
func (h Hits) Any() bool { return len(h.parts) > 0 || len(h.short) > 0 }
