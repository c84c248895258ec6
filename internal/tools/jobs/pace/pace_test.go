package pace_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/tools/jobs/pace"
)

// The first line comes at once, those behind it together, and the last of a
// burst does not wait for the next one.
func TestBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		p := pace.New(func(s string) { told = append(told, fmt.Sprintf("%s at %d", s, time.Now().UnixMilli()%10_000)) })
		start := time.Now().UnixMilli() % 10_000
		p.Line("a")
		p.Line("b")
		p.Line("c")
		time.Sleep(time.Second)
		p.Line("d")
		p.Line("e")
		p.Close()
		p.Line("f")
		want := []string{
			fmt.Sprintf("a at %d", start), fmt.Sprintf("b\nc at %d", start+200), fmt.Sprintf("d at %d", start+1000), fmt.Sprintf("e at %d", start+1000),
		}
		if fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("%q, want %q", told, want)
		}
	})
}

// A flood is at most five events a second of at most 4 KiB, and ends with its
// newest line.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		p := pace.New(func(s string) { told = append(told, s) })
		for i := range 10_000 {
			p.Line(fmt.Sprintf("line %d %s", i, strings.Repeat("é", 100)))
			time.Sleep(time.Millisecond)
		}
		p.Line(strings.Repeat("x", 1<<20))
		p.Line("the end")
		p.Close()
		if len(told) > 53 || len(told) < 40 {
			t.Errorf("%d events in ten seconds", len(told))
		}
		for _, text := range told {
			if len(text) > 4<<10+20 {
				t.Errorf("an event of %d bytes", len(text))
			}
		}
		if last := told[len(told)-1]; !strings.HasSuffix(last, "the end") {
			t.Errorf("the last event ends with %.40q", last)
		}
	})
}
