package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app/hands"
	"github.com/ml-intern/ml-intern/internal/app/leftovers"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/window"
	"github.com/ml-intern/ml-intern/internal/sink/sessionlog"
)

// SessionRequest says which session to open; the zero value is a new one.
type SessionRequest struct {
	Continue bool   // the newest session of the working directory
	Resume   string // id, prefix, number or path
	Fork     bool   // go on in a copy under a new id
	ID       string // id of a new session; empty for a random one
	Prompt   bool   // new input follows: an unfinished turn is left behind
}

// Session is a running session: an agent with its journal and its followers.
type Session struct {
	ID    string
	After int64 // number of the newest event before this run
	// Unfinished says that a turn was cut short earlier, or that a message
	// waits which no turn has begun with.
	Unfinished bool
	Tools      []string
	// Evidence is what the session looked up before this run.
	Evidence []event.Evidence

	app     *App
	agent   *agent.Agent
	journal *journal.Journal
	cancel  context.CancelFunc
	wait    sync.WaitGroup
	// overhead is the size of the system prompt and the tools, in tokens.
	overhead int
	specs    []json.RawMessage // the tools as a session file lists them
	once     sync.Once
	mu       sync.Mutex // guards what follows
	err      error
	log      *sessionlog.Log // nil while no file is kept
}

// OpenSession builds a session and starts it. Close it when done.
func (a *App) OpenSession(ctx context.Context, req SessionRequest) (*Session, error) {
	found, err := a.locate(ctx, req)
	if err != nil {
		return nil, err
	}
	s := &Session{ID: found.id, app: a}
	if s.journal, err = a.openJournal(ctx, found.id); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, found, req.Prompt); err != nil {
		return nil, errors.Join(err, a.giveUp(ctx, found))
	}
	info, err := a.Models.Describe(ctx, s.Settings().Model)
	a.identify(err != nil || info.Local)
	a.sweep()
	s.start(ctx, !req.Prompt)
	return s, nil
}

// prepare makes everything a session needs and checks that there is something
// to do and a model that can do it. Only then does a session that goes on in
// place say so in its journal.
func (s *Session) prepare(ctx context.Context, found located, prompt bool) error {
	a := s.app
	tools, err := a.tools(ctx, s.ID)
	if err != nil {
		return err
	}
	for _, t := range tools {
		s.Tools = append(s.Tools, t.Spec().Name)
	}
	if s.specs, err = toolSpecs(tools); err != nil {
		return err
	}
	s.After = s.journal.LastSeq()
	state, err := a.begin(ctx, s, found)
	if err != nil {
		return err
	}
	s.Unfinished, s.Evidence = state.Turn != nil || len(state.Queue) > 0, state.Evidence
	if a.headless && !prompt && !s.Unfinished {
		return &UsageError{fmt.Errorf("session %s has nothing unfinished: give a prompt to go on with", s.ID)}
	}
	if err := s.build(state, tools); err != nil {
		return err
	}
	if err := a.CheckModel(ctx, s.agent.Settings(), s.overhead); err != nil {
		return err
	}
	if found.path != "" {
		if _, err := s.journal.Append(ctx, "", append([]event.Payload{reopened(found.path, state)}, leftovers.Lines(state)...)...); err != nil {
			return fmt.Errorf("write to session %s: %w", s.ID, err)
		}
	}
	hands.Prefetch(tools)
	return nil
}

// giveUp releases a session that could not be opened; a copy that was begun
// for it goes.
func (a *App) giveUp(ctx context.Context, found located) error {
	err := a.release(found.id)
	if found.imported != nil && a.memory == nil {
		err = errors.Join(err, a.store.Remove(ctx, found.id))
	}
	return err
}

// openJournal takes a session for writing.
func (a *App) openJournal(ctx context.Context, id string) (*journal.Journal, error) {
	j, err := journal.Open(ctx, journal.Options{Store: a.events(), SessionID: id, Scrub: a.scrub})
	var held *store.HeldError
	if errors.As(err, &held) {
		return nil, &UsageError{fmt.Errorf("session %s is in use by process %d", held.SessionID, held.PID)}
	}
	if err != nil {
		return nil, fmt.Errorf("open session %s: %w", id, err)
	}
	return j, nil
}

