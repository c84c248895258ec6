package exports_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/download"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/app/exports"
	"github.com/ml-intern/ml-intern/internal/app/exports/source"
	"github.com/ml-intern/ml-intern/internal/app/exports/target"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/lab/anonymous"
	"github.com/ml-intern/ml-intern/internal/lab/chatdata"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// list is a source of sessions at hand; nil is one that cannot be read.
type list []*trajectory.Session

func (l list) String() string { return "a list" }

func (l list) Sessions(_ context.Context, _ source.Wanted) iter.Seq2[source.Found, error] {
	return func(yield func(source.Found, error) bool) {
		for i, s := range l {
			if s == nil {
				if !yield(source.Found{}, &source.BadError{Name: fmt.Sprint("number ", i), Err: errors.New("torn")}) {
					return
				}
				continue
			}
			if !yield(source.Found{Session: s, Day: s.Day()}, nil) {
				return
			}
		}
	}
}

func at(minute int) time.Time { return time.Date(2026, 4, 24, 10, minute, 0, 0, time.UTC) }

func session(id string, messages ...string) *trajectory.Session {
	s := &trajectory.Session{
		ID: id, User: "ann", Model: "openai/gpt-5.5", Start: "2026-04-24T10:00:00Z",
		Events: []event.Event{
			{Time: at(1), Type: event.TypeLLMCall, Data: []byte(`{"prompt_tokens":10,"cost_usd":0.5}`)},
			{Time: at(2), Type: event.TypeTurnComplete, Data: []byte(`{}`)},
		},
		Tools: []json.RawMessage{[]byte(`{"type":"function","function":{"name":"bash"}}`)},
	}
	for _, m := range append([]string{`{"role":"user","content":"hi"}`, `{"role":"assistant","content":"hello"}`}, messages...) {
		s.Messages = append(s.Messages, json.RawMessage(m))
	}
	return s
}

// options export a list to a folder.
func options(t testing.TB, from source.Source) (exports.Options, string) {
	t.Helper()
	dir := t.TempDir()
	return exports.Options{Source: from, Target: target.Folder{Dir: dir}, Scrubber: redact.New(redact.Options{Held: []string{"held-secret-value"}})}, dir
}

// files are the files below a folder with their contents.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func names(of map[string]string) []string {
	var out []string
	for name := range of {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func TestTraining(t *testing.T) {
	failed := session("failed")
	failed.Events = append(failed.Events, event.Event{Time: at(3), Type: event.TypeError, Data: []byte(`{}`)})
	jobs := session("jobs", `{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"hf_jobs","arguments":"{}"}}]}`)
	nameless := session("")
	from := list{session("good"), failed, nil, jobs, nameless}
	for name, c := range map[string]struct {
		training exports.Training
		want     []string
		sum      exports.Summary
	}{
		"everything":   {exports.Training{Format: chatdata.SFT}, []string{"sft/2026-04-24/failed.jsonl", "sft/2026-04-24/good.jsonl", "sft/2026-04-24/jobs.jsonl"}, exports.Summary{Read: 4, Bad: 1, LeftOut: 1, Written: 3}},
		"by outcome":   {exports.Training{Format: chatdata.ChatML, Outcome: "interrupted"}, []string{"chatml/2026-04-24/good.jsonl", "chatml/2026-04-24/jobs.jsonl"}, exports.Summary{Read: 4, Bad: 1, LeftOut: 2, Written: 2}},
		"by the least": {exports.Training{Format: chatdata.SFT, Outcome: "errored"}, []string{"sft/2026-04-24/failed.jsonl", "sft/2026-04-24/good.jsonl", "sft/2026-04-24/jobs.jsonl"}, exports.Summary{Read: 4, Bad: 1, LeftOut: 1, Written: 3}},
		"by tags":      {exports.Training{Format: chatdata.ShareGPT, Tags: []string{"tool:hf_jobs", "model:gpt"}}, []string{"sharegpt/2026-04-24/jobs.jsonl"}, exports.Summary{Read: 4, Bad: 1, LeftOut: 3, Written: 1}},
		"nothing fits": {exports.Training{Format: chatdata.SFT, Tags: []string{"tool:none"}}, nil, exports.Summary{Read: 4, Bad: 1, LeftOut: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			o, dir := options(t, from)
			var warned []string
			o.Warn = func(line string) { warned = append(warned, line) }
			sum, err := c.training.Sessions(t.Context(), o)
			if err != nil || sum != c.sum {
				t.Errorf("%+v, %v, want %+v", sum, err, c.sum)
			}
			if diff := cmp.Diff(c.want, names(files(t, dir))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"read session number 2: torn"}, warned); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if again, err := c.training.Sessions(t.Context(), o); err != nil || again.Written != 0 || again.Unchanged != c.sum.Written {
				t.Errorf("once more: %+v, %v", again, err)
			}
		})
	}
}

