package execution

import (
	"context"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Recover closes a call that had started when the program died, without doing
// anything twice. again reports that it may simply run; otherwise its result
// has been told.
func Recover(ctx context.Context, session *Session, c *Call, f *history.Call) (r tool.Result, again bool) {
	effect := f.Started.Effect
	if effect == event.Pure || effect == event.Read {
		return tool.Result{}, true
	}
	if effect == event.Keyed && c.Failure == "" {
		switch outcome, found := lookUp(ctx, session, c, f); outcome {
		case tool.NotHappened:
			return tool.Result{}, true
		case tool.Happened:
			found.Output = c.dress(found.Output, session.Room)
			conclude(session, c, found, false)
			return found, false
		}
	}
	r = tool.Failed(uncertain(c, f))
	conclude(session, c, r, true, event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "interrupted"})
	return r, false
}

// conclude tells a result, and before it what it has cost: a journal that is
// cut between the two still has an open call, never an open reservation.
func conclude(session *Session, c *Call, r tool.Result, keep bool, before ...event.Payload) {
	ps := append(session.Settle(c.ID, r, keep), before...)
	ps = append(ps, event.ToolOutput{Tool: c.Name, ToolCallID: c.ID, Output: r.Output, Success: r.OK})
	_ = session.Append(ps...) // the session knows and ends
}

// lookUp asks a tool for the effect of an earlier run. A tool that panics has
// not found out.
func lookUp(ctx context.Context, session *Session, c *Call, f *history.Call) (outcome tool.Outcome, r tool.Result) {
	keyed, ok := c.tool.Tool.(tool.KeyedTool)
	if !ok {
		return tool.Unknown, tool.Result{}
	}
	defer func() {
		if p := recover(); p != nil {
			session.Debug(fmt.Sprintf("looking up the effect of %s: %v", c.Name, p))
			outcome = tool.Unknown
		}
	}()
	env := &environment{session: session, call: c}
	outcome, r, err := keyed.Recover(ctx, env, c.Args, f.Started.Intent)
	if err != nil {
		env.Log(fmt.Sprintf("looking up the effect of %s: %v", c.Name, err))
		return tool.Unknown, tool.Result{}
	}
	return outcome, r
}

// uncertain tells the model what is not known and where to look.
func uncertain(c *Call, f *history.Call) string {
	text := fmt.Sprintf("The outcome of this %s call is unknown: the program ended while it was running, and it is not repeated. ", c.Name)
	if len(f.Refs) > 0 {
		text += "It had started: " + strings.Join(f.Refs, ", ") + ". "
	}
	switch {
	case c.Risk.Command != "":
		return text + "Check what the command has done (files, processes, logs) before deciding whether to run it again."
	case len(c.Risk.Writes) > 0:
		return text + "Read " + strings.Join(c.Risk.Writes, ", ") + " before deciding whether to write again."
	}
	return text + "Look at what it has made before deciding whether to call it again."
}
