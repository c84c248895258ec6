package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/app/traces"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// ShareTraces shows and changes who sees the user's traces.
func ShareTraces(d *desk.Desk) dialog.Command {
	words := []string{"public", "private", "status", "off", "this", "delete "}
	return dialog.Command{
		Name: "share-traces", Args: "[public|private|status|off|this|delete ID]", Help: "show or set who sees your session traces on the Hub",
		Complete: desk.Offers(words...),
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			word, rest, _ := strings.Cut(args, " ")
			word, rest = strings.ToLower(word), strings.TrimSpace(rest)
			var do func(*sharing) error
			switch {
			case word == "" && rest == "":
				do = func(s *sharing) error { return s.show(ctx) }
			case word == "public" && rest == "":
				do = func(s *sharing) error { return s.public(ctx) }
			case word == "private" && rest == "":
				do = func(s *sharing) error { return s.set(ctx, false) }
			case word == "this" && rest == "":
				do = func(s *sharing) error { return s.this(ctx) }
			case word == "delete" && rest != "" && !strings.Contains(rest, " "):
				do = func(s *sharing) error { return s.remove(ctx, rest) }
			case word == "off" && rest == "":
				return turnOff(ctx, d, talk)
			case word == "status" && rest == "":
				return sharingStatus(ctx, d, talk)
			default:
				return fmt.Errorf("/share-traces %s: expected public, private, status, off, this or delete ID", args)
			}
			if talk.Conversation().ID() == "" {
				return errors.New("/share-traces: there is no session yet")
			}
			s, err := open(ctx, d, talk)
			if err != nil {
				return fmt.Errorf("/share-traces: %w", err)
			}
			defer s.hub.Close()
			return do(s)
		},
	}
}

// sharing is one call of the command.
type sharing struct {
	d    *desk.Desk
	talk dialog.Talk
	hub  *hub.Client
	desk *traces.Desk
	own  *traceset.Set // the user's data set
}

// open opens the user's data set.
func open(ctx context.Context, d *desk.Desk, talk dialog.Talk) (*sharing, error) {
	uploads, err := d.App.Traces()
	if err != nil {
		return nil, err
	}
	client, err := d.App.OpenHub()
	if err != nil {
		return nil, err
	}
	own, err := uploads.Own(ctx, client)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &sharing{d: d, talk: talk, hub: client, desk: uploads, own: own}, nil
}

// show tells who sees the data set.
func (s *sharing) show(ctx context.Context) error {
	state, err := s.own.State(ctx)
	if err != nil {
		return err
	}
	text := traces.Place(s.own, state)
	if state.Exists {
		other := "public"
		if !state.Private {
			other = "private"
		}
		text += "\n/share-traces " + other + " changes that."
	}
	s.talk.Print(text)
	return nil
}

// public shows what would be seen and asks for a typed yes.
func (s *sharing) public(ctx context.Context) error {
	s.talk.Print("Looking at what is in " + s.own.Repo + " …")
	c, err := s.own.Contents(ctx)
	if err != nil {
		return err
	}
	s.talk.Print(traces.Seen(c))
	if err := typedYes(ctx, s.talk, "Type yes to make "+s.own.Repo+" public"); err != nil {
		return err
	}
	return s.set(ctx, true)
}

// typedYes wants the word yes.
func typedYes(ctx context.Context, talk dialog.Talk, question string) error {
	answer, err := talk.Ask(ctx, dialog.Question{Text: question})
	if err != nil {
		return err
	}
	if strings.ToLower(strings.TrimSpace(answer)) != "yes" {
		return dialog.ErrCancelled
	}
	return nil
}

func (s *sharing) set(ctx context.Context, public bool) error {
	if err := s.own.Show(ctx, public); err != nil {
		return err
	}
	word := "private"
	if public {
		word = "PUBLIC"
	}
	s.talk.Print("Dataset is now " + word + ".\n" + s.own.URL())
	return nil
}