// begin folds what the journal holds. What a copy or an import brings is
// written first.
func (a *App) begin(ctx context.Context, s *Session, f located) (*history.State, error) {
	if f.imported != nil {
		opening, err := a.restored(f.imported, s.Tools)
		if err != nil {
			return nil, err
		}
		if _, err := s.journal.Append(ctx, "", opening...); err != nil {
			return nil, fmt.Errorf("write the restored session: %w", err)
		}
	}
	events, err := a.events().Read(ctx, s.ID, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("read session %s: %w", s.ID, err)
	}
	state, err := history.Load(events)
	if err != nil {
		return nil, fmt.Errorf("read session %s: %w", s.ID, err)
	}
	if f.imported != nil { // the system prompt was made a moment ago
		state.Version, state.Runtime = Version(), a.Config().ToolRuntime
	}
	return state, nil
}

// build makes the agent.
func (s *Session) build(state *history.State, tools []tool.Tool) error {
	a := s.app
	rules, err := a.policy(s.ID)
	if err != nil {
		return err
	}
	caller := inference.New(inference.Options{
		Model: a.Models, Describe: a.Models.Describe, Estimate: window.Text, MaxRetries: a.retries(),
	})
	settings := a.settings(state)
	system, err := a.systemPrompt(s.Tools, settings)
	if err != nil {
		return err
	}
	s.overhead = window.Text(system)
	for _, t := range tools {
		spec := t.Spec()
		s.overhead += window.Tool(llm.ToolSpec{Name: spec.Name, Description: spec.Description, Parameters: spec.Parameters})
	}
	s.agent, err = agent.New(agent.Options{
		SessionID: s.ID, Journal: s.journal, State: state, Caller: caller, Describe: a.Models.Describe, Count: a.Models.Count,
		Tools: tools, Policy: rules, Settings: settings,
		System:      func() string { return system },
		KeepSystem:  a.keepsSystem(state, settings),
		ScrubStream: func() agent.StreamFilter { return a.secrets.Scrubber().Stream() },
		Debug:       a.Debug,
	})
	return err
}

// start runs the agent and the followers until Close.
func (s *Session) start(ctx context.Context, resume bool) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.wait.Go(func() {
		err := s.agent.Run(ctx, resume)
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
		s.journal.Close()
	})
	for _, follow := range s.app.followers() {
		s.wait.Go(func() {
			if err := follow(context.WithoutCancel(ctx), s); err != nil {
				s.app.Debug("follower: " + err.Error())
			}
		})
	}
}

// Submit hands over an operation.
func (s *Session) Submit(ctx context.Context, sub event.Submission) error {
	return s.agent.Submit(ctx, sub)
}

// Interrupt ends the running turn.
func (s *Session) Interrupt() { s.agent.Interrupt() }

// Follow yields every event after the given number.
func (s *Session) Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
	return s.journal.Follow(ctx, after)
}

// Err is why the session ended.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Settings are the values the session runs with.
func (s *Session) Settings() agent.Settings { return s.agent.Settings() }

// Close ends the session, waits for its followers and releases it.
func (s *Session) Close() error {
	s.once.Do(func() {
		s.cancel()
		s.wait.Wait()
		err := s.app.release(s.ID)
		s.mu.Lock()
		s.err = errors.Join(s.err, err)
		s.mu.Unlock()
	})
	return s.Err()
}

// LogPath is the session's JSON file, empty while there is none.
func (s *Session) LogPath() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log == nil {
		return ""
	}
	return s.log.Path()
}

// settings are the engine's settings from the configuration; a session that
// goes on keeps its model unless another was chosen.
func (a *App) settings(state *history.State) agent.Settings {
	c := a.Config()
	usd, byUser := c.CostCap(a.headless)
	set := agent.Settings{
		Model: a.Model(), Effort: llm.Effort(c.ReasoningEffort), Stream: !a.noStream,
		MaxIterations: c.MaxIterations, MaxParallel: c.MaxParallelTools,
		CapMicroUSD: int64(usd*1e6 + 0.5), CapByUser: byUser, Headless: a.headless,
		Workdir: a.Loaded.Dir, Version: Version(), Runtime: c.ToolRuntime,
	}
	if state.Model != "" && !a.modelChosen && a.Models.Validate(state.Model) == nil {
		set.Model = state.Model
	}
	return set
}

// keepsSystem reports whether the stored system prompt still holds: it was
// rendered by this version for this runtime.
func (a *App) keepsSystem(state *history.State, set agent.Settings) bool {
	return state.Version == set.Version && state.Runtime == set.Runtime
}

// newID returns a random session id.
func newID() string { return uuid.NewString() }
