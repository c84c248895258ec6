package kpi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/kpi"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

var update = flag.Bool("update", false, "write the golden files anew")

// columns are those of the contract, behind bucket.
const columns = `sessions users turns llm_calls tokens_prompt tokens_completion tokens_cache_read tokens_cache_creation cost_usd
 cost_per_session_mean cost_per_session_p50 cost_per_session_p95 cache_hit_ratio tool_calls_total tool_calls_succeeded
 tool_calls_failed errored_sessions successful_sessions regenerated_sessions tool_success_rate failure_rate regenerate_rate
 time_to_first_action_s_p50 time_to_first_action_s_p95 thumbs_up thumbs_down hf_jobs_submitted hf_jobs_succeeded
 sandboxes_created sandboxes_cpu sandboxes_gpu hf_jobs_blocked pro_cta_clicks pro_conversions credits_topped_up
 gpu_hours_by_flavor_json research_calls sessions_with_research research_calls_per_session_p50 research_calls_per_session_p95
 distinct_tools_per_session_p50 distinct_tools_per_session_p95 tool_calls_per_session_p50 tool_calls_per_session_p95
 tool_calls_per_turn_p50 tool_calls_per_turn_p95 tool_calls_by_name_json sessions_using_tool_json sessions_by_model_json`

type object = map[string]any

// happened is an event of a session.
func happened(at, kind string, data any) object {
	return object{"timestamp": at, "event_type": kind, "data": data}
}

// session is one as files have it.
func session(id, user string, events []object, messages ...object) object {
	return object{
		"session_id": id, "user_id": user, "session_start_time": "2026-04-24T09:59:00", "model_name": "openai/gpt-5.5:fal-ai",
		"events": events, "messages": messages,
	}
}

