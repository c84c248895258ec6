package sessions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/search"
	"github.com/ml-intern/ml-intern/internal/app/picker"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Resume goes over to another session: one that is chosen from those of this
// folder, or the one that is named.
func Resume(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "resume", Args: "[index|id|path]", Help: "go on with a saved session, chosen or named",
		Complete: ids(d),
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			if err := desk.Idle(ctx, talk); err != nil {
				return err
			}
			if args == "" {
				e, err := pick(ctx, d, talk, d.App.Loaded.Dir)
				if err != nil || e == nil {
					return err
				}
				args = ref(*e)
			}
			return goOver(ctx, talk, args)
		},
	}
}

// goOver has the session go over to another one, and tells what it finds.
func goOver(ctx context.Context, talk dialog.Talk, ref string) error {
	return desk.Operate(ctx, talk, event.Resume{Path: ref}, event.TypeResumeComplete)
}

// ref names a session so that nothing else can be meant.
func ref(e sessions.Entry) string {
	if e.Journal {
		return e.SessionID
	}
	return e.Path
}

// pick lets the person choose a session of a folder, or of all where dir is
// empty; nil means that there is none.
func pick(ctx context.Context, d *desk.Desk, talk dialog.Talk, dir string) (*sessions.Entry, error) {
	lib, err := d.Library()
	if err != nil {
		return nil, err
	}
	o := picker.Options{Library: lib, Dir: dir, Current: talk.Conversation().ID(), Now: time.Now()}
	entries, menu, err := picker.Sessions(ctx, o)
	if err == nil && len(entries) == 0 && dir != "" {
		talk.Print("There is no other session of this folder; these are those of all.")
		o.Dir = ""
		entries, menu, err = picker.Sessions(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		talk.Print("There is no other session yet.")
		return nil, nil
	}
	i, err := talk.Choose(ctx, menu)
	if err != nil {
		return nil, err
	}
	return &entries[i], nil
}

// ids offers sessions for an argument.
func ids(d *desk.Desk) func(context.Context, string) []dialog.Option {
	return func(ctx context.Context, _ string) []dialog.Option {
		lib, err := d.Library()
		if err != nil {
			return nil
		}
		_, menu, err := picker.Sessions(ctx, picker.Options{Library: lib, Now: time.Now()})
		if err != nil {
			return nil
		}
		var out []dialog.Option
		for _, it := range menu.Items {
			if !strings.ContainsAny(it.Value, " \t") {
				out = append(out, it)
			}
		}
		return out
	}
}

// List looks through all saved sessions and does something with one.
func List(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "sessions", Args: "[words]", Help: "look through all saved sessions, or those with words",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			var e *sessions.Entry
			var err error
			if args == "" {
				e, err = pick(ctx, d, talk, "")
			} else {
				e, err = find(ctx, d, talk, args)
			}
			if err != nil || e == nil {
				return err
			}
			return handle(ctx, d, talk, *e)
		},
	}
}

// found is how many sessions a search shows.
const found = 50

// find lets the person choose among the sessions that hold all words.
func find(ctx context.Context, d *desk.Desk, talk dialog.Talk, words string) (*sessions.Entry, error) {
	lib, err := d.Library()
	if err != nil {
		return nil, err
	}
	query, err := search.New(words)
	if err != nil {
		return nil, err
	}
	hits, more, err := lib.Search(ctx, sessions.Search{Words: query, Limit: found})
	if err != nil {
		return nil, err
	}
	if len(hits) == 0 {
		talk.Print("No session holds " + words + ".")
		return nil, nil
	}
	menu := dialog.Menu{Title: "Which session?", Filter: true}
	if more {
		menu.Title = fmt.Sprintf("Which session? (the newest %d)", found)
	}
	for _, h := range hits {
		menu.Items = append(menu.Items, dialog.Option{Label: saved.Headline(h.Entry), Hint: saved.Line(h.Snippet)})
	}
	i, err := talk.Choose(ctx, menu)
	if err != nil {
		return nil, err
	}
	return &hits[i].Entry, nil
}

// handle does with a session what the person chooses.
func handle(ctx context.Context, d *desk.Desk, talk dialog.Talk, e sessions.Entry) error {
	const (
		goOn   = "go on with it"
		copied = "go on in a copy of it"
		name   = "give it a title"
		toFile = "write it to a file (Markdown)"
		remove = "delete it"
	)
	all := []string{copied, toFile}
	if !e.Running { // what somebody works on is his to change
		all = append([]string{goOn}, append(all, remove)...)
		if e.Journal {
			all = append(all, name)
		}
	}
	i, err := talk.Choose(ctx, dialog.Menu{Title: saved.Headline(e), Items: desk.Options(all...)})
	if err != nil {
		return err
	}
	lib, err := d.Library()
	if err != nil {
		return err
	}
	switch all[i] {
	case goOn:
		return goOver(ctx, talk, ref(e))
	case copied:
		return forked(ctx, d, talk, lib, e)
	case name:
		title, err := talk.Ask(ctx, dialog.Question{Text: "Title", Default: e.Title})
		if err == nil {
			title, err = lib.Rename(ctx, e, title)
		}
		if err == nil {
			talk.Print("It is called " + title + ".")
		}
		return err
	case toFile:
		id := e.Name()
		return exportTo(ctx, d, talk, id, sessions.FormatMarkdown, "session-"+saved.ShortID(e)+".md")
	}
	yes, err := talk.Choose(ctx, dialog.Menu{Title: "Delete this session for good?", Items: desk.Options("keep it", "delete it")})
	if err != nil || yes == 0 {
		return dialog.ErrCancelled
	}
	if err := lib.Remove(ctx, e); err != nil {
		return err
	}
	talk.Print("Deleted.")
	return nil
}

// Fork goes on in a copy of the conversation.
func Fork(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "fork", Help: "go on in a copy; this session stays as it is now",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			lib, err := d.Library()
			if err != nil {
				return err
			}
			id := talk.Conversation().ID()
			if len(talk.Conversation().Turns()) == 0 {
				return errors.New("/fork: nothing has been said yet")
			}
			if err := desk.Idle(ctx, talk); err != nil {
				return err
			}
			e, err := lib.Resolve(ctx, id)
			if err != nil {
				return err
			}
			if err := forked(ctx, d, talk, lib, e); err != nil {
				return err
			}
			talk.Print("The session before stays as it was: /resume " + id)
			return nil
		},
	}
}

// forked goes on in a copy of a session.
func forked(ctx context.Context, d *desk.Desk, talk dialog.Talk, lib *saved.Sessions, e sessions.Entry) error {
	if err := desk.Idle(ctx, talk); err != nil {
		return err
	}
	id, err := lib.Fork(ctx, e)
	if err != nil {
		return err
	}
	return goOver(ctx, talk, id)
}
