package sessionlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/sink/sessionlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const id = "7f0c2a34-1111-4222-8333-444455556666"

// rig is a running log over a journal in memory.
type rig struct {
	t    *testing.T
	dir  string
	j    *journal.Journal
	log  *sessionlog.Log
	note bytes.Buffer // what was reported; read it after the end
	end  chan error
}

func start(t *testing.T, dir string, interval time.Duration) *rig {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Store: journal.NewMemory(), SessionID: id})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, j: j}
	r.follow(interval)
	return r
}

func (r *rig) follow(interval time.Duration) {
	r.t.Helper()
	var err error
	name := "me"
	r.log, err = sessionlog.New(sessionlog.Options{
		Dir: r.dir, SessionID: id, Interval: interval, Log: slog.New(slog.NewTextHandler(&r.note, nil)),
		About: func() document.About {
			spec, err := document.ToolSpec(llm.ToolSpec{Name: "bash", Description: "runs", Parameters: json.RawMessage(`{"type":"object"}`)})
			if err != nil {
				r.t.Error(err)
			}
			return document.About{UserID: &name, Cwd: "/w", GitBranch: "main", AppVersion: "1.2", Tools: []json.RawMessage{spec}}
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.end = make(chan error, 1)
	log, end := r.log, r.end
	go func() { end <- log.Run(r.t.Context(), r.j.Follow) }()
}

func (r *rig) add(ps ...event.Payload) {
	r.t.Helper()
	if _, err := r.j.Append(r.t.Context(), "turn_1", ps...); err != nil {
		r.t.Fatal(err)
	}
}

// stop ends the log by closing the journal.
func (r *rig) stop() error {
	r.j.Close()
	return <-r.end
}

func (r *rig) files() []string {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	return files
}

// saved returns how many messages and events the one file holds, after
// checking that it is the only one; -1 when there is none.
func (r *rig) saved() (events int) {
	r.t.Helper()
	files := r.files()
	if len(files) == 0 {
		return -1
	}
	if len(files) != 1 {
		r.t.Fatalf("files are %v, want one", files)
	}
	d, err := document.Read(files[0])
	if err != nil {
		r.t.Fatal(err)
	}
	return len(d.Events)
}

var hello = []event.Payload{
	event.Ready{},
	event.InputAccepted{SubmissionID: "s", Text: "list files"},
	event.TurnStarted{TurnID: "turn_1", SubmissionID: "s", Model: "m/x", Cwd: "/other"},
	event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.System, Text: "sys"}},
	event.HistoryMessage{MessageID: "msg_2", Message: llm.Message{Role: llm.User, Text: "list files"}},
}

func TestOptionsAreChecked(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, opts := range []sessionlog.Options{{}, {Dir: "x", Log: log}, {SessionID: id, Log: log}, {Dir: "x", SessionID: id}, {Dir: "x", SessionID: id, Log: log, Interval: -1}} {
		if _, err := sessionlog.New(opts); err == nil {
			t.Errorf("%+v was accepted", opts)
		}
	}
}

// Acceptance check 23 of the command line: several saves are one file with the
// original's keys, for the owner alone, without a temporary file left.
func TestCheck23_ThreeSavesOneFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, filepath.Join(t.TempDir(), "sessions"), 0)
		r.add(hello...)
		cost := 0.42
		r.add(
			event.AssistantChunk{Content: "so"}, event.LLMCall{Model: "m/x", Kind: llm.KindMain, CostUSD: &cost, Total: 7}, event.StreamEnd{},
			event.HistoryMessage{MessageID: "msg_3", Message: llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "a", Name: "bash", Arguments: "{}"}, {ID: "b", Name: "bash", Arguments: "{}"}}}},
			event.ToolCall{Tool: "bash", ToolCallID: "a", Arguments: json.RawMessage(`{}`)},
			event.ToolOutput{Tool: "bash", ToolCallID: "b", Output: "second ü 😀 <&>", Success: true},
			event.ToolOutput{Tool: "bash", ToolCallID: "a", Output: "first", Success: true},
			event.ToolOutput{Tool: "bash", ToolCallID: "z", Output: "a sub-agent's", AgentID: "b"},
		)
		for range 3 {
			r.add(event.TurnComplete{})
			synctest.Wait()
			if r.saved() < 0 {
				t.Fatal("a turn ended and nothing was saved")
			}
			time.Sleep(time.Second)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		files := r.files()
		if len(files) != 1 || !regexp.MustCompile(`^session_`+id+`_\d{8}_\d{6}\.json$`).MatchString(filepath.Base(files[0])) || files[0] != r.log.Path() {
			t.Fatalf("files are %v, path %s", files, r.log.Path())
		}
		if info, err := os.Stat(files[0]); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("mode: %v, %v", info.Mode(), err)
		}
		if info, err := os.Stat(r.dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("mode of the folder: %v, %v", info.Mode(), err)
		}
		checkFile(t, files[0])
	})
}

