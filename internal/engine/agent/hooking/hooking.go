// Package hooking asks what stands beside the moments of a session and says what
// that changes in it: calls that are refused, permitted or changed, messages that
// are kept back, texts for the model. What was decided is told as an event before
// anything follows from it. How commands run is the port's.
package hooking

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
)

// Hooks are those of one session. Before, After and End may be called from any
// goroutine; everything else belongs to the session's. Without a port nothing in
// it does anything, nor does a nil *Hooks.
type Hooks struct {
	opts     *setup.Options
	settings func() setup.Settings
	session  string

	starting chan hook.Answer // what SessionStart has decided; nil when it was taken
	cancel   context.CancelFunc
	waiting  []hook.Answer // what the model is to be told, with its moments
	moments  []hook.Moment
	sent     int // how often Stop has sent the agent on since a person's message
}

// New returns the hooks of a session.
func New(o *setup.Options, session string, settings func() setup.Settings) *Hooks {
	return &Hooks{opts: o, session: session, settings: settings, cancel: func() {}}
}

// none reports whether nothing stands beside any moment.
func (h *Hooks) none() bool { return h == nil || h.opts.Hooks == nil }

// Teller appends events where something happens: in the running turn, outside any
// turn, or as a sub-agent's.
type Teller func(ps ...event.Payload) error

// ask asks about one moment. What has gone wrong is told at once.
func (h *Hooks) ask(ctx context.Context, tell Teller, in hook.Input) hook.Answer {
	set := h.settings()
	in.SessionID, in.Cwd, in.Model, in.Mode = h.session, set.Workdir, set.Model, string(h.opts.Policy.Mode())
	a := h.opts.Hooks.Ask(ctx, in)
	if ctx.Err() != nil { // nobody waits for a decision any more
		a = hook.Answer{Warnings: a.Warnings}
	}
	if a.Decision != "" && a.Reason == "" {
		a.Reason = "no reason was given"
	}
	if a.UpdatedInput != nil {
		var object map[string]json.RawMessage
		var line bytes.Buffer
		if json.Unmarshal(a.UpdatedInput, &object) != nil || object == nil || json.Compact(&line, a.UpdatedInput) != nil {
			a.Warnings = append(a.Warnings, "the arguments of a "+string(in.Moment)+" hook are no JSON object and were ignored")
			a.UpdatedInput = nil
		} else {
			a.UpdatedInput = line.Bytes()
		}
	}
	if len(a.Warnings) > 0 {
		ps := make([]event.Payload, len(a.Warnings))
		for i, text := range a.Warnings {
			ps[i] = event.ToolLog{Tool: "system", Log: text}
		}
		_ = tell(ps...) // the session knows and ends
	}
	return a
}

// told is the event of a decision.
func told(in hook.Input, a hook.Answer) event.Hook {
	return event.Hook{
		Hook: string(in.Moment), Decision: string(a.Decision), Reason: a.Reason, By: a.By, Context: a.Context,
		UpdatedInput: a.UpdatedInput, Tool: in.Tool, ToolCallID: in.ToolCallID, AgentID: in.AgentID,
	}
}

// about is what is told of a call.
func about(moment hook.Moment, c *execution.Call, agent string) hook.Input {
	return hook.Input{
		Moment: moment, AgentID: agent, Tool: c.Name, Alias: c.Risk.Alias, ToolCallID: c.ID, Arguments: c.Args,
	}
}

// Before asks about calls that are about to be judged, side by side, and puts each
// that was decided about into its place in the form in which it goes on. agent
// names the sub-agent that makes them. It reports false when ctx was done before
// all had been heard: then no call may run.
func (h *Hooks) Before(ctx context.Context, box *execution.Toolbox, tell Teller, agent string, calls []*execution.Call) bool {
	if h.none() {
		return true
	}
	answers := make([]hook.Answer, len(calls))
	var all sync.WaitGroup
	for i, c := range calls {
		if c.Failure == "" && !c.Settled && !c.Asked {
			all.Go(func() { answers[i] = h.ask(ctx, tell, about(hook.PreToolUse, c, agent)) })
		}
	}
	all.Wait()
	if ctx.Err() != nil {
		return false
	}
	var ps []event.Payload
	for i, a := range answers {
		if !a.Decided() {
			continue
		}
		ev := told(about(hook.PreToolUse, calls[i], agent), a)
		ps = append(ps, ev)
		calls[i] = box.Hooked(ctx, calls[i], ev)
		calls[i].Asked = true
	}
	if len(ps) > 0 {
		_ = tell(ps...) // the session knows and ends
	}
	return true
}

// After is what running calls call when they have ended; nil without a port.
func (h *Hooks) After(tell Teller, agent string) func(context.Context, *execution.Call, tool.Result) string {
	if h.none() {
		return nil
	}
	return func(ctx context.Context, c *execution.Call, r tool.Result) string {
		in := about(hook.PostToolUse, c, agent)
		in.Output, in.OK = r.Output, r.OK
		a := h.ask(ctx, tell, in)
		a.UpdatedInput = nil // it has run
		if !a.Decided() {
			return ""
		}
		_ = tell(told(in, a)) // the session knows and ends
		return words(a)
	}
}

// words is what the model is told of an answer.
func words(a hook.Answer) string {
	switch {
	case a.Decision != hook.Deny:
		return a.Context
	case a.Context == "":
		return a.Reason
	}
	return a.Reason + "\n" + a.Context
}
