package attach

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/attach/audience"
)

// drainWait is how long the end of a session waits for followers to take its
// last events; the journal has them too.
const drainWait = 3 * time.Second

// farewellWait is how long all clients together may take to read the end.
const farewellWait = time.Second

// connections bounds those of one session.
const connections = 256

// Options of a server.
type Options struct {
	// Version is that of this program.
	Version string
	// Attached is told how many terminals are attached whenever that changes.
	// Lost says that the one that left had said neither that it detaches nor that
	// the session should end. It may be nil.
	Attached func(terminals int, lost bool)
	// Debug receives what only an operator should see; it may be nil.
	Debug func(text string)
}

// server is one run of Serve.
type server struct {
	opts Options
	host Host
	wait sync.WaitGroup // connections

	mu        sync.Mutex // guards what follows
	open      map[*link]role
	followers int
	drained   chan struct{} // closed when no follower is left; nil before the end
	closing   bool

	count     sync.Mutex // orders what Attached is told
	terminals int
}

// Serve lets clients attach to a session until ctx is done, which should be
// when the session has ended: followers get the events that are left, everybody
// is told the end. It closes the listener.
func Serve(ctx context.Context, l net.Listener, h Host, o Options) error {
	if o.Attached == nil {
		o.Attached = func(int, bool) {}
	}
	if o.Debug == nil {
		o.Debug = func(string) {}
	}
	s := &server{opts: o, host: h, open: map[*link]role{}}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	err := s.accept(ctx, l)
	s.close()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *server) accept(ctx context.Context, l net.Listener) error {
	defer l.Close()
	for {
		conn, err := l.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
		case ctx.Err() == nil && errors.As(err, &temporary) && temporary.Temporary(): // out of descriptors, for example
			s.opts.Debug("attach: " + err.Error())
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
			continue
		default:
			return fmt.Errorf("wait for terminals: %w", err)
		}
		if err := samePeer(conn); err != nil {
			s.opts.Debug("attach: " + err.Error())
			_ = conn.Close()
			continue
		}
		link := newLink(conn)
		s.mu.Lock()
		s.open[link] = ""
		s.mu.Unlock()
		s.wait.Go(func() { s.serve(link) })
	}
}

// close ends all connections: followers first, which may have events left.
func (s *server) close() {
	s.mu.Lock()
	s.drained = make(chan struct{})
	s.drain()
	s.mu.Unlock()
	late := time.NewTimer(drainWait)
	defer late.Stop()
	select {
	case <-s.drained:
	case <-late.C:
	}
	last := reply{Ended: &ended{}}
	if err := s.host.Err(); err != nil {
		last.Ended.Error = err.Error()
	}
	s.mu.Lock()
	s.closing = true
	open := maps.Clone(s.open)
	s.mu.Unlock()
	limit := time.Now().Add(farewellWait)
	for l, as := range open {
		_ = l.conn.SetWriteDeadline(limit)
		if as == terminal || as == watcher {
			_ = l.send(last) // one that reads nothing is told nothing
		}
		_ = l.conn.Close()
	}
	s.wait.Wait()
}

// drain notes, at the end, that no follower is left. It is called with the lock.
func (s *server) drain() {
	if s.drained == nil || s.followers > 0 {
		return
	}
	select {
	case <-s.drained:
	default:
		close(s.drained)
	}
}

// enter admits a connection.
func (s *server) enter(l *link, as role) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return errors.New("the session is ending")
	case len(s.open) > connections:
		return fmt.Errorf("the session has %d connections already", connections)
	}
	s.open[l] = as
	if as == follower {
		s.followers++
	}
	return nil
}

// leave ends a connection.
func (s *server) leave(l *link) {
	_ = l.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[l] == follower {
		s.followers--
		s.drain()
	}
	delete(s.open, l)
}

// serve answers one connection to its end.
func (s *server) serve(l *link) {
	defer s.leave(l)
	h, err := s.greeted(l)
	if err == nil {
		err = s.enter(l, h.Role)
	}
	if err != nil {
		_ = l.send(reply{Error: err.Error()}) // whoever it is may have gone
		return
	}
	info, ok := s.host.Info(Newest)
	if h.Role == follower {
		info, ok = s.host.Info(h.Chapter)
	}
	if !ok {
		_ = l.send(reply{Error: fmt.Sprintf("the session has no chapter %d", h.Chapter)})
		return
	}
	info.Terminals = s.attached()
	_, watched := s.host.(Watched)
	hi := reply{Welcome: &welcome{Protocol: protocol, Version: s.opts.Version, Info: info, Seen: watched}}
	if h.Role == terminal {
		s.attend(l, hi)
		return
	}
	if l.send(hi) != nil {
		return
	}
	if h.Role == follower {
		s.follow(l, h)
		return
	}
	s.obey(l, nil)
}

