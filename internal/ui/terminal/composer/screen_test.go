package composer_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// scenes are the states an input can be in.
func scenes() []struct {
	name string
	play func(s *stage)
} {
	keys := func(script string) func(s *stage) { return func(s *stage) { s.keys(script) } }
	return []struct {
		name string
		play func(s *stage)
	}{
		{"nothing typed", func(*stage) {}},
		{"nothing typed while the agent works", func(s *stage) { s.c.Busy(true) }},
		{"a line", keys("fine-tune it on my data")},
		{"a long line", keys("fine-tune Qwen3 on data/train.jsonl with a learning rate of 3e-4, evaluate after each epoch, and push the best checkpoint to my account<ctrl+left><ctrl+left>")},
		{"several lines", keys("first<alt+enter>second<alt+enter><alt+enter>fourth<up><up>")},
		{"wide characters", keys("学習率を下げて、もう一度訓練してください。結果は👩‍👩‍👧に送ってください。ありがとうございます 👍🏽!<left>")},
		{"more lines than rows", func(s *stage) {
			for i := range 30 {
				s.keys(fmt.Sprintf("line %d<ctrl+j>", i+1))
			}
			s.keys("<up><up><up><up><up><up><up><up><up><up><up><up><up>")
		}},
		{"a folded paste", func(s *stage) {
			s.keys("what fails here? ")
			s.paste(strings.Repeat("Traceback: out of memory\n", 120))
			s.keys(" and here? ")
			s.paste(strings.Repeat("0123456789", 500))
		}},
		{"a command of the shell", keys("!nvidia-smi")},
		{"a note", keys("#always use bf16")},
		{"a message while the agent works", func(s *stage) {
			s.c.Busy(true)
			s.keys("use a smaller batch")
		}},
		{"commands", keys("/")},
		{"some commands", keys("/mod<down>")},
		{"arguments of a command", keys("/model gp")},
		{"files", keys("compare @")},
		{"a search", func(s *stage) {
			s.keys("mine<ctrl+r>mod<down>")
		}},
		{"a search that finds nothing", keys("<ctrl+r>zzz")},
		{"hostile names", keys("see @e")},
	}
}

func TestScreens(t *testing.T) {
	for _, width := range []int{40, 80, 160} {
		for _, ascii := range []bool{false, true} {
			var b strings.Builder
			for _, scene := range scenes() {
				s := newStage(t, composer.Options{
					Width: width, Theme: theme.New(theme.Options{ASCII: ascii}), Placeholder: "ask, / for commands, @ for files",
					History: past("train a model", "push the model to the hub", "fix the model card:\n- licence\n- data\n- evaluation", "an older one"),
					Sources: []complete.Source{complete.Slash(commands()), files(
						"README.md", "src/", "src/main.py", "evil\x1b[2J\u202egnp.sh", "data/a very long name of a file that goes on and on and on until it does not fit on a narrow screen.parquet",
					)},
				})
				scene.play(s)
				fmt.Fprintf(&b, "== %s\n%s", scene.name, s.screen())
				check(t, s, width, ascii && !strings.Contains("wide characters, hostile names, files", scene.name))
			}
			kind := "unicode"
			if ascii {
				kind = "ascii"
			}
			golden(t, fmt.Sprintf("screen-%s-%d", kind, width), b.String())
		}
	}
}

func TestColours(t *testing.T) {
	var b strings.Builder
	for _, scene := range scenes() {
		s := newStage(t, composer.Options{
			Width: 60, Theme: theme.New(theme.Options{Color: theme.Basic, Dark: true}), Placeholder: "ask",
			History: past("train a model"), Sources: []complete.Source{complete.Slash(commands()), files("README.md")},
		})
		scene.play(s)
		lines, _, _ := s.c.View()
		fmt.Fprintf(&b, "== %s\n%s\n", scene.name, strings.ReplaceAll(strings.Join(lines, "\n"), "\x1b", "ESC"))
	}
	golden(t, "colours", b.String())
}

// check holds what must be true of every screen.
func check(t interface {
	Fatalf(string, ...any)
	Helper()
}, s *stage, width int, ascii bool,
) {
	t.Helper()
	lines, x, y := s.c.View()
	if y < 0 || y >= len(lines) || x < 0 || x >= width {
		t.Fatalf("the cursor is at %d,%d of %d lines, %d wide", x, y, len(lines), width)
	}
	for _, line := range lines {
		if strings.ContainsAny(line, "\n\r\t") || !utf8.ValidString(line) || strings.Contains(line, "\x1b") {
			t.Fatalf("line %q is none", line)
		}
		if w := ansi.StringWidth(line); w > width {
			t.Fatalf("%q is %d wide, more than %d", line, w, width)
		}
		if i := strings.IndexFunc(line, func(r rune) bool { return r > '~' }); ascii && i >= 0 {
			t.Fatalf("%q is no ASCII", line)
		}
	}
	if !utf8.ValidString(s.c.Text()) {
		t.Fatalf("%q is no text", s.c.Text())
	}
}

