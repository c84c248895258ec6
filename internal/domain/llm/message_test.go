package llm_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Messages as saved sessions hold them, ours and older ones. Each must come
// back equal as JSON.
var stored = []string{
	`{"role":"system","content":"be brief"}`,
	`{"role":"user","content":"a < b && c > d"}`,
	`{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}`,
	`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}}]}`,
	`{"role":"tool","content":"train.py","tool_call_id":"c1","name":"bash"}`,
	`{"role":"tool","content":"","tool_call_id":"c1","name":"bash"}`,
	`{"role":"assistant","content":"done","thinking_blocks":[{"type":"thinking","thinking":"é","signature":"Et=="}],"reasoning_content":"hm","provider_specific_fields":{"origin":{"provider":"anthropic","model":"m"}}}`,
	`{"role":"user","content":"[SYSTEM: go on]","synthetic":true,"timestamp":"2026-01-01T00:00:00Z"}`,
	`{"role":"assistant","content":"x","audio":{"id":"a"},"refusal":"no"}`,
	`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"index":3}]}`,
}

func TestMessagesSurviveALoadAndASave(t *testing.T) {
	for _, in := range stored {
		var m llm.Message
		if err := json.Unmarshal([]byte(in), &m); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		out, err := json.Marshal(m)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if diff := cmp.Diff(value(t, in), value(t, string(out))); diff != "" {
			t.Errorf("%s changed (-before +after):\n%s", in, diff)
		}
	}
}

func value(t *testing.T, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestBadMessagesAreRefused(t *testing.T) {
	for _, in := range []string{
		`{"content":"no role"}`, `{"role":"king","content":"x"}`, `{"role":"user","content":12345}`,
		`{"role":"user","content":{"text":"x"}}`, `[]`, `null`, `{"role":"assistant","tool_calls":"x"}`,
	} {
		var m llm.Message
		if err := json.Unmarshal([]byte(in), &m); err == nil {
			t.Errorf("%s was accepted as %+v", in, m)
		}
	}
}

func TestArgumentsMayBeAnObject(t *testing.T) {
	for in, want := range map[string]string{
		`{"id":"a","function":{"name":"f","arguments":{"x":1}}}`:     `{"x":1}`,
		`{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`: `{"x":1}`,
		`{"id":"a","function":{"name":"f","arguments":null}}`:        ``,
		`{"id":"a","function":{"name":"f"}}`:                         ``,
	} {
		var c llm.ToolCall
		if err := json.Unmarshal([]byte(in), &c); err != nil || c.Arguments != want {
			t.Errorf("%s: arguments %q, want %q (err %v)", in, c.Arguments, want, err)
		}
	}
}

func TestOpaquePartsComeBackByteForByte(t *testing.T) {
	block := json.RawMessage(`{"type":"thinking","thinking":"<b>&amp; é","signature":"Et/+=="}`)
	item := json.RawMessage(`{"type":"reasoning","encrypted_content":"gAAA<>&"}`)
	m := llm.Message{Role: llm.Assistant, ThinkingBlocks: []json.RawMessage{block}}
	m.SetItems([]json.RawMessage{item})
	m.SetOrigin(llm.Origin{Provider: "p", Model: "m"})
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf) // as the journal encodes: nothing is escaped for HTML
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		t.Fatal(err)
	}
	raw := buf.Bytes()
	var back llm.Message
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if got := back.Items(); len(got) != 1 || string(got[0]) != string(item) {
		t.Errorf("item %s, want %s", got, item)
	}
	if got := string(back.ThinkingBlocks[0]); got != string(block) {
		t.Errorf("block %s, want %s", got, block)
	}
	if back.Origin() != (llm.Origin{Provider: "p", Model: "m"}) {
		t.Errorf("origin %+v", back.Origin())
	}
}

func TestCost(t *testing.T) {
	p := llm.Prices{Input: 3, Output: 15, CacheRead: 0.3, CacheWrite: 3.75}
	u := llm.Usage{Prompt: 1169, Completion: 201, CacheWrite: 1165}
	want := 4*3.0 + 1165*3.75 + 201*15 // millionths of a dollar
	if got := p.Cost(u); got != want {
		t.Errorf("cost %v, want %v", got, want)
	}
}

func TestFaultsTellWhatMayBeRetried(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		fault llm.Fault
		want  bool
	}{
		{llm.Fault{Class: llm.ClassServer}, true},
		{llm.Fault{Class: llm.ClassServer, Retry: &no}, false},
		{llm.Fault{Class: llm.ClassAuth}, false},
		{llm.Fault{Class: llm.ClassInvalidRequest, Retry: &yes}, true},
		{llm.Fault{Class: llm.ClassBilling, Retry: &yes}, false},
	} {
		if got := c.fault.Retryable(); got != c.want {
			t.Errorf("%s with override %v: retryable %v, want %v", c.fault.Class, c.fault.Retry, got, c.want)
		}
	}
}

// Unknown fields are found without parsing the object twice, whatever its
// strings and nested values hold.
func TestUnknownFieldsAreKept(t *testing.T) {
	for in, want := range map[string]string{
		`{"role":"user","content":"x","a":1}`:                                           `{"a":1}`,
		`{"a":{"role":"x"},"role":"user","content":"}{\",\"b\":1"}`:                     `{"a":{"role":"x"}}`,
		`{"role":"user","content":"x","tool_calls":[],"\u0061":2}`:                      `{"a":2}`,
		`{"role":"user" , "content" : [ {"type":"text","zzz":1} ] , "z" : [1,{"y":2}]}`: `{"z":[1,{"y":2}]}`,
		`{"role":"user","content":"x","name":"n"}`:                                      `null`,
		`{"role":"user","content":"x","a":null}`:                                        `null`,
	} {
		var m llm.Message
		if err := json.Unmarshal([]byte(in), &m); err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		got, err := json.Marshal(m.Extra)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(value(t, want), value(t, string(got))); diff != "" {
			t.Errorf("%s: unknown fields (-want +got):\n%s", in, diff)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, s := range stored {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m llm.Message
		if json.Unmarshal(data, &m) != nil {
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(data, &all); err != nil {
			t.Fatal(err)
		}
		for _, known := range []string{
			"role", "content", "tool_calls", "tool_call_id", "name", "thinking_blocks", "reasoning_content",
			"provider_specific_fields", "synthetic", "timestamp",
		} {
			delete(all, known)
		}
		for name, raw := range all {
			if string(raw) != "null" && string(m.Extra[name]) != string(raw) {
				t.Fatalf("unknown field %q is lost", name)
			}
		}
		first, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("an accepted message cannot be saved: %v", err)
		}
		var again llm.Message
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatalf("a saved message cannot be loaded: %v\n%s", err, first)
		}
		second, err := json.Marshal(again)
		if err != nil || string(first) != string(second) {
			t.Fatalf("a second save differs:\n%s\n%s", first, second)
		}
	})
}
