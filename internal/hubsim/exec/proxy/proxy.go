// Package proxy passes requests on to a program that listens on a local port.
// It knows neither who may ask nor what listens.
package proxy

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// poll is how often a port that is waited for is tried, in real time.
const poll = 20 * time.Millisecond

// Target is where requests go.
type Target struct {
	Port int
	// Prefix is the part of the path that the program does not see.
	Prefix string
	// DropToken keeps the Authorization header from the program.
	DropToken bool
}

// ServeHTTP passes r on, streaming both ways; a program that does not listen is
// a 502.
func (t Target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host = "http", t.host()
			pr.Out.URL.Path, pr.Out.URL.RawPath = t.path(pr.In.URL)
			pr.SetXForwarded()
			if t.DropToken {
				pr.Out.Header.Del("Authorization")
			}
		},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "Bad Gateway: "+err.Error(), http.StatusBadGateway)
		},
	}
	p.ServeHTTP(w, r)
}

func (t Target) host() string { return "127.0.0.1:" + strconv.Itoa(t.Port) }

func (t Target) path(u *url.URL) (path, raw string) {
	cut := func(s string) string { return "/" + strings.TrimPrefix(strings.TrimPrefix(s, t.Prefix), "/") }
	path = cut(u.Path)
	if u.RawPath != "" {
		raw = cut(u.RawPath)
	}
	return path, raw
}

// Wait returns when the port is open, at most after limit of real time.
func (t Target) Wait(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "tcp", t.host())
		if err == nil {
			_ = conn.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the program's port: %w", err)
		case <-time.After(poll):
		}
	}
}
