package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// ToolCall is one call made from a shell.
type ToolCall struct {
	Name      string
	Arguments json.RawMessage // a JSON object
}

// ToolRun are calls that run one after another.
type ToolRun struct {
	Calls []ToolCall
	// Approve answers every question with yes.
	Approve bool
	// Output receives each result, Log each progress line; both are called
	// from one goroutine.
	Output func(event.ToolOutput)
	Log    func(event.ToolLog)

	answered map[string]bool // gates by approval id
}

// Tools makes the tools of a throwaway session, for people to look at.
func (a *App) Tools(ctx context.Context) ([]tool.Tool, error) { return a.tools(ctx, newID()) }

// errToolFailed says that a call did not succeed; its output tells why.
var errToolFailed = errors.New("the call failed")

// CallTools runs calls in a session of their own that leaves nothing behind.
// It is a conversation like any other, with all its checks, in which a
// scripted model makes exactly these calls. The first that does not succeed
// ends it.
func (a *App) CallTools(ctx context.Context, run ToolRun) error {
	id := newID()
	tools, err := a.tools(ctx, id)
	if err != nil {
		return err
	}
	rules, err := a.policy(id)
	if err != nil {
		return err
	}
	events, err := journal.Open(ctx, journal.Options{Store: journal.NewMemory(), SessionID: id, Scrub: a.scrub})
	if err != nil {
		return err
	}
	run.answered = map[string]bool{}
	model := &caller{calls: run.Calls}
	usd, byUser := a.Config().CostCap(true)
	ag, err := agent.New(agent.Options{
		SessionID: id, Journal: events, Describe: model.describe, Tools: tools, Policy: rules, Debug: a.Debug,
		Caller: inference.New(inference.Options{Model: model, Describe: model.describe, Estimate: window.Text}),
		System: func() string { return "Calls from the command line." },
		Settings: agent.Settings{
			Model: callerModel, MaxIterations: -1, CapMicroUSD: int64(usd*1e6 + 0.5), CapByUser: byUser,
			Headless: !run.Approve, Workdir: a.Loaded.Dir, Version: Version(), Runtime: a.Config().ToolRuntime,
		},
	})
	if err != nil {
		return err
	}
	return run.drive(ctx, ag, events)
}

// drive runs the conversation to its end.
func (run ToolRun) drive(ctx context.Context, ag *agent.Agent, events *journal.Journal) error {
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
		if over, result = run.take(inner, ag, ev); over {
			if err := ag.Submit(inner, event.Submission{ID: "sub_2", Operation: event.ShutdownOp{}}); err != nil {
				result = errors.Join(result, err)
			}
		}
	}
	return errors.Join(result, <-ended, ctx.Err())
}

// take handles one event; over says that no more calls are wanted.
func (run ToolRun) take(ctx context.Context, ag *agent.Agent, ev event.Event) (over bool, err error) {
	switch ev.Type {
	case event.TypeToolLog:
		if l, err := event.Decode[event.ToolLog](ev); err == nil {
			run.Log(l)
		}
	case event.TypeToolStateChange:
		if c, err := event.Decode[event.ToolStateChange](ev); err == nil && c.Feedback == tool.NeedsApproval {
			run.Log(event.ToolLog{Tool: c.Tool, Log: "this call needs an approval: --yes gives it", ToolCallID: c.ToolCallID})
		}
	case event.TypeToolOutput:
		out, err := event.Decode[event.ToolOutput](ev)
		if err != nil {
			return true, err
		}
		run.Output(out)
		if !out.Success {
			ag.Interrupt()
			return true, errToolFailed
		}
	case event.TypeApprovalRequired:
		g, err := event.Decode[event.ApprovalRequired](ev)
		if err != nil {
			return true, err
		}
		if g.YoloBudget || run.answered[g.ApprovalID] { // yes was not enough
			return true, errors.New("refused: " + reason(g))
		}
		run.answered[g.ApprovalID] = true
		return false, ag.Submit(ctx, event.Submission{ID: "sub_approve", Operation: event.ExecApproval{Approvals: approveAll(g)}})
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

// reason is why a gate stays open.
func reason(g event.ApprovalRequired) string {
	if g.Block != nil && g.BlockReason != "" {
		return g.BlockReason
	}
	return "the spending cap is reached (max_cost_usd)"
}

func approveAll(g event.ApprovalRequired) []event.Approval {
	var out []event.Approval
	for _, t := range g.Tools {
		out = append(out, event.Approval{ToolCallID: t.ToolCallID, Approved: true})
	}
	return out
}

// ToolFailed reports whether err only says that a call failed, which its
// output has told.
func ToolFailed(err error) bool { return errors.Is(err, errToolFailed) }

// callerModel is the model id of a session of calls from the command line.
const callerModel = "tools/call"

// caller is a model that makes given calls, one an answer, and then stops.
type caller struct {
	calls []ToolCall
	next  int
}

func (c *caller) describe(context.Context, string) (llm.Info, error) {
	return llm.Info{
		ID: callerModel, Provider: "command line", Label: "command line", Local: true, Window: 1 << 24, WindowKnown: true,
		Prices: &llm.Prices{}, PriceSource: llm.PriceLocal, TokenFactor: 1,
	}, nil
}

// Stream answers with the next call.
func (c *caller) Stream(context.Context, llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		if c.next >= len(c.calls) {
			yield(llm.Done{Message: llm.Message{Role: llm.Assistant, Text: "Done."}, Finish: llm.FinishStop}, nil)
			return
		}
		call := c.calls[c.next]
		c.next++
		yield(llm.Done{Finish: llm.FinishTools, Message: llm.Message{
			Role: llm.Assistant,
			ToolCalls: []llm.ToolCall{{
				ID: "call_" + strconv.Itoa(c.next), Name: call.Name, Arguments: string(call.Arguments),
			}},
		}}, nil)
	}
}

// CheckToolCalls refuses names that no tool has.
func CheckToolCalls(tools []tool.Tool, calls []ToolCall) error {
	names := map[string]bool{}
	for _, t := range tools {
		names[t.Spec().Name] = true
	}
	for _, c := range calls {
		if !names[c.Name] {
			return &UsageError{fmt.Errorf("there is no tool %q (ml-intern tools list shows them)", c.Name)}
		}
	}
	return nil
}
