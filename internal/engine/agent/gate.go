package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// gateKind says what an open gate asks.
type gateKind string

const (
	gateTools     gateKind = "tools"
	gateBudget    gateKind = "yolo_budget"
	gateThreshold gateKind = "usage_threshold"
)

// Continuations of the gates the engine opens itself.
const (
	continueAgent = "continue_agent"
	completeTurn  = "complete_turn"
)

// gate is the open approval request. Calls hold what was shown: exactly that
// runs.
type gate struct {
	kind         gateKind
	id           string // approval id; for synthetic gates also the call id
	calls        []*call
	continuation string
	final        *string
	threshold    float64
	reason       string
	spendKind    string
}

// openToolGate asks about the given calls.
func (a *Agent) openToolGate(ctx context.Context, calls []*call, blocks map[string]*event.Block) {
	g := &gate{kind: gateTools, id: a.nextGate(), calls: calls}
	a.openGate(ctx, g, a.toolGateEvent(g, blocks))
}

func (a *Agent) nextGate() string {
	a.gates++
	return fmt.Sprintf("gate_%d", a.gates)
}

func (a *Agent) openGate(ctx context.Context, g *gate, ev event.ApprovalRequired) {
	a.gate = g
	a.queue.gateOpened()
	a.emit(ctx, ev)
}

func (a *Agent) toolGateEvent(g *gate, blocks map[string]*event.Block) event.ApprovalRequired {
	ev := event.ApprovalRequired{ApprovalID: g.id, Count: len(g.calls)}
	for _, c := range g.calls {
		b := blocks[c.ID]
		ev.Tools = append(ev.Tools, event.GatedCall{
			Tool: c.Name, ToolCallID: c.ID, Arguments: shownArguments(c), Reason: c.risk.Reason, Block: b,
		})
		if ev.Block == nil {
			ev.Block = b
		}
	}
	return ev
}

// closeGate lets queued input go on.
func (a *Agent) closeGate() {
	a.gate = nil
	a.queue.gateClosed()
}

// resolve answers the open gate.
func (a *Agent) resolve(ctx context.Context, op event.ExecApproval) {
	g := a.gate
	if g == nil {
		a.emit(ctx, event.Error{Error: "there is no pending approval", Code: "internal", Class: string(llm.ClassInvalidRequest)})
		return
	}
	answers := map[string]event.Approval{}
	for _, ap := range op.Approvals {
		answers[ap.ToolCallID] = ap
	}
	if g.kind != gateTools {
		a.resolveSynthetic(ctx, g, answers[g.id])
		return
	}
	approved, rejected, blocks := a.split(g, answers)
	if blocks != nil {
		a.emit(ctx, a.toolGateEvent(g, blocks))
		return
	}
	a.closeGate()
	var ps []event.Payload
	for _, c := range g.calls {
		ps = append(ps, stateOf(c, answers[c.ID]))
	}
	a.emit(ctx, ps...)
	for _, c := range rejected {
		c.failure = rejection(c.Name, answers[c.ID].Feedback)
	}
	a.answered(ctx, g.calls, approved)
}

// split applies the answers' edits and checks the cap over what was approved.
// Blocks are returned when the gate must stay open.
func (a *Agent) split(g *gate, answers map[string]event.Approval) (approved, rejected []*call, blocks map[string]*event.Block) {
	batch := a.ledger.Batch(a.Settings().CapMicroUSD)
	for i, c := range g.calls {
		ap := answers[c.ID]
		if !ap.Approved {
			rejected = append(rejected, c)
			continue
		}
		edited := a.edit(c, ap)
		g.calls[i] = edited
		approved = append(approved, edited)
		dearer := edited.risk.Cost != nil && c.risk.Cost != nil && edited.risk.Cost.MicroUSD > c.risk.Cost.MicroUSD
		if edited.risk.Cost == nil {
			continue
		}
		b := batch.Check(*edited.risk.Cost)
		if b == nil && dearer {
			b = &event.Block{AutoApprovalBlocked: true, BlockReason: "the changed call costs more than the one that was shown"}
		}
		if b != nil {
			if blocks == nil {
				blocks = map[string]*event.Block{}
			}
			blocks[c.ID] = b
		}
	}
	return approved, rejected, blocks
}

