package scrollback_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/scrollback"
)

// terminal runs the commands of a Printer as Bubble Tea does, and keeps what is
// printed.
type terminal struct {
	scrollback.Printer
	t       *testing.T
	printed []string
	cleared int
}

func newTerminal(t *testing.T, columns, rows int) *terminal {
	x := &terminal{t: t}
	x.run(x.Resize(columns, rows))
	x.Draws([]string{"", "> ", "hint", "status"}, time.Unix(0, 0))
	return x
}

func (x *terminal) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	msg := cmd()
	if v := reflect.ValueOf(msg); v.Kind() == reflect.Slice { // commands one after the other
		for i := range v.Len() {
			if c, ok := v.Index(i).Interface().(tea.Cmd); ok {
				x.run(c)
			}
		}
		return
	}
	if next, own := x.Update(msg); own {
		x.run(next)
		return
	}
	switch v := reflect.ValueOf(msg); {
	case v.Kind() == reflect.Struct && v.NumField() == 1 && v.Field(0).Kind() == reflect.String:
		x.printed = append(x.printed, strings.Split(v.Field(0).String(), "\n")...)
	default:
		x.cleared++ // Raw, or ClearScreen
	}
}

func (x *terminal) add(lines ...string) {
	for _, line := range lines {
		x.Add(line)
	}
	for cmd := x.Next(time.Unix(0, 0)); cmd != nil; cmd = x.Next(time.Unix(0, 0)) {
		x.run(cmd)
	}
}

func numbered(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("  line %d of the conversation", i))
	}
	return lines
}

func TestLinesArePrintedInOrder(t *testing.T) {
	x := newTerminal(t, 40, 10)
	x.Held = true
	x.add("early")
	if len(x.printed) > 0 {
		t.Error("a line that is held is printed")
	}
	x.Held = false
	x.add(numbered(50)...)
	want := append([]string{"early"}, numbered(50)...)
	if diff := cmp.Diff(want, x.printed); diff != "" {
		t.Error(diff)
	}
	if x.Count() != 9 { // six rows are free above the view
		t.Errorf("printed %d times", x.Count())
	}
}

// No line fills the last column, also where emoji are as wide as their parts.
func TestTheLastColumnStaysFree(t *testing.T) {
	x := newTerminal(t, 20, 10)
	x.add(strings.Repeat("x", 20), strings.Repeat("👩‍👩‍👧", 5))
	want := []string{strings.Repeat("x", 19), "x", strings.Repeat("👩‍👩‍👧", 3), strings.Repeat("👩‍👩‍👧", 2)}
	if diff := cmp.Diff(want, x.printed); diff != "" {
		t.Error(diff)
	}
}

// A full screen that has become narrower than what is drawn is made anew, with
// the lines for which there is room.
func TestANarrowerScreenIsMended(t *testing.T) {
	x := newTerminal(t, 80, 10)
	x.Draws([]string{"", "> ", strings.Repeat("-", 60), "status"}, time.Unix(0, 0))
	x.add(numbered(20)...)
	x.printed = nil
	x.run(x.Resize(70, 10))
	if x.cleared > 0 {
		t.Error("everything fits, and the screen is cleared")
	}
	x.run(x.Resize(24, 10))
	x.add()
	want := []string{"  line 17 of the", "  conversation", "  line 18 of the", "  conversation", "  line 19 of the", "  conversation"}
	if diff := cmp.Diff(want, x.printed); diff != "" || x.cleared == 0 {
		t.Errorf("cleared %d times: %s", x.cleared, diff)
	}
}

// A screen on which other things may stand is left alone.
func TestAScreenThatIsNotFullIsNotCleared(t *testing.T) {
	x := newTerminal(t, 80, 20)
	x.Draws([]string{strings.Repeat("-", 80)}, time.Unix(0, 0))
	x.add(numbered(5)...)
	x.run(x.Resize(30, 20))
	if x.cleared > 0 || len(x.printed) != 5 {
		t.Errorf("cleared %d times, printed %q", x.cleared, x.printed)
	}
	x.add(numbered(40)...)
	x.run(x.Clear())
	x.cleared = 0
	x.Draws([]string{strings.Repeat("-", 30)}, time.Unix(0, 0))
	x.run(x.Resize(20, 20))
	if x.cleared > 0 {
		t.Error("what was cleared by the person comes back")
	}
}
