// Package settings is the command that shows and changes settings. Which there
// are it does not know.
package settings

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/config"
)

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show and change settings",
		Long: `Settings come from built-in defaults, your own file, the project's
.ml-intern/config.json, environment variables and flags; later ones win.`,
	}
	cmd.AddCommand(newShow(s), newGet(s), newSet(s), newUnset(s), newPath(s))
	return console.WithoutRun(cmd)
}

func newShow(s *console.Streams) *cobra.Command {
	var sources, asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print every setting in force",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			return show(ctx, s, sources, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&sources, "sources", false, "add where each value comes from")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// show prints what is in force also when something is wrong, and then
// says what.
func show(ctx context.Context, s *console.Streams, sources, asJSON bool) error {
	l, faults := s.Config(ctx)
	if l == nil {
		return console.UsageOf(faults)
	}
	for _, w := range l.Warnings {
		fmt.Fprintln(s.Err, "warning: "+w.String())
	}
	var err error
	if asJSON {
		err = asObject(s, l, sources)
	} else {
		err = asTable(s.Out, l, sources)
	}
	if faults != nil {
		return console.UsageOf(faults)
	}
	return err
}

func asTable(out io.Writer, l *config.Loaded, sources bool) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range l.Values() {
		line := v.Key + "\t" + v.JSON
		if sources {
			line += "\t" + v.Source.String()
		}
		fmt.Fprintln(table, line)
	}
	return table.Flush()
}

func asObject(s *console.Streams, l *config.Loaded, sources bool) error {
	type entry struct {
		Value  json.RawMessage `json:"value"`
		Source string          `json:"source"`
	}
	plain, full := map[string]json.RawMessage{}, map[string]entry{}
	for _, v := range l.Values() {
		plain[v.Key] = json.RawMessage(v.JSON)
		full[v.Key] = entry{json.RawMessage(v.JSON), v.Source.String()}
	}
	if sources {
		return s.PrintJSON(full)
	}
	return s.PrintJSON(plain)
}

func newGet(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "get KEY",
		Short: "Print one setting in force",
		Args:  cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			l, faults := s.Config(ctx)
			if l == nil {
				return console.UsageOf(faults)
			}
			members := map[string]json.RawMessage{}
			for _, v := range l.Values() {
				if v.Key == args[0] {
					_, err := fmt.Fprintln(s.Out, bareText(v.JSON))
					return err
				}
				if name, ok := strings.CutPrefix(v.Key, args[0]+"."); ok {
					members[name] = json.RawMessage(v.JSON)
				}
			}
			if len(members) > 0 {
				return s.PrintJSON(members)
			}
			return console.Usage("there is no setting %q (ml-intern config show lists them)", args[0])
		}),
	}
}

// bareText is a JSON text without its quotes, and any other value as it is.
func bareText(value string) string {
	var text string
	if json.Unmarshal([]byte(value), &text) == nil && value != "null" {
		return text
	}
	return value
}

func newSet(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "set KEY VALUE",
		Short: "Write one setting into your own file",
		Args:  cobra.ExactArgs(2),
		Example: `  ml-intern config set model_name ollama/llama3.1:8b
  ml-intern config set permissions.deny 'bash(rm *),bash(sudo *)'
  ml-intern config set max_cost_usd 5`,
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return change(ctx, s, func(l *config.Loaded) error { return l.Set(ctx, args[0], args[1]) }, "set "+args[0]+" in")
		}),
	}
}

func newUnset(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "unset KEY",
		Short: "Remove one setting from your own file",
		Args:  cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return change(ctx, s, func(l *config.Loaded) error { return l.Unset(ctx, args[0]) }, "removed "+args[0]+" from")
		}),
	}
}

func change(ctx context.Context, s *console.Streams, edit func(*config.Loaded) error, done string) error {
	l, faults := s.Config(ctx)
	if l == nil {
		return console.UsageOf(faults)
	}
	if err := edit(l); err != nil {
		return console.UsageOf(err)
	}
	_, err := fmt.Fprintln(s.Out, done+" "+l.UserFile)
	return err
}

func newPath(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "path",
		Short: "Print the path of your own settings file",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			l, faults := s.Config(ctx)
			if l == nil {
				return console.UsageOf(faults)
			}
			_, err := fmt.Fprintln(s.Out, l.UserFile)
			return err
		}),
	}
}
