package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// rootOptions are the flags of a run.
type rootOptions struct {
	settings map[string][]string // by configuration key

	print      string
	input      string
	format     string
	lastFile   string
	schemaFile string
	timeout    time.Duration
	dir        string
	quiet      bool
	verbose    bool
	trust      bool
	goOn       bool
	resume     string
	fork       bool
	sessionID  string
	noStream   bool
	simulate   string
	images     []string
	detach     bool
	look       look
	version    bool
}

const rootExample = `  ml-intern "train a classifier on data/train.csv and report its accuracy"
  ml-intern --model ollama/llama3.1:8b "what is in this folder?"
  ml-intern --max-cost 5 --timeout 2h "reproduce the results in README.md"
  git diff | ml-intern "is this training change safe?"
  ml-intern --continue "now try a larger batch"
  ml-intern --detach "train it overnight"
  program | ml-intern --input-format stream-json --output-format stream-json
  ml-intern demo`

func newRoot(s *console.Streams) *cobra.Command {
	o := &rootOptions{settings: map[string][]string{}}
	cmd := &cobra.Command{
		Use:   "ml-intern [flags] [prompt]",
		Short: "An autonomous machine-learning engineer in your terminal",
		Long: `ml-intern works on machine-learning tasks by itself: it looks at data, writes
and runs training code, evaluates and reports. With a prompt it works without
questions until the task is done and prints the answer on standard output.

A word of the list below is a command only as the first argument: give a prompt
that begins with one with -p, or after --.`,
		Example:       rootExample,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.version {
				_, err := fmt.Fprintln(s.Out, console.VersionLine())
				return err
			}
			return runPrompt(cmd.Context(), s, o, strings.Join(args, " "))
		},
	}
	cmd.CompletionOptions.HiddenDefaultCmd = false
	cmd.SetUsageFunc(console.PrintUsage)
	o.flags(cmd.Flags())
	cmd.Flags().BoolP("help", "h", false, "help for ml-intern")
	cmd.Flags().BoolVarP(&o.version, "version", "v", false, "version for ml-intern")
	return cmd
}

func (o *rootOptions) flags(f *pflag.FlagSet) {
	f.SortFlags = false
	o.setting(f, "model", "m", "model_name", "ID", "model to use", app.DefaultModel)
	o.setting(f, "effort", "", "reasoning_effort", "LEVEL", "minimal, low, medium, high, xhigh, max or off", "high")
	o.number(f, "max-iterations", "max_iterations", "most model calls of a turn; a negative number is unlimited", 300)
	f.BoolVar(&o.noStream, "no-stream", false, "print whole messages instead of text as it arrives")
	o.toggle(f, "sandbox-tools", "tool_runtime", "sandbox", "run bash, read, write and edit in a Hub sandbox")
	o.setting(f, "max-cost", "", "max_cost_usd", "USD", "spending cap of the session; 0 is unlimited", "25")
	f.DurationVar(&o.timeout, "timeout", 0, "stop after this `TIME`, e.g. 90m or 2h (default none)")
	o.setting(f, "approval-mode", "", "permissions.mode", "MODE", "plan, ask, auto-edit, upstream or yolo", "yolo with a prompt, else ask")
	o.list(f, "allow", "permissions.allow", "permit matching calls, e.g. 'bash(git status*)'; repeatable")
	o.list(f, "deny", "permissions.deny", "refuse matching calls in every mode; repeatable")
	o.toggle(f, "dangerously-skip-permissions", "permissions.mode", "yolo", "the same as --approval-mode yolo")
	f.StringVarP(&o.print, "print", "p", "", "the `PROMPT`, when it could be taken for a command")
	f.StringArrayVar(&o.images, "image", nil, "send this picture `FILE` along; repeatable")
	f.StringVar(&o.input, "input-format", "text", "`FORMAT` of standard input: text, or stream-json (messages, approvals and more, one a line)")
	f.StringVar(&o.format, "output-format", "text", "`FORMAT`: text, json (one result object) or stream-json (one event a line)")
	f.StringVarP(&o.lastFile, "output-last-message", "o", "", "also write the final message to this `FILE`")
	f.StringVar(&o.schemaFile, "output-schema", "", "JSON schema `FILE` that the final message must fit")
	f.BoolVarP(&o.goOn, "continue", "c", false, "go on with the newest session of this directory")
	f.StringVarP(&o.resume, "resume", "r", "", "go on with a session: `ID`, prefix, number or path")
	f.BoolVar(&o.fork, "fork", false, "with --continue or --resume: go on in a copy")
	f.StringVar(&o.sessionID, "session-id", "", "`UUID` of the new session (default random)")
	f.StringVar(&o.dir, "cwd", "", "work in this `DIR` (default the current one)")
	f.BoolVar(&o.trust, "trust", false, "trust this folder's configuration and .env for this run")
	f.StringVar(&o.simulate, "simulate", "", "try it on a simulated Hub, in a `SCENARIO`: calm, no-credits, rate-limited, job-oom, log-cut or flaky-storage")
	f.Lookup("simulate").NoOptDefVal = "calm"
	f.BoolVar(&o.detach, "detach", false, "work in the background: ml-intern ps, attach, tail and stop reach it")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print only the last message")
	f.BoolVar(&o.verbose, "verbose", false, "print tool outputs on standard error")
	o.look.flags(f)
}

