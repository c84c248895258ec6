package tokenizer

import (
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe merges neighbours, those learnt first before all others.
type bpe struct {
	vocab  map[string]int32
	merges map[[2]int32]merge
	prefix string // of tokens inside a word
	suffix string // of the last token of a word

	hasUnknown, fuseUnknown, byteFallback, ignoreMerges bool
}

type merge struct{ rank, into int32 }

func newBPE(data json.RawMessage) (model, int, error) {
	var in struct {
		Vocab        map[string]int32  `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
		Unknown      *string           `json:"unk_token"`
		Prefix       *string           `json:"continuing_subword_prefix"`
		Suffix       *string           `json:"end_of_word_suffix"`
		FuseUnknown  bool              `json:"fuse_unk"`
		ByteFallback bool              `json:"byte_fallback"`
		IgnoreMerges bool              `json:"ignore_merges"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, 0, err
	}
	if len(in.Vocab) == 0 {
		return nil, 0, errors.New("the vocabulary is empty")
	}
	m := &bpe{
		vocab: in.Vocab, merges: make(map[[2]int32]merge, len(in.Merges)), hasUnknown: in.Unknown != nil,
		fuseUnknown: in.FuseUnknown, byteFallback: in.ByteFallback, ignoreMerges: in.IgnoreMerges,
	}
	if in.Prefix != nil {
		m.prefix = *in.Prefix
	}
	if in.Suffix != nil {
		m.suffix = *in.Suffix
	}
	if max(len(m.prefix), len(m.suffix)) > maxMark {
		return nil, 0, fmt.Errorf("continuing_subword_prefix or end_of_word_suffix has more than %d bytes", maxMark)
	}
	for rank, raw := range in.Merges {
		if err := m.learn(raw, int32(rank)); err != nil {
			return nil, 0, fmt.Errorf("merges[%d]: %w", rank, err)
		}
	}
	return m, len(in.Vocab), nil
}

// learn takes one merge, "a b" or ["a","b"].
func (m *bpe) learn(raw json.RawMessage, rank int32) error {
	var pair []string
	if raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		a, b, ok := strings.Cut(text, " ")
		if !ok {
			return fmt.Errorf("%q is no pair", text)
		}
		pair = []string{a, b}
	} else if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
		return errors.New("it is no pair")
	}
	a, okA := m.vocab[pair[0]]
	b, okB := m.vocab[pair[1]]
	into, ok := m.vocab[pair[0]+strings.TrimPrefix(pair[1], m.prefix)]
	if !okA || !okB || !ok {
		return fmt.Errorf("%q or what they make is not in the vocabulary", pair)
	}
	if _, twice := m.merges[[2]int32{a, b}]; !twice {
		m.merges[[2]int32{a, b}] = merge{rank, into}
	}
	return nil
}

// symbol is a token on the way; unknown ones have id -1.
type symbol struct {
	id         int32
	prev, next int
}

func (m *bpe) count(piece string) int {
	if m.ignoreMerges {
		if _, ok := m.vocab[piece]; ok {
			return 1
		}
	}
	symbols := m.symbols(piece)
	return len(symbols) - m.mergeAll(symbols)
}

// symbols are the characters of a piece as tokens.
func (m *bpe) symbols(piece string) []symbol {
	var out []symbol
	add := func(id int32) {
		out = append(out, symbol{id, len(out) - 1, len(out) + 1})
	}
	for i, r := range piece {
		n := utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, n = utf8.DecodeRuneInString(piece[i:])
		}
		text := piece[i : i+n]
		if i > 0 {
			text = m.prefix + text
		}
		if i+n == len(piece) {
			text += m.suffix
		}
		id, ok := m.vocab[text]
		switch {
		case ok:
			add(id)
		case m.byteFallback && m.bytes(piece[i:i+n], add):
		case !m.hasUnknown: // it is dropped
		case m.fuseUnknown && len(out) > 0 && out[len(out)-1].id == -1:
		default:
			add(-1)
		}
	}
	return out
}

// bytes adds a character as its bytes, where all of them are tokens.
func (m *bpe) bytes(text string, add func(int32)) bool {
	ids := make([]int32, 0, utf8.UTFMax)
	for i := range len(text) {
		id, ok := m.vocab[fmt.Sprintf("<0x%02X>", text[i])]
		if !ok {
			return false
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		add(id)
	}
	return true
}

// candidate is a merge that could be made at a place.
type candidate struct {
	merge
	at          int
	left, right int32
}

type queue []candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(candidate)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// mergeAll makes all merges and returns how many they were.
func (m *bpe) mergeAll(s []symbol) int {
	var q queue
	look := func(at int) (candidate, bool) {
		next := s[at].next
		if next >= len(s) {
			return candidate{}, false
		}
		made, ok := m.merges[[2]int32{s[at].id, s[next].id}]
		return candidate{made, at, s[at].id, s[next].id}, ok
	}
	for i := range s {
		if c, ok := look(i); ok {
			q = append(q, c)
		}
	}
	heap.Init(&q)
	done := 0
	for len(q) > 0 {
		c := heap.Pop(&q).(candidate)
		next := s[c.at].next
		if s[c.at].id != c.left || next >= len(s) || s[next].id != c.right {
			continue // something else was merged there meanwhile
		}
		s[c.at].id, s[c.at].next = c.into, s[next].next
		s[next].id = -2
		if after := s[c.at].next; after < len(s) {
			s[after].prev = c.at
		}
		done++
		for _, at := range []int{s[c.at].prev, c.at} {
			if at >= 0 {
				if c, ok := look(at); ok {
					heap.Push(&q, c)
				}
			}
		}
	}
	return done
}
