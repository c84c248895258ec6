package traceset_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

func TestName(t *testing.T) {
	for template, want := range map[string]string{
		"{hf_user}/ml-intern-sessions": "ann/ml-intern-sessions", " acme/{hf_user}-traces ": "acme/ann-traces", "acme/all": "acme/all",
		"{org}/x": "", "{hf_user}": "", "": "", "{hf_user}/a b": "", "{hf_user}/..": "", "{hf_user}/{hf_user": "",
	} {
		got, err := traceset.Name(template, "ann")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", template, got, err)
		}
	}
}

func TestCards(t *testing.T) {
	for form, card := range map[string]string{"claude_code": traceset.Card(), "sts": traceset.SimpleCard()} {
		if strings.Contains(card, "- claude-code\n") != (form == "claude_code") || strings.Contains(card, "Session Trace Simple") != (form == "sts") {
			t.Errorf("%s: %s", form, card)
		}
		for _, part := range []string{
			"pretty_name: \"ML Intern Session Traces\"", "license: other", "- text-generation", "- agent-traces", "- coding-agent", "- ml-intern", "- session-traces", "- hf-agent-trace-viewer",
			"config_name: default", "split: train", `path: "sessions/**/*.jsonl"`, "**Neither thorough redaction nor human review was done.", "no guarantee of\nprivacy", "Do not publish them before looking at them.", "Limitations",
		} {
			if !strings.Contains(card, part) {
				t.Errorf("%s lacks %q", form, part)
			}
		}
	}
}

// world is a Hub and a user's data set on it.
type world struct {
	*testing.T
	hub *hubsim.Hub
	set *traceset.Set
}

func newWorld(t *testing.T) *world {
	sim := hubsimtest.Start(t, hubsim.Options{})
	client, err := hub.New(hub.Options{HTTP: &http.Client{}, Endpoint: sim.URL(), Token: "hf_bob_write"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &world{t, sim, &traceset.Set{Hub: client, Repo: "bob/traces", Scrub: redact.New(redact.Options{})}}
}

func (w *world) put(id, text, card string) commit.Result {
	w.Helper()
	done, err := w.set.Put(w.Context(), traceset.Session{Day: "2026-01-02", ID: id, Content: []byte(text)}, card, true)
	if err != nil {
		w.Fatal(err)
	}
	return done
}

func (w *world) read(path string) string {
	w.Helper()
	text, err := w.set.Hub.Repos.Raw(w.Context(), repo.Ref{Type: wire.Dataset, ID: w.set.Repo}, "main", path)
	if err != nil && !errors.Is(err, wire.EntryNotFound) {
		w.Fatal(err)
	}
	return text
}

func (w *world) write(path, text string) {
	w.Helper()
	_, err := w.set.Hub.Commits.Commit(w.Context(), commit.Request{
		Target: commit.Target{Type: wire.Dataset, Repo: w.set.Repo}, Summary: "by hand", Operations: []commit.Operation{commit.Add{Path: path, Data: []byte(text)}},
	})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) commits() (n int) {
	w.Helper()
	for _, err := range w.set.Hub.Repos.Commits(w.Context(), repo.Ref{Type: wire.Dataset, ID: w.set.Repo}, "main", 0) {
		if err != nil {
			w.Fatal(err)
		}
		n++
	}
	return n
}

func TestPut(t *testing.T) {
	w := newWorld(t)
	const row = `{"type":"user"}` + "\n"
	if _, err := w.set.Put(t.Context(), traceset.Session{Day: "2026-01-02", ID: "a", Content: []byte(row)}, "", false); !errors.Is(err, wire.RepoNotFound) {
		t.Errorf("%v", err)
	}
	w.put("a", row, traceset.Card())
	state, err := w.set.State(t.Context())
	if err != nil || !state.Exists || !state.Private || w.commits() != 2 { // the first is the Hub's own
		t.Errorf("%+v %v, %d commits", state, err, w.commits())
	}
	if w.read("README.md") != traceset.Card() || w.read("sessions/2026-01-02/a.jsonl") != row {
		t.Errorf("%q", w.read("sessions/2026-01-02/a.jsonl"))
	}
	if done := w.put("a", row, traceset.Card()); !done.Unchanged || w.commits() != 2 {
		t.Errorf("%+v", done)
	}
	// Who sees it stays as it is.
	if err := w.set.Show(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	w.put("a", row+row, traceset.Card())
	if state, err := w.set.State(t.Context()); err != nil || state.Private || w.read("sessions/2026-01-02/a.jsonl") != row+row {
		t.Errorf("%+v %v", state, err)
	}
	found, err := w.set.Find(t.Context(), "a")
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	if err := w.set.Remove(t.Context(), found[0]); err != nil || w.read("sessions/2026-01-02/a.jsonl") != "" {
		t.Errorf("%v", err)
	}
}

// A card of ours is brought up to date; one that somebody has changed stays, even
// if our mark is in it.
func TestWhoseCard(t *testing.T) {
	mark := "<!-- ml-intern-traces "
	for name, test := range map[string]struct {
		there string
		ours  bool
	}{
		"of the other form":      {traceset.SimpleCard(), true},
		"changed":                {strings.Replace(traceset.SimpleCard(), "Sessions of", "My sessions of", 1), false},
		"changed below the mark": {traceset.SimpleCard() + "more\n", false},
		"only the mark":          {"# Mine\n" + mark + "-->\n", false},
		"a hash of nothing":      {mark + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 -->", true},
		"a wrong hash":           {"x" + mark + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 -->", false},
		"another's":              {"# Mine\n", false},
		"empty":                  {"", false},
		"very long":              {traceset.SimpleCard() + strings.Repeat("x", 100_000), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.put("a", "{}\n", "")
			w.write("README.md", test.there)
			w.put("b", "{}\n", traceset.Card())
			want := test.there
			if test.ours {
				want = traceset.Card()
			}
			if got := w.read("README.md"); got != want {
				t.Errorf("it is now %.200q", got)
			}
		})
	}
}
