package agent_test

import (
	"testing"
	"testing/synctest"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Acceptance check 1 of the engine.
func TestTextAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &script{steps: []step{say("Hel", "lo ", "you")}}, nil)
		got := r.turn("hi")
		if n := len(find[event.AssistantChunk](t, got)); n != 3 {
			t.Errorf("%d chunks, want 3", n)
		}
		wantNames(t, got, "processing", "turn_complete")
		done := one[event.TurnComplete](t, got)
		if done.FinalResponse == nil || *done.FinalResponse != "Hello you" || done.StopReason != "answer" {
			t.Errorf("turn_complete is %+v", done)
		}
		for i, ev := range got {
			if ev.Seq != int64(i+1) {
				t.Errorf("event %d has number %d", i, ev.Seq)
			}
		}
		r.stop()
	})
}

func TestToolRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &script{steps: []step{use(call("a", "read", `{"path":"x"}`), call("b", "read", `{"path":"y"}`)), say("done")}}
		r := start(t, m, func(s *setup) { s.tools = []tool.Tool{newFake("read", nil)} })
		got := r.turn("hi")
		wantNames(t, got, "processing", "tool_call", "tool_call", "tool_output", "tool_output", "turn_complete")
		valid(t, m.request(t, 1))
		r.stop()
	})
}
