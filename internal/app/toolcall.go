package app

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/agent/direct"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// Tools makes the tools of a throwaway session, for people to look at.
func (a *App) Tools(ctx context.Context) ([]tool.Tool, error) { return a.tools(ctx, newID()) }

// Direct opens a session for calls without a conversation: those of another
// program, or from the shell. Where readOnly is set the tools only look, whatever
// the settings say. Close it when done.
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
		Settings: a.callSettings(),
	})
}

// callSettings are those of calls outside a conversation.
func (a *App) callSettings() agent.Settings {
	c := a.Config()
	usd, byUser := c.CostCap(true)
	return agent.Settings{
		Model: a.Model(), Effort: llm.Effort(c.ReasoningEffort), MaxIterations: -1, MaxParallel: c.MaxParallelTools,
		CapMicroUSD: int64(usd*1e6 + 0.5), CapByUser: byUser,
		Headless: true, Workdir: a.Loaded.Dir, Version: Version(), Runtime: c.ToolRuntime,
	}
}
