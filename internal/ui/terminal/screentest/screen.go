// Package screentest lets tests use a program as a person does: in a real
// pseudo-terminal, with keys, and with eyes: what stands on an emulated screen
// and in its scrollback. It knows no program.
package screentest

import (
	"fmt"
	"image/color"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// Screen is an emulated terminal. Its methods may be called from any goroutine.
type Screen struct {
	mu      sync.Mutex
	term    *vt.Emulator
	changed chan struct{} // closed and replaced by every change
	bells   int
	title   string
	raw     strings.Builder
}

// NewScreen returns an empty screen.
func NewScreen(columns, rows int) *Screen {
	s := &Screen{term: vt.NewEmulator(columns, rows), changed: make(chan struct{})}
	s.term.SetScrollbackSize(200_000)
	s.term.SetCallbacks(vt.Callbacks{
		Bell:  func() { s.bells++ },
		Title: func(title string) { s.title = title },
	})
	return s
}

// Write shows what a program has written.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(p)
	n, err := s.term.Write(p)
	close(s.changed)
	s.changed = make(chan struct{})
	return n, err
}

// Raw is everything that was written, control sequences among it.
func (s *Screen) Raw() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw.String()
}

// Resize changes the size.
func (s *Screen) Resize(columns, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term.Resize(columns, rows)
}

// Text is what stands on the screen, without blanks at the ends of lines and
// without empty lines at its end.
func (s *Screen) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimRight(strings.Join(s.visible(), "\n"), "\n")
}

// All is the scrollback and the screen.
func (s *Screen) All() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for y := range s.term.ScrollbackLen() {
		lines = append(lines, s.line(func(x int) string {
			if c := s.term.ScrollbackCellAt(x, y); c != nil {
				return c.Content
			}
			return " "
		}))
	}
	return strings.TrimRight(strings.Join(append(lines, s.visible()...), "\n"), "\n")
}

// Cursor is where the cursor stands, from 0, and whether it is shown.
func (s *Screen) Cursor() (x, y int, shown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.term.CursorPosition()
	return at.X, at.Y, !s.term.CursorHidden()
}

// Bells counts the bells that have rung.
func (s *Screen) Bells() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bells
}

// Title is that of the window.
func (s *Screen) Title() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.title
}

func (s *Screen) visible() []string {
	var lines []string
	for y := range s.term.Height() {
		lines = append(lines, s.line(func(x int) string {
			if c := s.term.CellAt(x, y); c != nil {
				return c.Content
			}
			return " "
		}))
	}
	return lines
}

// line joins the cells of a row; the second cell of a wide character is empty.
func (s *Screen) line(cell func(x int) string) string {
	var b strings.Builder
	for x := range s.term.Width() {
		b.WriteString(cell(x))
	}
	return strings.TrimRight(b.String(), " ")
}

// change returns a channel that is closed with the next change.
func (s *Screen) change() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Picture is all there is to see, as text: the scrollback and the screen, then
// where the cursor stands and the title. Where the one ends and the other begins
// depends on how fast things were drawn and is not in it.
func (s *Screen) Picture() string {
	all, screen := s.All(), s.Text()
	var b strings.Builder
	b.WriteString(all)
	x, y, shown := s.Cursor()
	if lines := strings.Split(screen, "\n"); shown && y < len(lines) {
		fmt.Fprintf(&b, "\n[cursor at %d of line -%d", x, len(lines)-y)
	} else if shown {
		b.WriteString("\n[cursor below")
	} else {
		b.WriteString("\n[no cursor")
	}
	if title := s.Title(); title != "" {
		b.WriteString(", title " + title)
	}
	return b.String() + "]"
}

// Color is the foreground of the first character of a text on the screen, and
// nil where it has none of its own or the text is not there.
func (s *Screen) Color(text string) color.Color {
	s.mu.Lock()
	defer s.mu.Unlock()
	for y, line := range s.visible() {
		if at := strings.Index(line, text); at >= 0 {
			return s.term.CellAt(ansi.StringWidth(line[:at]), y).Style.Fg
		}
	}
	return nil
}