// attend serves a terminal. It counts before it is welcomed: who has been
// welcomed is there, and a session that is about to end for want of company stays.
func (s *server) attend(l *link, hi reply) {
	s.changed(1, false)
	view := join(s.host)
	lost := l.send(hi) == nil && s.obey(l, view)
	if view != nil {
		view.Leave()
	}
	s.changed(-1, lost)
}

func (s *server) attached() int {
	s.count.Lock()
	defer s.count.Unlock()
	return s.terminals
}

func (s *server) changed(by int, lost bool) {
	s.count.Lock()
	defer s.count.Unlock()
	s.terminals += by
	s.opts.Attached(s.terminals, lost)
}

// greeted reads the first line.
func (s *server) greeted(l *link) (hello, error) {
	_ = l.conn.SetDeadline(time.Now().Add(greetingWait))
	var r request
	if err := l.receive(greetingLimit, &r); err != nil {
		return hello{}, err
	}
	_ = l.conn.SetDeadline(time.Time{})
	switch {
	case r.Hello == nil:
		return hello{}, errors.New("a connection begins with a hello")
	case r.Hello.Protocol != protocol:
		return hello{}, versionError(s.opts.Version, protocol, r.Hello.Version, r.Hello.Protocol)
	}
	switch r.Hello.Role {
	case terminal, watcher, follower:
		return *r.Hello, nil
	}
	return hello{}, fmt.Errorf("%q is no role here", r.Hello.Role)
}

// follow sends the events of a chapter.
func (s *server) follow(l *link, h hello) {
	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { // a follower says nothing more: whatever comes is its end
		_, _ = l.in.ReadByte()
		cancel()
	})
	out := newStream(l.conn)
	last := s.events(ctx, out, h)
	out.end()
	if ctx.Err() == nil {
		_ = l.send(last) // it may just have gone
	}
	_ = l.conn.Close()
	watch.Wait()
	cancel()
}

// events hands the events of a chapter to a stream and returns the line behind
// them.
func (s *server) events(ctx context.Context, out *stream, h hello) reply {
	var line []byte
	for ev, err := range s.host.Follow(ctx, h.Chapter, h.After) {
		if err == nil {
			line = ev.AppendJSON(line[:0], false)
			err = out.add(line)
		}
		if err != nil {
			return reply{Error: err.Error()}
		}
	}
	last := end{}
	if next, ok := s.host.Info(h.Chapter + 1); ok {
		last.Next = &next
	}
	return reply{End: &last}
}

// obey does what a client asks until it leaves, and reports whether it left
// without a word.
func (s *server) obey(l *link, view *audience.View) (lost bool) {
	var quits sync.WaitGroup
	defer quits.Wait()
	said := false
	for {
		var r request
		err := l.receive(lineLimit, &r)
		var nonsense *nonsenseError
		switch {
		case errors.As(err, &nonsense):
			_ = l.send(reply{Error: err.Error()})
			return true
		case err != nil:
			return !said
		case r.Submit != nil:
			s.answer(l, r.ID, s.host.Submit(context.Background(), *r.Submit))
		case r.Interrupt:
			s.host.Interrupt()
		case r.Seen != nil:
			if view != nil {
				view.Saw(r.Seen.Chapter, r.Seen.Seq, r.Seen.Watched)
			}
		case r.Detach:
			return false
		case r.Quit:
			said = true
			if view != nil { // it shows nothing more
				view.Leave()
			}
			quits.Go(func() { s.answer(l, r.ID, s.host.Shutdown(context.Background())) })
		default:
			_ = l.send(reply{ID: r.ID, Error: "this line asks for nothing"})
			return true
		}
	}
}

func (s *server) answer(l *link, id int64, err error) {
	r := reply{ID: id}
	if err != nil {
		r.Error = err.Error()
	}
	_ = l.send(r) // the reader notices when the client has gone
}
