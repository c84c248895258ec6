package edit

import (
	"math/bits"
	"slices"
	"strings"
)

const (
	// nearest is how many similar places are named.
	nearest = 3
	// alike is the least likeness, of 1, of a place worth naming.
	alike = 0.5
	// anchors is how many lines of the old text are looked up everywhere; the
	// rest is compared only around where those are found.
	anchors = 3
	// patternLines bounds the old text that is compared.
	patternLines = 200
)

// signature is a set of hashed letter pairs: lines that share most of their
// pairs are alike. 256 places keep long lines apart well enough for a hint.
type signature [4]uint64

func sign(text string) signature {
	var s signature
	text = trim(text, BlanksUnicode)
	for i := 0; i+1 < len(text) && i < 400; i++ {
		h := (uint32(text[i])<<8 | uint32(text[i+1])) * 2654435761 >> 24
		s[h>>6] |= 1 << (h & 63)
	}
	if len(text) == 1 {
		s[0] |= uint64(text[0])
	}
	return s
}

func (s signature) size() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// likeness is 1 for equal sets and 0 for sets without a common pair.
func (s signature) likeness(t signature) float64 {
	total := s.size() + t.size()
	if total == 0 {
		return 1
	}
	both := 0
	for i := range s {
		both += bits.OnesCount64(s[i] & t[i])
	}
	return 2 * float64(both) / float64(total)
}

type candidate struct {
	first int // line index
	score float64
}

// similar returns the places of body that most resemble old.
func similar(body []byte, old string) []Similar {
	lines := split(body)
	want := strings.Split(strings.TrimSuffix(old, "\n"), "\n")
	want = want[:min(len(want), patternLines)]
	wanted := make([]signature, len(want))
	for i, w := range want {
		wanted[i] = sign(w)
	}
	have := make([]signature, len(lines))
	for i, l := range lines {
		have[i] = sign(l.text)
	}
	var out []Similar
	for _, c := range candidates(have, wanted) {
		r := Range{c.first + 1, min(c.first+len(want), len(lines))}
		overlaps := slices.ContainsFunc(out, func(s Similar) bool { return r.First <= s.Last && s.First <= r.Last })
		if overlaps || c.score < alike {
			continue
		}
		s := Similar{Range: r}
		for _, l := range lines[r.First-1 : r.Last] {
			s.Text = append(s.Text, l.text)
		}
		if out = append(out, s); len(out) == nearest {
			break
		}
	}
	return out
}

// candidates scores the windows in which a telling line of the wanted text has
// a like one, best first.
func candidates(have, wanted []signature) []candidate {
	order := make([]int, len(wanted))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return wanted[b].size() - wanted[a].size() })
	seen := map[int]bool{}
	var out []candidate
	for _, anchor := range order[:min(anchors, len(order))] {
		best := make([]candidate, 0, 64)
		for i, h := range have {
			score := h.likeness(wanted[anchor])
			if score < alike || wanted[anchor].size() == 0 {
				continue
			}
			if best = append(best, candidate{max(0, i-anchor), score}); len(best) == cap(best) {
				best = top(best, 32)
			}
		}
		for _, c := range best {
			if !seen[c.first] {
				seen[c.first] = true
				out = append(out, candidate{c.first, windowScore(have, wanted, c.first)})
			}
		}
	}
	return top(out, len(out))
}

// top keeps the n best, the earlier first among equals.
func top(cs []candidate, n int) []candidate {
	slices.SortStableFunc(cs, func(a, b candidate) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return a.first - b.first
	})
	return cs[:min(n, len(cs))]
}

func windowScore(have, wanted []signature, first int) float64 {
	sum := 0.0
	for j, w := range wanted {
		if first+j < len(have) {
			sum += have[first+j].likeness(w)
		}
	}
	return sum / float64(len(wanted))
}