// edit returns the call as the person changed it; an edit that does not fit
// the schema becomes the call's failed result.
func (a *Agent) edit(c *call, ap event.Approval) *call {
	changed := map[string]json.RawMessage{}
	if err := json.Unmarshal(c.args, &changed); err != nil {
		return c
	}
	was := len(ap.EditedArguments) > 0
	if was {
		changed = map[string]json.RawMessage{}
		if err := json.Unmarshal(ap.EditedArguments, &changed); err != nil {
			out := *c
			out.failure = fmt.Sprintf("The edited arguments for %s are not a JSON object: %v.", c.Name, err)
			return &out
		}
	}
	script := ""
	if _, has := changed["script"]; has && ap.EditedScript != "" {
		changed["script"], _ = event.Encode(ap.EditedScript)
		script, was = "script", true
	}
	if ap.Namespace != "" && c.Name == "hf_jobs" {
		changed["namespace"], _ = event.Encode(ap.Namespace)
		was = true
	}
	if !was {
		return c
	}
	raw, err := event.Encode(changed)
	if err != nil {
		return c
	}
	edited := a.prepare(llm.ToolCall{ID: c.ID, Name: c.Name, Arguments: string(raw)})
	edited.Arguments = c.Arguments // the history keeps what the model wrote
	if script != "" {
		edited.note = "[The user edited the script before it ran; this output is from the edited version.]"
	} else if len(ap.EditedArguments) > 0 {
		edited.note = "[The user edited the arguments before the call ran; this output is from the edited version.]"
	}
	return edited
}

// stateOf is the record of one answer: what a restart needs to act on it.
func stateOf(c *call, ap event.Approval) event.ToolStateChange {
	ch := event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "rejected", Feedback: feedback(ap.Feedback)}
	if ap.Approved {
		ch.State, ch.Feedback = "approved", ""
		ch.Namespace = ap.Namespace
		if c.note != "" {
			ch.EditedArguments = c.args
		}
	}
	return ch
}

// answered runs what was approved, stores all results in call order and goes
// on with the turn.
func (a *Agent) answered(ctx context.Context, calls, approved []*call) {
	turnCtx, cancel := context.WithCancelCause(ctx)
	a.mu.Lock()
	a.cancel = cancel
	a.mu.Unlock()
	for _, c := range approved {
		a.emit(ctx, event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "running"})
	}
	a.runAll(turnCtx, calls, false)
	a.mu.Lock()
	a.cancel = nil
	a.mu.Unlock()
	if turnCtx.Err() != nil && ctx.Err() == nil {
		a.interrupted(ctx)
		return
	}
	cancel(nil)
	a.segment(ctx)
}

// rejection is what the model is told about a call the user refused.
func rejection(name, said string) string {
	text := name + " execution cancelled by user"
	if fb := feedback(said); fb != "" {
		text += ". User feedback: " + fb
	}
	return text
}

// feedback is a person's text without control characters.
func feedback(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 32 && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s))
}

// resolveSynthetic answers a gate about money.
func (a *Agent) resolveSynthetic(ctx context.Context, g *gate, ap event.Approval) {
	name := string(g.kind)
	if ap.ToolCallID == "" || !ap.Approved {
		a.closeGate()
		text := feedback(ap.Feedback)
		if text == "" {
			text = "Stopped by the user."
		}
		a.emit(ctx,
			event.ToolStateChange{ToolCallID: g.id, Tool: name, State: "rejected"},
			event.ToolOutput{Tool: name, ToolCallID: g.id, Output: text})
		a.stubOpenCalls(ctx, "Tool was not executed: the user stopped at the spending limit.")
		a.emit(ctx, event.Interrupted{})
		a.turn = nil
		return
	}
	if g.kind == gateBudget && a.overCap() {
		a.emit(ctx, a.budgetEvent(g))
		return
	}
	a.closeGate()
	if g.kind == gateThreshold {
		a.soft = policy.NextThreshold(a.spentUSD(), g.threshold)
	}
	a.emit(ctx,
		event.ToolStateChange{ToolCallID: g.id, Tool: name, State: "approved"},
		event.ToolOutput{Tool: name, ToolCallID: g.id, Output: "Approved: going on.", Success: true})
	if g.continuation == completeTurn {
		a.complete(ctx, g.final, stopAnswer)
		a.turn = nil
		return
	}
	a.segment(ctx)
}

// abandon drops the open gate because the user moved on: each gated call gets
// a result that says so.
func (a *Agent) abandon(ctx context.Context) {
	g := a.gate
	if g == nil {
		return
	}
	a.closeGate()
	if g.kind != gateTools {
		a.emit(ctx, event.ToolStateChange{ToolCallID: g.id, Tool: string(g.kind), State: "abandoned"})
		if g.continuation == completeTurn {
			a.complete(ctx, g.final, stopAnswer)
			a.turn = nil
		}
	}
	for _, c := range g.calls {
		a.emit(ctx, event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "abandoned"})
	}
	a.stubOpenCalls(ctx, "The task was abandoned: the user moved on without answering the approval request.")
}

// dropGate closes a gate at an interrupt.
func (a *Agent) dropGate(ctx context.Context) {
	if a.gate == nil {
		return
	}
	for _, c := range a.gate.calls {
		a.emit(ctx, event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "abandoned"})
	}
	a.closeGate()
}

// stubOpenCalls gives every call without a result the given text. The results
// enter the history as messages: no tool_output tells of work that never ran.
func (a *Agent) stubOpenCalls(ctx context.Context, text string) {
	for _, c := range a.openCalls() {
		a.remember(ctx, llm.Message{Role: llm.ToolRole, ToolCallID: c.ID, Name: c.Name, Text: text})
	}
}
