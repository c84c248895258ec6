package excerpt_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
)

func TestHead(t *testing.T) {
	long := strings.Repeat("x", 600)
	for _, tt := range []struct {
		name, text string
		n          int
		want       string
	}{
		{"short", "one two", 7, "one two"},
		{"within a word", "one two three", 9, "one two "},
		{"behind a word", "one two three", 7, "one two"},
		{"behind a blank", "one two three", 8, "one two "},
		{"at a line end", "one\ntwo three", 3, "one"},
		{"no blank near", "a " + long, 590, "a " + long[:590-2-512]},
		{"nothing but a word", "sk-proj-abcdefgh", 10, ""},
		{"characters", "ééé ééé", 5, "ééé "},
		{"no blank, but edges", `{"a":"hf_abcdefgh","b":1}`, 12, `{"a":"`},
		{"no blank in wide text", strings.Repeat("世", 400), 300, strings.Repeat("世", 300)},
		{"a wide character where 512 bytes begin", "世" + strings.Repeat("x", 600), 512, "世"},
		{"nothing wanted", "abc", 0, ""},
	} {
		if got := excerpt.Head(tt.text, tt.n); got != tt.want {
			t.Errorf("%s: Head(%.40q, %d) = %q, want %q", tt.name, tt.text, tt.n, got, tt.want)
		}
	}
}

func TestTail(t *testing.T) {
	long := strings.Repeat("x", 600)
	for _, tt := range []struct {
		name, text string
		n          int
		want       string
	}{
		{"short", "one two", 7, "one two"},
		{"within a line", "one two\nthree four\nfive", 12, "five"},
		{"at a line's beginning", "one two\nthree four\nfive", 15, "three four\nfive"},
		{"one line", "one two three four five six", 21, "five six"},
		{"a torn name", "x password = hunter2 y", 19, "y"},
		{"a torn header", "Authorization: Bearer abcdef and more", 34, "and more"},
		{"only a name and its value", "Authorization: Bearer abcdef", 11, ""},
		{"a long word behind a torn one", "abc " + long, 602, long},
		{"only its line end", "token abcdef\n", 5, ""},
		{"no blank near", "a " + long, 590, long[:590-512]},
		{"characters", strings.Repeat("é", 9) + "\néé", 5, "éé"},
		{"a wide character where 512 bytes end", strings.Repeat("世", 400), 300, strings.Repeat("世", 129)},
	} {
		if got := excerpt.Tail(tt.text, tt.n); got != tt.want {
			t.Errorf("%s: Tail(%.40q, %d) = %q, want %q", tt.name, tt.text, tt.n, got, tt.want)
		}
	}
}

// No word of up to 512 bytes is ever shown in part, and no bound is passed.
func TestNoWordIsTorn(t *testing.T) {
	words := rapid.SliceOfN(rapid.StringMatching(`[a-zA-Z0-9_.-]{1,150}`), 1, 200)
	rapid.Check(t, func(t *rapid.T) {
		all := words.Draw(t, "words")
		known := map[string]bool{"": true}
		var b strings.Builder
		for _, w := range all {
			known[w] = true
			b.WriteString(w + rapid.SampledFrom([]string{" ", "\n", "\t"}).Draw(t, "blank"))
		}
		n := rapid.IntRange(0, 3000).Draw(t, "n")
		for what, got := range map[string]string{"head": excerpt.Head(b.String(), n), "tail": excerpt.Tail(b.String(), n)} {
			if utf8.RuneCountInString(got) > n {
				t.Fatalf("%s of %d: %d characters", what, n, utf8.RuneCountInString(got))
			}
			for _, w := range strings.Fields(got) {
				if !known[w] {
					t.Fatalf("%s of %d shows %q", what, n, w)
				}
			}
		}
	})
}
