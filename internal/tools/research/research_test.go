package research_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/research"
)

func open(t *testing.T, o research.Options) *research.Tool {
	t.Helper()
	if o.Tools == nil {
		o.Tools = func() []tool.Tool { return nil }
	}
	it, err := research.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// reporting is an env whose sub-agents report r.
func reporting(r tool.Report) *tooltest.Env {
	return &tooltest.Env{Delegated: func(ctx context.Context, _ tool.Delegation) tool.Report {
		if ctx.Err() != nil {
			r.Text, r.Reason = "", "interrupted by the user"
		}
		return r
	}}
}

func sources(n int) []event.Evidence {
	var out []event.Evidence
	for i := range n {
		out = append(out, event.Evidence{ID: fmt.Sprintf("S%d", i+1), Tool: "web_fetch", Title: "Page", URL: fmt.Sprintf("https://a.example/%d", i+1)})
	}
	return out
}

func TestConformance(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			return open(t, research.Options{}), reporting(tool.Report{Text: strings.Repeat("word [S1] ", 10_000), Evidence: sources(500)})
		},
		Params: research.Params{},
		Good:   `{"task":"find a recipe","context":"small models"}`,
		Bad: map[string]string{
			`{}`:                       "task",
			`{"task":"  "}`:            "task is empty",
			`{"task":5}`:               "task",
			`{"task":"x","context":1}`: "context",
		},
		Large: `{"task":"everything"}`,
	})
}

