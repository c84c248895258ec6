package agent_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// toolNames are the tools of a request, in order.
func toolNames(req llm.Request) string {
	var out []string
	for _, s := range req.Tools {
		out = append(out, s.Name)
	}
	return strings.Join(out, " ")
}

// Tools that join later stand behind the session's own from the next message on,
// never within a turn; what has joined keeps its place, what has gone leaves, and
// none takes the name of another.
func TestToolsJoinAtTheNextMessage(t *testing.T) {
	now := []string{}
	m := &script{steps: []step{
		use(call("a", "bash", `{}`)), say("one"),
		use(call("b", "search", `{}`)), say("two"), say("three"), say("four"),
	}}
	r := start(t, m, func(s *setup) {
		s.tools = []tool.Tool{newFake("bash", nil), newFake("read", nil)}
		s.joining = func(context.Context) []tool.Tool {
			var out []tool.Tool
			for _, name := range now {
				out = append(out, newFake(name, nil))
			}
			return out
		}
	})
	r.turn("first")
	now = []string{"search", "bash"}
	events := r.turn("second")
	now = []string{"mail", "search"}
	r.turn("third")
	now = []string{"mail"}
	r.turn("fourth")
	for i, want := range []string{"bash read", "bash read", "bash read search", "bash read search", "bash read search mail", "bash read mail"} {
		if got := toolNames(m.request(t, i)); got != want {
			t.Errorf("request %d has the tools %q, want %q", i, got, want)
		}
	}
	var said, result string
	for _, ev := range events {
		switch ev.Type {
		case event.TypeToolLog:
			p, _ := event.Decode[event.ToolLog](ev)
			said += p.Log
		case event.TypeToolOutput:
			p, _ := event.Decode[event.ToolOutput](ev)
			result = p.Output
		}
	}
	if !strings.Contains(said, "bash: the name is taken") || result != "search ok" {
		t.Errorf("told %q, the call gave %q", said, result)
	}
}

// A turn that was cut short is taken up with the tools that have joined by then.
func TestJoinedToolsAreThereAfterACrash(t *testing.T) {
	asked := 0
	with := func(s *setup) {
		s.tools = []tool.Tool{newFake("bash", nil)}
		s.joining = func(context.Context) []tool.Tool {
			asked++
			return []tool.Tool{newFake("search", nil)}
		}
	}
	started := make(chan struct{})
	hang := func(ctx context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		close(started)
		<-ctx.Done()
		yield(nil, ctx.Err())
	}
	m := &script{steps: []step{hang, use(call("a", "search", `{}`)), say("done")}}
	r := start(t, m, with)
	r.input("go")
	<-started
	r.stop()
	r = start(t, m, func(s *setup) { with(s); s.store, s.resume = r.store, true })
	events := r.ending()
	if got := toolNames(m.request(t, 1)); got != "bash search" || asked != 2 {
		t.Errorf("the tools are %q, asked %d times", got, asked)
	}
	if !slices.Contains(names(events), "tool_output") {
		t.Errorf("the call did not run: %v", names(events))
	}
}
