package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// unigram takes the most likely way to cut a piece.
type unigram struct {
	scores  map[string]float64
	longest int // bytes of the longest token
	unknown float64
	bytes   bool // unknown characters become their bytes
}

// unknownPenalty is how much less likely an unknown character is than the least
// likely token.
const unknownPenalty = 10

func newUnigram(data json.RawMessage) (model, int, error) {
	var in struct {
		Vocab        [][2]json.RawMessage `json:"vocab"`
		ByteFallback bool                 `json:"byte_fallback"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, 0, err
	}
	if len(in.Vocab) == 0 {
		return nil, 0, errors.New("the vocabulary is empty")
	}
	m := &unigram{scores: make(map[string]float64, len(in.Vocab))}
	lowest := math.Inf(1)
	for i, pair := range in.Vocab {
		var token string
		var score float64
		if err := errors.Join(json.Unmarshal(pair[0], &token), json.Unmarshal(pair[1], &score)); err != nil {
			return nil, 0, fmt.Errorf("vocab[%d]: %w", i, err)
		}
		m.scores[token] = score
		m.longest, lowest = max(m.longest, len(token)), min(lowest, score)
	}
	m.longest = min(m.longest, maxToken)
	m.unknown = lowest - unknownPenalty
	m.bytes = in.ByteFallback
	for b := 0; b < 256 && m.bytes; b++ {
		_, m.bytes = m.scores[fmt.Sprintf("<0x%02X>", b)]
	}
	return m, len(in.Vocab), nil
}

// way is the best way to a place of the piece.
type way struct {
	score   float64
	from    int
	unknown bool
}

func (m *unigram) count(piece string) int {
	best := make([]way, len(piece)+1)
	for i := 1; i <= len(piece); i++ {
		best[i].score = math.Inf(-1)
	}
	for i := 0; i < len(piece); {
		_, size := utf8.DecodeRuneInString(piece[i:])
		single := false
		for end := i + size; end <= min(len(piece), i+m.longest); {
			if score, ok := m.scores[piece[i:end]]; ok {
				if s := best[i].score + score; s > best[end].score {
					best[end] = way{s, i, false}
				}
				single = single || end == i+size
			}
			if end == len(piece) {
				break
			}
			_, n := utf8.DecodeRuneInString(piece[end:])
			end += n
		}
		if s := best[i].score + m.unknown; !single && s > best[i+size].score {
			best[i+size] = way{s, i, true}
		}
		i += size
	}
	return m.walk(best)
}

// walk counts the tokens of the best way; unknown characters side by side are
// one token, or as many as they have bytes.
func (m *unigram) walk(best []way) int {
	n := 0
	run := false
	for i := len(best) - 1; i > 0; i = best[i].from {
		switch w := best[i]; {
		case !w.unknown:
			n++
		case m.bytes:
			n += i - w.from
		case !run:
			n++
		}
		run = best[i].unknown
	}
	return n
}
