// Package approval is what stands between the engine and a person: the open
// approval request, how it is shown, and what an answer does to a call. It
// neither runs calls nor keeps the session's state.
package approval

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Kind says what an open gate asks.
type Kind string

// The kinds; those about money are the engine's own.
const (
	Tools     Kind = "tools"
	Budget    Kind = "yolo_budget"
	Threshold Kind = "usage_threshold"
)

// Continuations of the gates about money.
const (
	ContinueAgent = "continue_agent"
	CompleteTurn  = "complete_turn"
)

// Gate is the open approval request. Calls hold what was shown: exactly that
// runs.
type Gate struct {
	Kind         Kind
	ID           string // approval id; for gates about money also the call id
	Calls        []*execution.Call
	Continuation string
	Final        *string // what a delayed turn_complete will tell
	// Origin is the text from outside that was read before the calls.
	Origin []event.Origin

	Threshold float64 // USD, of a usage gate
	Reason    string  // why a budget gate opened
	SpendKind string  // what the money went for
	// Next is what comes next at worst, in millionths of a dollar; nil when
	// unknown.
	Next *int64
}

// NewBudget returns a gate at the spending cap.
func NewBudget(reason, spendKind string, next *int64) *Gate {
	return &Gate{
		Kind: Budget, ID: "yolo-budget-" + randomHex(5), Continuation: ContinueAgent, Reason: reason,
		SpendKind: spendKind, Next: next,
	}
}

// NewThreshold returns a gate at a spending threshold.
func NewThreshold(usd float64, continuation string, final *string) *Gate {
	return &Gate{
		Kind: Threshold, ID: "usage-threshold-" + randomHex(5), Continuation: continuation, Final: final, Threshold: usd,
	}
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Restore returns a gate about money that was open before a restart.
func Restore(in *history.Gate) *Gate {
	g := &Gate{Kind: Threshold, ID: in.ApprovalID, Continuation: in.Continuation, Final: in.FinalResponse}
	if in.YoloBudget {
		g.Kind = Budget
	}
	if len(in.Tools) == 0 {
		return g
	}
	var said struct {
		Threshold float64  `json:"threshold_usd"`
		Reason    string   `json:"reason"`
		SpendKind string   `json:"spend_kind"`
		Next      *float64 `json:"estimated_next_usd"`
	}
	_ = json.Unmarshal(in.Tools[0].Arguments, &said) // what is missing is asked without
	g.ID, g.Threshold, g.Reason, g.SpendKind = in.Tools[0].ToolCallID, said.Threshold, said.Reason, said.SpendKind
	if said.Next != nil {
		next := policy.Micro(*said.Next)
		g.Next = &next
	}
	return g
}

// Affordable reports whether an approval of a budget gate lets the turn go on.
func (g *Gate) Affordable(capMicro, spentMicro int64) bool {
	if capMicro <= 0 {
		return true
	}
	left := capMicro - spentMicro
	return left > 0 && (g.Next == nil || left >= *g.Next)
}

// ToolEvent shows a gate for tool calls.
func (g *Gate) ToolEvent(blocks map[string]*event.Block) event.ApprovalRequired {
	ev := event.ApprovalRequired{ApprovalID: g.ID, Count: len(g.Calls)}
	for _, c := range g.Calls {
		b := blocks[c.ID]
		ev.Tools = append(ev.Tools, event.GatedCall{
			Tool: c.Name, ToolCallID: c.ID, Arguments: c.ShownArguments(), Reason: cmp.Or(c.Why, c.Risk.Reason),
			Origin: g.Origin, Cost: worstCase(c.Risk.Cost), Rules: c.Rules, Block: b,
		})
		if ev.Block == nil {
			ev.Block = b
		}
	}
	return ev
}

// worstCase tells what a call may spend.
func worstCase(c *tool.Cost) *event.WorstCase {
	if c == nil {
		return nil
	}
	w := &event.WorstCase{USDPerHour: c.USDPerHour, PriceSource: c.Source, Reason: c.Reason}
	if c.Known {
		usd := policy.USD(c.MicroUSD)
		w.USD = &usd
	}
	return w
}

// BudgetEvent shows the gate at the cap with the numbers of the moment.
func (g *Gate) BudgetEvent(capUSD, spentUSD float64, remaining *float64) event.ApprovalRequired {
	var next *float64
	if g.Next != nil {
		usd := policy.USD(*g.Next)
		next = &usd
	}
	block := &event.Block{
		AutoApprovalBlocked: true, BlockReason: g.Reason, EstimatedCostUSD: next, RemainingCapUSD: remaining,
	}
	ev := g.moneyEvent(map[string]any{
		"cap_usd": capUSD, "current_spend_usd": round6(spentUSD), "remaining_cap_usd": remaining,
		"estimated_next_usd": next, "spend_kind": g.SpendKind, "reason": g.Reason,
	})
	ev.YoloBudget, ev.Block, ev.Tools[0].Block = true, block, block
	return ev
}

// ThresholdEvent shows the gate at a spending threshold; next is the one that
// an approval leads to.
func (g *Gate) ThresholdEvent(spentUSD, next float64) event.ApprovalRequired {
	ev := g.moneyEvent(map[string]any{
		"threshold_usd": g.Threshold, "current_spend_usd": round6(spentUSD), "next_threshold_usd": next,
		"billing_source": "app_telemetry_session",
	})
	ev.UsageThreshold = true
	return ev
}

func (g *Gate) moneyEvent(arguments map[string]any) event.ApprovalRequired {
	raw, err := event.Encode(arguments)
	if err != nil { // numbers and texts always encode
		raw = []byte("{}")
	}
	return event.ApprovalRequired{
		ApprovalID: g.ID, Count: 1, Continuation: g.Continuation, FinalResponse: g.Final,
		Tools: []event.GatedCall{{Tool: string(g.Kind), ToolCallID: g.ID, Arguments: raw}},
	}
}

// Abandoned are the events that tell that nobody will answer.
func (g *Gate) Abandoned() []event.Payload {
	var ps []event.Payload
	for _, c := range g.Calls {
		ps = append(ps, event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "abandoned"})
	}
	if g.Kind != Tools {
		ps = append(ps, event.ToolStateChange{ToolCallID: g.ID, Tool: string(g.Kind), State: "abandoned"})
	}
	return ps
}

// Decision are the events that tell the answer to a gate about money.
func (g *Gate) Decision(state, text string) []event.Payload {
	return []event.Payload{
		event.ToolStateChange{ToolCallID: g.ID, Tool: string(g.Kind), State: state},
		event.ToolOutput{Tool: string(g.Kind), ToolCallID: g.ID, Output: text, Success: state == "approved"},
	}
}

func round6(v float64) float64 { return float64(int64(v*1e6+0.5)) / 1e6 }
