// Package oneshot makes tool calls without a model: it drives an agent through
// a conversation in which a scripted model makes exactly the given calls, one
// an answer. Checks, permissions and results are thus those of every other
// conversation. It knows no tool and no setting.
package oneshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/app/fit"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// ErrFailed says that a call did not succeed; its output tells why.
var ErrFailed = errors.New("the call failed")

// Call is one tool call.
type Call struct {
	Name      string
	Arguments json.RawMessage // a JSON object
}

// Run are calls that run one after another. The first that does not succeed
// ends it.
type Run struct {
	Calls []Call
	// Approve answers every question with yes.
	Approve bool
	// Output receives each result, Log each progress line; both are called
	// from one goroutine.
	Output func(event.ToolOutput)
	Log    func(event.ToolLog)
}

// drive is a run while it goes.
type drive struct {
	Run
	agent    *agent.Agent
	script   *Script
	answered map[string]bool // gates by approval id
}

// Drive runs the conversation to its end. The agent is a fresh one whose model
// is script, with the same calls, and events its journal. The end of ctx
// interrupts the running call.
func (r Run) Drive(ctx context.Context, ag *agent.Agent, script *Script, events *journal.Journal) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, ag.Interrupt)()
	ended := make(chan error, 1)
	go func() {
		defer events.Close()
		ended <- ag.Run(inner, false)
	}()
	if err := ag.Submit(inner, event.Submission{ID: "sub_1", Operation: event.UserInput{Text: "Run the calls."}}); err != nil {
		cancel()
		return errors.Join(err, <-ended)
	}
	d := &drive{Run: r, agent: ag, script: script, answered: map[string]bool{}}
	result := errors.New("the calls did not run to their end")
	over := false
	for ev, err := range events.Follow(inner, 0) {
		if err != nil {
			cancel()
			return errors.Join(err, <-ended)
		}
		if over {
			continue
		}
		if over, result = d.take(inner, ev); over {
			if err := ag.Submit(inner, event.Submission{ID: "sub_2", Operation: event.ShutdownOp{}}); err != nil {
				result = errors.Join(result, err)
			}
		}
	}
	return errors.Join(result, <-ended, ctx.Err())
}

// take handles one event; over says that no more calls are wanted.
func (d *drive) take(ctx context.Context, ev event.Event) (over bool, err error) {
	switch ev.Type {
	case event.TypeToolLog:
		if l, err := event.Decode[event.ToolLog](ev); err == nil {
			d.Log(l)
		}
	case event.TypeToolStateChange:
		if c, err := event.Decode[event.ToolStateChange](ev); err == nil && c.Feedback == tool.NeedsApproval {
			d.Log(event.ToolLog{Tool: c.Tool, Log: "this call needs an approval: --yes gives it", ToolCallID: c.ToolCallID})
		}
	case event.TypeToolOutput:
		out, err := event.Decode[event.ToolOutput](ev)
		if err != nil {
			return true, err
		}
		d.Output(out)
		if !out.Success {
			d.agent.Interrupt()
			return true, ErrFailed
		}
		d.script.pass()
	case event.TypeApprovalRequired:
		return d.gate(ctx, ev)
	case event.TypeError:
		e, err := event.Decode[event.Error](ev)
		return true, errors.Join(err, errors.New(e.Error))
	case event.TypeInterrupted:
		return true, context.Canceled
	case event.TypeTurnComplete:
		return true, nil
	}
	return false, nil
}

// gate says yes, once: a gate that opens again needs more than that.
func (d *drive) gate(ctx context.Context, ev event.Event) (over bool, err error) {
	g, err := event.Decode[event.ApprovalRequired](ev)
	if err != nil {
		return true, err
	}
	if g.YoloBudget || d.answered[g.ApprovalID] {
		reason := "the spending cap is reached (max_cost_usd)"
		if g.Block != nil && g.BlockReason != "" {
			reason = g.BlockReason
		}
		return true, errors.New("refused: " + reason)
	}
	d.answered[g.ApprovalID] = true
	var yes event.ExecApproval
	for _, t := range g.Tools {
		yes.Approvals = append(yes.Approvals, event.Approval{ToolCallID: t.ToolCallID, Approved: true})
	}
	return false, d.agent.Submit(ctx, event.Submission{ID: "sub_approve", Operation: yes})
}

// Model is the id of the scripted model.
const Model = "tools/call"

// Script is a model that makes given calls, one an answer, and then stops.
type Script struct {
	calls []Call
	next  int
	// passed holds one token when the newest call has succeeded: before that
	// nobody may make the next one.
	passed chan struct{}
}

// NewScript returns the model of a run.
func NewScript(calls []Call) *Script { return &Script{calls: calls, passed: make(chan struct{}, 1)} }

func (s *Script) pass() {
	select {
	case s.passed <- struct{}{}:
	default:
	}
}

// Describe tells that the model is free and holds everything.
func (s *Script) Describe(context.Context, string) (llm.Info, error) {
	return llm.Info{
		ID: Model, Provider: "command line", Label: "command line", Local: true, Window: 1 << 24, WindowKnown: true,
		Prices: &llm.Prices{}, PriceSource: llm.PriceLocal, TokenFactor: 1,
	}, nil
}

// Stream answers with the next call, once the one before has succeeded.
func (s *Script) Stream(ctx context.Context, _ llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		if s.next > 0 {
			select {
			case <-s.passed:
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
		if s.next >= len(s.calls) {
			yield(llm.Done{Message: llm.Message{Role: llm.Assistant, Text: "Done."}, Finish: llm.FinishStop}, nil)
			return
		}
		call := s.calls[s.next]
		s.next++
		yield(llm.Done{Finish: llm.FinishTools, Message: llm.Message{
			Role: llm.Assistant,
			ToolCalls: []llm.ToolCall{{
				ID: "call_" + strconv.Itoa(s.next), Name: call.Name, Arguments: string(call.Arguments),
			}},
		}}, nil)
	}
}

// Check refuses names that no tool has.
func Check(tools []tool.Tool, calls []Call) error {
	names := map[string]bool{}
	for _, t := range tools {
		names[t.Spec().Name] = true
	}
	for _, c := range calls {
		if !names[c.Name] {
			return &fit.UsageError{Err: fmt.Errorf("there is no tool %q (ml-intern tools list shows them)", c.Name)}
		}
	}
	return nil
}
