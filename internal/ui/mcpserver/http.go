package mcpserver

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Path is where the server answers over HTTP.
const Path = "/mcp"

// Bounds of what comes over HTTP.
const (
	// messageLimit bounds one message, in bytes, on standard input too.
	messageLimit = 4 << 20
	// headerLimit bounds the header of a request, in bytes.
	headerLimit = 64 << 10
	// openRequests is how many requests are open at once; streams of events are
	// open for long.
	openRequests = 256
	// openSessions is how many clients of the revisions with sessions there are,
	// and idleSession how long one may say nothing.
	openSessions = 256
	idleSession  = 8 * time.Hour
	// headerWait and bodyWait are how long a request may take to arrive, and
	// writeWait how long a client may take to take in a piece of an answer.
	headerWait = 10 * time.Second
	bodyWait   = 30 * time.Second
	writeWait  = 30 * time.Second
	// hangUp is how long the end of the server waits for requests that are no calls.
	hangUp = time.Second
	// idleConnection is how long a connection without requests stays.
	idleConnection = 2 * time.Minute
	// replayed is what is kept for clients that lose their connection in the
	// middle of an answer, in bytes of all sessions together.
	replayed = 16 << 20
)

// HTTP says who may speak to the server over HTTP.
type HTTP struct {
	// Token is what each request must bear; at least MinToken characters.
	Token string
	// Hosts are the names this server goes by, beside IP addresses and those of
	// this machine. Other names in Host and Origin are refused: they are how a web
	// page reaches a server that is not meant for it.
	Hosts []string
}

// Handler answers at Path.
func (s *Server) Handler(o HTTP) (http.Handler, error) {
	g, err := newGuard(o)
	if err != nil {
		return nil, err
	}
	server := func(*http.Request) *mcp.Server { return s.sdk }
	events := mcp.NewMemoryEventStore(nil)
	events.SetMaxBytes(replayed)
	f := &front{
		server: s, guard: g, open: make(chan struct{}, openRequests),
		// Names are judged by the guard, which knows more of them.
		sessions: mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{
			Logger: s.opts.Log, EventStore: events, SessionTimeout: idleSession, MaxRequestBodyBytes: messageLimit, DisableLocalhostProtection: true,
		}),
		// A request without a session ends with its connection.
		single: mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{
			Logger: s.opts.Log, Stateless: true, PropagateRequestCancellation: true, MaxRequestBodyBytes: messageLimit, DisableLocalhostProtection: true,
		}),
	}
	mux := http.NewServeMux()
	mux.Handle(Path, f)
	return mux, nil
}

// ServeHTTP answers on l until ctx is done. The server is closed then.
func (s *Server) ServeHTTP(ctx context.Context, l net.Listener, o HTTP) error {
	handler, err := s.Handler(o)
	if err != nil {
		return err
	}
	web := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerWait, IdleTimeout: idleConnection, MaxHeaderBytes: headerLimit,
		ErrorLog: slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(l) }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		s.Close()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUp)
		defer cancel()
		_ = web.Shutdown(late) // what is left open is cut off
		_ = web.Close()
		err = <-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve MCP on %s: %w", l.Addr(), err)
}

// front stands before the library: it judges requests, and leads each to the
// handler of its revision.
type front struct {
	server           *Server
	guard            *guard
	sessions, single http.Handler
	open             chan struct{} // a place for each request
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if code, why := f.guard.refuses(r); code != 0 {
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="ml-intern"`)
		}
		http.Error(w, why, code)
		return
	}
	select {
	case f.open <- struct{}{}:
		defer func() { <-f.open }()
	default:
		busy(w, "too many requests are open")
		return
	}
	if f.server.life.Err() != nil {
		busy(w, "the server stops")
		return
	}
	body, ok := read(w, r)
	if !ok {
		return
	}
	w = &patient{ResponseWriter: w, control: http.NewResponseController(w)}
	switch {
	case sessionless(r, body):
		f.single.ServeHTTP(w, r)
	case r.Method == http.MethodPost && r.Header.Get("Mcp-Session-Id") == "" && f.full():
		busy(w, "too many sessions are open")
	default:
		f.sessions.ServeHTTP(w, r)
	}
}

// full reports whether no more sessions are wanted.
func (f *front) full() bool {
	n := 0
	for range f.server.sdk.Sessions() {
		n++
	}
	return n >= openSessions
}

func busy(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, why, http.StatusServiceUnavailable)
}

// read takes the body of a request in, within its bounds; ok is false when that
// was answered. The body can be read again.
func read(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	if r.Method != http.MethodPost {
		return nil, true
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyWait)) // a test's recorder cannot
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, messageLimit))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		http.Error(w, fmt.Sprintf("a message has at most %d bytes", long.Limit), http.StatusRequestEntityTooLarge)
		return nil, false
	case err != nil:
		http.Error(w, "the request cannot be read", http.StatusBadRequest)
		return nil, false
	}
	_ = control.SetReadDeadline(time.Time{})
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		http.Error(w, "batches are not taken: send one message a request", http.StatusBadRequest)
		return nil, false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, true
}

// firstSessionless is the first revision without sessions.
const firstSessionless = "2026-07-28"

// sessionless reports whether a request is one of the revisions in which each
// stands for itself.
func sessionless(r *http.Request, body []byte) bool {
	if r.Header.Get("Mcp-Protocol-Version") >= firstSessionless {
		return true
	}
	var m struct {
		Params struct {
			Meta map[string]json.RawMessage `json:"_meta"`
		} `json:"params"`
	}
	_ = json.Unmarshal(body, &m) // the library says what is wrong with it
	return m.Params.Meta[mcp.MetaKeyProtocolVersion] != nil
}

// patient gives a client that takes nothing in up.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(writeWait)) // a test's recorder cannot
	return p.ResponseWriter.Write(b)
}

// Flush sends what was written.
func (p *patient) Flush() {
	_ = p.control.SetWriteDeadline(time.Now().Add(writeWait))
	_ = p.control.Flush() // the next write says what is wrong
}

// Unwrap is for http.ResponseController.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

var _ http.Flusher = (*patient)(nil)

// Addr is a listening address with the parts that were left out.
func Addr(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("the address %q is not HOST:PORT, such as %s", address, DefaultAddr)
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port), nil
}

// DefaultAddr is where the server listens if nothing else is said.
const DefaultAddr = "127.0.0.1:7871"
