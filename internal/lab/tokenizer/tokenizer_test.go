package tokenizer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/tokenizer"
)

func read(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, name string) *tokenizer.Tokenizer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Parse(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return tok
}

// Counts are those of the library that models are trained with: make.py in
// testdata has asked it.
func TestCountsAreThoseOfTheLibrary(t *testing.T) {
	var texts []string
	var counts map[string][]int
	read(t, "texts.json", &texts)
	read(t, "counts.json", &counts)
	if len(counts) < 11 {
		t.Fatalf("%d tokenizers", len(counts))
	}
	for name, want := range counts {
		tok := load(t, name)
		for i, text := range texts {
			for range 2 { // the second time from memory
				if got := tok.Count(text); got != want[i] {
					t.Errorf("%s: %d tokens, want %d, in %q", name, got, want[i], text)
				}
			}
		}
	}
}

func TestParseNamesWhatItCannotRead(t *testing.T) {
	for data, want := range map[string]string{
		`{`:                                   "read tokenizer.json",
		`{"model":null}`:                      "the vocabulary is empty",
		`{}`:                                  "it has no model",
		`{"model":{"type":"Magic"}}`:          `model: the kind "Magic" is not known`,
		`{"model":{"type":"BPE","vocab":{}}}`: "the vocabulary is empty",
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}`:                   "merges[0]",
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":[7]}}`:                       "merges[0]: it is no pair",
		`{"normalizer":{"type":"X"},"model":{"type":"BPE","vocab":{"a":0}}}`:          `normalizer: the kind "X" is not known`,
		`{"pre_tokenizer":{"type":"X"},"model":{"type":"BPE","vocab":{"a":0}}}`:       `pre_tokenizer: the kind "X" is not known`,
		`{"pre_tokenizer":{"type":"Split"},"model":{"type":"BPE","vocab":{"a":0}}}`:   "Split needs a pattern",
		`{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?<=a)b"}},"model":{}}`: "not supported",
	} {
		if _, err := tokenizer.Parse([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", data, err, want)
		}
	}
	if _, err := tokenizer.Parse([]byte(`{"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 5000) + strings.Repeat(`]}`, 5000) + `,"model":{"vocab":{"a":1}}}`)); err == nil {
		t.Error("a normaliser nested 5,000 deep was taken")
	}
}

// A text without any blank is one piece for some tokenizers: the time must not
// grow with the square of its length.
func TestLongPiecesTakeLinearTime(t *testing.T) {
	for _, name := range []string{"llama2", "t5", "gpt2", "bert"} {
		tok := load(t, name)
		begun := time.Now()
		tok.Count(strings.Repeat("abatchofthelossfalls", 20_000))
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("%s: 400,000 characters took %s", name, took)
		}
	}
}

func FuzzCount(f *testing.F) {
	names := []string{"gpt2", "llama3", "llama2", "bert", "xlmr", "t5", "clip", "gemma"}
	toks := make([]*tokenizer.Tokenizer, len(names))
	for i, name := range names {
		toks[i] = load(f, name)
	}
	for _, s := range []string{"", "a b", "\xff\xfe", "é\u0301 <|im_start|>", "  \n x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, tok := range toks {
			if n := tok.Count(text); n < 0 || n > 8*len(text)+8 {
				t.Errorf("%s: %d tokens in %d bytes", names[i], n, len(text))
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"bert", "gpt2"} {
		data, _ := os.ReadFile(filepath.Join("testdata", name+".json"))
		f.Add(data[:min(len(data), 2000)])
	}
	f.Add([]byte(`{"model":{"type":"Unigram","vocab":[["a",-1]]},"pre_tokenizer":{"type":"Metaspace"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := tokenizer.Parse(data); err == nil {
			tok.Count("some text, 123")
		}
	})
}

func BenchmarkCount(b *testing.B) {
	tok := load(b, "llama3")
	text := strings.Repeat("The model trains on small batches and the loss falls. ", 40)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.Count(text)
	}
}
