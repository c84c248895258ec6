package live

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Beside is work that goes on beside the agent's for as long as the session runs,
// such as connections to other servers.
type Beside interface {
	// Answers reports whether an operation is one for Answer, which does it and
	// returns what is told; it may take its time, and ends soon after ctx is done.
	Answers(op event.Operation) bool
	Answer(ctx context.Context, op event.Operation) event.Payload
	// Start begins the work, Close ends it.
	Start()
	Close()
}

// beside has an operation answered that is nobody else's; ok says that it is one.
func (s *Session) beside(op event.Operation) (err error, ok bool) { //nolint:revive // the error is the answer
	b := s.opts.Beside
	if b == nil || !b.Answers(op) {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errEnded, true
	}
	s.wait.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stop := context.AfterFunc(s.life, cancel)
		defer stop()
		if told := b.Answer(ctx, op); ctx.Err() == nil {
			s.tell(ctx, s.current(), told)
		}
	})
	return nil, true
}
