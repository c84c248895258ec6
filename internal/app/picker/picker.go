// Package picker is what a person chooses a saved session from: a menu with one
// line a session and more about the one in view. It chooses nothing itself.
package picker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Library is where sessions are found.
type Library interface {
	List(ctx context.Context) ([]sessions.Entry, error)
}

// Options of a menu.
type Options struct {
	Library Library
	// Dir leaves out sessions of other working directories; empty keeps all.
	Dir string
	// Current is the session that is open, which is left out.
	Current string
	Now     time.Time
}

// Sessions returns the saved sessions, the newest first, and the menu that
// shows them in the same order. Those that cannot be opened, and those whose
// conversation went on elsewhere, are left out.
func Sessions(ctx context.Context, o Options) ([]sessions.Entry, dialog.Menu, error) {
	entries, err := o.Library.List(ctx)
	if err != nil {
		return nil, dialog.Menu{}, err
	}
	entries = slices.DeleteFunc(entries, func(e sessions.Entry) bool {
		return e.Problem != "" || e.Next != "" || e.SessionID != "" && e.SessionID == o.Current || o.Dir != "" && !sessions.InDir(e, o.Dir)
	})
	menu := dialog.Menu{Title: "Which session?", Filter: true, Preview: func(i, width int) []string {
		if i < 0 || i >= len(entries) {
			return nil
		}
		return preview(entries[i], o.Now, width)
	}}
	for _, e := range entries {
		menu.Items = append(menu.Items, dialog.Option{
			Value: cmp.Or(e.SessionID, e.Path), Label: saved.Headline(e), Hint: strings.Join(saved.Facts(e, o.Now), " · "),
		})
	}
	return entries, menu, nil
}

// preview says more about one session.
func preview(e sessions.Entry, now time.Time, width int) []string {
	width = max(width, 20)
	var lines []string
	add := func(name, text string, most int) {
		if text = saved.Line(text); text == "" {
			return
		}
		wrapped := strings.Split(ansi.Wrap(name+text, width, ""), "\n")
		if len(wrapped) > most {
			wrapped = wrapped[:most]
			wrapped[most-1] = ansi.Truncate(wrapped[most-1], width-1, "") + "…"
		}
		lines = append(lines, wrapped...)
	}
	add("", e.Title, 2)
	add("", fmt.Sprintf("%s · %d messages", strings.Join(saved.Facts(e, now), " · "), e.Messages), 2)
	add("Model   ", cmp.Or(e.Model, "unknown"), 1)
	add("Folder  ", cmp.Or(e.Cwd, "unknown"), 2)
	add("Session ", e.Name(), 1)
	add("First: ", e.First, 4)
	add("Last: ", e.Last, 4)
	return lines
}
