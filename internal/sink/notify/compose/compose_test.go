package compose_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/sink/notify/compose"
)

func ptr[T any](v T) *T { return &v }

// teller makes events a second apart.
type teller struct {
	t   *testing.T
	w   *compose.Writer
	seq int64
	at  time.Time
}

func tell(t *testing.T, o compose.Options) *teller {
	if o.Types == nil {
		o.Types = compose.Kinds()
	}
	o.Session, o.Project, o.Hub = "s-1", "work", "https://hub.example"
	return &teller{t: t, w: compose.New(o), at: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
}

func (x *teller) take(turn string, p event.Payload) []compose.Notice {
	x.t.Helper()
	x.seq++
	x.at = x.at.Add(time.Second)
	ev, err := event.New("s-1", turn, x.at, p)
	if err != nil {
		x.t.Fatal(err)
	}
	ev.Seq = x.seq
	return x.w.Take(ev)
}

func (x *teller) one(turn string, p event.Payload) messaging.Message {
	x.t.Helper()
	got := x.take(turn, p)
	if len(got) != 1 {
		x.t.Fatalf("%s is worth %d messages", p.Type(), len(got))
	}
	return got[0].Message
}

func fields(m messaging.Message) string {
	var out []string
	for _, f := range m.Fields {
		out = append(out, f.Name+"="+f.Value)
	}
	return strings.Join(out, "; ")
}

func TestEvents(t *testing.T) {
	for name, tt := range map[string]struct {
		event       event.Payload
		severity    messaging.Severity
		title, text string
		kind        string
	}{
		"approval": {
			event.ApprovalRequired{Count: 3, Tools: []event.GatedCall{{Tool: "bash"}, {Tool: "hf_jobs"}, {Tool: "bash"}}},
			"warning", "Agent approval required", "Session s-1 is waiting for approval of 3 tool call(s).\nTools: bash, hf_jobs", "approval_required",
		},
		"threshold": {
			event.ApprovalRequired{Count: 1, UsageThreshold: true, Tools: []event.GatedCall{{Tool: "usage_threshold", Arguments: json.RawMessage(`{"threshold_usd":5,"current_spend_usd":5.127,"next_threshold_usd":10}`)}}},
			"warning", "Usage approval required", "Session s-1 has reached $5.13, crossing the $5.00 threshold. The next warning comes at $10.00.", "approval_required",
		},
		"cap": {
			event.ApprovalRequired{Count: 1, YoloBudget: true, Block: &event.Block{BlockReason: "the cap is used up"}, Tools: []event.GatedCall{{Tool: "yolo_budget"}}},
			"warning", "Usage approval required", "Session s-1 has reached its spending cap.\nthe cap is used up", "approval_required",
		},
		"error":         {event.Error{Error: strings.Repeat("word ", 200)}, "error", "Agent error", "Session s-1 hit an error:\n" + strings.TrimSpace(strings.Repeat("word ", 100)), "error"},
		"complete":      {event.TurnComplete{FinalResponse: ptr("All **done**."), StopReason: "answer"}, "success", "Agent task complete", "Session s-1 completed.\nAll **done**.", "turn_complete"},
		"nothing":       {event.TurnComplete{StopReason: "max_iterations"}, "warning", "Agent task complete", "Session s-1 completed.", "turn_complete"},
		"interrupted":   {event.Interrupted{}, "info", "Agent interrupted", "Session s-1 was interrupted.", "interrupted"},
		"job started":   {event.JobSubmit{JobID: "j1", JobURL: "https://hub.example/jobs/me/j1", Flavor: "a10g-small", Timeout: "2h"}, "info", "Job started", "Job j1 runs on a10g-small, for 2h at most.", "job_started"},
		"job finished":  {event.JobComplete{JobID: "j1", FinalStatus: "COMPLETED", WallTimeS: 125, EstimatedCostUSD: ptr(0.035)}, "success", "Job finished", "Job j1 is finished after 2m 5s. It cost $0.04.", "job_finished"},
		"job failed":    {event.JobComplete{JobID: "j1", FinalStatus: "ERROR", WallTimeS: 5}, "error", "Job failed", "Job j1 ended with ERROR after 5 s.", "job_failed"},
		"job cancelled": {event.JobComplete{JobID: "j1", FinalStatus: "CANCELED", WallTimeS: 5}, "warning", "Job cancelled", "Job j1 was cancelled after 5 s.", "job_finished"},
	} {
		t.Run(name, func(t *testing.T) {
			m := tell(t, compose.Options{}).one("turn_1", tt.event)
			if m.Severity != tt.severity || m.Title != tt.title || m.Text != tt.text || m.Event != tt.kind || m.Session != "s-1" || m.ID != "s-1:1:"+tt.kind {
				t.Errorf("got %+v", m)
			}
			if !strings.HasSuffix(fields(m), "session_id=s-1; event_type="+tt.kind) {
				t.Errorf("fields %s", fields(m))
			}
		})
	}
}

func TestAMessageTellsOfItsTurn(t *testing.T) {
	x := tell(t, compose.Options{})
	x.take("", event.Settings{Model: "old/model"})
	x.take("", event.Spend{ID: "llm_0", State: event.SpendSettled, MicroUSD: ptr(int64(900_000))})
	x.take("", event.InputAccepted{SubmissionID: "sub_1", Text: "fine-tune the model on the file\nwith all its text: " + strings.Repeat("x ", 300), Shown: "fine-tune  the model on @data.csv"})
	x.take("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: "sub_1", Model: "a/b"})
	x.take("turn_1", event.Spend{ID: "llm_1", State: event.SpendSettled, MicroUSD: ptr(int64(120_000))})
	x.take("turn_1", event.Spend{ID: "job_1", State: event.SpendReserved, MicroUSD: ptr(int64(5_000_000))})
	started := x.one("turn_1", event.JobSubmit{JobID: "j1", JobURL: "https://hub.example/jobs/me/j1", Flavor: "t4"})
	if !strings.HasPrefix(fields(started), "job=https://hub.example/jobs/me/j1; project=work; prompt=fine-tune the model on @data.csv; ") {
		t.Errorf("started: %s", fields(started))
	}
	x.take("turn_1", event.ToolStateChange{TrackioSpaceID: "me/trackio"})
	x.take("turn_1", event.Spend{ID: "job_1", State: event.SpendSettled})
	done := x.one("turn_1", event.TurnComplete{StopReason: "answer"})
	want := "project=work; prompt=fine-tune the model on @data.csv; duration=6 s; cost=at least $0.12; jobs=https://hub.example/jobs/me/j1; " +
		"dashboard=https://hub.example/spaces/me/trackio; session_id=s-1; model=a/b; event_type=turn_complete"
	if diff := cmp.Diff(want, fields(done)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// The next turn begins anew.
	x.take("turn_2", event.TurnStarted{TurnID: "turn_2", SubmissionID: "sub_2"})
	done = x.one("turn_2", event.TurnComplete{StopReason: "answer"})
	if diff := cmp.Diff("project=work; duration=1 s; session_id=s-1; model=a/b; event_type=turn_complete", fields(done)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Check 38: what is not asked for is not told.
func TestCheck38_OnlyWantedKinds(t *testing.T) {
	x := tell(t, compose.Options{Types: []string{"error"}})
	for _, p := range []event.Payload{
		event.TurnComplete{StopReason: "answer"},
		event.ApprovalRequired{},
		event.Interrupted{},
		event.JobSubmit{JobID: "j"},
		event.JobComplete{JobID: "j"},
		event.Spend{ID: "x", State: event.SpendSettled, MicroUSD: ptr(int64(50_000_000))},
	} {
		if got := x.take("turn_1", p); len(got) != 0 {
			t.Errorf("%s: %+v", p.Type(), got)
		}
	}
	x.one("turn_1", event.Error{Error: "x"})
}

func TestQuestionsNobodyCanAnswer(t *testing.T) {
	x := tell(t, compose.Options{Headless: true})
	if got := x.take("turn_1", event.ApprovalRequired{Count: 1, Tools: []event.GatedCall{{Tool: "bash"}}}); len(got) != 0 {
		t.Errorf("a question that headless refuses is told: %+v", got)
	}
	x.one("turn_1", event.ApprovalRequired{YoloBudget: true, Tools: []event.GatedCall{{Tool: "yolo_budget"}}})
	// Without questions, one about money is a warning.
	x = tell(t, compose.Options{Types: []string{"budget_warning"}})
	if m := x.one("turn_1", event.ApprovalRequired{UsageThreshold: true}); m.Event != "budget_warning" {
		t.Errorf("event %s", m.Event)
	}
}

func TestSpending(t *testing.T) {
	x := tell(t, compose.Options{})
	x.take("", event.Settings{Model: "m", MaxCostUSD: ptr(20.0)})
	var told []string
	for i := range 50 {
		for _, n := range x.take("turn_1", event.Spend{ID: fmt.Sprint(i), State: event.SpendSettled, MicroUSD: ptr(int64(1_000_000))}) {
			told = append(told, n.Text)
		}
	}
	want := []string{
		"Session s-1 has spent $5.00.", "Session s-1 has spent $10.00.", "Session s-1 has spent $16.00 of the $20.00 that it may.",
		"Session s-1 has spent $20.00.", "Session s-1 has spent $40.00.",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAJobEndsOnce(t *testing.T) {
	x := tell(t, compose.Options{})
	x.one("turn_1", event.JobComplete{JobID: "j", FinalStatus: "COMPLETED"})
	if got := x.take("turn_1", event.JobComplete{JobID: "j", FinalStatus: "COMPLETED"}); len(got) != 0 {
		t.Errorf("told again: %+v", got)
	}
}

func TestKindsAreThoseOfTheConfiguration(t *testing.T) {
	key, ok := schema.Find("messaging.auto_event_types")
	if !ok {
		t.Fatal("the key is gone")
	}
	for _, kind := range compose.Kinds() {
		if !strings.Contains(strings.Join(key.Allowed, " "), kind) {
			t.Errorf("%s cannot be configured", kind)
		}
	}
	if len(key.Allowed) != len(compose.Kinds()) {
		t.Errorf("%q can be configured, %q are made", key.Allowed, compose.Kinds())
	}
}

func TestLong(t *testing.T) {
	x := tell(t, compose.Options{})
	x.take("turn_1", event.TurnStarted{TurnID: "turn_1"})
	if n := x.w.Long(x.at.Add(10 * time.Minute)); n.Text != "Session s-1 has worked for 10m 0s and has not answered yet." || n.Event != "turn_started_long" || n.ID == "" {
		t.Errorf("got %+v", n)
	}
}

func FuzzTake(f *testing.F) {
	f.Add("approval_required", `{"tools":[{"tool":"x","arguments":{"threshold_usd":1e308}}],"usage_threshold":true}`)
	f.Add("spend", `{"id":"a","state":"settled","micro_usd":-5}`)
	f.Add("hf_job_complete", `{"job_id":"j","wall_time_s":1e300}`)
	f.Fuzz(func(t *testing.T, kind, data string) {
		w := compose.New(compose.Options{Types: compose.Kinds(), Session: "s", Hub: "https://hub.example"})
		for i := range 2 {
			for _, n := range w.Take(event.Event{Seq: int64(i + 1), TurnID: "turn_1", Type: event.Type(kind), Data: json.RawMessage(data)}) {
				if n.Event == "" || n.Title == "" || n.ID == "" {
					t.Errorf("half a message: %+v", n)
				}
			}
		}
	})
}