func TestItIsSmall(t *testing.T) {
	s := open(t, research.Options{}).Spec()
	if n := len(s.Description) + len(s.Parameters); n > 450 {
		t.Errorf("%d bytes", n)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	none := func() []tool.Tool { return nil }
	for want, o := range map[string]research.Options{
		"Tools is missing": {}, "Rounds is -1": {Tools: none, Rounds: -1}, "not absolute": {Tools: none, Workspace: []string{"here"}},
	} {
		if _, err := research.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func run(t *testing.T, r tool.Report) tool.Result {
	t.Helper()
	got, err := open(t, research.Options{}).Run(t.Context(), reporting(r), json.RawMessage(`{"task":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReports(t *testing.T) {
	got := run(t, tool.Report{Text: "GRPO works [S1], see https://b.example.\n\n## Sources\n- made up", Evidence: sources(2)})
	want := "GRPO works [S1], see https://b.example [unverified].\n\n## Sources as the sub-agent names them\n- made up\n\n" +
		"## Sources\n\n- [S1] Page, https://a.example/1 (web_fetch)\n- [S2] Page, https://a.example/2 (web_fetch)"
	if !got.OK || got.Output != want {
		t.Errorf("got\n%s\nwant\n%s", got.Output, want)
	}
	for name, c := range map[string]struct {
		report tool.Report
		ok     bool
		want   []string
	}{
		"partial":         {tool.Report{Reason: "interrupted by the user", Notes: "so far https://c.example", Evidence: sources(1)}, true, []string{"## Partial", "interrupted by the user", "so far https://c.example [unverified]", "## Sources\n\n- [S1]"}},
		"nothing":         {tool.Report{Reason: "the model call failed: no key"}, false, []string{"no key", "narrower"}},
		"notes, no basis": {tool.Report{Reason: "x", Notes: "I believe"}, false, []string{"I believe", "no source behind"}},
		"early":           {tool.Report{Reason: "the limit of 60 rounds was reached", Text: "found"}, true, []string{"(Ended early: the limit of 60 rounds was reached.)", "found", "Nothing was looked up."}},
		"no text at all":  {tool.Report{Evidence: sources(1)}, true, []string{"## Partial", "it gave no answer"}},
	} {
		got := run(t, c.report)
		if got.OK != c.ok {
			t.Errorf("%s: ok is %v", name, got.OK)
		}
		for _, part := range c.want {
			if !strings.Contains(got.Output, part) {
				t.Errorf("%s lacks %q:\n%s", name, part, got.Output)
			}
		}
	}
}

func TestLongReportsKeepTheirSources(t *testing.T) {
	got := run(t, tool.Report{Text: "```\n" + strings.Repeat("code [S7]\n", 5000), Evidence: sources(900)})
	if n := utf8.RuneCountInString(got.Output); n > 24_000 || !strings.Contains(got.Output, "## Sources\n\n- [S1]") || !strings.Contains(got.Output, "more in the session's evidence") {
		t.Errorf("%d characters, ends %q", n, got.Output[len(got.Output)-200:])
	}
	if strings.Count(got.Output, "```")%2 == 1 {
		t.Error("a code fence is torn")
	}
}

func TestWhatASubAgentIsGiven(t *testing.T) {
	var d tool.Delegation
	env := &tooltest.Env{Delegated: func(_ context.Context, in tool.Delegation) tool.Report {
		d = in
		return tool.Report{Text: "x"}
	}}
	nothing := func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) { return tool.Success(""), nil }
	it := open(t, research.Options{Model: "other/model", Rounds: 7, Time: time.Minute, Tools: func() []tool.Tool {
		var out []tool.Tool
		for _, name := range []string{"sandbox_create", "bash", "read", "write", "edit", "research", "hf_papers", "plan_tool", "notify", "hf_jobs", "hf_repo_files", "hf_repo_git", "web_fetch", "mcp__x__y"} {
			out = append(out, &fake{name: name, run: nothing})
		}
		return out
	}})
	if _, err := it.Run(t.Context(), env, json.RawMessage(`{"task":" which optimiser? ","context":"we have one GPU"}`)); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, each := range d.Tools {
		names = append(names, each.Spec().Name)
	}
	if !slices.Equal(names, []string{"read", "hf_papers", "hf_repo_files", "web_fetch"}) {
		t.Errorf("tools %q", names)
	}
	if d.Task != "Context: we have one GPU\n\nResearch task: which optimiser?" || d.Label != "research: which optimiser?" || d.Tool != "research" ||
		d.Model != "other/model" || d.Rounds != 7 || d.Time != time.Minute || d.Parallel != 6 || d.Room != 20_000 || !strings.Contains(d.System, "hf_inspect_dataset") {
		t.Errorf("got %+v", d)
	}
}

func TestLabelsTearNoToken(t *testing.T) {
	var label string
	env := &tooltest.Env{Delegated: func(_ context.Context, in tool.Delegation) tool.Report {
		label = in.Label
		return tool.Report{Text: "x"}
	}}
	token := "hf_" + strings.Repeat("aB3", 12)
	for shift := range 45 {
		args, _ := json.Marshal(map[string]string{"task": strings.Repeat("x", shift) + " " + token + " and more words behind it"})
		if _, err := open(t, research.Options{}).Run(t.Context(), env, args); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(label, "hf_a") && !strings.Contains(label, token) {
			t.Errorf("label %q", label)
		}
	}
}

func TestReadIsConfined(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "notes.md")); err != nil {
		t.Fatal(err)
	}
	var reached []string
	reader := &fake{
		name: "read",
		risk: func(args json.RawMessage) tool.Risk {
			var p struct{ Path string }
			_ = json.Unmarshal(args, &p)
			if !filepath.IsAbs(p.Path) {
				p.Path = filepath.Join(dir, p.Path)
			}
			if real, err := filepath.EvalSymlinks(p.Path); err == nil {
				p.Path = real
			}
			return tool.Risk{Effect: event.Read, Reads: []string{p.Path}}
		},
		run: func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			reached = append(reached, string(args))
			return tool.Success("text"), nil
		},
	}
	var tools []tool.Tool
	env := &tooltest.Env{Delegated: func(_ context.Context, in tool.Delegation) tool.Report {
		tools = in.Tools
		return tool.Report{Text: "x"}
	}}
	it := open(t, research.Options{Workspace: []string{dir}, Tools: func() []tool.Tool { return []tool.Tool{reader} }})
	if _, err := it.Run(t.Context(), env, json.RawMessage(`{"task":"x"}`)); err != nil {
		t.Fatal(err)
	}
	try := func(path string) bool {
		args, _ := json.Marshal(map[string]string{"path": path})
		got, err := tools[0].Run(t.Context(), env, args)
		if err != nil {
			t.Fatal(err)
		}
		return got.OK
	}
	for _, path := range []string{
		"/etc/passwd", "../x", outside, "notes.md", ".env", ".env.local", "a/.env", ".envrc", "server.key", "cert.pem", "id_rsa", "id_ed25519.pub",
		".netrc", ".git-credentials", ".pypirc", ".npmrc", "credentials.json", "token", "hf_token.txt", "secrets.yaml", ".git/config",
		".ssh/config", ".aws/credentials", "service-account.json", "Token.TXT", "my_token.txt", "client_secret_1.json", "x.p12", ".docker/config.json", "prod.env",
	} {
		if try(path) {
			t.Errorf("%s was read", path)
		}
	}
	if len(reached) > 0 {
		t.Errorf("the tool was reached with %q", reached)
	}
	for _, path := range []string{
		"train.py", "README.md", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "next_token.py", "data/train.jsonl",
		".env.example", "keyboard.py", dir + "/a.txt", "configs/sft.yaml", "secrets.py",
	} {
		if !try(path) {
			t.Errorf("%s was not read", path)
		}
	}
}

func TestAuditsReadNoKeys(t *testing.T) {
	reached := 0
	audit := &fake{name: "hf_dataset_audit", run: func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
		reached++
		return tool.Success("report"), nil
	}}
	var tools []tool.Tool
	env := &tooltest.Env{Delegated: func(_ context.Context, in tool.Delegation) tool.Report {
		tools = in.Tools
		return tool.Report{Text: "x"}
	}}
	it := open(t, research.Options{Workspace: []string{"/w"}, Tools: func() []tool.Tool { return []tool.Tool{audit} }})
	if _, err := it.Run(t.Context(), env, json.RawMessage(`{"task":"x"}`)); err != nil {
		t.Fatal(err)
	}
	try := func(name string) bool {
		ok := true
		for _, args := range []map[string]any{{"dataset": name}, {"dataset": "a/b", "benchmarks": []string{name}}} {
			raw, _ := json.Marshal(args)
			got, err := tools[0].Run(t.Context(), env, raw)
			if err != nil {
				t.Fatal(err)
			}
			ok = ok && got.OK
		}
		return ok
	}
	for _, name := range []string{
		"./credentials.json", "secrets.csv", "conf/Tokens.JSONL", "~/.aws/x.json", "../.kaggle/kaggle.json", "client_secret_2.json", `.\secrets.tsv`,
		"service-account.json.gz", "passwords.parquet", ".git/x.json", "hf_token.csv",
	} {
		if try(name) {
			t.Errorf("%s was read", name)
		}
	}
	if reached > 0 {
		t.Errorf("the tool was reached %d times", reached)
	}
	for _, name := range []string{"acme/secrets", "tokens", "hf:acme/tokens.json", "./data/train.jsonl", "data", "next_words.csv.gz", "."} {
		if !try(name) {
			t.Errorf("%s was not read", name)
		}
	}
}
