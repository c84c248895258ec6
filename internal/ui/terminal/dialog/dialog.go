// Package dialog says what a command may do with the terminal while it runs:
// print, ask, choose, edit, page, show something that changes. The full screen
// application and the plain line mode both offer it, so a command is written
// once. It knows no command and draws nothing.
package dialog

import (
	"context"
	"errors"
	"time"
)

// ErrCancelled says that the person has turned away from a question.
var ErrCancelled = errors.New("cancelled")

// ErrLeft says that the person has turned away from an operation whose end the
// session still tells.
var ErrLeft = errors.New("not waited for any longer; it may still happen")

// ToldError is a failure that the session has told in its own words: it stands
// on the screen already.
type ToldError struct{ Text string }

func (e *ToldError) Error() string { return e.Text }

// Told reports whether an error stands on the screen already.
func Told(err error) bool {
	var told *ToldError
	return errors.As(err, &told)
}

// Command is something a person can ask for with a slash.
type Command struct {
	// Name is without the slash; Aliases are other names for it.
	Name    string
	Aliases []string
	// Args shows what it takes, such as "[id]"; empty for nothing.
	Args string
	// Help is one line.
	Help string
	// Hidden commands work and are not listed.
	Hidden bool
	// Message says that the line is sent as it was typed: what makes messages of
	// lines knows what it means. Run is then nil.
	Message bool
	// Complete offers values for the argument typed so far; nil offers none.
	Complete func(ctx context.Context, args string) []Option
	// Run does it. Its error is shown as one line. It ends soon after ctx is
	// done: the person has turned away.
	Run func(ctx context.Context, talk Talk, args string) error
}

// Names of the commands that have keys of their own instead of a slash: a line
// that begins with "!" or "#", and a picture that is pasted; Foreign is what others
// offer under names with that in the middle. They are hidden.
const (
	Shell    = "!"
	Remember = "#"
	Picture  = "picture"
	Foreign  = ":"
)

// Option is one thing to choose.
type Option struct {
	// Value is what stands for it; Label is what is shown, Value where empty.
	Value, Label string
	// Hint explains it in a few words.
	Hint string
}

// Menu is a choice between options.
type Menu struct {
	Title string
	Items []Option
	// At is the option that is chosen at first.
	At int
	// Preview shows more about an option, in plain lines; nil shows nothing.
	Preview func(i, width int) []string
	// Filter lets the person narrow the list by typing.
	Filter bool
}

// Question asks for a line of text.
type Question struct {
	Text string
	// Default is offered and may be changed.
	Default string
	// Secret input is not shown and never remembered.
	Secret bool
}

// Talk is the terminal as a running command sees it. Texts are plain: whatever
// looks like a control sequence in them is taken out. Its methods may be called
// from the command's goroutine only.
type Talk interface {
	// Conversation is the session.
	Conversation() Conversation
	// Print adds lines to the conversation.
	Print(text string)
	// Warn adds a line that draws attention.
	Warn(text string)
	// Markdown adds formatted text.
	Markdown(text string)
	// Diff adds a unified diff.
	Diff(text string)
	// Choose returns the index of the chosen item.
	Choose(ctx context.Context, m Menu) (int, error)
	// Ask returns a line of text.
	Ask(ctx context.Context, q Question) (string, error)
	// Edit lets the person change a text in an editor; name gives the file its
	// ending.
	Edit(ctx context.Context, name, text string) (string, error)
	// Page shows a long text.
	Page(ctx context.Context, title, text string) error
	// Live shows what draw returns, anew at most every interval, until the
	// person has seen enough or ctx is done. Where nothing can be redrawn it
	// prints what changes.
	Live(ctx context.Context, every time.Duration, draw func(width, height int) []string) error
	// Fill puts a text into the input line, to be changed and sent.
	Fill(text string)
	// Insert puts a text at the cursor of the input line.
	Insert(text string)
	// Bring adds a text to the next message, in front of it.
	Bring(text string)
	// Copy puts a text on the clipboard; the error says where that is not
	// possible.
	Copy(text string) error
	// Clear empties the screen.
	Clear()
	// Verbose shows the outputs of tools in full from now on, or not; it returns
	// what held before.
	Verbose(on bool) (before bool)
	// Leave ends the conversation on this terminal; with detach the session goes
	// on without it.
	Leave(detach bool)
	// Size is that of the terminal in columns and rows.
	Size() (columns, rows int)
}
