package simulation

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Guard makes connections to this machine and refuses all others, but those to
// the host of the model that the user has chosen. It is safe for concurrent
// use.
type Guard struct {
	// inside reaches the simulated Hub where the network does not; nil is
	// nothing.
	inside func(ctx context.Context, address string) (net.Conn, error)

	mu      sync.Mutex
	model   []string // host:port
	refused []string
}

// Refusal is a connection that was not made.
type Refusal struct{ Address string }

func (r *Refusal) Error() string {
	return fmt.Sprintf("the simulation does not leave this machine: no connection to %s", r.Address)
}

// Allow lets model calls go to the host of a base URL; host is its name when it
// lies elsewhere.
func (g *Guard) Allow(base string) (host string, remote bool, err error) {
	if base == "" {
		return "", false, nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return "", false, fmt.Errorf("the model's address %q is not a web address", base)
	}
	if loopback(u.Hostname()) {
		return u.Host, false, nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.model = append(g.model, net.JoinHostPort(u.Hostname(), port))
	return u.Host, true, nil
}

// Dial connects to this machine only.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dial(ctx, network, address, false)
}

// DialModel connects to this machine and to the model's host.
func (g *Guard) DialModel(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dial(ctx, network, address, true)
}

func (g *Guard) dial(ctx context.Context, network, address string, model bool) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	allowed := loopback(host) || model && slices.Contains(g.model, address)
	if !allowed {
		g.refused = append(g.refused, address)
	}
	g.mu.Unlock()
	if !allowed {
		return nil, &Refusal{Address: address}
	}
	conn, err := dialHost(ctx, network, host, port)
	if err != nil && ctx.Err() == nil && g.inside != nil {
		if pipe, insideErr := g.inside(ctx, address); insideErr == nil {
			return pipe, nil
		}
	}
	return conn, err
}

func dialHost(ctx context.Context, network, host, port string) (net.Conn, error) {
	if !strings.EqualFold(host, localhost) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(host, port))
	}
	// No name server is asked what this machine is called.
	conn, err := new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if err != nil && ctx.Err() == nil {
		if six, sixErr := new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("::1", port)); sixErr == nil {
			return six, nil
		}
	}
	return conn, err
}

// localhost is the name that means this machine everywhere.
const localhost = "localhost"

// Refused lists the connections that were not made.
func (g *Guard) Refused() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.refused)
}

// loopback reports whether a name means this machine whatever a name server
// says.
func loopback(host string) bool {
	if strings.EqualFold(host, localhost) {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
