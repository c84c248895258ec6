// Package toolserver gives the workspace of the machine it runs on to a client
// far away: the tools bash, read, write and edit over HTTP, the same ones that
// work locally, and the operations of a workspace themselves. It knows no
// agent, no model and no Hub.
package toolserver

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/files"
)

const (
	// IdleTimeout is how long a server lives without an authorized request and
	// without a running command, where [Options] say nothing.
	IdleTimeout = 30 * time.Minute
	// minToken is the fewest characters of a token: 32 random bytes in Base64.
	minToken = 43
	// maxBody is the most bytes of a request that is held in memory, and
	// maxStream of one that goes to disk as it comes.
	maxBody   = 32 << 20
	maxStream = workspace.ArchiveBytes
	// maxRequests is how many authorized requests are worked on at once.
	maxRequests = 32
	// parting is how long commands have to end when the server stops.
	parting = 5 * time.Second
)

// Options are what a server works with.
type Options struct {
	// Token lets clients in; without one every request is refused.
	Token string
	// Dir is the absolute folder of the workspace.
	Dir string
	// Temp is an absolute folder of the server's own for outputs.
	Temp string
	// Environ is what commands get, less what looks like a secret.
	Environ []string
	// ForwardHFToken lets commands have the Hub token of Environ.
	ForwardHFToken bool
	// Idle is how long the server lives without use; 0 is IdleTimeout, a
	// negative one for ever.
	Idle time.Duration
	// Version is the program's.
	Version string
}

// Server serves one workspace. It is an [http.Handler].
type Server struct {
	opts    Options
	secret  *[sha256.Size]byte // of the token; nil without one
	boot    string
	began   time.Time
	machine *local.Machine
	files   map[string]tool.Tool // read, write and edit by their names
	mux     *http.ServeMux
	slots   chan struct{}
	replays *replays
	use     *usage

	// life ends with the server; what outlives its request runs in it.
	life context.Context //nolint:containedctx // the server is the owner
	end  context.CancelFunc

	mu     sync.Mutex // guards what follows
	closed bool
	wait   sync.WaitGroup
}

// New checks o and returns a server. Close ends what it started.
func New(o Options) (*Server, error) {
	if o.Token != "" && len(o.Token) < minToken {
		return nil, fmt.Errorf("the sandbox token has %d characters: it must have %d or more", len(o.Token), minToken)
	}
	if !filepath.IsAbs(o.Temp) {
		return nil, fmt.Errorf("toolserver option Temp %q: it must be absolute", o.Temp)
	}
	if o.Idle == 0 {
		o.Idle = IdleTimeout
	}
	machine, err := local.New(local.Options{
		Dir: o.Dir, Environ: o.Environ, ForwardHFToken: o.ForwardHFToken,
		SpillDir: func(session string) string { return filepath.Join(o.Temp, session) },
	})
	if err != nil {
		return nil, err
	}
	// The client keeps track of what was read.
	three, err := files.New(files.Options{Workspace: machine.Open, Unguarded: true, Signatures: true})
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: o, boot: rand.Text(), began: time.Now(), machine: machine, files: map[string]tool.Tool{},
		slots: make(chan struct{}, maxRequests), replays: newReplays(), use: newUsage(),
	}
	for _, t := range three.Tools() {
		s.files[t.Spec().Name] = t
	}
	if o.Token != "" {
		sum := sha256.Sum256([]byte(o.Token))
		s.secret, s.opts.Token = &sum, ""
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.mux = s.routes()
	return s, nil
}

// routes lists what an authorized client may ask.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	s.first(mux)
	s.second(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, fmt.Sprintf("there is no %s %s", r.Method, r.URL.Path))
	})
	return mux
}

