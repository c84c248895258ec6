package headless_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// stage is a session whose events the test tells.
type stage struct {
	events chan event.Event
	err    error

	mu          sync.Mutex
	submitted   []event.Submission
	interrupted int
	seq         int64
	keep        bool // a shutdown is told by the test
}

func newStage() *stage { return &stage{events: make(chan event.Event, 100)} }

func (s *stage) Submit(_ context.Context, sub event.Submission) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.submitted = append(s.submitted, sub)
	if _, stop := sub.Operation.(event.ShutdownOp); stop && !s.keep {
		s.tell("", event.Shutdown{})
		close(s.events)
	}
	return nil
}

func (s *stage) Interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupted++
}

func (s *stage) Follow(ctx context.Context, _ int64) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case ev, open := <-s.events:
				if !open || !yield(ev, nil) {
					return
				}
			}
		}
	}
}

func (s *stage) Err() error { return s.err }

// tell appends events of a turn.
func (s *stage) tell(turn string, ps ...event.Payload) {
	for _, p := range ps {
		ev, err := event.New("s", turn, time.Now(), p)
		if err != nil {
			panic(err)
		}
		s.seq++
		ev.Seq = s.seq
		s.events <- ev
	}
}

// asked is what was submitted as a prompt, by id.
func (s *stage) asked() (ids, texts []string) {
	for _, sub := range s.submitted {
		if in, ok := sub.Operation.(event.UserInput); ok {
			ids, texts = append(ids, sub.ID), append(texts, in.Text)
		}
	}
	return ids, texts
}

type outcome struct {
	code        int
	out, err    string
	took        time.Duration
	result      map[string]any
	interrupted int
}

// play runs a prompt against what the stage tells.
func play(t *testing.T, s *stage, o headless.Options) outcome {
	o.Shown = o.Prompt
	t.Helper()
	var out, errs bytes.Buffer
	o.Stdout, o.Stderr = &out, &errs
	if o.Stop == nil {
		o.Stop = t.Context()
	}
	if o.Format == "" {
		o.Format = headless.JSON
	}
	begun := time.Now()
	code := headless.Run(t.Context(), s, o)
	got := outcome{code: code, out: out.String(), err: errs.String(), took: time.Since(begun), interrupted: s.interrupted}
	if o.Format == headless.JSON {
		if err := json.Unmarshal(out.Bytes(), &got.result); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		if got.result["exit_code"] != float64(code) {
			t.Errorf("exit code %d, the result says %v", code, got.result["exit_code"])
		}
	}
	return got
}

func message(o outcome) string {
	e, _ := o.result["error"].(map[string]any)
	text, _ := e["message"].(string)
	return text
}

func answer(text string) event.TurnComplete {
	return event.TurnComplete{HistorySize: 3, FinalResponse: &text, StopReason: "answer"}
}

func mine(s *stage) { s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: "sub_1"}) }

// Acceptance check 40: an agent that dies before it is ready, one that never
// begins, and one that cannot go on: the cause is told, the exit code is not
// zero, and nothing waits for more than ten seconds.
func TestCheck40_NeverHangs(t *testing.T) {
	for name, c := range map[string]struct {
		tell func(*stage)
		want string
	}{
		"dies before ready":    {func(s *stage) { s.err = errors.New("no disk"); close(s.events) }, "no disk"},
		"dies without a word":  {func(s *stage) { close(s.events) }, "ended before the turn did"},
		"never begins":         {func(*stage) {}, "did not begin"},
		"dies within its turn": {func(s *stage) { s.tell("", event.Ready{}); mine(s); s.err = errors.New("disk full"); close(s.events) }, "disk full"},
		"session_terminated": {func(s *stage) {
			s.tell("", event.Ready{})
			mine(s)
			s.tell("turn_1", event.SessionTerminated{UserMessage: "too long for this model"}, event.TurnComplete{StopReason: "terminated"})
		}, "too long for this model"},
		"session_terminated and nothing more": {func(s *stage) {
			s.tell("", event.Ready{})
			mine(s)
			s.tell("turn_1", event.SessionTerminated{Error: "it does not fit"})
		}, "it does not fit"},
		"refused without a turn": {func(s *stage) {
			s.tell("", event.Ready{}, event.Error{Error: "this session has ended", Code: "internal"})
		}, "this session has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				c.tell(s)
				got := play(t, s, headless.Options{Prompt: "hi"})
				if got.code != headless.ExitFailure || !strings.Contains(message(got), c.want) || got.took > 10*time.Second {
					t.Errorf("exit code %d after %v: %s", got.code, got.took, message(got))
				}
			})
		})
	}
}

