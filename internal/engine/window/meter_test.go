package window_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

func user(text string) llm.Message { return llm.Message{Role: llm.User, Text: text} }

func answer(text string, calls ...llm.ToolCall) llm.Message {
	return llm.Message{Role: llm.Assistant, Text: text, ToolCalls: calls}
}

func call(id, name, args string) llm.ToolCall {
	return llm.ToolCall{ID: id, Name: name, Arguments: args}
}

func result(id, name, text string) llm.Message {
	return llm.Message{Role: llm.ToolRole, ToolCallID: id, Name: name, Text: text}
}

func TestMeterIsTheLastReportPlusWhatCameSince(t *testing.T) {
	m := window.NewMeter("a", 0)
	m.SetTools([]llm.ToolSpec{{Name: "read"}})
	m.Add(user("hello there"))
	if got, want := m.Tokens(), 21+6; got != want {
		t.Fatalf("before any report: %d tokens, want %d", got, want)
	}
	m.Answered(&llm.Usage{Prompt: 27, Completion: 10, Total: 37}, answer("fine"))
	if m.Tokens() != 37 {
		t.Fatalf("after a report: %d tokens, want 37", m.Tokens())
	}
	big := result("x", "read", strings.Repeat("word ", 20_000))
	m.Add(big)
	if got, want := m.Tokens(), 37+window.Message(big); got != want {
		t.Fatalf("after a huge result: %d tokens, want %d", got, want)
	}
	m.Answered(nil, answer("no report"))
	if got, want := m.Tokens(), 37+window.Message(big)+window.Message(answer("no report")); got != want {
		t.Fatalf("after an answer without a report: %d tokens, want %d", got, want)
	}
	m.Overflowed(200_000)
	if m.Tokens() != 200_001 {
		t.Fatalf("after an overflow: %d tokens, want 200001", m.Tokens())
	}
	m.Recount([]llm.Message{user("hello there")})
	if m.Tokens() != 27 {
		t.Fatalf("after a recount: %d tokens, want 27", m.Tokens())
	}
}

func TestMeterLearnsAFactorForEachModel(t *testing.T) {
	m := window.NewMeter("a", 1.3)
	if m.Factor() != 1.3 {
		t.Fatalf("factor starts at %v, want 1.3", m.Factor())
	}
	text := user(strings.Repeat("word ", 996)) // 1,000 tokens
	m.Add(text)
	m.Answered(&llm.Usage{Prompt: 1100, Total: 1100}, llm.Message{})
	if f := m.Factor(); f < 1.09 || f > 1.11 {
		t.Fatalf("after the first report the factor is %v, want 1.1", f)
	}
	m.Switch("b", 0)
	if m.Factor() != 1 || m.Tokens() != 1000 {
		t.Fatalf("another model: factor %v, %d tokens, want 1 and 1000", m.Factor(), m.Tokens())
	}
	m.Switch("a", 1.3)
	if f := m.Factor(); f < 1.09 || f > 1.11 {
		t.Fatalf("back again the factor is %v, want 1.1", f)
	}
	for range 50 {
		m.Answered(&llm.Usage{Prompt: 90_000, Total: 90_000}, llm.Message{})
	}
	if f := m.Factor(); f > 1.8 || f < 1.79 {
		t.Fatalf("absurd reports: factor %v, want it held at 1.8", f)
	}
}

func TestMeterFactorStaysInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := window.NewMeter("a", rapid.Float64Range(-5, 5).Draw(t, "start"))
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			m.Add(user(rapid.String().Draw(t, "text")))
			prompt := rapid.IntRange(0, 1_000_000).Draw(t, "prompt")
			m.Answered(&llm.Usage{Prompt: prompt, Total: prompt}, answer("ok"))
			if f := m.Factor(); f < 0.7 || f > 1.8 {
				t.Fatalf("factor is %v", f)
			}
			if m.Tokens() < 0 {
				t.Fatalf("%d tokens", m.Tokens())
			}
		}
	})
}
