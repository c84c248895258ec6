package flow_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/flow"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

func plain(s string) []theme.Span { return []theme.Span{{Text: s}} }

func texts(lines []flow.Line) []string {
	var all []string
	for _, line := range lines {
		var b strings.Builder
		for _, s := range line.Spans {
			b.WriteString(s.Text)
		}
		all = append(all, b.String())
	}
	return all
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 8, []string{"one two", "three"}},
		{"one   two", 5, []string{"one", "two"}},
		{"one two   ", 7, []string{"one two"}},
		{"a\nb\n\nc", 5, []string{"a", "b", "", "c"}},
		{"a  \nb", 5, []string{"a", "b"}},
		{"extraordinary", 5, []string{"extra", "ordin", "ary"}},
		{"an extraordinary", 5, []string{"an", "extra", "ordin", "ary"}},
		{"a b", 1, []string{"a", "b"}},
		{"  in", 6, []string{"  in"}},
		{"      in", 4, []string{"in"}},
		{"日本語のテキスト", 7, []string{"日本語", "のテキ", "スト"}},
		{"日本語。次", 6, []string{"日本", "語。次"}},
		{"あ「い」う", 4, []string{"あ", "「い", "」う"}},
		{"ab日本 cd", 5, []string{"ab日", "本 cd"}},
		{"日本)", 4, []string{"日", "本)"}},
		{"日", 1, []string{"日"}},
		{"a\u00a0b c", 3, []string{"a\u00a0b", "c"}},
		{"👩‍👩‍👧👩‍👩‍👧", 3, []string{"👩‍👩‍👧", "👩‍👩‍👧"}},
		{"\u0301ab", 2, []string{"ab"}},
		{"e\u0301e\u0301e\u0301", 2, []string{"e\u0301e\u0301", "e\u0301"}},
		{"--learning-rate 2e-5", 16, []string{"--learning-rate", "2e-5"}},
	} {
		if diff := cmp.Diff(c.want, texts(flow.Wrap(plain(c.text), c.width))); diff != "" {
			t.Errorf("%q in %d columns (-want +got)\n%s", c.text, c.width, diff)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 4, []string{""}},
		{"  a b  ", 4, []string{"  a ", "b  "}},
		{"日本語", 5, []string{"日本", "語"}},
		{"a\nb", 4, []string{"a", "b"}},
	} {
		if diff := cmp.Diff(c.want, texts(flow.Cut(plain(c.text), c.width))); diff != "" {
			t.Errorf("%q in %d columns (-want +got)\n%s", c.text, c.width, diff)
		}
	}
}

