// Package server is one server of the model context protocol as this program uses
// it: it connects beside everything else, stays connected, knows what the server
// offers, and calls, reads and asks on request. It knows neither the model nor where
// the settings are; what the server says is data, and nothing of it is obeyed.
package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/link"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/login"
)

// DefaultConnect is how long a connection may take, what the server lists included.
const DefaultConnect = 10 * time.Second

// DefaultSilence is how long a call may go on without a word.
const DefaultSilence = 10 * time.Minute

// longest is how many times that a call may take in all.
const longest = 10

// Options of a server. It is a program, or a place on the web.
type Options struct {
	// Name is what the user calls it, Version this program's.
	Name, Version string

	// Argv, Dir and Env start it.
	Argv []string
	Dir  string
	Env  []string

	// URL is where it is, SSE says that it speaks the older form of HTTP there.
	URL *url.URL
	SSE bool
	// Header is added to each request; Bearer gives a token for those without
	// Authorization; nil is none.
	Header http.Header
	Bearer func(ctx context.Context) string
	// HTTP makes the requests.
	HTTP http.RoundTripper
	// Login keeps the login at the server; nil where the settings have one.
	Login auth.OAuthHandler

	// Only names the tools that count; none is all.
	Only []string
	// Roots are folders that the server is told; none offers it none.
	Roots []string
	// Elicit answers what the server asks a person; nil offers that to no server.
	Elicit func(ctx context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error)

	// Connect and Silence are limits; 0 are the defaults.
	Connect, Silence time.Duration
	// Changed is called when the state or the catalogue is another; it must not
	// wait. Log is told what only an operator should see. Both may be nil.
	Changed func()
	Log     func(line string)
}

// State is how things stand with a server.
type State string

// The states. Waiting is between two tries, Failed after the last of them.
const (
	Idle       State = "not started"
	Connecting State = "connecting"
	Ready      State = "ready"
	NeedsLogin State = "needs a login"
	Waiting    State = "failed, will be tried again"
	Failed     State = "failed"
	Closed     State = "closed"
)

// Status is how things stand.
type Status struct {
	State State
	// Err is why it is not ready; nil while it is.
	Err error
	// Title, Release and Protocol are what the server says it is and speaks.
	Title, Release, Protocol string
	// Catalog is what it offers; what it offered last while it is away.
	Catalog catalog.Catalog
	// Edition counts the catalogues.
	Edition int
}

// Server is one server. Its methods may be called from any goroutine.
type Server struct {
	o       Options
	life    context.Context
	end     context.CancelFunc
	work    sync.WaitGroup
	again   chan struct{} // holds a token: connect now
	settled chan struct{} // the first try has come to an end

	// These belong to the goroutine that connects: the revision that is asked for,
	// the newest for "", and that an older one was tried.
	revision string
	asked    bool

	mu      sync.Mutex
	status  Status
	conn    *conn         // nil unless ready
	moved   chan struct{} // closed at the next change of state
	started bool
	calls   map[string]func(mcp.ProgressNotificationParams)
	serial  int
}

