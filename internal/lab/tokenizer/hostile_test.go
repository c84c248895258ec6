package tokenizer_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/tokenizer"
)

// quick fails a test whose work does not end soon.
func quick(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it takes more than a minute")
	}
}

func steps(n int, step string) string {
	return `{"type":"Sequence","normalizers":[` + strings.TrimSuffix(strings.Repeat(step+",", n), ",") +
		`],"pretokenizers":[` + strings.TrimSuffix(strings.Repeat(step+",", n), ",") + `]}`
}

const letters = `{"type":"BPE","vocab":{"a":0,"b":1},"merges":[],"unk_token":"a"}`

// Steps that each make a text longer must not make it endless.
func TestTextsDoNotGrowWithoutEnd(t *testing.T) {
	for name, file := range map[string]string{
		"replace":   `{"normalizer":` + steps(31, `{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`) + `,"model":` + letters + `}`,
		"regex":     `{"normalizer":` + steps(31, `{"type":"Replace","pattern":{"Regex":"a"},"content":"aaaaaaaa"}`) + `,"model":` + letters + `}`,
		"bytes":     `{"normalizer":` + steps(31, `{"type":"ByteLevel"}`) + `,"model":` + letters + `}`,
		"pieces":    `{"pre_tokenizer":` + steps(31, `{"type":"ByteLevel","use_regex":false}`) + `,"model":` + letters + `}`,
		"metaspace": `{"pre_tokenizer":` + steps(31, `{"type":"Metaspace","replacement":"    ","split":false}`) + `,"model":` + letters + `}`,
		"nested":    `{"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[{"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaaaaaaaaaa"},`, 15) + `{"type":"NFC"}` + strings.Repeat(`]}`, 15) + `,"model":` + letters + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			it, err := tokenizer.Parse([]byte(file))
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Repeat("aé ", 100)
			quick(t, func() {
				if n := it.Count(text); n > 17*len(text)+4096 {
					t.Errorf("%d tokens of %d bytes", n, len(text))
				}
			})
		})
	}
	for name, step := range map[string]string{
		"replace": `{"type":"Replace","pattern":{"String":"a"},"content":"%s"}`, "prepend": `{"type":"Prepend","prepend":"%s"}`,
	} {
		file := `{"normalizer":` + fmt.Sprintf(step, strings.Repeat("b", 1000)) + `,"model":` + letters + `}`
		if _, err := tokenizer.Parse([]byte(file)); err == nil {
			t.Errorf("%s: a step that writes 1,000 bytes for one is taken", name)
		}
	}
}

func TestManyAddedTokens(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"added_tokens":[{"content":"a"}`)
	for i := range 200_000 {
		fmt.Fprintf(&b, `,{"content":"a%d"}`, i)
	}
	b.WriteString(`],"model":` + letters + `}`)
	quick(t, func() {
		it, err := tokenizer.Parse([]byte(b.String()))
		if err != nil {
			t.Error(err)
			return
		}
		if n := it.Count(strings.Repeat("a12345a", 20_000)); n != 40_000 {
			t.Errorf("%d tokens", n)
		}
	})
}

// Of added tokens that begin alike the longest is taken.
func TestTheLongestAddedToken(t *testing.T) {
	it, err := tokenizer.Parse([]byte(`{"added_tokens":[{"content":"<|a|>"},{"content":"<"},{"content":"<|a"},{"content":"<|b|>"},{"content":"<|a"}],"model":` + letters + `}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"<|a|>": 1, "<|a|": 2, "<|a": 1, "<|": 2, "<": 1, "<<|b|><|a|>": 3, "a<|b": 4} {
		if got := it.Count(text); got != want {
			t.Errorf("%q: %d tokens, want %d", text, got, want)
		}
	}
}

func TestPatternsThatTakeLong(t *testing.T) {
	pre := func(expr string) string {
		quoted, _ := json.Marshal(expr)
		return `{"pre_tokenizer":{"type":"Split","pattern":{"Regex":` + string(quoted) + `},"behavior":"Isolated"},"model":` + letters + `}`
	}
	for _, expr := range []string{strings.Repeat("a|b", 5000), strings.Repeat(`.{0,1000}`, 300), `(?:(?:.{0,30}){0,30}x|a)`} {
		if _, err := tokenizer.Parse([]byte(pre(expr))); err == nil {
			t.Errorf("%.40q… is taken", expr)
		}
	}
	it, err := tokenizer.Parse([]byte(pre(`a[\s\S]*b|a`)))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a", 1<<20)
	quick(t, func() { it.Count(text) })
}

func TestWordsThatTakeLong(t *testing.T) {
	vocab := `"a":0,"##a":1,"` + strings.Repeat("a", 600) + `b":2`
	it, err := tokenizer.Parse([]byte(`{"pre_tokenizer":{"type":"WhitespaceSplit"},"model":{"type":"WordPiece","vocab":{` + vocab + `},"max_input_chars_per_word":100000}}`))
	if err != nil {
		t.Fatal(err)
	}
	quick(t, func() {
		if n := it.Count(strings.Repeat(strings.Repeat("a", 500)+" ", 40)); n != 20_000 {
			t.Errorf("%d tokens", n)
		}
	})
	if _, err := tokenizer.Parse([]byte(`{"model":{"type":"WordPiece","vocab":{"a":0},"continuing_subword_prefix":"` + strings.Repeat("#", 1000) + `"}}`)); err == nil {
		t.Error("a prefix of 1,000 bytes is taken")
	}
}

// A long text has as many tokens as its parts.
func TestLongTextsAreCountedInChunks(t *testing.T) {
	it, err := tokenizer.Parse([]byte(`{"pre_tokenizer":{"type":"WhitespaceSplit"},"model":{"type":"WordPiece","vocab":{"a":0,"##a":1,"é":2,"aa":3},"unk_token":"a"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := it.Count(strings.Repeat("aa é aaa ", 200_000)); n != 800_000 {
		t.Errorf("%d tokens", n)
	}
}

func TestTooManyEntries(t *testing.T) {
	if _, err := tokenizer.Parse([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":[0` + strings.Repeat(",0", 9_000_000) + `]}}`)); err == nil || !strings.Contains(err.Error(), "entries") {
		t.Errorf("got %v", err)
	}
}
