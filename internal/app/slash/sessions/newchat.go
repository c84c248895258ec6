// Package sessions is the commands that go from one session to another: they
// begin, resume, copy, name, search and export them.
package sessions

import (
	"context"
	"errors"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// New begins a fresh conversation in the same runtime.
func New() dialog.Command {
	return dialog.Command{
		Name: "new", Help: "begin a new conversation; model and sandbox stay",
		Run: begin(false),
	}
}

// Clear is New with an empty screen.
func Clear() dialog.Command {
	return dialog.Command{
		Name: "clear", Help: "begin a new conversation on an empty screen",
		Run: begin(true),
	}
}

func begin(clear bool) func(context.Context, dialog.Talk, string) error {
	return func(ctx context.Context, talk dialog.Talk, _ string) error {
		return desk.Operate(ctx, talk, event.NewChat{ClearScreen: clear}, event.TypeNewComplete)
	}
}

// Rename gives the session a title.
func Rename() dialog.Command {
	return dialog.Command{
		Name: "rename", Args: "TITLE", Help: "give this session a title",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			if args == "" {
				return errors.New("/rename: give a title")
			}
			_, err := talk.Conversation().Do(ctx, event.Rename{Title: args}, event.TypeRenamed)
			return err
		},
	}
}
