package attach

import (
	"context"
	"iter"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Local is a session of this process, for those that are on no disk: it ends
// with whoever reads it. It is a Session.
type Local struct {
	host     Host
	position position
	once     sync.Once
	done     chan struct{}
}

// NewLocal returns the host's session.
func NewLocal(h Host) *Local {
	l := &Local{host: h, done: make(chan struct{})}
	l.position.info, _ = h.Info(Newest)
	return l
}

// Submit hands over an operation.
func (l *Local) Submit(ctx context.Context, sub event.Submission) error {
	return l.host.Submit(ctx, sub)
}

// Interrupt ends the running turn.
func (l *Local) Interrupt() { l.host.Interrupt() }

// Err is why the session ended.
func (l *Local) Err() error { return l.host.Err() }

// Info describes the session that Follow reads.
func (l *Local) Info() Info { return l.position.at() }

// Done is closed when the session has been left.
func (l *Local) Done() <-chan struct{} { return l.done }

// Follow yields the events of the session that Info names.
func (l *Local) Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
	chapter := l.Info().Chapter
	return func(yield func(event.Event, error) bool) {
		for ev, err := range l.host.Follow(ctx, chapter, after) {
			if err == nil {
				l.position.saw(chapter, ev)
			}
			if !yield(ev, err) || err != nil {
				return
			}
		}
		if next, ok := l.host.Info(chapter + 1); ok && ctx.Err() == nil {
			l.position.turn(next)
		}
	}
}

// Detach is refused: the session would end with this process.
func (l *Local) Detach() error { return errNotDetachable }

// Quit ends the session.
func (l *Local) Quit(ctx context.Context) error {
	err := l.host.Shutdown(ctx)
	l.leave()
	return err
}

// Close ends the session, for it cannot go on without this process.
func (l *Local) Close() error {
	select {
	case <-l.done:
		return nil
	default:
		return l.Quit(context.Background())
	}
}

func (l *Local) leave() { l.once.Do(func() { close(l.done) }) }
