package login

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
)

// Landing is the address of this program that a browser comes back to after a
// login: on this machine, and open for one login.
type Landing struct {
	url    string
	server *http.Server
	work   sync.WaitGroup
	back   chan url.Values
}

// landed is the path of the address.
const landed = "/callback"

// Land opens the address; port 0 takes one that is free.
func Land(port int) (*Landing, error) {
	at, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("log in: wait for the browser: %w", err)
	}
	l := &Landing{url: fmt.Sprintf("http://127.0.0.1:%d%s", at.Addr().(*net.TCPAddr).Port, landed), back: make(chan url.Values, 1)}
	l.server = &http.Server{Handler: http.HandlerFunc(l.serve), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	l.work.Go(func() { _ = l.server.Serve(at) }) // it ends with Close
	return l, nil
}

// URL is the address.
func (l *Landing) URL() string { return l.url }

// Close shuts the address.
func (l *Landing) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		_ = l.server.Close()
	}
	l.work.Wait()
}

func (l *Landing) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.Method != http.MethodGet || r.URL.Path != landed || q.Get("code") == "" && q.Get("error") == "" {
		http.NotFound(w, r)
		return
	}
	text := "You are logged in. You can close this window."
	if q.Get("error") != "" {
		text = "The login was refused: " + q.Get("error")
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	_, _ = fmt.Fprintf(w, "<!doctype html><title>ml-intern</title><p>%s</p>\n", html.EscapeString(text))
	l.take(q)
}

// Paste takes the address that the browser has come to, where it runs on another
// machine.
func (l *Landing) Paste(address string) error {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Query().Get("code") == "" && u.Query().Get("error") == "" {
		return errors.New("that is not the address the browser came to: it begins with " + l.url + "?")
	}
	l.take(u.Query())
	return nil
}

func (l *Landing) take(q url.Values) {
	select {
	case l.back <- q:
	default: // one is enough
	}
}

// Wait waits for the browser that was sent to an address. What comes from another
// login, or from anybody else, counts for nothing.
func (l *Landing) Wait(ctx context.Context, address string) (*auth.AuthorizationResult, error) {
	sent, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	for {
		select {
		case q := <-l.back:
			if q.Get("state") != sent.Query().Get("state") {
				continue
			}
			if code := q.Get("error"); code != "" {
				return nil, fmt.Errorf("the login was refused: %.200q", strings.TrimSpace(code+" "+q.Get("error_description")))
			}
			return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
		case <-ctx.Done():
			return nil, errors.New("nobody came back from the browser in time")
		}
	}
}
