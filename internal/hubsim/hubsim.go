// Package hubsim is a simulated Hugging Face Hub for tests, demonstrations and
// work without a network: accounts, repositories, jobs, Spaces and the services
// around the Hub, on two loopback addresses. This package puts the parts
// together and stands at the door: request ids, tokens, rate limits, faults and
// the request log. It knows no route of the Hub.
package hubsim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/bucket"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/collection"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/discussion"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/guard"
	"github.com/ml-intern/ml-intern/internal/hubsim/identity"
	"github.com/ml-intern/ml-intern/internal/hubsim/job"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour"
	"github.com/ml-intern/ml-intern/internal/hubsim/quota"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/requestlog"
	"github.com/ml-intern/ml-intern/internal/hubsim/space"
	"github.com/ml-intern/ml-intern/internal/hubsim/statefile"
	"github.com/ml-intern/ml-intern/internal/hubsim/webhook"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// Ways to run a job's command.
const (
	Local    = "local"    // as a process of this machine
	Scripted = "scripted" // not at all: a script is played
)

// Options of a simulator. The zero value is the seed acme on a manual clock,
// with jobs played by scripts, nothing on disk and no limits enforced.
type Options struct {
	// Seed is what exists at the start: "acme", "empty", or a directory. It is
	// not read when StateDir already holds a state.
	Seed string
	// StateDir keeps everything over restarts; empty keeps it in memory.
	StateDir string
	Clock    clock.Options
	Exec     string // Local or Scripted
	// Scripts are played instead of the commands they match.
	Scripts []exec.Script
	// Fence is how commands are fenced in; empty is the strongest that needs
	// nothing of the program's start.
	Fence proc.Mode
	// JobDelay is how long jobs of a flavor wait for a machine; nil is no time.
	JobDelay func(flavor string) time.Duration
	// SpaceBuild and SpaceStart are how long Spaces build and start; 0 is 5 and
	// 2 seconds.
	SpaceBuild, SpaceStart time.Duration
	// Listen and CDNListen are the addresses of the two hosts; empty is a free
	// loopback port each.
	Listen, CDNListen string
	// Router answers below /router/v1 instead of the seed's scripts.
	Router http.Handler
	// Limits enforces the rate limits; their headers are sent in any case.
	Limits bool
	// WhoamiLimit is how many whoami requests an account has in 300 seconds; 0
	// is no limit of its own.
	WhoamiLimit int
	// AllowUnserved does not note requests that no route serves.
	AllowUnserved bool
	// MultipartAbove is the size in bytes above which files go up in parts of
	// PartSize; 0 is the store's own.
	MultipartAbove, PartSize int64
	// VisibilityDelay is how long a duplicated repository is not to be found;
	// nil is no time.
	VisibilityDelay func() time.Duration
	// Control serves /__hubsim/ to loopback clients.
	Control bool
	// Home is the HF_HOME of Env; empty is a folder among the simulator's own
	// files.
	Home string
	// Say is told once, in one line, what the user should know, such as jobs
	// that run without a sandbox; nil is nobody.
	Say func(string)
}

// Hub is a simulator. It is safe for concurrent use.
type Hub struct {
	// Faults are the rules in force.
	Faults *fault.Set

	o     Options
	log   requestlog.Log
	limit *quota.Counter
	hub   http.Handler // as the clients see it
	cdn   http.Handler
	steer http.Handler // the control routes

	world    atomic.Pointer[world]
	requests atomic.Uint64   // how many there were: their ids
	change   sync.Mutex      // held while the world is replaced or saved
	file     *statefile.File // nil without a state directory
	serving  sync.WaitGroup

	mu      sync.Mutex
	origin  [2]string // of hub and content host, known after Start
	inside  [2]*pipes // the ways to them that need no network
	servers []*http.Server
	stop    context.CancelFunc
	ended   sync.WaitGroup // the servers' goroutines
	closed  bool
}

// New returns a simulator that does not listen yet.
func New(o Options) (*Hub, error) {
	if o.Seed == "" {
		o.Seed = "acme"
	}
	if o.Exec == "" {
		o.Exec = Scripted
	}
	if o.Exec != Local && o.Exec != Scripted {
		return nil, fmt.Errorf("exec is %q: it must be local or scripted", o.Exec)
	}
	if o.Clock.Scale < 0 {
		return nil, fmt.Errorf("clock scale is %g: it must not be negative", o.Clock.Scale)
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	if o.Exec == Local {
		for _, addr := range []string{o.Listen, o.CDNListen} {
			if err := loopback(addr); err != nil {
				return nil, err
			}
		}
	}
	h := &Hub{o: o, limit: quota.New()}
	h.Faults = fault.New(fault.Options{
		Now: func() time.Time { return h.Clock().Now() }, Owner: h.owner, EndToken: h.endToken,
		MoveHead: h.moveHead, Foreign: h.CDNURL, CloseIdle: h.closeIdle,
	})
	if err := h.open(); err != nil {
		return nil, err
	}
	h.steer = h.steering()
	h.hub = h.door(fault.Hub, h.admitted(h.Faults.Middleware(fault.Hub, http.HandlerFunc(h.serveHub))))
	h.cdn = h.door(fault.CDN, h.Faults.Middleware(fault.CDN, http.HandlerFunc(h.serveCDN)))
	return h, nil
}

// loopback refuses an address that other machines reach: jobs run as the user.
func loopback(addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", addr, err)
	}
	if !guard.Local(host) {
		return fmt.Errorf("listen address %q is not a loopback address: jobs that run on this machine are for it alone", addr)
	}
	return nil
}

