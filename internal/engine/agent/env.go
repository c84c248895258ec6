package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// logLimit bounds the progress lines of one call, in bytes.
const logLimit = 256 << 10

// environment is what a running call sees of its session.
type environment struct {
	agent  *Agent
	ctx    context.Context
	turnID string
	call   *call

	mu     sync.Mutex
	logged int
}

var _ tool.Env = (*environment)(nil)

func (e *environment) SessionID() string { return e.agent.sessionID() }
func (e *environment) CallID() string    { return e.call.ID }

func (e *environment) emit(ps ...event.Payload) { e.agent.append(e.ctx, e.turnID, ps...) }

func (e *environment) Emit(p event.Payload) { e.emit(p) }

func (e *environment) Log(line string) {
	e.mu.Lock()
	over := e.logged > logLimit
	e.logged += len(line)
	e.mu.Unlock()
	if !over {
		e.emit(event.ToolLog{Tool: e.call.Name, Log: line, ToolCallID: e.call.ID})
	}
}

func (e *environment) State(change event.ToolStateChange) {
	change.ToolCallID, change.Tool = e.call.ID, e.call.Name
	e.emit(change)
}

func (e *environment) Effect(ref string) error {
	e.emit(event.ToolEffect{ToolCallID: e.call.ID, ExternalRef: ref})
	return e.agent.failure()
}

func (e *environment) Plan() []event.PlanItem { return e.agent.currentPlan() }

func (e *environment) SetPlan(items []event.PlanItem) {
	e.agent.setPlan(items)
	e.emit(event.PlanUpdate{Plan: items})
}

func (a *Agent) currentPlan() []event.PlanItem {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.plan)
}

func (a *Agent) setPlan(items []event.PlanItem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.plan = slices.Clone(items)
}

func (a *Agent) sessionID() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.id
}

func (a *Agent) turnID() string {
	if a.turn == nil {
		return ""
	}
	return a.turn.id
}

// debug passes on what only an operator should see.
func (a *Agent) debug(text string) {
	if a.opts.Debug != nil {
		a.opts.Debug(text)
	}
}

// begin journals the intent of a call before its effect starts: the
// reservation of its cost and tool_started. A refused reservation is the
// call's failed result.
func (a *Agent) begin(ctx context.Context, env *environment, c *call) (tool.Result, bool) {
	var intent json.RawMessage
	if keyed, ok := c.tool.Tool.(tool.KeyedTool); ok && c.risk.Effect == event.Keyed {
		var err error
		if intent, err = keyed.Intent(ctx, env, c.args); err != nil {
			return tool.Failed(err.Error()), false
		}
	}
	var ps []event.Payload
	if c.risk.Cost != nil {
		spend, block := a.reserve(c)
		if block != nil {
			return tool.Failed(fmt.Sprintf("%s was not started: %s.", c.Name, block.BlockReason)), false
		}
		ps = append(ps, spend)
	}
	ps = append(ps, event.ToolStarted{ToolCallID: c.ID, Tool: c.Name, Effect: c.risk.Effect, Intent: intent})
	a.append(ctx, env.turnID, ps...)
	if a.failure() != nil {
		return tool.Failed("the session's journal cannot be written"), false
	}
	return tool.Result{}, true
}
