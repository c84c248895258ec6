package sessions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const (
	idA = "a1b2c3d4-0000-4000-8000-000000000001"
	idB = "a1b2c3d4-0000-4000-8000-000000000002"
	idC = "c0ffee00-0000-4000-8000-000000000003"
)

// place is a machine with sessions.
type place struct {
	t     testing.TB
	store *store.Store
	ours  string // folder of our JSON files
	work  string // a working directory, with a session_logs in it
	index string
	lib   *sessions.Library
}

func newPlace(t testing.TB) *place {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, ours: filepath.Join(root, "state"), work: filepath.Join(root, "work")}
	if p.store, err = store.New(store.Options{Root: p.ours}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
	p.index = filepath.Join(root, "cache", "sessions.json")
	p.lib = p.library()
	return p
}

func (p *place) library() *sessions.Library {
	p.t.Helper()
	lib, err := sessions.New(sessions.Options{
		Journals: p.store, Dirs: []string{p.ours, p.logs()}, Index: p.index,
		Model: func(id string) (string, bool) {
			return strings.TrimPrefix(id, "huggingface/"), !strings.Contains(id, " ")
		},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return lib
}

func (p *place) logs() string { return filepath.Join(p.work, "session_logs") }

// file writes a file of the given age in hours.
func (p *place) file(path, text string, age int) string {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.age(path, age)
	return path
}

func (p *place) age(path string, hours int) {
	p.t.Helper()
	at := time.Now().Add(-time.Duration(hours) * time.Hour)
	if err := os.Chtimes(path, at, at); err != nil {
		p.t.Fatal(err)
	}
}

func saved(id, user, text string) string {
	return fmt.Sprintf(`{"session_id":%q,"user_id":%s,"session_start_time":"2026-01-01T09:00:00+01:00",
	 "session_end_time":"2026-01-01T09:05:00.000000","model_name":"huggingface/m/x","messages":[
	 {"role":"system","content":"sys","tool_calls":null},{"role":"user","content":%q,"tool_calls":null},
	 {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"bash","arguments":"{}"}}],"function_call":null},
	 {"role":"tool","content":"out","tool_call_id":"c1","name":"bash"}],
	 "events":[{"timestamp":"2026-01-01T09:00:01.5+01:00","event_type":"ready","data":null},7],"tools":[],"total_cost_usd":0.42}`, id, user, text)
}

// journal writes a session of the given age in hours and releases it.
func (p *place) journal(id, cwd, text string, age int) {
	p.t.Helper()
	at := time.Now().Add(-time.Duration(age) * time.Hour)
	var events []event.Event
	for i, payload := range []event.Payload{
		event.InputAccepted{SubmissionID: "s", Text: text},
		event.TurnStarted{TurnID: "turn_1", SubmissionID: "s", Model: "m/j", Cwd: cwd},
		event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.System, Text: "sys"}},
		event.HistoryMessage{MessageID: "msg_2", Message: llm.Message{Role: llm.User, Text: text}},
		event.HistoryMessage{MessageID: "msg_3", Message: llm.Message{Role: llm.Assistant, Text: "done"}},
		event.TurnComplete{},
	} {
		ev, err := event.New(id, "", at, payload)
		if err != nil {
			p.t.Fatal(err)
		}
		ev.Seq = int64(i + 1)
		events = append(events, ev)
	}
	if err := p.store.Append(p.t.Context(), id, 0, events); err != nil {
		p.t.Fatal(err)
	}
	if err := p.store.Release(id); err != nil {
		p.t.Fatal(err)
	}
	path, _ := p.store.JournalPath(id)
	p.age(path, age)
}

