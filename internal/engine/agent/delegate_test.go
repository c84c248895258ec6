package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// delegating is a tool that gives its work to a sub-agent with the given tools.
func delegating(report *tool.Report, change func(*tool.Delegation), tools ...tool.Tool) *fake {
	return newFake("research", func(ctx context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
		d := tool.Delegation{Tool: "research", Label: "research: x", System: "sub", Task: "the task", Tools: tools}
		if change != nil {
			change(&d)
		}
		*report = env.Delegate(ctx, d)
		return tool.Success("report: " + report.Text), nil
	})
}

// filling answers with usage that says how full the window is.
func filling(total int, calls ...llm.ToolCall) step {
	return func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		finish, text := llm.FinishTools, ""
		if len(calls) == 0 {
			finish, text = llm.FinishStop, "an answer"
		}
		u := llm.Usage{Prompt: total - 10, Completion: 10, Total: total}
		yield(llm.Done{Message: llm.Message{Role: llm.Assistant, Text: text, ToolCalls: calls}, Finish: finish, Usage: &u}, nil)
	}
}

// research runs one delegation: the script's first step is the main
// conversation's, then come the sub-agent's.
func research(t *testing.T, window int, change func(*tool.Delegation), tools []tool.Tool, steps ...step) (*script, tool.Report, []event.Event) {
	t.Helper()
	model := &script{steps: append([]step{use(call("r", "research", `{}`))}, steps...)}
	model.info = llm.Info{ID: testModel, Provider: "test", Label: "test", Window: window, WindowKnown: true, Prices: &llm.Prices{}, PriceSource: llm.PriceTable}
	var report tool.Report
	r := start(t, model, withTools(delegating(&report, change, tools...)))
	events := r.turn("go")
	return model, report, events
}

func TestSubAgentIsWarnedOnceAndStoppedByTheWindow(t *testing.T) {
	look := returns("look", "a", "b", "c", "d")
	model, report, events := research(t, 100_000, nil, []tool.Tool{look},
		filling(50_000, call("1", "look", `{"n":1}`)), filling(81_000, call("2", "look", `{"n":2}`)), filling(85_000, call("3", "look", `{"n":3}`)),
		filling(92_500, call("4", "look", `{"n":4}`)), filling(93_000), say("main"))
	if report.Text != "an answer" || !strings.Contains(report.Reason, "window of 100000 tokens is nearly full") || report.Rounds != 5 || report.Calls != 4 || report.Tokens != 401_500 {
		t.Errorf("got %+v", report)
	}
	if n := having(model.request(t, 5), "Most of your context is used up"); n != 1 {
		t.Errorf("warned %d times", n)
	}
	if having(model.request(t, 2), "Most of your context") > 0 || having(model.request(t, 3), "Most of your context") != 1 {
		t.Error("the warning comes at another time than behind 80 %")
	}
	if req := model.request(t, 5); req.Choice != llm.ToolNone || !strings.Contains(last(req).Text, "cannot call tools any more") {
		t.Errorf("the last call: %q %q", req.Choice, last(req).Text)
	}
	for i := 1; i < 6; i++ {
		valid(t, model.request(t, i))
	}
	lines := find[event.ToolLog](t, events)
	if l := lines[len(lines)-1]; l.Log != "Research complete." || l.AgentID != "r" || l.Label != "research: x" {
		t.Errorf("the last line is %+v", l)
	}
}

func TestResultsOfSubAgentsAreBounded(t *testing.T) {
	rooms := map[string]int{}
	big := newFake("big", func(_ context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
		rooms[env.CallID()] = env.Room()
		return tool.Success(strings.Repeat("line of text\n", 10_000)), nil
	})
	big.spec.MaxOutput = 100_000
	model, _, _ := research(t, 200_000, nil, []tool.Tool{big}, use(call("1", "big", `{}`)), filling(180_000, call("2", "big", `{"n":2}`)), say("done"), say("main"))
	text := results(model.request(t, 2))["1"]
	if n := utf8.RuneCountInString(text); n > 20_000 || n < 19_000 || !strings.HasSuffix(text, "or for one further on)") {
		t.Errorf("%d characters, ends %q", n, text[len(text)-100:])
	}
	if rooms["1"] != 20_000 || rooms["2"] >= 20_000 || rooms["2"] < 2000 {
		t.Errorf("rooms %v", rooms)
	}
}

