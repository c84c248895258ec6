//go:build unix

package offer_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/offer"
)

func names(o *offer.Offer) []string {
	var all []string
	for _, t := range o.Tools {
		all = append(all, t.Name)
	}
	return all
}

// Without --allow-writes everything but run only looks, and says so.
func TestOffered(t *testing.T) {
	s := newSite(t)
	plain, all := s.open(nil), s.open(func(o *offer.Options) { o.Writes = true })
	for _, name := range []string{"hf_papers", "explore_hf_docs", "hf_inspect_dataset", "hf_dataset_audit", "hub_search", "hf_model_inspect", "hf_jobs", "hf_repo_files", "github_search", "web_search", "research", "run"} {
		if !slices.Contains(names(plain), name) {
			t.Errorf("%s is not offered", name)
		}
	}
	for _, name := range []string{"bash", "bash_jobs", "read", "write", "edit"} {
		if slices.Contains(names(plain), name) || !slices.Contains(names(all), name) {
			t.Errorf("%s: %v and %v", name, names(plain), names(all))
		}
	}
	for _, o := range []*offer.Offer{plain, all} {
		if slices.Contains(names(o), "plan_tool") {
			t.Error("the plan of our own conversations is offered")
		}
	}
	for _, tool := range plain.Tools {
		if h := tool.Hints; tool.Name != "run" && (!h.ReadOnly || h.Destructive) {
			t.Errorf("%s: %+v", tool.Name, h)
		}
	}
	for name, readOnly := range map[string]bool{"bash": false, "write": false, "edit": false, "hf_jobs": false, "hf_repo_files": false, "hf_repo_git": false, "run": false, "read": true, "hf_papers": true, "research": true} {
		if h := find(t, all, name).Hints; h.ReadOnly != readOnly || h.Destructive == readOnly {
			t.Errorf("%s: %+v", name, h)
		}
	}
	if len(plain.Prompts) < 5 {
		t.Errorf("%d prompts", len(plain.Prompts))
	}
	for _, p := range plain.Prompts {
		if text, err := p.Text("acme/tiny"); err != nil || !strings.Contains(text, "acme/tiny") || p.Description == "" {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestOnly(t *testing.T) {
	s := newSite(t)
	o := s.open(func(o *offer.Options) { o.Only = []string{"run", "hf_papers"} })
	if got := names(o); !slices.Equal(got, []string{"hf_papers", "run"}) {
		t.Errorf("%v", got)
	}
	for name, want := range map[string]string{"bash": "--allow-writes", "nothing": "there is no tool", "plan_tool": "there is no tool"} {
		_, err := s.try(func(o *offer.Options) { o.Only = []string{"run", name} })
		var usage *app.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Calls stand under the rules of every session, and what does not run says what
// would let it.
func TestCalls(t *testing.T) {
	s := newSite(t)
	config := filepath.Join(s.home, "config")
	if err := os.MkdirAll(config, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "cli_agent_config.json"), []byte(`{"permissions":{"deny":["bash(curl *)"],"allow":["bash(rm -rf build)"]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	looks := s.open(nil)
	acts := s.open(func(o *offer.Options) { o.Writes = true })
	free := s.open(func(o *offer.Options) { o.Writes, o.Settings = true, s.settings("permissions.mode", "yolo") })
	capped := s.open(func(o *offer.Options) {
		o.Writes, o.Settings = true, s.settings("permissions.mode", "yolo", "max_cost_usd", "0.01")
	})
	write := func(path string) string {
		raw, _ := json.Marshal(map[string]string{"path": path, "content": "x = 1\n"})
		return string(raw)
	}
	for name, tt := range map[string]struct {
		o                *offer.Offer
		tool, args, code string
		says             string
	}{
		"looks where only looking is permitted": {looks, "hf_dataset_audit", `{"dataset":"./nothing.csv"}`, "failed", "nothing.csv"},
		"acts where only looking is permitted":  {looks, "hf_repo_git", `{"operation":"create_repo","repo_id":"acme/x"}`, "refused", "ml-intern mcp serve --allow-writes"},
		"arguments that are none":               {looks, "hf_papers", `{"operation":"dance"}`, "invalid_arguments", "dance"},
		"no arguments":                          {looks, "hf_papers", `{}`, "invalid_arguments", "operation"},
		"runs a command":                        {acts, "bash", `{"command":"echo $((6*7))"}`, "", "42"},
		"writes into the folder":                {acts, "write", write("a.py"), "", "a.py"},
		"writes elsewhere":                      {acts, "write", write(filepath.Join(s.root, "elsewhere", "a.py")), "refused", "--approval-mode yolo"},
		"a command that would ask":              {acts, "bash", `{"command":"rm -rf /"}`, "refused", "--approval-mode yolo"},
		"a command that a rule permits":         {acts, "bash", `{"command":"rm -rf build"}`, "", ""},
		"a command that a rule forbids":         {free, "bash", `{"command":"curl http://127.0.0.1:1"}`, "refused", "permissions.deny"},
		"writes elsewhere, and may":             {free, "write", write(filepath.Join(s.root, "elsewhere", "b.py")), "", "b.py"},
		"needs a person":                        {free, "hf_jobs", `{"operation":"scheduled trigger","scheduled_job_id":"x","namespace":"acme"}`, "refused", "in a terminal"},
		"costs more than is left":               {capped, "hf_jobs", `{"operation":"run","command":["true"],"docker_image":"x","hardware_flavor":"a100-large","namespace":"acme"}`, "refused", "--max-cost"},
		"shows a secret":                        {acts, "bash", `{"command":"printf '%s%s' hf_aB3aB3aB3aB3a B3aB3aB3aB3aB3aB3aB3aB3"}`, "", "[REDACTED"},
	} {
		t.Run(name, func(t *testing.T) {
			r := use(t, tt.o, tt.tool, tt.args)
			if tt.code == "" && r.Failed || tt.code != "" && code(t, r) != tt.code || !strings.Contains(r.Text, tt.says) {
				t.Errorf("%+v", r)
			}
			if strings.Contains(r.Text+string(r.Structured), secret) {
				t.Errorf("it tells the token: %s", r.Text)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(s.root, "elsewhere", "a.py")); err == nil {
		t.Error("it was written all the same")
	}
}

// What acts goes on between calls: commands in the background are those of the
// server's one session, a file that was read may be edited.
func TestOneSession(t *testing.T) {
	s := newSite(t)
	o := s.open(func(o *offer.Options) { o.Writes = true })
	s.write("train.py", "lr = 1\n")
	if r := use(t, o, "read", `{"path":"train.py"}`); r.Failed {
		t.Fatalf("%+v", r)
	}
	if r := use(t, o, "edit", `{"path":"train.py","old_str":"lr = 1","new_str":"lr = 2"}`); r.Failed {
		t.Errorf("%+v", r)
	}
	if r := use(t, o, "bash", `{"command":"while [ ! -e go ]; do sleep 0.01; done; echo it goes","background":true}`); r.Failed {
		t.Fatalf("%+v", r)
	}
	if r := use(t, o, "bash_jobs", `{"operation":"list"}`); r.Failed || !strings.Contains(r.Text, "while") {
		t.Errorf("%+v", r)
	}
}

// A sub-agent works for another agent with the server's own model, and tells
// what it does.
func TestResearch(t *testing.T) {
	answer := say("Batch size 32 is best [S1].")
	answer["kind"] = "research"
	s := newSite(t, answer)
	o := s.open(nil)
	var l lines
	r, err := find(t, o, "research").Call(t.Context(), json.RawMessage(`{"task":"find the best batch size"}`), l.add)
	if err != nil || r.Failed || !strings.Contains(r.Text, "Batch size 32 is best") {
		t.Errorf("%+v, %v", r, err)
	}
	if !strings.Contains(l.text(), "Starting research sub-agent") {
		t.Errorf("%s", l.text())
	}
}
