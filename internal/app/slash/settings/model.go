package settings

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Model shows or changes the model. Whether the new one can work is checked by
// the session, which says what it finds.
func Model(d *desk.Desk) dialog.Command {
	here := &machine{d: d}
	return dialog.Command{
		Name: "model", Args: "[id]", Help: "choose another model, or switch to the one named",
		Complete: func(ctx context.Context, _ string) []dialog.Option {
			d.App.Models.Catalog().Prewarm()
			return models(ctx, d, here)
		},
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			now := talk.Conversation().Settings().Model
			id := schema.PlainModel(args)
			if id == "" {
				listed, cancel := context.WithTimeout(ctx, listWait)
				_, _ = d.App.Models.Catalog().Models(listed) // without an answer those at hand are offered
				cancel()
				menu := dialog.Menu{Title: "Now " + now + ". Which model?", Items: models(ctx, d, here), Filter: true}
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

// machine is the models of servers on this machine, asked now and then: a person
// who types asks at every key.
type machine struct {
	d *desk.Desk

	mu    sync.Mutex
	asked time.Time
	names []string
}

// askAgain is how long an answer of the servers is good.
const askAgain = 15 * time.Second

func (m *machine) models(ctx context.Context) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked.IsZero() || time.Since(m.asked) > askAgain {
		names := m.d.App.Models.Local(ctx)
		if ctx.Err() != nil {
			return names
		}
		m.names, m.asked = names, time.Now()
	}
	return m.names
}

// models are those to choose from: the suggested ones, those of servers on this
// machine, and those of the router that are at hand.
func models(ctx context.Context, d *desk.Desk, here *machine) []dialog.Option {
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
	for _, id := range here.models(ctx) {
		add(id, "on this machine")
	}
	for _, id := range d.App.Models.Names(ctx) {
		add(id, "")
	}
	return all
}
