package window_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// invalid names the first thing wrong with a history, or returns "".
func invalid(msgs []llm.Message) string {
	ids := map[string]bool{}
	for i := 0; i < len(msgs); i++ {
		m := msgs[i]
		if m.Role == llm.ToolRole {
			return fmt.Sprintf("message %d is a result without a call", i)
		}
		if m.Role != llm.Assistant {
			continue
		}
		if m.Empty() {
			return fmt.Sprintf("message %d is an empty answer", i)
		}
		if len(m.ToolCalls) == 0 && i+1 < len(msgs) && msgs[i+1].Role == llm.Assistant && len(msgs[i+1].ToolCalls) == 0 {
			return fmt.Sprintf("messages %d and %d are neighbouring text answers", i, i+1)
		}
		for k, c := range m.ToolCalls {
			var object map[string]any
			switch at := i + 1 + k; {
			case c.ID == "" || ids[c.ID]:
				return fmt.Sprintf("call %d of message %d has the id %q, empty or taken", k, i, c.ID)
			case json.Unmarshal([]byte(c.Arguments), &object) != nil || object == nil:
				return fmt.Sprintf("call %s has the arguments %q", c.ID, c.Arguments)
			case at >= len(msgs) || msgs[at].Role != llm.ToolRole || msgs[at].ToolCallID != c.ID:
				return fmt.Sprintf("call %s has no result in its place", c.ID)
			}
			ids[c.ID] = true
		}
		i += len(m.ToolCalls)
	}
	return ""
}

// Acceptance check 26: a missing result becomes a stub right behind its
// message, wherever that is; complete pairs stay as they are.
func TestCheck26_MissingResultsAreStubbedInPlace(t *testing.T) {
	msgs := []llm.Message{
		{Role: llm.System, Text: "rules"},
		user("one"),
		answer("", call("a", "read", "{}")), // two turns back
		user("two"),
		answer("", call("b", "read", "{}")), result("b", "read", "fine"),
		user("three"),
		answer("", call("c", "read", "{}"), call("d", "bash", "{}")),
	}
	out, changed := window.Normalise(msgs, nil)
	want := []llm.Message{
		msgs[0], msgs[1], msgs[2], result("a", "read", window.NotExecuted), msgs[3], msgs[4], msgs[5], msgs[6],
		msgs[7], result("c", "read", window.NotExecuted), result("d", "bash", window.NotExecuted),
	}
	if !changed {
		t.Fatal("nothing was changed")
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	out, _ = window.Normalise(msgs, func(id string) string { return "interrupted " + id })
	if out[3].Text != "interrupted a" {
		t.Fatalf("stub is %q", out[3].Text)
	}
}

func TestNormaliseMends(t *testing.T) {
	withItems := answer("", call("x", "read", "[1]"))
	withItems.SetOrigin(llm.Origin{Provider: "openai", Model: "m"})
	withItems.SetItems([]json.RawMessage{json.RawMessage(`{"type":"function_call","call_id":"x"}`)})
	mended := answer("", call("x", "read", "{}"))
	mended.SetOrigin(llm.Origin{Provider: "openai", Model: "m"})

	for _, c := range []struct {
		name string
		in   []llm.Message
		want []llm.Message
	}{
		{
			"orphan",
			[]llm.Message{user("u"), result("z", "read", "r"), answer("a")},
			[]llm.Message{user("u"), answer("a")},
		},
		{
			"duplicate result",
			[]llm.Message{answer("", call("x", "read", "{}")), result("x", "read", "1"), result("x", "read", "2")},
			[]llm.Message{answer("", call("x", "read", "{}")), result("x", "read", "1")},
		},
		{
			"misplaced result",
			[]llm.Message{answer("", call("x", "read", "{}")), user("u"), result("x", "read", "1")},
			[]llm.Message{answer("", call("x", "read", "{}")), result("x", "read", "1"), user("u")},
		},
		{
			"result before its call",
			[]llm.Message{result("x", "", "1"), answer("", call("x", "read", "{}")), user("u")},
			[]llm.Message{answer("", call("x", "read", "{}")), result("x", "read", "1"), user("u")},
		},
		{
			"results out of order",
			[]llm.Message{answer("", call("x", "a", "{}"), call("y", "b", "{}")), result("y", "b", "2"), result("x", "a", "1")},
			[]llm.Message{answer("", call("x", "a", "{}"), call("y", "b", "{}")), result("x", "a", "1"), result("y", "b", "2")},
		},
		{
			"the same id again in a later answer",
			[]llm.Message{
				answer("", call("call_2", "a", "{}")), result("call_2", "a", "1"),
				answer("", call("call_2", "b", "{}")), result("call_2", "b", "2"), user("u"),
			},
			[]llm.Message{
				answer("", call("call_2", "a", "{}")), result("call_2", "a", "1"),
				answer("", call("call_3", "b", "{}")), result("call_3", "b", "2"), user("u"),
			},
		},
		{
			"empty ids",
			[]llm.Message{answer("", call("", "a", ""), call("", "b", " {} ")), result("", "a", "1"), result("", "b", "2")},
			[]llm.Message{
				answer("", call("call_1", "a", "{}"), call("call_3", "b", " {} ")), result("call_1", "a", "1"), result("call_3", "b", "2"),
			},
		},
		{
			"neighbouring texts",
			[]llm.Message{user("u"), answer("a"), answer(""), result("z", "a", "r"), answer("b"), answer("", call("x", "a", "{}")), result("x", "a", "1")},
			[]llm.Message{user("u"), answer("a\n\nb"), answer("", call("x", "a", "{}")), result("x", "a", "1")},
		},
		{
			"verbatim items of a mended call",
			[]llm.Message{withItems, result("x", "read", "1")},
			[]llm.Message{mended, result("x", "read", "1")},
		},
	} {
		before := fmt.Sprintf("%#v", c.in)
		out, changed := window.Normalise(c.in, nil)
		if !changed {
			t.Errorf("%s: nothing was changed", c.name)
		}
		if diff := cmp.Diff(c.want, out); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if fmt.Sprintf("%#v", c.in) != before {
			t.Errorf("%s: the input was modified", c.name)
		}
	}
}

// anyHistory draws messages in any order, with ids that clash.
func anyHistory(t *rapid.T) []llm.Message {
	id := rapid.SampledFrom([]string{"", "a", "b", "call_1", "call_2", "call_3"})
	text := rapid.SampledFrom([]string{"", "x", "Plan updated:"})
	args := rapid.SampledFrom([]string{"", "{}", `{"a":1}`, "[]", "null", "{bad", `{"a":1} x`})
	message := rapid.Custom(func(t *rapid.T) llm.Message {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return llm.Message{Role: llm.User, Text: text.Draw(t, "text"), Synthetic: rapid.Bool().Draw(t, "synthetic")}
		case 1:
			return result(id.Draw(t, "id"), "", text.Draw(t, "text"))
		case 2:
			return answer(text.Draw(t, "text"))
		}
		m := answer(text.Draw(t, "text"))
		for range rapid.IntRange(1, 3).Draw(t, "calls") {
			m.ToolCalls = append(m.ToolCalls, call(id.Draw(t, "id"), "read", args.Draw(t, "args")))
		}
		return m
	})
	return append([]llm.Message{{Role: llm.System, Text: "rules"}}, rapid.SliceOfN(message, 0, 25).Draw(t, "history")...)
}

func TestNormalisedHistoriesAreValidAndStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out, _ := window.Normalise(anyHistory(t), nil)
		if why := invalid(out); why != "" {
			t.Fatal(why)
		}
		again, changed := window.Normalise(out, nil)
		if changed {
			t.Fatalf("a second pass changed it (-first +second):\n%s", cmp.Diff(out, again))
		}
		for start := range len(out) + 1 {
			if _, changed := window.NormaliseFrom(out, start, nil); changed {
				t.Fatalf("a pass from %d changed it", start)
			}
		}
	})
}

func TestNormaliseFromTheLastCall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, _ := window.Normalise(anyHistory(t), nil)
		grown := append(old[:len(old):len(old)], anyHistory(t)[1:]...)
		out, _ := window.NormaliseFrom(grown, len(old), nil)
		if why := invalid(out); why != "" {
			t.Fatal(why)
		}
	})
}

// long is a sound history of n messages with arguments of a real size.
func long(n int) []llm.Message {
	msgs := []llm.Message{{Role: llm.System, Text: "rules"}, user("go")}
	args := `{"path":"a.txt","content":"` + strings.Repeat("x", 1000) + `"}`
	for i := 0; len(msgs) < n; i++ {
		id := fmt.Sprintf("call_%d", i)
		msgs = append(msgs, answer("", call(id, "write", args)), result(id, "write", strings.Repeat("y", 2000)))
	}
	return msgs
}

func TestNormaliseIsCheapForASoundHistory(t *testing.T) {
	msgs := long(2000)
	best := time.Hour
	for range 20 {
		begun := time.Now()
		if _, changed := window.NormaliseFrom(msgs, len(msgs)-2, nil); changed {
			t.Fatal("a sound history was changed")
		}
		best = min(best, time.Since(begun))
	}
	t.Logf("%v for 2,000 messages", best)
	if best > 5*time.Millisecond { // 1 ms without the race detector
		t.Errorf("took %v", best)
	}
}

func BenchmarkNormaliseFrom(b *testing.B) {
	msgs := long(2000)
	for b.Loop() {
		window.NormaliseFrom(msgs, len(msgs)-2, nil)
	}
}

func BenchmarkNormalise(b *testing.B) {
	msgs := long(2000)
	for b.Loop() {
		window.Normalise(msgs, nil)
	}
}
