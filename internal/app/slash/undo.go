package slash

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// undo removes the last turns and takes their changes of files back.
func undo() dialog.Command {
	return dialog.Command{
		Name: "undo", Args: "[n]", Help: "take back the last turn, or the last n: what was said, and what it changed in files",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			n := 1
			if args != "" {
				var err error
				if n, err = strconv.Atoi(args); err != nil || n < 1 {
					return fmt.Errorf("/undo %s: give a number of turns, 1 or more", args)
				}
			}
			_, err := talk.Conversation().Do(ctx, event.Undo{Turns: n}, event.TypeUndoComplete)
			return err
		},
	}
}

// redo takes the last undo back.
func redo() dialog.Command {
	return dialog.Command{
		Name: "redo", Help: "take the last /undo or /rewind back, as long as nothing was said since",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			_, err := talk.Conversation().Do(ctx, event.Redo{}, event.TypeRedoComplete)
			return err
		},
	}
}

// rewind goes back to a chosen turn.
func rewind() dialog.Command {
	return dialog.Command{
		Name: "rewind", Help: "go back to an earlier turn (Esc Esc): the conversation, the files, or both",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			turns := talk.Conversation().Turns()
			if len(turns) == 0 {
				talk.Print("There is nothing to go back to.")
				return nil
			}
			menu := dialog.Menu{Title: "Go back to before which message?", Filter: true}
			for i := len(turns) - 1; i >= 0; i-- {
				menu.Items = append(menu.Items, dialog.Option{Label: oneLine(turns[i].Text, 72), Hint: changed(talk, turns[i].ID)})
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
			if _, err := talk.Conversation().Do(ctx, op, event.TypeUndoComplete); err != nil {
				return err
			}
			if op.Conversation {
				talk.Fill(turns[len(turns)-1-at].Text)
			}
			return nil
		},
	}
}

// changed says how many files the calls of a turn have changed.
func changed(talk dialog.Talk, turn string) string {
	files := map[string]bool{}
	for _, c := range talk.Conversation().Changes() {
		if c.TurnID == turn {
			for _, f := range c.Files {
				files[f.Path] = true
			}
		}
	}
	switch len(files) {
	case 0:
		return ""
	case 1:
		return "changed 1 file"
	}
	return fmt.Sprintf("changed %d files", len(files))
}

// oneLine is a text in one line of at most so many characters.
func oneLine(text string, most int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}
