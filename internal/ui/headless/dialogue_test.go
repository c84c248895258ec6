package headless_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
	"github.com/ml-intern/ml-intern/internal/ui/headless/lines"
)

// speaker is another program: what it says, and what it hears.
type speaker struct {
	t     *testing.T
	stage *stage
	say   chan string
	out   safe
	code  chan int
	stop  context.CancelCauseFunc
}

type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.b.Write(p) }

func (s *safe) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

// speak begins a run; what the speaker says are lines.
func speak(t *testing.T, s *stage, change func(*headless.Options)) *speaker {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	p := &speaker{t: t, stage: s, say: make(chan string), code: make(chan int, 1), stop: stop}
	o := headless.Options{
		Stdout: &p.out, Stderr: io.Discard, Format: headless.StreamJSON, Stop: ctx,
		Input: func() (lines.Line, error) {
			text, open := <-p.say
			if !open {
				return lines.Line{}, io.EOF
			}
			l, err := lines.Parse([]byte(text))
			if err != nil {
				err = &lines.Error{Number: 7, Why: err.Error()}
			}
			return l, err
		},
	}
	if change != nil {
		change(&o)
	}
	go func() { p.code <- headless.Run(context.Background(), s, o) }()
	s.tell("", event.Ready{})
	return p
}

func (p *speaker) says(line string) {
	p.t.Helper()
	p.say <- line
	synctest.Wait()
}

