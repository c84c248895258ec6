package source_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/row"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/simple"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app/exports/source"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/lab/chatdata"
	"github.com/ml-intern/ml-intern/internal/lab/kpi"
	"github.com/ml-intern/ml-intern/internal/lab/tags"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

const id = "11111111-2222-4333-8444-555555555555"

var begun = time.Date(2026, 4, 24, 23, 58, 0, 0, time.UTC)

// payloads are a session in which a person asks and a tool is called.
func payloads() []event.Payload {
	usd := 0.25
	return []event.Payload{
		event.InputAccepted{SubmissionID: "1", Text: "list files"},
		event.TurnStarted{TurnID: "turn_1", SubmissionID: "1", Model: "openai/gpt-5.5:fal-ai"},
		event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.System, Text: "You are ML Intern."}},
		event.HistoryMessage{MessageID: "msg_2", Message: llm.Message{Role: llm.User, Text: "list files"}},
		event.Processing{},
		event.AssistantChunk{Content: "Lis"},
		event.AssistantChunk{Content: "ting."},
		event.StreamEnd{},
		event.LLMCall{Model: "openai/gpt-5.5:fal-ai", Kind: llm.KindMain, CostUSD: &usd, Prompt: 100, Completion: 10, Total: 110, CacheRead: 40},
		event.HistoryMessage{MessageID: "msg_3", Message: llm.Message{Role: llm.Assistant, Text: "Listing.", ToolCalls: []llm.ToolCall{{ID: "c1", Name: "bash", Arguments: `{"command":"ls"}`}}}},
		event.ToolCall{Tool: "bash", ToolCallID: "c1", Arguments: json.RawMessage(`{"command":"ls"}`)},
		event.ToolStarted{Tool: "bash", ToolCallID: "c1", Effect: event.Once},
		event.ToolOutput{Tool: "bash", ToolCallID: "c1", Output: "train.py", Success: true},
		event.HistoryMessage{MessageID: "msg_4", Message: llm.Message{Role: llm.Assistant, Text: "There is train.py."}},
		event.TurnComplete{HistorySize: 5, StopReason: "answer"},
	}
}

func events(t testing.TB, session string, at time.Time) []event.Event {
	t.Helper()
	var out []event.Event
	for i, p := range payloads() {
		ev, err := event.New(session, "turn_1", at.Add(time.Duration(i)*time.Second), p)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(i + 1)
		out = append(out, ev)
	}
	return out
}

