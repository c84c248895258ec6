// Package remote is a workspace on another machine, reached through the tool
// server that runs there. What is done there is done once: a request whose
// answer was lost is asked about by its id, never sent again as a new one. The
// package does not know how that machine came to be, nor who pays for it.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// Options say where the server is and how to get in.
type Options struct {
	// URL is the server's address, with a path in front of its own where it has
	// one: https, or http on this machine.
	URL string
	// Token is the server's own token.
	Token string
	// HubToken returns the token that the gateway before the server wants, as
	// that of a private Space does; nil or empty sends none. It goes to the
	// origin of URL only.
	HubToken func() string
	// Version is the program's.
	Version string
	// Restarted is called, not at the same time as itself, when the server is
	// found to be another one than before: its files and processes may be gone.
	Restarted func(before, now string)
	// Unreachable is called when the server does not answer although it was
	// tried several times. It waits until trying again makes sense, or says why
	// that is in vain; the model reads its error. Nil gives up.
	Unreachable func(ctx context.Context, why error) error
	// Proxy picks the proxy of a request; nil means none.
	Proxy func(*http.Request) (*url.URL, error)
	// Transport replaces the network, for tests.
	Transport http.RoundTripper
}

// Client is a workspace on another machine. It is safe for concurrent use.
type Client struct {
	opts Options
	base *url.URL
	http *http.Client
	// margin is how much longer than a command its answer may take.
	margin time.Duration
	waits  []time.Duration

	// life ends with Close.
	life context.Context //nolint:containedctx // the client is the owner
	end  context.CancelFunc
	wait sync.WaitGroup

	mu   sync.Mutex // guards what follows
	boot string     // of the server, when it is known
	shut bool

	telling sync.Mutex // held while Restarted is called
}

var _ workspace.Workspace = (*Client)(nil)

// New checks o and returns the workspace. It asks nothing yet. Close it when
// done.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("sandbox option URL %q: it must be an absolute url without user, query and fragment", o.URL)
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !loopback(base.Hostname())) {
		return nil, fmt.Errorf("sandbox option URL %q: it must be https, or http on this machine", o.URL)
	}
	if o.Token == "" || strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("sandbox option Token: it must be printable characters without blanks")
	}
	if o.HubToken == nil {
		o.HubToken = func() string { return "" }
	}
	client, err := httpx.New(httpx.Options{
		Version: o.Version, Proxy: o.Proxy, Transport: o.Transport,
		FirstByte: -1, // an archive takes its time to arrive; every call has a deadline
		Idle:      3 * wire.Ping,
		Tokens:    []httpx.Token{{Origin: o.URL, Value: o.HubToken}},
	})
	if err != nil {
		return nil, err
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base.Path = strings.TrimSuffix(base.Path, "/")
	c := &Client{opts: o, base: base, http: client, margin: margin, waits: waits()}
	c.life, c.end = context.WithCancel(context.Background())
	return c, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Open is c itself, for tools that ask for their workspace.
func (c *Client) Open(context.Context) (workspace.Workspace, error) { return c, nil }

// URL is where the server is.
func (c *Client) URL() string { return c.opts.URL }

// Close stops following commands and waits for all that the client has begun.
// It ends nothing in the sandbox.
func (c *Client) Close() {
	c.mu.Lock()
	c.shut = true
	c.mu.Unlock()
	c.end()
	c.wait.Wait()
	c.http.CloseIdleConnections()
}

// spawn runs f, which ends soon after the client's life. It reports whether
// there is still one.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.shut {
		c.wait.Go(f)
	}
	return !c.shut
}

// Health asks how the server is. It is not tried again.
func (c *Client) Health(ctx context.Context) (wire.HealthAnswer, error) {
	ctx, stop := context.WithTimeout(ctx, healthLimit)
	defer stop()
	var a wire.HealthAnswer
	err := c.exchange(ctx, call{method: http.MethodGet, path: wire.Health}, &a)
	return a, err
}

// Stats asks how busy the machine is.
func (c *Client) Stats(ctx context.Context) (wire.StatsAnswer, error) {
	var a wire.StatsAnswer
	err := c.ask(ctx, call{method: http.MethodGet, path: wire.Stats}, &a)
	return a, err
}

// Boot is the server's boot id as far as it is known.
func (c *Client) Boot() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.boot
}

// met notes which server has answered.
func (c *Client) met(boot string) {
	if boot == "" {
		return
	}
	c.mu.Lock()
	before := c.boot
	c.boot = boot
	c.mu.Unlock()
	if before == "" || before == boot || c.opts.Restarted == nil {
		return
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	c.opts.Restarted(before, boot)
}

// The limits of calls that have none of their own.
const (
	healthLimit = 15 * time.Second
	callLimit   = 60 * time.Second
	margin      = 15 * time.Second
)
