package terminal_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/screentest"
)

// sequences is how many random sequences of keys are tried.
func sequences(t *testing.T) int {
	if testing.Short() {
		return 50
	}
	return 1000
}

// Whatever keys come, and however the terminal is resized: the application
// neither hangs nor fails, and its prompt takes text afterwards.
func TestRandomKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	x := start(t, 80, 24)
	x.See("test/model")
	for i := range sequences(t) {
		var keys []string
		for range 1 + rng.IntN(40) {
			keys = append(keys, press(x, rng))
			if !x.Running() {
				break
			}
		}
		if !x.Running() {
			if all := x.All(); !strings.Contains(all, "error <nil>") || strings.Contains(all, "panic") {
				t.Fatalf("sequence %d ended the application badly: %q\n%s", i, keys, all)
			}
			x = start(t, 80, 24)
			x.See("test/model")
			continue
		}
		settle(t, x, fmt.Sprintf("zq%d.", i), keys)
		if !x.Running() { // the last keys meant that
			x = start(t, 80, 24)
			x.See("test/model")
		}
	}
}

// settle leaves whatever is open and sees whether the prompt takes a text.
func settle(t *testing.T, x *screentest.Terminal, mark string, keys []string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the keys were %q", keys)
		}
	}()
	x.Resize(80, 24)
	x.Press("enter") // ends a chord or a search
	for range 3 {
		x.Press("escape")
	}
	// The emulated terminal and the program have not been resized at the same
	// moment: what was drawn in between is drawn anew.
	x.Press("ctrl+l")
	x.Type(" " + mark)
	x.Until("the prompt to take "+mark, func(screen string) bool { return !x.Running() || strings.Contains(screen, mark) })
	if !x.Running() {
		return
	}
	x.Press("ctrl+c") // there is a text: it is cleared
	x.Until("the text to go", func(screen string) bool { return !x.Running() || !strings.Contains(screen, mark) })
}

// press presses a random key and tells which.
func press(x *screentest.Terminal, rng *rand.Rand) string {
	lines := []string{
		"hello", "stream 30", "stream 3000", "gate", "hang", "error boom", "plan", "/choose", "/fail", "/panic", "/wait", "/ask", "/page", "/undo",
		"/nothing", "!ls", "#note", "@x", "y", "n", "e", "v", "a", "yolo", "?", "日本語", "👩‍👩‍👧‍👦", "é\u0301",
	}
	names := []string{
		"enter", "enter", "enter", "escape", "tab", "shift+tab", "backspace", "delete", "up", "down", "left", "right", "home", "end", "pgup", "pgdown",
		"space", "alt+enter", "shift+enter", "ctrl+enter", "ctrl+a", "ctrl+e", "ctrl+k", "ctrl+u", "ctrl+w", "ctrl+y", "ctrl+r", "ctrl+o", "ctrl+t",
		"ctrl+l", "ctrl+s", "ctrl+z", "ctrl+j", "ctrl+b", "ctrl+c", "ctrl+v", "alt+b", "alt+f", "alt+d", "focus", "blur",
	}
	switch n := rng.IntN(20); {
	case n < 8:
		line := lines[rng.IntN(len(lines))]
		x.Type(line)
		return line
	case n < 18:
		name := names[rng.IntN(len(names))]
		x.Press(name)
		return name
	case n < 19:
		columns, rows := 20+rng.IntN(160), 6+rng.IntN(60)
		x.Resize(columns, rows)
		return fmt.Sprintf("resize %dx%d", columns, rows)
	default:
		text := strings.Repeat("pasted\nlines\t\x1b[31m ", rng.IntN(200))
		x.Paste(text)
		return fmt.Sprintf("paste of %d", len(text))
	}
}