// An id from outside stays a name of one file.
func TestHostileIDs(t *testing.T) {
	for _, id := range []string{"../../etc/passwd", "a/b", `c:\x`, "..", ".hidden", "a\nb", "\x00", strings.Repeat("x", 5000), "ünï", "con:1", "-rf"} {
		o, dir := options(t, list{session(id)})
		if _, err := (exports.Training{Format: chatdata.SFT}).Sessions(t.Context(), o); err != nil {
			t.Errorf("%q: %v", id, err)
			continue
		}
		all := names(files(t, dir))
		if len(all) != 1 || filepath.Dir(all[0]) != "sft/2026-04-24" || strings.ContainsAny(filepath.Base(all[0]), "/\\\n\x00:") || len(all[0]) > 200 || strings.HasPrefix(filepath.Base(all[0]), ".") || strings.HasPrefix(filepath.Base(all[0]), "-") {
			t.Errorf("%.40q becomes %q", id, all)
		}
	}
	o, dir := options(t, list{session("a/b"), session("a_b"), session("a:b")})
	if _, err := (exports.Training{Format: chatdata.SFT}).Sessions(t.Context(), o); err != nil || len(files(t, dir)) != 3 {
		t.Errorf("%v: %v", names(files(t, dir)), err)
	}
}

func TestRedaction(t *testing.T) {
	hostile := session("s",
		`{"role":"user","content":"my token is hf_abcdefghijklmnopqrstuvwxyzABCDEFGH, held-secret-value; mail ann.smith@example.com, on workhorse, /home/smith/x, from 93.184.216.34"}`,
		`{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"bash","arguments":"{\"command\":\"cd /home/smith\\nls ann/data; export HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyzABCDEFGH\"}"}}]}`)
	secret := []string{"hf_abcdefghij", "held-secret-value"}
	personal := []string{"ann", "smith", "workhorse", "93.184", "example.com"}
	for name, do := range map[string]func(o exports.Options) (exports.Summary, error){
		"sft": func(o exports.Options) (exports.Summary, error) {
			return exports.Training{Format: chatdata.SFT}.Sessions(t.Context(), o)
		},
		"sharegpt": func(o exports.Options) (exports.Summary, error) {
			return exports.Training{Format: chatdata.ShareGPT}.Sessions(t.Context(), o)
		},
		"rows": func(o exports.Options) (exports.Summary, error) { return exports.Rows{}.Sessions(t.Context(), o) },
	} {
		for _, strict := range []bool{false, true} {
			o, dir := options(t, list{hostile})
			o.Strict, o.Names = strict, anonymous.Names{Hosts: []string{"workhorse.example.org"}}
			if _, err := do(o); err != nil {
				t.Fatal(err)
			}
			for path, text := range files(t, dir) {
				for _, word := range secret {
					if strings.Contains(text, word) {
						t.Errorf("%s, strict %v: %q is in %s: %s", name, strict, word, path, text)
					}
				}
				for _, word := range personal {
					if strings.Contains(text, word) == strict {
						t.Errorf("%s, strict %v: %q is in it: %v: %s", name, strict, word, !strict, text)
					}
				}
				if !json.Valid([]byte(text)) {
					t.Errorf("%s is no JSON: %s", name, text)
				}
			}
		}
	}
}

