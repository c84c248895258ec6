package markdown_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/flow"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// words are put into every block: plain and styled, broken and hostile.
var words = []string{
	"loss", "the learning rate", "step 100", "2e-5", "[S12]", "**bold**", "*it*", "***both***", "**open", "`code`", "``a`b``", "`open", "~~gone~~", "~5",
	"[text](https://a.example/b?c=1)", "[x](y \"t\")", "[open](", "![plot](p.png)", "<https://a.example>", "https://b.example/c_d,", "www.c.example",
	"[ref]", "[t][ref]", "<br>", "<b>x</b>", "&amp;", "&hellip;", "&#27;[2J", "&#x202e;", `\*`, `\`, "snake_case", "a  ", "日本語の文", "🤗", "👩‍👩‍👧", "e\u0301", "\u0301", "\ufe0f", "1\ufe0f\u20e3",
	"\u200b", "\u202e", "\u00ad", "\u2028", "עברית", "\x1b[31mred\x1b[0m", "\x1b]0;t\x07", "\x00", "\x9b", "\r", "\xff", "\t", "|", "a|b", "supercalifragilisticexpialidocious/and/more/without/end", "fin.",
}

// blocks begin lines, or are lines.
var blocks = []string{
	"# ", "### ", "> ", ">> ", "- ", "* ", "1. ", "1. ", "7) ", "- [ ] ", "- [x] ", "  ", "    ", "\t", "      ", "```\n", "```python\n", "~~~diff\n", "````\n", "---\n", "===\n", "***\n",
	"| a | b |\n|---|:-:|\n", "|x|y|z|\n|-|-|-|\n|1|2|\n", "| long words here | 1 |\n", "<div>\n", "</div>\n", "<!-- ", "-->\n", "<pre>\n", "</pre>\n", "[ref]: https://r.example/x 'T'\n",
	"def f(x): # c\n", "+ \"\"\"\n", "\n", "\n", "\n\n", " \n",
}

// check tries a property with 600 documents, if rapid tries 100 at a time.
func check(t *testing.T, property func(*rapid.T)) {
	for range 6 {
		rapid.Check(t, property)
	}
}

func documents() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for range rapid.IntRange(0, 14).Draw(t, "lines") {
			for range rapid.IntRange(0, 3).Draw(t, "starts") {
				b.WriteString(rapid.SampledFrom(blocks).Draw(t, "block"))
			}
			b.WriteString(strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 8).Draw(t, "words"), rapid.SampledFrom([]string{" ", " ", ""}).Draw(t, "between")))
			b.WriteString(rapid.SampledFrom([]string{"\n", "\n", "\n\n", ""}).Draw(t, "end"))
		}
		return b.String()
	})
}

// ascii is a text without what is beyond ASCII.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0x7e {
			return -1
		}
		return r
	}, s)
}

func options(t *rapid.T) markdown.Options {
	return markdown.Options{
		Theme: theme.New(theme.Options{
			Color: rapid.SampledFrom([]theme.Level{theme.None, theme.Basic, theme.True}).Draw(t, "color"),
			Dark:  rapid.Bool().Draw(t, "dark"), ASCII: rapid.Bool().Draw(t, "ascii"),
		}),
		Width: rapid.IntRange(20, 160).Draw(t, "width"), Indent: rapid.SampledFrom([]int{0, 2, 4}).Draw(t, "indent"),
		Hyperlinks: rapid.Bool().Draw(t, "hyperlinks"),
	}
}

// bytewise renders a text byte by byte, taking what is final after each.
func bytewise(source string, o markdown.Options) []string {
	s := markdown.New(o)
	var lines []string
	for i := range len(source) {
		s.Write(source[i : i+1])
		lines = append(lines, s.Take()...)
	}
	s.Close()
	return append(lines, s.Take()...)
}

// However a text is cut into pieces, the lines are the same.
func TestPiecesDoNotMatter(t *testing.T) {
	check(t, func(t *rapid.T) {
		source, o := documents().Draw(t, "source"), options(t)
		if diff := cmp.Diff(markdown.Render(source, o), bytewise(source, o)); diff != "" {
			t.Fatalf("%q (-whole +bytes)\n%s", source, diff)
		}
	})
}

// At every moment, what was taken and what is open are what the text so far
// gives: nothing that was taken is ever revised, and looking changes nothing.
func TestOpenIsTheTextSoFar(t *testing.T) {
	check(t, func(t *rapid.T) {
		source, o := plain.String(documents().Draw(t, "source")), options(t)
		s := markdown.New(o)
		var taken []string
		for at := 0; at < len(source); {
			next := min(at+rapid.IntRange(1, 40).Draw(t, "piece"), len(source))
			for next < len(source) && !utf8.RuneStart(source[next]) {
				next++
			}
			s.Write(source[at:next])
			at = next
			taken = append(taken, s.Take()...)
			if diff := cmp.Diff(markdown.Render(source[:at], o), append(slices.Clip(taken), s.Open()...)); diff != "" {
				t.Fatalf("%q (-so far +shown)\n%s", source[:at], diff)
			}
		}
	})
}

var (
	colour = regexp.MustCompile("\x1b\\[[0-9;]*m")
	link   = regexp.MustCompile("\x1b\\]8;;[!-~]*\x07")
)

// fits checks what holds for every line there is.
func fits(t interface{ Fatalf(string, ...any) }, source string, o markdown.Options) {
	ours := link.ReplaceAllString(colour.ReplaceAllString(strings.Join(markdown.Render(source, o), "\n"), ""), "")
	for line := range strings.SplitSeq(ours, "\n") {
		if w := ansi.StringWidth(line); w > o.Width {
			t.Fatalf("%q\nline of %d columns, more than %d: %q", source, w, o.Width, line)
		}
		for _, r := range line {
			if r < ' ' || r >= 0x7f && r <= 0x9f || plain.Reorders(r) {
				t.Fatalf("%q\n%U in %q", source, r, line)
			}
		}
	}
	if !o.Theme.Colored() || !o.Hyperlinks {
		if raw := strings.Join(markdown.Render(source, o), "\n"); strings.Contains(raw, "\x1b]") || !o.Theme.Colored() && strings.Contains(raw, "\x1b") {
			t.Fatalf("%q\nescapes that were not asked for: %q", source, raw)
		}
	}
	if o.Theme.ASCII() && ascii(source) == source && ascii(ours) != ours {
		t.Fatalf("%q\nnot ASCII: %q", source, ours)
	}
}

func TestLinesFit(t *testing.T) {
	check(t, func(t *rapid.T) {
		source, o := documents().Draw(t, "source"), options(t)
		if o.Theme.ASCII() {
			source = ascii(source)
		}
		fits(t, source, o)
	})
}

// content is the text of a document, as a parser finds it that sees the whole.
func content(source string) string {
	src := []byte(source)
	root := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough)).Parser().Parse(text.NewReader(src))
	var b strings.Builder
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Segment.Value(src))
		case *ast.AutoLink:
			b.Write(n.Label(src))
		case *ast.CodeBlock, *ast.FencedCodeBlock, *ast.HTMLBlock:
			for i := range n.Lines().Len() {
				at := n.Lines().At(i)
				b.Write(at.Value(src))
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

func letters(s string) map[rune]int {
	all := map[rune]int{}
	for _, r := range s {
		if unicode.IsLetter(r) {
			all[r]++
		}
	}
	return all
}

// No letter of the text is lost.
func TestNoLetterIsLost(t *testing.T) {
	emptyItem := regexp.MustCompile(`(?m)([-+*]|[0-9][.)])[ >\t]*$`)
	check(t, func(t *rapid.T) {
		source, o := documents().Draw(t, "source"), options(t)
		source = strings.NewReplacer("```python", "```", "~~~diff", "~~~", "&hellip;", "", "&#27;[2J", "", "&#x202e;", "", "&amp;", "", "<br>", "").Replace(flow.Clean(strings.ReplaceAll(source, "\t", "    ")))
		if emptyItem.MatchString(source) { // goldmark keeps empty items open too long
			t.Skip()
		}
		shown := letters(colour.ReplaceAllString(link.ReplaceAllString(strings.Join(markdown.Render(source, o), "\n"), ""), ""))
		for r, n := range letters(content(source)) {
			if shown[r] < n {
				t.Fatalf("%q\n%d of %d %q are shown", source, shown[r], n, r)
			}
		}
	})
}

func FuzzStream(f *testing.F) {
	for i, s := range []string{
		"# a\n\n- b\n  ```py\n  x\n  ```\n", "| a |\n|-|\n| **b** |\n", "> 1. a\nlazy\n===\n", "[a]: b\n\n[a] \x1b[31m&#27;[1m", "<pre>\n\n</pre>*a*", "a\\\nb  \nc<br>",
		strings.Repeat("word ", 900), "- [x] \u0301\ufe0f\n", "![[![a](b)](c)", "\t- \ta\n\n\t\tb",
	} {
		f.Add(s, i*13)
	}
	f.Fuzz(func(t *testing.T, source string, n int) {
		n = int(uint(n) % 1000)
		o := markdown.Options{
			Theme: theme.New(theme.Options{Color: theme.Level(n % 4), ASCII: n%3 == 0}), Width: 20 + n%141, Indent: n % 5, Hyperlinks: n%2 == 0,
		}
		fits(t, source, o)
		if diff := cmp.Diff(markdown.Render(source, o), bytewise(source, o)); diff != "" {
			t.Fatalf("%q (-whole +bytes)\n%s", source, diff)
		}
	})
}

// A width that changes in the middle counts for the lines that come after it.
func TestResize(t *testing.T) {
	check(t, func(t *rapid.T) {
		source, o := documents().Draw(t, "source"), options(t)
		s := markdown.New(o)
		for at := 0; at < len(source); {
			next := min(at+rapid.IntRange(1, 60).Draw(t, "piece"), len(source))
			s.Write(source[at:next])
			at = next
			s.Take()
			width := rapid.IntRange(20, 160).Draw(t, "width")
			s.Resize(width)
			for _, line := range s.Open() {
				if w := ansi.StringWidth(line); w > width {
					t.Fatalf("%q\nline of %d columns, more than %d: %q", source[:at], w, width, line)
				}
			}
		}
	})
}
