package turn_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch/turn"
)

// Waits one after another add up, waits side by side count once, and the
// requests of one context share them.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := turn.WithPatience(t.Context())
		p := turn.PatienceOf(ctx)
		if p != turn.PatienceOf(ctx) || p == turn.PatienceOf(t.Context()) {
			t.Fatal("a context has one Patience, and only its own")
		}
		p.Sleep(ctx, 3*time.Second)
		var wait sync.WaitGroup
		for _, d := range []time.Duration{2 * time.Second, 4 * time.Second} {
			wait.Go(func() { p.Sleep(ctx, d) })
		}
		time.Sleep(time.Second)
		if got := p.Spent(); got != 4*time.Second {
			t.Errorf("in the middle %s were waited, want 4s", got)
		}
		wait.Wait()
		if got := p.Spent(); got != 7*time.Second {
			t.Errorf("%s were waited, want 7s", got)
		}
	})
}
