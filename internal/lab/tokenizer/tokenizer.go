// Package tokenizer counts the tokens of texts as a model's own tokenizer does:
// it reads the file tokenizer.json that models on the Hub carry (BPE, WordPiece,
// Unigram) and follows its steps: added tokens, normaliser, pre-tokeniser, model.
// It knows no model by name and fetches nothing. Tokens that a post-processor
// adds at the ends of a text are not counted.
package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Tokenizer counts tokens. It is safe for concurrent use.
type Tokenizer struct {
	// Kind is the model's kind: BPE, WordPiece or Unigram.
	Kind string
	// Vocabulary is the number of tokens it knows.
	Vocabulary int
	// Approximate says why counts may differ from the original's; empty when
	// they do not.
	Approximate string

	added     *matcher
	normalise func(string) string
	split     splitter
	model     model

	mu    sync.Mutex
	known map[string]int // counts of pieces
}

// model counts the tokens of one piece of text.
type model interface{ count(piece string) int }

// Bounds of what is read and remembered.
const (
	maxFile  = 64 << 20
	maxKnown = 200_000 // pieces
	maxPiece = 64      // bytes of a piece worth remembering
)

// file is tokenizer.json as far as it matters.
type file struct {
	AddedTokens []struct {
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
	} `json:"added_tokens"`
	Normalizer   json.RawMessage `json:"normalizer"`
	PreTokenizer json.RawMessage `json:"pre_tokenizer"`
	Model        json.RawMessage `json:"model"`
}

// Parse reads a tokenizer.json. An error names the part that is missing or of a
// kind that is not known.
func Parse(data []byte) (*Tokenizer, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("read tokenizer.json: it has %d MiB, more than %d", len(data)>>20, maxFile>>20)
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read tokenizer.json: %w", err)
	}
	if len(f.Model) == 0 {
		return nil, errors.New("read tokenizer.json: it has no model")
	}
	t := &Tokenizer{known: map[string]int{}}
	var contents []string
	for _, a := range f.AddedTokens {
		if a.Content != "" {
			contents = append(contents, a.Content)
		}
	}
	t.added = newMatcher(contents)
	var err error
	if t.normalise, err = normaliser(f.Normalizer, &t.Approximate); err != nil {
		return nil, fmt.Errorf("read tokenizer.json: normalizer: %w", err)
	}
	if t.split, err = preTokeniser(f.PreTokenizer); err != nil {
		return nil, fmt.Errorf("read tokenizer.json: pre_tokenizer: %w", err)
	}
	if err := t.setModel(f.Model); err != nil {
		return nil, fmt.Errorf("read tokenizer.json: model: %w", err)
	}
	return t, nil
}

func (t *Tokenizer) setModel(data json.RawMessage) error {
	var head struct {
		Type   string          `json:"type"`
		Merges json.RawMessage `json:"merges"`
		Vocab  json.RawMessage `json:"vocab"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	kind := head.Type
	if kind == "" { // old files do not tell
		switch {
		case len(head.Merges) > 0:
			kind = "BPE"
		case len(head.Vocab) > 0 && head.Vocab[0] == '[':
			kind = "Unigram"
		default:
			kind = "WordPiece"
		}
	}
	t.Kind = kind
	var err error
	switch kind {
	case "BPE":
		t.model, t.Vocabulary, err = newBPE(data)
	case "WordPiece":
		t.model, t.Vocabulary, err = newWordPiece(data)
	case "Unigram":
		t.model, t.Vocabulary, err = newUnigram(data)
	default:
		err = fmt.Errorf("the kind %q is not known (BPE, WordPiece, Unigram)", kind)
	}
	return err
}

// Count returns the number of tokens of a text.
func (t *Tokenizer) Count(text string) int {
	n := 0
	t.added.cut(text, func(part string, added bool) {
		switch {
		case added:
			n++
		case part != "":
			n += t.plain(part)
		}
	})
	return n
}

// plain counts a text without added tokens.
func (t *Tokenizer) plain(text string) int {
	n := 0
	for _, piece := range t.split(t.normalise(text)) {
		if piece != "" {
			n += t.piece(piece)
		}
	}
	return n
}

func (t *Tokenizer) piece(piece string) int {
	if len(piece) > maxPiece {
		return t.model.count(piece)
	}
	t.mu.Lock()
	n, ok := t.known[piece]
	t.mu.Unlock()
	if ok {
		return n
	}
	n = t.model.count(piece)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) < maxKnown {
		t.known[piece] = n
	}
	return n
}
