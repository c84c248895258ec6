package slash

import (
	"context"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// model shows or changes the model. Whether the new one can work is checked by
// the session, which says what it finds.
func model(d *Desk) dialog.Command {
	choices := func(ctx context.Context) []dialog.Option {
		var all []dialog.Option
		seen := map[string]bool{}
		add := func(id, hint string) {
			if !seen[id] {
				seen[id] = true
				all = append(all, dialog.Option{Value: id, Hint: hint})
			}
		}
		for _, s := range d.App.Models.Suggested(ctx) {
			hint := s.Provider
			if s.Needs != "" {
				hint += ", needs " + s.Needs
			}
			add(s.ID, hint)
		}
		for _, id := range d.App.Models.Names(ctx) {
			add(id, "")
		}
		return all
	}
	return dialog.Command{
		Name: "model", Args: "[id]", Help: "show the model, choose another one, or switch to the one named",
		Complete: func(ctx context.Context, _ string) []dialog.Option { return choices(ctx) },
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			id := args
			if id == "" {
				now := talk.Conversation().Settings().Model
				menu := dialog.Menu{Title: "Now " + now + ". Which model?", Items: choices(ctx), Filter: true}
				i, err := talk.Choose(ctx, menu)
				if err != nil {
					return err
				}
				id = menu.Items[i].Value
			}
			if strings.ContainsAny(id, " \t") {
				return fmt.Errorf("/model %s: a model id has no blanks", id)
			}
			return configure(ctx, talk, event.Configure{Model: &id})
		},
	}
}
