package trace_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

func scrubber(held ...string) *redact.Scrubber { return redact.New(redact.Options{Held: held}) }

// Secrets that are known since the session was written are removed at the door.
func TestScrubbedAtTheDoor(t *testing.T) {
	s := newShelf(t)
	token := "hf_" + strings.Repeat("Ab1", 12)
	s.turn(id, "the door opens with open\"sesame and "+token, "fine")
	for _, form := range []string{trace.FormClaude, trace.FormSimple} {
		got, err := trace.Rows(form, trace.MostBytes)(t.Context(), doc(t, s, id), scrubber(`open"sesame`))
		if err != nil {
			t.Fatal(err)
		}
		text := string(got.Bytes)
		if strings.Contains(text, "sesame") || strings.Contains(text, "Ab1Ab1") || !strings.Contains(text, "[REDACTED_HF_TOKEN]") || !strings.Contains(text, "fine") {
			t.Errorf("%s: %s", form, text)
		}
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: no JSON: %s", form, line)
			}
		}
	}
}

// A long session has its outputs shortened, and says so; what people and models
// have said stays.
func TestLargeSessionsAreCut(t *testing.T) {
	s := newShelf(t)
	s.begin(id, "read it all")
	said := "I have read the file, here is what it says: " + strings.Repeat("word ", 1000)
	for i := range 4 {
		call := fmt.Sprint("c", i)
		s.say(id, llm.Message{Role: llm.Assistant, Text: said, ToolCalls: []llm.ToolCall{{ID: call, Name: "read", Arguments: `{"path":"` + strings.Repeat("p", 5000) + `"}`}}})
		s.tell(id, event.ToolOutput{Tool: "read", ToolCallID: call, Output: strings.Repeat("é", 30_000), Success: true})
	}
	whole, err := trace.Rows(trace.FormClaude, trace.MostBytes)(t.Context(), doc(t, s, id), scrubber())
	if err != nil || whole.Cut != 0 || len(whole.Bytes) < 250_000 {
		t.Fatalf("%d bytes, %d cut, %v", len(whole.Bytes), whole.Cut, err)
	}
	for _, most := range []int{240_000, 120_000, 45_000} {
		got, err := trace.Rows(trace.FormClaude, most)(t.Context(), doc(t, s, id), scrubber())
		if err != nil || len(got.Bytes) > most || got.Cut < 4 {
			t.Errorf("%d: %d bytes, %d cut, %v", most, len(got.Bytes), got.Cut, err)
		}
		text := string(got.Bytes)
		if strings.Count(text, said) != 4 || !strings.Contains(text, "characters are left out of this trace") {
			t.Errorf("%d: what was said is cut, or the cut is not told", most)
		}
		if d, err := claude.Read(strings.NewReader(text)); err != nil || len(d.Messages) != 10 {
			t.Errorf("%d: %d messages, %v", most, len(d.Messages), err)
		}
	}
	if _, err := trace.Rows(trace.FormClaude, 20_000)(t.Context(), doc(t, s, id), scrubber()); err == nil || !strings.Contains(err.Error(), "without its long outputs, more than the") {
		t.Errorf("%v", err)
	}
}

// A session that cannot be sent is told of, not tried again and again, until it
// has changed.
func TestTooLargeIsSaid(t *testing.T) {
	w := newWorld(t)
	w.render = trace.Rows(trace.FormClaude, 300)
	w.turn(id, "hi", "hello")
	u := w.open()
	if err := u.Queue().Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: "ann"}, 3); err != nil {
		t.Fatal(err)
	}
	out := u.Send(t.Context(), id, false)[0]
	if out.Err == nil || !strings.Contains(w.item().Error, "more than the 0 MB of an upload") || w.due() != "" || w.item().Status() != trace.Failed || w.attempts() != 0 {
		t.Errorf("%+v, %+v", out, w.item())
	}
	w.render = trace.Rows(trace.FormClaude, trace.MostBytes)
	if err := u.Queue().Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: "ann"}, 4); err != nil {
		t.Fatal(err)
	}
	if out := u.Send(t.Context(), id, false)[0]; !out.Sent || w.item().Error != "" {
		t.Errorf("%+v, %+v", out, w.item())
	}
}