// this publishes the session that is open, in a data set of its own.
func (s *sharing) this(ctx context.Context) error {
	if err := desk.Idle(ctx, s.talk); err != nil {
		return err
	}
	lib, err := s.d.Library()
	if err != nil {
		return err
	}
	id := s.talk.Conversation().ID()
	entry, err := lib.Resolve(ctx, id)
	if err != nil {
		return err
	}
	doc, err := lib.Load(ctx, entry)
	if err != nil {
		return err
	}
	content, card, err := s.desk.Render(ctx, doc)
	if err != nil {
		return fmt.Errorf("/share-traces this: %w", err)
	}
	public, err := s.publicSet(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("This session has %s, %s.", amount.Count(bytes.Count(content.Bytes, []byte("\n")), "row"), amount.Bytes(int64(len(content.Bytes))))
	if content.Cut > 0 {
		text += fmt.Sprintf(" %s too long and shortened.", amount.Count(content.Cut, "output"))
	}
	s.talk.Print(text + "\n" + traces.Hits(public.Examine(content.Bytes)) + "\nEverybody will see its prompts, code, outputs and paths, at " + public.URL())
	if err := typedYes(ctx, s.talk, "Type yes to publish it"); err != nil {
		return err
	}
	if err := public.Show(ctx, true); err != nil {
		return err
	}
	done, err := public.Put(ctx, traceset.Session{Day: content.Day, ID: id, Content: content.Bytes}, card, false)
	if err != nil {
		return err
	}
	if done.Unchanged {
		s.talk.Print("It is there already, as it is.")
	}
	s.talk.Print("Published: " + public.URL() + "\n/share-traces delete " + id[:min(8, len(id))] + " takes it out again.")
	return nil
}

// publicSet is the data set for single sessions. Everything in it is public: one
// that is private is not touched.
func (s *sharing) publicSet(ctx context.Context) (*traceset.Set, error) {
	set := s.own.Public()
	state, err := set.State(ctx)
	if err == nil && state.Private {
		err = fmt.Errorf("/share-traces this: %s exists and is private; make it public on its page, or rename it", set.Repo)
	}
	return set, err
}

// remove takes a session out of the user's data sets.
func (s *sharing) remove(ctx context.Context, id string) error {
	if len(id) < traceset.LeastID {
		return fmt.Errorf("/share-traces delete: give at least the first %d characters of the session's id", traceset.LeastID)
	}
	public := s.own.Public()
	var menu dialog.Menu
	var places []func() error
	for _, set := range []*traceset.Set{s.own, public} {
		files, err := set.Find(ctx, id)
		if err != nil {
			return err
		}
		for _, file := range files {
			menu.Items = append(menu.Items, dialog.Option{Label: saved.Line(set.Repo + "/" + file)})
			places = append(places, func() error {
				err := set.Remove(ctx, file)
				if err == nil && set == s.own {
					err = s.desk.TakenOut(ctx, file)
				}
				return err
			})
		}
	}
	if len(places) == 0 {
		return fmt.Errorf("/share-traces delete: neither %s nor %s has a session %s", s.own.Repo, path.Base(public.Repo), id)
	}
	menu.Title = "Which file goes? The history of the dataset keeps it."
	i, err := s.talk.Choose(ctx, menu)
	if err != nil {
		return err
	}
	if err := places[i](); err != nil {
		return err
	}
	s.talk.Print("Removed " + menu.Items[i].Label + ". The session on this machine stays.")
	return nil
}

// turnOff writes share_traces:false.
func turnOff(ctx context.Context, d *desk.Desk, talk dialog.Talk) error {
	if err := d.App.Loaded.Set(ctx, "share_traces", "false"); err != nil {
		return err
	}
	d.App.Config().ShareTraces = false
	talk.Print("share_traces is off now, in " + d.App.Loaded.UserFile + ". What is on the Hub stays as it is.")
	return nil
}

// sharingStatus tells what is uploaded; it needs nothing to be set up.
func sharingStatus(ctx context.Context, d *desk.Desk, talk dialog.Talk) error {
	uploads, err := d.App.Traces()
	if err != nil {
		return err
	}
	standing, err := uploads.Standing(ctx)
	if err != nil {
		return err
	}
	talk.Print(standing.Text())
	if !standing.On {
		return nil
	}
	s, err := open(ctx, d, talk)
	if err != nil {
		talk.Print(err.Error())
		return nil
	}
	defer s.hub.Close()
	if err := s.show(ctx); err != nil {
		talk.Warn(s.own.Repo + ": " + err.Error())
	}
	return nil
}
