package transcript_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func TestShortened(t *testing.T) {
	long := strings.Repeat("é", 300)
	whole := transcript.Transcript{
		Main: []transcript.Entry{
			{Message: llm.Message{Role: llm.User, Text: long, Parts: nil}},
			{Message: llm.Message{Role: llm.User, Parts: []json.RawMessage{json.RawMessage(`{"type":"text","text":"` + long + `"}`), json.RawMessage(`{"type":"image_url","image_url":{"url":"` + long + `"}}`)}}},
			{Message: llm.Message{Role: llm.Assistant, Text: long, ReasoningContent: long, ToolCalls: []llm.ToolCall{{ID: "a", Arguments: `{"a":"` + long + `"}`}, {ID: "b", Arguments: `{}`}}}},
			{Message: llm.Message{Role: llm.Assistant, ThinkingBlocks: []json.RawMessage{json.RawMessage(`{"type":"thinking","thinking":"` + long + `"}`)}}},
			{Message: llm.Message{Role: llm.ToolRole, Text: long}},
			{Message: llm.Message{Role: llm.ToolRole, Text: long[:100]}},
		},
		Agents: []transcript.Agent{{ID: "r", Entries: []transcript.Entry{{Message: llm.Message{Role: llm.ToolRole, Text: long}}}}},
	}
	before, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	got, n := whole.Shortened(100)
	if after, err := json.Marshal(whole); err != nil || string(after) != string(before) {
		t.Errorf("the whole one was changed: %v", err)
	}
	if n != 6 {
		t.Errorf("%d were cut", n)
	}
	m := got.Main
	if m[0].Text != long || string(m[1].Parts[0]) != string(whole.Main[1].Parts[0]) || m[2].Text != long || m[5].Text != long[:100] || m[2].ToolCalls[1].Arguments != `{}` {
		t.Errorf("what was said is cut: %+v", m)
	}
	want := strings.Repeat("é", 66) + "\n[… 200 characters are left out of this trace …]\n" + strings.Repeat("é", 34)
	if m[4].Text != want || got.Agents[0].Entries[0].Text != want || m[2].ReasoningContent != want || m[3].Reasoning() != want {
		t.Errorf("%q", m[4].Text)
	}
	if string(m[1].Parts[1]) != `"[a part of 643 bytes is left out of this trace]"` {
		t.Errorf("%s", m[1].Parts[1])
	}
	var raw struct {
		Raw string `json:"_raw"`
	}
	if err := json.Unmarshal([]byte(m[2].ToolCalls[0].Arguments), &raw); err != nil || !strings.Contains(raw.Raw, "208 characters are left out") {
		t.Errorf("%s %v", m[2].ToolCalls[0].Arguments, err)
	}
}

func TestShortenedTextsFit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text, most := rapid.String().Draw(rt, "text"), rapid.IntRange(1, 50).Draw(rt, "most")
		got, n := transcript.Transcript{Main: []transcript.Entry{{Message: llm.Message{Role: llm.ToolRole, Text: text}}}}.Shortened(most)
		out := got.Main[0].Text
		if n == 0 && out != text || n == 1 && (utf8.RuneCountInString(text) <= most || utf8.RuneCountInString(out) > most+70) {
			rt.Fatalf("%q became %q", text, out)
		}
	})
}

func TestLine(t *testing.T) {
	got, err := transcript.Line(map[string]any{"a": "x\u0085\u2028\u2029<&>", "b": json.RawMessage("\"\xff\u2028\"")})
	if err != nil || string(got) != `{"a":"x\u0085\u2028\u2029<&>","b":"`+"\ufffd"+`\u2028"}`+"\n" {
		t.Errorf("%q %v", got, err)
	}
}
