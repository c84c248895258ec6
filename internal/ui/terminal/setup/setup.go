// Package setup says what a conversation in a terminal is made of, drawn or line
// by line: what it is given, and how it ends. It makes nothing itself.
package setup

import (
	"context"
	"io"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/attention"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Opened is a session that is ready.
type Opened struct {
	attach.Session
	// Detachable sessions can be left running.
	Detachable bool
	// Notes are lines for the person: what is unusual about this session.
	Notes []string
}

// Options make the application.
type Options struct {
	In      io.Reader
	Out     io.Writer
	Environ []string
	Theme   *theme.Theme
	// AskDark asks the terminal for its background and makes the theme anew.
	AskDark func(dark bool) *theme.Theme
	// Banner are the lines shown first, painted; nil for none. Animate lets them
	// settle for a moment, where things can be drawn anew.
	Banner  func(th *theme.Theme, width int) []string
	Animate bool
	// Open opens the session; again is the id of one to go on with, empty for
	// what the command line asked for. It may take its time: what is typed
	// meanwhile waits.
	Open func(ctx context.Context, again string, talk dialog.Talk) (*Opened, error)
	// Commands are what a slash offers.
	Commands []dialog.Command
	Input    composer.Options
	// Expand makes the message of what was typed: files that are mentioned are
	// read into it.
	Expand func(ctx context.Context, text string) (event.UserInput, []string, error)
	// Editor makes a command that edits a file.
	Editor func(path string) (argv []string, err error)
	// Rule writes a rule that permits into the project's configuration.
	Rule func(rule string) error
	// Approve is what reviews need beside the request, the theme and the money.
	Approve approve.Options
	// Attention calls a person who looks elsewhere.
	Attention *attention.Attention
	// Modes are the approval modes that Shift-Tab goes through.
	Modes []string
	// ShowThinking shows the model's reasoning.
	ShowThinking bool
	// Warnings are lines that the program has for the person beside the session;
	// nil for none.
	Warnings <-chan string
	// Hangup ends when the terminal is gone.
	Hangup <-chan struct{}
	// Terminate ends when the process is asked to end.
	Terminate <-chan struct{}
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Reason is why the application ended.
type Reason int

// The reasons.
const (
	Quit Reason = iota
	Detached
	HungUp
	Terminated
	Failed
)

// Result is how it ended.
type Result struct {
	Reason Reason
	// Opened is the session at the end; nil when none was opened.
	Opened *Opened
	Err    error
	// Draft is what was typed and not sent.
	Draft string
}

// FatalError ends the application before there is a session.
type FatalError struct{ Err error }

func (e *FatalError) Error() string { return e.Err.Error() }
func (e *FatalError) Unwrap() error { return e.Err }
