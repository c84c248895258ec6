package remote_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/files"
	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

// hands are the acting tools in a sandbox.
type hands struct {
	t          *testing.T
	box        *sandbox
	bash, jobs tool.Tool
	files      *files.Files
	env        *tooltest.Env
}

func newHands(t *testing.T) *hands {
	t.Helper()
	h := &hands{t: t, box: serve(t, nil), env: new(tooltest.Env)}
	c := h.box.client(t)
	s, err := shell.New(shell.Options{Workspace: c.Open, DirName: "/app", DefaultTimeout: 240 * time.Second, MaxTimeout: 1200 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	h.bash, h.jobs = s.Tools()
	if h.files, err = files.New(files.Options{Workspace: c.Open, Signatures: true}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hands) run(tl tool.Tool, args string) tool.Result {
	h.t.Helper()
	r, err := tl.Run(h.t.Context(), h.env, json.RawMessage(args))
	if err != nil {
		h.t.Fatalf("%s: %v", args, err)
	}
	return r
}

// bashParams are the arguments of bash.
type bashParams struct {
	Command     string `json:"command"`
	Description string `json:"description,omitempty"`
	WorkDir     string `json:"work_dir,omitempty"`
	Timeout     int    `json:"timeout,omitempty"`
	Background  bool   `json:"background,omitempty"`
	Keep        bool   `json:"keep,omitempty"`
}

// The contract of every tool holds in a sandbox too.
func TestToolContract(t *testing.T) {
	for name, c := range map[string]tooltest.Case{
		"bash": {
			Params: bashParams{}, Good: `{"command":"echo hello"}`,
			Bad:   map[string]string{`{"command":" "}`: "command", `{"command":"x","work_dir":"missing"}`: "work_dir"},
			Slow:  `{"command":"trap '' TERM; sleep 30; sleep 30"}`,
			Large: `{"command":"yes 0123456789 | head -n 20000"}`,
			New:   func(t *testing.T) (tool.Tool, *tooltest.Env) { h := newHands(t); return h.bash, h.env },
		},
		"write": {
			Params: files.WriteParams{}, Good: `{"path":"a.txt","content":"new\n"}`,
			Bad: map[string]string{`{"path":"","content":""}`: "path is required", `{"path":".","content":""}`: "directory"},
			New: func(t *testing.T) (tool.Tool, *tooltest.Env) { h := newHands(t); return h.files.Write(), h.env },
		},
	} {
		t.Run(name, func(t *testing.T) { tooltest.Run(t, c) })
	}
}

// One piece of work through all of them.
func TestToolsTogether(t *testing.T) {
	h := newHands(t)
	for _, step := range []struct {
		tool tool.Tool
		args string
		ok   bool
		want string
	}{
		{h.files.Write(), `{"path":"src/train.py","content":"import json\njson.dumps({}, sort=True)\n"}`, true, "Wrote 38 bytes to src/train.py"},
		{h.files.Edit(), `{"path":"src/train.py","old_str":"sort=True","new_str":"sort_keys=True"}`, true, "Edited src/train.py (1 replacement)"},
		{h.bash, `{"command":"python3 src/train.py; echo changed >> src/train.py; echo $?"}`, true, "0\n"},
		{h.files.Edit(), `{"path":"src/train.py","old_str":"json","new_str":"x"}`, false, "changed since last read"},
		{h.files.Read(), `{"path":"src/train.py"}`, true, "     3\tchanged"},
		{h.files.Edit(), `{"path":"src/train.py","old_str":"changed\n","new_str":""}`, true, "Edited"},
		{h.files.Read(), `{"path":"none"}`, false, "file not found: none"},
		{h.files.Read(), `{"path":"src"}`, false, "src is a directory; list it with ls in bash"},
		{h.bash, `{"command":"seq 100000"}`, true, "the full output is in "},
		{h.bash, `{"command":"echo x; sleep 30","timeout":1}`, false, "timed out after 1 s"},
		{h.bash, `{"command":"echo started; sleep 300","background":true}`, true, "id: bg1\n"},
		{h.jobs, `{"operation":"list"}`, true, "bg1: running"},
		{h.jobs, `{"operation":"kill","id":"bg1"}`, true, "have been killed"},
		{h.jobs, `{"operation":"tail","id":"bg1"}`, true, "started\n[bg1: killed by SIGTERM]"},
		{h.jobs, `{"operation":"tail","id":"bg7"}`, false, "there is no such job"},
	} {
		if r := h.run(step.tool, step.args); r.OK != step.ok || !strings.Contains(r.Output, step.want) {
			t.Errorf("%s %s: %+v, want %q", step.tool.Spec().Name, step.args, r, step.want)
		}
	}
	if r := h.run(h.files.Write(), `{"path":"bad.py","content":"import json\njson.dumps({}, sort=True)\n"}`); strings.Contains(r.Output, "Invalid kwarg") {
		t.Errorf("json.dumps takes any keyword: %+v", r)
	}
	data, err := os.ReadFile(filepath.Join(h.box.dir, "src/train.py"))
	if err != nil || string(data) != "import json\njson.dumps({}, sort_keys=True)\n" {
		t.Errorf("%q, %v", data, err)
	}
	for _, ref := range h.env.Refs() {
		if !strings.HasPrefix(ref, "sandbox:") {
			t.Errorf("%s looks like something of this machine", ref)
		}
	}
}

// The output of a running command is shown, and what is cut can be read where
// the result says.
func TestProgressAndSpill(t *testing.T) {
	h := newHands(t)
	r := h.run(h.bash, `{"command":"echo first; sleep 0.4; seq 100000"}`)
	if logs := h.env.Logs(); len(logs) == 0 || logs[0] != "first" {
		t.Errorf("progress %.100q", logs)
	}
	_, path, _ := strings.Cut(r.Output, "the full output is in ")
	path, _, _ = strings.Cut(path, ":")
	r = h.run(h.files.Read(), `{"path":"`+path+`","offset":50001,"limit":1}`)
	if !r.OK || !strings.HasPrefix(r.Output, " 50001\t50000\n") {
		t.Errorf("%+v", r)
	}
}
