package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// noUploads is what this version does not do.
const noUploads = "This version uploads no session by itself; /share-traces this publishes the open one."

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
			s, err := open(ctx, d, talk)
			if err != nil {
				return err
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
	own  traceset.Set // the user's data set
}

// open checks what sharing needs, in the order in which it can be mended.
func open(ctx context.Context, d *desk.Desk, talk dialog.Talk) (*sharing, error) {
	c := d.App.Config()
	if talk.Conversation().ID() == "" {
		return nil, errors.New("/share-traces: there is no session yet")
	}
	if !c.ShareTraces {
		return nil, errors.New("/share-traces: share_traces is off; ml-intern config set share_traces true turns it on")
	}
	who := d.App.User(ctx, true)
	if who == nil {
		return nil, errors.New("/share-traces: your name on the Hub is not known; /login logs in, /doctor tells what is wrong")
	}
	if strings.TrimSpace(c.PersonalTraceRepoTemplate) == "" {
		return nil, errors.New("/share-traces: personal_trace_repo_template is empty, so there is no dataset to share")
	}
	if d.App.Token() == "" {
		return nil, errors.New("/share-traces: there is no Hub token; /login logs in")
	}
	name, err := traceset.Name(c.PersonalTraceRepoTemplate, *who)
	if err != nil {
		return nil, fmt.Errorf("/share-traces: personal_trace_repo_template: %w", err)
	}
	client, err := d.App.OpenHub()
	if err != nil {
		return nil, err
	}
	return &sharing{d: d, talk: talk, hub: client, own: traceset.Set{Hub: client, Repo: name, Scrub: d.App.Secrets().Scrubber()}}, nil
}

// show tells who sees the data set.
func (s *sharing) show(ctx context.Context) error {
	return s.look(ctx, "\n"+noUploads)
}

// look is show; more is said where there is no data set yet.
func (s *sharing) look(ctx context.Context, more string) error {
	state, err := s.own.State(ctx)
	if err != nil {
		return err
	}
	if !state.Exists {
		s.talk.Print(s.own.Repo + " does not exist yet. It will be created private on the next save that is uploaded." + more)
		return nil
	}
	other := "public"
	if !state.Private {
		other = "private"
	}
	s.talk.Print(s.own.URL() + "\nVisibility: " + state.Visibility() + "\n/share-traces " + other + " changes that.")
	return nil
}

// public shows what would be seen and asks for a typed yes.
func (s *sharing) public(ctx context.Context) error {
	s.talk.Print("Looking at what is in " + s.own.Repo + " …")
	c, err := s.own.Contents(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s, %s", amount.Count(c.Sessions, "session"), amount.Bytes(c.Bytes))
	if c.Examined < c.Sessions {
		text += fmt.Sprintf("; %s of them were looked at for secrets", amount.Grouped(c.Examined))
	}
	s.talk.Print(text + "." + hits(c.Hits) +
		"\nEverybody will see the prompts, the code, the outputs and the paths in them. Secrets are removed by patterns only: look at the files first.")
	if err := typedYes(ctx, s.talk, "Type yes to make "+s.own.Repo+" public"); err != nil {
		return err
	}
	return s.set(ctx, true)
}

// hits are the secrets that were found.
func hits(h traceset.Hits) string {
	text := ""
	if len(h.Removed) > 0 {
		text += "\nSecrets that were removed: " + traceset.Top(h.Removed) + "."
	} else {
		text += "\nNo secret was removed."
	}
	if len(h.Left) > 0 {
		text += "\nWARNING: still in there, by today's patterns: " + traceset.Top(h.Left) + "."
	}
	return text
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
	var rows bytes.Buffer
	if err := claude.Write(&rows, doc); err != nil {
		return err
	}
	if !bytes.Contains(rows.Bytes(), []byte(`{"type":"assistant",`)) {
		return errors.New("/share-traces this: there is no answer in this session yet")
	}
	public, err := s.publicSet(ctx)
	if err != nil {
		return err
	}
	found := public.Examine(rows.Bytes())
	content := scrubbed(public, rows.Bytes())
	s.talk.Print(fmt.Sprintf("This session has %s, %s.", amount.Count(bytes.Count(content, []byte("\n")), "row"), amount.Bytes(int64(len(content)))) +
		hits(traceset.Hits{Removed: found.Removed}) + "\nEverybody will see its prompts, code, outputs and paths, at " + public.URL())
	if err := typedYes(ctx, s.talk, "Type yes to publish it"); err != nil {
		return err
	}
	if err := public.Show(ctx, true); err != nil {
		return err
	}
	day := time.Now()
	if begun, err := time.Parse(time.RFC3339, doc.StartTime); err == nil {
		day = begun
	}
	done, err := public.Put(ctx, traceset.Session{Day: day.Format(time.DateOnly), ID: id, Content: content}, traceset.Card(), false)
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
	set := s.own
	set.Repo += "-public"
	state, err := set.State(ctx)
	if err == nil && state.Private {
		err = fmt.Errorf("/share-traces this: %s exists and is private; make it public on its page, or rename it", set.Repo)
	}
	return &set, err
}

// scrubbed is the session without the secrets that are known today.
func scrubbed(set *traceset.Set, rows []byte) []byte {
	var out bytes.Buffer
	for row := range bytes.Lines(rows) {
		clean, _, err := set.Scrub.JSON(row)
		if err != nil {
			continue // a row that cannot be looked into is not shown to anybody
		}
		out.Write(bytes.TrimRight(clean, "\n"))
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// remove takes a session out of the user's data sets.
func (s *sharing) remove(ctx context.Context, id string) error {
	if len(id) < 4 {
		return errors.New("/share-traces delete: give at least the first 4 characters of the session's id")
	}
	public := s.own
	public.Repo += "-public"
	var menu dialog.Menu
	var places []func() error
	for _, set := range []traceset.Set{s.own, public} {
		files, err := set.Find(ctx, id)
		if err != nil {
			return err
		}
		for _, file := range files {
			menu.Items = append(menu.Items, dialog.Option{Label: saved.Line(set.Repo + "/" + file)})
			places = append(places, func() error { return set.Remove(ctx, file) })
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
	if !d.App.Config().ShareTraces {
		talk.Print("share_traces is off: nothing is uploaded.")
		return nil
	}
	talk.Print("share_traces is on. " + noUploads + "\nQueue: empty. Last error: none.")
	s, err := open(ctx, d, talk)
	if err != nil {
		talk.Print(err.Error())
		return nil
	}
	defer s.hub.Close()
	if err := s.look(ctx, ""); err != nil {
		talk.Warn(s.own.Repo + ": " + err.Error())
	}
	return nil
}
