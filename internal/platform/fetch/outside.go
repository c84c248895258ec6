package fetch

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch/guard"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// Limits of connections to hosts that are no service.
const (
	connectOutside = 10 * time.Second
	idleOutside    = 20 * time.Second
)

// GuardedDial connects to public addresses only: it judges the number that a
// connection goes to, whatever a name resolved to before.
func GuardedDial(ctx context.Context, network, address string) (net.Conn, error) {
	return guard.Dialer(connectOutside).DialContext(ctx, network, address)
}

// Outside returns a client for [Options.Outside]: direct connections are
// guarded; proxy, which may be nil, names the configured proxies, which may
// live anywhere. What a proxy is asked for is judged by what its name resolves
// to here.
func Outside(version string, proxy func(*http.Request) (*url.URL, error)) (*http.Client, error) {
	var proxies sync.Map // "host:port" of proxies that were named
	o := httpx.Options{Version: version, Connect: connectOutside, FirstByte: DefaultTimeout, Idle: idleOutside}
	if proxy != nil {
		o.Proxy = func(r *http.Request) (*url.URL, error) {
			p, err := proxy(r)
			if p == nil || err != nil {
				return p, err
			}
			if err := guard.Resolved(r.Context(), r.URL.Hostname()); err != nil {
				return nil, err
			}
			proxies.Store(hostPort(p), true)
			return p, nil
		}
	}
	plain := &net.Dialer{Timeout: connectOutside, KeepAlive: 30 * time.Second}
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if _, ok := proxies.Load(address); ok {
			return plain.DialContext(ctx, network, address)
		}
		return GuardedDial(ctx, network, address)
	}
	return httpx.New(o)
}

// hostPort is the address that a transport dials for a proxy.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
