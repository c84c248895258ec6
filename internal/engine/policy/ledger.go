package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Micro turns dollars into millionths of a dollar, the ledger's unit: an amount
// of money is an integer here, so that the sum of many small ones is exact.
func Micro(usd float64) int64 { return int64(math.Round(usd * 1e6)) }

// USD turns millionths of a dollar into dollars.
func USD(micro int64) float64 { return float64(micro) / 1e6 }

// Ledger is the sum of a session's spend events; the newest per id counts. It
// changes by Apply alone: the other methods return the events to append to the
// journal. The zero value is empty. One goroutine uses it at a time.
type Ledger struct {
	entries map[string]event.Spend
	// The sums over entries, kept by Apply: a long session has thousands.
	settled, reserved int64
	unknown           int // entries without an amount
}

// Apply takes one event of the journal.
func (l *Ledger) Apply(s event.Spend) {
	if l.entries == nil {
		l.entries = map[string]event.Spend{}
	}
	if s.MicroUSD != nil {
		amount := max(0, *s.MicroUSD)
		s.MicroUSD = &amount
	}
	if old, known := l.entries[s.ID]; known {
		l.count(old, -1)
	}
	l.entries[s.ID] = s
	l.count(s, 1)
}

// count adds an entry to the sums, or with -1 takes it out.
func (l *Ledger) count(s event.Spend, sign int64) {
	switch {
	case s.State == event.SpendReleased:
	case s.MicroUSD == nil:
		l.unknown += int(sign)
	case s.State == event.SpendReserved:
		l.reserved += sign * *s.MicroUSD
	default:
		l.settled += sign * *s.MicroUSD
	}
}

// Total returns what was spent and what is reserved, in micro-dollars.
// incomplete says that some amount is unknown and not in the sums.
func (l *Ledger) Total() (settledMicro, reservedMicro int64, incomplete bool) {
	return l.settled, l.reserved, l.unknown > 0
}

// Reserved reports whether id is a reservation that is neither settled nor
// released.
func (l *Ledger) Reserved(id string) bool {
	s, ok := l.entries[id]
	return ok && s.State == event.SpendReserved
}

// Spent returns settled and reserved together, in micro-dollars.
func (l *Ledger) Spent() int64 {
	settled, reserved, _ := l.Total()
	return settled + reserved
}

// Open returns the reservations of a kind that are neither settled nor
// released, by id.
func (l *Ledger) Open(kind event.SpendKind) []event.Spend {
	var open []event.Spend
	for _, s := range l.entries {
		if s.State == event.SpendReserved && s.Kind == kind {
			open = append(open, s)
		}
	}
	slices.SortFunc(open, func(x, y event.Spend) int { return strings.Compare(x.ID, y.ID) })
	return open
}

// Hold returns the event that keeps a reservation open for the outside thing
// ref names.
func (l *Ledger) Hold(id, ref string) event.Spend {
	s := l.entry(id)
	s.Ref = ref
	return s
}

// Remaining returns the dollars left under the cap, at least 0, or nil without
// a cap (capMicro of 0 or less).
func (l *Ledger) Remaining(capMicro int64) *float64 { return remaining(capMicro, l.Spent()) }

func remaining(capMicro, spent int64) *float64 {
	if capMicro <= 0 {
		return nil
	}
	left := USD(max(0, capMicro-spent))
	return &left
}

// Exhausted reports whether nothing is left under the cap.
func (l *Ledger) Exhausted(capMicro int64) bool { return capMicro > 0 && l.Spent() >= capMicro }

// Check says why a cost does not fit under the cap, or returns nil. Without a
// cap, and for what costs nothing, everything fits; an unknown cost never does.
func (l *Ledger) Check(capMicro int64, cost tool.Cost) *event.Block {
	return check(capMicro, l.Spent(), cost)
}

