package direct_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// A yes to everything reaches what would ask, and neither what is forbidden nor
// what is beyond the cap.
func TestApproved(t *testing.T) {
	costs := tool.Risk{Effect: event.Once, Gate: tool.Ask, Reason: "it costs money", Cost: &tool.Cost{Kind: event.SpendJob, MicroUSD: 600_000, Known: true, Source: "static"}}
	for name, tt := range map[string]struct {
		risk tool.Risk
		deny []string
		cap  int64
		runs bool
	}{
		"would ask":      {risk: tool.Risk{Effect: event.Once, Gate: tool.Ask, Reason: "x"}, runs: true},
		"needs a person": {risk: tool.Risk{Effect: event.Once, Gate: tool.Always, Reason: "x"}, runs: true},
		"forbidden":      {risk: acts, deny: []string{"x"}},
		"affordable":     {risk: costs, cap: 1_000_000, runs: true},
		"beyond the cap": {risk: costs, cap: 100_000},
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			f := newFake("x", tt.risk, func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
				ran = true
				return tool.Success("done"), nil
			})
			s := open(t, func(o *setup.Options, p *policy.Options) {
				o.Settings.CapMicroUSD, o.Settings.CapByUser, p.Deny = tt.cap, true, tt.deny
			}, f)
			s.Approve()
			if o := do(t, s, "x", `{}`); ran != tt.runs || o.OK != tt.runs {
				t.Errorf("ran %v: %+v", ran, o)
			}
		})
	}
}
