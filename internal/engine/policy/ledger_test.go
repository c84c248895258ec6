package policy_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

const dollar = int64(1_000_000)

func jobCost(micro int64) tool.Cost {
	return tool.Cost{Kind: event.SpendJob, MicroUSD: micro, Known: true, Source: "static"}
}

func spent(t *testing.T, usd float64) *policy.Ledger {
	t.Helper()
	l := &policy.Ledger{}
	amount := policy.Micro(usd)
	l.Apply(event.Spend{ID: "llm-1", Kind: event.SpendLLM, State: event.SpendSettled, MicroUSD: &amount})
	return l
}

// Acceptance check 18 of the agent.
func TestCheck18_Cap(t *testing.T) {
	l := spent(t, 1)
	if b := l.Check(5*dollar, jobCost(2*dollar)); b != nil {
		t.Fatalf("blocked: %+v", b)
	}
	l.Apply(l.Reserve("call_1", "call_1", jobCost(2*dollar)))
	if l.Spent() != 3*dollar {
		t.Errorf("ledger %d, want 3 dollars", l.Spent())
	}
	b := spent(t, 4).Check(5*dollar, jobCost(2*dollar))
	if b == nil || *b.RemainingCapUSD != 1 || *b.EstimatedCostUSD != 2 || !b.AutoApprovalBlocked {
		t.Fatalf("block %+v", b)
	}
	for _, want := range []string{"exceeds", "$2.00", "$1.00"} {
		if !strings.Contains(b.BlockReason, want) {
			t.Errorf("reason %q lacks %q", b.BlockReason, want)
		}
	}
	batch := (&policy.Ledger{}).Batch(5 * dollar)
	if b := batch.Check(jobCost(3 * dollar)); b != nil {
		t.Fatalf("first job blocked: %+v", b)
	}
	if b := batch.Check(jobCost(3 * dollar)); b == nil || *b.RemainingCapUSD != 2 {
		t.Errorf("second job: %+v, want 2 dollars left", b)
	}
}

// Acceptance check 19 of the agent.
func TestCheck19_SandboxEstimates(t *testing.T) {
	l := &policy.Ledger{}
	b := l.Check(5*dollar, tool.Cost{Kind: event.SpendSandbox, MicroUSD: 40 * dollar, Known: true})
	if b == nil || *b.EstimatedCostUSD != 40 || *b.RemainingCapUSD != 5 {
		t.Errorf("h200x8: %+v", b)
	}
	b = l.Check(5*dollar, tool.Cost{Kind: event.SpendSandbox, Reason: "no price for x9000"})
	if b == nil || b.EstimatedCostUSD != nil || b.BlockReason != "no price for x9000" {
		t.Errorf("unknown hardware: %+v", b)
	}
	if b := l.Check(5*dollar, tool.Cost{}); b == nil || b.BlockReason == "" {
		t.Errorf("unknown without a reason: %+v", b)
	}
	if b := l.Check(0, tool.Cost{}); b != nil {
		t.Errorf("without a cap: %+v", b)
	}
	full := spent(t, 9)
	if b := full.Check(5*dollar, jobCost(0)); b != nil {
		t.Errorf("a free call: %+v", b)
	}
	if r := full.Remaining(5 * dollar); r == nil || *r != 0 || full.Remaining(0) != nil || !full.Exhausted(5*dollar) {
		t.Errorf("remaining %v", r)
	}
}

// Acceptance check 20 of the agent, the ledger's part.
func TestCheck20_Reconcile(t *testing.T) {
	zero, half := int64(0), dollar/2
	cost := tool.Cost{Kind: event.SpendSandbox, MicroUSD: 1_250_000, Known: true, USDPerHour: 1.25, Source: "static"}
	for _, c := range []struct {
		name   string
		settle func(l *policy.Ledger) event.Spend
		want   int64
	}{
		{"actual", func(l *policy.Ledger) event.Spend { return l.Settle("s", &half) }, 1_500_000},
		{"unknown", func(l *policy.Ledger) event.Spend { return l.Settle("s", nil) }, 2_250_000},
		{"zero without permission", func(l *policy.Ledger) event.Spend { return l.Settle("s", &zero) }, 2_250_000},
		{"zero with permission", func(l *policy.Ledger) event.Spend { return l.SettleExact("s", 0) }, 1_000_000},
		{"released", func(l *policy.Ledger) event.Spend { return l.Release("s") }, 1_000_000},
	} {
		l := spent(t, 1)
		l.Apply(l.Reserve("s", "call_7", cost))
		if settled, reserved, _ := l.Total(); settled != dollar || reserved != 1_250_000 || l.Spent() != 2_250_000 {
			t.Fatalf("reserved: %d and %d", settled, reserved)
		}
		if open := l.Open(event.SpendSandbox); len(open) != 1 || open[0].ID != "s" {
			t.Errorf("open %v", open)
		}
		s := c.settle(l)
		l.Apply(s)
		settled, reserved, incomplete := l.Total()
		if settled != c.want || reserved != 0 || incomplete || len(l.Open(event.SpendSandbox)) != 0 {
			t.Errorf("%s: settled %d reserved %d, want %d and 0", c.name, settled, reserved, c.want)
		}
		if s.ToolCallID != "call_7" || s.Kind != event.SpendSandbox || *s.USDPerHour != 1.25 || s.PriceSource != "static" {
			t.Errorf("%s: the entry forgot what it is: %+v", c.name, s)
		}
	}
	l := spent(t, 1)
	l.Apply(l.Reserve("j", "j", jobCost(dollar)))
	l.Apply(l.Settle("j", &zero))
	if l.Spent() != dollar {
		t.Errorf("a job that took no time costs %d", l.Spent()-dollar)
	}
}

