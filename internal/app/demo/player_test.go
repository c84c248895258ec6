package demo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/replay"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/demo"
	"github.com/ml-intern/ml-intern/internal/app/simulation"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/engine/arguments"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// player is the smallest agent: it plays the script and runs its calls, those
// that look things up with the program's own tools on the simulated Hub.
type player struct {
	shell, dir string
	reverse    bool // the calls of a message, which may run at once
	said       string
	failed     []string // ids of calls
	planned    []string // states of the last plan
	env        *tooltest.Env
	tools      []tool.Tool
	model      *replay.Model
}

// open makes the tools.
func (p *player) open(t *testing.T) {
	t.Helper()
	sim, err := simulation.Start(t.Context(), simulation.Scenarios()[0], simulation.Options{Fence: proc.Off})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	environment, err := sim.Environ([]string{"ML_INTERN_HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), app.Options{
		Dir: p.dir, Environ: environment, Headless: true, Simulation: sim,
		Flags: map[string][]string{"model_name": {demo.Model}, "workspace_root": {p.dir}, "tool_runtime": {"local"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	if p.tools, err = a.Tools(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.env = &tooltest.Env{Delegated: func(ctx context.Context, d tool.Delegation) tool.Report {
		before := len(p.env.Sources())
		text := p.talk(t, llm.KindResearch, d.Task, func(c llm.ToolCall) (string, bool) { return p.use(t, d.Tools, c) })
		return tool.Report{Text: text, Evidence: p.env.Sources()[before:]}
	}}
}

// use runs a call with one of tools.
func (p *player) use(t *testing.T, tools []tool.Tool, c llm.ToolCall) (string, bool) {
	t.Helper()
	i := slices.IndexFunc(tools, func(has tool.Tool) bool { return has.Spec().Name == c.Name })
	if i < 0 {
		t.Fatalf("no tool named %s", c.Name)
	}
	checked, err := arguments.Compile(tools[i].Spec().Parameters, tools[i].Spec().Synonyms)
	if err != nil {
		t.Fatal(err)
	}
	args, _, err := checked.Check(c.Arguments)
	if err != nil {
		t.Fatalf("arguments of %s: %v", c.ID, err)
	}
	result, err := tools[i].Run(t.Context(), p.env, args)
	if err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	return result.Output, result.OK
}

func (p *player) play(t *testing.T) {
	t.Helper()
	p.open(t)
	quick := regexp.MustCompile(`"delay_ms": \d+`).ReplaceAll(scriptText(t), []byte(`"delay_ms": 0`))
	var err error
	if p.model, err = replay.New(replay.Options{Scripts: fstest.MapFS{"demo.json": {Data: quick}}}); err != nil {
		t.Fatal(err)
	}
	p.said = p.talk(t, llm.KindMain, demo.Prompt, func(c llm.ToolCall) (string, bool) { return p.run(t, c) })
	if diff := cmp.Diff([]string{"trial"}, p.failed); diff != "" {
		t.Errorf("the calls that failed: %s", diff)
	}
	if diff := cmp.Diff([]string{"completed"}, slices.Compact(p.planned)); diff != "" {
		t.Errorf("the plan at the end: %s", diff)
	}
}

// talk is one conversation; it returns the answer at its end.
func (p *player) talk(t *testing.T, kind llm.Kind, prompt string, run func(llm.ToolCall) (string, bool)) string {
	t.Helper()
	history := []llm.Message{{Role: llm.User, Text: prompt}}
	for {
		answer := p.ask(t, kind, history)
		history = append(history, answer)
		p.sound(t, answer)
		if len(answer.ToolCalls) == 0 {
			return answer.Text
		}
		calls := slices.Clone(answer.ToolCalls)
		if p.reverse {
			slices.Reverse(calls)
		}
		for _, c := range calls {
			out, ok := run(c)
			if !ok {
				p.failed = append(p.failed, c.ID)
			}
			history = append(history, llm.Message{Role: llm.ToolRole, ToolCallID: c.ID, Name: c.Name, Text: out})
		}
	}
}

// sound checks that all blanks of a message are filled, and that what it cites
// has been read.
func (p *player) sound(t *testing.T, m llm.Message) {
	t.Helper()
	text := m.Text
	for _, c := range m.ToolCalls {
		text += "\n" + c.Arguments
	}
	for _, bad := range []string{"unknown", "{{tool"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q in %q", bad, text)
		}
	}
	if bad := evidence.Unverified(m.Text, p.env.Sources()); len(bad) > 0 {
		t.Errorf("%q is cited, and was not read, in %q", bad, m.Text)
	}
}

func (p *player) ask(t *testing.T, kind llm.Kind, history []llm.Message) llm.Message {
	t.Helper()
	for chunk, err := range p.model.Stream(t.Context(), llm.Request{Model: demo.Model, SessionID: "s", Kind: kind, Messages: history}) {
		if err != nil {
			t.Fatal(err)
		}
		if done, ok := chunk.(llm.Done); ok {
			return done.Message
		}
	}
	t.Fatal("the model said nothing")
	return llm.Message{}
}

// run does a call the plain way, strictly: unknown parameters are refused.
func (p *player) run(t *testing.T, c llm.ToolCall) (string, bool) {
	t.Helper()
	if slices.Contains([]string{"hf_papers", "explore_hf_docs", "fetch_hf_docs", "hf_dataset_audit", "research"}, c.Name) {
		return p.use(t, p.tools, c)
	}
	var args struct {
		Command, Description string
		Path, Content        string
		Limit                int
		Old                  string `json:"old_str"`
		New                  string `json:"new_str"`
		Todos                []struct{ ID, Content, Status string }
		Hub
	}
	dec := json.NewDecoder(strings.NewReader(c.Arguments))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&args); err != nil {
		t.Fatalf("arguments of %s: %v", c.ID, err)
	}
	path := filepath.Join(p.dir, args.Path)
	switch c.Name {
	case "bash":
		cmd := exec.CommandContext(t.Context(), p.shell, "-c", args.Command)
		cmd.Dir = p.dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%s\n[exit code: %d]", out, cmd.ProcessState.ExitCode()), false
		}
		return string(out), true
	case "read":
		data := mustRead(t, path)
		var b strings.Builder
		for i, line := range strings.Split(strings.TrimSuffix(data, "\n"), "\n") {
			if args.Limit == 0 || i < args.Limit {
				fmt.Fprintf(&b, "%6d\t%s\n", i+1, line)
			}
		}
		return b.String(), true
	case "write":
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s writes %s, which exists", c.ID, args.Path)
		}
		if err := os.WriteFile(path, []byte(args.Content), 0o600); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("Wrote %d bytes to %s", len(args.Content), args.Path), true
	case "edit":
		before := mustRead(t, path)
		if n := strings.Count(before, args.Old); n != 1 {
			t.Fatalf("%s: old_str is found %d times", c.ID, n)
		}
		after := strings.Replace(before, args.Old, args.New, 1)
		if want := mustRead(t, filepath.Join("story", args.Path)); after != want {
			t.Errorf("after %s %s is not the final one", c.ID, args.Path)
		}
		if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
			t.Fatal(err)
		}
		return "Edited " + args.Path, true
	case "plan_tool":
		p.planned = nil
		for _, todo := range args.Todos {
			p.planned = append(p.planned, todo.Status)
		}
		return "Plan updated:", true
	case "hf_repo_git":
		return "**Repository created:** " + args.RepoID, true
	case "hf_repo_files":
		for _, name := range append(args.Patterns, args.LocalPath) {
			if _, err := os.Stat(filepath.Join(p.dir, name)); err != nil {
				t.Errorf("%s: %v", c.ID, err)
			}
		}
		return "**Uploaded:** files", true
	case "hf_jobs":
		elsewhere := prepare(t)
		cmd := exec.CommandContext(t.Context(), "python3", filepath.Join(p.dir, args.Script), "--data", filepath.Join(p.dir, "data", "messages.csv"))
		cmd.Dir = elsewhere
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	t.Fatalf("no tool named %s", c.Name)
	return "", false
}

// Hub are the parameters of the tools that act on the Hub, as far as the story
// gives them.
type Hub struct {
	Operation string   `json:"operation"`
	RepoID    string   `json:"repo_id"`
	RepoType  string   `json:"repo_type"`
	LocalPath string   `json:"local_path"`
	Patterns  []string `json:"patterns"`
	Message   string   `json:"commit_message"`
	Script    string   `json:"script"`
	Args      []string `json:"script_args"`
	Flavor    string   `json:"hardware_flavor"`
	Timeout   string   `json:"timeout"`
	Volumes   []any    `json:"volumes"`
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
