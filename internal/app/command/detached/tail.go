package detached

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// pollEvery is how often the journal of a session is read that another process
// writes and nobody serves.
const pollEvery = 200 * time.Millisecond

// earlier is how many messages of the past are shown where nothing else is
// said.
const earlier = 10

// NewTail looks on.
func NewTail(s *console.Streams) *cobra.Command {
	var n int
	var asJSON, verbose bool
	cmd := &cobra.Command{
		Use:   "tail ID",
		Short: "Print a session's conversation as it goes on",
		Long: `Prints the last messages of a session and what follows, until the session ends:
messages on standard output, everything else on standard error. ID is the
session's id or the beginning of it; a session that has ended is printed from
its journal. The exit code is that of the last turn. Ctrl-C stops looking on and
disturbs nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if n < -1 {
				return console.Usage("-n is %d: it must be 0 or more, or -1 for all", n)
			}
			t := &tail{streams: s, n: n, watch: headless.WatchOptions{
				Stdout: s.Out, Stderr: s.Err, TTY: s.OutTTY, JSON: asJSON, Verbose: verbose,
			}}
			return t.run(ctx, args[0])
		}),
	}
	cmd.Flags().IntVarP(&n, "lines", "n", earlier, "begin with the last `N` messages; -1 is all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the events, one JSON object a line")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "print tool outputs")
	return cmd
}

// tail is one look at a session.
type tail struct {
	streams  *console.Streams
	n        int
	watch    headless.WatchOptions
	app      *app.App
	registry *detach.Registry
	store    *store.Store
	shown    *headless.Watch
	id       string
	after    int64
}

func (t *tail) run(ctx context.Context, id string) error {
	var err error
	if t.app, err = t.streams.Open(ctx); err != nil {
		return err
	}
	defer t.app.Close()
	t.registry = registry(t.app)
	if t.store, err = store.New(store.Options{Root: t.app.Loaded.Places.Sessions()}); err != nil {
		return err
	}
	if t.id, err = t.find(ctx, id); err != nil {
		return err
	}
	stop, release := console.StopSignals(ctx, 0)
	defer release()
	if err := t.past(stop); err != nil {
		return err
	}
	for more := true; more; {
		if more, err = t.follow(stop); err != nil {
			return err
		}
	}
	if stop.Err() != nil {
		return console.Silent(console.StopCode(stop))
	}
	t.shown.Gone(t.id)
	return console.Silent(t.shown.Code())
}

// find is the session that is meant: one that runs, or any that is saved.
func (t *tail) find(ctx context.Context, id string) (string, error) {
	e, err := t.registry.Find(id)
	var missing *detach.NotFoundError
	if !errors.As(err, &missing) {
		if err != nil {
			return "", console.UsageOf(err)
		}
		return e.SessionID, nil
	}
	library, err := t.app.Library()
	if err != nil {
		return "", err
	}
	entry, err := library.Resolve(ctx, id)
	var unknown *sessions.NotFoundError
	switch {
	case errors.As(err, &unknown):
		return "", console.Usage("%w (ml-intern ps and ml-intern sessions list show them)", err)
	case err != nil:
		return "", console.UsageOf(err)
	case entry.Problem != "":
		return "", fmt.Errorf("session %s cannot be read: %s", entry.SessionID, entry.Problem)
	case !entry.Journal:
		return "", console.Usage("session %s is only a session file: ml-intern sessions show %s prints it", entry.SessionID, id)
	}
	return entry.SessionID, nil
}

// past shows the last messages of what there is.
func (t *tail) past(ctx context.Context) error {
	events, err := t.store.Read(ctx, t.id, 0, 0)
	if err != nil {
		return err
	}
	t.watch.From = 1
	if last := len(events); t.n >= 0 && last > 0 {
		t.watch.From = events[last-1].Seq + 1
		for i, left := last-1, t.n; i >= 0 && left > 0; i-- {
			if said(events[i]) {
				t.watch.From = events[i].Seq
				left--
			}
			if i == 0 && left > 0 { // there are fewer
				t.watch.From = 1
			}
		}
	}
	t.shown = headless.NewWatch(t.watch)
	for _, ev := range events {
		t.take(ev)
	}
	return nil
}

// said reports whether an event is a message of the conversation.
func said(ev event.Event) bool {
	if ev.Type != event.TypeHistoryMessage {
		return false
	}
	h, err := event.Decode[event.HistoryMessage](ev)
	return err == nil && h.AgentID == "" && !h.Message.Synthetic && h.Message.PlainText() != "" &&
		(h.Message.Role == llm.User || h.Message.Role == llm.Assistant)
}

func (t *tail) take(ev event.Event) {
	t.shown.Event(ev)
	t.after = ev.Seq
}

// follow shows what comes, and reports whether the conversation goes on
// elsewhere.
func (t *tail) follow(ctx context.Context) (more bool, err error) {
	if e, err := t.registry.Find(t.id); err == nil {
		if c, err := attach.Watch(ctx, e.Socket, app.Version()); err == nil {
			return t.attached(ctx, c)
		}
	}
	return false, t.poll(ctx)
}

// attached follows a session that is served. One that is lost has its events in
// the journal.
func (t *tail) attached(ctx context.Context, c *attach.Client) (more bool, err error) {
	defer c.Detach()
	before := c.Info()
	if before.SessionID != t.id {
		return false, t.poll(ctx)
	}
	for ev, err := range c.Follow(ctx, t.after) {
		if err != nil {
			return false, t.poll(ctx)
		}
		t.take(ev)
	}
	now := c.Info()
	if now.Chapter == before.Chapter || ctx.Err() != nil {
		return false, t.poll(ctx)
	}
	t.id, t.after = now.SessionID, now.After
	t.shown.Moved()
	return true, nil
}

// poll reads the journal until nobody writes it any more.
func (t *tail) poll(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		_, held := t.store.Held(t.id)
		events, err := t.store.Read(ctx, t.id, t.after, 0)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, ev := range events {
			t.take(ev)
		}
		if !held {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
