package spending

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// On a terminal a table takes the place of the one before; elsewhere it is
// printed when a stage changes, and now and then.
func TestScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		s := &screen{out: &out, terminal: true}
		s.show("a cpu RUNNING $1\nb cpu RUNNING $1\n")
		s.show("a cpu RUNNING $2\nb cpu RUNNING $2\n")
		if want := "a cpu RUNNING $1\nb cpu RUNNING $1\n\x1b[2A\x1b[Ja cpu RUNNING $2\nb cpu RUNNING $2\n"; out.String() != want {
			t.Errorf("%q", out.String())
		}
		out.Reset()
		s = &screen{out: &out, terminal: true, width: func() int { return 10 }}
		s.show("a cpu RUNNING $1\nshort\n")
		s.show("█████████████\n")
		if want := "a cpu RU…\nshort\n\x1b[2A\x1b[J████████…\n"; out.String() != want {
			t.Errorf("on a narrow terminal: %q", out.String())
		}
		out.Reset()
		s = &screen{out: &out}
		for _, text := range []string{"a cpu RUNNING $1\n", "a cpu RUNNING $2\n", "a cpu COMPLETED $2\n"} {
			s.show(text)
		}
		time.Sleep(31 * time.Second)
		s.show("a cpu COMPLETED $2\n")
		s.show("a cpu COMPLETED $3\n")
		if want := "a cpu RUNNING $1\na cpu COMPLETED $2\na cpu COMPLETED $3\n"; out.String() != want {
			t.Errorf("%q", out.String())
		}
	})
}
