package simple_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/simple"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func clock() document.Document {
	return document.Document{
		SessionID: "abc123", Title: "what time is it", Model: "acme/m1", StartTime: "2026-07-01T15:00:00Z",
		Messages: []llm.Message{
			{Role: llm.System, Text: "a prompt"},
			{Role: llm.User, Text: "what time is it?", Timestamp: "2026-07-01T15:00:00Z"},
			{Role: llm.Assistant, ReasoningContent: "need the clock", ToolCalls: []llm.ToolCall{{ID: "t1", Name: "get_time"}}},
			{Role: llm.ToolRole, ToolCallID: "t1", Text: "2026-07-01T15:00:00Z"},
			{Role: llm.Assistant},
			{Role: llm.User, Text: "[SYSTEM: go on]", Synthetic: true, Timestamp: "no time"},
			{Role: llm.Assistant, Text: "it is 15:00 UTC"},
		},
	}
}

func write(t testing.TB, d document.Document) []string {
	t.Helper()
	var out strings.Builder
	if err := simple.Write(&out, d); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(out.String()))
}

func TestWrite(t *testing.T) {
	want := []string{
		`{"type":"session","harness":"ml-intern","id":"abc123","name":"what time is it"}`,
		`{"type":"message","message":{"role":"user","content":"what time is it?","timestamp":1782918000000}}`,
		`{"type":"message","message":{"role":"assistant","content":"","reasoningContent":"need the clock","toolCalls":[{"id":"t1","function":{"name":"get_time","arguments":"{}"}}],"timestamp":1782918000000,"model":"acme/m1"}}`,
		`{"type":"message","message":{"role":"tool","content":"2026-07-01T15:00:00Z","toolCallId":"t1","timestamp":1782918000000}}`,
		`{"type":"message","message":{"role":"system","content":"[SYSTEM: go on]"}}`,
		`{"type":"message","message":{"role":"assistant","content":"it is 15:00 UTC","timestamp":1782918000000,"model":"acme/m1"}}`,
	}
	got := write(t, clock())
	for i := range got {
		got[i] = strings.TrimSuffix(got[i], "\n")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The documented example has no key that our lines lack, and no other types.
func TestTheDocumentedShape(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), "session-trace-sts.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for _, line := range write(t, clock()) {
		shape(t, keys, "", line)
	}
	theirs := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		shape(t, theirs, "", line)
	}
	for key, kind := range theirs {
		if keys[key] != kind {
			t.Errorf("%s is %q, want %q", key, keys[key], kind)
		}
	}
}

// shape notes the kind of every value below a path.
func shape(t *testing.T, into map[string]string, path, line string) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		into[path] = reflect.TypeOf(v).String()
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				walk(path+"."+key, value)
			}
		case []any:
			for _, value := range v {
				walk(path+"[]", value)
			}
		}
	}
	walk(path, v)
}

func TestArgumentsStayAsTheModelWroteThem(t *testing.T) {
	d := clock()
	d.Messages[2].ToolCalls[0].Arguments = "{bad"
	if got := write(t, d)[2]; !strings.Contains(got, `"arguments":"{bad"`) {
		t.Error(got)
	}
}
