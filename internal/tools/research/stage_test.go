package research_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/engine/window"
	"github.com/ml-intern/ml-intern/internal/tools/research"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const session = "11111111-2222-4333-8444-555555555555"

// step answers one model call.
type step func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool)

// model plays one script for the main conversation and one for each sub-agent,
// told apart by what its task contains.
type model struct {
	info llm.Info
	main []step
	sub  map[string][]step

	mu       sync.Mutex
	count    map[string]int
	requests []llm.Request
}

func (m *model) Describe(context.Context, string) (llm.Info, error) { return m.info, nil }

func (m *model) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		m.mu.Lock()
		m.requests = append(m.requests, req)
		key, steps := "main", m.main
		if req.Kind == llm.KindResearch {
			for part, script := range m.sub {
				if strings.Contains(req.Messages[1].Text, part) {
					key, steps = part, script
				}
			}
		}
		if m.count == nil {
			m.count = map[string]int{}
		}
		n := m.count[key]
		m.count[key]++
		m.mu.Unlock()
		if n >= len(steps) {
			if key == "main" || len(steps) == 0 {
				yield(nil, &llm.Fault{Class: llm.ClassInternal, Text: "the script of " + key + " has no more steps"})
				return
			}
			n = len(steps) - 1
		}
		steps[n](ctx, req, yield)
	}
}

// of are the requests of a kind so far.
func (m *model) of(kind llm.Kind) []llm.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []llm.Request
	for _, r := range m.requests {
		if r.Kind == kind {
			out = append(out, r)
		}
	}
	return out
}

func answer(text string, usage llm.Usage, calls ...llm.ToolCall) step {
	return func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		finish := llm.FinishStop
		if len(calls) > 0 {
			finish = llm.FinishTools
		}
		if text != "" && !yield(llm.Text{Delta: text}, nil) {
			return
		}
		yield(llm.Done{Message: llm.Message{Role: llm.Assistant, Text: text, ToolCalls: calls}, Finish: finish, Usage: &usage}, nil)
	}
}

var some = llm.Usage{Prompt: 100, Completion: 10, Total: 110}

func say(text string) step { return answer(text, some) }

func use(calls ...llm.ToolCall) step { return answer("", some, calls...) }

func note(text string, calls ...llm.ToolCall) step { return answer(text, some, calls...) }

func fail(class llm.Class) step {
	return func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		yield(nil, &llm.Fault{Class: class, Text: "the provider is on fire"})
	}
}

func hang(ctx context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
	<-ctx.Done()
	yield(nil, ctx.Err())
}

func call(id, name, args string) llm.ToolCall {
	return llm.ToolCall{ID: id, Name: name, Arguments: args}
}

// fake is a tool whose behaviour a test gives.
type fake struct {
	name string
	risk func(args json.RawMessage) tool.Risk
	run  func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error)
}

func (f *fake) Spec() tool.Spec {
	return tool.Spec{Name: f.name, Description: f.name, Parameters: json.RawMessage(`{"type":"object","additionalProperties":true}`), MaxOutput: 40_000}
}

func (f *fake) Risk(args json.RawMessage) tool.Risk {
	if f.risk == nil {
		return tool.Risk{Effect: event.Read}
	}
	return f.risk(args)
}

func (f *fake) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	return f.run(ctx, env, args)
}

// searching looks up the page that its query names.
func searching(name string) *fake {
	return &fake{name: name, run: func(_ context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
		var p struct {
			Query string `json:"query"`
		}
		_ = json.Unmarshal(args, &p)
		url := "https://a.example/" + p.Query
		id := env.Evidence(event.Evidence{Tool: name, Operation: "search", URL: url, SHA256: "00"})
		return tool.Success(fmt.Sprintf("found it\n\n[%s] %s", id, url)), nil
	}}
}

// rig is a session with the research tool.
type rig struct {
	t     *testing.T
	agent *agent.Agent
	j     *journal.Journal
	store journal.Store
	done  chan error
	stop  context.CancelFunc
	seen  int64
	ended bool
}

type setup struct {
	settings agent.Settings
	policy   policy.Options
	options  research.Options
	tools    []tool.Tool // those that sub-agents could have
	store    journal.Store
	resume   bool
}

func start(t *testing.T, m *model, change func(*setup)) *rig {
	t.Helper()
	s := setup{
		settings: agent.Settings{Model: "test/model", Effort: llm.EffortMax, Stream: true, MaxIterations: 50, Workdir: "/w", Version: "v", Runtime: "local"},
		policy:   policy.Options{Mode: policy.ModeUpstream, Workspace: []string{"/w"}},
		store:    journal.NewMemory(),
	}
	if change != nil {
		change(&s)
	}
	if m.info.ID == "" {
		m.info = llm.Info{ID: "test/model", Provider: "test", Label: "test", Window: 200_000, WindowKnown: true, Prices: &llm.Prices{}, PriceSource: llm.PriceTable}
	}
	if s.options.Tools == nil {
		s.options.Tools = func() []tool.Tool { return s.tools }
	}
	it, err := research.New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.Context(), journal.Options{Store: s.store, SessionID: session})
	if err != nil {
		t.Fatal(err)
	}
	events, err := s.store.Read(t.Context(), session, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	state, err := history.Load(events)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.New(s.policy)
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{
		SessionID: session, Journal: j, State: state, KeepSystem: true,
		Caller:   inference.New(inference.Options{Model: m, Describe: m.Describe, Estimate: window.Text, MaxRetries: -1}),
		Describe: m.Describe, Tools: append([]tool.Tool{it}, s.tools...), Policy: p, Settings: s.settings, System: func() string { return "main" },
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, agent: a, j: j, store: s.store, done: make(chan error, 1), seen: j.LastSeq()}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- a.Run(ctx, s.resume) }()
	t.Cleanup(r.kill)
	return r
}

func (r *rig) kill() {
	if !r.ended {
		r.ended = true
		r.stop()
		<-r.done
	}
}

func (r *rig) ask(text string) {
	r.t.Helper()
	if err := r.agent.Submit(context.Background(), event.Submission{Operation: event.UserInput{Text: text}}); err != nil {
		r.t.Fatal(err)
	}
}

// until reads on to an event that is the one.
func (r *rig) until(is func(event.Event) bool) []event.Event {
	r.t.Helper()
	var got []event.Event
	for ev, err := range r.j.Follow(context.Background(), r.seen) {
		if err != nil {
			r.t.Fatal(err)
		}
		r.seen = ev.Seq
		if got = append(got, ev); is(ev) {
			return got
		}
	}
	r.t.Fatal("the journal ended early")
	return nil
}

func (r *rig) ending() []event.Event {
	r.t.Helper()
	return r.until(func(ev event.Event) bool { return ev.Type.Ends() })
}

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

// logs are the progress lines of research, by the agent's id.
func logs(t *testing.T, events []event.Event) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, l := range find[event.ToolLog](t, events) {
		if l.Tool == "research" {
			out[l.AgentID] = append(out[l.AgentID], l.Log)
		}
	}
	return out
}

// reports are the results of the main conversation's research calls.
func reports(t *testing.T, events []event.Event) []event.ToolOutput {
	t.Helper()
	var out []event.ToolOutput
	for _, o := range find[event.ToolOutput](t, events) {
		if o.Tool == "research" && o.AgentID == "" {
			out = append(out, o)
		}
	}
	return out
}
