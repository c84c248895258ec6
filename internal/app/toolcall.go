package app

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/app/oneshot"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/agent/direct"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// Tools makes the tools of a throwaway session, for people to look at.
func (a *App) Tools(ctx context.Context) ([]tool.Tool, error) { return a.tools(ctx, newID()) }

// CallTools runs calls in a session of their own that leaves nothing behind,
// with the tools, rules and environment of every session.
func (a *App) CallTools(ctx context.Context, run oneshot.Run) error {
	id := newID()
	tools, err := a.tools(ctx, id)
	if err != nil {
		return err
	}
	rules, err := a.policy(id)
	if err != nil {
		return err
	}
	events, err := journal.Open(ctx, journal.Options{Store: journal.NewMemory(), SessionID: id, Scrub: a.scrub})
	if err != nil {
		return err
	}
	model := oneshot.NewScript(run.Calls)
	ag, err := agent.New(agent.Options{
		SessionID: id, Journal: events, Describe: model.Describe, Tools: tools, Policy: rules, Hooks: a.hooks.Calls(), Debug: a.Debug,
		Caller:   inference.New(inference.Options{Model: model, Describe: model.Describe, Estimate: window.Text}),
		System:   func() string { return "Calls from the command line." },
		Settings: a.callSettings(oneshot.Model, !run.Approve),
	})
	if err != nil {
		return err
	}
	return run.Drive(ctx, ag, model, events)
}

// Direct opens a session for the calls of another program. Where readOnly is set
// the tools only look, whatever the settings say. Close it when done.
func (a *App) Direct(ctx context.Context, readOnly bool) (*direct.Session, error) {
	id := newID()
	tools, err := a.tools(ctx, id)
	if err != nil {
		return nil, err
	}
	rules, err := a.policy(id)
	if err == nil && readOnly {
		err = rules.SetMode(policy.ModePlan)
	}
	if err != nil {
		return nil, err
	}
	return direct.New(agent.Options{
		SessionID: id, Describe: a.Models.Describe, Tools: tools, Policy: rules, Hooks: a.hooks.Calls(), Debug: a.Debug,
		Caller: inference.New(inference.Options{
			Model: a.Models, Describe: a.Models.Describe, Estimate: window.Text, MaxRetries: a.retries(),
		}),
		Settings: a.callSettings(a.Model(), true),
	})
}

// callSettings are those of calls outside a conversation.
func (a *App) callSettings(model string, headless bool) agent.Settings {
	c := a.Config()
	usd, byUser := c.CostCap(true)
	return agent.Settings{
		Model: model, Effort: llm.Effort(c.ReasoningEffort), MaxIterations: -1, MaxParallel: c.MaxParallelTools,
		CapMicroUSD: int64(usd*1e6 + 0.5), CapByUser: byUser,
		Headless: headless, Workdir: a.Loaded.Dir, Version: Version(), Runtime: c.ToolRuntime,
	}
}
