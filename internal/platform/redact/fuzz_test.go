package redact_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzString(f *testing.F) {
	for _, p := range pieces {
		f.Add("x " + p + `="abc" y`)
	}
	s := scrubber()
	f.Fuzz(func(t *testing.T, text string) {
		once, _ := s.String(text)
		if twice, n := s.String(once); twice != once || n != 0 {
			t.Errorf("%q\n once %q\ntwice %q (%d)", text, once, twice, n)
		}
		if utf8.ValidString(text) && !utf8.ValidString(once) {
			t.Errorf("%q gives %q, which is not UTF-8", text, once)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"type":"thinking","thinking":"` + hubToken + `","signature":"x","arguments":"{\"HF_TOKEN\": \"abc\"}"}`))
	f.Add([]byte(`["\ud83d\ude00 \u0068f_` + strings.Repeat("a", 30) + `", 1.50, null]`))
	s := scrubber()
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		out, _, err := s.JSON(raw)
		if string(raw) != before {
			t.Fatal("the input was changed")
		}
		if (err == nil) != json.Valid(raw) {
			t.Fatalf("%q: %v", raw, err)
		}
		if err != nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%q gives %q", raw, out)
		}
		if again, n, err := s.JSON(out); err != nil || n != 0 || string(again) != string(out) {
			t.Errorf("%q\n once %q\ntwice %q (%d) %v", raw, out, again, n, err)
		}
	})
}

func FuzzStream(f *testing.F) {
	for i, p := range pieces {
		f.Add("x HF_TOKEN="+p+" y", uint64(i))
	}
	s := scrubber()
	f.Fuzz(func(t *testing.T, text string, cuts uint64) {
		want, _ := s.String(text)
		var b strings.Builder
		st := s.Stream()
		for i, rest := 0, text; rest != ""; i++ {
			k := min(len(rest), 1+int(cuts>>(4*(i%16))&15))
			b.WriteString(st.Feed(rest[:k]))
			rest = rest[k:]
		}
		b.WriteString(st.Flush())
		if b.String() != want {
			t.Errorf("%q\nstream %q\n whole %q", text, b.String(), want)
		}
	})
}
