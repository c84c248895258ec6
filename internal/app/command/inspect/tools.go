package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// Tools makes the command.
func Tools(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tools",
		Short: "List, show and call the agent's tools",
	}
	cmd.AddCommand(newToolsList(s), newToolsShow(s), newToolsCall(s))
	return console.WithoutRun(cmd)
}

// tools opens the tools; close the app when done.
func tools(ctx context.Context, s *console.Streams) (*app.App, []tool.Tool, error) {
	a, err := s.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, err := a.Tools(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, a.Close())
	}
	return a, all, nil
}

// toolInfo is a tool as the model sees it.
type toolInfo struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

func infoOf(t tool.Tool) toolInfo {
	spec := t.Spec()
	return toolInfo{spec.Name, spec.Description, spec.Parameters}
}

func newToolsList(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tools in the order the model sees them",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			a, all, err := tools(ctx, s)
			if err != nil {
				return err
			}
			defer a.Close()
			infos, width := []toolInfo{}, 0
			for _, t := range all {
				infos = append(infos, infoOf(t))
				width = max(width, len(t.Spec().Name))
			}
			if asJSON {
				return s.PrintJSON(infos)
			}
			for _, info := range infos {
				fmt.Fprintf(s.Out, "%-*s  %s\n", width, info.Name, firstSentence(info.Description, 76-width))
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// firstSentence is the beginning of a description that fits a width.
func firstSentence(text string, width int) string {
	text = console.OneLine(text)
	if head, _, ok := strings.Cut(text, ". "); ok {
		text = head
	}
	if runes := []rune(text); len(runes) > width {
		text = string(runes[:width-1]) + "…"
	}
	return text
}

func newToolsShow(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Print a tool's description and parameters",
		Args:  cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			a, all, err := tools(ctx, s)
			if err != nil {
				return err
			}
			defer a.Close()
			if err := known(all, args[0]); err != nil {
				return err
			}
			for _, t := range all {
				info := infoOf(t)
				if info.Name != args[0] {
					continue
				}
				var pretty bytes.Buffer
				if err := json.Indent(&pretty, info.Parameters, "", "  "); err != nil {
					return err
				}
				fmt.Fprintf(s.Out, "%s\n\n%s\n\n%s\n", info.Name, strings.TrimSpace(info.Description), pretty.String())
			}
			return nil
		}),
	}
}

func newToolsCall(s *console.Streams) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "call NAME JSON [NAME JSON]...",
		Short: "Run tools outside a conversation, one after another",
		Long: `Run tools one after another in a session of their own, with the same argument
checks, permission rules and environment as in a conversation. Results go to
standard output, progress to standard error. The first call that fails ends the
run with exit code 1; a call that needs an approval fails without --yes.`,
		Example: `  ml-intern tools call read '{"path":"train.py"}'
  ml-intern tools call --yes bash '{"command":"make test"}'
  ml-intern tools call read '{"path":"a.txt"}' \
      edit '{"path":"a.txt","old_str":"1","new_str":"2"}'`,
		Args: cobra.MinimumNArgs(2),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			calls, err := toolCalls(args)
			if err != nil {
				return err
			}
			return callTools(ctx, s, calls, yes)
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "approve every call")
	return cmd
}

// toolCall is a call from the command line; its arguments are a JSON object.
type toolCall struct {
	name      string
	arguments json.RawMessage
}

func toolCalls(args []string) ([]toolCall, error) {
	if len(args)%2 != 0 {
		return nil, console.Usage("%s has no arguments: give a JSON object after every name, {} for none", args[len(args)-1])
	}
	var calls []toolCall
	for i := 0; i < len(args); i += 2 {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(args[i+1]), &object); err != nil || object == nil {
			if err == nil {
				err = errors.New("it is null")
			}
			return nil, console.Usage("the arguments of %s are not a JSON object: %w", args[i], err)
		}
		calls = append(calls, toolCall{args[i], json.RawMessage(args[i+1])})
	}
	return calls, nil
}

// known refuses a name that no tool has.
func known(tools []tool.Tool, name string) error {
	if !slices.ContainsFunc(tools, func(t tool.Tool) bool { return t.Spec().Name == name }) {
		return console.Usage("there is no tool %q (ml-intern tools list shows them)", name)
	}
	return nil
}

// closeTime is how long the tools may take to end: sandboxes are deleted.
const closeTime = 30 * time.Second

func callTools(ctx context.Context, s *console.Streams, calls []toolCall, yes bool) (err error) {
	a, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	session, err := a.Direct(ctx, false)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		if closed := session.Close(ctx); err == nil {
			err = closed
		}
	}()
	for _, c := range calls {
		if err := known(session.Tools(), c.name); err != nil {
			return err
		}
	}
	if yes {
		session.Approve()
	}
	stop, release := console.StopSignals(ctx, 0)
	defer release()
	for _, c := range calls {
		out := session.Call(stop, c.name, c.arguments, func(line string) { fmt.Fprintf(s.Err, "%s: %s\n", c.name, plain.String(a.Scrub(line))) })
		if stop.Err() != nil {
			return &console.ExitError{Code: console.StopCode(stop), Err: context.Cause(stop)}
		}
		fmt.Fprintln(s.Out, strings.TrimRight(shown(s, a.Scrub(out.Output)), "\n"))
		switch {
		case out.Refused && out.Verdict.Action == policy.Ask && !out.Capped:
			fmt.Fprintf(s.Err, "%s: this call needs an approval: --yes gives it\n", c.name)
			return console.Silent(headless.ExitFailure)
		case !out.OK:
			return console.Silent(headless.ExitFailure)
		}
	}
	return nil
}

// shown is a result as it is printed: on a terminal nothing in it may steer.
func shown(s *console.Streams, text string) string {
	if s.OutTTY {
		return plain.String(text)
	}
	return text
}
