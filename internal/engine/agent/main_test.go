package agent_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// No goroutine survives (acceptance check 40; the imports are watched by the
// house test).
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inBubble runs a test with fake time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// withTools is a setup with the given tools.
func withTools(tools ...tool.Tool) func(*setup) {
	return func(s *setup) { s.tools = tools }
}

// state folds what the store holds.
func (r *rig) state() *history.State {
	r.t.Helper()
	events, err := r.store.Read(context.Background(), testSession, 0, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := history.Load(events)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// all returns every event of the journal.
func (r *rig) all() []event.Event {
	r.t.Helper()
	events, err := r.store.Read(context.Background(), testSession, 0, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return events
}

// last is the last message of a request.
func last(req llm.Request) llm.Message { return req.Messages[len(req.Messages)-1] }

// having counts the messages of a request whose text contains part.
func having(req llm.Request, part string) int {
	n := 0
	for _, m := range req.Messages {
		if strings.Contains(m.Text, part) {
			n++
		}
	}
	return n
}

// results are the tool messages of a request by call id.
func results(req llm.Request) map[string]string {
	out := map[string]string{}
	for _, m := range req.Messages {
		if m.Role == llm.ToolRole {
			out[m.ToolCallID] = m.Text
		}
	}
	return out
}

// returns is a tool that answers with texts in turn, the last one for ever.
func returns(name string, texts ...string) *fake {
	n := 0
	return newFake(name, func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
		text := texts[min(n, len(texts)-1)]
		n++
		return tool.Success(text), nil
	})
}

// gated is a tool whose calls with "ask":true ask.
func gated(name string, run func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error)) *fake {
	f := newFake(name, run)
	f.risk = func(args json.RawMessage) tool.Risk {
		var in struct {
			Ask bool `json:"ask"`
		}
		_ = json.Unmarshal(args, &in)
		if in.Ask {
			return tool.Risk{Effect: event.Once, Gate: tool.Ask, Reason: "changes something"}
		}
		return tool.Risk{Effect: event.Read}
	}
	return f
}

// planner sets the plan that its arguments hold.
func planner() *fake {
	return newFake("plan_tool", func(_ context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
		var in struct {
			Todos []event.PlanItem `json:"todos"`
		}
		if err := json.Unmarshal(args, &in); err != nil {
			return tool.Failed(err.Error()), nil
		}
		env.SetPlan(in.Todos)
		return tool.Success("Plan updated:"), nil
	})
}

const planArgs = `{"todos":[{"id":"1","content":"train","status":"in_progress"}]}`

// approve answers the open gate.
func (r *rig) approve(ids ...string) {
	r.t.Helper()
	var op event.ExecApproval
	for _, id := range ids {
		op.Approvals = append(op.Approvals, event.Approval{ToolCallID: id, Approved: true})
	}
	r.submit(op)
}

// after runs f once the bubble's clock has moved on by d and all is quiet.
func after(d time.Duration, f func()) {
	time.Sleep(d)
	synctest.Wait()
	f()
}

// answering answers with m and finish.
func answering(m llm.Message, finish llm.Finish, cut ...string) step {
	return func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		m.Role = llm.Assistant
		u := someUsage
		if m.Text != "" && !yield(llm.Text{Delta: m.Text}, nil) {
			return
		}
		yield(llm.Done{Message: m, Finish: finish, Cut: cut, Usage: &u}, nil)
	}
}
