package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a project with a scripted model and a home of the program.
type site struct {
	t    *testing.T
	dir  string
	home string
	env  []string
}

// say is an answer of the model, call one that runs a command.
func say(text string) map[string]any { return map[string]any{"role": "assistant", "content": text} }

func call(id, command string) map[string]any {
	args, _ := json.Marshal(map[string]string{"command": command, "description": "test"})
	return map[string]any{"role": "assistant", "content": "", "tool_calls": []any{
		map[string]any{"id": id, "type": "function", "function": map[string]string{"name": "bash", "arguments": string(args)}},
	}}
}

func newSite(t *testing.T, script ...map[string]any) *site {
	t.Helper()
	root := t.TempDir()
	s := &site{t: t, dir: filepath.Join(root, "work"), home: filepath.Join(root, "home")}
	for _, dir := range []string{s.dir, s.home} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := json.Marshal(map[string]any{"messages": script})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.script(), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "ML_INTERN_HOME=" + s.home, "DO_NOT_TRACK=1", "HF_ENDPOINT=http://127.0.0.1:1"}
	return s
}

func (s *site) script() string { return filepath.Join(filepath.Dir(s.dir), "script.json") }

// running is a session that runs, read event by event.
type running struct {
	*testing.T
	*app.Session
	view attach.Session
}

// open opens a session; its end is checked.
func (s *site) open(req app.SessionRequest, flags map[string][]string) *running {
	s.t.Helper()
	all := map[string][]string{"model_name": {"replay/" + s.script()}}
	for key, values := range flags {
		all[key] = values
	}
	a, err := app.New(s.t.Context(), app.Options{Dir: s.dir, Environ: s.env, Flags: all})
	if err != nil {
		s.t.Fatal(err)
	}
	session, err := a.OpenSession(s.t.Context(), req)
	if err != nil {
		_ = a.Close()
		s.t.Fatal(err)
	}
	r := &running{T: s.t, Session: session, view: attach.NewLocal(session.Host())}
	s.t.Cleanup(func() {
		if err := errors.Join(session.Close(), a.Close()); err != nil {
			s.t.Error(err)
		}
	})
	return r
}

func (r *running) submit(op event.Operation) {
	r.Helper()
	if err := r.view.Submit(r.Context(), event.Submission{Operation: op}); err != nil {
		r.Fatal(err)
	}
}

// until reads on from a number to the first event of a type, and returns it and
// all before it.
func (r *running) until(after int64, want ...event.Type) (event.Event, []event.Event) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	var seen []event.Event
	for ev, err := range r.view.Follow(ctx, after) {
		if err != nil {
			r.Fatal(err)
		}
		if slices.Contains(want, ev.Type) {
			return ev, seen
		}
		seen = append(seen, ev)
	}
	r.Fatalf("no %s came; last: %s", want, kinds(seen))
	return event.Event{}, nil
}

func kinds(events []event.Event) string {
	var all []string
	for _, ev := range events {
		all = append(all, fmt.Sprintf("%d:%s", ev.Seq, ev.Type))
	}
	return strings.Join(all, " ")
}

// rest reads the chapter to its end.
func (r *running) rest(after int64) []event.Event {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	var seen []event.Event
	for ev, err := range r.view.Follow(ctx, after) {
		if err != nil {
			r.Fatal(err)
		}
		seen = append(seen, ev)
	}
	if ctx.Err() != nil {
		r.Fatalf("the chapter does not end: %s", kinds(seen))
	}
	return seen
}

