package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/config"
)

func newConfig(s *Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show and change settings",
		Long: `Settings come from built-in defaults, your own file, the project's
.ml-intern/config.json, environment variables and flags; later ones win.`,
	}
	cmd.AddCommand(newConfigShow(s), newConfigGet(s), newConfigSet(s), newConfigUnset(s), newConfigPath(s))
	return withoutRun(cmd)
}

func newConfigShow(s *Streams) *cobra.Command {
	var sources, asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print every setting in force",
		Args:  cobra.NoArgs,
		RunE: do(func(ctx context.Context, _ []string) error {
			return s.showConfig(ctx, sources, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&sources, "sources", false, "add where each value comes from")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// showConfig prints what is in force also when something is wrong, and then
// says what.
func (s *Streams) showConfig(ctx context.Context, sources, asJSON bool) error {
	l, faults := s.config(ctx)
	if l == nil {
		return usageOf(faults)
	}
	for _, w := range l.Warnings {
		fmt.Fprintln(s.Err, "warning: "+w.String())
	}
	var err error
	if asJSON {
		err = s.configJSON(l, sources)
	} else {
		err = configTable(s.Out, l, sources)
	}
	if faults != nil {
		return usageOf(faults)
	}
	return err
}

// usageOf makes a fault of the configuration a usage error.
func usageOf(err error) error { return usage("%w", err) }

func configTable(out io.Writer, l *config.Loaded, sources bool) error {
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

func (s *Streams) configJSON(l *config.Loaded, sources bool) error {
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
		return s.printJSON(full)
	}
	return s.printJSON(plain)
}

func newConfigGet(s *Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "get KEY",
		Short: "Print one setting in force",
		Args:  cobra.ExactArgs(1),
		RunE: do(func(ctx context.Context, args []string) error {
			l, faults := s.config(ctx)
			if l == nil {
				return usageOf(faults)
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
				return s.printJSON(members)
			}
			return usage("there is no setting %q (ml-intern config show lists them)", args[0])
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

func newConfigSet(s *Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "set KEY VALUE",
		Short: "Write one setting into your own file",
		Args:  cobra.ExactArgs(2),
		Example: `  ml-intern config set model_name ollama/llama3.1:8b
  ml-intern config set permissions.deny 'bash(rm *),bash(sudo *)'
  ml-intern config set max_cost_usd 5`,
		RunE: do(func(ctx context.Context, args []string) error {
			return s.editConfig(ctx, func(l *config.Loaded) error { return l.Set(ctx, args[0], args[1]) }, "set "+args[0]+" in")
		}),
	}
}

func newConfigUnset(s *Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "unset KEY",
		Short: "Remove one setting from your own file",
		Args:  cobra.ExactArgs(1),
		RunE: do(func(ctx context.Context, args []string) error {
			return s.editConfig(ctx, func(l *config.Loaded) error { return l.Unset(ctx, args[0]) }, "removed "+args[0]+" from")
		}),
	}
}

func (s *Streams) editConfig(ctx context.Context, edit func(*config.Loaded) error, done string) error {
	l, faults := s.config(ctx)
	if l == nil {
		return usageOf(faults)
	}
	if err := edit(l); err != nil {
		return usageOf(err)
	}
	_, err := fmt.Fprintln(s.Out, done+" "+l.UserFile)
	return err
}

func newConfigPath(s *Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "path",
		Short: "Print the path of your own settings file",
		Args:  cobra.NoArgs,
		RunE: do(func(ctx context.Context, _ []string) error {
			l, faults := s.config(ctx)
			if l == nil {
				return usageOf(faults)
			}
			_, err := fmt.Fprintln(s.Out, l.UserFile)
			return err
		}),
	}
}

// withoutRun makes a command that only has subcommands refuse everything else.
func withoutRun(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("%s needs a subcommand (%s --help lists them)", cmd.CommandPath(), cmd.CommandPath())
		}
		return usage("%s has no subcommand %q (%s --help lists them; a prompt that begins with %q is given with -p)",
			cmd.CommandPath(), args[0], cmd.CommandPath(), cmd.Name())
	}
	return cmd
}
