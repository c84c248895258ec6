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
// to one goroutine; what Tell returns may run in another.
type Sight struct {
	session attach.Session
	seen    seen
	news    bool
	out     sender
}

type seen struct {
	chapter int
	seq     int64
	away    bool
}

// sender tells one thing at a time, and nothing that is old.
type sender struct {
	mu   sync.Mutex
	sent int64 // the number of the newest that was told
	next int64
}

// Showed notes an event of a session that is on its way to the screen. Only ends
// of turns are waited for.
func (s *Sight) Showed(session attach.Session, chapter int, ev event.Event) {
	s.session = session
	if ev.Type.Ends() {
		s.seen.chapter, s.seen.seq, s.news = chapter, ev.Seq, true
	}
}

// Focus notes whether somebody looks.
func (s *Sight) Focus(focused bool) {
	s.news = s.news || s.seen.away == focused
	s.seen.away = !focused
}

// Tell returns what tells the session the news; nil where there are none, or
// while lines wait to be printed.
func (s *Sight) Tell(printed bool) tea.Cmd {
	if !s.news || !printed || s.session == nil {
		return nil
	}
	s.news = false
	session, now, out := s.session, s.seen, &s.out
	out.mu.Lock()
	out.next++
	number := out.next
	out.mu.Unlock()
	return func() tea.Msg {
		time.Sleep(frame)
		out.mu.Lock()
		defer out.mu.Unlock()
		if number > out.sent {
			out.sent = number
			session.Seen(now.chapter, now.seq, !now.away)
		}
		return nil
	}
}
