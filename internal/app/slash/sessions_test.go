package slash_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

// past holds a session that is over.
func (w *world) past(texts ...string) string {
	w.Helper()
	s := w.session(app.SessionRequest{})
	for _, text := range texts {
		w.say(s, text)
	}
	id := s.local.Info().SessionID
	if err := s.Close(); err != nil {
		w.Fatal(err)
	}
	return id
}

func TestResume(t *testing.T) {
	w := newWorld(t)
	talk := dialogtest.New(t)
	if said := w.run(talk, "/resume"); said != "There is no other session of this folder; these are those of all.\nThere is no other session yet." {
		t.Error(said)
	}
	first := w.past("hello from the first")
	w.past("hello from the second")

	// The session that is open goes over to the chosen one.
	s := w.session(app.SessionRequest{})
	defer s.Close()
	w.say(s, "hello from here")
	answer := func(op event.Operation) (event.Payload, error) {
		w.do(s, op, event.TypeResumeComplete)
		return event.ResumeComplete{}, nil
	}
	talk = w.talkTo(s, dialogtest.Pick("hello from the first"))
	talk.Session.Answers = answer
	if said := w.run(talk, "/resume"); said != "" {
		t.Error(said)
	}
	menu := talk.Menus()[0]
	if len(menu.Items) != 2 || menu.Items[0].Label != "hello from the second" {
		t.Errorf("the open one is left out, the newest is first: %+v", menu.Items)
	}
	if lines := strings.Join(menu.Preview(1, 60), "\n"); !strings.Contains(lines, first) || !strings.Contains(lines, "1 turn") {
		t.Errorf("the preview:\n%s", lines)
	}
	if got := s.local.Info().SessionID; got != first {
		t.Errorf("the session is %s, want %s", got, first)
	}
	if diff := cmp.Diff([]event.Operation{event.Resume{Path: first}}, talk.Session.Asked()); diff != "" {
		t.Error(diff)
	}

	// An index, an id and a path are the session's to find.
	for _, ref := range []string{"2", first[:8], "session_logs/x.json"} {
		talk := w.talkTo(s)
		talk.Session.Answers = ends
		if said := w.run(talk, "/resume "+ref); said != "" {
			t.Error(said)
		}
		if diff := cmp.Diff([]event.Operation{event.Resume{Path: ref}}, talk.Session.Asked()); diff != "" {
			t.Error(diff)
		}
	}
	// Ids are completed.
	got := w.command("resume").Complete(t.Context(), "")
	if !slices.ContainsFunc(got, func(o dialog.Option) bool { return o.Value == first }) {
		t.Errorf("offered: %+v", got)
	}
}

