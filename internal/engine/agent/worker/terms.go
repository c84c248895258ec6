package worker

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
)

// impose gives settings what holds for the running turn alone. It may be called
// from any goroutine.
func (w *Worker) impose(s setup.Settings) setup.Settings {
	if t := w.terms.Load(); t != nil && t.Model != "" {
		s.Model = t.Model
	}
	return s
}

// permit makes the rules of the running turn hold. Those that cannot be read
// permit nothing.
func (w *Worker) permit(ctx context.Context) {
	t := w.terms.Load()
	if t == nil {
		return
	}
	if err := w.opts.Policy.ForTurn(t.Allow); err != nil {
		w.note(ctx, "what was allowed for this turn is not: "+err.Error())
	}
}

// end is the end of the running turn, and of what held for it alone. Who shows
// the model learns that it is the session's again.
func (w *Worker) end(ctx context.Context) {
	w.turn = nil
	t := w.terms.Swap(nil)
	if t == nil {
		return
	}
	_ = w.opts.Policy.ForTurn(nil) // there is nothing to read
	if t.Model != "" {
		w.Append(ctx, w.opts.Event(ctx, w.set()))
	}
}
