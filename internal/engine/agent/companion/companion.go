// Package companion is a session as a tool sees it between calls: a journal to
// tell into and a ledger to reserve from. It knows no turn.
package companion

import (
	"context"
	"errors"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/budget"
	"github.com/ml-intern/ml-intern/internal/engine/agent/record"
)

// Session is what a tool sees of its session between calls. It stays
// with the journal and the budget it began with.
type Session struct {
	SessionID string
	Record    *record.Record
	Money     *budget.Budget
	Cap       func() int64 // millionths of a dollar, 0 for none
	// Tell takes lines for the model; nil drops them.
	Tell func(line string)
}

var _ tool.Session = (*Session)(nil)

// ID is the session's id.
func (s *Session) ID() string { return s.SessionID }

// Emit appends events outside any turn.
func (s *Session) Emit(ps ...event.Payload) {
	_ = s.Record.Append(context.Background(), "", ps...) // the record remembers
}

// Notice hands the model a line of the program's own.
func (s *Session) Notice(line string) {
	if s.Tell != nil {
		s.Tell(line)
	}
}

// Reserve sets cost aside under the cap.
func (s *Session) Reserve(id, ref string, cost tool.Cost) error {
	ps, block := s.Money.Hold(id, ref, cost, s.Cap())
	if block != nil {
		return errors.New(block.BlockReason)
	}
	s.Emit(ps...)
	return nil
}

// Settle ends a reservation with what was spent.
func (s *Session) Settle(id string, micro *int64) {
	s.Emit(s.Money.Close(id, micro, false)...)
}

// Release ends a reservation: nothing was spent.
func (s *Session) Release(id string) { s.Emit(s.Money.Close(id, nil, true)...) }

// Reserved lists the open reservations of a kind.
func (s *Session) Reserved(kind event.SpendKind) []event.Spend { return s.Money.Open(kind) }
