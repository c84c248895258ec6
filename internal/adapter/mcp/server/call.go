package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
)

// Answer is what a server has answered.
type Answer struct {
	Text string
	// OK is false where the server says that it failed.
	OK bool
}

// RefusedError is an error in the server's own words.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return e.Text }

// Of the progress of a call, so much is told: lines, and the time between two.
const (
	mostLines = 100
	lineEvery = 500 * time.Millisecond
)

// Call calls a tool. Progress is told in lines, from another goroutine, until Call
// has returned; nil tells nobody. The error is a [RefusedError] or says why the call
// has no answer; whether it was done is then not known.
func (s *Server) Call(ctx context.Context, name string, args json.RawMessage, progress func(line string)) (Answer, error) {
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newWatch(s.o.Silence, cancel, progress)
	defer w.end()
	token, forget := s.listen(w.note)
	defer forget()
	result, err := ask(ctx, s, func(ctx context.Context, c *conn) (*mcp.CallToolResult, error) {
		p := &mcp.CallToolParams{Name: name, Arguments: args}
		p.SetProgressToken(token)
		return c.session.CallTool(ctx, p)
	})
	if err != nil {
		return Answer{}, err
	}
	return Answer{Text: catalog.Answer(result), OK: !result.IsError}, nil
}

// Read reads a resource.
func (s *Server) Read(ctx context.Context, uri string) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Silence, silent(s.o.Silence))
	defer cancel()
	r, err := ask(ctx, s, func(ctx context.Context, c *conn) (*mcp.ReadResourceResult, error) {
		return c.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
	})
	if err != nil {
		return Answer{}, err
	}
	return Answer{Text: catalog.Contents(r), OK: true}, nil
}

// Prompt gets the text of a prompt.
func (s *Server) Prompt(ctx context.Context, name string, args map[string]string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Silence, silent(s.o.Silence))
	defer cancel()
	r, err := ask(ctx, s, func(ctx context.Context, c *conn) (*mcp.GetPromptResult, error) {
		return c.session.GetPrompt(ctx, &mcp.GetPromptParams{Name: name, Arguments: args})
	})
	if err != nil {
		return "", err
	}
	return catalog.Wording(r), nil
}

func silent(limit time.Duration) error { return fmt.Errorf("the server did not answer for %s", limit) }

// ask makes a request over the connection that there is. What was not sent, and what a
// server has not taken because it does not know us any more, is asked again over the
// next one.
func ask[R any](ctx context.Context, s *Server, request func(context.Context, *conn) (R, error)) (R, error) {
	var none R
	for again := true; ; again = false {
		c, err := s.current(ctx)
		if err != nil {
			return none, err
		}
		r, err := within(ctx, c, func(ctx context.Context) (R, error) { return request(ctx, c) })
		if err == nil {
			return r, nil
		}
		if again && ctx.Err() == nil && (errors.Is(err, errUnsent) || errors.Is(err, mcp.ErrConnectionClosed) || errors.Is(err, mcp.ErrSessionMissing)) {
			s.await(ctx, c)
			continue
		}
		return none, worded(ctx, err)
	}
}

// await waits until a connection is not the one in use any more.
func (s *Server) await(ctx context.Context, old *conn) {
	for {
		s.mu.Lock()
		c, moved := s.conn, s.moved
		s.mu.Unlock()
		if c != old {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// worded tells the server's own words from what happened here.
func worded(ctx context.Context, err error) error {
	var wire *jsonrpc.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &wire):
		return &RefusedError{Text: catalog.Text(wire.Message, 4000)}
	case errors.Is(err, mcp.ErrConnectionClosed), errors.Is(err, errUnsent):
		return errLost
	}
	return err
}

// listen has the progress of a call told to note.
func (s *Server) listen(note func(mcp.ProgressNotificationParams)) (token string, forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	token = strconv.Itoa(s.serial)
	s.calls[token] = note
	return token, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.calls, token)
	}
}

// progressed tells whoever waits for a call how far it is.
func (s *Server) progressed(p *mcp.ProgressNotificationParams) {
	if p == nil {
		return
	}
	token, _ := p.ProgressToken.(string)
	s.mu.Lock()
	note := s.calls[token]
	s.mu.Unlock()
	if note != nil {
		note(*p)
	}
}

// watch ends a call that is silent, or that never ends, and tells its progress.
type watch struct {
	silence      time.Duration
	quiet, whole *time.Timer
	tell         func(string) // nil for nobody
	wake, over   chan struct{}
	told         sync.WaitGroup

	mu   sync.Mutex
	next string // what was not told yet
}

func newWatch(silence time.Duration, cancel context.CancelCauseFunc, tell func(string)) *watch {
	w := &watch{
		silence: silence, tell: tell, wake: make(chan struct{}, 1), over: make(chan struct{}),
		quiet: time.AfterFunc(silence, func() { cancel(silent(silence)) }),
		whole: time.AfterFunc(longest*silence, func() { cancel(fmt.Errorf("the call took more than %s", longest*silence)) }),
	}
	if tell != nil {
		w.told.Go(w.run)
	}
	return w
}

// note takes a step of the call. It does not wait: of steps that come faster than
// they are told, the newest is.
func (w *watch) note(p mcp.ProgressNotificationParams) {
	w.quiet.Reset(w.silence)
	w.mu.Lock()
	w.next = step(p)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run tells steps, not more often than a person reads, until the call is over.
func (w *watch) run() {
	for count := 0; ; {
		over := false
		select {
		case <-w.wake:
		case <-w.over:
			over = true
		}
		w.mu.Lock()
		line := w.next
		w.next = ""
		w.mu.Unlock()
		if line != "" && count < mostLines {
			if count++; count == mostLines {
				line = "it goes on"
			}
			w.tell(line)
		}
		if over {
			return
		}
		pause := time.NewTimer(lineEvery)
		select {
		case <-pause.C:
		case <-w.over:
		}
		pause.Stop()
	}
}

// end ends the watch; nothing is told behind it.
func (w *watch) end() {
	close(w.over)
	w.told.Wait()
	w.quiet.Stop()
	w.whole.Stop()
}

// step is one step in words.
func step(p mcp.ProgressNotificationParams) string {
	far := strconv.FormatFloat(p.Progress, 'f', -1, 64)
	if p.Total > 0 {
		far += "/" + strconv.FormatFloat(p.Total, 'f', -1, 64)
	}
	if text := catalog.Line(p.Message, 300); text != "" {
		return text + " (" + far + ")"
	}
	return far
}

// guarded adds the login to the requests of the older form of HTTP.
type guarded struct {
	next  http.RoundTripper
	login auth.OAuthHandler
}

// RoundTrip asks for a login where the server does.
func (g *guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.dress(req); err != nil {
		return nil, err
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return resp, err
	}
	if err := g.login.Authorize(req.Context(), req, resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	again.Header.Del("Authorization")
	if err := g.dress(again); err != nil {
		return nil, err
	}
	return g.next.RoundTrip(again)
}

func (g *guarded) dress(req *http.Request) error {
	source, err := g.login.TokenSource(req.Context())
	if err != nil || source == nil {
		return err
	}
	token, err := source.Token()
	if err != nil || token == nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token.AccessToken)
	return nil
}

// fileURL is the address of a folder.
func fileURL(dir string) string {
	path := filepath.ToSlash(dir)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
