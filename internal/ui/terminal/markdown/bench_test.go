package markdown_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// longText is a shape of long texts: what begins them and what they go on with.
type longText struct{ name, head, piece string }

var long = []longText{
	{"paragraph of lines", "", "The loss of run 17 falls, with `lr` 2e-5 and **bf16** on both cards.\n"},
	{"paragraph without line ends", "", "The loss of run 17 falls, with `lr` 2e-5 and **bf16** on both cards "},
	{"one word", "", "loss"},
	{"wide characters", "", "損失は減少しています。"},
	{"list", "", "- The loss of *run 17* falls\n"},
	{"nested list", "", "- a\n  - b\n    1. The loss of *run 17* falls\n"},
	{"fence", "```python\n", "x = f(\"a\", 1e-5)  # note\n"},
	{"fence in a list", "1. a\n   ```\n", "   x = 1\n"},
	{"open string", "```python\n\"\"\"", "x = 1\n"},
	{"table", "| run | loss |\n|---|---:|\n", "| a17 | 0.25 |\n"},
	{"wide table", strings.Repeat("|a", 80) + "\n" + strings.Repeat("|-", 80) + "\n", "x\n"},
	{"quote", "", "> The loss of *run 17* falls\n"},
	{"deep quotes", "", ">>>> > > > "},
	{"HTML", "<div>\n", "<b>x</b>\n"},
	{"blank lines", "- a\n", "\n"},
	{"brackets", "", "["},
	{"images", "", "![a]("},
	{"backquotes", "", "`a``b```"},
	{"stars", "", "*a **b "},
	{"definitions", "", "[a]: b\n"},
}

// feed writes a text in pieces of so many bytes and returns how many lines came
// out. Every so many pieces it looks at the open block, as a screen does.
func feed(text string, size, look int) int {
	s := markdown.New(markdown.Options{Theme: theme.New(theme.Options{Color: theme.True, Dark: true}), Width: 80, Indent: 2})
	lines := 0
	for i := 0; len(text) > 0; i++ {
		n := min(size, len(text))
		s.Write(text[:n])
		text = text[n:]
		lines += len(s.Take())
		if i%look == 0 {
			s.Open()
		}
	}
	s.Close()
	return lines + len(s.Take())
}

// of is a text of about so many bytes.
func (c longText) of(size int) string {
	return c.head + strings.Repeat(c.piece, (size-len(c.head))/len(c.piece))
}

// Long texts come out the same in pieces of any size too, also where they are
// broken because they are long.
func TestLongTexts(t *testing.T) {
	o := markdown.Options{Theme: theme.New(theme.Options{Color: theme.True}), Width: 60, Indent: 2}
	for _, c := range long {
		text := c.of(10<<10) + "\n\n# End\n\n[S1] and **more**."
		whole := markdown.Render(text, o)
		if diff := cmp.Diff(whole, bytewise(text, o)); diff != "" {
			t.Errorf("%s (-whole +bytes)\n%s", c.name, diff)
		}
		s := markdown.New(o)
		var taken []string
		for at, end := 0, 0; at < len(text); at = end {
			for end = min(at+1543, len(text)); end < len(text) && !utf8.RuneStart(text[end]); {
				end++
			}
			s.Write(text[at:end])
			taken = append(taken, s.Take()...)
			open := s.Open()
			if len(open) > 600 {
				t.Fatalf("%s: %d lines are open", c.name, len(open))
			}
			if diff := cmp.Diff(markdown.Render(text[:end], o), append(slices.Clip(taken), open...)); diff != "" {
				t.Fatalf("%s, %d bytes (-so far +shown)\n%s", c.name, end, diff)
			}
		}
	}
}

// The work for each piece does not grow with the text: what is made to show a
// text four times as long is about four times as much. Memory is counted, since
// time depends on what else runs; BenchmarkStream tells the time.
func TestWorkGrowsWithTheText(t *testing.T) {
	work := func(text string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		feed(text, 3, 400)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	for _, c := range long {
		work(c.of(8 << 10)) // what is made once
		if one, four := work(c.of(12<<10)), work(c.of(48<<10)); four > 6*one {
			t.Errorf("%s: 12 kB take %d bytes of memory, 48 kB %d", c.name, one, four)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	for _, c := range long {
		for _, size := range []int{64 << 10, 256 << 10, 1 << 20} {
			text := c.of(size)
			b.Run(fmt.Sprintf("%s %dk", c.name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					feed(text, 3, 100)
				}
			})
		}
	}
}
