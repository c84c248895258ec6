package settings

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Model shows or changes the model. Whether the new one can work is checked by
// the session, which says what it finds.
func Model(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "model", Args: "[id]", Help: "choose another model, or switch to the one named",
		Complete: func(ctx context.Context, _ string) []dialog.Option { return models(ctx, d) },
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			now := talk.Conversation().Settings().Model
			id := schema.PlainModel(args)
			if id == "" {
				menu := dialog.Menu{Title: "Now " + now + ". Which model?", Items: models(ctx, d), Filter: true}
				for i, it := range menu.Items {
					if it.Value == now {
						menu.At = i
					}
				}
				i, err := talk.Choose(ctx, menu)
				if err != nil {
					return err
				}
				id = menu.Items[i].Value
			}
			if err := d.App.Models.Validate(id); err != nil {
				return fmt.Errorf("/model %s: %w", args, err)
			}
			if id == now {
				talk.Print("The model is " + now + " already.")
				return nil
			}
			_, err := configure(ctx, talk, event.Configure{Model: &id})
			return err
		},
	}
}

// listWait is how long the router's list of models is waited for.
const listWait = 2 * time.Second

// models are those to choose from: the suggested ones, those of the router and
// of servers on this machine.
func models(ctx context.Context, d *desk.Desk) []dialog.Option {
	var all []dialog.Option
	seen := map[string]bool{}
	add := func(id, hint string) {
		if !seen[id] && strings.TrimSpace(id) != "" {
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
	for _, id := range d.App.Models.Local(ctx) {
		add(id, "on this machine")
	}
	listed, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	_, _ = d.App.Models.Catalog().Models(listed) // without an answer those at hand are offered
	for _, id := range d.App.Models.Names(ctx) {
		add(id, "")
	}
	return all
}
