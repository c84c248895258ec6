// Package acp is the command with which editors start this program: it joins the
// agent's side of the Agent Client Protocol with the sessions of this machine.
// Like the terminal it opens each in a process of its own, so that an editor
// which goes takes nothing with it.
package acp

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/account"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/ui/acp"
	"github.com/ml-intern/ml-intern/internal/ui/acp/front"
)

// options are the command's flags.
type options struct {
	model, effort, mode, cost     string
	sandbox, trust, noStream, log bool
}

// howToLogIn is what an editor shows whose person has no key.
const howToLogIn = "Run ml-intern login in a terminal; or set HF_TOKEN, or the key of a provider such as ANTHROPIC_API_KEY, " +
	"in the environment of the editor; or choose a model on this machine, such as ollama/llama3.1:8b, with ml-intern config set model_name."

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "acp",
		Short: "Work with an editor, over the Agent Client Protocol",
		Long: `Work with an editor that speaks the Agent Client Protocol (Zed, JetBrains IDEs,
Neovim, Emacs and others): it starts this command and speaks to it on standard
input and output. Nothing else is ever printed there.

Each conversation is a session like those in the terminal: saved, listed by
ml-intern sessions, gone on with by --resume, and shown by ml-intern attach while
the editor has it open. When the editor goes, its sessions go on alone or end, as
detach_on_hangup says.`,
		Example: `  ml-intern acp
  ml-intern acp --model anthropic/claude-opus-4-6 --approval-mode auto-edit
  ml-intern acp --login`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			if o.log {
				return account.Login(s).RunE(withContext(ctx), nil)
			}
			return o.serve(ctx, s)
		}),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&o.model, "model", "m", "", "`ID` of the model of new sessions")
	f.StringVar(&o.effort, "effort", "", "`LEVEL`: minimal, low, medium, high, xhigh, max or off")
	f.StringVar(&o.mode, "approval-mode", "", "`MODE` of new sessions: plan, ask, auto-edit, upstream or yolo")
	f.StringVar(&o.cost, "max-cost", "", "most `USD` that a session may spend; 0 is unlimited")
	f.BoolVar(&o.sandbox, "sandbox-tools", false, "run bash, read, write and edit in a Hub sandbox")
	f.BoolVar(&o.noStream, "no-stream", false, "tell whole messages instead of text as it arrives")
	f.BoolVar(&o.trust, "trust", false, "trust the configuration and .env of the folders that the editor opens")
	f.BoolVar(&o.log, "login", false, "log in to Hugging Face in this terminal, and end")
	return cmd
}

// withContext is a command that only carries a context.
func withContext(ctx context.Context) *cobra.Command {
	cmd := &cobra.Command{}
	cmd.SetContext(ctx)
	return cmd
}

// settings are those of the command line, by key.
func (o *options) settings() map[string][]string {
	set := map[string][]string{}
	for key, value := range map[string]string{
		"model_name": o.model, "reasoning_effort": o.effort, "permissions.mode": o.mode, "max_cost_usd": o.cost,
	} {
		if value != "" {
			set[key] = []string{value}
		}
	}
	if o.sandbox {
		set["tool_runtime"] = []string{"sandbox"}
	}
	return set
}

func (o *options) serve(ctx context.Context, s *console.Streams) error {
	if s.InTTY {
		return console.Usage("an editor starts this command and speaks to it on standard input: docs/editors.md has the lines for its settings")
	}
	// What is wrong with the settings, each session says to the editor.
	a, err := app.New(ctx, app.Options{Dir: s.Dir, Environ: s.Environ, Flags: o.settings(), Lenient: true})
	if err != nil {
		return err
	}
	defer a.Close()
	stop, release := console.StopSignals(ctx, 0)
	defer release()
	return acp.Serve(stop, s.In, s.Out, acp.Options{
		Host: &door{streams: s, options: o}, Debug: a.Debug,
		Desk: front.Desk{Version: app.Version(), Login: []string{"--login"}, HowToLogIn: howToLogIn},
	})
}