// Whatever is pressed, pasted, sized: the cursor is on the screen, no line is too
// wide, and what was typed last can be typed on.
func TestRandomKeys(t *testing.T) {
	names := strings.Fields(`enter tab esc up down left right home end backspace delete alt+enter ctrl+j shift+enter ctrl+enter ctrl+s
		ctrl+a ctrl+e ctrl+b ctrl+f ctrl+k ctrl+u ctrl+w ctrl+y alt+b alt+f alt+d alt+backspace ctrl+left ctrl+right ctrl+r ctrl+z
		alt+z ctrl+_ ctrl+shift+z ctrl+x ctrl+g ctrl+v ctrl+c ctrl+d ctrl+p ctrl+n ctrl+home ctrl+end ctrl+t`)
	rapid.Check(t, func(rt *rapid.T) {
		width, height := 40, 0
		s := newStage(t, composer.Options{
			Width: width, Placeholder: "type something, anything at all", Dir: "/",
			History: past("one", "two\nlines", "日本語", strings.Repeat("long ", 100)),
			Sources: []complete.Source{complete.Slash(commands()), files("README.md", "src/", "src/日本.py", "\x1b[31mx")},
		})
		rt.Repeat(map[string]func(*rapid.T){
			"press": func(rt *rapid.T) { s.send(press(rapid.SampledFrom(names).Draw(rt, "key"))) },
			"type": func(rt *rapid.T) {
				for _, r := range rapid.SampledFrom([]string{"a", " ", "/mod", "/model ", "@s", "!ls ", "#", "日", "👩‍👩‍👧", "\u0301", "\\", "\u202e"}).Draw(rt, "text") {
					s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
				}
			},
			"paste": func(rt *rapid.T) {
				s.paste(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{strings.Repeat("x\n", 30), "a\tb", "\x1b[31m", strings.Repeat("語", 90)})).Draw(rt, "paste"))
			},
			"resize": func(rt *rapid.T) {
				width, height = rapid.IntRange(8, 100).Draw(rt, "width"), rapid.IntRange(0, 12).Draw(rt, "height")
				s.c.Resize(width, height)
			},
			"busy": func(rt *rapid.T) { s.c.Busy(rapid.Bool().Draw(rt, "busy")) },
			"wide": func(*rapid.T) { s.send(tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeReset}) },
			"": func(rt *rapid.T) {
				check(rt, s, width, false)
				if lines, _, _ := s.c.View(); height > 0 && len(lines) > height {
					rt.Fatalf("%d lines where %d are free", len(lines), height)
				}
				s.c.Hint()
				s.c.Draft()
			},
		})
		s.send(press("esc"))
		s.send(press("esc"))
		before := s.c.Text()
		s.keys("<ctrl+end>x")
		if s.c.Text() != before+"x" {
			rt.Fatalf("after %q an x gives %q", before, s.c.Text())
		}
	})
}

// The cursor is where the screen puts it, however the screen counts.
func TestCursorFollowsTheScreen(t *testing.T) {
	s := newStage(t, composer.Options{})
	s.keys("a👩‍👩‍👧❤️b")
	if _, x, _ := s.c.View(); x != 2+1+6+1+1 {
		t.Errorf("by code points the cursor is in column %d", x)
	}
	s.send(tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeNotRecognized})
	s.send(tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeReset})
	if _, x, _ := s.c.View(); x != 2+1+2+2+1 {
		t.Errorf("by characters the cursor is in column %d", x)
	}
}

func BenchmarkKeystroke(b *testing.B) {
	s := newStage(b, composer.Options{Width: 80, Sources: []complete.Source{complete.Slash(commands()), complete.Paths(b.TempDir())}})
	s.c.SetText(strings.Repeat("the learning rate of this run was 3e-4, größer als gedacht\n", 10000))
	for range 5000 {
		s.send(press("up"))
	}
	for b.Loop() {
		s.send(tea.KeyPressMsg{Code: 'x', Text: "x"})
		s.c.View()
		s.c.Hint()
	}
}

// A key in a text of 10,000 lines is drawn long before the next one can come.
// The quickest of many is taken: others may be using the machine.
func TestKeystrokeInALongText(t *testing.T) {
	s := newStage(t, composer.Options{Sources: []complete.Source{complete.Slash(commands()), complete.Paths(t.TempDir())}})
	s.c.SetText(strings.Repeat("the learning rate of this run was 3e-4, größer als gedacht\n", 10000))
	s.keys("<ctrl+home><down><down>")
	quickest := time.Hour
	for range 200 {
		start := time.Now()
		s.keys("x")
		s.c.View()
		s.c.Hint()
		quickest = min(quickest, time.Since(start))
	}
	if quickest > 2*time.Millisecond {
		t.Errorf("a key takes %v", quickest)
	}
}
