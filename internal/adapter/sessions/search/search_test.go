package search_test

import (
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/search"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

func query(t interface {
	Helper()
	Fatal(...any)
}, text string,
) *search.Query {
	t.Helper()
	q, err := search.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestQueryNeedsWords(t *testing.T) {
	for _, text := range []string{"", " \t\n", strings.Repeat("a ", 33)} {
		if _, err := search.New(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestAllWordsInAnyCaseAndAnyText(t *testing.T) {
	texts := []string{"Tune the LEARNING rate", "of a LoRA adapter, größer, ŽLUTÝ kůň", `say "quoted" \n <b>`}
	for words, want := range map[string]string{
		"learning":           "Tune the LEARNING rate",
		"learn tune":         "Tune the LEARNING rate",
		"lora learning rate": "Tune the LEARNING rate",
		"GRÖSSER":            "",
		"GRÖßER":             "of a LoRA adapter, größer, ŽLUTÝ kůň",
		"žlutý":              "of a LoRA adapter, größer, ŽLUTÝ kůň",
		`"quoted"`:           `say "quoted" \n <b>`,
		"<b>":                `say "quoted" \n <b>`,
		"lora dropout":       "",
	} {
		s := query(t, words).Begin()
		for _, text := range texts {
			s.Look(text)
		}
		if got, ok := s.Found(); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v; want %q", words, got, ok, want)
		}
	}
}

func TestSnippetShowsTheHit(t *testing.T) {
	long := strings.Repeat("before ", 200) + "the needle\nin it " + strings.Repeat("after ", 200)
	for _, text := range []string{long, strings.Repeat("x", 5000) + "needle" + strings.Repeat("y", 5000), strings.Repeat("ü", 3000) + " needle " + strings.Repeat("é", 3000)} {
		s := query(t, "NEEDLE").Begin()
		s.Look("nothing here")
		s.Look(text)
		got, ok := s.Found()
		if !ok || !strings.Contains(got, "needle") || len(got) > 240 || strings.Contains(got, "\n") || !utf8.ValidString(got) {
			t.Errorf("%q, %v", got, ok)
		}
		if !strings.HasPrefix(got, "…") || !strings.HasSuffix(got, "…") {
			t.Errorf("it does not say that it was cut: %q", got)
		}
	}
	if got, _ := func() (string, bool) { s := query(t, "the").Begin(); s.Look(long); return s.Found() }(); strings.Contains(got, "befor ") {
		t.Errorf("a word was torn: %q", got)
	}
}

func TestFilesAreJudgedByTheirBytes(t *testing.T) {
	file := `{"content":"` + strings.Repeat("filler ", 100_000) + `The LoRA-adapter of` + strings.Repeat(" more", 100_000) + ` checkpoint-500"}`
	for words, want := range map[string]bool{
		"lora-adapter": true, "lora-adapter CHECKPOINT-500": true, "checkpoint-501": false, "lora nothing-of-it": false,
		`"adapter`: true, "größer": true, // what may be written in another way is not judged
	} {
		for name, in := range map[string]func() (bool, error){
			"whole":  func() (bool, error) { return query(t, words).MayBeIn(strings.NewReader(file)) },
			"pieces": func() (bool, error) { return query(t, words).MayBeIn(iotest.HalfReader(strings.NewReader(file))) },
		} {
			if got, err := in(); err != nil || got != want {
				t.Errorf("%s %s: %v, %v", words, name, got, err)
			}
		}
	}
	if _, err := query(t, "x").MayBeIn(iotest.ErrReader(iotest.ErrTimeout)); err == nil {
		t.Error("a file that cannot be read was judged")
	}
}

// What is found in a text is never missed in its file, wherever the pieces that
// are read begin.
func TestNothingIsMissed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Repeat("z", rapid.IntRange(255<<10, 257<<10).Draw(rt, "at")) + rapid.String().Draw(rt, "text")
		words := rapid.StringMatching(`[a-zA-Z0-9ü"<.-]{1,6}( [a-z]{1,3})?`).Draw(rt, "words")
		text += words + rapid.String().Draw(rt, "behind")
		text = strings.ToValidUTF8(text, "")
		q := query(rt, words)
		s := q.Begin()
		s.Look(text)
		if _, ok := s.Found(); !ok {
			rt.Skip("a letter changed with its neighbours")
		}
		raw, err := event.Encode(text)
		if err != nil {
			rt.Fatal(err)
		}
		if ok, err := q.MayBeIn(strings.NewReader(string(raw))); err != nil || !ok {
			rt.Fatalf("%q is not in its file: %v", words, err)
		}
	})
}

func FuzzLook(f *testing.F) {
	f.Add("needle İ", "xx İ needle K")
	f.Add("a", "\xff\xfea")
	f.Fuzz(func(t *testing.T, words, text string) {
		q, err := search.New(words)
		if err != nil {
			return
		}
		s := q.Begin()
		s.Look(text)
		if snippet, ok := s.Found(); ok && !utf8.ValidString(snippet) {
			t.Errorf("%q", snippet)
		}
	})
}
