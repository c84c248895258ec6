// Package notify is the command that lists the destinations of notifications and
// tries them.
package notify

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/messenger"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "List the destinations of notifications, and try them",
		Long: `Notifications tell you elsewhere what a session comes to: in Slack, Discord,
Teams, Telegram, ntfy, at an address of your own, on the desktop, or through a
command. The key messaging of the settings holds the destinations.`,
	}
	list := newList(s)
	cmd.AddCommand(list, newTest(s))
	return console.WithDefault(cmd, list)
}

// load reads the settings and the destinations, and tells the warnings.
func load(ctx context.Context, s *console.Streams) (*config.Loaded, []messenger.Receiver, error) {
	l, err := s.Config(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range l.Warnings {
		fmt.Fprintln(s.Err, "warning: "+w.String())
	}
	client, err := httpx.New(httpx.Options{Version: app.Version(), Proxy: http.ProxyFromEnvironment})
	if err != nil {
		return nil, nil, err
	}
	return l, messenger.Receivers(l, client), nil
}

const none = "there are no destinations: messaging.destinations in the settings holds them, or set SLACK_BOT_TOKEN and SLACK_CHANNEL_ID"

// row is a destination as it is listed.
type row struct {
	Name     string   `json:"name"`
	Provider string   `json:"provider"`
	Agent    bool     `json:"allow_agent_tool"`
	Auto     bool     `json:"allow_auto_events"`
	Thread   bool     `json:"thread"`
	Events   []string `json:"auto_event_types"` // that are sent there
	Problem  string   `json:"problem,omitempty"`
}

// rows lists the destinations with what is sent to each.
func rows(l *config.Loaded, all []messenger.Receiver) []row {
	out := []row{}
	for _, r := range all {
		d := r.Settings
		line := row{Name: r.Name, Provider: d.Provider, Agent: d.AllowAgentTool, Auto: d.AllowAutoEvents, Thread: d.Thread, Events: []string{}}
		if d.AllowAutoEvents && l.Config.Messaging.Enabled {
			line.Events = append(line.Events, l.Config.Messaging.AutoEventTypes...)
		}
		switch {
		case r.Err != nil:
			line.Problem = r.Err.Error()
		case !l.Config.Messaging.Enabled:
			line.Problem = "messaging.enabled is false"
		}
		out = append(out, line)
	}
	return out
}

func newList(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the destinations and what is sent there",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			l, all, err := load(ctx, s)
			if err != nil {
				return err
			}
			list := rows(l, all)
			if asJSON {
				return s.PrintJSON(list)
			}
			if len(list) == 0 {
				fmt.Fprintln(s.Out, none)
			}
			for _, r := range list {
				fmt.Fprintf(s.Out, "%s (%s): %s\n", console.OneLine(r.Name), r.Provider, console.OneLine(r.text()))
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// text says what is sent to a destination.
func (r row) text() string {
	if r.Problem != "" {
		return "off: " + r.Problem
	}
	var parts []string
	if len(r.Events) > 0 {
		parts = append(parts, strings.Join(r.Events, ", "))
	}
	if r.Agent {
		parts = append(parts, "what the agent sends")
	}
	if len(parts) == 0 {
		return "nothing: set allow_auto_events or allow_agent_tool"
	}
	text := strings.Join(parts, "; ")
	if r.Thread {
		text += "; a thread a session"
	}
	return text
}

func newTest(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "test [DESTINATION...]",
		Short: "Send a message to all destinations, or to some",
		Long: `Send a message to all destinations, or to the named ones, and tell which took
it. Destinations need not allow anything for that, nor messaging be enabled. The
exit code is 1 when one has failed.`,
		RunE: console.Do(func(ctx context.Context, args []string) error {
			_, all, err := load(ctx, s)
			if err != nil {
				return err
			}
			chosen, err := choose(all, args)
			if err != nil {
				return err
			}
			return test(ctx, s, chosen)
		}),
	}
}

// choose finds destinations by their names; no name is all of them.
func choose(all []messenger.Receiver, names []string) ([]messenger.Receiver, error) {
	if len(all) == 0 {
		return nil, console.Usage("%s", none)
	}
	if len(names) == 0 {
		return all, nil
	}
	var chosen []messenger.Receiver
	for i, name := range names {
		at := slices.IndexFunc(all, func(r messenger.Receiver) bool { return r.Name == name })
		if at < 0 {
			return nil, console.Usage("there is no destination %q, or it is off: ml-intern notify list names those that can be used", name)
		}
		if !slices.Contains(names[:i], name) {
			chosen = append(chosen, all[at])
		}
	}
	return chosen, nil
}

// test sends a message to each, side by side.
func test(ctx context.Context, s *console.Streams, chosen []messenger.Receiver) error {
	lines, failed := make([]string, len(chosen)), make([]bool, len(chosen))
	var wait sync.WaitGroup
	for i, r := range chosen {
		wait.Go(func() {
			err := r.Err
			if err == nil {
				_, err = messaging.Deliver(ctx, r.Gateway, messaging.Message{
					ID: "msg_" + uuid.NewString(), Time: time.Now(), Severity: messaging.Info, Title: "Test", Text: "This is a test of **ml-intern**.",
					Fields: []messaging.Field{{Name: "destination", Value: r.Name}},
				})
			}
			lines[i] = r.Name + ": sent"
			if err != nil {
				lines[i], failed[i] = fmt.Sprintf("%s: failed (%v)", r.Name, err), true
			}
		})
	}
	wait.Wait()
	for _, line := range lines {
		fmt.Fprintln(s.Out, console.OneLine(line))
	}
	if slices.Contains(failed, true) {
		return console.Silent(headless.ExitFailure)
	}
	return nil
}