// A character that begins in one style and is changed in the next stays whole,
// and each line has its styles.
func TestStyles(t *testing.T) {
	bold, code := theme.In(theme.Strong), theme.In(theme.Code)
	lines := flow.Wrap([]theme.Span{{Text: "ab c"}, {Text: "d1", Style: bold, Link: "http://x"}, {Text: "\ufe0f\u20e3 e", Style: code}}, 6)
	want := []flow.Line{
		{Width: 5, Spans: []theme.Span{{Text: "ab c"}, {Text: "d", Style: bold, Link: "http://x"}}},
		{Width: 4, Spans: []theme.Span{{Text: "1\ufe0f\u20e3", Style: bold, Link: "http://x"}, {Text: " e", Style: code}}},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWidth(t *testing.T) {
	for text, want := range map[string][2]int{
		"": {0, 0}, "one three": {9, 5}, "one\nthree four": {10, 5}, "日本語": {6, 2}, "a\u0301b": {2, 2},
	} {
		if line, word := flow.Width(plain(text)); line != want[0] || word != want[1] {
			t.Errorf("%q: %d, %d, want %v", text, line, word, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"a\tb\nc":                    "a b\nc",
		"\x1b[31mred\x1b[m":          "red",
		"a\u202eb\u2066":             "a\ufffdb\ufffd",
		"a\u200b\u00ad\ufeff\u2060b": "ab",
		"a\u2028b":                   "a b",
		"👩‍👧 e\u0301 \U000e0041":     "👩‍👧 e\u0301 ",
		"a\x00\u009b1mb\xff":         "ab\ufffd",
	} {
		if got := flow.Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func spans() *rapid.Generator[[]theme.Span] {
	text := rapid.SampledFrom([]string{
		"a", "bc", "word ", " ", "  ", "\n", "日", "本。", "「", "🤗", "👩‍👧", "e\u0301", "\u0301", "\ufe0f", "1", "\u20e3", "\u200d", "🇩", "🇪", "ك", "\u3000", "\u00a0", "averyveryverylongword", "x-y",
	})
	return rapid.Custom(func(t *rapid.T) []theme.Span {
		var all []theme.Span
		for range rapid.IntRange(0, 12).Draw(t, "spans") {
			all = append(all, theme.Span{
				Text:  strings.Join(rapid.SliceOfN(text, 0, 5).Draw(t, "text"), ""),
				Style: theme.Style(rapid.SampledFrom([]uint32{0, 2, 4}).Draw(t, "style")),
			})
		}
		return all
	})
}

// Lines are as wide as they say and no wider than they may be, and nothing but
// blanks, and signs that change a character at the start of a line, is lost.
func TestLinesFit(t *testing.T) {
	signs := []string{"\u0301", "\ufe0f", "\u20e3", "\u200d"}
	kept := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \n\u3000", r) || slices.Contains(signs, string(r)) {
				return -1
			}
			return r
		}, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		in, width := spans().Draw(t, "spans"), rapid.IntRange(2, 30).Draw(t, "width")
		for _, lines := range [][]flow.Line{flow.Wrap(in, width), flow.Cut(in, width)} {
			for i, text := range texts(lines) {
				if w := ansi.StringWidth(text); w != lines[i].Width || w > width {
					t.Fatalf("%q is %d wide, says %d, may be %d", text, w, lines[i].Width, width)
				}
				for _, s := range lines[i].Spans {
					if !utf8.ValidString(s.Text) || s.Text == "" {
						t.Fatalf("span %q in %q", s.Text, text)
					}
				}
			}
			if got, want := kept(strings.Join(texts(lines), "")), kept(strings.Join(texts([]flow.Line{{Spans: in}}), "")); got != want {
				t.Fatalf("%q became %q", want, got)
			}
		}
		if line, word := flow.Width(in); word > line {
			t.Fatalf("a word of %d in a line of %d", word, line)
		} else if wrapped := flow.Wrap(in, max(line, 1)); len(wrapped) != 1+strings.Count(strings.Join(texts([]flow.Line{{Spans: in}}), ""), "\n") {
			t.Fatalf("%d lines of %d columns", len(wrapped), line)
		}
	})
}

func FuzzWrap(f *testing.F) {
	f.Add("some words\n日本語", 3, 5)
	f.Add("1\ufe0f\u20e3e\u0301 \u200d👩", 1, 2)
	f.Fuzz(func(t *testing.T, s string, cut, width int) {
		s = flow.Clean(s)
		if again := flow.Clean(s); again != s {
			t.Fatalf("cleaning twice: %q then %q", s, again)
		}
		runes := []rune(s)
		cut, width = int(uint(cut)%uint(len(runes)+1)), 2+int(uint(width)%80)
		in := []theme.Span{{Text: string(runes[:cut])}, {Text: string(runes[cut:]), Style: 1}}
		for _, lines := range [][]flow.Line{flow.Wrap(in, width), flow.Cut(in, width)} {
			for i, text := range texts(lines) {
				if w := ansi.StringWidth(text); w != lines[i].Width || w > width {
					t.Fatalf("%q is %d wide, says %d, may be %d", text, w, lines[i].Width, width)
				}
			}
		}
	})
}
