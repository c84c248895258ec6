package row_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/row"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func session(t testing.TB) document.Document {
	t.Helper()
	user, cost := "ann", 0.25
	d := document.Document{
		SessionID: "s-1", UserID: &user, StartTime: "2026-01-02T03:04:05Z", Model: "m/x",
		Messages: []llm.Message{{Role: llm.User, Text: "hello <there>"}, {Role: llm.Assistant, Text: "hi"}},
		Tools:    []json.RawMessage{json.RawMessage(`{"type":"function","function":{"name":"bash"}}`)},
	}
	for i, p := range []event.Payload{
		event.LLMCall{Model: "m/x", Kind: llm.KindMain, CostUSD: &cost, Prompt: 10, Completion: 2, Total: 12},
		event.TurnComplete{HistorySize: 2},
	} {
		ev, err := event.New(d.SessionID, "turn_1", time.Date(2026, 1, 2, 3, 5, i, 0, time.UTC), p)
		if err != nil {
			t.Fatal(err)
		}
		d.Events = append(d.Events, ev)
	}
	return d
}

func TestColumns(t *testing.T) {
	r, err := row.New(session(t))
	if err != nil {
		t.Fatal(err)
	}
	line, err := r.Line()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(line)))
	var got []string
	for depth := 0; ; {
		tok, err := dec.Token()
		if err != nil {
			break
		}
		if tok == json.Delim('{') {
			depth++
			continue
		}
		if key, ok := tok.(string); ok && depth == 1 {
			got = append(got, key)
			if _, err := dec.Token(); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := strings.Fields(`session_id user_id session_start_time session_end_time model_name total_cost_usd messages events tools
		usage_metrics usage_total_usd usage_total_usd_source usage_app_total_usd usage_hf_billing_total_usd usage_llm_calls
		usage_total_tokens usage_hf_job_submits usage_hf_job_status_snapshots usage_sandbox_creates usage_sandbox_pairs`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r.EndTime != "2026-01-02T03:05:01Z" || *r.TotalCostUSD != 0.25 || r.LLMCalls != 1 || r.TotalTokens != 12 {
		t.Errorf("%+v", r)
	}
}

func TestRoundTrip(t *testing.T) {
	want := session(t)
	r, err := row.New(want)
	if err != nil {
		t.Fatal(err)
	}
	line, err := r.Line()
	if err != nil {
		t.Fatal(err)
	}
	got, sums, err := row.Document(line)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Messages, got.Messages); diff != "" || got.SessionID != "s-1" || *got.UserID != "ann" || len(got.Tools) != 1 {
		t.Errorf("%+v (-want +got):\n%s", got, diff)
	}
	if len(got.Events) != 2 || got.Events[0].Type != event.TypeLLMCall || !got.Events[1].Time.Equal(want.Events[1].Time) {
		t.Errorf("%v", got.Events)
	}
	if sums.LLM.Calls != 1 || sums.App.InferenceUSD != 0.25 {
		t.Errorf("%+v", sums)
	}
}

func TestCountersSayNothing(t *testing.T) {
	r, err := row.New(session(t))
	if err != nil {
		t.Fatal(err)
	}
	line, err := r.Counters("u-5").Line()
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"hello", "ann", "bash"} {
		if strings.Contains(string(line), word) {
			t.Errorf("%q is in %s", word, line)
		}
	}
	if !strings.Contains(string(line), `"user_id":"u-5"`) || !strings.Contains(string(line), `"messages":"[]","events":"[]","tools":"[]"`) ||
		!strings.Contains(string(line), `"usage_total_tokens":12`) {
		t.Errorf("%s", line)
	}
}

func TestBadColumnsCountAsEmpty(t *testing.T) {
	d, sums, err := row.Document([]byte(`{"session_id":"x","messages":"no json","events":7,"tools":{"a":1},"usage_metrics":"[]"}`))
	if err != nil || d.SessionID != "x" || len(d.Messages)+len(d.Events)+len(d.Tools) != 0 || sums.Version != 1 {
		t.Errorf("%+v %+v %v", d, sums, err)
	}
	if _, _, err := row.Document([]byte(`[]`)); err == nil {
		t.Error("a list is a row")
	}
	// The original's, whose lists are no text.
	d, _, err = row.Document([]byte(`{"messages":[{"role":"user","content":"q"}],"events":null}`))
	if err != nil || len(d.Messages) != 1 {
		t.Errorf("%+v %v", d, err)
	}
}

// FuzzDocument holds that no line makes reading panic, and that what was read
// is a row again.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"session_id":"x","messages":"[{\"role\":\"user\",\"content\":\"q\"}]","events":"[]","tools":"[]","usage_metrics":"{\"version\":1}"}`))
	f.Add([]byte(`{"messages":[null,7],"events":"[{\"event_type\":\"llm_call\",\"data\":{\"cost_usd\":1e999}}]"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		d, _, err := row.Document(line)
		if err != nil {
			return
		}
		r, err := row.New(d)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := r.Line()
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := row.Document(raw)
		if err != nil || len(back.Messages) != len(d.Messages) || len(back.Events) != len(d.Events) {
			t.Errorf("%d messages became %d: %v", len(d.Messages), len(back.Messages), err)
		}
	})
}