func decode[P event.Payload](t testing.TB, ev event.Event) P {
	t.Helper()
	p, err := event.Decode[P](ev)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *site) store() *store.Store {
	st, err := store.New(store.Options{Root: filepath.Join(s.home, "state", "sessions")})
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

// free waits until nobody holds a session.
func (s *site) free(id string) {
	s.t.Helper()
	st := s.store()
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(time.Millisecond) {
		if _, held := st.Held(id); !held {
			return
		}
	}
	s.t.Fatalf("session %s is still held", id)
}

// A conversation goes over to a new session and back to the old one: each
// journal is complete and in order, the one that was left is released, and what
// shows the session reads everything once.
func TestNewAndBack(t *testing.T) {
	s := newSite(t, say("one"), say("two"), say("three"), say("four"))
	r := s.open(app.SessionRequest{}, nil)
	first := r.view.Info()
	r.submit(event.UserInput{Text: "the first thing"})
	done, _ := r.until(0, event.TypeTurnComplete)
	r.submit(event.NewChat{})
	left := r.rest(done.Seq)
	last := left[len(left)-1]
	if last.Type != event.TypeNewComplete {
		t.Fatalf("the old session ends with %s", kinds(left))
	}
	second := r.view.Info()
	told := decode[event.NewComplete](t, last)
	if second.SessionID == first.SessionID || second.SessionID != told.SessionID || told.PreviousSessionID != first.SessionID || second.Chapter != 1 {
		t.Errorf("%+v after %+v", second, told)
	}
	if told.SavedPath == nil || !strings.Contains(*told.SavedPath, first.SessionID) {
		t.Errorf("the old session is saved at %v", told.SavedPath)
	}
	s.free(first.SessionID)

	r.submit(event.UserInput{Text: "the second thing"})
	done, seen := r.until(0, event.TypeTurnComplete)
	if seen[0].Seq != 1 || seen[0].SessionID != second.SessionID {
		t.Errorf("the new session begins with %+v", seen[0])
	}
	if files, _ := filepath.Glob(filepath.Join(s.home, "state/sessions/session_"+first.SessionID+"*.json")); len(files) != 1 {
		t.Errorf("the old session has the files %v", files)
	}

	// What was ended by new is closed: a copy goes on.
	r.submit(event.Resume{Path: first.SessionID[:8]})
	left = r.rest(done.Seq)
	last = left[len(left)-1]
	third := r.view.Info()
	if back := decode[event.ResumeComplete](t, last); last.Type != event.TypeResumeComplete || back.SessionID != third.SessionID || !back.Forked || back.RestoredCount != 2 {
		t.Errorf("the second session ends with %s, %+v", kinds(left), back)
	}
	if third.Chapter != 2 || third.Title != "the first thing" || third.SessionID == first.SessionID {
		t.Errorf("%+v", third)
	}
	s.free(second.SessionID)
	r.submit(event.UserInput{Text: "again"})
	done, seen = r.until(0, event.TypeTurnComplete)
	if seen[0].Seq != 1 || seen[0].Type != event.TypeResumedFrom {
		t.Errorf("the copy begins with %s", kinds(seen))
	}

	// What was left by resume goes on in its own journal.
	r.submit(event.Resume{Path: second.SessionID})
	r.rest(done.Seq)
	fourth := r.view.Info()
	if fourth.SessionID != second.SessionID || fourth.Chapter != 3 || fourth.After == 0 {
		t.Errorf("%+v", fourth)
	}
	r.submit(event.UserInput{Text: "and again"})
	_, seen = r.until(fourth.After, event.TypeTurnComplete)
	if seen[0].Seq != fourth.After+1 || !slices.ContainsFunc(seen, func(ev event.Event) bool { return ev.Type == event.TypeResumeComplete }) {
		t.Errorf("the second session goes on with %s", kinds(seen))
	}
	if _, past := r.until(0, event.TypeResumeComplete); past[0].Seq != 1 { // and its past is there too
		t.Errorf("its past begins with %s", kinds(past))
	}
	if err := r.view.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{first.SessionID, second.SessionID, third.SessionID} {
		events, err := s.store().Read(t.Context(), id, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, ev := range events {
			if ev.Seq != int64(i)+1 || ev.SessionID != id {
				t.Fatalf("%s: event %d is %d of %s", id, i, ev.Seq, ev.SessionID)
			}
		}
		s.free(id)
	}
}

// What cannot be resumed leaves the conversation as it is.
func TestResumeFails(t *testing.T) {
	s := newSite(t, say("one"))
	r := s.open(app.SessionRequest{}, nil)
	r.submit(event.UserInput{Text: "hello"})
	done, _ := r.until(0, event.TypeTurnComplete)
	for path, want := range map[string]string{
		"ffffffff": "ffffffff", r.ID: "is the one that is open", "/nowhere/at/all.json": "nowhere", "99": "99",
	} {
		r.submit(event.Resume{Path: path})
		ev, seen := r.until(done.Seq, event.TypeError)
		done = ev
		if e := decode[event.Error](t, ev); !strings.Contains(e.Error, want) || strings.Contains(e.Error, "--resume:") {
			t.Errorf("%s: %+v behind %s", path, e, kinds(seen))
		}
	}
	if info := r.view.Info(); info.Chapter != 0 {
		t.Errorf("%+v", info)
	}
	if now, _ := r.Info(attach.Newest); now.Chapter != 0 {
		t.Errorf("%+v", now)
	}
}

// A session file is brought in and gone on with.
func TestResumeAFile(t *testing.T) {
	s := newSite(t, say("one"))
	path := filepath.Join(s.dir, "saved.json")
	raw := `{"session_id":"7f0c8a52-3a4d-4b51-8c59-000000000001","user_id":null,"model_name":"not a real id","messages":[{"role":"user","content":"old question"},{"role":"assistant","content":"old answer"}],"events":[]}`
	if err := os.WriteFile(path, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.open(app.SessionRequest{}, nil)
	r.submit(event.Resume{Path: path})
	r.rest(0)
	info := r.view.Info()
	r.submit(event.UserInput{Text: "and now"})
	_, seen := r.until(0, event.TypeTurnComplete)
	var ends []event.ResumeComplete
	for _, ev := range seen {
		if ev.Type == event.TypeResumeComplete {
			ends = append(ends, decode[event.ResumeComplete](t, ev))
		}
	}
	if len(ends) != 1 || ends[0].RestoredCount != 2 || ends[0].InvalidSavedModel == nil || !strings.HasPrefix(ends[0].ModelName, "replay/") {
		t.Errorf("the resume ended %+v", ends)
	}
	if seen[0].Type != event.TypeResumedFrom || info.Title != "old question" {
		t.Errorf("%s, %+v", kinds(seen), info)
	}
}

// ends are the events that end a change of settings.
func (r *running) ends(after int64, op event.Configure) (event.Event, []event.Event) {
	r.Helper()
	r.submit(op)
	return r.until(after, event.TypeSettings, event.TypeError)
}

func ptr[T any](v T) *T { return &v }

// A change of settings ends in one event that tells those in force, or says why
// nothing was changed; a running turn is not waited for.
func TestConfigure(t *testing.T) {
	served := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		served <- req.URL.Path
		rw.Header().Set("Content-Type", "application/json")
		if !strings.HasSuffix(req.URL.Path, "/chat/completions") {
			http.NotFound(rw, req)
			return
		}
		fmt.Fprint(rw, `{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}`)
	}))
	defer server.Close()
	s := newSite(t, call("c1", "while [ ! -e go ]; do sleep 0.01; done"), say("done"))
	s.env = append(s.env, "VLLM_BASE_URL="+server.URL, "OLLAMA_BASE_URL=http://127.0.0.1:1")
	r := s.open(app.SessionRequest{}, nil)
	r.submit(event.UserInput{Text: "wait"})
	at, _ := r.until(0, event.TypeToolStarted)

	ev, _ := r.ends(at.Seq, event.Configure{ApprovalMode: ptr("yolo"), Effort: ptr("low"), Allow: []string{"bash(git status*)"}})
	set := decode[event.Settings](t, ev)
	if set.ApprovalMode != "yolo" || set.Effort != "low" || set.MaxCostUSD == nil || *set.MaxCostUSD != 25 || set.Cwd == "" || set.ToolRuntime != "local" {
		t.Errorf("%+v", set)
	}
	ev, _ = r.ends(ev.Seq, event.Configure{MaxCostUSD: ptr(3.5)})
	if set = decode[event.Settings](t, ev); set.MaxCostUSD == nil || *set.MaxCostUSD != 3.5 {
		t.Errorf("%+v", set)
	}
	ev, _ = r.ends(ev.Seq, event.Configure{Allow: []string{"bash(ls)"}}) // changes nothing that is told, and is told
	if set = decode[event.Settings](t, ev); set.ApprovalMode != "yolo" {
		t.Errorf("%+v", set)
	}
	model := set.Model
	for _, op := range []event.Configure{{Model: ptr("ollama/x")}, {Model: ptr("nonsense")}, {Effort: ptr("huge")}, {ApprovalMode: ptr("x"), MaxCostUSD: ptr(9.0)}} {
		ev, _ = r.ends(ev.Seq, op)
		if e := decode[event.Error](t, ev); ev.Type != event.TypeError || ev.TurnID != "" || e.Hint == "" {
			t.Errorf("%+v: %s %+v", op, ev.Type, e)
		}
	}
	if info := r.Settings(); info.Model != model || info.CapMicroUSD != 3_500_000 {
		t.Errorf("a refused change changed %+v", info)
	}
	ev, seen := r.ends(ev.Seq, event.Configure{Model: ptr("vllm/m")})
	if set = decode[event.Settings](t, ev); set.Model != "vllm/m" || set.MaxCostUSD == nil {
		t.Errorf("%s, %+v behind %s", ev.Data, set, kinds(seen))
	}
	if got := <-served; !strings.Contains(got, "/") {
		t.Error(got)
	}
	if info, _ := r.Info(attach.Newest); info.Settings.Model != "vllm/m" || info.State != attach.Working {
		t.Errorf("%+v", info)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if end, _ := r.until(ev.Seq, event.TypeTurnComplete); end.TurnID == "" {
		t.Errorf("%+v", end)
	}
	r.submit(event.ShutdownOp{})
	r.rest(0)
	if err := r.Submit(t.Context(), event.Submission{Operation: event.Configure{Effort: ptr("low")}}); err == nil {
		t.Error("settings of a session that has ended were changed")
	}
}

// A session that ends leaves what waits to the next run: a text, and an open
// approval.
func TestShutdownKeepsWhatWaits(t *testing.T) {
	t.Run("a text", func(t *testing.T) {
		s := newSite(t, call("c1", "touch begun; sleep 60"), say("one"), say("two"))
		r := s.open(app.SessionRequest{}, nil)
		r.submit(event.UserInput{Text: "wait"})
		r.until(0, event.TypeToolStarted)
		r.submit(event.UserInput{Text: "and then this"})
		if err := r.view.Quit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := r.rest(0); all[len(all)-1].Type != event.TypeShutdown {
			t.Errorf("it ended with %s", kinds(all))
		}
		r = s.open(app.SessionRequest{Continue: true}, nil)
		_, seen := r.until(r.After, event.TypeTurnComplete)
		if !r.Unfinished || !slices.ContainsFunc(seen, func(ev event.Event) bool {
			return ev.Type == event.TypeHistoryMessage && strings.Contains(string(ev.Data), "and then this")
		}) {
			t.Errorf("unfinished %v, then %s", r.Unfinished, kinds(seen))
		}
	})
	t.Run("an approval", func(t *testing.T) {
		s := newSite(t, call("c1", "rm -rf /tmp/nothing-of-this-name"), say("one"))
		r := s.open(app.SessionRequest{}, nil)
		r.submit(event.UserInput{Text: "clean up"})
		r.until(0, event.TypeApprovalRequired)
		if !eventually(func() bool {
			info, _ := r.Info(attach.Newest)
			return info.State == attach.Waiting && r.Busy()
		}) {
			t.Error("the session does not wait")
		}
		if err := r.view.Quit(t.Context()); err != nil {
			t.Fatal(err)
		}
		r = s.open(app.SessionRequest{Continue: true}, nil)
		ev, _ := r.until(r.After, event.TypeApprovalRequired)
		if g := decode[event.ApprovalRequired](t, ev); len(g.Tools) != 1 || g.Tools[0].ToolCallID != "c1" {
			t.Errorf("%+v", g)
		}
	})
}

func eventually(ok func() bool) bool {
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// Jobs that go on after an interrupt are listed with the way to see and to stop
// them; where an interrupt ends jobs they are not.
func TestInterruptListsJobs(t *testing.T) {
	for action, want := range map[string]int{"ask": 1, "leave": 1, "cancel": 0} {
		t.Run(action, func(t *testing.T) {
			s := newSite(t, call("c1", "sleep 60"), say("one"))
			id := "11111111-2222-4333-8444-555555555555"
			st := s.store()
			var events []event.Event
			for i, p := range []event.Payload{
				event.InputAccepted{SubmissionID: "s", Text: "train", Cwd: s.dir},
				event.TurnStarted{TurnID: "turn_1", SubmissionID: "s", Cwd: s.dir},
				event.Spend{ID: "c0", Kind: event.SpendJob, State: event.SpendReserved, Ref: "job:acme/66aa", ToolCallID: "c0"},
				event.TurnComplete{StopReason: "answer"},
			} {
				ev, err := event.New(id, "turn_1", time.Now(), p)
				if err != nil {
					t.Fatal(err)
				}
				ev.Seq = int64(i + 1)
				events = append(events, ev)
			}
			if err := errors.Join(st.Append(t.Context(), id, 0, events), st.Close()); err != nil {
				t.Fatal(err)
			}
			r := s.open(app.SessionRequest{Resume: id, Prompt: true}, map[string][]string{"jobs_on_interrupt": {action}})
			r.submit(event.UserInput{Text: "wait"})
			r.until(r.After, event.TypeToolStarted)
			r.Interrupt()
			ev, _ := r.until(r.After, event.TypeInterrupted)
			found := 0
			note := func(ev event.Event) {
				text := string(ev.Data)
				if ev.Type != event.TypeToolLog || !strings.Contains(text, `"system"`) || !strings.Contains(text, "acme/66aa") {
					return
				}
				if found++; !strings.Contains(text, "http://127.0.0.1:1/jobs/acme/66aa") || !strings.Contains(text, "jobs cancel 66aa --namespace acme") {
					t.Errorf("told %s", text)
				}
			}
			for found < want { // it comes behind the end of the turn
				var before []event.Event
				ev, before = r.until(ev.Seq, event.TypeToolLog)
				for _, ev := range append(before, ev) {
					note(ev)
				}
			}
			r.submit(event.ShutdownOp{})
			for _, ev := range r.rest(ev.Seq) {
				note(ev)
			}
			if found != want {
				t.Errorf("told %d times, want %d", found, want)
			}
		})
	}
}
