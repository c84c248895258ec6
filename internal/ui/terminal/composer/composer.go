// Package composer is where a person writes: a text of several lines, its
// history, and menus of what it may become. It says what the person wants done
// as an Action and knows nothing of how that is done, of sessions or of agents.
//
// It is made for a Bubble Tea program but is no model of its own: it gets
// messages, and draws lines and the place of the cursor. Its methods belong to
// the event loop.
package composer

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/editor"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// History is what was sent before. It is asked from the event loop, and once
// beside it to make it ready.
type History interface {
	// Add remembers a text.
	Add(text string) error
	// Texts are the remembered texts, each once, in the order in which going
	// back shows them.
	Texts() []string
}

// Options say what a Composer works with.
type Options struct {
	Theme *theme.Theme
	// Width is how many columns there are.
	Width int
	// Height is the most rows View may take; 0 leaves it to the Composer.
	Height int
	// History may be nil: then nothing is remembered.
	History History
	// Sources of completion, the first that fits is asked.
	Sources []complete.Source
	// Placeholder stands dim where nothing is typed yet.
	Placeholder string
	// Dir is where relative paths begin; pasted paths below it become relative.
	Dir string
	// IsFile reports whether a pasted path names a regular file. It is asked
	// only about names of pictures, and answers at once. Nil asks the disk.
	IsFile func(path string) bool
}

// Kind is what a person wants.
type Kind uint8

const (
	// None is nothing that concerns others: a text is being written.
	None Kind = iota
	// Submit is a message, or a slash command.
	Submit
	// Steer is a message for what runs now. It comes only while Busy.
	Steer
	// Shell is a command of the person's own, without its "!".
	Shell
	// Remember is a note for the memory, without its "#".
	Remember
	// Editor asks for the text to be edited elsewhere; SetText brings it back.
	Editor
	// Image asks for the picture on the clipboard; Insert puts a mention.
	Image
	// Escape is Esc with nothing to close.
	Escape
	// Interrupt is Ctrl-C without a text.
	Interrupt
	// EOF is Ctrl-D without a text.
	EOF
)

// Action is what a message led to.
type Action struct {
	Kind Kind
	// Text is complete: long pastes are in it.
	Text string
	// Shown is Text as it stood in the input, where long pastes are one label.
	Shown string
}

// Composer is the input.
type Composer struct {
	o    Options
	text editor.Editor
	busy bool
	// method is how the screen counts the cells of a character.
	method ansi.Method
	// chord: Ctrl-X has been pressed.
	chord bool
	// trouble is why the history could not be written; shown as a hint.
	trouble string

	browse browse
	search *search // nil while none goes on
	menu   completion
}

// New returns an empty input.
func New(o Options) *Composer {
	if o.Theme == nil {
		o.Theme = theme.New(theme.Options{})
	}
	if o.History == nil {
		o.History = nothing{}
	}
	if o.IsFile == nil {
		o.IsFile = isFile
	}
	c := &Composer{o: o}
	c.menu.sources = o.Sources
	c.Resize(o.Width, o.Height)
	return c
}

// nothing is no history.
type nothing struct{}

func (nothing) Add(string) error { return nil }
func (nothing) Texts() []string  { return nil }

// Text is what is written, complete.
func (c *Composer) Text() string { return c.text.Text() }

// Draft is what would be lost if the input vanished now: the text, or the one
// that waits while an old one is shown.
func (c *Composer) Draft() string {
	if c.search != nil {
		return c.search.before
	}
	return c.browse.draft(c.text.Text())
}

// SetText replaces the text. The person can undo it.
func (c *Composer) SetText(text string) {
	c.search = nil
	c.browse = browse{}
	c.text.Set(text)
	c.menu.close()
}

// Insert puts a text at the cursor.
func (c *Composer) Insert(text string) {
	c.search = nil
	c.text.Insert(text)
	c.menu.close()
}

// Busy says whether an agent is at work, so that a message would wait.
func (c *Composer) Busy(busy bool) { c.busy = busy }

// SetPlaceholder says what stands where nothing is typed.
func (c *Composer) SetPlaceholder(text string) { c.o.Placeholder = text }

// SetTheme changes how the input looks.
func (c *Composer) SetTheme(t *theme.Theme) { c.o.Theme = t }

// Resize says how many columns there are and how many rows View may take, 0
// for as many as it needs.
func (c *Composer) Resize(width, height int) {
	c.o.Width, c.o.Height = max(1, width), max(0, height)
	c.text.SetWidth(c.o.Width - c.indent() - 1)
}

// Close tells running sources of completion to end. The Composer goes on.
func (c *Composer) Close() { c.menu.close() }

// finish takes the text away to hand it over.
func (c *Composer) finish(kind Kind) Action {
	text, shown := c.text.Text(), c.text.Shown()
	c.trouble = ""
	if err := c.o.History.Add(text); err != nil {
		c.trouble = strings.ReplaceAll(plain.ForTerminal(err.Error()), "\n", " ")
	}
	c.text.Reset(c.browse.waiting()) // what waited is written on
	c.browse = browse{}
	c.menu.close()
	a := Action{Kind: kind, Text: text, Shown: shown}
	if kind == Shell || kind == Remember {
		a.Text, a.Shown = strings.TrimSpace(text[1:]), strings.TrimSpace(shown[1:])
	}
	return a
}

// mode is what Enter does with a text, by its first character.
func (c *Composer) mode() Kind {
	switch {
	case c.text.Begins('!'):
		return Shell
	case c.text.Begins('#') && c.text.OneLine(): // more lines begin with a heading
		return Remember
	}
	return Submit
}
