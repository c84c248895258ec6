package attach

import (
	"net"
	"sync"
)

// ahead is how many bytes wait for a follower at most before the next event is
// fetched for it.
const ahead = 256 << 10

// stream writes lines to a connection from a goroutine of its own: those that
// come while a write is under way go together with the next one, so that a long
// past is read in few steps and the newest event goes at once.
type stream struct {
	conn net.Conn
	wait sync.WaitGroup

	mu      sync.Mutex // guards what follows
	changed sync.Cond
	pending []byte
	ended   bool
	err     error
}

func newStream(conn net.Conn) *stream {
	s := &stream{conn: conn}
	s.changed.L = &s.mu
	s.wait.Go(s.run)
	return s
}

func (s *stream) run() {
	var out []byte
	for {
		if cap(out) > 4*ahead { // one large event is no reason to keep its room
			out = nil
		}
		s.mu.Lock()
		for len(s.pending) == 0 && !s.ended {
			s.changed.Wait()
		}
		out, s.pending = s.pending, out[:0]
		s.changed.Broadcast()
		s.mu.Unlock()
		if len(out) == 0 {
			return
		}
		if _, err := s.conn.Write(out); err != nil {
			s.mu.Lock()
			s.err, s.ended = err, true
			s.changed.Broadcast()
			s.mu.Unlock()
			return
		}
	}
}

// add hands a line over; it waits while much is under way.
func (s *stream) add(line []byte) error {
	if len(line) > lineLimit {
		return &lengthError{len(line)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) > ahead && s.err == nil {
		s.changed.Wait()
	}
	if s.err != nil {
		return s.err
	}
	s.pending = append(append(s.pending, line...), '\n')
	s.changed.Broadcast()
	return nil
}

// end waits until everything is written, or cannot be.
func (s *stream) end() {
	s.mu.Lock()
	s.ended = true
	s.changed.Broadcast()
	s.mu.Unlock()
	s.wait.Wait()
}
