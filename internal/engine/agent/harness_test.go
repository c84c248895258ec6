package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

const (
	testSession = "11111111-2222-4333-8444-555555555555"
	testModel   = "test/model"
)

// script is a model that plays steps: one step a call, the last one for ever
// when loop is set.
type script struct {
	mu       sync.Mutex
	steps    []step
	loop     bool
	requests []llm.Request
	info     llm.Info
	failure  error // of Describe
	wait     bool  // Describe takes a minute, or until nobody asks any more
}

// step answers one call.
type step func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool)

func (s *script) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		s.mu.Lock()
		n := len(s.requests)
		s.requests = append(s.requests, req)
		var st step
		switch {
		case n < len(s.steps):
			st = s.steps[n]
		case s.loop && len(s.steps) > 0:
			st = s.steps[len(s.steps)-1]
		}
		s.mu.Unlock()
		if st == nil {
			yield(nil, &llm.Fault{Class: llm.ClassInternal, Text: "the script has no more steps"})
			return
		}
		st(ctx, req, yield)
	}
}

func (s *script) Describe(ctx context.Context, _ string) (llm.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait {
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
			return llm.Info{}, ctx.Err()
		}
	}
	return s.info, s.failure
}

func (s *script) request(t *testing.T, n int) llm.Request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n >= len(s.requests) {
		t.Fatalf("the model was called %d times, want call %d", len(s.requests), n+1)
	}
	return s.requests[n]
}

func (s *script) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

var someUsage = llm.Usage{Prompt: 100, Completion: 10, Total: 110}

// say answers with text in the given pieces.
func say(pieces ...string) step {
	return func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		for _, p := range pieces {
			if !yield(llm.Text{Delta: p}, nil) {
				return
			}
		}
		u := someUsage
		yield(llm.Done{
			Message: llm.Message{Role: llm.Assistant, Text: strings.Join(pieces, "")}, Finish: llm.FinishStop, Usage: &u,
		}, nil)
	}
}

// use answers with tool calls.
func use(calls ...llm.ToolCall) step {
	return func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		u := someUsage
		yield(llm.Done{
			Message: llm.Message{Role: llm.Assistant, ToolCalls: append([]llm.ToolCall(nil), calls...)},
			Finish:  llm.FinishTools, Usage: &u,
		}, nil)
	}
}

// fail answers with a fault.
func fail(f llm.Fault) step {
	return func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		again := f
		yield(nil, &again)
	}
}

func call(id, name, args string) llm.ToolCall {
	return llm.ToolCall{ID: id, Name: name, Arguments: args}
}

// fake is a tool whose behaviour a test gives.
type fake struct {
	spec tool.Spec
	risk func(args json.RawMessage) tool.Risk
	run  func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error)
}

func (f *fake) Spec() tool.Spec { return f.spec }

func (f *fake) Risk(args json.RawMessage) tool.Risk {
	if f.risk == nil {
		return tool.Risk{Effect: event.Read}
	}
	return f.risk(args)
}

func (f *fake) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	if f.run == nil {
		return tool.Success(f.spec.Name + " ok"), nil
	}
	return f.run(ctx, env, args)
}

// anyArgs is a schema that takes every object.
const anyArgs = `{"type":"object","properties":{},"additionalProperties":true}`

func newFake(name string, run func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error)) *fake {
	return &fake{spec: tool.Spec{Name: name, Description: name, Parameters: json.RawMessage(anyArgs)}, run: run}
}

// rig is an agent with its surroundings.
type rig struct {
	t       *testing.T
	agent   *agent.Agent
	model   *script
	journal *journal.Journal
	store   journal.Store
	policy  *policy.Policy
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan error
	seen    int64
}

// setup is what a test may change before the agent is made.
type setup struct {
	settings agent.Settings
	policy   policy.Options
	tools    []tool.Tool
	joining  func(ctx context.Context) []tool.Tool
	hooks    agent.Hooks
	store    journal.Store
	state    *history.State
	resume   bool
	sessions agent.Sessions
	scrub    func([]byte) ([]byte, error)
	filter   func() agent.StreamFilter
	retries  int
	// newSystem renders another system prompt than the stored one.
	newSystem bool
	opening   []event.Payload // what the journal begins with
	leave     bool            // resume a state, but leave what was unfinished
	// checkpoints may be nil.
	checkpoints agent.Checkpoints
}

