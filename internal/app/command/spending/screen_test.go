package spending

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// On a terminal what is drawn takes the place of what was there, and never more
// than it; elsewhere it is printed when a stage changes, and now and then.
func TestScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		height := 24
		s := &screen{out: &out, terminal: true, size: func() (int, int) { return 80, height }}
		s.draw([]string{"a cpu RUNNING $1", "b cpu RUNNING $1"})
		s.draw([]string{"a cpu RUNNING $2"})
		s.draw([]string{"c"})
		if want := "a cpu RUNNING $1\nb cpu RUNNING $1\n\x1b[2A\x1b[Ja cpu RUNNING $2\n\x1b[1A\x1b[Jc\n"; out.String() != want {
			t.Errorf("%q", out.String())
		}
		out.Reset()
		height = 3
		s.draw([]string{"1", "2", "3", "4"})
		if want := "\x1b[1A\x1b[J1\n2\n"; out.String() != want {
			t.Errorf("on a low terminal: %q", out.String())
		}
		out.Reset()
		s = &screen{out: &out, size: func() (int, int) { return 80, 0 }}
		for _, text := range []string{"a cpu RUNNING $1", "a cpu RUNNING $2", "a cpu COMPLETED $2"} {
			s.print([]string{text})
		}
		time.Sleep(31 * time.Second)
		s.print([]string{"a cpu COMPLETED $2"})
		s.print([]string{"a cpu COMPLETED $3"})
		if want := "a cpu RUNNING $1\na cpu COMPLETED $2\na cpu COMPLETED $3\n"; out.String() != want {
			t.Errorf("%q", out.String())
		}
	})
}