func TestUnknownAmounts(t *testing.T) {
	l := &policy.Ledger{}
	l.Apply(l.Settle("call", nil))
	if settled, _, incomplete := l.Total(); settled != 0 || !incomplete {
		t.Errorf("settled %d, incomplete %v", settled, incomplete)
	}
	l.Apply(l.Release("call"))
	if _, _, incomplete := l.Total(); incomplete {
		t.Error("a released entry leaves the sum incomplete")
	}
}

// TestLedgerFold: the sum depends on the newest event of each id alone, and
// what is checked before it is reserved never exceeds the cap.
func TestLedgerFold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l, newest := &policy.Ledger{}, &policy.Ledger{}
		last := map[string]event.Spend{}
		spendingCap := rapid.Int64Range(1, 10*dollar).Draw(rt, "cap")
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "id")
			amount := rapid.Int64Range(0, 3*dollar).Draw(rt, "amount")
			var s event.Spend
			old, exists := last[id]
			switch rapid.IntRange(0, 2).Draw(rt, "step") {
			case 0:
				if exists || l.Check(spendingCap, jobCost(amount)) != nil {
					continue
				}
				s = l.Reserve(id, id, jobCost(amount))
			case 1:
				if !exists || old.State != event.SpendReserved {
					continue
				}
				amount = min(amount, *old.MicroUSD)
				s = l.Settle(id, &amount)
			case 2:
				if !exists || old.State != event.SpendReserved {
					continue
				}
				s = l.Release(id)
			}
			l.Apply(s)
			last[id] = s
			if l.Spent() > spendingCap {
				rt.Fatalf("spent %d of %d", l.Spent(), spendingCap)
			}
		}
		for _, s := range last {
			newest.Apply(s)
		}
		if l.Spent() != newest.Spent() {
			rt.Fatalf("fold %d, newest entries %d", l.Spent(), newest.Spent())
		}
	})
}

// Acceptance check 22 of the agent, the thresholds.
func TestCheck22_Thresholds(t *testing.T) {
	for _, c := range []struct{ spend, acknowledged, want float64 }{
		{4.99, 5, 5},
		{5, 5, 10},
		{12.25, 5, 20},
		{40, 20, 80},
		{0, 0, 5},
		{7, -1, 10},
		{7, math.NaN(), 10},
		{math.NaN(), 5, 5},
		{7, math.Inf(1), 10},
	} {
		if got := policy.NextThreshold(c.spend, c.acknowledged); got != c.want {
			t.Errorf("next(%v, %v) = %v, want %v", c.spend, c.acknowledged, got, c.want)
		}
	}
	_ = policy.NextThreshold(math.Inf(1), 5) // ends
}

func TestCrossed(t *testing.T) {
	for _, c := range []struct {
		before, after, want float64
		crossed             bool
	}{
		{0, 4.99, 0, false},
		{4.99, 5, 5, true},
		{5, 9.99, 0, false},
		{0, 21, 20, true},
		{9, 10, 10, true},
		{10, 10, 0, false},
		{0, math.Inf(1), 0, false},
	} {
		if got, crossed := policy.Crossed(c.before, c.after); got != c.want || crossed != c.crossed {
			t.Errorf("crossed(%v, %v) = %v %v", c.before, c.after, got, crossed)
		}
	}
}

func TestWorstCase(t *testing.T) {
	prices := &llm.Prices{Input: 3, Output: 15, CacheRead: 0.3}
	for _, c := range []struct {
		prompt, output int
		want           int64
	}{{1000, 100, 3000 + 1500}, {1000, 64_000, 3000 + 8192*15}, {0, 0, 8192 * 15}, {-5, 1, 15}} {
		if got, known := policy.WorstCase(c.prompt, c.output, prices); got != c.want || !known {
			t.Errorf("worst case of %d and %d = %d, want %d", c.prompt, c.output, got, c.want)
		}
	}
	if _, known := policy.WorstCase(1, 1, nil); known {
		t.Error("known without prices")
	}
	if got, known := policy.WorstCase(1000, 10, &llm.Prices{}); got != 0 || !known {
		t.Error("a free model is not free")
	}
}
