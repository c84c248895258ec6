package theme_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

func every() []*theme.Theme {
	var all []*theme.Theme
	for _, level := range []theme.Level{theme.None, theme.Basic, theme.Palette, theme.True} {
		for _, dark := range []bool{true, false} {
			for _, ascii := range []bool{true, false} {
				all = append(all, theme.New(theme.Options{Color: level, Dark: dark, ASCII: ascii}))
			}
		}
	}
	return all
}

func TestDetect(t *testing.T) {
	for env, want := range map[string]theme.Level{
		"":                                         theme.Basic,
		"TERM=xterm":                               theme.Basic,
		"TERM=dumb":                                theme.None,
		"TERM=dumb COLORTERM=24bit":                theme.None,
		"TERM=screen-256color":                     theme.Palette,
		"TERM=tmux-256color-bce":                   theme.Palette,
		"TERM=xterm COLORTERM=24bit":               theme.True,
		"COLORTERM=truecolor":                      theme.True,
		"COLORTERM=yes TERM=xterm":                 theme.Basic,
		"TERM=xterm-direct":                        theme.True,
		"TERM=xterm-kitty":                         theme.True,
		"WT_SESSION=3e1":                           theme.True,
		"TERM_PROGRAM=Apple_Terminal":              theme.Basic,
		"TERM_PROGRAM=iTerm.app":                   theme.True,
		"NO_COLOR=1 FORCE_COLOR=3":                 theme.None,
		"NO_COLOR= FORCE_COLOR=3":                  theme.True,
		"NO_COLOR=0 TERM=xterm-direct":             theme.None,
		"FORCE_COLOR=0 TERM=xterm":                 theme.None,
		"FORCE_COLOR=1 WT_SESSION=x":               theme.Basic,
		"FORCE_COLOR=2 TERM=dumb":                  theme.Palette,
		"FORCE_COLOR=9":                            theme.True,
		"FORCE_COLOR=true":                         theme.Basic,
		"FORCE_COLOR=false":                        theme.None,
		"FORCE_COLOR=maybe TERM=dumb":              theme.None,
		"FORCE_COLOR= TERM=dumb":                   theme.None,
		"TERM=dumb TERM=xterm-direct":              theme.True,
		"TERM=xterm-256color TERM_PROGRAM=vscode":  theme.True,
		"TERM=xterm-256color TERM_PROGRAM=WezTerm": theme.True,
		"TERM=xterm-256color TERM_PROGRAM=tmux":    theme.Palette,
		"garbage =x":                               theme.Basic,
	} {
		if got := theme.Detect(strings.Split(env, " ")); got != want {
			t.Errorf("%s: %d, want %d", env, got, want)
		}
	}
}