func built(t testing.TB, session string, at time.Time) document.Document {
	t.Helper()
	all := events(t, session, at)
	state, err := history.Load(all)
	if err != nil {
		t.Fatal(err)
	}
	user := "ann"
	return document.Build(state, all, document.About{UserID: &user, Tools: []json.RawMessage{[]byte(`{"type":"function","function":{"name":"bash"}}`)}})
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// told is what a session comes to, whatever file it was read from.
type told struct {
	ID, Model, Day string
	Roles          string
	Calls          []string
	Asked          int
	Types          map[event.Type]int
}

func tell(s *trajectory.Session) told {
	out := told{ID: s.ID, Model: s.Model, Day: s.Day(), Asked: len(s.Asked()), Types: map[event.Type]int{}}
	for _, raw := range s.Messages {
		out.Roles += (trajectory.Read(raw).Role + "?")[:1]
	}
	for _, c := range s.Calls() {
		var args bytes.Buffer
		_ = json.Compact(&args, c.Arguments) // what is no JSON stays away
		out.Calls = append(out.Calls, c.Tool+args.String())
	}
	for _, ev := range s.Events {
		switch ev.Type {
		case event.TypeLLMCall, event.TypeToolCall, event.TypeToolOutput, event.TypeTurnComplete:
			out.Types[ev.Type]++
		}
	}
	return out
}

// Every form of one session says the same of it.
func TestForms(t *testing.T) {
	d := built(t, id, begun)
	render := func(do func(w io.Writer) error) string {
		var out strings.Builder
		if err := do(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	r, err := row.New(d)
	if err != nil {
		t.Fatal(err)
	}
	line, err := r.Line()
	if err != nil {
		t.Fatal(err)
	}
	want := told{
		ID: id, Model: "openai/gpt-5.5:fal-ai", Day: "2026-04-24", Roles: "suata", Calls: []string{`bash{"command":"ls"}`}, Asked: 1,
		Types: map[event.Type]int{event.TypeLLMCall: 1, event.TypeToolCall: 1, event.TypeToolOutput: 1, event.TypeTurnComplete: 1},
	}
	trace := want
	trace.Roles = "uata" // without the system prompt
	noTokens := trace
	noTokens.Types = map[event.Type]int{event.TypeToolCall: 1, event.TypeToolOutput: 1, event.TypeTurnComplete: 1}
	for name, c := range map[string]struct {
		text string
		want told
	}{
		"session.json":  {render(func(w io.Writer) error { return d.Write(w, begun) }), want},
		"row.jsonl":     {string(line), want},
		"two.jsonl":     {string(line) + strings.ReplaceAll(string(line), id, "another"), want},
		"bom.jsonl":     {"\ufeff\n" + string(line), want},
		"journal.jsonl": {render(func(w io.Writer) error { return sessions.WriteEvents(w, events(t, id, begun)) }), want},
		"torn.jsonl":    {render(func(w io.Writer) error { return sessions.WriteEvents(w, events(t, id, begun)) }) + `{"seq":16,"timest`, want},
		"claude.jsonl":  {render(func(w io.Writer) error { return sessions.Write(w, d, sessions.FormatClaude) }), trace},
		"simple.jsonl":  {render(func(w io.Writer) error { return simple.Write(w, d) }), noTokens},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := source.File(write(t, filepath.Join(t.TempDir(), name), c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, tell(s)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The example of the contract, as the Python original writes it.
func TestTraceOfTheOriginal(t *testing.T) {
	const rows = `{"type":"user","message":{"role":"user","content":"hi"},"uuid":"9d35648f","parentUuid":null,"sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}
{"type":"assistant","message":{"role":"assistant","model":"openai/gpt-5.5:fal-ai","content":[{"type":"text","text":"Listing."},{"type":"tool_use","id":"call-1","name":"bash","input":{"command":"ls"}}]},"uuid":"dcbb14e6","parentUuid":"9d35648f","sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}
{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"call-1","content":"ok"}]},"uuid":"b1f95309","parentUuid":"dcbb14e6","sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}
{"type":"assistant","message":{"role":"assistant","model":"openai/gpt-5.5:fal-ai","content":[{"type":"text","text":"done"}]},"uuid":"800fa687","parentUuid":"b1f95309","sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}
`
	s, err := source.Parse([]byte(rows))
	if err != nil {
		t.Fatal(err)
	}
	want := told{
		ID: "sess-1", Model: "openai/gpt-5.5:fal-ai", Day: "2026-01-01", Roles: "uata", Calls: []string{`bash{"command":"ls"}`}, Asked: 1,
		Types: map[event.Type]int{event.TypeToolCall: 1, event.TypeToolOutput: 1, event.TypeTurnComplete: 1},
	}
	if diff := cmp.Diff(want, tell(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Rows of one model call make one answer, whose tokens count once; a sub-agent's count
// too, and its messages do not.
func TestTraceOfClaudeCode(t *testing.T) {
	const usage = `"usage":{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":7,"cache_read_input_tokens":100}`
	rows := strings.Join([]string{
		`{"type":"summary","summary":"x"}`,
		`{"type":"user","isMeta":true,"message":{"role":"user","content":"caveat"},"sessionId":"s","timestamp":"2026-01-01T10:00:00Z"}`,
		`{"type":"user","message":{"role":"user","content":[{"type":"text","text":"do it"},{"type":"image","source":{}}]},"sessionId":"s","timestamp":"2026-01-01T10:00:01Z"}`,
		`{"type":"assistant","message":{"id":"m1","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"hm"}],` + usage + `},"timestamp":"2026-01-01T10:00:02Z"}`,
		`{"type":"assistant","message":{"id":"m1","role":"assistant","model":"claude-x","content":[{"type":"tool_use","id":"a","name":"Bash","input":{}}],` + usage + `},"timestamp":"2026-01-01T10:00:03Z"}`,
		`{"type":"assistant","isSidechain":true,"message":{"id":"m9","role":"assistant","model":"claude-y","content":[{"type":"text","text":"sub"}],` + usage + `},"timestamp":"2026-01-01T10:00:03Z"}`,
		`{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":[{"type":"text","text":"no"}]}]},"timestamp":"2026-01-01T10:00:04Z"}`,
		`{"type":"assistant","isApiErrorMessage":true,"message":{"role":"assistant","model":"<synthetic>","content":[{"type":"text","text":"API Error"}]},"timestamp":"2026-01-01T10:00:05Z"}`,
		`{"type":"assistant","message":7}`, `{"type":"user","message":{"content":7}}`, `no json`,
	}, "\n")
	s, err := source.Parse([]byte(rows))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range s.Events {
		in := ev.Fields()
		switch ev.Type {
		case event.TypeLLMCall:
			got = append(got, fmt.Sprintf("%s %s %d in, %d cached, %d out", in.Label("kind", ""), in.Label("model", ""), in.Count("prompt_tokens"), in.Count("cache_read_tokens"), in.Count("completion_tokens")))
		case event.TypeToolOutput:
			got = append(got, fmt.Sprintf("output %s %v", in.Label("output", ""), in.True("success")))
		default:
			got = append(got, string(ev.Type))
		}
	}
	want := []string{"main claude-x 117 in, 100 cached, 5 out", "tool_call", "research claude-y 117 in, 100 cached, 5 out", "output no false", "error"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if told := tell(s); told.Roles != "uuat" || told.Asked != 1 || s.Model != "claude-x" || s.Start != "2026-01-01T10:00:00Z" {
		t.Errorf("%+v, %s", told, s.Start)
	}
}

func TestOddRows(t *testing.T) {
	s, err := source.Parse([]byte(`{"session_id":"x","messages":"[{\"role\":\"user\",\"content\":\"q\"},7,null]","events":[{"event_type":"llm_call","data":{"cost_usd":NaN},"timestamp":"2026-04-24T10:00:00"},{"data":{}},7,{"event_type":"error","data":null}],"tools":"nothing","usage_metrics":"{\"version\":1}","total_cost_usd":Infinity}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Messages) != 1 || len(s.Events) != 2 || s.Tools != nil || string(s.Usage) != `{"version":1}` || s.Events[0].Time.Hour() != 10 || string(s.Events[1].Data) != "{}" {
		t.Errorf("%+v", s)
	}
	for _, text := range []string{"", "7", "[]", "{}", `{"a":1}`, "no json", `{"type":"session_meta","payload":{}}`, `{"type":"user"}`, `{"seq":1,"event_type":"x","timestamp":7}`} {
		if s, err := source.Parse([]byte(text)); err == nil {
			t.Errorf("%q is a session: %+v", text, s)
		}
	}
}

// found are the sessions of a source as day/id, and the names of those that are bad.
func found(t testing.TB, from source.Source, want source.Wanted) (all, bad []string) {
	t.Helper()
	for f, err := range from.Sessions(t.Context(), want) {
		var b *source.BadError
		switch {
		case errors.As(err, &b):
			bad = append(bad, filepath.Base(b.Name))
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, f.Day+"/"+f.ID)
		}
	}
	return all, bad
}

func day(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at
}

func rowOf(session, start string) string {
	return `{"session_id":"` + session + `","session_start_time":"` + start + `","messages":[{"role":"user","content":"x"}],"events":[]}` + "\n"
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{
		"sessions/2026-04-24/b.jsonl":    rowOf("b", "2026-04-23T10:00:00"), // the folder decides
		"sessions/2026-04-24/a.jsonl":    rowOf("a", "2026-04-24T10:00:00"),
		"sessions/2026-04-22/old.jsonl":  rowOf("old", "2026-04-22T10:00:00"),
		"session_c_20260425_100000.json": rowOf("c", "2026-04-25T01:00:00+02:00"),
		"deep/er/d.json":                 rowOf("d", "2026-04-26T01:00:00"),
		"undated.json":                   rowOf("u", "some day"),
		"broken.jsonl":                   `{"session_id":`,
		"notes.txt":                      "x",
		"package.json":                   `{"name":"x"}`,
		".git/hidden.json":               rowOf("hidden", "2026-04-24T10:00:00"),
		filepath.Join("sessions", "2026-04-24", "sub.d", "x"): "",
	} {
		write(t, filepath.Join(dir, path), text)
	}
	from := source.Folder{Dir: dir}
	for name, c := range map[string]struct {
		want source.Wanted
		all  []string
	}{
		"all":         {source.Wanted{}, []string{"2026-04-26/d", "2026-04-24/a", "2026-04-24/b", "2026-04-24/c", "2026-04-22/old", "unknown/u"}},
		"one day":     {source.Wanted{From: day("2026-04-24"), To: day("2026-04-25")}, []string{"2026-04-24/a", "2026-04-24/b", "2026-04-24/c"}},
		"from":        {source.Wanted{From: day("2026-04-25")}, []string{"2026-04-26/d"}},
		"to":          {source.Wanted{To: day("2026-04-23")}, []string{"2026-04-22/old"}},
		"active then": {source.Wanted{From: day("2026-04-25"), To: day("2026-04-25").Add(time.Hour), Active: true}, []string{"2026-04-24/a", "2026-04-24/b", "2026-04-24/c", "unknown/u"}},
	} {
		t.Run(name, func(t *testing.T) {
			all, bad := found(t, from, c.want)
			if diff := cmp.Diff(c.all, all); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if name == "all" {
				if diff := cmp.Diff([]string{"broken.jsonl", "package.json"}, bad); diff != "" {
					t.Errorf("bad (-want +got):\n%s", diff)
				}
			}
		})
	}
	if from.String() != dir || (source.Folder{Dir: dir, Name: "here"}).String() != "here" {
		t.Error("what it is called")
	}
	for _, err := range (source.Folder{Dir: filepath.Join(dir, "none")}).Sessions(t.Context(), source.Wanted{}) {
		if err == nil || errors.As(err, new(*source.BadError)) {
			t.Errorf("a folder that is not there: %v", err)
		}
	}
}

// A session that lies in several files is one; the newest file counts.
func TestFolderHasASessionTwice(t *testing.T) {
	dir := t.TempDir()
	old := write(t, filepath.Join(dir, "session_a_20260424_100000.json"), rowOf("a", "2026-04-24T10:00:00"))
	fresh := write(t, filepath.Join(dir, "session_a_20260424_110000.json"), strings.Replace(rowOf("a", "2026-04-24T10:00:00"), `"x"`, `"newest"`, 1))
	write(t, filepath.Join(dir, "zz.jsonl"), rowOf("a", "2026-04-24T10:00:00"))
	for i, path := range []string{old, fresh} {
		at := begun.Add(time.Duration(i) * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for f, err := range (source.Folder{Dir: dir}).Sessions(t.Context(), source.Wanted{}) {
		if n++; err != nil || trajectory.Read(f.Messages[0]).Text != "newest" {
			t.Errorf("%v: %s", err, f.Messages)
		}
	}
	if n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestFolderEnds(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		write(t, filepath.Join(dir, fmt.Sprintf("%d.jsonl", i)), rowOf(fmt.Sprint(i), "2026-04-24T10:00:00"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range (source.Folder{Dir: dir}).Sessions(ctx, source.Wanted{}) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			break
		}
		if n++; n == 2 {
			cancel()
		}
	}
	if n != 2 {
		t.Errorf("%d sessions after it was to end", n)
	}
	for range (source.Folder{Dir: dir}).Sessions(t.Context(), source.Wanted{}) {
		break // it must not go on
	}
}

// kept makes an installation with two journals and files beside them.
func kept(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	s, err := store.New(store.Options{Root: filepath.Join(dir, "sessions")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for session, at := range map[string]time.Time{id: begun, "22222222-2222-4333-8444-555555555555": begun.AddDate(0, 0, -7)} {
		if err := s.Append(t.Context(), session, 0, events(t, session, at)); err != nil {
			t.Fatal(err)
		}
		d := built(t, session, at)
		d.Model = "of the file"
		if err := d.Save(filepath.Join(dir, "sessions", "session_"+session+"_20260424_235900.json"), at); err != nil {
			t.Fatal(err)
		}
	}
	only := built(t, "33333333-2222-4333-8444-555555555555", begun)
	if err := only.Save(filepath.Join(dir, "sessions", "session_"+only.SessionID+"_20260424_235900.json"), begun); err != nil {
		t.Fatal(err)
	}
	only.Events = nil
	newer := filepath.Join(dir, "sessions", "session_"+only.SessionID+"_20260425_000000.json")
	if err := only.Save(newer, begun); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(newer, begun, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLocal(t *testing.T) {
	dir := kept(t)
	local, err := source.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	const first, old, file = "2026-04-24/" + id, "2026-04-17/22222222-2222-4333-8444-555555555555", "2026-04-24/33333333-2222-4333-8444-555555555555"
	for name, c := range map[string]struct {
		want source.Wanted
		all  []string
	}{
		"all":     {source.Wanted{}, []string{first, file, old}},
		"a day":   {source.Wanted{From: day("2026-04-24"), To: day("2026-04-25")}, []string{first, file}},
		"active":  {source.Wanted{From: day("2026-04-25"), To: day("2026-04-26"), Active: true}, []string{first, file, old}}, // their files are of today
		"earlier": {source.Wanted{To: day("2026-04-18"), Active: true}, []string{old}},
		"future":  {source.Wanted{From: time.Now().AddDate(1, 0, 0), Active: true}, nil},
	} {
		all, bad := found(t, local, c.want)
		if diff := cmp.Diff(c.all, all); diff != "" || bad != nil {
			t.Errorf("%s: bad %q (-want +got):\n%s", name, bad, diff)
		}
	}
	for f, err := range local.Sessions(t.Context(), source.Wanted{From: day("2026-04-24")}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case f.ID == id: // the journal, with what only the file knows
			if f.User != "ann" || len(f.Tools) != 1 || f.Model != "openai/gpt-5.5:fal-ai" || tell(f.Session).Types[event.TypeLLMCall] != 1 || len(f.Events) != len(payloads())-2 {
				t.Errorf("%+v", f.Session)
			}
		case len(f.Events) != 0: // the newest file
			t.Errorf("%+v", f.Session)
		}
	}
}

func TestLocalIsDamaged(t *testing.T) {
	dir := kept(t)
	path := filepath.Join(dir, "sessions", id, "journal.jsonl")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(raw), `"seq":9`, `"seq":8`, 1))
	local, err := source.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if all, bad := found(t, local, source.Wanted{}); len(all) != 2 || len(bad) != 1 {
		t.Errorf("%q, bad %q", all, bad)
	}
}

func TestOpen(t *testing.T) {
	dir := kept(t)
	home := t.TempDir()
	if err := os.Rename(dir, filepath.Join(home, "state")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{home, filepath.Join(home, "state"), filepath.Join(home, "state", "sessions")} {
		local, err := source.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if all, _ := found(t, local, source.Wanted{}); len(all) != 3 || local.String() != path {
			t.Errorf("%s: %q", path, all)
		}
	}
	empty := t.TempDir()
	if err := os.Mkdir(filepath.Join(empty, "sessions"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Open(empty); err != nil {
		t.Errorf("an installation without sessions: %v", err)
	}
	for _, path := range []string{t.TempDir(), filepath.Join(home, "none")} {
		if _, err := source.Open(path); err == nil {
			t.Errorf("%s is an installation", path)
		}
	}
}

// FuzzParse holds that no file makes reading panic, and that everything can be made of
// what was read.
func FuzzParse(f *testing.F) {
	f.Add(rowOf("x", "2026-04-24T10:00:00"))
	f.Add(`{"session_id":"x","messages":"[{\"role\":\"user\"}]","events":"[{\"event_type\":\"llm_call\",\"data\":{}}]","tools":NaN}`)
	f.Add(`{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"a"}]}}` + "\n" + `{"type":"assistant","message":{"id":"m","usage":{"input_tokens":1},"content":[{"type":"tool_use"}]}}`)
	f.Add(`{"type":"session","id":"x"}` + "\n" + `{"type":"message","message":{"role":"assistant","toolCalls":[{"id":"a","function":{"name":"n","arguments":"{"}}],"timestamp":1e18}}`)
	f.Add(`{"seq":1,"event_type":"history_message","timestamp":"2026-04-24T10:00:00Z","session_id":"x","data":{"message":{"role":"user","content":"q"}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := source.Parse([]byte(text))
		if err != nil {
			return
		}
		tell(s)
		for _, compat := range []bool{false, true} {
			r := kpi.New(kpi.Window{}, kpi.Options{Compat: compat, Whole: true})
			r.Add(kpi.Read(s, kpi.Options{Compat: compat}))
			if row, ok := r.Row(); !ok || strings.Count(string(row.CSV("b")), "\n") != 2 {
				t.Errorf("%s", row.CSV("b"))
			}
			for _, format := range chatdata.Formats() {
				if line, err := chatdata.Line(s, tags.Of(s, tags.Rules(compat)), format); err != nil || !json.Valid(line) {
					t.Errorf("%s: %v: %s", format, err, line)
				}
			}
		}
		for _, raw := range s.Messages {
			if !json.Valid(raw) {
				t.Errorf("a message is no JSON: %q", raw)
			}
		}
		for _, ev := range s.Events {
			if !json.Valid(ev.Data) {
				t.Errorf("the data of %s is no JSON: %q", ev.Type, ev.Data)
			}
		}
	})
}
