package attach

import (
	"context"
	"iter"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach/audience"
)

// Local is a session of this process, for those that are on no disk: it ends
// with whoever shows it. It is a Session.
type Local struct {
	host     Host
	position position
	view     *audience.View // nil where nobody wants to know who looks
}

// NewLocal returns the host's session.
func NewLocal(h Host) *Local {
	l := &Local{host: h, view: join(h)}
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

// Done is closed when the session has ended.
func (l *Local) Done() <-chan struct{} { return l.host.Ended() }

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

// Seen tells who looks.
func (l *Local) Seen(chapter int, seq int64, watched bool) {
	if l.view != nil {
		l.view.Saw(chapter, seq, watched)
	}
}

// Detach is refused: the session would end with this process.
func (l *Local) Detach() error { return errNotDetachable }

// Quit ends the session.
func (l *Local) Quit(ctx context.Context) error {
	if l.view != nil {
		l.view.Leave()
	}
	return l.host.Shutdown(ctx)
}

// Close ends the session, for it cannot go on without this process.
func (l *Local) Close() error { return l.Quit(context.Background()) }