// keyValue is a flag whose value goes to the configuration under a key, where
// it is checked with everything else.
type keyValue struct {
	settings map[string][]string
	key      string
	fixed    string // the value a switch stands for
	many     bool
	kind     string
	fallback string
}

func (v *keyValue) String() string { return v.fallback }
func (v *keyValue) Type() string   { return v.kind }

func (v *keyValue) Set(text string) error {
	if v.fixed != "" {
		on, err := strconv.ParseBool(text)
		if err != nil || !on {
			return err
		}
		text = v.fixed
	}
	if !v.many {
		v.settings[v.key] = nil
	}
	v.settings[v.key] = append(v.settings[v.key], text)
	return nil
}

func (o *rootOptions) setting(f *pflag.FlagSet, name, short, key, kind, help, fallback string) {
	f.VarP(&keyValue{settings: o.settings, key: key, kind: kind, fallback: fallback}, name, short, help)
}

func (o *rootOptions) number(f *pflag.FlagSet, name, key, help string, fallback int) {
	f.Var(&keyValue{settings: o.settings, key: key, kind: "N", fallback: strconv.Itoa(fallback)}, name, help)
}

func (o *rootOptions) list(f *pflag.FlagSet, name, key, help string) {
	f.Var(&keyValue{settings: o.settings, key: key, kind: "RULE", many: true}, name, help)
}

func (o *rootOptions) toggle(f *pflag.FlagSet, name, key, value, help string) {
	f.Var(&keyValue{settings: o.settings, key: key, fixed: value, kind: "bool", fallback: "false"}, name, help)
	f.Lookup(name).NoOptDefVal = "true"
}

// check refuses flags that do not fit together.
func (o *rootOptions) check() error {
	switch {
	case !slices.Contains([]string{"text", "json", "stream-json"}, o.format):
		return console.Usage("--output-format is %q: it must be text, json or stream-json", o.format)
	case !slices.Contains([]string{"text", streamJSON}, o.input):
		return console.Usage("--input-format is %q: it must be text or stream-json", o.input)
	case o.input == streamJSON && o.format != streamJSON:
		return console.Usage("--input-format stream-json goes with --output-format stream-json: whoever writes the lines reads what becomes of them")
	case o.input == streamJSON && o.schemaFile != "":
		return console.Usage("--output-schema is about one answer: it does not go with --input-format stream-json")
	case o.input == streamJSON && o.detach:
		return console.Usage("--detach reads no lines: it does not go with --input-format stream-json")
	case o.goOn && o.resume != "":
		return console.Usage("--continue and --resume exclude each other")
	case o.fork && !o.goOn && o.resume == "":
		return console.Usage("--fork needs --continue or --resume")
	case o.sessionID != "" && (o.goOn || o.resume != "") && !o.fork:
		return console.Usage("--session-id names a new session: it does not go with --continue or --resume")
	case o.simulate != "" && (o.goOn || o.resume != ""):
		return console.Usage("--simulate begins a session of its own: it does not go with --continue or --resume")
	case o.detach && o.simulate != "":
		return console.Usage("--detach does not go with --simulate: the simulated Hub ends with this program")
	case o.detach && o.format == "stream-json":
		return console.Usage("--detach prints no events: ml-intern tail --json ID does")
	case o.detach && (o.schemaFile != "" || o.lastFile != ""):
		return console.Usage("--detach does not wait for the final message: it does not go with --output-schema and --output-last-message")
	case o.timeout < 0:
		return console.Usage("--timeout is %s: it must be positive", o.timeout)
	}
	return nil
}

// streamJSON is the format of one JSON object a line.
const streamJSON = "stream-json"

// lines reports whether another program asks for things, line by line.
func (o *rootOptions) lines() bool { return o.input == streamJSON }

// sessionRequest is which session to open.
func (o *rootOptions) sessionRequest() app.SessionRequest {
	return app.SessionRequest{Continue: o.goOn, Resume: o.resume, Fork: o.fork, ID: o.sessionID, Later: o.lines()}
}

var errNoPrompt = fmt.Errorf("a prompt is missing: ml-intern \"what to do\" (ml-intern --help lists everything, ml-intern demo shows it working without a key)")