func (p *place) list() []sessions.Entry {
	p.t.Helper()
	entries, err := p.lib.List(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return entries
}

func ids(entries []sessions.Entry) string {
	var out []string
	for _, e := range entries {
		out = append(out, e.SessionID[:8]+e.SessionID[len(e.SessionID)-1:]+map[bool]string{true: "j", false: "f"}[e.Journal])
	}
	return strings.Join(out, " ")
}

func (p *place) resolve(arg string) sessions.Entry {
	p.t.Helper()
	e, err := p.lib.Resolve(p.t.Context(), arg)
	if err != nil {
		p.t.Fatalf("resolve %q: %v", arg, err)
	}
	return e
}

func TestOptionsAreChecked(t *testing.T) {
	p := newPlace(t)
	for _, opts := range []sessions.Options{{}, {Journals: p.store}, {Model: func(id string) (string, bool) { return id, true }}} {
		if _, err := sessions.New(opts); err == nil {
			t.Errorf("%+v was accepted", opts)
		}
	}
}

// Acceptance check 25 of the command line: the list.
func TestCheck25_List(t *testing.T) {
	p := newPlace(t)
	if got := p.list(); len(got) != 0 {
		t.Errorf("an empty machine has %v", got)
	}
	p.file(filepath.Join(p.logs(), "session_"+idB+"_20260101_090000.json"), saved(idB, `"me"`, "older  question\n"+strings.Repeat("ü", 100)), 3)
	p.file(filepath.Join(p.ours, "session_"+idC+"_20260101_090000.json"), saved(idC, `"me"`, "stale"), 2)
	p.file(filepath.Join(p.ours, "session_"+idC+"_20260101_100000.json"), saved(idC, `"me"`, "fresh"), 1)
	p.file(filepath.Join(p.ours, "session_"+idA+"_20260101_090000.json"), saved(idA, `"me"`, "derived"), 0)
	p.journal(idA, p.work, "from the journal", 2)
	for name, odd := range map[string]string{
		"array.json": `[1,2]`, "broken.json": `{"messages":`, "other.json": `{"x":1}`, "number.json": `7`, "null.json": `null`,
		"odd.json": `{"messages":{"a":1}}`, "note.txt": saved(idA, "null", "no json"), "half.json.tmp": saved(idA, "null", "no json"),
	} {
		p.file(filepath.Join(p.logs(), name), odd, 0)
	}
	if err := os.MkdirAll(filepath.Join(p.logs(), "dir.json"), 0o700); err != nil {
		t.Fatal(err)
	}

	got := p.list()
	if ids(got) != "c0ffee003f a1b2c3d41j a1b2c3d42f" {
		t.Fatalf("list is %s", ids(got))
	}
	if got[0].Preview != "fresh" || got[0].Messages != 3 || got[0].Model != "huggingface/m/x" {
		t.Errorf("file: %+v", got[0])
	}
	if want := time.Date(2026, 1, 1, 9, 5, 0, 0, time.Local); !got[0].UpdatedAt.Equal(want) {
		t.Errorf("file was updated at %v, want %v", got[0].UpdatedAt, want)
	}
	if j := got[1]; j.Title != "from the journal" || j.Cwd != p.work || j.Model != "m/j" || j.Messages != 2 || time.Since(j.UpdatedAt) < time.Hour {
		t.Errorf("journal: %+v", j)
	}
	if b := got[2]; b.Cwd != p.work || b.Preview != "older question "+strings.Repeat("ü", 56)+"…" || len([]rune(b.Preview)) != 72 {
		t.Errorf("the original's: %+v", b)
	}
	raw, err := json.Marshal(got[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"session_id", "title", "cwd", "model", "updated_at", "messages"} {
		if !bytes.Contains(raw, []byte(`"`+key+`":`)) {
			t.Errorf("%s is missing in %s", key, raw)
		}
	}
}

// Acceptance check 25 of the command line: what names a session.
func TestCheck25_Resolve(t *testing.T) {
	p := newPlace(t)
	name := "session_" + idB + "_20260101_090000"
	path := p.file(filepath.Join(p.logs(), name+".json"), saved(idB, "null", "x"), 3)
	p.file(filepath.Join(p.logs(), "notes.json"), saved("sess-1", "null", "y"), 2)
	p.journal(idA, p.work, "z", 1)
	derived := p.file(filepath.Join(t.TempDir(), "copy.json"), saved(idA, "null", "z"), 0)
	outside := p.file(filepath.Join(t.TempDir(), "outside.json"), saved(idC, "null", "q"), 0)

	for arg, want := range map[string]string{
		"1": idA, "2": "sess-1", "3": idB, idB: idB, idB[:36]: idB, "sess-": "sess-1", name: idB, name + ".json": idB, path: idB,
		"notes": "sess-1", "notes.json": "sess-1", "note": "sess-1", outside: idC, derived: idA,
	} {
		if got := p.resolve(arg); got.SessionID != want {
			t.Errorf("%q means %s, want %s", arg, got.SessionID, want)
		}
	}
	if !p.resolve(derived).Journal {
		t.Error("a journal must win over a JSON of the same id")
	}
	var missing *sessions.NotFoundError
	for arg, candidates := range map[string]int{"a1b2c3d4": 2, "sess": 2, "0": 0, "4": 0, "99999999999999999999": 0, "": 0, "nothing": 0, "../x": 0} {
		if _, err := p.lib.Resolve(t.Context(), arg); !errors.As(err, &missing) || len(missing.Candidates) != candidates {
			t.Errorf("%q: %v, want not found with %d candidates", arg, err, candidates)
		}
	}
	odd := p.file(filepath.Join(t.TempDir(), "odd.json"), `[1]`, 0)
	if _, err := p.lib.Resolve(t.Context(), odd); err == nil || errors.As(err, &missing) {
		t.Errorf("a file that is no session: %v", err)
	}
}

func TestDamagedJournalIsListedWithItsProblem(t *testing.T) {
	p := newPlace(t)
	p.journal(idA, p.work, "z", 1)
	path, _ := p.store.JournalPath(idA)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p.file(path, strings.Replace(string(raw), `{"seq":2`, `{"seq":3`, 1), 0)
	got := p.list()
	if len(got) != 1 || !strings.Contains(got[0].Problem, "line 2") {
		t.Errorf("list is %+v", got)
	}
}

func TestNewestOfAWorkingDirectory(t *testing.T) {
	p := newPlace(t)
	other := t.TempDir()
	p.file(filepath.Join(p.logs(), "old.json"), saved(idC, "null", "x"), 9)
	newest := func(dir string) string {
		t.Helper()
		e, err := p.lib.Newest(t.Context(), dir)
		var missing *sessions.NotFoundError
		if errors.As(err, &missing) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		return e.SessionID
	}
	if got := newest(p.work); got != idC {
		t.Errorf("with a file of the original only: %q", got)
	}
	p.journal(idA, p.work, "x", 3)
	p.journal(idB, other, "x", 1)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(p.work, link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	for dir, want := range map[string]string{p.work: idA, link: idA, other: idB, filepath.Dir(p.work): ""} {
		if got := newest(dir); got != want {
			t.Errorf("newest of %s is %q, want %q", dir, got, want)
		}
	}
}

func TestRemove(t *testing.T) {
	p := newPlace(t)
	p.journal(idA, p.work, "z", 1)
	mine := p.file(filepath.Join(p.ours, "session_"+idA+"_20260101_090000.json"), saved(idA, "null", "z"), 1)
	kept := p.file(filepath.Join(p.ours, "session_"+idB+"_20260101_090000.json"), saved(idB, "null", "z"), 1)
	e := p.resolve(idA)
	if err := p.store.Acquire(t.Context(), idA); err != nil {
		t.Fatal(err)
	}
	var held *store.HeldError
	if err := p.lib.Remove(t.Context(), e); !errors.As(err, &held) {
		t.Fatalf("a session in use: %v", err)
	}
	if err := p.store.Release(idA); err != nil {
		t.Fatal(err)
	}
	if err := p.lib.Remove(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mine); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its file: %v", err)
	}
	if got := p.list(); ids(got) != "a1b2c3d42f" {
		t.Errorf("left: %s", ids(got))
	}
	if err := p.lib.Remove(t.Context(), p.resolve(kept)); err != nil || len(p.list()) != 0 {
		t.Errorf("%v; left: %v", err, p.list())
	}
}

func TestSweepRemovesOldFilesOfOurs(t *testing.T) {
	p := newPlace(t)
	name := func(id string) string { return "session_" + id + "_20260101_090000.json" }
	old := p.file(filepath.Join(p.ours, name(idB)), saved(idB, "null", "x"), 48)
	p.file(filepath.Join(p.ours, name(idC)), saved(idC, "null", "young"), 1)
	p.file(filepath.Join(p.ours, "notes.json"), saved("x", "null", "not ours"), 48)
	p.file(filepath.Join(p.logs(), name(idB)), saved(idB, "null", "the original's"), 48)
	p.journal(idA, p.work, "z", 1)
	p.file(filepath.Join(p.ours, name(idA)), saved(idA, "null", "has a journal"), 48)
	removed, err := p.lib.Sweep(t.Context(), time.Now().Add(-24*time.Hour))
	if err != nil || len(removed) != 1 || removed[0] != old {
		t.Errorf("removed %v, %v", removed, err)
	}
}

// Acceptance checks 33 of the agent and 25 of the command line: importing.
func TestCheck33_Import(t *testing.T) {
	me, you := "me", "you"
	for _, tt := range []struct {
		name   string
		owner  string
		user   *string
		fork   bool
		forked bool
	}{
		{"same user", `"me"`, &me, false, false},
		{"other user", `"me"`, &you, false, true},
		{"saved anonymously", `null`, &me, false, true},
		{"anonymous now", `"me"`, nil, false, true},
		{"both anonymous", `null`, nil, false, false},
		{"asked to fork", `"me"`, &me, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			path := p.file(filepath.Join(p.logs(), "s.json"), saved(idA, tt.owner, "hi [REDACTED_HF_TOKEN]"), 0)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in, err := p.lib.Import(t.Context(), p.resolve("1"), tt.user, tt.fork)
			if err != nil {
				t.Fatal(err)
			}
			want := sessions.Import{
				Path: path, OriginalID: in.OriginalID, Events: 1, Forked: tt.forked, Model: "m/x", Messages: in.Messages, Redacted: true, Cwd: p.work,
			}
			if !tt.forked {
				want.SessionID, want.StartTime, want.MicroUSD = idA, "2026-01-01T09:00:00+01:00", 420_000
			}
			if diff := cmp.Diff(want, in); diff != "" || *in.OriginalID != idA || len(in.Messages) != 3 {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Error("the source was changed")
			}
		})
	}
}

func TestCheck33_ImportDropsAndReports(t *testing.T) {
	p := newPlace(t)
	p.file(filepath.Join(p.logs(), "s.json"), `{"session_id":"sess-1","model_name":"not a real id with spaces","total_cost_usd":NaN,"messages":[
		{"role":"system","content":"old"},{"role":"user","content":12345},{"role":"nobody","content":"x"},null,7,
		{"role":"assistant","content":null,"tool_calls":[{"id":"p","type":"function","function":{"name":"plan_tool","arguments":"{\"todos\":[{\"id\":\"1\",\"content\":\"a NaN\",\"status\":\"pending\"}]}"}}]},
		{"role":"user","content":[{"type":"text","text":"kept"}],"custom":{"a":1}}]}`, 0)
	in, err := p.lib.Import(t.Context(), p.resolve("1"), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if in.Dropped != 4 || len(in.Messages) != 2 || in.Model != "" || *in.InvalidModel != "not a real id with spaces" || in.Redacted || in.MicroUSD != 0 {
		t.Errorf("import is %+v", in)
	}
	if !in.Forked || in.SessionID != "" {
		t.Error("an id that is no UUID cannot be gone on with")
	}
	if len(in.Plan) != 1 || in.Plan[0].Content != "a NaN" || string(in.Messages[1].Extra["custom"]) != `{"a":1}` {
		t.Errorf("plan %v, messages %+v", in.Plan, in.Messages)
	}
	for name, text := range map[string]string{"only a system message": `{"messages":[{"role":"system","content":"x"}]}`, "none": `{"messages":[]}`} {
		p.file(filepath.Join(p.logs(), "s.json"), text, 0)
		if _, err := p.lib.Import(t.Context(), p.resolve("1"), nil, false); err == nil {
			t.Errorf("%s was imported", name)
		}
	}
}

// Acceptance check 33 of the agent: resumed_from opens the new journal, and
// the journal alone brings the conversation back.
func TestCheck33_NewJournal(t *testing.T) {
	p := newPlace(t)
	p.file(filepath.Join(p.logs(), "s.json"), saved(idA, "null", "hi"), 0)
	in, err := p.lib.Import(t.Context(), p.resolve("1"), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	for i, payload := range append(in.Payloads(llm.Message{Role: llm.System, Text: "now"}), in.Complete("m/x")) {
		ev, err := event.New(in.SessionID, "", time.Now(), payload)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(i + 1)
		events = append(events, ev)
	}
	if err := p.store.Append(t.Context(), in.SessionID, 0, events); err != nil {
		t.Fatal(err)
	}
	stored, err := p.store.Read(t.Context(), idA, 0, 0)
	if err != nil || len(stored) != 4 || stored[0].Type != event.TypeResumedFrom {
		t.Fatalf("stored %v, %v", stored, err)
	}
	s, err := history.Load(stored)
	if err != nil {
		t.Fatal(err)
	}
	spent, _ := s.Spent()
	if len(s.Messages) != 4 || s.Messages[0].Text != "now" || s.Messages[1].Text != "hi" || s.Model != "m/x" || spent != 420_000 || s.Started != "2026-01-01T09:00:00+01:00" {
		t.Errorf("state is %+v", s)
	}
	done, err := event.Decode[event.ResumeComplete](stored[3])
	if err != nil || done.RestoredCount != 3 || done.Forked || done.DroppedCount != 0 || done.InvalidSavedModel != nil {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestForkOfAJournal(t *testing.T) {
	p := newPlace(t)
	p.journal(idA, p.work, "z", 1)
	in, err := p.lib.Import(t.Context(), p.resolve(idA), nil, true)
	if err != nil || !in.Forked || in.SessionID != "" || len(in.Messages) != 2 || in.Model != "m/j" {
		t.Errorf("%+v, %v", in, err)
	}
}

// What was typed is known in a copy too; the turns are not the same.
func TestForkKnowsWhatWasTyped(t *testing.T) {
	p := newPlace(t)
	for i, payload := range []event.Payload{
		event.InputAccepted{SubmissionID: "s", Text: "read @a.md and its text", Shown: "read @a.md"},
		event.TurnStarted{TurnID: "turn_1", SubmissionID: "s"},
		event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.User, Text: "read @a.md and its text"}},
	} {
		ev, err := event.New(idA, "turn_1", time.Now(), payload)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(i + 1)
		if err := p.store.Append(t.Context(), idA, 0, []event.Event{ev}); err != nil {
			t.Fatal(err)
		}
	}
	in, err := p.lib.Import(t.Context(), p.resolve(idA), nil, true)
	if err != nil || in.Title != "" || in.Name() != "read @a.md" {
		t.Fatalf("%+v, %v", in, err)
	}
	var s history.State
	for i, payload := range in.Payloads() {
		ev, err := event.New(idB, "", time.Now(), payload)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(i + 1)
		if err := s.Apply(ev); err != nil {
			t.Fatal(err)
		}
	}
	if s.Name() != "read @a.md" || len(s.Said) != 1 || s.Said[0].TurnID != "" || s.Messages[0].Text != "read @a.md and its text" {
		t.Errorf("%+v", s)
	}
	d, err := p.lib.Load(t.Context(), p.resolve(idA))
	if err != nil || d.Title != "read @a.md" || d.Texts()[0] != "read @a.md" {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestExport(t *testing.T) {
	p := newPlace(t)
	p.journal(idA, p.work, "hello", 1)
	p.file(filepath.Join(p.ours, "session_"+idA+"_20260101_090000.json"), `{"session_id":"`+idA+`","user_id":"me","messages":[],"tools":[{"type":"function","function":{"name":"bash"}}]}`, 1)
	e := p.resolve(idA)
	export := func(format string) string {
		t.Helper()
		var out bytes.Buffer
		if err := p.lib.Export(t.Context(), e, format, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	raw, err := os.ReadFile(e.Path)
	if err != nil || export("jsonl") != string(raw) {
		t.Errorf("jsonl is not the journal: %v", err)
	}
	for _, want := range []string{`"session_id": "` + idA, `"user_id": "me"`, `"name": "bash"`, `"content": "hello"`, `"model_name": "m/j"`} {
		if got := export("json"); !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	if got := export("claude_code"); strings.Count(got, "\n") != 2 {
		t.Errorf("claude_code: %s", got)
	}
	err = p.lib.Export(t.Context(), e, "xml", &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "json, jsonl, claude_code") {
		t.Errorf("an unknown format: %v", err)
	}
	p.file(filepath.Join(p.logs(), "s.json"), saved(idC, "null", "x"), 0)
	if err := p.lib.Export(t.Context(), p.resolve(idC), "jsonl", &bytes.Buffer{}); err == nil {
		t.Error("a session without a journal was exported as one")
	}
}
