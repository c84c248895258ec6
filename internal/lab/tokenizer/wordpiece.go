package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// wordPiece takes the longest token from the left, again and again. A word that
// cannot be taken apart is one unknown token.
type wordPiece struct {
	vocab   map[string]int32
	prefix  string // of tokens inside a word
	longest int    // characters of a word; longer ones are unknown
	token   int    // bytes of the longest token
}

func newWordPiece(data json.RawMessage) (model, int, error) {
	in := struct {
		Vocab   map[string]int32 `json:"vocab"`
		Prefix  string           `json:"continuing_subword_prefix"`
		Longest int              `json:"max_input_chars_per_word"`
	}{Prefix: "##", Longest: 100}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, 0, err
	}
	if len(in.Vocab) == 0 {
		return nil, 0, errors.New("the vocabulary is empty")
	}
	if len(in.Prefix) > maxMark {
		return nil, 0, fmt.Errorf("continuing_subword_prefix has more than %d bytes", maxMark)
	}
	m := &wordPiece{vocab: in.Vocab, prefix: in.Prefix, longest: min(in.Longest, maxWord)}
	for t := range in.Vocab {
		m.token = max(m.token, len(t))
	}
	m.token = min(m.token, maxToken)
	return m, len(in.Vocab), nil
}

// maxWord bounds the characters of a word that is taken apart.
const maxWord = 512

func (m *wordPiece) count(piece string) int {
	if utf8.RuneCountInString(piece) > m.longest {
		return 1
	}
	n := 0
	for start := 0; start < len(piece); n++ {
		end := min(len(piece), start+m.token)
		for ; end > start; end-- {
			token := piece[start:end]
			if start > 0 {
				token = m.prefix + token
			}
			if _, ok := m.vocab[token]; ok {
				break
			}
		}
		if end == start {
			return 1
		}
		start = end
	}
	return n
}
