package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/demo"
	"github.com/ml-intern/ml-intern/internal/app/simulation"
	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

func newDemo(s *console.Streams) *cobra.Command {
	var keep string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch it work, without a key, an account or a network",
		Long: `Run a small task from beginning to end: read up, audit the data, write and
run a training script, evaluate, report, push the model to a simulated Hub and
repeat the training there as a job. The tools, the commands and every number are
real; only the model's words are recorded. Needs python3, nothing else.`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			return runDemo(ctx, s, keep)
		}),
	}
	cmd.Flags().StringVar(&keep, "keep", "", "work in this new or empty `DIR` (default a new one)")
	return cmd
}

// demoHome is where the demo's session is kept, inside its folder.
const demoHome = ".ml-intern-home"

func runDemo(ctx context.Context, s *console.Streams, keep string) error {
	if err := demo.Require(ctx); err != nil {
		return err
	}
	dir, err := demoDir(s, keep)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Err, "This is a demo: the model's words are recorded, everything it does is real.\n"+
		"It works in %s, without a network and without a key;\nthe Hub it pushes to is simulated, inside this program.\n\n", dir)
	sim, err := simulation.Start(ctx, simulation.Scenarios()[0], simulation.Options{Fence: proc.Auto})
	if err != nil {
		return err
	}
	defer sim.Close()
	environment, err := sim.Environ(demoEnviron(s.Environ, dir))
	if err != nil {
		return err
	}
	a, err := app.New(ctx, app.Options{
		Dir: dir, Environ: environment, Headless: true, Simulation: sim,
		Flags: map[string][]string{
			"model_name": {demo.Model}, "workspace_root": {dir}, "tool_runtime": {"local"}, "permissions.mode": {"yolo"},
			"save_sessions": {"true"},
		},
	})
	if err != nil {
		return err
	}
	defer a.Close()
	session, err := a.OpenSession(ctx, app.SessionRequest{Prompt: true})
	if err != nil {
		return err
	}
	o := &rootOptions{format: string(headless.Text), simulate: sim.Scenario.Name}
	code, err := o.follow(ctx, s, a, session, event.UserInput{Text: demo.Prompt}, nil)
	if err != nil || code != headless.ExitOK {
		fmt.Fprintln(s.Err, "What was done so far is in "+dir)
		return firstOf(err, console.Silent(code))
	}
	fmt.Fprintln(s.Err, "\n"+sim.Bill().String())
	read, err := lookedUp(ctx, a, session.ID)
	if err != nil {
		return err
	}
	return demoEnd(s, dir, read)
}

// lookedUp is the evidence of a session that has ended.
func lookedUp(ctx context.Context, a *app.App, id string) ([]event.Evidence, error) {
	library, err := a.Library()
	if err != nil {
		return nil, err
	}
	entry, err := library.Resolve(ctx, id)
	if err != nil {
		return nil, err
	}
	doc, err := library.Load(ctx, entry)
	return doc.Evidence(), err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// demoDir prepares the folder the demo works in.
func demoDir(s *console.Streams, keep string) (string, error) {
	if keep != "" {
		dir := app.Absolute(keep, s.Dir)
		if err := demo.Prepare(dir); err != nil {
			return "", console.Usage("--keep: %w", err)
		}
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "ml-intern-demo-")
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	return dir, demo.Prepare(dir)
}

// demoEnviron is an environment without keys, settings and addresses, whose
// session lies in the demo's folder.
func demoEnviron(environment []string, dir string) []string {
	out := slices.DeleteFunc(slices.Clone(environment), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return environ.Secret(name) || strings.HasPrefix(name, "ML_INTERN_") || strings.HasSuffix(name, "_BASE_URL") ||
			strings.HasPrefix(name, "HF_") || strings.HasPrefix(name, "HUGGING")
	})
	home := filepath.Join(dir, demoHome)
	return append(out, "ML_INTERN_HOME="+home, "HF_HOME="+filepath.Join(home, "huggingface"))
}

// demoEnd checks the results and tells where everything lies.
func demoEnd(s *console.Streams, dir string, read []event.Evidence) error {
	sum, err := demo.Check(dir, read)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Err, "\nLooked up: %d sources. The report cites %d of them, and nothing else.\n", sum.Read, sum.Cited)
	fmt.Fprintf(s.Err, "\nEverything lies in %s:\n", sum.Dir)
	for _, f := range sum.Files {
		fmt.Fprintf(s.Err, "  %-22s %s\n", relative(dir, f.Path), f.About)
	}
	fmt.Fprintf(s.Err, "  %-22s %s\n", demoHome+"/state", "the session: its journal and its JSON file")
	fmt.Fprintf(s.Err, "\nNow with a real model and your own task:\n"+
		"  ml-intern --model ollama/llama3.1:8b \"what is in this folder?\"\n"+
		"  HF_TOKEN=... ml-intern \"fine-tune a small classifier on my data\"\n")
	return nil
}

func relative(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil {
		return rel
	}
	return path
}
