package menu_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/menu"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

func options(n int) []dialog.Option {
	out := make([]dialog.Option, n)
	for i := range out {
		out[i] = dialog.Option{Value: fmt.Sprintf("v%02d", i), Hint: "about it"}
	}
	return out
}

func TestChoice(t *testing.T) {
	var m menu.Menu
	m.Move(1)
	if _, ok := m.First(); ok || m.At() != -1 {
		t.Error("an empty menu has nothing to take")
	}
	m.Set(options(3), false)
	m.Move(-1)
	if o, _ := m.Chosen(); o.Value != "v02" {
		t.Errorf("in front of the first comes the last, not %q", o.Value)
	}
	m.Set(options(10), false)
	if o, _ := m.Chosen(); o.Value != "v02" {
		t.Errorf("the choice stays, it is not %q", o.Value)
	}
	m.Set(options(2), false)
	if o, _ := m.Chosen(); o.Value != "v00" {
		t.Errorf("what is gone is not chosen, but %q", o.Value)
	}
	m.Set(options(3), true)
	if _, ok := m.Chosen(); ok {
		t.Error("nothing is chosen in a free menu")
	}
	if o, _ := m.First(); o.Value != "v00" {
		t.Errorf("the first to take is %q", o.Value)
	}
	m.Move(-1)
	if o, _ := m.Chosen(); o.Value != "v02" {
		t.Errorf("up from none goes to the last, not %q", o.Value)
	}
	m.Set(options(3), true)
	m.Move(1)
	m.Move(1)
	if o, _ := m.Chosen(); o.Value != "v01" {
		t.Errorf("two steps down from none: %q", o.Value)
	}
}

func TestView(t *testing.T) {
	var m menu.Menu
	m.Set([]dialog.Option{
		{Value: "a", Label: "short", Hint: "what it\nis\x1b[2J for"},
		{Value: "a value that is longer than there is room for it"},
		{Value: "日本語", Hint: "wide"},
	}, false)
	m.Move(2)
	want := []string{
		"  short   what it is for",
		"  a value that is longer than...",
		"> 日本語  wide",
	}
	if diff := cmp.Diff(want, m.View(theme.New(theme.Options{ASCII: true}), 32, 8)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWindowFollowsTheChoice(t *testing.T) {
	th := theme.New(theme.Options{ASCII: true})
	rapid.Check(t, func(t *rapid.T) {
		var m menu.Menu
		n := rapid.IntRange(0, 30).Draw(t, "n")
		m.Set(options(n), rapid.Bool().Draw(t, "free"))
		width := rapid.IntRange(1, 60).Draw(t, "width")
		for range rapid.IntRange(0, 20).Draw(t, "moves") {
			m.Move(rapid.SampledFrom([]int{-1, 1, 8}).Draw(t, "by"))
			rows := rapid.IntRange(0, 10).Draw(t, "rows")
			lines := m.View(th, width, rows)
			if want := min(rows, n, menu.Rows); len(lines) != want {
				t.Fatalf("%d lines, want %d", len(lines), want)
			}
			marked := 0
			for _, line := range lines {
				if ansi.StringWidth(line) > width {
					t.Fatalf("%q is wider than %d", line, width)
				}
				if strings.HasPrefix(line, ">") {
					marked++
				}
			}
			if len(lines) > 0 && marked != 1 {
				t.Fatalf("%d lines are marked", marked)
			}
		}
	})
}
