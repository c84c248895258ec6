package chat_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/lab/trainformat/chat"
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		cell  string
		ok    bool
		roles []string
		check func(chat.Conversation) bool
	}{
		"messages":     {`[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]`, true, []string{"user", "assistant"}, func(c chat.Conversation) bool { return c.Messages[1].Content == "b" && !c.FromValue && !c.InText }},
		"from, value":  {`[{"from":"human","value":"a"}]`, true, []string{"human"}, func(c chat.Conversation) bool { return c.FromValue && c.Messages[0].Content == "a" }},
		"in a text":    {`" [{\"role\":\"user\",\"content\":\"a\"}]"`, true, []string{"user"}, func(c chat.Conversation) bool { return c.InText }},
		"parts":        {`[{"role":"user","content":[{"type":"image"},{"type":"text","text":"a"},{"text":"b"}]}]`, true, []string{"user"}, func(c chat.Conversation) bool { return c.Messages[0].Parts && c.Messages[0].Content == "a\nb" }},
		"no content":   {`[{"role":"assistant","content":null}]`, true, []string{"assistant"}, func(c chat.Conversation) bool { return c.Messages[0].None }},
		"empty":        {`[]`, true, []string{}, func(c chat.Conversation) bool { return len(c.Messages) == 0 }},
		"a text":       {`"[1]"`, false, nil, nil},
		"empty text":   {`"[]"`, false, nil, nil},
		"list of text": {`["a"]`, false, nil, nil},
		"other object": {`[{"a":1}]`, false, nil, nil},
		"null":         {`null`, false, nil, nil},
		"nulls":        {`[null]`, false, nil, nil},
		"number":       {`7`, false, nil, nil},
		"nothing":      {``, false, nil, nil},
		"torn":         {`[{"role":`, false, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := chat.Read(json.RawMessage(c.cell))
			if ok != c.ok || ok && (!cmp.Equal(got.Roles(), c.roles) || !c.check(got)) {
				t.Errorf("%+v, %v", got, ok)
			}
		})
	}
}

func TestAnalyse(t *testing.T) {
	cells := []json.RawMessage{
		json.RawMessage(`[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b","tool_calls":null}]`),
		json.RawMessage(`[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"arguments":{"x":1}}},"{\"arguments\":\"{}\"}"]},{"role":"tool","content":"c","tool_call_id":"1"}]`),
		json.RawMessage(`[]`), json.RawMessage(`null`), json.RawMessage(`"x"`), nil,
		json.RawMessage(`[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}]`),
	}
	a := chat.Analyse(cells)
	want := chat.Analysis{
		Cells: 7, Nulls: 2, Empty: 1, Other: 1, Messages: 10, Fewest: 3, Median: 3, Most: 4, System: 1,
		Roles:     []chat.Count{{Name: "assistant", N: 4}, {Name: "user", N: 4}, {Name: "system", N: 1}, {Name: "tool", N: 1}},
		Patterns:  []chat.Count{{Name: "(user → assistant) ×2", N: 1}, {Name: "system → user → assistant", N: 1}, {Name: "user → assistant → tool", N: 1}},
		Keys:      map[string]int{"role": 10, "content": 9, "tool_calls": 1, "tool_call_id": 1},
		ToolCalls: 1, ToolResults: 1, Objects: 1, Strings: 2, None: 1, NotAnswered: 1,
	}
	example := a.Example
	a.Example = nil
	if d := cmp.Diff(want, a); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if m, _ := chat.Read(json.RawMessage("[" + string(example) + "]")); m.Messages[0].ToolCalls != 3 {
		t.Errorf("example %s", example)
	}
	if n := a.Conversations(); n != 3 {
		t.Errorf("%d conversations", n)
	}
}

func TestPatternsAreShort(t *testing.T) {
	for want, roles := range map[string][]string{
		"":                               {},
		"user":                           {"user"},
		"system":                         {"system"},
		"system → (user → assistant) ×3": {"system", "user", "assistant", "user", "assistant", "user", "assistant"},
		"user → assistant → user":        {"user", "assistant", "user"},
		"a → b → c → d → e → f → g → h → … (9 messages)": {"a", "b", "c", "d", "e", "f", "g", "h", "i"},
	} {
		if got := chat.Pattern(roles); got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, cell := range []string{
		`[{"role":"user","content":"a"}]`, `[{"from":"gpt","value":["x"]}]`, `"[{\"role\":1}]"`, `[{"role":"a","tool_calls":["","{}",null,{"function":7}]}]`, `[]`, `{}`,
	} {
		f.Add([]byte(cell))
	}
	f.Fuzz(func(t *testing.T, cell []byte) {
		c, ok := chat.Read(cell)
		if !ok && len(c.Messages) > 0 {
			t.Error("messages of what is no conversation")
		}
		a := chat.Analyse([]json.RawMessage{cell, cell})
		if a.Cells != 2 || a.Conversations() < 0 || ok && len(c.Messages) > 0 && a.Conversations() != 2 {
			t.Errorf("%+v", a)
		}
		_ = chat.Disorder(c.Roles())
	})
}