func TestCounters(t *testing.T) {
	s := newShelf(t)
	cost := 0.5
	s.begin(id, "my question")
	s.tell(id, event.LLMCall{Model: "m/x", Kind: llm.KindMain, CostUSD: &cost, Total: 12})
	s.say(id, llm.Message{Role: llm.Assistant, Text: "my answer"})
	salt := t.TempDir() + "/sub/salt"
	row := func(salt, user string) map[string]any {
		t.Helper()
		got, err := trace.Counters(salt, user)(t.Context(), doc(t, s, id), scrubber())
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"my question", "my answer", "ann"} {
			if strings.Contains(string(got.Bytes), word) {
				t.Errorf("%q is in %s", word, got.Bytes)
			}
		}
		var out map[string]any
		if err := json.Unmarshal(got.Bytes, &out); err != nil || strings.Count(string(got.Bytes), "\n") != 1 {
			t.Fatalf("%v: %s", err, got.Bytes)
		}
		return out
	}
	first := row(salt, "ann")
	if first["usage_llm_calls"] != 1.0 || first["usage_total_tokens"] != 12.0 || first["total_cost_usd"] != 0.5 || first["messages"] != "[]" || first["events"] != "[]" || first["tools"] != "[]" {
		t.Errorf("%v", first)
	}
	user := first["user_id"].(string)
	if len(user) != 32 || row(salt, "ann")["user_id"] != user || row(salt, "bob")["user_id"] == user || row(t.TempDir()+"/other", "ann")["user_id"] == user {
		t.Errorf("user %q", user)
	}
	if info, err := os.Stat(salt); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

// The day is that on which the session began, wherever it was begun.
func TestDay(t *testing.T) {
	s := newShelf(t)
	s.turn(id, "hi", "hello")
	d := doc(t, s, id)
	for start, want := range map[string]string{
		"2026-01-02T23:59:59.000Z": "2026-01-02", "2026-01-02T00:30:00+13:00": "2026-01-02", "2026-01-02": "2026-01-02", "": "0001-01-01", "no time at all": "0001-01-01",
	} {
		d.StartTime = start
		got, err := trace.Rows(trace.FormClaude, trace.MostBytes)(t.Context(), d, scrubber())
		if err != nil || got.Day != want {
			t.Errorf("%q: %q, want %q, %v", start, got.Day, want, err)
		}
	}
}

// What stands on the Hub is what the journal has: the same bytes from the same
// journal, whichever process sends it.
func TestTheSameBytesAgain(t *testing.T) {
	s := newShelf(t)
	s.turn(id, "hi", "hello")
	first, err := trace.Rows(trace.FormClaude, trace.MostBytes)(t.Context(), doc(t, s, id), scrubber())
	if err != nil {
		t.Fatal(err)
	}
	again, err := trace.Rows(trace.FormClaude, trace.MostBytes)(t.Context(), doc(t, s, id), scrubber())
	if err != nil || string(again.Bytes) != string(first.Bytes) {
		t.Errorf("%v: %s\n%s", err, first.Bytes, again.Bytes)
	}
}

// BenchmarkRows is what a long session costs at the end of each turn.
func BenchmarkRows(b *testing.B) {
	s := newShelf(b)
	s.begin(id, "read it all")
	for i := range 1000 {
		call := fmt.Sprint("c", i)
		s.say(id, llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: call, Name: "read", Arguments: `{}`}}})
		s.tell(id, event.ToolOutput{Tool: "read", ToolCallID: call, Output: strings.Repeat("some output of a tool\n", 200), Success: true})
	}
	scrub := scrubber("a secret that is held")
	for b.Loop() {
		d, err := trace.Open(s.logs[id])
		if err != nil {
			b.Fatal(err)
		}
		got, err := trace.Rows(trace.FormClaude, trace.MostBytes)(b.Context(), d, scrub)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(got.Bytes)))
	}
}
