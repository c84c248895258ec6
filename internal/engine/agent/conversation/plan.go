package conversation

import (
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Plan is a session's to-do list. The zero value is empty. It is safe for
// concurrent use.
type Plan struct {
	mu    sync.Mutex
	items []event.PlanItem
}

// Items is a copy of the list.
func (p *Plan) Items() []event.PlanItem {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.items)
}

// Replace is Set that returns the event that tells it; none where it is the same.
func (p *Plan) Replace(items []event.PlanItem) []event.Payload {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Equal(items, p.items) {
		return nil
	}
	p.items = append([]event.PlanItem{}, items...)
	return []event.Payload{event.PlanUpdate{Plan: slices.Clone(p.items)}}
}

// Set replaces the list.
func (p *Plan) Set(items []event.PlanItem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.items = slices.Clone(items)
}
