package tokenizer

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// wordPiece takes the longest token from the left, again and again. A word that
// cannot be taken apart is one unknown token.
type wordPiece struct {
	vocab   map[string]int32
	prefix  string // of tokens inside a word
	longest int    // characters of a word; longer ones are unknown
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
	return &wordPiece{in.Vocab, in.Prefix, min(in.Longest, maxToken)}, len(in.Vocab), nil
}

func (m *wordPiece) count(piece string) int {
	if utf8.RuneCountInString(piece) > m.longest {
		return 1
	}
	n := 0
	for start := 0; start < len(piece); n++ {
		end := len(piece)
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