// New returns a server that is not connected.
func New(o Options) (*Server, error) {
	if (len(o.Argv) == 0) == (o.URL == nil) {
		return nil, errors.New("an MCP server is a command or an address")
	}
	if o.URL != nil && o.HTTP == nil {
		return nil, errors.New("an MCP server on the web needs Options.HTTP")
	}
	if o.Connect <= 0 {
		o.Connect = DefaultConnect
	}
	if o.Silence <= 0 {
		o.Silence = DefaultSilence
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	s := &Server{
		o: o, again: make(chan struct{}, 1), settled: make(chan struct{}), moved: make(chan struct{}),
		status: Status{State: Idle}, calls: map[string]func(mcp.ProgressNotificationParams){},
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Name is what the user calls the server.
func (s *Server) Name() string { return s.o.Name }

// Where is the server's address, or the program it is, without what may be secret.
func (s *Server) Where() string {
	if s.o.URL != nil {
		return s.o.URL.Scheme + "://" + s.o.URL.Host + s.o.URL.EscapedPath()
	}
	return s.o.Argv[0]
}

// Status is how things stand.
func (s *Server) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Settled is closed when the first try to connect has come to an end.
func (s *Server) Settled() <-chan struct{} { return s.settled }

// Start connects, and connects again after a loss, until Close.
func (s *Server) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.status.State == Closed {
		return
	}
	s.started, s.status.State = true, Connecting
	s.work.Go(s.keep)
}

// Retry connects now, where it is not connected.
func (s *Server) Retry() {
	if state := s.Status().State; state != Waiting && state != Failed && state != NeedsLogin {
		return
	}
	select {
	case s.again <- struct{}{}:
	default:
	}
}

// Rest waits until the server is not connecting, or ctx is done.
func (s *Server) Rest(ctx context.Context) {
	for {
		s.mu.Lock()
		state, moved, pending := s.status.State, s.moved, len(s.again) > 0
		s.mu.Unlock()
		if state != Connecting && (!pending || state == Ready || state == Closed) {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the connection and waits for that.
func (s *Server) Close() {
	s.mu.Lock()
	before := s.status.State
	s.status.State, s.status.Err = Closed, nil
	s.mu.Unlock()
	if before == Closed {
		return
	}
	s.end()
	s.work.Wait()
	s.turn(func(st *Status) { st.State = Closed })
}

// turn changes the status and tells it.
func (s *Server) turn(change func(*Status)) {
	s.mu.Lock()
	change(&s.status)
	close(s.moved)
	s.moved = make(chan struct{})
	s.mu.Unlock()
	s.o.Changed()
}

// Of the tries to connect: the pause before the next, and how many fail in a row
// before one has to ask for another; a connection that is lost sooner than steady
// counts as one that failed.
const (
	firstPause = time.Second
	mostTries  = 6
	steady     = 20 * time.Second
)

// keep connects and stays connected.
func (s *Server) keep() {
	first := sync.OnceFunc(func() { close(s.settled) })
	defer first()
	for tries := 0; s.life.Err() == nil; {
		s.turn(func(st *Status) { st.State = Connecting })
		began := time.Now()
		c, err := s.connect(s.life)
		hopeless := err != nil && final(err)
		if err == nil {
			err = s.serve(c, first)
			if time.Since(began) > steady {
				tries = 0
			}
		}
		if s.life.Err() != nil {
			return
		}
		if tries++; hopeless {
			tries = mostTries
		}
		if s.pause(tries, err, first) {
			tries = 0
		}
	}
}

// serve is the time of a connection, of which told says that it has begun; it returns
// why it was lost.
func (s *Server) serve(c *conn, told func()) error {
	s.mu.Lock()
	s.conn = c
	s.mu.Unlock()
	s.turn(func(st *Status) {
		st.State, st.Err = Ready, nil
		st.Title, st.Release, st.Protocol = c.about()
		st.Catalog, st.Edition = c.catalog, st.Edition+1
	})
	told()
	err := c.wait(s.life, s.relist)
	s.mu.Lock()
	s.conn = nil
	s.mu.Unlock()
	c.close()
	return err
}

// relist takes what the server offers now.
func (s *Server) relist(c catalog.Catalog) {
	s.turn(func(st *Status) { st.Catalog, st.Edition = c, st.Edition+1 })
}

// pause waits before the next try; asked says that somebody wants it now.
func (s *Server) pause(tries int, err error, told func()) (asked bool) {
	state := Waiting
	var later <-chan time.Time
	switch {
	case errors.Is(err, login.ErrNeeded):
		state = NeedsLogin
	case tries >= mostTries:
		state = Failed
	default:
		t := time.NewTimer(firstPause << (tries - 1))
		defer t.Stop()
		later = t.C
	}
	s.o.Log(fmt.Sprintf("%s: %v", state, err))
	s.turn(func(st *Status) { st.State, st.Err = state, err })
	told()
	select {
	case <-later:
		return false
	case <-s.again:
		return true
	case <-s.life.Done():
		return false
	}
}

// final reports whether another try would end the same way.
func final(err error) bool {
	var start *link.StartError
	return errors.Is(err, link.ErrElsewhere) || errors.Is(err, link.ErrTooLarge) || errors.Is(err, link.ErrFlood) || errors.As(err, &start)
}

// current is the connection; without one it has the server connected, and waits for
// that as long as connecting may take.
func (s *Server) current(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Connect)
	defer cancel()
	for asked := false; ; {
		s.mu.Lock()
		c, st, moved := s.conn, s.status, s.moved
		s.mu.Unlock()
		switch {
		case c != nil:
			return c, nil
		case st.State == Closed, st.State == Idle:
			return nil, fmt.Errorf("the server is %s", st.State)
		case asked && st.State != Connecting && st.State != Ready:
			return nil, fmt.Errorf("the server is not there (%s): %w", st.State, st.Err)
		case st.State != Connecting && st.State != Ready:
			asked = true
			s.Retry() // and its state will be another
		}
		select {
		case <-moved:
		case <-ctx.Done():
			if st.Err != nil {
				return nil, fmt.Errorf("the server does not answer: %w", st.Err)
			}
			return nil, fmt.Errorf("the server does not answer: %w", context.Cause(ctx))
		}
	}
}
