// Package turns is the commands about what was said and done: they take turns
// back, bring them again, sum them up and show what they have changed in files.
package turns

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Undo removes the last turns and takes their changes of files back.
func Undo() dialog.Command {
	return dialog.Command{
		Name: "undo", Args: "[n]", Help: "take back the last n turns and their changes of files",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			n := 1
			if args != "" {
				var err error
				if n, err = strconv.Atoi(args); err != nil || n < 1 {
					return fmt.Errorf("/undo %s: give a number of turns, 1 or more", args)
				}
			}
			return desk.Operate(ctx, talk, event.Undo{Turns: n}, event.TypeUndoComplete)
		},
	}
}

// Redo takes the last undo back.
func Redo() dialog.Command {
	return dialog.Command{
		Name: "redo", Help: "take the last /undo or /rewind back, if nothing was said",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			return desk.Operate(ctx, talk, event.Redo{}, event.TypeRedoComplete)
		},
	}
}

// Rewind goes back to a chosen turn.
func Rewind() dialog.Command {
	return dialog.Command{
		Name: "rewind", Help: "go back to an earlier turn (Esc Esc)",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			if err := desk.Idle(ctx, talk); err != nil {
				return err
			}
			turns := talk.Conversation().Turns()
			if len(turns) == 0 {
				talk.Print("There is nothing to go back to.")
				return nil
			}
			menu := dialog.Menu{Title: "Go back to before which message?", Filter: true}
			changed := changedFiles(talk.Conversation().Changes())
			for i := len(turns) - 1; i >= 0; i-- {
				o := dialog.Option{Label: desk.OneLine(turns[i].Text, 72)}
				if n := len(changed[turns[i].ID]); n > 0 {
					o.Hint = "changed " + amount.Count(n, "file")
				}
				menu.Items = append(menu.Items, o)
			}
			at, err := talk.Choose(ctx, menu)
			if err != nil {
				return err
			}
			what, err := talk.Choose(ctx, dialog.Menu{Title: "What goes back?", Items: []dialog.Option{
				{Label: "the conversation and the files"}, {Label: "the conversation alone"}, {Label: "the files alone"},
			}})
			if err != nil {
				return err
			}
			op := event.Rewind{Turns: at + 1, Conversation: what != 2, Files: what != 1}
			if err := desk.Operate(ctx, talk, op, event.TypeUndoComplete); err != nil {
				return err
			}
			if op.Conversation {
				talk.Fill(turns[len(turns)-1-at].Text)
			}
			return nil
		},
	}
}

// changedFiles are the files that the calls of each turn have changed.
func changedFiles(changes []dialog.Change) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, c := range changes {
		if out[c.TurnID] == nil {
			out[c.TurnID] = map[string]bool{}
		}
		for _, f := range c.Files {
			out[c.TurnID][f.Path] = true
		}
	}
	return out
}

// Compact shortens the history now.
func Compact() dialog.Command {
	return dialog.Command{
		Name: "compact", Args: "[what to keep]", Help: "shorten the history now, keeping what you name",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			if err := desk.Idle(ctx, talk); err != nil {
				return err
			}
			ev, err := talk.Conversation().Do(ctx, event.Compact{Instructions: args}, event.TypeCompacted)
			if err != nil {
				return err
			}
			if c, err := event.Decode[event.Compacted](ev); err == nil && c.OldTokens == c.NewTokens {
				talk.Print("There was nothing to shorten.")
			}
			return nil
		},
	}
}
