// Package budget keeps a session's money: what was spent, what is reserved for
// calls that run, and what the cap leaves. It returns the events to tell and
// neither writes them nor decides what happens when nothing is left.
package budget

import (
	"fmt"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// firstWarning is the spending, in USD, at which the first warning comes.
const firstWarning = 5.0

// Budget is the ledger of one session. It is safe for concurrent use: tools
// reserve and settle while they run.
type Budget struct {
	mu     sync.Mutex
	ledger policy.Ledger
	calls  int // model calls, for ledger ids
	// threshold is the spending, in USD, of the next warning.
	threshold float64
}

// New returns a budget that goes on from the ledger's entries.
func New(entries map[string]event.Spend) *Budget {
	p := &Budget{}
	for id, entry := range entries {
		p.ledger.Apply(entry)
		if entry.Kind == event.SpendLLM && strings.HasPrefix(id, "llm_") {
			p.calls++
		}
	}
	settled, _, _ := p.ledger.Total()
	p.threshold = policy.NextThreshold(policy.USD(settled), firstWarning)
	return p
}

// ModelCall books a model call; micro is nil when its price is unknown.
func (p *Budget) ModelCall(micro *float64, source llm.PriceSource) event.Spend {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	s := event.Spend{
		ID: fmt.Sprintf("llm_%d", p.calls), Kind: event.SpendLLM, State: event.SpendSettled, PriceSource: string(source),
	}
	if micro != nil {
		amount := int64(*micro + 0.5)
		s.MicroUSD = &amount
	}
	p.ledger.Apply(s)
	return s
}

// ReserveModel sets the worst case of a model call of a sub-agent aside, under
// the id it returns; callID is the tool call it works for. A block says why it
// does not fit.
func (p *Budget) ReserveModel(callID string, cost tool.Cost, capMicro int64) (id string, ps []event.Payload, block *event.Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if block := p.ledger.Check(capMicro, cost); block != nil {
		return "", nil, block
	}
	p.calls++
	s := p.ledger.Reserve(fmt.Sprintf("llm_%d", p.calls), callID, cost)
	p.ledger.Apply(s)
	return s.ID, []event.Payload{s}, nil
}

// SettleModel books what a reserved model call has cost; micro is nil when that
// is unknown.
func (p *Budget) SettleModel(id string, micro *float64, source llm.PriceSource) []event.Payload {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.ledger.Settle(id, nil)
	if micro != nil {
		s = p.ledger.SettleExact(id, int64(*micro+0.5))
	}
	s.PriceSource = string(source)
	p.ledger.Apply(s)
	return []event.Payload{s}
}

// ReleaseModels gives back what model calls of an earlier run of the program
// have left reserved: they ended with it.
func (p *Budget) ReleaseModels() []event.Payload {
	var ps []event.Payload
	for _, s := range p.Open(event.SpendLLM) {
		ps = append(ps, p.Close(s.ID, nil, true)...)
	}
	return ps
}

// Reserve takes a call's worst case from the cap and returns the events that
// tell it: none for a call that is taken up again and has its reservation. A
// block says why it does not fit.
func (p *Budget) Reserve(callID string, cost tool.Cost, capMicro int64) ([]event.Payload, *event.Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ledger.Reserved(callID) {
		return nil, nil
	}
	if block := p.ledger.Check(capMicro, cost); block != nil {
		return nil, block
	}
	s := p.ledger.Reserve(callID, callID, cost)
	p.ledger.Apply(s)
	return []event.Payload{s}, nil
}

// Settle closes the reservation of a finished call and returns the events that
// tell it: none when nothing was reserved. A failed call that does not know
// what it has spent gives it back; keep says that it may have spent the
// estimate all the same.
func (p *Budget) Settle(callID string, r tool.Result, keep bool) []event.Payload {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ledger.Reserved(callID) {
		return nil
	}
	s := p.ledger.Settle(callID, r.ActualMicroUSD)
	switch {
	case r.Holding != "":
		s = p.ledger.Hold(callID, r.Holding)
	case r.ActualMicroUSD == nil && !r.OK && !keep:
		s = p.ledger.Release(callID)
	}
	p.ledger.Apply(s)
	return []event.Payload{s}
}

// Hold reserves cost under id for the outside thing ref names, without a call.
// A block says why it does not fit.
func (p *Budget) Hold(id, ref string, cost tool.Cost, capMicro int64) ([]event.Payload, *event.Block) {
	ps, block := p.Reserve(id, cost, capMicro)
	if len(ps) == 0 {
		return nil, block
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.ledger.Hold(id, ref)
	s.ToolCallID = ""
	p.ledger.Apply(s)
	return []event.Payload{s}, nil
}

// Close ends the reservation id: with what was spent, nil for the estimate, or
// released when nothing was. There are no events without a reservation.
func (p *Budget) Close(id string, micro *int64, released bool) []event.Payload {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ledger.Reserved(id) {
		return nil
	}
	var s event.Spend
	switch {
	case released:
		s = p.ledger.Release(id)
	case micro != nil:
		s = p.ledger.SettleExact(id, *micro)
	default:
		s = p.ledger.Settle(id, nil)
	}
	p.ledger.Apply(s)
	return []event.Payload{s}
}

// Running names the outside things of a kind that go on costing, such as
// "acme/66aa…".
func (p *Budget) Running(kind event.SpendKind) []string {
	var refs []string
	for _, s := range p.Open(kind) {
		if _, name, ok := strings.Cut(s.Ref, ":"); ok {
			refs = append(refs, name)
		}
	}
	return refs
}

// Open lists the open reservations of a kind, by id.
func (p *Budget) Open(kind event.SpendKind) []event.Spend {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ledger.Open(kind)
}

// Fits reports whether a model call's worst case fits under the cap; next is
// that worst case, nil when a price is unknown.
func (p *Budget) Fits(capMicro int64, prompt int, info llm.Info) (next *int64, fits bool) {
	worst, known := policy.WorstCase(prompt, info.MaxOutput, info.Prices)
	if !known {
		return nil, false
	}
	return &worst, p.Spent()+worst <= capMicro
}

// Spent is what was settled and reserved, in millionths of a dollar.
func (p *Budget) Spent() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ledger.Spent()
}

// SettledUSD is what was settled, in dollars.
func (p *Budget) SettledUSD() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	settled, _, _ := p.ledger.Total()
	return policy.USD(settled)
}

// Exhausted reports whether nothing is left under the cap; 0 means no cap.
func (p *Budget) Exhausted(capMicro int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ledger.Exhausted(capMicro)
}

// Remaining is what is left under the cap in dollars, nil without a cap.
func (p *Budget) Remaining(capMicro int64) *float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ledger.Remaining(capMicro)
}

// Batch starts the check of the calls of one answer against the cap.
func (p *Budget) Batch(capMicro int64) *policy.Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ledger.Batch(capMicro)
}

// Crossed reports whether spending has reached the next threshold, with both
// in dollars.
func (p *Budget) Crossed() (threshold, spent float64, crossed bool) {
	spent = p.SettledUSD()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.threshold, spent, spent >= p.threshold
}

// Acknowledge moves the threshold on from the one a person has seen.
func (p *Budget) Acknowledge(threshold float64) {
	spent := p.SettledUSD()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.threshold = policy.NextThreshold(spent, threshold)
}

// Rewind makes the given threshold the next one again: its question was not
// answered before a restart.
func (p *Budget) Rewind(threshold float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if threshold > 0 {
		p.threshold = threshold
	}
}
