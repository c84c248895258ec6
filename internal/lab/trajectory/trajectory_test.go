package trajectory_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

func TestTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-04-24T10:00:00":             "2026-04-24T10:00:00Z",
		"2026-04-24T10:00:00.123456":      "2026-04-24T10:00:00.123456Z",
		"2026-04-24T10:00:00+02:00":       "2026-04-24T08:00:00Z",
		"2026-04-24T10:00:00.5Z":          "2026-04-24T10:00:00.5Z",
		"2026-04-24 10:00:00.5+00:00":     "2026-04-24T10:00:00.5Z",
		"2026-04-24 10:00:00":             "2026-04-24T10:00:00Z",
		"2026-04-24T10:00":                "2026-04-24T10:00:00Z",
		"2026-04-24":                      "2026-04-24T00:00:00Z",
		"":                                "",
		"yesterday":                       "",
		"2026-13-24T10:00:00":             "",
		"2026-04-24T10:00:00Z and more":   "",
		strings.Repeat("2026", 1_000_000): "",
	} {
		got := ""
		if at := trajectory.Time(text); !at.IsZero() {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%.40q is %s, want %s", text, got, want)
		}
	}
}

// at is an event at a second of one minute.
func at(second int, kind, data string) event.Event {
	return event.Event{Time: time.Date(2026, 4, 24, 10, 0, second, 0, time.UTC), Type: event.Type(kind), Data: json.RawMessage(data)}
}

// names are the calls in short: tool@second=arguments.
func names(calls []trajectory.Call) []string {
	var out []string
	for _, c := range calls {
		name := c.Tool
		if !c.At.IsZero() {
			name += c.At.Format("@5")
		}
		if len(c.Arguments) > 0 {
			name += "=" + string(c.Arguments)
		}
		out = append(out, name)
	}
	return out
}

