package sight_test

import (
	"testing"
	"testing/synctest"

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

func TestTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sight.Sight
		x := &session{}
		if s.Focus(false); s.Tell(true) != nil {
			t.Error("something is told to nobody")
		}
		s.Showed(x, 0, event.Event{Seq: 3, Type: event.TypeToolCall})
		s.Tell(true)() // the focus
		s.Showed(x, 0, event.Event{Seq: 4, Type: event.TypeToolOutput})
		if s.Tell(true) != nil {
			t.Error("an event on the way is told")
		}
		s.Showed(x, 0, event.Event{Seq: 5, Type: event.TypeTurnComplete})
		if s.Tell(false) != nil {
			t.Error("what is not printed is told")
		}
		first := s.Tell(true)
		s.Focus(true)
		s.Focus(true)
		second := s.Tell(true)
		if s.Tell(true) != nil {
			t.Error("the same is told twice")
		}
		second()
		first() // late
		if diff := cmp.Diff([]told{{0, 0, false}, {0, 5, true}}, x.got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
