package wholestack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/provider"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire/wiretest"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/engine/window"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
	"github.com/ml-intern/ml-intern/internal/tools/files"
	"github.com/ml-intern/ml-intern/internal/tools/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	session = "11111111-2222-4333-8444-555555555555"
	claude  = "anthropic/claude-sonnet-4-20250514"
	hubKey  = "hf_abcdefghijklmnopqrstuvwxyz012345"
)

// inBubble runs a test with fake time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// reply is one scripted answer of a service.
type reply struct {
	status int // 0 is 200
	header map[string]string
	body   string
	cut    bool  // the connection is lost behind the body
	stall  bool  // nothing more comes behind the body, and no end
	fails  error // instead of any answer
}

func (r reply) with(header, value string) reply {
	h := map[string]string{header: value}
	for k, v := range r.header {
		if _, set := h[k]; !set {
			h[k] = v
		}
	}
	r.header = h
	return r
}

// recorded returns a recorded answer, with its status and headers.
func recorded(t *testing.T, file string) reply {
	t.Helper()
	f := wiretest.Fixtures(t, func(f wiretest.Fixture) bool { return f.File == file })[0]
	return reply{status: f.HTTP.Status, header: f.HTTP.Headers, body: string(f.Body)}
}

// sent is a request as it left the program.
type sent struct {
	at                time.Time
	method, host, url string
	header            http.Header
	raw               []byte
	body              map[string]any
}

// network answers what the program asks: model calls from the script, the last
// reply again and again, GET requests from looks, everything else with 404.
type network struct {
	mu     sync.Mutex
	script []reply
	looks  map[string]reply // by path
	posts  []sent
	gets   []sent
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	s := sent{at: time.Now(), method: req.Method, host: req.URL.Host, url: req.URL.String(), header: req.Header.Clone()}
	if req.Body != nil {
		s.raw, _ = io.ReadAll(req.Body)
		_ = json.Unmarshal(s.raw, &s.body)
	}
	r := n.next(s, req.URL.Path)
	if r.fails != nil {
		return nil, r.fails
	}
	h := http.Header{}
	for k, v := range r.header {
		h.Set(k, v)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return &http.Response{
		StatusCode: max(r.status, http.StatusOK), Header: h, Request: req,
		Body: &stream{ctx: req.Context(), reply: r, r: strings.NewReader(r.body)},
	}, nil
}

func (n *network) next(s sent, path string) reply {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.method == http.MethodGet {
		n.gets = append(n.gets, s)
		if r, ok := n.looks[path]; ok {
			return r
		}
		return reply{status: http.StatusNotFound, body: `{"error":{"message":"not found"}}`}
	}
	if !strings.HasSuffix(path, "/chat/completions") && !strings.HasSuffix(path, "/messages") && !strings.HasSuffix(path, "/responses") {
		return reply{status: http.StatusNotFound} // what a server says about its models
	}
	i := len(n.posts)
	n.posts = append(n.posts, s)
	return n.script[min(i, len(n.script)-1)]
}

func (n *network) sent() []sent {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.posts)
}

// stream is a body that ends as its reply says.
type stream struct {
	ctx   context.Context
	reply reply
	r     *strings.Reader
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	switch {
	case err == nil:
		return n, nil
	case s.reply.cut:
		return 0, io.ErrUnexpectedEOF
	case s.reply.stall:
		<-s.ctx.Done()
		return 0, s.ctx.Err()
	}
	return 0, err
}

func (s *stream) Close() error { return nil }

// stack is the program from the model services' clients up to the engine.
type stack struct {
	t       *testing.T
	net     *network
	models  *provider.Provider
	caller  *inference.Caller
	agent   *agent.Agent
	journal *journal.Journal
	store   journal.Store
	dir     string // the working directory of the file tools
	seen    int64
	stop    func() // ends the program, once
}

// setup is what a test may change.
type setup struct {
	vars     map[string]string
	token    string
	models   provider.Options
	settings agent.Settings
	tools    []tool.Tool
	store    journal.Store
	resume   bool
}