func TestCalls(t *testing.T) {
	wrote := func(id, tool, args string) json.RawMessage {
		raw, _ := json.Marshal(args)
		return json.RawMessage(`{"role":"assistant","content":null,"tool_calls":[{"id":"` + id + `","type":"function","function":{"name":"` + tool + `","arguments":` + string(raw) + `}}]}`)
	}
	for name, c := range map[string]struct {
		messages        []json.RawMessage
		events          []event.Event
		made, mentioned []string // mentioned nil: the same
	}{
		"announced": {
			events: []event.Event{at(1, "tool_call", `{"tool":"bash","tool_call_id":"a","arguments":{"x":1}}`), at(2, "tool_output", `{"tool":"bash","tool_call_id":"a"}`)},
			made:   []string{`bash@1={"x":1}`},
		},
		"approved": {
			messages: []json.RawMessage{wrote("a", "hf_jobs", `{"x":1}`)},
			events:   []event.Event{at(1, "tool_state_change", `{"tool_call_id":"a","state":"approved"}`), at(5, "tool_output", `{"tool":"hf_jobs","tool_call_id":"a"}`)},
			made:     []string{`hf_jobs@5={"x":1}`},
		},
		"approved and edited": {
			events: []event.Event{
				at(1, "approval_required", `{"tools":[{"tool":"hf_jobs","tool_call_id":"a","arguments":{"x":1}}]}`),
				at(2, "tool_state_change", `{"tool_call_id":"a","state":"approved","edited_arguments":{"x":2}}`), at(5, "tool_output", `{"tool_call_id":"a"}`),
			},
			made: []string{`hf_jobs@5={"x":2}`},
		},
		"refused": {
			messages: []json.RawMessage{wrote("a", "hf_jobs", `{}`)},
			events:   []event.Event{at(1, "tool_state_change", `{"tool_call_id":"a","state":"rejected"}`), at(5, "tool_output", `{"tool":"hf_jobs","tool_call_id":"a"}`)},
		},
		"waiting": {
			messages: []json.RawMessage{wrote("a", "hf_jobs", `{}`)},
			events:   []event.Event{at(1, "approval_required", `{"tools":[{"tool":"hf_jobs","tool_call_id":"a","arguments":{}}]}`)},
		},
		"an id used again": {
			events: []event.Event{
				at(1, "tool_call", `{"tool":"bash","tool_call_id":"a"}`), at(2, "tool_output", `{"tool":"bash","tool_call_id":"a"}`),
				at(3, "tool_state_change", `{"tool_call_id":"a","state":"rejected"}`), at(4, "tool_output", `{"tool":"edit","tool_call_id":"a"}`),
				at(5, "tool_state_change", `{"tool_call_id":"a","state":"approved"}`), at(6, "tool_output", `{"tool":"write","tool_call_id":"a"}`),
				at(7, "tool_call", `{"tool":"read","tool_call_id":"a"}`), at(8, "tool_output", `{"tool":"read","tool_call_id":"a"}`),
			},
			made: []string{"bash@1", "write@6", "read@7"},
		},
		"a sub-agent's": {
			events: []event.Event{at(1, "tool_call", `{"tool":"bash","tool_call_id":"a","agent_id":"x"}`), at(2, "tool_output", `{"tool":"bash","tool_call_id":"a","agent_id":"x"}`)},
		},
		"only written": {
			messages:  []json.RawMessage{wrote("a", "bash", `{"x":1}`), wrote("b", "bash", `no json`)},
			mentioned: []string{`bash={"x":1}`, `bash="no json"`},
		},
		"written in a journal": {
			events: []event.Event{
				at(1, "history_message", `{"message":`+string(wrote("a", "hf_jobs", `{"x":1}`))+`}`), at(2, "history_message", `{"agent_id":"s","message":`+string(wrote("b", "bash", `{}`))+`}`),
				at(3, "tool_output", `{"tool_call_id":"a"}`), at(4, "tool_output", `{"tool_call_id":"b"}`),
			},
			made: []string{`hf_jobs@3={"x":1}`},
		},
		"nobody's result": {events: []event.Event{at(1, "tool_output", `{"tool":"bash"}`), at(2, "tool_output", `{"tool_call_id":"z"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &trajectory.Session{Messages: c.messages, Events: c.events}
			if diff := cmp.Diff(c.made, names(s.Calls())); diff != "" {
				t.Errorf("made (-want +got):\n%s", diff)
			}
			if c.mentioned == nil {
				c.mentioned = c.made
			}
			if diff := cmp.Diff(c.mentioned, names(s.Mentioned())); diff != "" {
				t.Errorf("mentioned (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAsked(t *testing.T) {
	seconds := func(s *trajectory.Session) (out []int) {
		for _, at := range s.Asked() {
			out = append(out, at.Second())
		}
		return out
	}
	told := &trajectory.Session{
		Messages: []json.RawMessage{[]byte(`{"role":"user","content":"what is left of it"}`)},
		Events: []event.Event{
			at(1, "history_message", `{"message":{"role":"system","content":"x"}}`), at(2, "history_message", `{"message":{"role":"user","content":"x"}}`),
			at(3, "history_message", `{"message":{"role":"user","content":"x","synthetic":true}}`), at(4, "history_message", `{"agent_id":"a","message":{"role":"user","content":"x"}}`),
			at(9, "history_message", `{"message":{"role":"user","content":"x"}}`),
		},
	}
	if diff := cmp.Diff([]int{2, 9}, seconds(told)); diff != "" {
		t.Errorf("a journal (-want +got):\n%s", diff)
	}
	file := &trajectory.Session{
		Start: "2026-04-24T10:00:59",
		Messages: []json.RawMessage{
			[]byte(`{"role":"user","content":"1","timestamp":"2026-04-24T10:00:07.5Z"}`), []byte(`{"role":"user","content":"2"}`),
			[]byte(`{"role":"assistant"}`), []byte(`{"role":"user","content":"[SYSTEM: go on"}`), []byte(`{"role":"user","content":"3"}`), []byte(`7`),
		},
	}
	if diff := cmp.Diff([]int{7, 59, 59}, seconds(file)); diff != "" {
		t.Errorf("a file without events (-want +got):\n%s", diff)
	}
	file.Events = []event.Event{at(10, "turn_complete", "{}"), at(20, "error", "{}"), {Type: "turn_complete"}, at(33, "llm_call", "{}")}
	if diff := cmp.Diff([]int{7, 20, 33}, seconds(file)); diff != "" {
		t.Errorf("a file (-want +got):\n%s", diff)
	}
	if file.UserMessages() != 4 {
		t.Errorf("%d messages of a user", file.UserMessages())
	}
}

func TestReadingMessages(t *testing.T) {
	got := trajectory.Read(json.RawMessage(`{"role":"assistant","content":["a",{"type":"text","text":"b"},{"type":"image_url"},7],"tool_calls":[{"id":"x","function":{"name":"n","arguments":{"a":1}}},{"id":"y"},7,{"function":{"name":"m"}}],"timestamp":"2026-04-24T10:00:01Z","synthetic":true}`))
	if got.Text != "a\nb" || !got.Synthetic || got.At.Second() != 1 || len(got.Calls) != 2 || string(got.Calls[0].Arguments) != `{"a":1}` || got.Calls[1].ID != "" {
		t.Errorf("%+v", got)
	}
}

// FuzzRead holds that nothing that is read makes the answers panic, and that every call
// has a name.
func FuzzRead(f *testing.F) {
	f.Add(`{"role":"user","content":[{"text":"x"}],"tool_calls":{}}`, `{"tool":"bash","tool_call_id":"a","agent_id":null}`)
	f.Add(`{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"x","arguments":"{"}}]}`, `{"tools":[{"tool":"x","tool_call_id":"a"}],"state":"approved","tool_call_id":"a","edited_arguments":7}`)
	f.Add(`[]`, `{"message":{"role":"user","content":"x"},"agent_id":""}`)
	f.Fuzz(func(t *testing.T, message, data string) {
		s := &trajectory.Session{Messages: []json.RawMessage{[]byte(message)}, Start: message}
		for i, kind := range []string{"history_message", "approval_required", "tool_state_change", "tool_call", "tool_output", "tool_output", "turn_complete"} {
			s.Events = append(s.Events, at(i, kind, data))
		}
		if slices.ContainsFunc(append(s.Calls(), s.Mentioned()...), func(c trajectory.Call) bool { return c.Tool == "" }) {
			t.Errorf("a call without a name: %v", s.Calls())
		}
		s.Asked()
		s.Day()
	})
}