func check(capMicro, spent int64, cost tool.Cost) *event.Block {
	if capMicro <= 0 || cost.Known && cost.MicroUSD <= 0 {
		return nil
	}
	left := remaining(capMicro, spent)
	if !cost.Known {
		reason := cost.Reason
		if reason == "" {
			reason = "the cost cannot be estimated"
		}
		return &event.Block{AutoApprovalBlocked: true, BlockReason: reason, RemainingCapUSD: left}
	}
	if cost.MicroUSD <= capMicro-spent {
		return nil
	}
	estimate := USD(cost.MicroUSD)
	return &event.Block{
		AutoApprovalBlocked: true,
		BlockReason:         fmt.Sprintf("estimated cost $%.2f exceeds the remaining budget of $%.2f", estimate, *left),
		EstimatedCostUSD:    &estimate, RemainingCapUSD: left,
	}
}

// Batch checks several costs that would be spent together.
type Batch struct {
	cap, spent int64
}

// Batch starts the check of the calls of one answer against the cap.
func (l *Ledger) Batch(capMicro int64) *Batch { return &Batch{cap: capMicro, spent: l.Spent()} }

// Check is like [Ledger.Check] with everything this batch has let pass before.
func (b *Batch) Check(cost tool.Cost) *event.Block {
	block := check(b.cap, b.spent, cost)
	if block == nil && cost.Known {
		b.spent += max(0, cost.MicroUSD)
	}
	return block
}

// Manual is the block of a call that needs a person however the session is
// set: no money is involved.
func Manual(reason string) *event.Block {
	return &event.Block{AutoApprovalBlocked: true, BlockReason: reason}
}

// Reserve returns the event that sets cost aside. id names the spend, callID
// the tool call, if there is one.
func (l *Ledger) Reserve(id, callID string, cost tool.Cost) event.Spend {
	s := event.Spend{
		ID: id, Kind: cost.Kind, State: event.SpendReserved, ToolCallID: callID, PriceSource: cost.Source,
	}
	if s.PriceSource == "" {
		s.PriceSource = string(llm.PriceUnknown)
	}
	if cost.Known {
		amount := max(0, cost.MicroUSD)
		s.MicroUSD = &amount
	}
	if cost.USDPerHour > 0 {
		rate := cost.USDPerHour
		s.USDPerHour = &rate
	}
	return s
}

// Settle returns the event that replaces a reservation by what was spent. An
// unknown amount (nil) keeps the estimate. So does 0 for a sandbox, whose
// billing answers 0 before it has counted; SettleExact says that 0 is meant.
func (l *Ledger) Settle(id string, micro *int64) event.Spend {
	s := l.entry(id)
	if micro != nil && (*micro > 0 || s.Kind != event.SpendSandbox) {
		return l.SettleExact(id, *micro)
	}
	s.State = event.SpendSettled
	return s
}

// SettleExact is Settle with an amount that is right, 0 included.
func (l *Ledger) SettleExact(id string, micro int64) event.Spend {
	s := l.entry(id)
	amount := max(0, micro)
	s.State, s.MicroUSD = event.SpendSettled, &amount
	return s
}

// Release returns the event that gives a reservation back: nothing was spent.
func (l *Ledger) Release(id string) event.Spend {
	s := l.entry(id)
	nothing := int64(0)
	s.State, s.MicroUSD = event.SpendReleased, &nothing
	return s
}

// entry returns the newest event of id, or an empty one for a model call,
// which may settle without a reservation.
func (l *Ledger) entry(id string) event.Spend {
	if s, ok := l.entries[id]; ok {
		return s
	}
	return event.Spend{ID: id, Kind: event.SpendLLM, PriceSource: string(llm.PriceUnknown)}
}

// maxReservedOutput is the most output tokens that are reserved for one model
// call: answers hardly ever come near the limits models allow.
const maxReservedOutput = 8192

// WorstCase returns what a model call may cost in micro-dollars: the estimated
// prompt and the requested output of at most 8,192 tokens, 0 meaning the
// model's default. Without prices it is not known.
func WorstCase(promptTokens, maxOutput int, prices *llm.Prices) (micro int64, known bool) {
	if prices == nil {
		return 0, false
	}
	output := maxReservedOutput
	if maxOutput > 0 {
		output = min(output, maxOutput)
	}
	// Tokens times dollars per million tokens are micro-dollars.
	cost := prices.Cost(llm.Usage{Prompt: max(0, promptTokens), Completion: output})
	return int64(math.Ceil(cost)), true
}