// ServeHTTP lets only the token's holder in, but for the two questions about
// the server's health.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set(wire.BootID, s.boot)
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodGet && s.health(w, r.URL.Path) {
		return
	}
	if s.secret == nil {
		refuse(w, http.StatusServiceUnavailable, "Sandbox API token not configured")
		return
	}
	if !s.knows(r.Header.Get(wire.Authorization)) {
		refuse(w, http.StatusUnauthorized, "Invalid bearer token")
		return
	}
	defer s.use.begin()()
	if !ends(r) { // what frees a slot needs none
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			head.Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, fmt.Sprintf("more than %d requests at once", maxRequests))
			return
		}
	}
	s.mux.ServeHTTP(w, r)
}

// knows compares sums, which takes the same time for every wrong token.
func (s *Server) knows(header string) bool {
	scheme, token, _ := strings.Cut(header, " ")
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], s.secret[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// ends reports whether r ends commands.
func ends(r *http.Request) bool {
	return r.Method == http.MethodDelete || r.URL.Path == "/api/kill"
}

func (s *Server) health(w http.ResponseWriter, path string) bool {
	switch path {
	case "/api/health":
		answer(w, map[string]string{"status": "ok"})
	case wire.Health:
		children := s.machine.Alive()
		idle := s.use.idle()
		if children > 0 {
			idle = 0
		}
		answer(w, wire.HealthAnswer{
			Status: "ok", BootID: s.boot, Version: s.opts.Version, Children: children,
			IdleSeconds: int64(idle.Seconds()), UptimeSeconds: int64(time.Since(s.began).Seconds()),
		})
	default:
		return false
	}
	return true
}

// Serve answers requests until ctx is done or nobody has used the server for
// its idle time, which is no error. It closes the server.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	s.spawn(func() {
		defer stop()
		s.use.watch(ctx, s.opts.Idle, func() bool { return s.machine.Alive() > 0 })
	})
	s.spawn(func() {
		<-ctx.Done()
		_ = server.Close() // streams have no end of their own
	})
	err := server.Serve(l)
	stop()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.Close())
}

// spawn runs f, which ends soon after the server's life.
func (s *Server) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wait.Go(f)
	}
}

// Close ends all commands and waits for everything the server has begun.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	ctx, stop := context.WithTimeout(context.Background(), parting)
	defer stop()
	err := s.machine.Close(ctx)
	s.wait.Wait()
	return errors.Join(err, os.RemoveAll(s.opts.Temp))
}

// answer writes a JSON body.
func answer(w http.ResponseWriter, v any) { write(w, http.StatusOK, v) }

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client has gone
}

// refuse says no to a request.
func refuse(w http.ResponseWriter, status int, detail string) {
	write(w, status, wire.Error{Detail: detail})
}

// fail says what the workspace would not do.
func fail(w http.ResponseWriter, err error) {
	var f *workspace.Fault
	if !errors.As(err, &f) {
		kind := workspace.Failed
		if errors.Is(err, os.ErrNotExist) {
			kind = workspace.Missing
		}
		f = &workspace.Fault{Kind: kind, Reason: err.Error()}
	}
	status, ok := map[workspace.Kind]int{
		workspace.Missing: http.StatusNotFound, workspace.Unknown: http.StatusNotFound, workspace.Invalid: http.StatusBadRequest,
		workspace.Changed: http.StatusConflict, workspace.TooLarge: http.StatusRequestEntityTooLarge,
		workspace.Outside: http.StatusForbidden, workspace.Secret: http.StatusForbidden,
	}[f.Kind]
	if !ok {
		status = http.StatusUnprocessableEntity
	}
	write(w, status, wire.Error{Detail: f.Error(), Fault: f})
}

// decode reads a JSON body into v.
func decode(w http.ResponseWriter, r *http.Request, v any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(v)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		fail(w, &workspace.Fault{Kind: workspace.TooLarge, Reason: fmt.Sprintf("the request has more than %d bytes", maxBody)})
	case err != nil:
		fail(w, &workspace.Fault{Kind: workspace.Invalid, Reason: "the request is no JSON object of the right form: " + err.Error()})
	}
	return err == nil
}