func TestRows(t *testing.T) {
	given := session("given")
	given.Usage = []byte(`{"version":1,"session_id":"given","total_usd":9.5,"hf_billing_total_usd":9,"hf_jobs":{"submits":3}}`)
	given.Events = append(given.Events, event.Event{Time: at(3), Type: event.TypeHistoryMessage, Data: []byte(`{}`)})
	o, dir := options(t, list{session("counted"), given})
	sum, err := exports.Rows{}.Sessions(t.Context(), o)
	if err != nil || sum.Written != 2 {
		t.Fatalf("%+v, %v", sum, err)
	}
	type columns struct {
		User     string  `json:"user_id"`
		Start    string  `json:"session_start_time"`
		Cost     float64 `json:"total_cost_usd"`
		Messages string  `json:"messages"`
		Events   string  `json:"events"`
		Tools    string  `json:"tools"`
		Total    float64 `json:"usage_total_usd"`
		Calls    int     `json:"usage_llm_calls"`
		Jobs     int     `json:"usage_hf_job_submits"`
		Billing  float64 `json:"usage_hf_billing_total_usd"`
	}
	read := func(name string) (c columns) {
		if err := json.Unmarshal([]byte(files(t, dir)["sessions/2026-04-24/"+name+".jsonl"]), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := read("counted"); c.User != "ann" || c.Cost != 0.5 || c.Total != 0.5 || c.Calls != 1 || !strings.Contains(c.Messages, `"hello"`) || !strings.Contains(c.Events, "llm_call") || c.Start != "2026-04-24T10:00:00Z" || c.Tools == "[]" {
		t.Errorf("%+v", c)
	}
	if c := read("given"); c.Total != 9.5 || c.Jobs != 3 || c.Billing != 9 || strings.Contains(c.Events, "history_message") {
		t.Errorf("the sums that came with it: %+v", c)
	}
}

// Counters are what shared telemetry would send, and nothing that was said.
func TestCounters(t *testing.T) {
	silent := &trajectory.Session{ID: "silent", Start: "2026-04-24T10:00:00Z", Messages: []json.RawMessage{[]byte(`{"role":"user","content":"hi"}`)}}
	o, dir := options(t, list{session("s"), silent})
	salt := filepath.Join(t.TempDir(), "salt")
	rows := exports.Rows{Counters: func(user string) trace.Render { return trace.Counters(salt, user) }}
	sum, err := rows.Sessions(t.Context(), o)
	if err != nil || sum.Written != 1 || sum.LeftOut != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	text := files(t, dir)["sessions/2026-04-24/s.jsonl"]
	var c struct {
		User     string `json:"user_id"`
		Messages string `json:"messages"`
		Calls    int    `json:"usage_llm_calls"`
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil || c.Messages != "[]" || len(c.User) != 32 || c.Calls != 1 || strings.Contains(text, "hello") || strings.Contains(text, `"ann"`) {
		t.Errorf("%v: %s", err, text)
	}
}

func TestKPIs(t *testing.T) {
	late := session("late")
	late.Start = "2026-04-23T23:00:00Z"
	late.Events = []event.Event{{Time: at(59), Type: event.TypeLLMCall, Data: []byte(`{"cost_usd":2}`)}, {Time: at(60), Type: event.TypeLLMCall, Data: []byte(`{"cost_usd":4}`)}}
	o, dir := options(t, list{session("s"), late, nil})
	buckets := []exports.Bucket{exports.HourOf(at(60)), exports.HourOf(at(0)), exports.HourOf(at(-60)), exports.DayOf(at(0))}
	sum, err := exports.KPIs(t.Context(), o, buckets)
	if err != nil || sum != (exports.Summary{Read: 2, Bad: 1, Written: 3}) {
		t.Errorf("%+v, %v", sum, err)
	}
	all := files(t, dir)
	if diff := cmp.Diff([]string{"daily/2026-04-24.csv", "hourly/2026-04-24/10.csv", "hourly/2026-04-24/11.csv"}, names(all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for path, begin := range map[string]string{"daily/2026-04-24.csv": "2026-04-24,2,1,2,3,", "hourly/2026-04-24/10.csv": "2026-04-24T10,2,1,1,2,", "hourly/2026-04-24/11.csv": "2026-04-24T11,1,1,1,1,"} {
		header, line, _ := strings.Cut(all[path], "\n")
		if !strings.HasPrefix(header, "bucket,sessions,users,turns,llm_calls,") || !strings.HasPrefix(line, begin) {
			t.Errorf("%s: %s, want %s…", path, line, begin)
		}
	}
	if again, err := exports.KPIs(t.Context(), o, buckets); err != nil || again.Written != 0 || again.Unchanged != 3 {
		t.Errorf("once more: %+v, %v", again, err)
	}
	o.Compat = true // the daily file of the original takes sessions as a whole
	if _, err := exports.KPIs(t.Context(), o, []exports.Bucket{exports.DayOf(at(0))}); err != nil || !strings.Contains(files(t, dir)["daily/2026-04-24.csv"], "\n2026-04-24,2,1,2,3,") {
		t.Errorf("%v: %s", err, files(t, dir)["daily/2026-04-24.csv"])
	}
}

func TestStreamHasItsColumnsOnce(t *testing.T) {
	var out strings.Builder
	o, _ := options(t, list{session("s")})
	o.Target = &target.Stream{To: &out, Columns: true}
	if _, err := exports.KPIs(t.Context(), o, []exports.Bucket{exports.HourOf(at(0)), exports.DayOf(at(0))}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "bucket,") || !strings.HasPrefix(lines[1], "2026-04-24T10,") || !strings.HasPrefix(lines[2], "2026-04-24,") {
		t.Errorf("%q", lines)
	}
}

// endless yields sessions as they are asked for, and watches how much is in memory.
type endless struct {
	n    int
	peak uint64
}

func (e *endless) String() string { return "many" }

func (e *endless) Sessions(_ context.Context, _ source.Wanted) iter.Seq2[source.Found, error] {
	return func(yield func(source.Found, error) bool) {
		for i := range e.n {
			s := session(fmt.Sprintf("s%06d", i), `{"role":"user","content":"`+strings.Repeat("words ", 500)+`"}`)
			if !yield(source.Found{Session: s, Day: "2026-04-24"}, nil) {
				return
			}
			if i%500 == 499 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				e.peak = max(e.peak, m.HeapAlloc)
			}
		}
	}
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// However many sessions there are, one of them is in memory at a time: these would be 30
// MB and more with all that is read of them.
func TestManySessionsNeedLittleMemory(t *testing.T) {
	many := &endless{n: 3000}
	o, _ := options(t, many)
	o.Target = &target.Stream{To: nowhere{}}
	if sum, err := (exports.Training{Format: chatdata.SFT}).Sessions(t.Context(), o); err != nil || sum.Written != many.n {
		t.Fatalf("%+v, %v", sum, err)
	}
	if _, err := exports.KPIs(t.Context(), o, []exports.Bucket{exports.HourOf(at(0))}); err != nil {
		t.Fatal(err)
	}
	if many.peak > 12<<20 {
		t.Errorf("%d MB are in memory", many.peak>>20)
	}
	if many.peak == 0 {
		t.Error("nobody has looked")
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o, dir := options(t, &endless{n: 1 << 30})
	o.Progress = func(read int, _ string) {
		if read == 3 {
			cancel()
		}
	}
	if _, err := (exports.Training{Format: chatdata.SFT}).Sessions(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if n := len(files(t, dir)); n != 2 {
		t.Errorf("%d files", n)
	}
}

// world is a simulated Hub and a client of it.
type world struct {
	*hubsim.Hub
	client *hub.Client
	t      *testing.T
}

func start(t *testing.T, token string) *world {
	t.Helper()
	sim := hubsimtest.Start(t, hubsim.Options{Clock: clock.Options{Scale: 1}})
	web, err := httpx.New(httpx.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.CloseIdleConnections)
	client, err := hub.New(hub.Options{HTTP: web, Endpoint: sim.URL(), Token: token, Wait: func(context.Context, time.Duration, string) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &world{sim, client, t}
}

// asked counts requests by method and part of the path since the last time.
func (w *world) asked(method, part string) (n int) {
	for _, r := range w.Requests() {
		if r.Method == method && strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

func (w *world) titles(id string) (out []string) {
	w.t.Helper()
	for c, err := range w.client.Repos.Commits(w.t.Context(), repo.Ref{Type: wire.Dataset, ID: id}, "main", 100) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, c.Title)
	}
	slices.Reverse(out)
	return out
}

func TestUpload(t *testing.T) {
	w := start(t, "hf_bob_write")
	o, _ := options(t, list{session("one"), session("two")})
	o.Target = &target.Dataset{Hub: w.client, Repo: "bob/figures"}
	if sum, err := exports.KPIs(t.Context(), o, []exports.Bucket{exports.HourOf(at(0)), exports.DayOf(at(0))}); err != nil || sum.Written != 2 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if sum, err := (exports.Training{Format: chatdata.SFT}).Sessions(t.Context(), o); err != nil || sum.Written != 2 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if sum, err := (exports.Rows{}).Sessions(t.Context(), o); err != nil || sum.Written != 2 {
		t.Fatalf("%+v, %v", sum, err)
	}
	got := w.titles("bob/figures")
	want := []string{"KPIs for 2026-04-24T10", "KPIs for 2026-04-24", "Add SFT row one", "Add SFT row two", "Add session one", "Add session two"}
	if len(got) < len(want) || cmp.Diff(want, got[len(got)-len(want):]) != "" {
		t.Errorf("%q, want %q", got, want)
	}
	info, err := w.client.Repos.Info(t.Context(), repo.Ref{Type: wire.Dataset, ID: "bob/figures"}, repo.InfoOptions{})
	if err != nil || !info.Private {
		t.Errorf("private %v, %v", info.Private, err)
	}
	// What is there is not sent again, by another process either.
	w.ClearRequests()
	o.Target = &target.Dataset{Hub: w.client, Repo: "bob/figures"}
	if sum, err := exports.KPIs(t.Context(), o, []exports.Bucket{exports.HourOf(at(0)), exports.DayOf(at(0))}); err != nil || sum.Unchanged != 2 || sum.Written != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	if sum, err := (exports.Training{Format: chatdata.SFT}).Sessions(t.Context(), o); err != nil || sum.Unchanged != 2 {
		t.Errorf("%+v, %v", sum, err)
	}
	if n := w.asked("POST", ""); n != 0 {
		t.Errorf("%d requests send something", n)
	}
	// What has changed replaces what was there.
	changed := session("two", `{"role":"user","content":"more"}`)
	o.Source = list{session("one"), changed}
	if sum, err := (exports.Training{Format: chatdata.SFT}).Sessions(t.Context(), o); err != nil || sum.Unchanged != 1 || sum.Written != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	text, err := w.client.Repos.Raw(t.Context(), repo.Ref{Type: wire.Dataset, ID: "bob/figures"}, "main", "sft/2026-04-24/two.jsonl")
	if err != nil || !strings.Contains(text, `"more"`) {
		t.Errorf("%v: %s", err, text)
	}
}

// A data set that is public stays so.
func TestVisibilityStays(t *testing.T) {
	w := start(t, "hf_bob_write")
	ref := repo.Ref{Type: wire.Dataset, ID: "bob/open"}
	if _, err := w.client.Repos.Ensure(t.Context(), repo.CreateSpec{Ref: ref, Visibility: "public"}); err != nil {
		t.Fatal(err)
	}
	o, _ := options(t, list{session("one")})
	o.Target = &target.Dataset{Hub: w.client, Repo: "bob/open"}
	if _, err := exports.KPIs(t.Context(), o, []exports.Bucket{exports.HourOf(at(0))}); err != nil {
		t.Fatal(err)
	}
	if info, err := w.client.Repos.Info(t.Context(), ref, repo.InfoOptions{}); err != nil || info.Private {
		t.Errorf("private %v, %v", info.Private, err)
	}
}

func TestAFailedUploadIsPassedOver(t *testing.T) {
	w := start(t, "hf_bob_write")
	if err := w.Faults.Add(fault.Rule{Match: fault.Match{Method: "POST", Path: "/commit/main$", Count: 1}, Do: fault.Do{Status: 422, Body: json.RawMessage(`{"error":"this file is not good"}`)}}); err != nil {
		t.Fatal(err)
	}
	o, _ := options(t, list{session("one"), session("two")})
	o.Target = &target.Dataset{Hub: w.client, Repo: "bob/sft"}
	var warned []string
	o.Warn = func(line string) { warned = append(warned, line) }
	sum, err := (exports.Training{Format: chatdata.SFT}).Sessions(t.Context(), o)
	if err != nil || sum.Failed != 1 || sum.Written != 1 || len(warned) != 1 || !strings.Contains(warned[0], "sft/2026-04-24/one.jsonl") {
		t.Errorf("%+v, %v, %q", sum, err, warned)
	}
	if sum, err := (exports.Training{Format: chatdata.SFT}).Sessions(t.Context(), o); err != nil || sum.Written != 1 || sum.Unchanged != 1 {
		t.Errorf("once more: %+v, %v", sum, err)
	}
}

// Who may not write is told at once, not once a session.
func TestARefusalEndsIt(t *testing.T) {
	w := start(t, "hf_alice_read")
	o, _ := options(t, list{session("one"), session("two"), session("three")})
	o.Target = &target.Dataset{Hub: w.client, Repo: "alice/sft"}
	sum, err := (exports.Training{Format: chatdata.SFT}).Sessions(t.Context(), o)
	if wire.KindOf(err) != wire.Forbidden || sum.Written+sum.Failed != 0 || sum.Read != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// plant puts files into a data set.
func (w *world) plant(id string, files map[string]string) {
	w.t.Helper()
	if _, err := w.client.Repos.Ensure(w.t.Context(), repo.CreateSpec{Ref: repo.Ref{Type: wire.Dataset, ID: id}}); err != nil {
		w.t.Fatal(err)
	}
	var ops []commit.Operation
	for path, text := range files {
		ops = append(ops, commit.Add{Path: path, Data: []byte(text)})
	}
	if _, err := w.client.Commits.Commit(w.t.Context(), commit.Request{Target: commit.Target{Type: wire.Dataset, Repo: id}, Operations: ops, Summary: "plant"}); err != nil {
		w.t.Fatal(err)
	}
}

func TestDatasetAsSource(t *testing.T) {
	w := start(t, "hf_bob_write")
	row := func(id, day string) string {
		return `{"session_id":"` + id + `","user_id":"u","session_start_time":"` + day + `T10:00:00","model_name":"m","messages":"[{\"role\":\"user\",\"content\":\"x\"}]","events":"[{\"timestamp\":\"` + day + `T10:05:00\",\"event_type\":\"llm_call\",\"data\":{\"cost_usd\":0.5}}]","tools":"[]"}` + "\n"
	}
	const traced = `{"type":"user","message":{"role":"user","content":"hi"},"sessionId":"traced","timestamp":"2026-04-24T10:00:00Z"}
{"type":"assistant","message":{"role":"assistant","model":"m","content":[{"type":"text","text":"ok"}],"usage":{"input_tokens":3,"output_tokens":1}},"sessionId":"traced","timestamp":"2026-04-24T10:00:05Z"}
`
	w.plant("bob/sessions", map[string]string{
		"README.md": "# x", "sessions/2026-04-24/a.jsonl": row("a", "2026-04-24"), "sessions/2026-04-24/traced.jsonl": traced,
		"sessions/2026-04-23/b.jsonl": row("b", "2026-04-23"), "sessions/2026-04-01/c.jsonl": row("c", "2026-04-01"), "other/x.jsonl": row("x", "2026-04-24"),
	})
	fetch, err := download.New(w.client.Conn, download.Options{Own: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	from := source.Dataset{Files: fetch, Repo: "bob/sessions"}
	read := func(want source.Wanted) (out []string) {
		for f, err := range from.Sessions(t.Context(), want) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, f.Day+"/"+f.ID)
		}
		return out
	}
	day := at(0).Truncate(24 * time.Hour)
	if diff := cmp.Diff([]string{"2026-04-24/a", "2026-04-24/traced"}, read(source.Wanted{From: day, To: day.AddDate(0, 0, 1)})); diff != "" {
		t.Errorf("a day (-want +got):\n%s", diff)
	}
	if n := w.asked("GET", "/resolve/"); n != 2 {
		t.Errorf("%d files fetched for a day, want 2", n)
	}
	if diff := cmp.Diff([]string{"2026-04-24/a", "2026-04-24/traced", "2026-04-23/b"}, read(source.Wanted{From: at(0), To: at(60), Active: true})); diff != "" {
		t.Errorf("an hour (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2026-04-24/a", "2026-04-24/traced", "2026-04-23/b", "2026-04-01/c"}, read(source.Wanted{})); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	w.ClearRequests()
	read(source.Wanted{})
	if n := w.asked("GET", "/resolve/"); n != 0 {
		t.Errorf("%d files fetched again", n)
	}
	w.plant("bob/sessions", map[string]string{"sessions/2026-04-24/a.jsonl": strings.Replace(row("a", "2026-04-24"), "0.5", "1.5", 1)})
	w.ClearRequests()
	o, dir := options(t, from)
	if _, err := exports.KPIs(t.Context(), o, []exports.Bucket{exports.HourOf(at(0))}); err != nil {
		t.Fatal(err)
	}
	if n := w.asked("GET", "/resolve/"); n != 1 {
		t.Errorf("%d files fetched after one has changed", n)
	}
	figures := files(t, dir)
	if len(figures) != 1 {
		t.Errorf("%q", names(figures))
	}
	for _, text := range figures {
		if !strings.Contains(text, "\n2026-04-24T10,2,2,2,2,3,1,0,0,1.5,") {
			t.Errorf("%s", text)
		}
	}
	w.plant("bob/empty", map[string]string{"README.md": "# x"})
	from.Repo = "bob/empty"
	if got := read(source.Wanted{}); got != nil {
		t.Errorf("%q", got)
	}
	for _, err := range (source.Dataset{Files: fetch, Repo: "bob/nothing"}).Sessions(t.Context(), source.Wanted{}) {
		if wire.KindOf(err) != wire.RepoNotFound {
			t.Errorf("a data set that is not there: %v", err)
		}
	}
}

func TestSummaryInWords(t *testing.T) {
	for want, s := range map[string]exports.Summary{
		"0 files written, from 0 sessions": {},
		"1 file written, from 1 session":   {Written: 1, Read: 1},
		"2 files written, 3 unchanged, 1 could not be stored, 4 sessions left out, 1 session could not be read, from 10 sessions": {Written: 2, Unchanged: 3, Failed: 1, LeftOut: 4, Bad: 1, Read: 10},
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What is written is for its owner alone, and always whole.
func TestFilesOfAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	to := target.Folder{Dir: dir}
	for i, want := range []bool{true, false, true} {
		text := "a"
		if i == 2 {
			text = "b"
		}
		if changed, err := to.Put(t.Context(), target.File{Path: "x/y.csv", Data: []byte(text)}); err != nil || changed != want {
			t.Errorf("%d: %v, %v", i, changed, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "x", "y.csv"))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if all := names(files(t, dir)); len(all) != 1 {
		t.Errorf("%q", all)
	}
	var failed *target.FailedError
	if _, err := to.Put(t.Context(), target.File{Path: "../x", Data: nil}); !errors.As(err, &failed) {
		t.Errorf("out of the folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Put(t.Context(), target.File{Path: "file/x"}); err == nil || errors.As(err, &failed) {
		t.Errorf("below a file: %v", err)
	}
}

// A session file that is exported as a row and read again is the same session.
func TestRowsCanBeReadBack(t *testing.T) {
	dir := t.TempDir()
	raw, err := json.Marshal(map[string]any{"session_id": "s", "user_id": "ann", "model_name": "m", "session_start_time": "2026-04-24T10:00:00Z", "messages": []any{map[string]any{"role": "user", "content": "x"}}, "events": []any{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "s.json"), document.Finite(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	o, rows := options(t, source.Folder{Dir: dir})
	if _, err := (exports.Rows{}).Sessions(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	first, direct := options(t, source.Folder{Dir: dir})
	second, through := options(t, source.Folder{Dir: rows})
	for _, o := range []exports.Options{first, second} {
		if _, err := (exports.Training{Format: chatdata.ChatML}).Sessions(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(files(t, direct), files(t, through)); diff != "" {
		t.Errorf("(-directly +through rows):\n%s", diff)
	}
}
