package page_test

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/ui/sentence"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
)

func TestBlocksStandApart(t *testing.T) {
	p := page.New(theme.New(theme.Options{}), 40)
	p.Note(theme.Text, 0, "a")
	p.Note(theme.Text, 1, "b")
	p.Block(page.Answer)
	p.Line("  c")
	p.Fresh(page.Answer)
	p.Line("  d")
	p.Say([]sentence.Line{{Text: "e → f"}, {Depth: 2, Text: "g"}})
	want := "  a\n    b\n\n  c\n\n  d\n\n  e → f\n      g"
	if diff := cmp.Diff(want, strings.Join(p.Take(), "\n")); diff != "" {
		t.Error(diff)
	}
	if len(p.Take()) != 0 {
		t.Error("lines are taken twice")
	}
}

func TestARowKeepsWhatMatters(t *testing.T) {
	p := page.New(theme.New(theme.Options{}), 40)
	head, middle := []page.Piece{{Text: "  x "}}, page.Piece{Text: "the meaning of a call"}
	tail := []page.Piece{{Text: "  12 s"}, {Text: "  https://a.example/long"}}
	for width, want := range map[int]string{
		60: "  x the meaning of a call  12 s  https://a.example/long",
		50: "  x the meaning of …  12 s  https://a.example/long",
		40: "  x the meaning of a call  12 s",
		24: "  x the meaning o…  12 s",
		20: "  x the meaning of …",
	} {
		p.Resize(width)
		if got := p.Row(head, middle, tail...); got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
}

func TestKeepLeavesTheNewestLines(t *testing.T) {
	p := page.New(theme.New(theme.Options{}), 40)
	p.Line("before")
	first := p.Len()
	for _, s := range []string{"1", "2", "3"} {
		p.Line(s)
	}
	p.Keep(first, 2, func(cut int) { p.Note(theme.Text, 0, strings.Repeat("cut", cut)) })
	if diff := cmp.Diff([]string{"before", "  cut", "", "2", "3"}, p.Take()); diff != "" {
		t.Error(diff)
	}
}

func TestOursFitsTheTerminal(t *testing.T) {
	p := page.New(theme.New(theme.Options{ASCII: true}), 40)
	if got := p.Ours("a → b · c … −1 ▸ d"); got != "a -> b | c ... -1 > d" {
		t.Errorf("got %q", got)
	}
}

func TestPiecesFitAnyWidth(t *testing.T) {
	texts := rapid.StringOf(rapid.SampledFrom([]rune("ab 日本🤗é\u0301…x")))
	rapid.Check(t, func(rt *rapid.T) {
		width := rapid.IntRange(20, 60).Draw(rt, "width")
		p := page.New(theme.New(theme.Options{ASCII: rapid.Bool().Draw(rt, "ascii")}), width)
		piece := func() page.Piece { return page.Piece{Text: page.OneLine(texts.Draw(rt, "text"))} }
		for _, line := range []string{p.Row([]page.Piece{piece()}, piece(), piece(), piece()), p.Join(piece(), piece(), piece())} {
			if got := ansi.StringWidth(line); got > width {
				rt.Fatalf("%d columns of %d: %q", got, width, line)
			}
		}
		columns := rapid.IntRange(1, 30).Draw(rt, "columns")
		text := page.OneLine(texts.Draw(rt, "clipped"))
		for _, s := range []string{p.Clip(text, columns), p.ClipLeft(text, columns)} {
			if got := ansi.StringWidth(s); got > columns {
				rt.Fatalf("%d columns of %d: %q of %q", got, columns, s, text)
			}
		}
		for _, line := range page.Wrap(text, columns) {
			if got := ansi.StringWidth(line); got > max(2, columns) {
				rt.Fatalf("%d columns of %d: %q", got, columns, line)
			}
		}
	})
}
