package sight_test

import (
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/sight"
)

type told struct {
	Chapter int
	Seq     int64
	Watched bool
}

// session keeps what it is told.
type session struct {
	attach.Session
	got []told
}

func (s *session) Seen(chapter int, seq int64, watched bool) {
	s.got = append(s.got, told{chapter, seq, watched})
}

// run runs a command as Bubble Tea does.
func run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		if batch, ok := cmd().(tea.BatchMsg); ok {
			for _, c := range batch {
				run(c)
			}
		}
	}()
}

func TestTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sight.Sight
		x := &session{}
		if s.Focus(false); s.Tell(true) != nil {
			t.Error("something is told to nobody")
		}
		s.Showed(x, 0, event.Event{Seq: 3, Type: event.TypeToolCall})
		run(s.Tell(false)) // the focus does not wait for lines
		synctest.Wait()
		s.Showed(x, 0, event.Event{Seq: 4, Type: event.TypeToolOutput})
		if s.Tell(true) != nil {
			t.Error("an event on the way is told")
		}
		s.Showed(x, 0, event.Event{Seq: 5, Type: event.TypeTurnComplete})
		if s.Tell(false) != nil {
			t.Error("what is not printed is told")
		}
		run(s.Tell(true))
		s.Focus(true)
		s.Focus(true)
		run(s.Tell(true)) // at once, and the reply is not on the screen yet
		if synctest.Wait(); s.Tell(true) != nil {
			t.Error("the same is told twice")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]told{{0, 0, false}, {0, 0, true}, {0, 5, true}}, x.got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		s.Showed(x, 1, event.Event{Seq: 2, Type: event.TypeInterrupted})
		run(s.Tell(true))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := x.got[len(x.got)-1]; got != (told{1, 2, true}) {
			t.Errorf("the next chapter: %+v", got)
		}
	})
}
