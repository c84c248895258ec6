package composer_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// stage plays keys to a composer.
type stage struct {
	t testing.TB
	c *composer.Composer
	// did is what the last key led to, if it led to anything.
	did composer.Action
	// hold keeps the commands instead of running them.
	hold bool
	held []tea.Cmd
}

func newStage(t testing.TB, o composer.Options) *stage {
	if o.Width == 0 {
		o.Width = 80
	}
	if o.Theme == nil {
		o.Theme = theme.New(theme.Options{})
	}
	return &stage{t: t, c: composer.New(o)}
}

// memory is a history in a slice, the newest last.
type memory []string

func (m *memory) Add(text string) error {
	*m = append(*m, text)
	return nil
}

func (m *memory) Texts() []string {
	var out []string
	for i := len(*m) - 1; i >= 0; i-- {
		out = append(out, (*m)[i])
	}
	return out
}

// send gives a message, and the answers of what it starts.
func (s *stage) send(msg tea.Msg) {
	a, cmd := s.c.Update(msg)
	if a.Kind != composer.None {
		s.did = a
	}
	s.start(cmd)
}

func (s *stage) start(cmd tea.Cmd) {
	switch {
	case cmd == nil:
	case s.hold:
		s.held = append(s.held, cmd)
	default:
		if msg := cmd(); msg != nil {
			s.send(msg)
		}
	}
}

func (s *stage) paste(text string) { s.send(tea.PasteMsg{Content: text}) }

// keys plays a script: characters are typed, names in angle brackets pressed.
func (s *stage) keys(script string) composer.Action {
	s.did = composer.Action{}
	for script != "" {
		if rest, ok := strings.CutPrefix(script, "<"); ok {
			if name, after, ok := strings.Cut(rest, ">"); ok && name != "" && !strings.Contains(name, " ") {
				s.send(press(name))
				script = after
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(script)
		s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		script = script[size:]
	}
	return s.did
}

func press(name string) tea.KeyPressMsg {
	named := map[string]rune{
		"enter": tea.KeyEnter, "kpenter": tea.KeyKpEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown,
		"left": tea.KeyLeft, "right": tea.KeyRight, "home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace,
		"delete": tea.KeyDelete,
	}
	k := tea.KeyPressMsg{}
	parts := strings.Split(name, "+")
	for _, mod := range parts[:len(parts)-1] {
		k.Mod |= map[string]tea.KeyMod{"ctrl": tea.ModCtrl, "alt": tea.ModAlt, "shift": tea.ModShift}[mod]
	}
	last := parts[len(parts)-1]
	var ok bool
	if k.Code, ok = named[last]; !ok {
		k.Code, _ = utf8.DecodeRuneInString(last)
	}
	return k
}

// screen is what is seen, and below the cursor's line a caret at its column.
func (s *stage) screen() string {
	lines, x, y := s.c.View()
	var b strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(ansi.Strip(line), " "))
		if i == y {
			fmt.Fprintf(&b, "%s^\n", strings.Repeat(" ", x))
		}
	}
	if hint := s.c.Hint(); hint != "" {
		fmt.Fprintf(&b, "(%s)\n", hint)
	}
	return b.String()
}

// text compares what is written, the cursor at its place.
func (s *stage) text(want string) {
	s.t.Helper()
	if got := s.c.Text(); got != want {
		s.t.Errorf("written %q, want %q", got, want)
	}
}
