package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/app/hands"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/app/live/tune"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/servers"
	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
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
	Later    bool   // input may follow: there need be nothing unfinished
	inside   bool   // asked from inside a session: no flag is to blame
}

// Session is a running session and what it was when it was opened.
type Session struct {
	*live.Session
	ID    string
	After int64 // number of the newest event before this run
	// Unfinished says that a turn was cut short earlier, or that a message
	// waits which no turn has begun with.
	Unfinished bool
	Tools      []string
	// Evidence is what the session looked up before this run.
	Evidence []event.Evidence

	app *App
	// overhead is the size of the system prompt and the tools, in tokens.
	overhead int
	specs    []json.RawMessage // the tools as a session file lists them
	mu       sync.Mutex        // guards what follows
	log      *sessionlog.Log   // nil while no file is kept
}

// OpenSession builds a session and starts it. Close it when done.
func (a *App) OpenSession(ctx context.Context, req SessionRequest) (*Session, error) {
	found, err := a.locate(ctx, req)
	if err != nil {
		return nil, err
	}
	s := &Session{ID: found.id, app: a}
	tools, err := s.equip(ctx)
	if err != nil {
		return nil, err
	}
	chapter, err := s.chapter(ctx, found, false)
	if err != nil {
		return nil, err
	}
	ag, err := s.prepare(ctx, found, chapter, tools, req.Prompt || req.Later)
	if err != nil {
		return nil, errors.Join(err, a.giveUp(ctx, found))
	}
	info, err := a.Models.Describe(ctx, ag.Settings().Model)
	a.identify(err != nil || info.Local)
	a.sweep()
	hands.Prefetch(tools)
	s.Start(ctx, ag, !req.Prompt)
	return s, nil
}

// equip makes the session's tools.
func (s *Session) equip(ctx context.Context) ([]tool.Tool, error) {
	tools, err := s.app.tools(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range tools {
		s.Tools = append(s.Tools, t.Spec().Name)
	}
	s.specs, err = document.ToolSpecs(tools)
	return tools, err
}

// prepare checks that there is something to do and a model that can do it. Only
// then does a session that goes on in place say so in its journal.
func (s *Session) prepare(ctx context.Context, found located, chapter *live.Chapter, tools []tool.Tool, prompt bool) (*agent.Agent, error) {
	a, state := s.app, chapter.State
	s.After, s.Unfinished, s.Evidence = chapter.After, state.Turn != nil || len(state.Queue) > 0, state.Evidence
	if a.unattended && !prompt && !s.Unfinished {
		return nil, &UsageError{Err: fmt.Errorf("session %s has nothing unfinished: give a prompt to go on with", s.ID)}
	}
	ag, err := s.build(chapter, tools)
	if err != nil {
		return nil, err
	}
	warnings, err := a.CheckModel(ctx, ag.Settings(), s.overhead)
	if err != nil {
		return nil, err
	}
	for _, line := range warnings {
		a.warn(line)
	}
	told := saved.Remarks(state, a.Loaded.Dir)
	if found.path != "" {
		told = append([]event.Payload{live.Reopened(found.path, state)}, told...)
	}
	if _, err := chapter.Journal.Append(ctx, "", told...); err != nil {
		return nil, fmt.Errorf("write to session %s: %w", s.ID, err)
	}
	return ag, nil
}

// build makes the agent, and the session around it.
func (s *Session) build(chapter *live.Chapter, tools []tool.Tool) (*agent.Agent, error) {
	a, state := s.app, chapter.State
	rules, err := a.policy(s.ID)
	if err != nil {
		return nil, err
	}
	caller := inference.New(inference.Options{
		Model: a.Models, Describe: a.Models.Describe, Estimate: window.Text, MaxRetries: a.retries(),
	})
	settings := a.settings(state)
	system, err := a.systemPrompt(s.Tools, settings, rules.Mode())
	if err != nil {
		return nil, err
	}
	s.overhead = window.Text(system)
	for _, t := range tools {
		spec := t.Spec()
		s.overhead += window.Tool(llm.ToolSpec{Name: spec.Name, Description: spec.Description, Parameters: spec.Parameters})
	}
	foreign := servers.Open(a.Servers(func(line string) { s.Note(line) }, s.Tools))
	s.Session = live.New(s.liveOptions(caller, rules, foreign), chapter)
	keep := a.keepsSystem(state, settings)
	ready := !keep
	var ag *agent.Agent
	ag, err = agent.New(agent.Options{
		SessionID: s.ID, Journal: chapter.Journal, State: state, Caller: caller, Describe: a.Models.Describe, Count: a.Models.Count,
		Tools: tools, Joining: foreign.Joining, Policy: rules, Settings: settings, Sessions: s.Sessions(), Checkpoints: chapter.Checkpoints, Hooks: a.hooks.Session(),
		System: func() string {
			if !ready { // a later session gets one of its own time
				if fresh, err := a.systemPrompt(s.Tools, ag.Settings(), rules.Mode()); err == nil {
					system = fresh
				}
			}
			ready = false
			return system
		},
		KeepSystem:  keep,
		ScrubStream: func() agent.StreamFilter { return a.secrets.Scrubber().Stream() },
		Debug:       a.Debug,
	})
	return ag, err
}

// liveOptions are what a session is made of beside its agent.
func (s *Session) liveOptions(caller *inference.Caller, rules *policy.Policy, beside live.Beside) live.Options {
	a := s.app
	o := live.Options{
		Followers: a.followers(s), Beside: beside,
		Open: s.another, Saved: a.saved, Tools: s.Tools, Version: Version(), Debug: a.Debug,
		Tune: live.Tune{Policy: rules, Tuner: tune.New(tune.Options{
			Models: a.Models, Caller: caller, YoloCapMicroUSD: policy.Micro(schema.DefaultCostCap),
			Fits: func(ctx context.Context, set agent.Settings) ([]string, error) {
				return a.CheckModel(ctx, set, s.overhead)
			},
		})},
	}
	if a.Config().InterruptJobs(a.headless) != "cancel" {
		o.Hub = a.Loaded.URL("HF_ENDPOINT").Value
	}
	return o
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
	usd, byUser := c.CostCap(a.unattended)
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