func start(t *testing.T, model *script, change func(*setup)) *rig {
	t.Helper()
	s := setup{
		settings: agent.Settings{Model: testModel, Stream: true, MaxIterations: 300, Workdir: "/w", Version: "v", Runtime: "local"},
		policy:   policy.Options{Mode: policy.ModeUpstream, Workspace: []string{"/w"}, ConfirmCPUJobs: true},
		store:    journal.NewMemory(), retries: -1,
	}
	if change != nil {
		change(&s)
	}
	if model.info.ID == "" {
		model.info = llm.Info{
			ID: testModel, Provider: "test", Label: "test", Window: 200_000, WindowKnown: true,
			Prices: &llm.Prices{}, PriceSource: llm.PriceTable,
		}
	}
	j, err := journal.Open(t.Context(), journal.Options{Store: s.store, SessionID: testSession, Scrub: s.scrub})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.opening) > 0 {
		if _, err := j.Append(t.Context(), "", s.opening...); err != nil {
			t.Fatal(err)
		}
	}
	if s.resume || len(s.opening) > 0 {
		events, err := s.store.Read(t.Context(), testSession, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if s.state, err = history.Load(events); err != nil {
			t.Fatal(err)
		}
	}
	p, err := policy.New(s.policy)
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{
		SessionID: testSession, Journal: j, State: s.state, KeepSystem: s.state != nil && !s.newSystem,
		Caller:   inference.New(inference.Options{Model: model, Describe: model.Describe, Estimate: window.Text, MaxRetries: s.retries}),
		Describe: model.Describe, Tools: s.tools, Joining: s.joining, Policy: p, Settings: s.settings,
		System: func() string {
			if s.newSystem {
				return "you are a new test"
			}
			return "you are a test"
		},
		Sessions: s.sessions, ScrubStream: s.filter, Checkpoints: s.checkpoints, Hooks: s.hooks,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, agent: a, model: model, journal: j, store: s.store, policy: p, done: make(chan error, 1), seen: j.LastSeq()}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	go func() { r.done <- a.Run(r.ctx, s.resume && !s.leave) }()
	t.Cleanup(r.stop)
	return r
}

// stop ends the agent as a killed process would end it, but waits for it.
func (r *rig) stop() {
	r.cancel()
	if r.done != nil {
		<-r.done
		r.done = nil
	}
}

func (r *rig) submit(op event.Operation) {
	r.t.Helper()
	if err := r.agent.Submit(context.Background(), event.Submission{ID: "sub_1", Operation: op}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) input(text string) { r.t.Helper(); r.submit(event.UserInput{Text: text}) }

// until reads on to the next event of one of the types and returns everything
// read, that event last.
func (r *rig) until(types ...event.Type) []event.Event {
	r.t.Helper()
	var got []event.Event
	for ev, err := range r.journal.Follow(context.Background(), r.seen) {
		if err != nil {
			r.t.Fatal(err)
		}
		r.seen = ev.Seq
		got = append(got, ev)
		for _, want := range types {
			if ev.Type == want {
				return got
			}
		}
	}
	r.t.Fatalf("the journal ended before %v; got %v", types, names(got))
	return nil
}

// turn submits text and returns the events up to the end of the turn.
func (r *rig) turn(text string) []event.Event {
	r.t.Helper()
	r.input(text)
	return r.ending()
}

func (r *rig) ending() []event.Event {
	r.t.Helper()
	return r.until(event.TypeTurnComplete, event.TypeError, event.TypeInterrupted, event.TypeApprovalRequired)
}

// hidden are the types that the expected lists leave out.
var hidden = map[event.Type]bool{
	event.TypeLLMCall: true, event.TypeAssistantChunk: true, event.TypeReasoningChunk: true, event.TypeInputAccepted: true,
	event.TypeTurnStarted: true, event.TypeHistoryMessage: true, event.TypeHistoryRewritten: true, event.TypeToolStarted: true,
	event.TypeSpend: true, event.TypeReady: true, event.TypeStreamEnd: true, event.TypeTurnResumed: true, event.TypeToolEffect: true,
	event.TypeSettings: true,
}

// names lists event types without the hidden ones.
func names(events []event.Event) []string {
	var out []string
	for _, ev := range events {
		if !hidden[ev.Type] {
			out = append(out, string(ev.Type))
		}
	}
	return out
}

func wantNames(t *testing.T, events []event.Event, want ...string) {
	t.Helper()
	if got := strings.Join(names(events), " "); got != strings.Join(want, " ") {
		t.Errorf("events:\n got %s\nwant %s", got, strings.Join(want, " "))
	}
}

// find decodes the events of type P.
func find[P event.Payload](t *testing.T, events []event.Event) []P {
	t.Helper()
	var zero P
	var out []P
	for _, ev := range events {
		if ev.Type != zero.Type() {
			continue
		}
		p, err := event.Decode[P](ev)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// one decodes the only event of type P.
func one[P event.Payload](t *testing.T, events []event.Event) P {
	t.Helper()
	all := find[P](t, events)
	if len(all) != 1 {
		var zero P
		t.Fatalf("%d events of type %s, want 1 (%v)", len(all), zero.Type(), names(events))
	}
	return all[0]
}

// valid fails when a request breaks the rule that every call has exactly one
// result right behind it.
func valid(t *testing.T, req llm.Request) {
	t.Helper()
	if err := check(req.Messages); err != nil {
		t.Error(err)
	}
}

func check(messages []llm.Message) error {
	for i := 0; i < len(messages); i++ {
		m := messages[i]
		if m.Role == llm.ToolRole {
			return fmt.Errorf("message %d is a result without a call", i)
		}
		for k, c := range m.ToolCalls {
			at := i + 1 + k
			if at >= len(messages) || messages[at].Role != llm.ToolRole || messages[at].ToolCallID != c.ID {
				return fmt.Errorf("call %s of message %d has no result in its place", c.ID, i)
			}
		}
		i += len(m.ToolCalls)
	}
	if len(messages) > 0 && messages[len(messages)-1].Role == llm.Assistant {
		return errors.New("the request ends with an assistant message")
	}
	return nil
}
