package acp

import (
	"context"
	"os"
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
)

// newSession begins a session.
func (s *Server) newSession(in protocol.OpenRequest) wire.Work {
	return func(context.Context) (wire.Answer, error) {
		one, _, err := s.openSession(Request{Dir: in.Cwd, Servers: in.Servers}, "")
		if err != nil {
			return wire.Answer{}, err
		}
		r := one.told()
		r.SessionID = one.id
		return wire.Answer{Result: r, Sent: one.begin}, nil
	}
}

// goOn goes on with a saved session, and tells what was said in it or does not.
// One that is open already is told as it is.
func (s *Server) goOn(in protocol.OpenRequest, tell bool) wire.Work {
	return func(ctx context.Context) (wire.Answer, error) {
		if in.SessionID == "" {
			return wire.Answer{}, wire.Errorf(wire.Arguments, "sessionId is missing")
		}
		if one, err := s.session(in.SessionID); err == nil { // the editor begins anew with it
			if err := one.part(ctx); err != nil {
				return wire.Answer{}, err
			}
		}
		one, past, err := s.openSession(Request{Dir: in.Cwd, ID: in.SessionID, Servers: in.Servers}, in.SessionID)
		if err != nil {
			return wire.Answer{}, err
		}
		if tell {
			one.send(past...)
		}
		return wire.Answer{Result: one.told(), Sent: one.begin}, nil
	}
}

// openSession opens a session and reads what has happened in it; begin lets it
// go on from there. Id is what the editor calls it, empty for its own id.
func (s *Server) openSession(r Request, id string) (*session, []protocol.Update, error) {
	if err := checkDir(r.Dir); err != nil {
		return nil, nil, err
	}
	if err := s.reserve(id); err != nil {
		return nil, nil, err
	}
	defer s.unreserve(id)
	// The session may live by its context, so it must not be that of a call.
	ctx, drop := context.WithCancel(context.WithoutCancel(s.ctx))
	kept := context.AfterFunc(s.ctx, drop)
	opened, err := s.o.Host.Open(ctx, r)
	if !kept() && err == nil {
		_ = opened.Session.Close() // nobody is left to use it
		err = wire.ErrGone
	}
	if err != nil {
		drop()
		return nil, nil, err
	}
	one := newSession(s, r, opened, drop)
	if id != "" {
		one.id = id
	}
	past, err := one.start()
	if err == nil {
		err = s.add(one)
	}
	if err != nil {
		one.leave()
		return nil, nil, err
	}
	return one, past, nil
}

// reserve keeps two calls from opening the same session, and bounds them all.
func (s *Server) reserve(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return wire.ErrGone
	case len(s.sessions)+len(s.opening) >= mostSessions:
		return wire.Errorf(wire.Invalid, "%d sessions are open: session/close ends one", mostSessions)
	case id != "" && s.opening[id]:
		return wire.Errorf(wire.Invalid, "session %s is being opened", id)
	case id != "":
		s.opening[id] = true
	}
	return nil
}

func (s *Server) unreserve(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.opening, id)
}

func (s *Server) add(one *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return wire.ErrGone
	}
	s.sessions[one.id] = one
	return nil
}

// forget takes a session off the list, if it is still the one with its id.
func (s *Server) forget(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[one.id] == one {
		delete(s.sessions, one.id)
	}
}

// revive opens a session again that has ended by itself, unless that was done
// already.
func (s *Server) revive(one *session) (*session, error) {
	s.reviving.Lock()
	defer s.reviving.Unlock()
	if again, err := s.session(one.id); err != nil || again != one {
		return again, err
	}
	again, _, err := s.openSession(Request{Dir: one.request.Dir, ID: one.opened.Session.Info().SessionID, Servers: one.request.Servers}, one.id)
	if err != nil {
		return nil, err
	}
	again.begin()
	one.gone(one.opened.Session.Close())
	return again, nil
}

func checkDir(dir string) error {
	if !filepath.IsAbs(dir) {
		return wire.Errorf(wire.Arguments, "cwd %q is no absolute path", dir)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return wire.Errorf(wire.Arguments, "cwd %s is not a directory", dir)
	}
	return nil
}
