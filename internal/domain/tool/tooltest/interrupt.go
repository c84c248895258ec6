package tooltest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Interrupted checks that a call of a tool whose server hangs ends within 100 ms
// of its interruption. The server tells by hung that it has been asked; meanwhile
// is what must be possible while it hangs.
func Interrupted(t testing.TB, of tool.Tool, args string, hung <-chan struct{}, meanwhile func()) {
	t.Helper()
	best := time.Hour
	for range 3 { // a machine with much to do may be late once
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan tool.Result, 1)
		go func() {
			r, _ := of.Run(ctx, &Env{}, json.RawMessage(args))
			done <- r
		}()
		<-hung
		meanwhile()
		begun := time.Now()
		stop()
		if r := <-done; r.OK {
			t.Errorf("it succeeded: %+v", r)
		}
		if best = min(best, time.Since(begun)); best < 100*time.Millisecond {
			return
		}
	}
	t.Errorf("it went on for %s", best)
}