// Handler is the Hub itself, CDN the host of signed addresses.
func (h *Hub) Handler() http.Handler { return h.hub }

// CDN is the host that signed addresses point to.
func (h *Hub) CDN() http.Handler { return h.cdn }

// Start listens on both addresses and serves until Close.
func (h *Hub) Start(ctx context.Context) error {
	hub, err := listen(h.o.Listen)
	if err != nil {
		return err
	}
	cdn, err := listen(h.o.CDNListen)
	if err != nil {
		_ = hub.Close()
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.servers != nil || h.closed {
		_, _ = hub.Close(), cdn.Close()
		return errors.New("the simulator was started before")
	}
	_, port, _ := net.SplitHostPort(cdn.Addr().String())
	h.origin = [2]string{"http://" + hub.Addr().String(), "http://localhost:" + port}
	ctx, h.stop = context.WithCancel(ctx)
	h.inside = [2]*pipes{newPipes(hub.Addr()), newPipes(cdn.Addr())}
	h.serve(ctx, h.guarded(hub, h.hub), h.Faults.Listener(fault.Hub, hub), h.Faults.Listener(fault.Hub, h.inside[0]))
	h.serve(ctx, h.guarded(cdn, h.cdn), h.Faults.Listener(fault.CDN, cdn), h.Faults.Listener(fault.CDN, h.inside[1]))
	return nil
}

func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return net.Listen("tcp", addr)
}

// guarded keeps the pages of others away from an address of this machine. One
// that others reach anyway, under names that only they know, runs no commands.
func (h *Hub) guarded(l net.Listener, next http.Handler) http.Handler {
	if !guard.Local(l.Addr().String()) {
		return next
	}
	g := guard.Guard{Own: func() []string { return []string{h.URL(), h.CDNURL()} }, Apps: app}
	return answer.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if why := g.Refuses(r); why != "" {
			return answer.Refuse(http.StatusForbidden, why)
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// serve runs a server; the caller holds the lock.
func (h *Hub) serve(ctx context.Context, handler http.Handler, listeners ...net.Listener) {
	s := &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: time.Minute,
	}
	h.servers = append(h.servers, s)
	for _, l := range listeners {
		h.ended.Go(func() { _ = s.Serve(l) }) // ends with Close
	}
}

// URL is the endpoint, HF_ENDPOINT; empty before Start.
func (h *Hub) URL() string { return h.at(0) }

// CDNURL is the origin of signed addresses; empty before Start.
func (h *Hub) CDNURL() string { return h.at(1) }

func (h *Hub) at(i int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.origin[i]
}

// Dial is a dialer for a client under test, in front of next: to it the faults
// refuse and dnsFail are what they are called. The listeners play them no more.
func (h *Hub) Dial(next func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return h.Faults.Dial(func(addr string) string {
		switch "http://" + addr {
		case h.URL():
			return fault.Hub
		case h.CDNURL():
			return fault.CDN
		}
		return ""
	}, next)
}

// closeIdle closes connections that wait for a request.
func (h *Hub) closeIdle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.servers {
		s.SetKeepAlivesEnabled(false)
		s.SetKeepAlivesEnabled(true)
	}
}

// closeTimeout is how long Close lets requests end by themselves.
const closeTimeout = 2 * time.Second

// Close ends all requests, jobs and apps, writes the state and waits for
// everything that runs.
func (h *Hub) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	servers, stop := h.servers, h.stop
	h.mu.Unlock()
	if stop != nil {
		stop() // event streams end
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(ctx) != nil {
			_ = s.Close()
		}
	}
	h.ended.Wait()
	h.serving.Wait()
	var err error
	if h.file != nil {
		err = h.file.Close(h.Save) // the world is still there, at rest
	}
	return errors.Join(err, h.world.Load().close())
}

// Clock is the simulated time.
func (h *Hub) Clock() *clock.Clock { return h.world.Load().clock }

// Advance moves the simulated time and runs what falls due.
func (h *Hub) Advance(d time.Duration) { h.Clock().Advance(d) }

// Accounts are the users, organisations and tokens.
func (h *Hub) Accounts() *account.Book { return h.world.Load().accounts }

// The parts of the Hub. After a Reset they are others.

// Identity answers whoami and OAuth; its consent can be scripted.
func (h *Hub) Identity() *identity.Area { return h.world.Load().identity }

// Repos are the repositories.
func (h *Hub) Repos() *repo.Store { return h.world.Load().repos }

// Content are the contents of large files.
func (h *Hub) Content() *content.Store { return h.world.Load().content }

// Discussions are the discussions and pull requests.
func (h *Hub) Discussions() *discussion.Area { return h.world.Load().discussions }

// Collections are the collections.
func (h *Hub) Collections() *collection.Area { return h.world.Load().collections }

// Buckets are the buckets.
func (h *Hub) Buckets() *bucket.Area { return h.world.Load().buckets }

// Webhooks are the webhooks.
func (h *Hub) Webhooks() *webhook.Area { return h.world.Load().webhooks }

// Jobs are the jobs.
func (h *Hub) Jobs() *job.Jobs { return h.world.Load().jobs }

// Spaces are the machines of Spaces.
func (h *Hub) Spaces() *space.Spaces { return h.world.Load().spaces }

// Services are what is around the Hub: papers, search, Slack and the like.
func (h *Hub) Services() *neighbour.Services { return h.world.Load().services }
