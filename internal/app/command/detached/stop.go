package detached

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/leftovers"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
)

// stopWait is how long stop waits for a session's end.
const stopWait = 15 * time.Second

// NewStop ends a session.
func NewStop(s *console.Streams) *cobra.Command {
	var now bool
	cmd := &cobra.Command{
		Use:   "stop ID",
		Short: "End a running session",
		Long: `Ends a session that runs in a process of its own, with or without a terminal:
a running turn is interrupted and everything is saved; an open approval and
messages that wait are there again when the session is gone on with. ID is the
session's id or the beginning of it. With --now its processes are killed
instead, which loses nothing it has told.`,
		Args: cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return stop(ctx, s, args[0], now)
		}),
	}
	cmd.Flags().BoolVar(&now, "now", false, "kill it, without waiting")
	return cmd
}

func stop(ctx context.Context, s *console.Streams, id string, now bool) error {
	a, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	list := registry(a)
	e, err := find(list, id)
	if err != nil {
		return err
	}
	if now {
		err = list.Kill(ctx, e)
	} else {
		ctx, cancel := context.WithTimeout(ctx, stopWait)
		defer cancel()
		err = list.Stop(ctx, e, app.Version())
	}
	if err != nil {
		return err
	}
	for _, line := range left(context.WithoutCancel(ctx), a, e.SessionID) {
		fmt.Fprintln(s.Err, console.OneLine(line))
	}
	if !a.Kept(ctx, e.SessionID) {
		_, err = fmt.Fprintf(s.Out, "Session %s has ended. Nothing was said in it, so nothing is kept.\n", e.SessionID)
		return err
	}
	_, err = fmt.Fprintf(s.Out, "Session %s has ended. Go on with it: ml-intern --resume %s\n", e.SessionID, e.SessionID)
	return err
}

// left is what the session has left running.
func left(ctx context.Context, a *app.App, id string) []string {
	st, err := store.New(store.Options{Root: a.Loaded.Places.Sessions()})
	if err != nil {
		return nil
	}
	events, err := st.Read(ctx, id, 0, 0)
	if err != nil {
		return nil
	}
	state, err := history.Load(events)
	if err != nil {
		return nil
	}
	var lines []string
	for _, p := range leftovers.Lines(state) {
		if l, ok := p.(event.ToolLog); ok {
			lines = append(lines, l.Log)
		}
	}
	return lines
}
