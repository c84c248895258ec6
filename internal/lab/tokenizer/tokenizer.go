// Package tokenizer counts the tokens of texts as a model's own tokenizer does:
// it reads the file tokenizer.json that models on the Hub carry (BPE, WordPiece,
// Unigram) and follows its steps: added tokens, normaliser, pre-tokeniser, model.
// It knows no model by name and fetches nothing. Tokens that a post-processor
// adds at the ends of a text are not counted.
package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
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
	maxItems = 8_000_000 // commas in the file: each may stand for an entry in memory
	maxSteps = 32        // normalisers and pre-tokenisers
	maxSetup = 4 << 20   // bytes of those in the file
	maxToken = 128       // bytes of a token that is looked for at every place
	maxMark  = 16        // bytes of what a step writes instead of something
	maxKnown = 200_000   // pieces
	maxPiece = 64        // bytes of a piece worth remembering
	maxChunk = 256 << 10 // bytes that are taken apart at once
)

// grown is how long a text may become on its way: files come from strangers,
// and steps that each make a text a little longer make it endless.
func grown(length int) int { return 16*length + 4096 }

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
	if n := bytes.Count(data, []byte(",")); n > maxItems {
		return nil, fmt.Errorf("read tokenizer.json: it has %d entries, more than %d", n, maxItems)
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
	var err error
	if t.added, err = newMatcher(contents); err != nil {
		return nil, fmt.Errorf("read tokenizer.json: added_tokens: %w", err)
	}
	if n := len(f.Normalizer) + len(f.PreTokenizer); n > maxSetup {
		return nil, fmt.Errorf("read tokenizer.json: normalizer and pre_tokenizer have %d bytes, more than %d", n, maxSetup)
	}
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

// plain counts a text without added tokens. A long one is taken apart in
// chunks, cut before a blank, where a piece begins in almost all tokenizers.
func (t *Tokenizer) plain(text string) int {
	n := 0
	for len(text) > maxChunk {
		end := maxChunk
		if i := strings.LastIndexByte(text[maxChunk/2:maxChunk], ' '); i > 0 {
			end = maxChunk/2 + i
		}
		for end > maxChunk-utf8.UTFMax && end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		n += t.chunk(text[:end])
		text = text[end:]
	}
	return n + t.chunk(text)
}

func (t *Tokenizer) chunk(text string) int {
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
