package saved_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/discover"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const (
	idA = "a1b2c3d4-0000-4000-8000-000000000001"
	idB = "a1b2c3d4-0000-4000-8000-000000000002"
	idC = "c0ffee00-0000-4000-8000-000000000003"
)

// shelf is a machine with sessions.
type shelf struct {
	*testing.T
	*saved.Sessions
	store *store.Store
	dir   string
	user  *string
	ago   time.Duration // how long ago journals are written
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{T: t, dir: t.TempDir()}
	var err error
	if s.store, err = store.New(store.Options{Root: filepath.Join(s.dir, "state")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Sessions, err = saved.New(saved.Options{
		Store: s.store, Dirs: []string{filepath.Join(s.dir, "state"), filepath.Join(s.dir, "session_logs")}, Cache: filepath.Join(s.dir, "cache"),
		Model: func(id string) (string, bool) { return id, !strings.Contains(id, " ") },
		User:  func(context.Context) *string { return s.user },
		Scrub: func(raw []byte) ([]byte, error) {
			return []byte(strings.ReplaceAll(string(raw), "hf_secret", "[REDACTED]")), nil
		},
		Elsewhere: discover.Places{Claude: filepath.Join(s.dir, "claude")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// journal writes a session; it stays in use until it is let go.
func (s *shelf) journal(id, text string, more ...event.Payload) {
	s.Helper()
	payloads := append([]event.Payload{
		event.InputAccepted{SubmissionID: "s", Text: text},
		event.TurnStarted{TurnID: "turn_1", SubmissionID: "s", Model: "m/j", Cwd: s.dir},
		event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.User, Text: text}},
	}, more...)
	last, err := s.store.LastSeq(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	for i, p := range payloads {
		ev, err := event.New(id, "turn_1", time.Now().Add(-s.ago), p)
		if err != nil {
			s.Fatal(err)
		}
		ev.Seq = last + int64(i+1)
		if err := s.store.Append(s.Context(), id, 0, []event.Event{ev}); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *shelf) letGo(id string) {
	s.Helper()
	if err := s.store.Release(id); err != nil {
		s.Fatal(err)
	}
	path, err := s.store.JournalPath(id)
	if err != nil {
		s.Fatal(err)
	}
	if at := time.Now().Add(-s.ago); os.Chtimes(path, at, at) != nil {
		s.Fatal("the journal has no time")
	}
}

func (s *shelf) entry(ref string) sessions.Entry {
	s.Helper()
	e, err := s.Resolve(s.Context(), ref)
	if err != nil {
		s.Fatal(err)
	}
	return e
}

func (s *shelf) state(id string) *history.State {
	s.Helper()
	events, err := s.store.Read(s.Context(), id, 0, 0)
	if err != nil {
		s.Fatal(err)
	}
	state, err := history.Load(events)
	if err != nil {
		s.Fatal(err)
	}
	return state
}

func (s *shelf) file(name, text string) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

func TestRename(t *testing.T) {
	s := newShelf(t)
	s.journal(idA, "question", event.TurnComplete{})
	s.letGo(idA)
	var held *store.HeldError
	for title, want := range map[string]string{
		"  a\n title\t": "a title", strings.Repeat("ü", 300): strings.Repeat("ü", 119) + "…", "with hf_secret": "with [REDACTED]", "\x1b[31mred": "[31mred",
	} {
		if _, err := s.Rename(t.Context(), s.entry(idA), title); err != nil {
			t.Fatal(err)
		}
		if got := s.entry(idA); got.Title != want || got.Running || s.state(idA).Title != want {
			t.Errorf("%q became %q", title, got.Title)
		}
	}
	if _, err := s.Rename(t.Context(), s.entry(idA), " \n"); !errors.Is(err, saved.ErrNoTitle) {
		t.Errorf("%v", err)
	}
	// Somebody else works on it.
	elsewhere, err := store.New(store.Options{Root: filepath.Join(s.dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	if err := elsewhere.Acquire(t.Context(), idA); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rename(t.Context(), s.entry(idA), "x"); !errors.As(err, &held) {
		t.Errorf("%v", err)
	}
	if err := elsewhere.Close(); err != nil {
		t.Fatal(err)
	}
	s.file("session_logs/old.json", `{"session_id":"`+idC+`","messages":[{"role":"user","content":"hi"}]}`)
	var file *saved.FileError
	if _, err := s.Rename(t.Context(), s.entry(idC), "x"); !errors.As(err, &file) || !strings.Contains(err.Error(), "ml-intern sessions import") {
		t.Errorf("%v", err)
	}
}

// A copy is made of a session at its current end, also while it is in use, and
// in the middle of a turn.
func TestForkOfARunningSession(t *testing.T) {
	s := newShelf(t)
	s.journal(idA, "question", event.Renamed{Title: "named", By: "user"},
		event.HistoryMessage{MessageID: "msg_2", Message: llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "c1", Name: "bash", Arguments: "{}"}}}})
	id, err := s.Fork(t.Context(), s.entry(idA))
	if err != nil {
		t.Fatal(err)
	}
	copied := s.state(id)
	if id == idA || len(copied.Messages) != 2 || copied.Title != "named" || copied.Cwd != s.dir || copied.Turn != nil || copied.Model != "m/j" {
		t.Errorf("%+v", copied)
	}
	if _, held := s.store.Held(id); held {
		t.Error("the copy is held")
	}
	if len(s.state(idA).Messages) != 2 {
		t.Error("the session was changed")
	}
	// What is said later is in one of them only.
	s.journal(idA, "more")
	if len(s.state(id).Messages) != 2 || len(s.state(idA).Messages) != 3 {
		t.Error("the copy is none")
	}
	if _, err := s.Fork(t.Context(), sessions.Entry{SessionID: idB, Journal: true, Path: "none"}); err == nil {
		t.Error("nothing was copied")
	}
}

// Acceptance check 25 of the command line: same user, same id; another user, or
// a copy, another id; the source is never changed.
func TestCheck25_SameUserSameID(t *testing.T) {
	me, you := "me", "you"
	for _, tt := range []struct {
		name, owner string
		user        *string
		fork        bool
		same        bool
	}{
		{"same user", `"me"`, &me, false, true},
		{"both nobody", `null`, nil, false, true},
		{"another user", `"me"`, &you, false, false},
		{"nobody now", `"me"`, nil, false, false},
		{"a copy", `"me"`, &me, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShelf(t)
			s.user = tt.user
			text := `{"session_id":"` + idC + `","user_id":` + tt.owner + `,"model_name":"not a real id with spaces","title":"My title","messages":[{"role":"system","content":"x"},{"role":"user","content":"hi"},{"role":"assistant","content":12345}]}`
			path := s.file("some.json", text)
			got, err := s.Import(t.Context(), path, tt.fork)
			if err != nil {
				t.Fatal(err)
			}
			if (got.SessionID == idC) != tt.same || got.Forked == tt.same || got.Dropped != 1 || got.Messages != 1 || got.Title != "My title" || got.Here {
				t.Errorf("%+v", got)
			}
			state := s.state(got.SessionID)
			if len(state.Messages) != 1 || state.Messages[0].Text != "hi" || state.Title != "My title" || state.Model != "" {
				t.Errorf("%+v", state)
			}
			if _, err := s.Rename(t.Context(), s.entry(got.SessionID), "the next save"); err != nil {
				t.Fatal(err)
			}
			if raw, err := os.ReadFile(path); err != nil || string(raw) != text {
				t.Errorf("the source was changed: %s", raw)
			}
		})
	}
}

func TestImportIsNotRepeated(t *testing.T) {
	s := newShelf(t)
	rows := `{"type":"user","uuid":"u1","sessionId":"` + idB + `","cwd":"/home/ada","timestamp":"2026-01-02T03:04:05Z","message":{"role":"user","content":"Why?"}}` + "\nnot json\n" +
		`{"type":"assistant","uuid":"a1","parentUuid":"u1","sessionId":"` + idB + `","message":{"role":"assistant","model":"claude-x","content":[{"type":"text","text":"Because."}]}}` + "\n"
	path := s.file("claude/-home-ada/"+idB+".jsonl", rows)
	if found, all, err := s.Elsewhere(t.Context(), 0); err != nil || all != 1 || found[0].Here || found[0].Title != "Why?" {
		t.Errorf("%+v, %v", found, err)
	}
	done, err := s.Several(t.Context(), []string{path, filepath.Join(s.dir, "none"), path}, false)
	if err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
	want := []saved.Imported{
		{Path: path, SessionID: idB, Title: "Why?", Program: "Claude Code", Messages: 3, Dropped: 1, Notes: []string{"1 line of the file was not valid and is left out"}},
		{Path: path, SessionID: idB, Title: "Why?", Messages: 3, Here: true},
	}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	state := s.state(idB)
	if state.Cwd != "/home/ada" || state.Started != "2026-01-02T03:04:05Z" || state.Model != "" || !state.Messages[0].Synthetic {
		t.Errorf("%+v", state)
	}
	if found, _, err := s.Elsewhere(t.Context(), 0); err != nil || !found[0].Here {
		t.Errorf("%+v, %v", found, err)
	}
	if again, err := s.Import(t.Context(), path, true); err != nil || again.SessionID == idB || again.Messages != 3 || again.Title != "Why?" {
		t.Errorf("%+v, %v", again, err)
	}
}

// What is told of a file of another program shows no secret of its first message.
func TestImportShowsNoSecret(t *testing.T) {
	s := newShelf(t)
	path := s.file("claude/-home-ada/"+idB+".jsonl", `{"type":"user","uuid":"u1","sessionId":"`+idB+`","cwd":"/home/ada","timestamp":"2026-01-02T03:04:05Z","message":{"role":"user","content":"use hf_secret"}}`+"\n")
	if found, _, err := s.Elsewhere(t.Context(), 0); err != nil || found[0].Title != "use [REDACTED]" {
		t.Errorf("%+v, %v", found, err)
	}
	if done, err := s.Import(t.Context(), path, false); err != nil || done.Title != "use [REDACTED]" {
		t.Errorf("%+v, %v", done, err)
	}
}

// A journal that was exported is the same conversation again, without the rules
// and settings that were in force there.
func TestImportOfAJournal(t *testing.T) {
	s := newShelf(t)
	five := int64(5_000_000)
	s.journal(idA, "question", event.Settings{Model: "m/j", ApprovalMode: "yolo"},
		event.Spend{ID: "llm_1", Kind: event.SpendLLM, State: event.SpendSettled, MicroUSD: &five},
		event.Evidence{ID: "S1", URL: "https://a.example"}, event.PlanUpdate{Plan: []event.PlanItem{{ID: "1", Content: "p", Status: "pending"}}},
		event.HistoryMessage{MessageID: "msg_2", Message: llm.Message{Role: llm.Assistant, Text: "answer"}}, event.TurnComplete{})
	s.letGo(idA)
	raw, err := os.ReadFile(s.entry(idA).Path)
	if err != nil {
		t.Fatal(err)
	}
	there := newShelf(t)
	got, err := there.Import(t.Context(), there.file("j.jsonl", string(raw)), false)
	if err != nil || got.SessionID != idA || got.Messages != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	state := there.state(idA)
	spent, _ := state.Spent()
	if spent != five || len(state.Evidence) != 1 || len(state.Plan) != 1 || state.Settings != nil || state.Model != "m/j" {
		t.Errorf("%+v", state)
	}
	for name, text := range map[string]string{
		"a gap":      strings.Replace(string(raw), `{"seq":2`, `{"seq":3`, 1),
		"two":        strings.Replace(string(raw), `"session_id":"`+idA, `"session_id":"`+idB, 1),
		"no message": strings.SplitAfter(string(raw), "\n")[1],
	} {
		if _, err := there.Import(t.Context(), there.file("bad.jsonl", text), true); err == nil {
			t.Errorf("%s was imported", name)
		}
	}
}

// Acceptance check 25 of the command line: what a session that goes on says.
func TestCheck25_Remarks(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	cut := []llm.Message{
		{Role: llm.User, Text: "x"},
		{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "a", Name: "bash"}, {ID: "b", Name: "read"}, {ID: "c", Name: "bash"}, {ID: "d", Name: "write"}}},
		{Role: llm.ToolRole, ToolCallID: "d", Text: "ok"},
	}
	for name, tt := range map[string]struct {
		state history.State
		want  []string
	}{
		"a new one":        {history.State{}, nil},
		"here":             {history.State{Cwd: dir}, nil},
		"here, by a link":  {history.State{Cwd: link}, nil},
		"elsewhere":        {history.State{Cwd: "/gone"}, []string{"warning: this session was held in /gone; now it works in " + dir}},
		"cut off":          {history.State{Cwd: dir, Messages: cut}, []string{"the session ended in the middle of its work: no result of 1 call of read, 2 calls of bash"}},
		"whole":            {history.State{Cwd: dir, Messages: cut[:1]}, nil},
		"both, and a rest": {history.State{Cwd: "/gone", Messages: cut, Spend: map[string]event.Spend{"a": {ID: "a", Kind: event.SpendJob, State: event.SpendReserved, Ref: "job:acme/66aa"}}}, []string{"held in", "middle of", "ml-intern jobs cancel 66aa"}},
	} {
		got := saved.Remarks(&tt.state, dir)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for i, want := range tt.want {
			if line := got[i].(event.ToolLog).Log; !strings.Contains(line, want) {
				t.Errorf("%s: %q, want %q", name, line, want)
			}
		}
	}
}

// Acceptance check 25 of the command line: what names a session, and how a
// request that names none is answered.
func TestCheck25_Find(t *testing.T) {
	s := newShelf(t)
	s.ago = time.Hour
	s.journal(idA, "older")
	s.letGo(idA)
	s.ago = 0
	s.journal(idB, "newer")
	s.letGo(idB)
	find := func(r saved.Request) (string, error) {
		r.Dir = s.dir
		e, err := s.Find(t.Context(), r)
		return e.SessionID, err
	}
	for _, r := range []saved.Request{{}, {Ref: "1"}, {Ref: idB}} {
		if id, err := find(r); err != nil || id != idB {
			t.Errorf("%+v: %s, %v", r, id, err)
		}
	}
	var wrong *saved.RequestError
	for ref, want := range map[string]string{"a1b2": "it could be any of", "nothing": "was not found (ml-intern sessions list shows them)"} {
		if _, err := find(saved.Request{Ref: ref}); !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "--resume: ") {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := find(saved.Request{Ref: "nothing", Inside: true}); err == nil || strings.Contains(err.Error(), "--resume") {
		t.Errorf("%v", err)
	}
	if _, err := s.Find(t.Context(), saved.Request{Dir: t.TempDir()}); !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), "--continue: ") {
		t.Errorf("%v", err)
	}
	path, _ := s.store.JournalPath(idA)
	s.file("state/"+idA+"/journal.jsonl", "not an event\n{}\n")
	if _, err := find(saved.Request{Ref: idA}); err == nil || !strings.Contains(err.Error(), "cannot be opened") {
		t.Errorf("%s: %v", path, err)
	}
}

func TestWords(t *testing.T) {
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	for ago, want := range map[time.Duration]string{
		0: "just now", -time.Hour: "just now", 59 * time.Second: "just now", 90 * time.Second: "1 min ago", 59 * time.Minute: "59 min ago", time.Hour: "1 h ago",
		23 * time.Hour: "23 h ago", 25 * time.Hour: "1 day ago", 50 * time.Hour: "2 days ago", 40 * 24 * time.Hour: now.Add(-40 * 24 * time.Hour).Local().Format("2006-01-02"),
	} {
		if got := saved.Age(now.Add(-ago), now); got != want {
			t.Errorf("%v: %q, want %q", ago, got, want)
		}
	}
	half := 0.5
	for want, e := range map[string]sessions.Entry{
		"unknown time, 0 turns":               {},
		"just now, 1 turn, $0.50":             {UpdatedAt: now, Turns: 1, CostUSD: &half},
		"just now, 2 turns, $0.50+?, running": {UpdatedAt: now, Turns: 2, CostUSD: &half, Incomplete: true, Running: true},
	} {
		if got := strings.Join(saved.Facts(e, now), ", "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := fmt.Sprint(saved.ShortID(sessions.Entry{SessionID: "\x1b[31mabc def-ghi"}), "|", saved.Headline(sessions.Entry{Title: "\u202eevil", Preview: "x"}), "|", saved.Headline(sessions.Entry{})); got != "abc_def-|evil|(no message of a person)" {
		t.Errorf("%q", got)
	}
}