func start(t *testing.T, net *network, change func(*setup)) *stack {
	t.Helper()
	dir := t.TempDir()
	set := setup{
		vars:     map[string]string{"ANTHROPIC_API_KEY": "sk-ant-key", "OPENAI_API_KEY": "sk-openai-key"},
		token:    hubKey,
		settings: agent.Settings{Model: claude, Stream: true, MaxIterations: 300, Workdir: dir, Version: "v", Runtime: "local"},
		store:    journal.NewMemory(),
	}
	if change != nil {
		change(&set)
	}
	s := &stack{t: t, net: net, store: set.store, dir: dir}
	s.join(set)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.agent.Run(ctx, set.resume) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		s.models.Close()
	})
	t.Cleanup(s.stop)
	return s
}

// join makes everything, bottom to top.
func (s *stack) join(set setup) {
	s.t.Helper()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	client, err := httpx.New(httpx.Options{Version: "test", Transport: s.net})
	must(err)
	o := set.models
	o.HTTP, o.Version, o.Env = client, "test", func(name string) string { return set.vars[name] }
	o.Token = func(context.Context) string { return set.token }
	s.models, err = provider.New(o)
	must(err)
	scrubber := redact.New(redact.Options{Held: []string{set.token}})
	s.journal, err = journal.Open(s.t.Context(), journal.Options{
		Store: set.store, SessionID: session,
		Scrub: func(raw []byte) ([]byte, error) { out, _, err := scrubber.JSON(raw); return out, err },
	})
	must(err)
	s.seen = s.journal.LastSeq()
	rules, err := policy.New(policy.Options{Mode: policy.ModeYolo, Workspace: []string{s.dir}, Headless: true})
	must(err)
	here, err := local.New(local.Options{
		Dir: s.dir, Root: s.dir, Python: func() string { return "" },
		SpillDir: func(session string) string { return filepath.Join(s.t.TempDir(), session) },
	})
	must(err)
	disk, err := files.New(files.Options{Workspace: here.Open, Resolve: here.Resolve})
	must(err)
	planner, err := plan.New()
	must(err)
	s.caller = inference.New(inference.Options{
		Model: s.models, Describe: s.models.Describe, Estimate: window.Text, MaxRetries: -1,
	})
	ao := agent.Options{
		SessionID: session, Journal: s.journal, Caller: s.caller, Describe: s.models.Describe,
		Tools:  append([]tool.Tool{disk.Read(), disk.Write(), disk.Edit(), planner}, set.tools...),
		Policy: rules, Settings: set.settings,
		System:      func() string { return "You are a test.\n[Session context: none]" },
		ScrubStream: func() agent.StreamFilter { return scrubber.Stream() },
	}
	if set.resume {
		ao.State, ao.KeepSystem = s.state(), true
	}
	s.agent, err = agent.New(ao)
	must(err)
}

func (s *stack) state() *history.State {
	s.t.Helper()
	state, err := history.Load(s.all())
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}

func (s *stack) all() []event.Event {
	s.t.Helper()
	events, err := s.store.Read(context.Background(), session, 0, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return events
}

// input submits text.
func (s *stack) input(text string) {
	s.t.Helper()
	if err := s.agent.Submit(context.Background(), event.Submission{Operation: event.UserInput{Text: text}}); err != nil {
		s.t.Fatal(err)
	}
}

// turn submits text and returns the events up to the end of the turn.
func (s *stack) turn(text string) []event.Event {
	s.t.Helper()
	s.input(text)
	return s.ending()
}

func (s *stack) ending() []event.Event {
	s.t.Helper()
	var got []event.Event
	for ev, err := range s.journal.Follow(context.Background(), s.seen) {
		if err != nil {
			s.t.Fatal(err)
		}
		s.seen = ev.Seq
		got = append(got, ev)
		switch ev.Type {
		case event.TypeTurnComplete, event.TypeError, event.TypeInterrupted, event.TypeApprovalRequired, event.TypeSessionTerminated:
			return got
		}
	}
	s.t.Fatal("the journal ended")
	return nil
}

// find decodes the events of type P.
func find[P event.Payload](t *testing.T, events []event.Event) []P {
	t.Helper()
	var zero P
	var out []P
	for _, ev := range events {
		if ev.Type == zero.Type() {
			p, err := event.Decode[P](ev)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, p)
		}
	}
	return out
}