// results are those told so far: subtype, result, id, exit code.
func (p *speaker) results() []string {
	p.t.Helper()
	synctest.Wait()
	var all []string
	for line := range strings.Lines(p.out.String()) {
		var r struct {
			Type, Subtype, Result, ID string
			NumTurns                  int     `json:"num_turns"`
			ExitCode                  int     `json:"exit_code"`
			Cost                      float64 `json:"total_cost_usd"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			p.t.Errorf("%s: %v", line, err)
		}
		if r.Type == "result" {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %q %s %d turns %v USD %d", r.Subtype, r.Result, r.ID, r.NumTurns, r.Cost, r.ExitCode)))
		}
	}
	return all
}

func (p *speaker) wants(want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(want, p.results()); diff != "" {
		p.t.Error(diff)
	}
}

// ends waits for the end of the run.
func (p *speaker) ends(code int) {
	p.t.Helper()
	if got := <-p.code; got != code {
		p.t.Errorf("exit code %d, want %d", got, code)
	}
}

// last is the newest submission.
func (s *stage) last() event.Submission {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.submitted) == 0 {
		return event.Submission{}
	}
	return s.submitted[len(s.submitted)-1]
}

func answered(text string) event.TurnComplete {
	return event.TurnComplete{FinalResponse: &text, StopReason: "answer"}
}

func TestTurnsHaveTheirOwnResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		var finals []string
		p := speak(t, s, func(o *headless.Options) { o.Final = func(text string) { finals = append(finals, text) } })
		cost := 0.25
		for i, id := range []string{"a", ""} {
			p.says(fmt.Sprintf(`{"type":"user","id":%q,"text":"hi"}`, id))
			turn := fmt.Sprintf("turn_%d", i+1)
			s.tell(turn, event.TurnStarted{TurnID: turn, SubmissionID: s.last().ID}, event.LLMCall{CostUSD: &cost, Kind: "main"}, answered("one"))
		}
		p.wants(`success "one" a 1 turns 0.25 USD 0`, `success "one"  1 turns 0.25 USD 0`)
		p.says(`nonsense`)
		p.says(`{"type":"steer","text":"left"}`)
		if op, ok := s.last().Operation.(event.Steer); !ok || op.Text != "left" {
			t.Errorf("%+v", s.last())
		}
		p.says(`{"type":"configure","approval_mode":"plan"}`)
		if _, ok := s.last().Operation.(event.Configure); !ok {
			t.Errorf("%+v", s.last())
		}
		p.says(`{"type":"interrupt"}`)
		if _, ok := s.last().Operation.(event.Interrupt); !ok {
			t.Errorf("%+v", s.last())
		}
		s.tell("", event.Error{Error: "of an operation, which ends nothing"})
		close(p.say)
		p.ends(headless.ExitUsage) // a line could not be read
		if !strings.Contains(p.out.String(), `{"type":"system","subtype":"input_error","line":7,"error":{"code":"usage","message":"it is no JSON"}}`) {
			t.Error(p.out.String())
		}
		if diff := cmp.Diff([]string{"one", "one"}, finals); diff != "" {
			t.Error(diff)
		}
	})
}

// The end of the input waits for what was asked for; the code is the last
// turn's.
func TestEndOfInputDuringATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.keep = true
		p := speak(t, s, nil)
		p.says(`{"type":"user","text":"hi"}`)
		s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: s.last().ID})
		close(p.say)
		if _, ok := s.last().Operation.(event.ShutdownOp); !ok {
			t.Errorf("%+v", s.last())
		}
		p.wants()
		s.tell("turn_1", event.Error{Error: "the key is wrong", Code: "auth"})
		s.tell("", event.Shutdown{})
		p.ends(headless.ExitAuth)
		p.wants(`error ""  1 turns 0 USD 3`)
	})
}

func gateOf(tool string) event.ApprovalRequired {
	return event.ApprovalRequired{Count: 1, YoloBudget: tool == "yolo_budget", Tools: []event.GatedCall{{Tool: tool, ToolCallID: "c"}}}
}

func TestGatesWaitForALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.keep = true
		p := speak(t, s, nil)
		p.says(`{"type":"user","text":"hi"}`)
		s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: s.last().ID}, gateOf("bash"))
		time.Sleep(time.Hour)
		p.wants()
		p.says(`{"type":"approval","approvals":[{"tool_call_id":"c","approved":true}]}`)
		if op, ok := s.last().Operation.(event.ExecApproval); !ok || !op.Approvals[0].Approved {
			t.Errorf("%+v", s.last())
		}
		s.tell("turn_1", event.ToolStateChange{ToolCallID: "c", State: "approved"}, answered("done"))
		p.wants(`success "done"  1 turns 0 USD 0`)

		// A text at the gate takes its turn with it.
		s.tell("turn_2", event.TurnStarted{TurnID: "turn_2"}, gateOf("bash"), event.ToolStateChange{ToolCallID: "c", State: "abandoned"})
		s.tell("turn_3", event.TurnStarted{TurnID: "turn_3"}, answered("other"))
		p.wants(`success "done"  1 turns 0 USD 0`, `interrupted ""  1 turns 0 USD 130`, `success "other"  1 turns 0 USD 0`)

		// Behind the end of the input nobody answers.
		s.tell("turn_4", event.TurnStarted{TurnID: "turn_4"}, gateOf("yolo_budget"))
		synctest.Wait()
		close(p.say)
		synctest.Wait()
		s.tell("", event.Shutdown{})
		p.ends(headless.ExitBudget)
		if all := p.results(); all[len(all)-1] != `budget_exceeded ""  1 turns 0 USD 5` {
			t.Error(all)
		}
	})
}

// A gate that opens behind the end of the input ends the run too, also one that
// an earlier run has left open.
func TestGateBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.keep = true
		p := speak(t, s, nil)
		close(p.say)
		synctest.Wait()
		s.tell("turn_1", gateOf("bash"))
		s.tell("", event.Shutdown{})
		p.ends(headless.ExitApproval)
		p.wants(`approval_required ""  0 turns 0 USD 6`)
	})
}

// A run that is stopped ends with the turn that runs, or at once.
func TestStopped(t *testing.T) {
	for _, c := range []struct {
		name string
		busy bool
		why  error
		code int
		want []string
	}{
		{"while a turn runs", true, headless.ErrInterrupted, headless.ExitInterrupt, []string{`interrupted ""  1 turns 0 USD 130`}},
		{"while nothing runs", false, headless.ErrTimeout, headless.ExitTimeout, []string{`success "done"  1 turns 0 USD 0`, `timeout ""  0 turns 0 USD 124`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.keep = true
				p := speak(t, s, nil)
				p.says(`{"type":"user","text":"hi"}`)
				s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: s.last().ID})
				if !c.busy {
					s.tell("turn_1", answered("done"))
				}
				synctest.Wait()
				begun := time.Now()
				p.stop(c.why)
				synctest.Wait()
				if c.busy {
					s.tell("turn_1", event.Interrupted{})
				}
				p.ends(c.code)
				if time.Since(begun) > time.Second {
					t.Error(time.Since(begun))
				}
				p.wants(c.want...)
				close(p.say)
			})
		})
	}
}

// A session that ends by itself ends the run with what it says.
func TestLostSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.keep = true
		p := speak(t, s, nil)
		p.says(`{"type":"user","text":"hi"}`)
		s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: s.last().ID})
		close(s.events)
		p.ends(headless.ExitFailure)
		p.wants(`error ""  1 turns 0 USD 1`)
		close(p.say)
	})
}

func TestNothingAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := speak(t, newStage(), nil)
		close(p.say)
		p.ends(headless.ExitUsage)
		p.wants(`error ""  0 turns 0 USD 2`)
	})
}