// What an earlier run left behind ends in front of our turn and is not ours.
func TestEarlierTurnsDoNotCount(t *testing.T) {
	s := newStage()
	s.tell("turn_1", event.Interrupted{}, event.Error{Error: "of an old turn"}, answer("old"))
	s.tell("turn_2", event.TurnStarted{TurnID: "turn_2", SubmissionID: "sub_8"}, answer("new"))
	got := play(t, s, headless.Options{Prompt: "hi", After: 7})
	if got.code != 0 || got.result["result"] != "new" {
		t.Errorf("exit code %d, %s", got.code, got.out)
	}
	s = newStage() // without a prompt the unfinished turn is ours
	s.tell("turn_1", event.TurnResumed{TurnID: "turn_1"}, answer("old"))
	if got := play(t, s, headless.Options{}); got.code != 0 || got.result["result"] != "old" {
		t.Errorf("exit code %d, %s", got.code, got.out)
	}
}

func TestExitCodes(t *testing.T) {
	text := "partly"
	refusal := event.ToolStateChange{ToolCallID: "c", Tool: "bash", State: "rejected", Feedback: tool.NeedsApproval}
	for name, c := range map[string]struct {
		events  []event.Payload
		code    int
		subtype string
	}{
		"answer":         {[]event.Payload{answer("x")}, 0, "success"},
		"max_iterations": {[]event.Payload{event.TurnComplete{FinalResponse: &text, StopReason: "max_iterations"}}, 4, "max_iterations"},
		"truncated":      {[]event.Payload{event.TurnComplete{FinalResponse: &text, StopReason: "truncated"}}, 1, "error"},
		"doom_loop":      {[]event.Payload{event.TurnComplete{StopReason: "doom_loop"}}, 1, "error"},
		"auth":           {[]event.Payload{event.Error{Error: "no", Code: "auth"}}, 3, "error"},
		"network":        {[]event.Payload{event.Error{Error: "no", Code: "network"}}, 1, "error"},
		"cap":            {[]event.Payload{event.ApprovalRequired{YoloBudget: true}}, 5, "budget_exceeded"},
		"refused last":   {[]event.Payload{refusal, answer("I may not")}, 6, "approval_required"},
		"refused, then another way": {[]event.Payload{
			refusal, event.LLMCall{FinishReason: "tool_calls", Kind: llm.KindMain}, answer("done"),
		}, 0, "success"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			mine(s)
			s.tell("turn_1", c.events...)
			got := play(t, s, headless.Options{Prompt: "hi"})
			if got.code != c.code || got.result["subtype"] != c.subtype || got.result["is_error"] != (c.code != 0) {
				t.Errorf("exit code %d: %s", got.code, got.out)
			}
		})
	}
}

// A stop interrupts the turn; a session that does not obey is left.
func TestStop(t *testing.T) {
	for cause, want := range map[error]int{
		headless.ErrTimeout: 124, headless.ErrInterrupted: 130, headless.ErrTerminated: 143,
	} {
		for _, obeys := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.tell("", event.Ready{})
				mine(s)
				stop, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Minute, func() {
					cancel(cause)
					if obeys {
						s.tell("turn_1", event.Interrupted{})
					}
				})
				got := play(t, s, headless.Options{Prompt: "hi", Stop: stop})
				if got.code != want || got.interrupted == 0 || got.took > time.Minute+5*time.Second {
					t.Errorf("%v, obeys %v: exit code %d after %v, %d interrupts", cause, obeys, got.code, got.took, got.interrupted)
				}
			})
		}
	}
}

func TestStopBeforeTheTurn(t *testing.T) {
	s := newStage()
	stop, cancel := context.WithCancelCause(t.Context())
	cancel(headless.ErrInterrupted)
	mine(s)
	s.tell("turn_1", event.Interrupted{})
	if got := play(t, s, headless.Options{Prompt: "hi", Stop: stop}); got.code != 130 || got.interrupted < 1 {
		t.Errorf("exit code %d, %d interrupts", got.code, got.interrupted)
	}
}

