package app

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/app/oneshot"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
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
	usd, byUser := a.Config().CostCap(true)
	ag, err := agent.New(agent.Options{
		SessionID: id, Journal: events, Describe: model.Describe, Tools: tools, Policy: rules, Debug: a.Debug,
		Caller: inference.New(inference.Options{Model: model, Describe: model.Describe, Estimate: window.Text}),
		System: func() string { return "Calls from the command line." },
		Settings: agent.Settings{
			Model: oneshot.Model, MaxIterations: -1, CapMicroUSD: int64(usd*1e6 + 0.5), CapByUser: byUser,
			Headless: !run.Approve, Workdir: a.Loaded.Dir, Version: Version(), Runtime: a.Config().ToolRuntime,
		},
	})
	if err != nil {
		return err
	}
	return run.Drive(ctx, ag, model, events)
}
