package live

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Beside is work that goes on beside the agent's for as long as the session runs,
// such as connections to other servers.
type Beside interface {
	// Answers reports whether an operation is one for Answer, which does it and
	// returns what is told. It may take its time, until Close.
	Answers(op event.Operation) bool
	Answer(op event.Operation) event.Payload
	// Start begins the work, Close ends it.
	Start()
	Close()
}

// none is work that there is not.
type none struct{}

func (none) Answers(event.Operation) bool         { return false }
func (none) Answer(event.Operation) event.Payload { return nil }
func (none) Start()                               {}
func (none) Close()                               {}

// beside is the work that goes on beside the agent's.
func (s *Session) beside() Beside {
	if s.opts.Beside == nil {
		return none{}
	}
	return s.opts.Beside
}

// answer has an operation done beside the agent's work.
func (s *Session) answer(op event.Operation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errEnded
	}
	s.wait.Go(func() {
		told := s.beside().Answer(op)
		s.tell(context.Background(), s.current(), told)
	})
	return nil
}
