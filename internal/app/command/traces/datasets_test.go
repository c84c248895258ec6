package traces_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/piptest"
)

// loader are the packages with which the official loader reads traces.
func loader() []string { return []string{"datasets==5.2.0", "teich==0.3.6"} }

// told is what the loader says of traces.
type told struct {
	Traces bool `json:"traces"`
	Rows   []struct {
		Harness      string
		SessionID    string `json:"session_id"`
		Prompt       string
		SentAt       string `json:"sent_at"`
		UserMessages int    `json:"num_user_messages"`
		ToolCalls    int    `json:"num_tool_calls"`
		Messages     []struct {
			Role     string
			Content  any
			Thinking string
			Calls    [][2]any
		}
	} `json:"rows"`
}

// load reads files with the official loader.
func (w *world) load(python string, files ...string) told {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), python, append([]string{"testdata/load.py"}, files...)...)
	cmd.Env = append(os.Environ(), "HF_HOME="+w.TempDir(), "HF_HUB_OFFLINE=1", "HF_HUB_DISABLE_TELEMETRY=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		w.Fatalf("%v\n%s", err, tailOf(errs.String()))
	}
	var t told
	if err := json.Unmarshal(out.Bytes(), &t); err != nil {
		w.Fatalf("%v: %s", err, out.String())
	}
	return t
}

func tailOf(text string) string { return text[max(0, len(text)-3000):] }

// script is a recorded session, which the replaying model says again: two turns,
// four calls, one of which fails, and characters on which some readers break.
const script = `{"session_id":"s","messages":[
	{"role":"user","content":"q"},
	{"role":"assistant","content":"I look.","reasoning_content":"where is it?","tool_calls":[
		{"id":"c1","type":"function","function":{"name":"bash","arguments":"{\"command\":\"printf 'one\\\\ntwo'\"}"}},
		{"id":"c2","type":"function","function":{"name":"read","arguments":"{\"path\":\"none.txt\"}"}}]},
	{"role":"assistant","content":"Again.\u2028é\u0085<b>","tool_calls":[
		{"id":"c3","type":"function","function":{"name":"bash","arguments":"{\"command\":\"echo last\"}"}}]},
	{"role":"assistant","content":"The first answer."},
	{"role":"assistant","content":null,"tool_calls":[
		{"id":"c4","type":"function","function":{"name":"plan_tool","arguments":"{\"todos\":[{\"id\":\"1\",\"content\":\"x\",\"status\":\"completed\"}]}"}}]},
	{"role":"assistant","content":"The second answer."}]}`

// What is uploaded, and what is exported, is recognised as traces by the loader
// of datasets, which finds every turn, every call and every result in it.
func TestTheLoaderOfDatasets(t *testing.T) {
	python := piptest.Python(t, loader()...)
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.dir, "script.json"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	w.ok("-m", "replay/script.json", "the first question")
	id := w.sessions()[0]
	w.ok("-m", "replay/script.json", "--continue", "the second question")
	uploaded := filepath.Join(t.TempDir(), "a.jsonl")
	exported := filepath.Join(t.TempDir(), "b.jsonl")
	if err := os.WriteFile(uploaded, []byte(w.trace(mine, id)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.ok("sessions", "export", id, "--format", "claude_code", "--out", exported)
	for _, file := range []string{uploaded, exported} {
		got := w.load(python, file)
		if !got.Traces || len(got.Rows) != 1 {
			t.Fatalf("%s: %+v", file, got)
		}
		r := got.Rows[0]
		if r.Harness != "claude_code" || r.SessionID != id || r.Prompt != "the first question" || r.UserMessages != 2 || r.ToolCalls != 4 || r.SentAt == "" {
			t.Errorf("%+v", r)
		}
		var said []string
		for _, m := range r.Messages {
			text := strings.Fields(fmt.Sprint(m.Content))
			said = append(said, m.Role+":"+strings.Join(text[:min(3, len(text))], " "))
			for _, c := range m.Calls {
				said = append(said, fmt.Sprint("call:", c[0]))
			}
		}
		want := []string{
			"user:the first question", "assistant:I look.", "call:bash", "call:read", "tool:one two", "tool:file not found:", "assistant:Again. é <b>", "call:bash", "tool:last",
			"assistant:The first answer.", "user:the second question", "assistant:", "call:plan_tool", "tool:Plan updated: [x]", "assistant:The second answer.",
		}
		if !slices.EqualFunc(want, said, func(want, is string) bool { return strings.HasPrefix(is, want) }) {
			t.Errorf("%s:\n%q\nwant\n%q", file, said, want)
		}
		if r.Messages[1].Thinking != "where is it?" {
			t.Errorf("thought %q", r.Messages[1].Thinking)
		}
	}

	// Both forms beside each other, and the other form alone.
	sts := filepath.Join(t.TempDir(), "c.jsonl")
	w.ok("sessions", "export", id, "--format", "sts", "--out", sts)
	if got := w.load(python, sts); !got.Traces || len(got.Rows) != 1 || got.Rows[0].Harness != "pi" || got.Rows[0].SessionID != id || got.Rows[0].Prompt != "the first question" || got.Rows[0].UserMessages != 2 || len(got.Rows[0].Messages) < 10 {
		t.Errorf("%+v", got)
	}
	if got := w.load(python, uploaded, sts); !got.Traces || len(got.Rows) != 2 {
		t.Errorf("%+v", got)
	}
}