// parsed is a session as the package takes it.
func parsed(t testing.TB, in object) *trajectory.Session {
	t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		ID       string `json:"session_id"`
		User     string `json:"user_id"`
		Start    string `json:"session_start_time"`
		Model    string `json:"model_name"`
		Messages []json.RawMessage
		Events   []struct {
			At   string          `json:"timestamp"`
			Type event.Type      `json:"event_type"`
			Data json.RawMessage `json:"data"`
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	s := &trajectory.Session{ID: file.ID, User: file.User, Start: file.Start, Model: file.Model, Messages: file.Messages}
	for _, ev := range file.Events {
		s.Events = append(s.Events, event.Event{Time: trajectory.Time(ev.At), Type: ev.Type, Data: ev.Data})
	}
	return s
}

// digests are sessions as a rollup takes them.
func digests(t testing.TB, o kpi.Options, sessions ...object) (out []*kpi.Digest) {
	t.Helper()
	for _, s := range sessions {
		out = append(out, kpi.Read(parsed(t, s), o))
	}
	return out
}

// rolled is the row of a window by its columns; nil where there is none.
func rolled(t testing.TB, w kpi.Window, o kpi.Options, sessions ...object) map[string]string {
	t.Helper()
	return row(w, o, digests(t, o, sessions...))
}

func row(w kpi.Window, o kpi.Options, sessions []*kpi.Digest) map[string]string {
	r := kpi.New(w, o)
	for _, d := range sessions {
		r.Add(d)
	}
	row, ok := r.Row()
	if !ok {
		return nil
	}
	names, values := cells(row.Header()), cells(row.Line("b"))
	out := map[string]string{}
	for i, name := range names {
		out[name] = values[i]
	}
	return out
}

// cells cuts a line of CSV.
func cells(line string) []string {
	var out []string
	for line != "" {
		if line[0] != '"' {
			cell, rest, _ := strings.Cut(line, ",")
			out, line = append(out, cell), rest
			continue
		}
		var cell strings.Builder
		for line = line[1:]; ; line = line[1:] {
			if strings.HasPrefix(line, `""`) {
				line = line[1:]
			} else if line[0] == '"' {
				break
			}
			cell.WriteByte(line[0])
		}
		out, line = append(out, cell.String()), strings.TrimPrefix(line[1:], ",")
	}
	return out
}

func hour(text string) kpi.Window { return kpi.Hour(trajectory.Time(text)) }

// Acceptance check 33: two sessions, and an event that is not of the hour.
func TestCheck33_Rollup(t *testing.T) {
	call := func(prompt, cached int, usd float64) []object {
		return []object{happened("2026-04-24T10:00:00", "llm_call", object{"prompt_tokens": prompt, "cache_read_tokens": cached, "cost_usd": usd})}
	}
	got := rolled(t, hour("2026-04-24T10"+":00"), kpi.Options{}, session("s1", "u1", call(100, 400, 0.5)), session("s2", "u2", call(200, 100, 1.0)))
	for column, want := range map[string]string{
		"cache_hit_ratio": "0.625", "cost_usd": "1.5", "users": "2", "sessions": "2", "tokens_prompt": "300", "tokens_cache_read": "500",
	} {
		if got[column] != want {
			t.Errorf("%s is %s, want %s", column, got[column], want)
		}
	}
	early := session("s3", "u3", []object{happened("2026-04-24T09:45:00", "llm_call", object{"cost_usd": 7})})
	if row := rolled(t, hour("2026-04-24T10:00"), kpi.Options{}, early); row != nil {
		t.Errorf("an event at 09:45 makes a row for 10:00: %v", row)
	}
	if row := rolled(t, hour("2026-04-24T09:00"), kpi.Options{}, early); row["cost_usd"] != "7.0" {
		t.Errorf("%v", row)
	}
	both := session("s3", "u3", []object{happened("2026-04-24T09:45:00", "llm_call", object{"cost_usd": 7}), happened("2026-04-24T10:15:00+00:00", "llm_call", object{"cost_usd": 2})})
	if row := rolled(t, hour("2026-04-24T10:00"), kpi.Options{}, both); row["cost_usd"] != "2.0" || row["llm_calls"] != "1" {
		t.Errorf("%v", row)
	}
}

func TestCheck33_Columns(t *testing.T) {
	r := kpi.New(kpi.Window{}, kpi.Options{Whole: true})
	r.Add(kpi.Read(&trajectory.Session{ID: "s"}, kpi.Options{}))
	row, _ := r.Row()
	if diff := cmp.Diff(append([]string{"bucket"}, strings.Fields(columns)...), strings.Split(row.Header(), ",")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// rich is a session in which everything happens that counts.
func rich() []object {
	at := func(minute, second int) string { return fmt.Sprintf("2026-04-24T10:%02d:%02d", minute, second) }
	return []object{
		session("s1", "ann", []object{
			happened(at(0, 5), "llm_call", object{"prompt_tokens": 1000, "completion_tokens": 50, "cache_read_tokens": 400, "cache_creation_tokens": 10, "cost_usd": 0.0123456}),
			happened(at(1, 0), "tool_call", object{"tool": "research", "tool_call_id": "a", "arguments": object{}}),
			happened(at(1, 1), "tool_call", object{"tool": "bash", "tool_call_id": "sub", "agent_id": "a"}),
			happened(at(1, 2), "tool_output", object{"tool": "bash", "tool_call_id": "sub", "agent_id": "a", "success": false}),
			happened(at(2, 0), "tool_output", object{"tool": "research", "tool_call_id": "a", "success": true}),
			happened(at(3, 0), "tool_state_change", object{"tool": "hf_jobs", "tool_call_id": "b", "state": "approved"}),
			happened(at(3, 1), "hf_job_submit", object{"flavor": "h200x2", "job_id": "j"}),
			happened(at(9, 0), "hf_job_complete", object{"flavor": "h200x2", "final_status": "COMPLETED", "wall_time_s": 1800}),
			happened(at(9, 1), "hf_job_complete", object{"flavor": "cpu-basic", "final_status": "ERROR", "wall_time_s": 90}),
			happened(at(9, 2), "tool_output", object{"tool": "hf_jobs", "tool_call_id": "b", "success": true}),
			happened(at(9, 3), "tool_state_change", object{"tool": "hf_jobs", "tool_call_id": "c", "state": "rejected"}),
			happened(at(9, 4), "tool_output", object{"tool": "hf_jobs", "tool_call_id": "c", "success": false}),
			happened(at(10, 0), "turn_complete", object{}),
			happened(at(11, 0), "feedback", object{"rating": "up"}),
			happened(at(11, 1), "feedback", object{"rating": "down"}),
			happened(at(11, 2), "feedback", object{"rating": "sideways"}),
			happened(at(12, 0), "sandbox_create", object{"hardware": "CPU-basic"}),
			happened(at(12, 1), "sandbox_create", object{"hardware": "t4-small"}),
			happened(at(12, 2), "sandbox_create", object{}),
			happened(at(13, 0), "jobs_access_blocked", object{}),
			happened(at(13, 1), "pro_cta_click", object{"source": "x"}),
			happened(at(13, 2), "pro_conversion", object{}),
			happened(at(13, 3), "credits_topped_up", object{}),
			happened(at(14, 0), "undo_complete", object{"removed": 2}),
			happened(at(15, 0), "error", object{"error": "x"}),
			happened("2026-04-24T11:00:00", "error", object{"error": "of the next hour"}),
		},
			object{"role": "user", "content": "one", "timestamp": at(0, 1)}, object{"role": "user", "content": "[SYSTEM: EMPTY REPLY] go on", "timestamp": at(0, 2)},
			object{"role": "user", "content": "nudge", "synthetic": true, "timestamp": at(0, 3)}, object{"role": "user", "content": "two", "timestamp": at(8, 0)},
			object{"role": "user", "content": "three", "timestamp": "2026-04-24T11:30:00"}),
		session("s2", "", []object{
			happened("2026-04-24T12:00:30+02:00", "tool_call", object{"tool": "bäsh, \"x\"", "tool_call_id": "a"}),
			happened("2026-04-24T10:00:31.5Z", "tool_output", object{"tool_call_id": "a", "success": "true"}),
		}),
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}

func TestGolden(t *testing.T) {
	for name, o := range map[string]kpi.Options{"hour.csv": {}, "hour_compat.csv": {Compat: true}, "whole_compat.csv": {Compat: true, Whole: true}} {
		r := kpi.New(hour("2026-04-24T10:00"), o)
		for _, s := range rich() {
			r.Add(kpi.Read(parsed(t, s), o))
		}
		row, _ := r.Row()
		golden(t, name, row.CSV("2026-04-24T10"))
	}
}

func TestNumbersAreWrittenAsPythonDoes(t *testing.T) {
	for usd, want := range map[float64]string{0: "0.0", 0.5: "0.5", 1: "1.0", 0.00005: "0.0001", 0.00004: "0.0", 123456.78905: "123456.7891", 2.00005: "2.0", 2.00006: "2.0001", -1.5: "-1.5", 1e17: "1e+17"} {
		s := session("s", "u", []object{happened("2026-04-24T10:00:00", "llm_call", object{"cost_usd": usd})})
		if got := rolled(t, hour("2026-04-24T10:00"), kpi.Options{}, s)["cost_usd"]; got != want {
			t.Errorf("%v is written %s, want %s", usd, got, want)
		}
	}
	s := session("s", "u", []object{happened("2026-04-24T10:00:00", "llm_call", object{"cost_usd": 0.00001})})
	if got := rolled(t, hour("2026-04-24T10:00"), kpi.Options{}, s)["cost_per_session_mean"]; got != "1e-05" {
		t.Errorf("written %s", got)
	}
}

// Garbage counts as nothing: upstream stops at it.
func TestGarbageCountsAsNothing(t *testing.T) {
	var events []object
	for _, kind := range []string{"llm_call", "tool_call", "tool_output", "feedback", "hf_job_submit", "hf_job_complete", "sandbox_create", "tool_state_change", "approval_required", "history_message", "nobody knows"} {
		for _, data := range []any{nil, 7, "text", []any{1}, object{
			"prompt_tokens": "many", "cost_usd": true, "cache_read_tokens": object{}, "completion_tokens": 1e300, "success": "yes", "tool": 7, "tool_call_id": []any{},
			"rating": 1, "flavor": 4, "wall_time_s": "long", "final_status": nil, "hardware": 3, "state": object{}, "tools": 4, "message": "x", "agent_id": 7,
		}} {
			events = append(events, happened("2026-04-24T10:00:00", kind, data))
		}
	}
	got := rolled(t, hour("2026-04-24T10:00"), kpi.Options{}, session("s", "u", events, object{"role": 7, "tool_calls": "x"}, object{}))
	for column, want := range map[string]string{
		"llm_calls": "5", "tokens_prompt": "0", "tokens_completion": "0", "tokens_cache_read": "0", "cost_usd": "0.0", "tool_calls_succeeded": "0", "thumbs_up": "0",
		"hf_jobs_succeeded": "0", "gpu_hours_by_flavor_json": `{"unknown": 0.0}`, "tool_calls_by_name_json": "{}", "turns": "0",
	} {
		if got[column] != want {
			t.Errorf("%s is %s, want %s", column, got[column], want)
		}
	}
}

func TestTurnsOfMessagesWithoutTimes(t *testing.T) {
	s := session("s", "u", []object{
		happened("2026-04-24T10:10:00", "turn_complete", object{}), happened("2026-04-24T11:10:00", "interrupted", object{}), happened("2026-04-24T12:10:00", "llm_call", object{}),
	}, object{"role": "user", "content": "1"}, object{"role": "user", "content": "2"}, object{"role": "user", "content": "3"}, object{"role": "user", "content": "4"})
	for at, want := range map[string]string{"2026-04-24T10:00": "1", "2026-04-24T11:00": "1", "2026-04-24T12:00": "2"} {
		if got := rolled(t, hour(at), kpi.Options{}, s)["turns"]; got != want {
			t.Errorf("%s: %s turns, want %s", at, got, want)
		}
		if got := rolled(t, hour(at), kpi.Options{Compat: true}, s)["turns"]; got != "4" {
			t.Errorf("%s: %s turns in the original's way, want 4", at, got)
		}
	}
}

// sessions draws sessions of one day.
func sessions(t *rapid.T) []object {
	at := rapid.Custom(func(t *rapid.T) string {
		form := rapid.SampledFrom([]string{"2006-01-02T15:04:05", "2006-01-02T15:04:05.000000+00:00", "2006-01-02T15:04:05Z"}).Draw(t, "form")
		return time.Date(2026, 4, 24, 0, 0, rapid.IntRange(0, 5*3600).Draw(t, "second"), 0, time.UTC).Format(form)
	})
	id := rapid.SampledFrom([]string{"c1", "c2", "c3"})
	tool := rapid.SampledFrom([]string{"bash", "research", "hf_jobs"})
	one := rapid.Custom(func(t *rapid.T) object {
		kind := rapid.SampledFrom([]string{
			"llm_call", "llm_call", "tool_call", "tool_output", "tool_call", "tool_output", "tool_state_change", "turn_complete", "interrupted", "error", "undo_complete",
			"feedback", "hf_job_submit", "hf_job_complete", "sandbox_create", "jobs_access_blocked", "pro_cta_click", "pro_conversion", "credits_topped_up", "other",
		}).Draw(t, "kind")
		data := object{}
		switch kind {
		case "llm_call":
			data = object{
				"prompt_tokens": rapid.IntRange(0, 5000).Draw(t, "prompt"), "completion_tokens": rapid.IntRange(0, 500).Draw(t, "completion"),
				"cache_read_tokens": rapid.IntRange(0, 5000).Draw(t, "cached"), "cost_usd": float64(rapid.IntRange(0, 999_999).Draw(t, "usd")) / 1e6,
			}
			if rapid.IntRange(0, 5).Draw(t, "odd") == 0 {
				data["cost_usd"] = rapid.SampledFrom([]any{nil, true, "free"}).Draw(t, "garbage")
			}
		case "tool_call", "tool_output", "tool_state_change":
			data = object{
				"tool": tool.Draw(t, "tool"), "tool_call_id": id.Draw(t, "id"), "success": rapid.Bool().Draw(t, "success"),
				"state": rapid.SampledFrom([]string{"approved", "rejected", "running"}).Draw(t, "state"),
			}
			if rapid.IntRange(0, 6).Draw(t, "agent") == 0 {
				data["agent_id"] = "a1"
			}
		case "feedback":
			data["rating"] = rapid.SampledFrom([]string{"up", "down", "x"}).Draw(t, "rating")
		case "hf_job_complete":
			data = object{
				"flavor":       rapid.SampledFrom([]string{"cpu-basic", "t4-small", "a100x4", "h200x8", "l4x4", "rtx-pro-6000x2", "a10g-largex2", "unheard-of"}).Draw(t, "flavor"),
				"final_status": rapid.SampledFrom([]string{"COMPLETED", "error", "Success"}).Draw(t, "status"), "wall_time_s": rapid.IntRange(0, 20000).Draw(t, "wall"),
			}
		case "sandbox_create":
			data["hardware"] = rapid.SampledFrom([]any{"cpu-basic", "t4-small", nil}).Draw(t, "hardware")
		}
		return happened(at.Draw(t, "at"), kind, data)
	})
	said := rapid.Custom(func(t *rapid.T) object {
		m := object{"role": rapid.SampledFrom([]string{"user", "user", "assistant"}).Draw(t, "role"), "content": "x"}
		if m["role"] == "assistant" {
			m["tool_calls"] = []object{{"id": id.Draw(t, "id"), "function": object{"name": tool.Draw(t, "tool"), "arguments": "{}"}}}
		}
		if rapid.Bool().Draw(t, "timed") {
			m["timestamp"] = at.Draw(t, "at")
		}
		if rapid.IntRange(0, 4).Draw(t, "by the program") == 0 {
			m["synthetic"] = true
		}
		return m
	})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) object {
		events := rapid.SliceOfN(one, 0, 12).Draw(t, "events")
		slices.SortStableFunc(events, func(a, b object) int {
			return trajectory.Time(a["timestamp"].(string)).Compare(trajectory.Time(b["timestamp"].(string)))
		})
		s := session(rapid.StringMatching("s[0-9]{6}").Draw(t, "id"), rapid.SampledFrom([]string{"ann", "bob", ""}).Draw(t, "user"), events, rapid.SliceOfN(said, 0, 4).Draw(t, "messages")...)
		s["session_start_time"] = "2026-04-24T00:00:01"
		return s
	}), 0, 8).Draw(t, "sessions")
}

// additive are the columns that may be added up.
var additive = strings.Fields(`turns llm_calls tokens_prompt tokens_completion tokens_cache_read tokens_cache_creation tool_calls_total
 tool_calls_succeeded tool_calls_failed thumbs_up thumbs_down hf_jobs_submitted hf_jobs_succeeded sandboxes_created sandboxes_cpu
 sandboxes_gpu hf_jobs_blocked pro_cta_clicks pro_conversions credits_topped_up research_calls`)

func TestHoursAddUpToTheDay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := digests(t, kpi.Options{}, sessions(rt)...)
		day := kpi.Day(trajectory.Time("2026-04-24"))
		want := row(day, kpi.Options{}, all)
		sums := map[string]int{}
		for at := day.From; at.Before(day.To); at = at.Add(time.Hour) {
			row := row(kpi.Hour(at), kpi.Options{}, all)
			for _, column := range additive {
				n, _ := strconv.Atoi(row[column])
				sums[column] += n
			}
		}
		for _, column := range additive {
			if got, _ := strconv.Atoi(want[column]); got != sums[column] {
				rt.Errorf("%s: %d in the day, %d in its hours", column, got, sums[column])
			}
		}
	})
}

func TestOrderOfSessionsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := kpi.Options{Compat: rapid.Bool().Draw(rt, "compat")}
		all := digests(t, o, sessions(rt)...)
		day := kpi.Day(trajectory.Time("2026-04-24"))
		if diff := cmp.Diff(row(day, o, all), row(day, o, rapid.Permutation(all).Draw(rt, "order"))); diff != "" {
			rt.Errorf("(-one order +the other):\n%s", diff)
		}
	})
}

// The figures are worked out a second time, by a program in another language.
func TestPythonAgrees(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	type job struct {
		From     time.Time `json:"from"`
		To       time.Time `json:"to"`
		Sessions []object  `json:"sessions"`
	}
	jobs := []job{{kpi.Hour(trajectory.Time("2026-04-24T10:00")).From, kpi.Hour(trajectory.Time("2026-04-24T10:00")).To, rich()}}
	rapid.Check(t, func(rt *rapid.T) {
		w := kpi.Hour(trajectory.Time("2026-04-24").Add(time.Duration(rapid.IntRange(0, 4).Draw(rt, "hour")) * time.Hour))
		if rapid.IntRange(0, 3).Draw(rt, "window") == 0 {
			w = kpi.Day(w.From)
		}
		jobs = append(jobs, job{w.From, w.To, sessions(rt)})
	})
	var in bytes.Buffer
	for _, j := range jobs {
		if err := json.NewEncoder(&in).Encode(j); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python, "-I", "testdata/figures.py")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(jobs) {
		t.Fatalf("%d answers for %d questions", len(lines), len(jobs))
	}
	rows := 0
	for i, line := range lines {
		var want [][3]any
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		got := rolled(t, kpi.Window{From: jobs[i].From, To: jobs[i].To}, kpi.Options{}, jobs[i].Sessions...)
		if (got == nil) != (want == nil) {
			t.Errorf("case %d: %v, Python has %s", i, got, line)
		}
		for _, pair := range want {
			rows++
			if column := pair[0].(string); !equal(got[column], pair[1], pair[2]) {
				t.Errorf("case %d, %s: %s, Python has %v", i, column, got[column], pair[1])
			}
		}
	}
	if rows < len(strings.Fields(columns)) {
		t.Errorf("only %d values were compared", rows)
	}
}

// equal compares a cell with a value, which may have to be rounded to some decimals.
func equal(cell string, want, decimals any) bool {
	var got any
	if err := json.Unmarshal([]byte(cell), &got); err != nil {
		return false
	}
	switch want := want.(type) {
	case float64:
		n, ok := got.(float64)
		if d, rounds := decimals.(float64); rounds {
			return ok && math.Abs(n-want) <= 0.5*math.Pow(10, -d)+1e-9
		}
		return ok && n == want
	case map[string]any:
		all, ok := got.(map[string]any)
		if !ok || len(all) != len(want) {
			return false
		}
		for key, n := range want {
			if m, ok := all[key].(float64); !ok || math.Abs(m-n.(float64)) > 1e-9 {
				return false
			}
		}
		return true
	}
	return false
}