// one decodes the only event of type P.
func one[P event.Payload](t *testing.T, events []event.Event) P {
	t.Helper()
	all := find[P](t, events)
	if len(all) != 1 {
		var zero P
		t.Fatalf("%d events of type %s, want 1: %s", len(all), zero.Type(), told(events))
	}
	return all[0]
}

// told is what the events say, for messages.
func told(events []event.Event) string {
	var b strings.Builder
	for _, ev := range events {
		b.WriteString("\n" + string(ev.Type) + " " + string(bytes.TrimSpace(ev.Data[:min(len(ev.Data), 300)])))
	}
	return b.String()
}

// answers checks that the turn ended with an answer and returns it.
func (s *stack) answers(events []event.Event) string {
	s.t.Helper()
	done := one[event.TurnComplete](s.t, events)
	if done.StopReason != "answer" || done.FinalResponse == nil {
		s.t.Fatalf("%+v", done)
	}
	return *done.FinalResponse
}

// fake is a tool of a recorded conversation.
type fake struct {
	name, schema string
	run          func() string
	mu           sync.Mutex
	ran          []string
}

func (f *fake) Spec() tool.Spec {
	schema := f.schema
	if schema == "" {
		schema = `{"type":"object","properties":{}}`
	}
	return tool.Spec{Name: f.name, Description: f.name, Parameters: json.RawMessage(schema), MaxOutput: 1000}
}

func (*fake) Risk(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Read} }

func (f *fake) Run(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ran = append(f.ran, string(args))
	if f.run == nil {
		return tool.Success("done"), nil
	}
	return tool.Success(f.run()), nil
}

func (f *fake) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.ran)
}

func weather() *fake {
	return &fake{
		name: "weather", run: func() string { return "40 C" },
		schema: `{"type":"object","properties":{"location":{"type":"string","description":"the city"}},"required":["location"]}`,
	}
}

func with(tools ...tool.Tool) func(*setup) {
	return func(s *setup) { s.tools = tools }
}

// chatText is an answer in the style of OpenAI's chat completions.
func chatText(text string) reply {
	quoted, _ := json.Marshal(text)
	return reply{header: map[string]string{"Content-Type": "text/event-stream"}, body: `data: {"model":"m","choices":[{"index":0,"delta":{"content":` + string(quoted) + `}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}

data: [DONE]

`}
}

// claudeText is an answer in Anthropic's style.
func claudeText(text string) reply {
	quoted, _ := json.Marshal(text)
	return reply{header: map[string]string{"Content-Type": "text/event-stream"}, body: `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{"input_tokens":7,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":` + string(quoted) + `}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}

event: message_stop
data: {"type":"message_stop"}

`}
}

// within fails unless d lies between low and high.
func within(t *testing.T, what string, d, low, high time.Duration) {
	t.Helper()
	if d < low || d > high {
		t.Errorf("%s took %s, want %s to %s", what, d, low, high)
	}
}

// at walks a decoded JSON value: keys are names, indexes numbers; negative
// ones count from the end.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no object at %v of %v", step, path)
			}
			v = m[step]
		case int:
			l, ok := v.([]any)
			if step < 0 {
				step += len(l)
			}
			if !ok || step < 0 || step >= len(l) {
				t.Fatalf("no element %d of %v in %v", step, path, v)
			}
			v = l[step]
		}
	}
	return v
}

var errDown = errors.New("dial tcp: connection refused")

// effort is a setup with a wish for reasoning.
func effort(level llm.Effort, tools ...tool.Tool) func(*setup) {
	return func(s *setup) { s.settings.Effort, s.tools = level, tools }
}

// inFolder is a path in the working directory.
func (s *stack) inFolder(name string) string { return filepath.Join(s.dir, name) }