func checkFile(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.IndexFunc(raw, func(r rune) bool { return r > 126 }); i >= 0 || !bytes.HasPrefix(raw, []byte("{\n  \"session_id\": ")) {
		t.Errorf("the file is not indented ASCII, at %d", i)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"session_id": id, "user_id": "me", "hf_username": nil, "model_name": "m/x", "total_cost_usd": 0.42,
		"upload_status": "pending", "upload_url": nil, "cwd": "/w", "git_branch": "main", "title": "list files", "app_version": "1.2",
	} {
		if have, ok := got[key]; !ok || have != want {
			t.Errorf("%s is %v, want %v", key, have, want)
		}
	}
	for _, key := range []string{"session_start_time", "session_end_time", "last_save_time", "usage_metrics", "messages", "events", "tools"} {
		if got[key] == nil {
			t.Errorf("%s is missing", key)
		}
	}
	var texts, types []string
	for _, m := range got["messages"].([]any) {
		m := m.(map[string]any)
		texts = append(texts, m["role"].(string))
		if m["role"] == "tool" {
			texts = append(texts, m["content"].(string))
		} else if _, ok := m["tool_calls"]; !ok {
			t.Errorf("%v lacks the null tool_calls", m)
		}
	}
	if got := strings.Join(texts, ","); got != "system,user,assistant,tool,first,tool,second ü 😀 <&>" {
		t.Errorf("messages are %s", got)
	}
	for _, e := range got["events"].([]any) {
		types = append(types, e.(map[string]any)["event_type"].(string))
	}
	if got := strings.Join(types, ","); got != "ready,llm_call,assistant_stream_end,tool_call,tool_output,tool_output,tool_output,turn_complete,turn_complete,turn_complete" {
		t.Errorf("events are %s", got)
	}
}

// Acceptance check 24 of the command line: no message, no file.
func TestCheck24_NothingSaidNoFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, filepath.Join(t.TempDir(), "sessions"), time.Minute)
		r.add(event.Ready{}, event.HistoryMessage{Message: llm.Message{Role: llm.System, Text: "sys"}}, event.Shutdown{})
		time.Sleep(5 * time.Minute)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(r.dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the folder exists: %v", err)
		}
	})
}

