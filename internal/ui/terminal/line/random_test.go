package line_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/line"
)

// Whatever is typed and whenever Ctrl-C is pressed: once the input is over the
// conversation ends.
func TestAnyScriptEnds(t *testing.T) {
	typed := rapid.SliceOfN(rapid.SampledFrom([]string{
		"hello", "tool", "slow", "gate", "die", "fail", "refuse", "", "y", "n", "a", "v", "e", "yolo", "?", "?1", "1", "2", "9", ".", `more \`,
		"/choose", "/ask", "/ask x", "/secret", "/fail", "/panic", "/hang", "/live", "/page", "/edit", "/fill", "/undo", "/redo", "/never", "/status", "/what", "!ls", "# x",
		"<ctrl-c>", "<ctrl-c>", "<wait>",
	}), 0, 25)
	rapid.Check(t, func(rt *rapid.T) {
		lines := typed.Draw(rt, "lines")
		synctest.Test(t, func(t *testing.T) {
			p := sit(t, newSession(t), false, func(o *line.Options) { o.ScreenReader = len(lines)%2 == 0 })
			typed := make(chan struct{})
			go func() { // the person types while the conversation goes on
				defer close(typed)
				for _, l := range lines {
					switch l {
					case "<ctrl-c>":
						select {
						case p.interrupts <- nil:
						case <-time.After(time.Second):
						}
					case "<wait>":
						time.Sleep(1500 * time.Millisecond)
					default:
						_, _ = io.WriteString(p.keys, l+"\n") // fails when it has ended
					}
				}
				p.keys.Close()
			}()
			for range 200 { // what never ends by itself is ended
				select {
				case r := <-p.ended:
					p.ended <- r
					p.keys.Close()
					<-typed
					return
				case p.interrupts <- nil:
				case <-time.After(time.Minute):
				}
				time.Sleep(1500 * time.Millisecond)
			}
			t.Errorf("%q does not end:\n%s", lines, p.out)
		})
	})
}
