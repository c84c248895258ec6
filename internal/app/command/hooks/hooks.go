// Package hooks is the command that lists the user's hooks and runs them by hand.
package hooks

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/hooks"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hooks",
		Short: "List the commands beside a session's moments, and try them",
		Long: `Hooks are commands of yours that run beside the moments of a session: before
and after a tool call, when you send a message, when the agent is done, when a
job ends. The key hooks of the settings holds them.`,
	}
	list := newList(s)
	cmd.AddCommand(list, newTest(s))
	return console.WithDefault(cmd, list)
}

func newList(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what runs when",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			l, err := load(ctx, s)
			if err != nil {
				return err
			}
			rows := hooks.Shown(l)
			if asJSON {
				return s.PrintJSON(append([]hooks.Row{}, rows...))
			}
			if len(rows) == 0 {
				fmt.Fprintln(s.Out, hooks.Empty)
				return nil
			}
			width := 0
			for _, r := range rows {
				width = max(width, len(r.Title()))
			}
			for _, r := range rows {
				fmt.Fprintf(s.Out, "%-*s  %s\n", width, console.OneLine(r.Title()), console.OneLine(r.Text()))
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// load reads the settings and tells their warnings, such as that a project's hooks
// are not taken.
func load(ctx context.Context, s *console.Streams) (*config.Loaded, error) {
	l, err := s.Config(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range l.Warnings {
		fmt.Fprintln(s.Err, "warning: "+w.String())
	}
	return l, nil
}

// options are what a moment is tried with.
type options struct {
	tool, input, output, prompt, kind, text string
	failed, message, asJSON                 bool
}

func newTest(s *console.Streams) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "test EVENT",
		Short: "Run the hooks of a moment by hand",
		Long: `Run the hooks of a moment with values of your own, and show what each has
printed and what they decide together. Nothing else happens. The moments are
` + hooks.Names() + `.
The exit code is 1 when a hook has failed.`,
		Example: `  ml-intern hooks test PreToolUse --tool bash --input '{"command":"pip install x"}'
  ml-intern hooks test UserPromptSubmit --prompt 'train it again'
  ml-intern hooks test PostToolUse --tool edit --input '{"path":"a.py"}' --message`,
		Args: cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			moment, ok := hooks.Moment(args[0])
			if !ok {
				return console.Usage("there is no moment %q: there are %s", args[0], hooks.Names())
			}
			in, err := o.moment(moment)
			if err != nil {
				return err
			}
			return test(ctx, s, in, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.tool, "tool", "bash", "the tool's name, of a call")
	f.StringVar(&o.input, "input", "{}", "its arguments, a JSON object")
	f.StringVar(&o.output, "output", "", "its result, of PostToolUse")
	f.BoolVar(&o.failed, "failed", false, "the call has failed")
	f.StringVar(&o.prompt, "prompt", "", "the message, of UserPromptSubmit")
	f.StringVar(&o.kind, "kind", "", "what the matcher picks from, such as resume, auto, error or COMPLETED")
	f.StringVar(&o.text, "text", "", "the answer, of Stop; the text of a Notification")
	f.BoolVar(&o.message, "message", false, "only print what a hook would read")
	f.BoolVar(&o.asJSON, "json", false, "print a JSON object")
	return cmd
}

// moment is what the hooks are told.
func (o options) moment(m hook.Moment) (hook.Input, error) {
	in := hook.Input{Moment: m, SessionID: "00000000-0000-0000-0000-000000000000", Kind: o.kind, Mode: "ask"}
	usual := map[hook.Moment]string{
		hook.SessionStart: hook.Startup, hook.SessionEnd: hook.Exit, hook.PreCompact: hook.Auto, hook.Notification: "turn_complete", hook.JobFinished: "COMPLETED",
	}
	if in.Kind == "" {
		in.Kind = usual[m]
	}
	switch m {
	case hook.PreToolUse, hook.PostToolUse:
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(o.input), &object); err != nil || object == nil {
			return in, console.Usage("--input is not a JSON object")
		}
		in.Kind, in.Tool, in.ToolCallID, in.Arguments = "", o.tool, "call_1", json.RawMessage(o.input)
		in.Output, in.OK = o.output, !o.failed
	case hook.UserPromptSubmit:
		in.Prompt = o.prompt
	case hook.Stop, hook.Notification:
		in.Text = o.text
	case hook.JobFinished:
		in.Job = &hook.Job{ID: "00000000", Where: "hub", Status: in.Kind}
	}
	return in, nil
}

// outcome is what a test has come to, as JSON.
type outcome struct {
	Message json.RawMessage `json:"message"`
	Hooks   []ran           `json:"hooks"`
	Answer  answer          `json:"answer"`
}

type ran struct {
	Command string `json:"command"`
	Exit    int    `json:"exit_code"`
	TookMS  int64  `json:"took_ms"`
	Output  string `json:"stdout"`
	Errors  string `json:"stderr"`
	Problem string `json:"problem,omitempty"`
}

type answer struct {
	Decision     hook.Decision   `json:"decision,omitempty"`
	Reason       string          `json:"reason,omitempty"`
	Context      string          `json:"context,omitempty"`
	UpdatedInput json.RawMessage `json:"updated_input,omitempty"`
	Warnings     []string        `json:"warnings,omitempty"`
}

func test(ctx context.Context, s *console.Streams, in hook.Input, o options) error {
	l, err := load(ctx, s)
	if err != nil {
		return err
	}
	in.Cwd, in.Model = l.Dir, l.Config.ModelName
	r, err := hooks.NewRunner(l, nil, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	message, err := r.Message(in)
	if err != nil {
		return err
	}
	if o.message {
		_, err := s.Out.Write(message)
		return err
	}
	stop, release := console.StopSignals(ctx, 0)
	defer release()
	list, a, err := r.Try(stop, in)
	if err != nil {
		return err
	}
	if stop.Err() != nil {
		return &console.ExitError{Code: console.StopCode(stop), Err: context.Cause(stop)}
	}
	scrub, failed := hooks.Scrub(l), false
	out := outcome{Message: message, Hooks: []ran{}, Answer: answer{a.Decision, scrub(a.Reason), scrub(a.Context), hidden(a.UpdatedInput, scrub), a.Warnings}}
	for i, w := range out.Answer.Warnings {
		out.Answer.Warnings[i] = scrub(w)
	}
	for _, r := range list {
		out.Hooks = append(out.Hooks, ran{scrub(r.Command), r.Exit, r.Took.Milliseconds(), scrub(r.Output), scrub(r.Errors), scrub(r.Problem)})
		failed = failed || r.Problem != ""
	}
	if o.asJSON {
		err = s.PrintJSON(out)
	} else {
		show(s, in, out)
	}
	if err == nil && failed {
		return console.Silent(headless.ExitFailure)
	}
	return err
}

// hidden is JSON without secrets.
func hidden(raw json.RawMessage, scrub func(string) string) json.RawMessage {
	text := scrub(string(raw))
	if text == string(raw) || json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, _ := event.Encode(text) // texts always encode
	return quoted
}

// show prints what has become of the hooks.
func show(s *console.Streams, in hook.Input, out outcome) {
	a := out.Answer
	say := func(format string, args ...any) { fmt.Fprintln(s.Out, plain.ForTerminal(fmt.Sprintf(format, args...))) }
	if len(out.Hooks) == 0 {
		say("no hook fits %s", strings.TrimSpace(string(in.Moment)+" "+in.Tool+in.Kind))
	}
	for _, r := range out.Hooks {
		say("$ %s", r.Command)
		block(say, "  stdout: ", r.Output)
		block(say, "  stderr: ", r.Errors)
		took := amount.Took(time.Duration(r.TookMS) * time.Millisecond)
		if r.Exit < 0 {
			say("  no exit code: ended from outside after %s", took)
		} else {
			say("  exit code %d after %s", r.Exit, took)
		}
	}
	for _, w := range a.Warnings {
		say("warning: %s", console.OneLine(w))
	}
	if a.Decision != "" {
		say("decision: %s: %s", a.Decision, a.Reason)
	}
	if len(a.UpdatedInput) > 0 {
		say("updated_input: %s", a.UpdatedInput)
	}
	if a.Context != "" {
		block(say, "context: ", a.Context)
	}
	if a.Decision == "" && len(a.UpdatedInput) == 0 && a.Context == "" {
		say("decision: none")
	}
}

// What a person reads of a hook's output: --json has all of it.
const mostLines, mostText = 100, 20_000

// block prints a text of several lines.
func block(say func(string, ...any), label, text string) {
	text = strings.TrimRight(text, "\n")
	shown, left := 0, mostText
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if shown == mostLines || len(line) > left {
			say("%s… (%d lines in all: --json shows them)", label, strings.Count(text, "\n")+1)
			return
		}
		say("%s%s", label, line)
		label = strings.Repeat(" ", len(label))
		shown, left = shown+1, left-len(line)
	}
}
