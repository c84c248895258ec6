// Package desk is what the slash commands work with and what they do alike: the
// program, how a session is asked for something, how values are laid out. It
// knows no command.
package desk

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/ui/chart"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Desk is what the commands work with.
type Desk struct {
	// App is the program, without a session of its own.
	App *app.App
	// Version of the program, for /status.
	Version string
	// Plain is the line mode: there are no keys.
	Plain bool
	// ASCII draws with ASCII characters only, Paint colours a piece of a chart;
	// nil leaves it.
	ASCII bool
	Paint func(chart.Part, string) string
	// Skills are the skills and commands that can be called; nil for none.
	Skills *skillset.Set
	// Environ is the environment of the person's own commands.
	Environ []string
}

// Env gives a variable of the person's environment.
func (d *Desk) Env(name string) string {
	for _, entry := range d.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// Absolute is a path as a person means it.
func (d *Desk) Absolute(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		path = filepath.Join(d.App.Loaded.Places.Home, rest)
	}
	return app.Absolute(path, d.App.Loaded.Dir)
}

// Short is a path for people: below the working directory or the home folder
// without it.
func (d *Desk) Short(path string) string {
	if rest, err := filepath.Rel(d.App.Loaded.Dir, path); err == nil && filepath.IsLocal(rest) {
		return rest
	}
	if rest, err := filepath.Rel(d.App.Loaded.Places.Home, path); err == nil && filepath.IsLocal(rest) {
		return filepath.Join("~", rest)
	}
	return path
}

// Library is the saved sessions; there are none where nothing is kept.
func (d *Desk) Library() (*saved.Sessions, error) {
	if !d.App.Config().SaveSessions {
		return nil, errors.New("sessions are not kept here: save_sessions is false")
	}
	return d.App.Library()
}

// State is what the events of a session come to.
func (d *Desk) State(ctx context.Context, id string) (*history.State, error) {
	events, err := d.App.Events(ctx, id)
	if err != nil {
		return nil, err
	}
	return history.Load(events)
}

const (
	// settling is how long the end of a turn is waited for: who has read the
	// answer may be faster than it.
	settling = 800 * time.Millisecond
	// lookAgain is how often it is looked for.
	lookAgain = 20 * time.Millisecond
)

// Idle refuses while a turn runs: an operation would wait for its end.
func Idle(ctx context.Context, talk dialog.Talk) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for talk.Conversation().Busy() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return errors.New("a turn is running: it must end first, Esc makes it")
		}
	}
	return nil
}

// Operate has the session do something at rest; the conversation tells what it
// came to.
func Operate(ctx context.Context, talk dialog.Talk, op event.Operation, end event.Type) error {
	if err := Idle(ctx, talk); err != nil {
		return err
	}
	_, err := talk.Conversation().Do(ctx, op, end)
	return err
}

// OneLine is a foreign text in one line of at most so many characters.
func OneLine(text string, most int) string {
	runes := []rune(saved.Line(text))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

// Options are values to choose from.
func Options(values ...string) []dialog.Option {
	var out []dialog.Option
	for _, v := range values {
		out = append(out, dialog.Option{Value: v})
	}
	return out
}

// Offers completes an argument with fixed values.
func Offers(values ...string) func(context.Context, string) []dialog.Option {
	return func(context.Context, string) []dialog.Option { return Options(values...) }
}