func TestPaint(t *testing.T) {
	dark := theme.New(theme.Options{Color: theme.True, Dark: true})
	for _, c := range []struct{ got, want string }{
		{dark.Paint(theme.Text, "x"), "x"},
		{dark.Paint(theme.Strong, ""), ""},
		{dark.Paint(theme.Strong, "x"), "\x1b[1;38;2;255;200;80mx\x1b[m"},
		{dark.Paint(theme.Emphasis, "x"), "\x1b[3;38;2;180;140;40mx\x1b[m"},
		{dark.Paint(theme.Code, "x"), "\x1b[38;2;120;220;255mx\x1b[m"},
		{dark.Paint(theme.Link, "x"), "\x1b[4;38;2;90;180;255mx\x1b[m"},
		{dark.Paint(theme.Code, "a\n\nb"), "\x1b[38;2;120;220;255ma\x1b[m\n\n\x1b[38;2;120;220;255mb\x1b[m"},
		{dark.PaintStyle(theme.In(theme.Strong, theme.Link), "x"), "\x1b[1;4;38;2;90;180;255mx\x1b[m"},
		{
			dark.Paint(theme.Strong, "a"+dark.Paint(theme.Code, "b")+"c"),
			"\x1b[1;38;2;255;200;80ma\x1b[38;2;120;220;255mb\x1b[m\x1b[1;38;2;255;200;80mc\x1b[m",
		},
		{theme.New(theme.Options{Color: theme.Palette, Dark: true}).Paint(theme.Code, "x"), "\x1b[38;5;117mx\x1b[m"},
		{theme.New(theme.Options{Color: theme.Basic}).Paint(theme.Danger, "x"), "\x1b[31mx\x1b[m"},
		{theme.New(theme.Options{Color: theme.Basic}).Paint(theme.Dim, "x"), "\x1b[2mx\x1b[m"},
		{theme.New(theme.Options{}).Paint(theme.Danger, "x"), "x"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	spans := []theme.Span{{Text: "a "}, {Text: "b", Style: theme.In(theme.Code)}}
	if got := ansi.Strip(dark.PaintSpans(spans)); got != "a b" {
		t.Errorf("%q", got)
	}
	linked := []theme.Span{{Text: "b", Style: theme.In(theme.Code), Link: "http://x"}}
	if got := dark.PaintSpans(linked); got != "\x1b]8;;http://x\x07\x1b[38;2;120;220;255mb\x1b[m\x1b]8;;\x07" {
		t.Errorf("%q", got)
	}
	if got := theme.New(theme.Options{}).PaintSpans(linked); got != "b" {
		t.Errorf("%q", got)
	}
}

// Every line stands alone: nothing is left switched on at its end, however
// painted pieces are put into each other.
func TestPaintedLinesStandAlone(t *testing.T) {
	themes, sequence := every(), regexp.MustCompile("\x1b\\[[^m]*m")
	rapid.Check(t, func(t *rapid.T) {
		th := rapid.SampledFrom(themes).Draw(t, "theme")
		text := rapid.StringMatching(`[a-c \n]{0,12}`)
		s := text.Draw(t, "text")
		plain := s
		for range rapid.IntRange(0, 4).Draw(t, "depth") {
			before, after := text.Draw(t, "before"), text.Draw(t, "after")
			s = th.PaintStyle(theme.Style(rapid.Uint32Range(0, 1<<(theme.Link+1)-1).Draw(t, "style")), before+s+after)
			plain = before + plain + after
		}
		if got := ansi.Strip(s); got != plain {
			t.Fatalf("%q became %q", plain, got)
		}
		for line := range strings.SplitSeq(s, "\n") {
			if all := sequence.FindAllString(line, -1); len(all) > 0 && all[len(all)-1] != "\x1b[m" {
				t.Fatalf("line %q leaves a colour on", line)
			}
		}
		if !th.Colored() && s != plain {
			t.Fatalf("%q without colours", s)
		}
	})
}

func TestGlyphs(t *testing.T) {
	plain, ascii := theme.New(theme.Options{}), theme.New(theme.Options{ASCII: true})
	for g := theme.Done; g <= theme.Cross; g++ {
		if plain.Glyph(g) == "" || ansi.StringWidth(plain.Glyph(g)) != 1 {
			t.Errorf("glyph %d is %q", g, plain.Glyph(g))
		}
		a := ascii.Glyph(g)
		if a == "" || len(a) > 1 && g != theme.Arrow && g != theme.Ellipsis {
			t.Errorf("glyph %d is %q in ASCII", g, a)
		}
		isASCII(t, a)
	}
	for n := range 40 {
		if ansi.StringWidth(plain.Spinner(n)) != 1 || len(ascii.Spinner(n)) != 1 {
			t.Errorf("spinner %d", n)
		}
		isASCII(t, ascii.Spinner(n))
	}
}

func isASCII(t *testing.T, s string) {
	t.Helper()
	for _, r := range s {
		if r < ' ' || r > 0x7e {
			t.Errorf("%q is not ASCII", s)
		}
	}
}

// What is painted can be read: its contrast with the usual backgrounds is at
// least 4.5 to 1 (WCAG AA), that of borders at least 2.5.
func TestColoursCanBeRead(t *testing.T) {
	rgb := regexp.MustCompile(`38;2;(\d+);(\d+);(\d+)`)
	for _, c := range []struct {
		dark       bool
		background []float64
	}{{true, []float64{0, 0x1e, 0x28}}, {false, []float64{255, 0xf7}}} {
		th := theme.New(theme.Options{Color: theme.True, Dark: c.dark})
		for role := theme.Dim; role <= theme.Link; role++ {
			m := rgb.FindStringSubmatch(th.Paint(role, "x"))
			if m == nil {
				t.Errorf("role %d has no colour", role)
				continue
			}
			ink := luminance(channel(m[1]), channel(m[2]), channel(m[3]))
			want := 4.5
			if role == theme.Border {
				want = 2.3
			}
			for _, grey := range c.background {
				paper := luminance(grey, grey, grey)
				if got := (math.Max(ink, paper) + 0.05) / (math.Min(ink, paper) + 0.05); got < want {
					t.Errorf("role %d, dark %t: contrast %.1f on grey %.0f", role, c.dark, got, grey)
				}
			}
		}
	}
}

func channel(s string) float64 {
	n, _ := strconv.ParseFloat(s, 64)
	return n
}

func luminance(r, g, b float64) float64 {
	linear := func(c float64) float64 {
		if c /= 255; c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

func TestDiff(t *testing.T) {
	for line, want := range map[string]theme.Role{
		"diff --git a/x b/x": theme.Strong, "--- a/x": theme.Strong, "+++ b/x": theme.Strong, "@@ -1 +1 @@": theme.Accent, "+new": theme.Added, "-old": theme.Removed,
		" same": theme.Text, "": theme.Text, "index 1..2": theme.Text,
	} {
		if got := theme.OfDiff(line); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
	for text, want := range map[string]bool{
		"diff --git a/x b/x\n": true, "--- a/x\n+++ b/x\n@@ -1 +1 @@\n": true, "--- a list\n- x": false, "": false, "+ x": false, "text\ndiff --git": false,
	} {
		if got := theme.IsDiff(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
