package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// example is the conversation whose rows are known byte for byte.
func example() document.Document {
	return document.Document{
		SessionID: "sess-1", Model: "openai/gpt-5.5:fal-ai", StartTime: "2026-01-01T00:00:00",
		Messages: []llm.Message{
			{Role: llm.System, Text: "sys"},
			{Role: llm.User, Text: "hi"},
			{Role: llm.Assistant, Text: "Listing.", ToolCalls: []llm.ToolCall{{ID: "call-1", Name: "bash", Arguments: `{"command": "ls"}`}}},
			{Role: llm.ToolRole, Text: "ok", ToolCallID: "call-1", Name: "bash"},
			{Role: llm.Assistant, Text: "done"},
		},
	}
}

func TestDocumentRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := t.TempDir() + "/s.json"
		d := example()
		d.Title, d.Cwd = rapid.String().Draw(rt, "title"), "/w"
		d.Messages[1].Text = strings.ToValidUTF8(rapid.String().Draw(rt, "text"), "")
		d.Messages[4].ThinkingBlocks = []json.RawMessage{json.RawMessage(`{"type":"thinking","signature":"a+/=é😀 \\u00e9 \n"}`)}
		d.Messages[4].Synthetic = rapid.Bool().Draw(rt, "flag")
		if err := d.Save(p, time.Now()); err != nil {
			rt.Fatal(err)
		}
		got, err := document.Read(p)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(d.Messages, got.Messages); diff != "" || got.Title != strings.ToValidUTF8(d.Title, "\ufffd") || got.SessionID != d.SessionID {
			rt.Fatalf("title %q and %q (-want +got):\n%s", d.Title, got.Title, diff)
		}
	})
}

func TestAnEndlessFileIsNotRead(t *testing.T) {
	path := t.TempDir() + "/s.json"
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<40), f.Close()); err != nil { // it takes no room on the disk
		t.Skip("no sparse files here: ", err)
	}
	if _, err := document.Read(path); err == nil || !strings.Contains(err.Error(), "more than 256 MB") {
		t.Errorf("%v", err)
	}
}

func TestTitlesAndFirstWords(t *testing.T) {
	long := "please train a classifier of satellite images on my laptop over night"
	d := document.Document{Messages: []llm.Message{
		{Role: llm.System, Text: "s"}, {Role: llm.User, Text: "[SYSTEM: x]", Synthetic: true}, {Role: llm.User, Text: " \n"}, {Role: llm.User, Text: long + "\n\nFile a.md: …"},
	}}
	if got := d.First(); got != long+" File a.md: …" {
		t.Errorf("%q", got)
	}
	d.Said = []event.Said{{}, {Shown: long}}
	if d.First() != long || d.Texts()[3] != long || d.Texts()[0] != "s" {
		t.Errorf("%q", d.Texts())
	}
	if got := d.Name(); got != "please train a classifier of satellite images on my laptop…" {
		t.Errorf("%q", got)
	}
	if document.Given(d.Name(), d.First()) || document.Given("", "x") || !document.Given("Satellites", d.First()) || !document.Given("x", "") {
		t.Error("a made title is one that was given")
	}
	if got := document.Shorten(strings.Repeat("ü", 100)); got != strings.Repeat("ü", 71)+"…" {
		t.Errorf("%q", got)
	}
}

func TestSaveLeavesNoTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	if err := example().Save(dir+"/none/\x00.json", time.Now()); err == nil {
		t.Error("an impossible path was written")
	}
}

// FuzzRead holds that no file, however odd, makes reading panic or
// lose count of its messages.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"session_id":"a","user_id":null,"session_start_time":"2026-01-01T09:00:00+01:00","messages":[{"role":"system","content":"sys","tool_calls":null},{"role":"tool","content":"out","tool_call_id":"c1","name":"bash"}],"events":[{"timestamp":"2026-01-01T09:00:01.5+01:00","event_type":"ready","data":null},7],"total_cost_usd":0.42}`))
	f.Add([]byte(`{"messages":[NaN,{"role":"user","content":"NaN \" Infinity"}],"total_cost_usd":-Infinity}`))
	f.Add([]byte(`{"messages":[{"role":"assistant","content":null,"tool_calls":[{"function":{"arguments":{"a":1}}}]}],"events":[{"event_type":"tool_output","data":[]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := t.TempDir() + "/s.json"
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := document.Read(path)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := d.Write(&out, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		back, err := document.Read(path)
		if err != nil || len(back.Messages) != len(d.Messages) || back.Dropped != 0 {
			t.Errorf("read again: %v, %d messages, want %d", err, len(back.Messages), len(d.Messages))
		}
	})
}

func BenchmarkWrite1000Messages(b *testing.B) {
	d := example()
	for i := range 1000 {
		d.Messages = append(d.Messages, llm.Message{Role: llm.User, Text: fmt.Sprint(i, strings.Repeat(" word", 200))})
	}
	for b.Loop() {
		var out bytes.Buffer
		if err := d.Write(&out, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