func TestFork(t *testing.T) {
	w := newWorld(t)
	s := w.session(app.SessionRequest{})
	defer s.Close()
	talk := w.talkTo(s)
	if said := w.run(talk, "/fork"); said != "error: /fork: nothing has been said yet" {
		t.Error(said)
	}
	w.say(s, "hello there")
	before := s.local.Info().SessionID
	talk = w.talkTo(s)
	talk.Session.Said = []dialog.Turn{{ID: "turn_1"}}
	talk.Session.Answers = func(op event.Operation) (event.Payload, error) {
		w.do(s, op, event.TypeResumeComplete)
		return event.ResumeComplete{}, nil
	}
	if said := w.run(talk, "/fork"); said != "The session before stays as it was: /resume "+before {
		t.Error(said)
	}
	after := s.local.Info().SessionID
	if after == before {
		t.Error("it is the same session")
	}
	w.say(s, "hello again")
	lib, err := w.app.Library()
	if err != nil {
		t.Fatal(err)
	}
	for id, turns := range map[string]int{before: 1, after: 2} {
		e, err := lib.Resolve(t.Context(), id)
		if err != nil || e.Turns != turns {
			t.Errorf("%s has %d turns, want %d: %v", id, e.Turns, turns, err)
		}
	}
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	a := w.past("hello, the weather is fine")
	b := w.past("hey, numbers please")
	run := func(line string, answers ...dialogtest.Answer) (string, *dialogtest.Talk) {
		talk := talkAbout(t, noID, answers...)
		talk.Session.Answers = ends
		return w.run(talk, line), talk
	}
	said, talk := run("/sessions", dialogtest.Pick("weather"), dialogtest.Pick("go on with it"))
	if diff := cmp.Diff([]event.Operation{event.Resume{Path: a}}, talk.Session.Asked()); diff != "" || said != "" {
		t.Error(said, diff)
	}
	if said, _ := run("/sessions weather", dialogtest.Pick("weather"), dialogtest.Pick("title"), dialogtest.Type("Sun")); said != "ask: Title\nIt is called Sun." {
		t.Error(said)
	}
	if said, _ := run("/sessions snow"); said != "No session holds snow." {
		t.Error(said)
	}
	file := filepath.Join(w.dir, "session-"+b[:8]+".md")
	if said, _ := run("/sessions numbers", dialogtest.Pick("numbers"), dialogtest.Pick("write it")); !strings.HasPrefix(said, "Written to "+file) {
		t.Error(said)
	}
	if text := w.read("session-" + b[:8] + ".md"); !strings.Contains(text, "numbers please") {
		t.Error(text)
	}
	said, talk = run("/sessions", dialogtest.Pick("numbers"), dialogtest.Pick("copy"))
	ops := talk.Session.Asked()
	if said != "" || len(ops) != 1 || ops[0].(event.Resume).Path == b {
		t.Error(said, ops)
	}
	if said, _ := run("/sessions Sun", dialogtest.Pick("Sun"), dialogtest.Pick("delete it"), dialogtest.Pick("keep it")); said != "error: cancelled" {
		t.Error(said)
	}
	if said, _ := run("/sessions Sun", dialogtest.Pick("Sun"), dialogtest.Pick("delete it"), dialogtest.Pick("delete it")); said != "Deleted." {
		t.Error(said)
	}
	if said, _ := run("/sessions Sun"); said != "No session holds Sun." {
		t.Error(said)
	}
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	id := w.past("hello from an export")
	short := id[:8]
	for _, test := range []struct {
		line, file string
		has        string
	}{
		{"/export", "session-" + short + ".md", "hello from an export"},
		{"/export html", "session-" + short + ".html", "<html"},
		{"/export json", "session-" + short + ".json", `"session_id"`},
		{"/export jsonl", "session-" + short + ".jsonl", `"event_type":"input_accepted"`},
		{"/export claude_code", "session-" + short + ".claude.jsonl", `"type":"assistant"`},
		{"/export sts", "session-" + short + ".sts.jsonl", `"harness":"ml-intern"`},
		{"/export notes.md", "notes.md", "hello from an export"},
		{"/export JSON a b.txt", "a b.txt", `"session_id"`},
		{`/export html "my page.html"`, "my page.html", "<html"},
	} {
		said := w.run(talkAbout(t, id), test.line)
		if !strings.HasPrefix(said, "Written to "+filepath.Join(w.dir, test.file)+", ") {
			t.Errorf("%s: %s", test.line, said)
			continue
		}
		if text := w.read(test.file); !strings.Contains(text, test.has) {
			t.Errorf("%s lacks %q:\n%s", test.file, test.has, text)
		}
		if info, err := os.Stat(filepath.Join(w.dir, test.file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", test.file, info.Mode(), err)
		}
	}
	w.write("there.md", "mine")
	if said := w.run(talkAbout(t, id, dialogtest.Pick("leave it")), "/export there.md"); said != "error: cancelled" || w.read("there.md") != "mine" {
		t.Error(said)
	}
	if said := w.run(talkAbout(t, id, dialogtest.Pick("write over it")), "/export there.md"); !strings.HasPrefix(said, "Written to ") || w.read("there.md") == "mine" {
		t.Error(said)
	}
	for line, want := range map[string]string{
		"/export pdf":           "error: /export pdf: the forms are md, html, json, jsonl, claude_code and sts",
		"/export notes.txt":     "error: /export notes.txt: the forms are md, html, json, jsonl, claude_code and sts",
		"/export md nosuch/x":   "error: export: ",
		"/export md .":          "error: /export: " + w.dir + " is no file",
		"/export json " + w.dir: "error: /export: ",
	} {
		if said := w.run(talkAbout(t, id), line); !strings.HasPrefix(said, want) || strings.Contains(said, "\n") {
			t.Errorf("%s: %s", line, said)
		}
	}
	if said := w.run(dialogtest.New(t), "/export"); said != "error: no session is open yet" {
		t.Error(said)
	}
	left, err := filepath.Glob(filepath.Join(w.dir, ".export-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A session that is kept in memory can be exported too; there is nothing else to
// go to.
func TestSessionsInMemory(t *testing.T) {
	w := newWorld(t)
	memory, err := app.New(t.Context(), app.Options{Dir: w.dir, Environ: w.environ, Flags: map[string][]string{"save_sessions": {"false"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	w.app = memory
	s := w.session(app.SessionRequest{})
	defer s.Close()
	w.say(s, "hello in memory")
	for _, line := range []string{"/export md", "/export json", "/export jsonl", "/export html"} {
		if said := w.run(w.talkTo(s), line); !strings.HasPrefix(said, "Written to ") {
			t.Errorf("%s: %s", line, said)
		}
	}
	id := s.local.Info().SessionID[:8]
	if text := w.read("session-" + id + ".md"); !strings.Contains(text, "hello in memory") {
		t.Error(text)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(w.read("session-"+id+".json")), &doc); err != nil || doc["model_name"] != "sim/scripted" {
		t.Errorf("%v: %v", err, doc["model_name"])
	}
	for line := range strings.Lines(w.read("session-" + id + ".jsonl")) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no event: %s", line)
		}
	}
	for _, name := range []string{"resume", "sessions", "fork"} {
		_, err := w.talkTo(s).Run(t.Context(), find(t, slash.Commands(&slash.Desk{App: memory}), name), "")
		if err == nil || err.Error() != "sessions are not kept here: save_sessions is false" {
			t.Errorf("/%s: %v", name, err)
		}
	}
}
