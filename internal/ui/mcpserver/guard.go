package mcpserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// MinToken is how long a token must be, in characters.
const MinToken = 16

// guard judges who may speak to the server.
type guard struct {
	token [sha256.Size]byte
	hosts []string
}

func newGuard(o HTTP) (*guard, error) {
	if len(o.Token) < MinToken {
		return nil, fmt.Errorf("serve MCP over HTTP: a token of at least %d characters is required", MinToken)
	}
	g := &guard{token: sha256.Sum256([]byte(o.Token))}
	for _, host := range o.Hosts {
		g.hosts = append(g.hosts, strings.ToLower(host))
	}
	return g, nil
}

// refuses says with which status a request is refused, and why; 0 lets it in.
func (g *guard) refuses(r *http.Request) (code int, why string) {
	if !g.known(r.Host) {
		return http.StatusForbidden, "the Host header names another server"
	}
	for _, origin := range r.Header.Values("Origin") {
		if !g.origin(origin) {
			return http.StatusForbidden, "the Origin header names a foreign page"
		}
	}
	if !g.bears(r.Header.Values("Authorization")) {
		return http.StatusUnauthorized, "a bearer token is required"
	}
	return 0, ""
}

// known reports whether a host, with or without a port, is this server: an
// address, or a name that nobody else can point here.
func (g *guard) known(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if host == "localhost" || slices.Contains(g.hosts, host) {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// origin reports whether a page may ask: one that this machine serves, or this
// server's own.
func (g *guard) origin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Path != "" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if host == "localhost" || slices.Contains(g.hosts, host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// bears reports whether the one Authorization header holds the token. How much
// of it is right cannot be told from the time this takes.
func (g *guard) bears(headers []string) bool {
	if len(headers) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}