// The final message must fit; it is asked for once more.
func TestRepair(t *testing.T) {
	check := func(text string) (string, error) {
		if text != "good" {
			return "", errors.New("it is bad")
		}
		return "bare", nil
	}
	for _, second := range []string{"good", "bad"} {
		s := newStage()
		mine(s)
		s.tell("turn_1", answer("bad"))
		s.tell("turn_2", answer(second))
		got := play(t, s, headless.Options{Prompt: "hi", Check: check})
		ids, texts := s.asked()
		if len(texts) != 2 || ids[0] == ids[1] || !strings.Contains(texts[1], "it is bad") {
			t.Fatalf("submitted %q %q", ids, texts)
		}
		if good := got.code == 0 && got.result["result"] == "bare"; good != (second == "good") {
			t.Errorf("second %s: exit code %d, %s", second, got.code, got.out)
		}
	}
}

// On a terminal text appears as it comes, elsewhere message by message; in
// neither case does anything a model wrote steer the terminal.
func TestText(t *testing.T) {
	script := func() *stage {
		s := newStage()
		mine(s)
		s.tell("turn_1",
			event.AssistantChunk{Content: "lost"}, event.StreamEnd{Discarded: true, Reason: "retry"},
			event.AssistantChunk{Content: "a \x1b[31mre"}, event.AssistantChunk{Content: "d\x07 b"}, event.StreamEnd{},
			event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "a \x1b[31mred\x07 b"}},
			event.ToolCall{Tool: "bash", Arguments: json.RawMessage(`{"command":"\u001b[2J"}`)},
			event.ToolOutput{Tool: "bash", Output: "bad \x1b[2J"},
			event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "of another", Synthetic: true}},
			event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "the end"}},
			event.Error{Error: "[/tmp/x] \x1b[2J"},
		)
		return s
	}
	for tty, want := range map[bool]string{
		false: "a [31mred b\n\nthe end\n",
		true:  "lost\n\na [31mred b\n\nthe end\n",
	} {
		got := play(t, script(), headless.Options{Prompt: "hi", Format: headless.Text, TTY: tty})
		if got.out != want {
			t.Errorf("tty %v: %q, want %q", tty, got.out, want)
		}
		if strings.ContainsAny(got.out+got.err, "\x1b\x07") || !strings.Contains(got.err, "Error: [/tmp/x] [2J") {
			t.Errorf("standard error: %q", got.err)
		}
	}
	quiet := play(t, script(), headless.Options{Prompt: "hi", Format: headless.Text, Quiet: true})
	if quiet.out != "" {
		t.Errorf("quiet: %q", quiet.out)
	}
}

// A run that was stopped says why, and how long the conversation is.
func TestStoppedText(t *testing.T) {
	s := newStage()
	s.tell("", event.ResumeComplete{RestoredCount: 4})
	mine(s)
	s.tell("turn_1", event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "hi"}}, event.ToolLog{Tool: "bash", Log: "a\nb\n"}, event.Interrupted{})
	stop, cancel := context.WithCancelCause(t.Context())
	cancel(headless.ErrTimeout)
	got := play(t, s, headless.Options{Prompt: "hi", Format: headless.Text, Stop: stop})
	for _, want := range []string{"  bash: a\n    b\n", "Stopped: the time limit was reached\n", "--- Agent interrupted (history_size=6) ---\n"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("no %q in\n%s", want, got.err)
		}
	}
}

// Where the session is saved is asked once, after its end, and told.
func TestSaved(t *testing.T) {
	s := newStage()
	mine(s)
	s.tell("turn_1", answer("x"))
	asked := 0
	got := play(t, s, headless.Options{Prompt: "hi", Format: headless.Text, Init: headless.Init{SessionID: "abc"}, Saved: func() string {
		asked++
		return "/state/abc.json"
	}})
	if asked != 1 || !strings.Contains(got.err, "Saved: /state/abc.json\nGo on with: ml-intern --resume abc\n--- Agent turn_complete (history_size=3) ---\n") {
		t.Errorf("asked %d times: %s", asked, got.err)
	}
}
