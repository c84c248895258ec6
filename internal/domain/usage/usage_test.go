package usage_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// at makes an event from its raw data, s seconds after the start; a negative s
// leaves it without a time.
func at(s int, kind event.Type, data string) event.Event {
	ev := event.Event{Type: kind, Data: json.RawMessage(data)}
	if s >= 0 {
		ev.Time = start.Add(time.Duration(s) * time.Second)
	}
	return ev
}

func call(data string) event.Event { return at(0, event.TypeLLMCall, data) }

// keys lists the members of an object and of the objects in it.
func keys(prefix string, v any) []string {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(object)) {
		out = append(out, prefix+k)
		out = append(out, keys(prefix+k+".", object[k])...)
	}
	return out
}

func TestKeys(t *testing.T) {
	billing := usage.Billing{Source: "hub", Available: true, Session: &usage.Window{}}
	raw, err := json.Marshal(usage.Metrics("s", nil).WithBilling(billing))
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`app_telemetry app_telemetry.cache_creation_tokens app_telemetry.cache_read_tokens
		app_telemetry.completion_tokens app_telemetry.hf_jobs_billable_seconds_estimate app_telemetry.hf_jobs_count
		app_telemetry.hf_jobs_estimated_usd app_telemetry.inference_usd app_telemetry.llm_calls app_telemetry.prompt_tokens
		app_telemetry.sandbox_billable_seconds_estimate app_telemetry.sandbox_count app_telemetry.sandbox_estimated_usd
		app_telemetry.session_id app_telemetry.total_tokens app_telemetry.total_usd app_total_usd billing_scope
		data_quality data_quality.event_count data_quality.events_without_timestamp data_quality.job_snapshots_missing_estimated_cost
		data_quality.job_snapshots_with_estimated_cost data_quality.llm_calls_with_cost_usd
		data_quality.llm_calls_with_nonzero_cost_usd
		hf_billing hf_billing.available hf_billing.current_session hf_billing.current_session.hf_jobs_minutes
		hf_billing.current_session.hf_jobs_usd hf_billing.current_session.inference_provider_requests
		hf_billing.current_session.inference_providers_usd hf_billing.current_session.timezone
		hf_billing.current_session.total_usd hf_billing.current_session.window_end hf_billing.current_session.window_start
		hf_billing.error hf_billing.source hf_billing_total_usd
		hf_jobs hf_jobs.billable_seconds_estimate hf_jobs.estimated_usd hf_jobs.flavors
		hf_jobs.snapshots_with_estimated_cost hf_jobs.snapshots_with_nonzero_estimated_cost hf_jobs.status_snapshot_flavors
		hf_jobs.status_snapshots hf_jobs.statuses hf_jobs.submit_flavors hf_jobs.submits
		llm llm.cache_creation_tokens llm.cache_read_tokens llm.calls llm.calls_by_kind llm.calls_by_model
		llm.completion_tokens llm.prompt_tokens llm.total_tokens
		sandboxes sandboxes.billable_seconds_estimate sandboxes.creates sandboxes.destroys sandboxes.estimated_usd
		sandboxes.hardware sandboxes.matched_pairs sandboxes.unpaired_creates sandboxes.unpaired_destroys
		session_id total_usd total_usd_source turns turns.assistant_stream_end_count turns.turn_complete_count version`)
	if diff := cmp.Diff(want, keys("", got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEmpty(t *testing.T) {
	raw, err := json.Marshal(usage.Metrics("s", nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"version":1`, `"session_id":"s"`, `"billing_scope":"account_window_delta"`, `"hf_billing_total_usd":null`, `"hf_billing":null`,
		`"total_usd_source":"app_telemetry_fallback"`, `"calls_by_kind":{}`, `"statuses":{}`, `"hardware":{}`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is missing in %s", want, raw)
		}
	}
}

func TestCalls(t *testing.T) {
	s := usage.Metrics("s", []event.Event{
		call(`{"model":"a","kind":"main","cost_usd":0.1000004,"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,"cache_read_tokens":60}`),
		call(`{"model":"a","kind":"research","cost_usd":0,"prompt_tokens":50,"completion_tokens":5,"cache_read_tokens":40,"cache_creation_tokens":3}`),
		call(`{"cost_usd":null,"prompt_tokens":1}`),
		at(1, event.TypeTurnComplete, `{}`), at(2, event.TypeStreamEnd, `{}`), at(-1, event.TypeReady, `{}`),
	})
	want := usage.LLM{
		Calls: 3, ByKind: map[string]int{"main": 1, "research": 1, "unknown": 1}, ByModel: map[string]int{"a": 2, "unknown": 1},
		Prompt: 151, Completion: 15, CacheRead: 100, CacheCreation: 3,
		Total: 110 + 55 + 1, // cached tokens are part of the prompt
	}
	if diff := cmp.Diff(want, s.LLM); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.TotalUSD != 0.1 || s.AppTotalUSD != 0.1 || s.App.InferenceUSD != 0.1 || !s.CostIncomplete {
		t.Errorf("totals are %+v", s)
	}
	if diff := cmp.Diff(usage.Quality{Events: 6, WithoutTime: 1, CallsWithCost: 2, CallsCostNotZero: 1}, s.Quality); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Turns != (usage.Turns{Complete: 1, StreamEnds: 1}) {
		t.Errorf("turns are %+v", s.Turns)
	}
}

func TestGarbageCountsAsNothing(t *testing.T) {
	for _, data := range []string{
		`{"cost_usd":true,"prompt_tokens":true,"completion_tokens":"7","total_tokens":[1],"kind":3,"model":""}`,
		`{"cost_usd":"NaN","prompt_tokens":{},"cache_read_tokens":"Infinity","total_tokens":1e300}`,
		`[]`, `"x"`, `null`, `NaN`, `{`, ``,
	} {
		s := usage.Metrics("s", []event.Event{
			call(data), at(0, event.TypeJobSubmit, data), at(0, event.TypeJobComplete, data),
			at(0, event.TypeSandboxCreate, data), at(0, event.TypeSandboxDestroy, data),
		})
		if s.TotalUSD != 0 || s.LLM.Total != 0 || s.LLM.Prompt != 0 || s.Quality.CallsWithCost != 0 || s.Jobs.BillableSeconds != 0 {
			t.Errorf("%s: %+v", data, s)
		}
		if s.LLM.ByKind["unknown"] != 1 || s.LLM.ByModel["unknown"] != 1 || s.Jobs.Flavors["unknown"] != 2 || s.Jobs.Statuses["unknown"] != 1 || s.Sandboxes.Hardware["cpu-basic"] != 1 {
			t.Errorf("%s: labels %+v %+v %+v", data, s.LLM, s.Jobs, s.Sandboxes)
		}
		if _, err := json.Marshal(s); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestJobs(t *testing.T) {
	s := usage.Metrics("s", []event.Event{
		at(0, event.TypeJobSubmit, `{"job_id":"1","flavor":"t4-small"}`),
		at(1, event.TypeJobSubmit, `{"job_id":"2","flavor":"a100-large"}`),
		at(2, event.TypeJobComplete, `{"job_id":"1","flavor":"t4-small","final_status":"RUNNING","estimated_cost_usd":0.1,"billable_seconds_estimate":60}`),
		at(3, event.TypeJobComplete, `{"job_id":"1","flavor":"t4-small","final_status":"COMPLETED","estimated_cost_usd":0.25,"billable_seconds_estimate":120}`),
		at(4, event.TypeJobComplete, `{"job_id":"3","flavor":"cpu-basic","final_status":"ERROR","estimated_cost_usd":null,"billable_seconds_estimate":30.5}`),
	})
	got, err := json.Marshal(s.Jobs)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"submits":2,"status_snapshots":3,"statuses":{"COMPLETED":1,"ERROR":1,"RUNNING":1},` +
		`"flavors":{"a100-large":1,"cpu-basic":1,"t4-small":1},"submit_flavors":{"a100-large":1,"t4-small":1},` +
		`"status_snapshot_flavors":{"cpu-basic":1,"t4-small":2},"estimated_usd":0.25,"billable_seconds_estimate":150.5,` +
		`"snapshots_with_estimated_cost":2,"snapshots_with_nonzero_estimated_cost":2}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s.Quality.JobsWithCost != 2 || s.Quality.JobsMissingAmount != 1 || !s.CostIncomplete || s.App.Jobs != 2 || s.App.TotalUSD != 0.25 {
		t.Errorf("%+v %+v", s.Quality, s.App)
	}
}

func TestSandboxPairs(t *testing.T) {
	s := usage.Metrics("s", []event.Event{
		at(100, event.TypeSandboxDestroy, `{"sandbox_id":"a","estimated_cost_usd":0.5}`), // out of order: the log was merged
		at(0, event.TypeSandboxCreate, `{"sandbox_id":"a","hardware":"t4-small","create_latency_s":1000}`),
		at(40, event.TypeSandboxCreate, `{"sandbox_id":"a","create_latency_s":5}`),
		at(200, event.TypeSandboxDestroy, `{"sandbox_id":"a","lifetime_s":7,"estimated_cost_usd":0.25}`),
		at(300, event.TypeSandboxDestroy, `{"sandbox_id":"b","lifetime_s":9}`),
		at(400, event.TypeSandboxCreate, `{"sandbox_id":"c"}`),
	})
	want := `{"creates":3,"destroys":3,"matched_pairs":2,"unpaired_creates":1,"unpaired_destroys":1,` +
		`"hardware":{"cpu-basic":2,"t4-small":1},"estimated_usd":0.75,"billable_seconds_estimate":72}` // 60 + 5, then 7
	if got, err := json.Marshal(s.Sandboxes); err != nil || string(got) != want {
		t.Errorf("got\n%s, %v\nwant\n%s", got, err, want)
	}
	early := usage.Metrics("s", []event.Event{at(5, event.TypeSandboxCreate, `{"create_latency_s":-60}`), at(6, event.TypeSandboxDestroy, `{}`)})
	if early.Sandboxes.BillableSeconds != 0 {
		t.Errorf("a negative lifetime counts as %v", early.Sandboxes.BillableSeconds)
	}
}

func TestBilling(t *testing.T) {
	s := usage.Metrics("s", []event.Event{
		call(`{"cost_usd":0.5}`), at(1, event.TypeSandboxDestroy, `{"estimated_cost_usd":0.25}`),
	})
	if got := s.WithBilling(usage.Billing{Available: false}); got.TotalUSD != 0.75 || got.TotalUSDSource != usage.SourceApp || got.BillingUSD != nil {
		t.Errorf("without a bill: %+v", got)
	}
	got := s.WithBilling(usage.Billing{Available: true, Session: &usage.Window{TotalUSD: 2}})
	if got.TotalUSD != 2.25 || got.TotalUSDSource != usage.SourceBilling || *got.BillingUSD != 2 || got.AppTotalUSD != 0.75 {
		t.Errorf("with a bill: %+v", got)
	}
	raw, err := json.Marshal(got.Scalars())
	want := `{"usage_total_usd":2.25,"usage_total_usd_source":"hf_billing_plus_sandbox_estimate","usage_app_total_usd":0.75,` +
		`"usage_hf_billing_total_usd":2,"usage_llm_calls":1,"usage_total_tokens":0,"usage_hf_job_submits":0,` +
		`"usage_hf_job_status_snapshots":0,"usage_sandbox_creates":0,"usage_sandbox_pairs":0}`
	if err != nil || string(raw) != want {
		t.Errorf("got\n%s, %v\nwant\n%s", raw, err, want)
	}
}

// What a Meter says at any time is what Metrics says of the events so far.
func TestMeterAgreesWithMetrics(t *testing.T) {
	kinds := []event.Type{
		event.TypeLLMCall, event.TypeTurnComplete, event.TypeStreamEnd, event.TypeJobSubmit, event.TypeJobComplete,
		event.TypeSandboxCreate, event.TypeSandboxDestroy, event.TypeToolCall,
	}
	data := []string{
		`{}`, `7`, `{"cost_usd":0.25,"kind":"main","model":"m","prompt_tokens":5,"completion_tokens":2}`, `{"cost_usd":null}`,
		`{"job_id":"a","flavor":"t4","final_status":"done","estimated_cost_usd":0.5,"billable_seconds_estimate":9}`,
		`{"job_id":"b","estimated_cost_usd":0}`, `{"sandbox_id":"a","hardware":"t4","estimated_cost_usd":0.125,"create_latency_s":3}`,
		`{"sandbox_id":"b","lifetime_s":60}`,
	}
	rapid.Check(t, func(rt *rapid.T) {
		var (
			meter  usage.Meter
			events []event.Event
		)
		for range rapid.IntRange(0, 40).Draw(rt, "events") {
			ev := event.Event{Type: rapid.SampledFrom(kinds).Draw(rt, "type"), Data: json.RawMessage(rapid.SampledFrom(data).Draw(rt, "data"))}
			if s := rapid.IntRange(0, 100).Draw(rt, "second"); s > 0 { // not always in order, not always known
				ev.Time = time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC)
			}
			events = append(events, ev)
			meter.Add(ev)
			if !rapid.Bool().Draw(rt, "ask") {
				continue
			}
			want, got := usage.Metrics("s", events), meter.Summary("s")
			if !reflect.DeepEqual(want, got) {
				rt.Fatalf("after %d events %+v, want %+v", len(events), got, want)
			}
			got.LLM.ByKind["main"], got.Jobs.Flavors["t4"] = 99, 99 // the caller's own
		}
	})
}

func TestParse(t *testing.T) {
	raw, err := json.Marshal(usage.Metrics("s", []event.Event{call(`{"model":"m","cost_usd":2}`)}))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := usage.Parse(raw); !ok || s.LLM.Calls != 1 || s.App.InferenceUSD != 2 {
		t.Errorf("%+v %v", s, ok)
	}
	for _, bad := range []string{``, `null`, `[]`, `7`, `{}`, `{"version":2}`, `{"version":"1"}`} {
		if s, ok := usage.Parse([]byte(bad)); ok || s.Version != 0 {
			t.Errorf("%s is a summary: %+v", bad, s)
		}
	}
}
