// Package sight tells a session what its person has been shown, and whether
// somebody looks at the screen: messages to people who look elsewhere wait for it.
package sight

import (
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// frame is how long what is handed to the terminal takes to be seen, at the most.
const frame = 25 * time.Millisecond

// Sight is what there is to tell. Its zero value has nothing. Its methods belong
// to one goroutine; what Tell returns may run in others.
type Sight struct {
	session attach.Session
	ended   place // the newest end of a turn on its way to the screen
	news    bool  // it has not been told
	turned  bool  // a person has looked away, or back

	state state
}

// place is an event of a chapter.
type place struct {
	chapter int
	seq     int64
}

// state is what is told.
type state struct {
	mu    sync.Mutex
	shown place
	away  bool
}

// tell tells what holds now. One waits for the other, so nothing old comes last.
func (s *state) tell(session attach.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session.Seen(s.shown.chapter, s.shown.seq, !s.away)
}

// Showed notes an event of a session that is on its way to the screen. Only ends
// of turns are waited for.
func (s *Sight) Showed(session attach.Session, chapter int, ev event.Event) {
	s.session = session
	if ev.Type.Ends() {
		s.ended, s.news = place{chapter, ev.Seq}, true
	}
}

// Focus notes whether somebody looks.
func (s *Sight) Focus(focused bool) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.turned = s.turned || s.state.away == focused
	s.state.away = !focused
}

// Tell returns what tells the session the news; nil where there are none. What
// was shown is told when all lines are printed.
func (s *Sight) Tell(printed bool) tea.Cmd {
	if s.session == nil {
		return nil
	}
	session, now := s.session, &s.state
	var look, show tea.Cmd
	if s.turned {
		s.turned = false
		look = func() tea.Msg {
			now.tell(session)
			return nil
		}
	}
	if s.news && printed {
		s.news = false
		ended := s.ended
		show = func() tea.Msg {
			time.Sleep(frame)
			now.mu.Lock()
			if ended.chapter > now.shown.chapter || ended.chapter == now.shown.chapter && ended.seq > now.shown.seq {
				now.shown = ended
			}
			now.mu.Unlock()
			now.tell(session)
			return nil
		}
	}
	return tea.Batch(look, show)
}