// What does not fit the window is shortened before the last call.
func TestAnOverflowEndsWithWhatFits(t *testing.T) {
	big := newFake("big", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
		return tool.Success(strings.Repeat("line of text\n", 2_000)), nil
	})
	model, report, _ := research(t, 0, func(d *tool.Delegation) { d.Room = 30_000 }, []tool.Tool{big},
		use(call("1", "big", `{}`), call("2", "big", `{"n":2}`)),
		fail(llm.Fault{Class: llm.ClassOverflow, Limit: 8000}), say("what there is"), say("main"))
	if report.Text != "what there is" || !strings.Contains(report.Reason, "window is full") {
		t.Errorf("got %+v", report)
	}
	size := 0
	for _, m := range model.request(t, 3).Messages {
		size += len(m.Text)
	}
	if size > 8000*4 || size < 1000 {
		t.Errorf("%d bytes were sent to a window of 8,000 tokens", size)
	}
}

func TestSubAgentsRepeatAsLittleAsOthers(t *testing.T) {
	same := returns("look", "the same")
	steps := []step{}
	for range 8 {
		steps = append(steps, use(call("", "look", `{}`)))
	}
	model, report, _ := research(t, 100_000, nil, []tool.Tool{same}, append(steps[:6], say("all right"), say("main"))...)
	if report.Reason != "it repeated the same calls without getting further" && report.Text != "all right" {
		t.Errorf("got %+v", report)
	}
	warned := false
	for i := range model.calls() {
		warned = warned || having(model.request(t, i), "REPETITION GUARD") > 0
	}
	if !warned {
		t.Error("nobody warned it")
	}
}

func TestSubAgentRunsSixCallsAtOnceAndEndsWithinASecond(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var running, most atomic.Int32
		stubborn := newFake("look", func(ctx context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer running.Add(-1)
			if strings.Contains(string(args), "stuck") {
				time.Sleep(time.Minute) // does not listen
			} else {
				time.Sleep(time.Second)
			}
			return tool.Success(string(args)), nil
		})
		var calls []llm.ToolCall
		for i := range 12 {
			calls = append(calls, call(fmt.Sprintf("c%d", i), "look", fmt.Sprintf(`{"n":%d}`, i)))
		}
		var report tool.Report
		model := &script{steps: []step{
			use(call("r", "research", `{}`)), use(calls...), use(call("x", "look", `{"stuck":1}`), call("y", "look", `{"stuck":2}`)),
		}}
		r := start(t, model, withTools(delegating(&report, nil, stubborn)))
		r.input("go")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if most.Load() != 6 {
			t.Errorf("%d calls at once", most.Load())
		}
		begun := time.Now()
		r.agent.Interrupt()
		events := r.until(event.TypeInterrupted)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("interrupted after %v", took)
		}
		logs := find[event.ToolLog](t, events)
		if logs[len(logs)-1].Log != "Research complete." || logs[len(logs)-2].Log != "interrupted by the user" {
			t.Errorf("lines end with %+v", logs[len(logs)-2:])
		}
	})
}

func TestSubAgentRetriesLikeTheMainLoop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		begun := time.Now()
		_, report, events := research(t, 100_000, nil, nil,
			fail(llm.Fault{Class: llm.ClassServer}), fail(llm.Fault{Class: llm.ClassServer}), say("the answer"), say("main"))
		if report.Text != "the answer" || time.Since(begun) < 6*time.Second {
			t.Errorf("after %v: %+v", time.Since(begun), report)
		}
		waits := 0
		for _, l := range find[event.ToolLog](t, events) {
			if strings.Contains(l.Log, "retrying") && l.Tool == "research" && l.AgentID == "r" {
				waits++
			}
		}
		if waits != 2 {
			t.Errorf("%d lines about waiting", waits)
		}
	})
}

// One model call of a sub-agent may take two minutes.
func TestSubAgentsModelCallsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hang := func(ctx context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
			<-ctx.Done()
			yield(nil, ctx.Err())
		}
		begun := time.Now()
		_, report, _ := research(t, 100_000, nil, nil, hang, say("late"), say("main"))
		if took := time.Since(begun); report.Text != "late" || took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("after %v: %+v", took, report)
		}
	})
}