// Acceptance checks 36 of the agent and 32 of the command line: with changes
// at 0, 30, 61 and 70 s there is one save, seen at 61 s.
func TestCheck36_Heartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), time.Minute)
		began := time.Now()
		at := func(s int) {
			time.Sleep(time.Until(began.Add(time.Duration(s) * time.Second)))
			synctest.Wait()
		}
		r.add(hello...)
		at(0)
		if r.saved() >= 0 {
			t.Error("saved at 0 s")
		}
		at(30)
		r.add(event.ToolLog{Tool: "bash", Log: "1"})
		synctest.Wait()
		if r.saved() >= 0 {
			t.Error("saved at 30 s")
		}
		at(61)
		if got := r.saved(); got != 2 {
			t.Errorf("at 61 s the file has %d events, want the 2 so far", got)
		}
		r.add(event.ToolLog{Tool: "bash", Log: "2"})
		at(70)
		r.add(event.ToolLog{Tool: "bash", Log: "3"})
		synctest.Wait()
		if got := r.saved(); got != 2 {
			t.Errorf("at 70 s the file has %d events: it was saved again", got)
		}
		at(122)
		if got := r.saved(); got != 4 {
			t.Errorf("at 122 s the file has %d events, want 4", got)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Acceptance check 36 of the agent: the call of a silent tool is on disk after
// at most a minute, and nothing is written while nothing changes.
func TestCheck36_SilentTool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), time.Minute)
		r.add(hello...)
		r.add(event.TurnComplete{})
		time.Sleep(20 * time.Second)
		r.add(event.ToolCall{Tool: "bash", ToolCallID: "a", Arguments: json.RawMessage(`{}`)})
		time.Sleep(time.Minute)
		synctest.Wait()
		raw, err := os.ReadFile(r.log.Path())
		if err != nil || !bytes.Contains(raw, []byte(`"tool_call"`)) {
			t.Errorf("the call is not on disk: %v", err)
		}
		if err := os.Remove(r.log.Path()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if len(r.files()) != 0 {
			t.Error("nothing changed and the file was written")
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestGateSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), 0)
		r.add(hello...)
		r.add(event.ApprovalRequired{Tools: []event.GatedCall{{ToolCallID: "a"}}})
		synctest.Wait()
		if r.saved() != 2 {
			t.Errorf("an opening gate saved %d events", r.saved())
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestExitSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := start(t, t.TempDir(), time.Minute)
		r.add(hello...)
		second, err := sessionlog.New(sessionlog.Options{Dir: filepath.Join(r.dir, "b"), SessionID: id, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		end := make(chan error)
		go func() { end <- second.Run(ctx, r.j.Follow) }()
		synctest.Wait()
		cancel()
		if err := <-end; err != nil {
			t.Error(err)
		}
		if second.Path() == "" {
			t.Error("a cancelled log has not saved")
		}
		if err := r.stop(); err != nil || r.log.Path() == "" {
			t.Errorf("a closed journal has not saved: %v", err)
		}
	})
}

func TestNewConversationFinishesTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), time.Minute)
		r.add(hello...)
		r.add(event.NewComplete{SessionID: "other"})
		if err := <-r.end; err != nil || r.saved() != 2 {
			t.Errorf("%v, %d events", err, r.saved())
		}
	})
}

func TestEachProcessWritesItsOwnFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), 0)
		r.add(hello...)
		r.add(event.TurnComplete{})
		synctest.Wait()
		first := r.log.Path()
		before, err := os.ReadFile(first)
		if err != nil {
			t.Fatal(err)
		}
		end := r.end
		r.follow(0) // a second log, within the same second
		synctest.Wait()
		second := r.log.Path()
		if second == "" || second == first {
			t.Errorf("the second file is %q", second)
		}
		if after, err := os.ReadFile(first); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the first file was changed: %v", err)
		}
		if err := errors.Join(r.stop(), <-end); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFailedSaveIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "sessions")
		if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
			t.Fatal(err)
		}
		r := start(t, dir, time.Minute)
		r.add(hello...)
		r.add(event.TurnComplete{})
		synctest.Wait()
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if r.saved() != 2 {
			t.Error("the save was not retried")
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.note.String(), "could not be saved") {
			t.Errorf("reported: %s", r.note.String())
		}
	})
}

func TestErrorOfTheEventsEndsTheLog(t *testing.T) {
	broken := errors.New("broken")
	log, err := sessionlog.New(sessionlog.Options{Dir: t.TempDir(), SessionID: id, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	follow := func(context.Context, int64) iter.Seq2[event.Event, error] {
		return func(yield func(event.Event, error) bool) { yield(event.Event{}, broken) }
	}
	if err := log.Run(t.Context(), follow); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}
