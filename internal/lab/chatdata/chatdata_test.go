package chatdata_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/lab/chatdata"
	"github.com/ml-intern/ml-intern/internal/lab/trainformat"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

var update = flag.Bool("update", false, "write the golden files anew")

func session() *trajectory.Session {
	return &trajectory.Session{
		ID: "sess-1", Model: "openai/gpt-5.5:fal-ai", Start: "2026-04-24T09:59:00+00:00",
		Messages: []json.RawMessage{
			[]byte(`{"role":"system","content":"You are <ml>.","tool_calls":null}`),
			[]byte(`{"role":"user","content":[{"type":"text","text":"train it"},{"type":"image_url","image_url":{"url":"data:,"}}]}`),
			[]byte(`{"role":"assistant","content":"Two things.","tool_calls":[{"id":"a","type":"function","function":{"name":"bash","arguments":"{\"command\": \"ls\"}"}},{"id":"b","type":"function","function":{"name":"read","arguments":"{bad"}}]}`),
			[]byte(`{"role":"tool","content":"train.py","tool_call_id":"a","name":"bash"}`),
			[]byte(`{"role":"tool","content":"","tool_call_id":"b","name":"read"}`),
			[]byte(`{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c","function":{"name":"plan_tool","arguments":""}}]}`),
			[]byte(`{"role":"tool","content":"ok","tool_call_id":"c"}`),
			[]byte(`{"role":"assistant","content":"","tool_calls":null}`),
			[]byte(`{"role":"developer","content":"nobody"}`),
			[]byte(`{"role":"assistant","content":"done & <dusted>"}`),
		},
		Tools: []json.RawMessage{[]byte(`{"type": "function", "function": {"name": "bash", "description": "run", "parameters": {"type": "object"}}}`)},
	}
}

func line(t testing.TB, s *trajectory.Session, format chatdata.Format) []byte {
	t.Helper()
	out, err := chatdata.Line(s, []string{"model:gpt", "outcome:completed"}, format)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGolden(t *testing.T) {
	for _, format := range chatdata.Formats() {
		path := filepath.Join("testdata", string(format)+".jsonl")
		got := line(t, session(), format)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}

// The row of the contract: these keys, in this order, and nothing lost.
func TestSFTKeepsEverything(t *testing.T) {
	got := line(t, session(), chatdata.SFT)
	var keys []string
	dec := json.NewDecoder(bytes.NewReader(got))
	for depth := 0; ; {
		token, err := dec.Token()
		if err != nil {
			break
		}
		if token == json.Delim('{') {
			depth++
			continue
		}
		var value json.RawMessage
		if key, ok := token.(string); ok && depth == 1 && dec.Decode(&value) == nil {
			keys = append(keys, key)
		}
	}
	if diff := cmp.Diff(strings.Fields("session_id model timestamp tags messages tools"), keys); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var row struct{ Messages, Tools []json.RawMessage }
	if err := json.Unmarshal(got, &row); err != nil {
		t.Fatal(err)
	}
	for i, raw := range session().Messages {
		var want bytes.Buffer
		if err := json.Compact(&want, raw); err != nil || !bytes.Equal(want.Bytes(), row.Messages[i]) {
			t.Errorf("message %d: %s, want %s", i, row.Messages[i], want.Bytes())
		}
	}
}

func TestEmptySession(t *testing.T) {
	for format, want := range map[chatdata.Format]string{
		chatdata.SFT:      `{"session_id":null,"model":null,"timestamp":null,"tags":["model:gpt","outcome:completed"],"messages":[],"tools":[]}`,
		chatdata.ChatML:   `{"session_id":null,"model":null,"timestamp":null,"tags":["model:gpt","outcome:completed"],"messages":[],"tools":[]}`,
		chatdata.ShareGPT: `{"session_id":null,"model":null,"timestamp":null,"tags":["model:gpt","outcome:completed"],"conversations":[],"tools":"[]"}`,
	} {
		if got := string(line(t, &trajectory.Session{}, format)); got != want+"\n" {
			t.Errorf("%s: %s", format, got)
		}
	}
	if _, err := chatdata.Line(&trajectory.Session{}, nil, "parquet"); err == nil {
		t.Error("any format will do")
	}
}

// What a trainer needs to know of the calls can be read back.
func TestCallsCanBeReadBack(t *testing.T) {
	var row struct {
		Messages []struct{ Role, Content string }
	}
	if err := json.Unmarshal(line(t, session(), chatdata.ChatML), &row); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range row.Messages {
		for rest, found := m.Content, true; found; {
			var call string
			if _, rest, found = strings.Cut(rest, "<tool_call>"); !found {
				break
			}
			call, rest, _ = strings.Cut(rest, "</tool_call>")
			var in struct {
				Name      string
				Arguments map[string]any
			}
			if err := json.Unmarshal([]byte(call), &in); err != nil {
				t.Fatalf("%s: %v", call, err)
			}
			raw, _ := json.Marshal(in.Arguments)
			got = append(got, in.Name+string(raw))
		}
	}
	if diff := cmp.Diff([]string{`bash{"command":"ls"}`, `read{"_raw":"{bad"}`, `plan_tool{}`}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Our own judgement of data sets says that all three can be trained on.
func TestTrainersTakeThem(t *testing.T) {
	message := func(a, b string) trainformat.Type {
		text := trainformat.Type{Kind: trainformat.Text}
		return trainformat.Type{Kind: trainformat.List, Elem: &trainformat.Type{Kind: trainformat.Struct, Fields: []trainformat.Column{{Name: a, Type: text}, {Name: b, Type: text}}}}
	}
	for format, column := range map[chatdata.Format]trainformat.Column{
		chatdata.SFT:      {Name: "messages", Type: message("role", "content")},
		chatdata.ChatML:   {Name: "messages", Type: message("role", "content")},
		chatdata.ShareGPT: {Name: "conversations", Type: message("from", "value")},
	} {
		var values map[string]json.RawMessage
		if err := json.Unmarshal(line(t, session(), format), &values); err != nil {
			t.Fatal(err)
		}
		if _, ok := values[column.Name]; !ok {
			t.Fatalf("%s has no %s", format, column.Name)
		}
		report, err := trainformat.Judge(trainformat.Input{Columns: []trainformat.Column{column}, Rows: []trainformat.Row{{Values: values}}, Trainer: "sft"})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(report.Fits, func(f trainformat.Fit) bool { return f.ID == "sft" && f.Fits != "no" }) {
			t.Errorf("%s: %s", format, report.Markdown())
		}
	}
}

// FuzzLine holds that any messages make a line of JSON in every format.
func FuzzLine(f *testing.F) {
	f.Add(`{"role":"assistant","tool_calls":[{"function":{"name":"\u0000","arguments":[1]}}]}`)
	f.Add(`{"role":"tool","content":7}`)
	f.Add(`{"role":"user","content":"<tool_call>\n</tool_call>"}`)
	f.Fuzz(func(t *testing.T, message string) {
		if !json.Valid([]byte(message)) {
			return // readers hand on JSON only
		}
		s := &trajectory.Session{ID: message, Messages: []json.RawMessage{[]byte(message)}}
		for _, format := range chatdata.Formats() {
			out := line(t, s, format)
			if !json.Valid(out) || bytes.Count(out, []byte("\n")) != 1 {
				t.Errorf("%s: %q", format, out)
			}
		}
	})
}
