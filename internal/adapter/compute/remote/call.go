package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// maxAnswer is the most bytes of an answer that is held in memory.
const maxAnswer = 16 << 20

// call is one request to the server.
type call struct {
	method, path string
	query        url.Values
	body         body
	kind         string // of the body
	id           string // of the request, where it is done once
	replay       bool   // ask for the answer to id only
	limit        time.Duration
}

// body is what a request carries. The network may still read one that a failed
// try had, so that every try has a reader of its own.
type body struct {
	open func() io.Reader // nil for none
	size int64            // -1 when it is not known
	// once: it can be read a single time.
	once bool
}

// bodyOf makes a body of what r still has.
func bodyOf(r io.Reader) body {
	seeker, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	})
	if ok {
		if at, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			if end, err := seeker.Seek(0, io.SeekEnd); err == nil {
				return body{open: func() io.Reader { return io.NewSectionReader(seeker, at, end-at) }, size: end - at}
			}
		}
	}
	return body{open: func() io.Reader { return struct{ io.Reader }{r} }, size: -1, once: true}
}

// errGateway is in the chain of an error for an answer that the server did not
// give: who stands before it did.
var errGateway = errors.New("the sandbox did not answer, something before it did")

// exchangeError is a failed exchange.
type exchangeError struct {
	err error
	// sent: the server may have seen the request.
	sent bool
}

func (e *exchangeError) Error() string { return e.err.Error() }
func (e *exchangeError) Unwrap() error { return e.err }

// open sends a request and returns the server's answer. Its error is a
// [workspace.Fault] when the server said no, else an exchangeError.
func (c *Client) open(ctx context.Context, q call) (*http.Response, error) {
	u := *c.base
	u.Path, u.RawPath = c.base.Path+q.path, ""
	u.RawQuery = q.query.Encode()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { sent.Store(true) },
	})
	var content io.Reader
	if q.body.open != nil && q.body.size != 0 {
		content = q.body.open()
	}
	req, err := http.NewRequestWithContext(ctx, q.method, u.String(), content)
	if err != nil {
		return nil, &exchangeError{err: err}
	}
	if content != nil {
		req.ContentLength = q.body.size
	}
	req.Header.Set(wire.Authorization, "Bearer "+c.opts.Token)
	if q.id != "" {
		req.Header.Set(wire.RequestID, q.id)
	}
	if q.replay {
		req.Header.Set(wire.Replay, "only")
	}
	if q.kind != "" {
		req.Header.Set("Content-Type", q.kind)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, &exchangeError{fmt.Errorf("reach the sandbox: %w", err), sent.Load()}
	}
	boot := res.Header.Get(wire.BootID)
	if boot == "" {
		return nil, &exchangeError{foreign(res), true}
	}
	c.met(boot)
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	return nil, said(res)
}

// foreign describes an answer that is not the server's, and drops it.
func foreign(res *http.Response) error {
	defer res.Body.Close()
	what := res.Status
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err == nil {
		what += ", " + kind
	}
	if to := res.Header.Get("Location"); to != "" {
		what += ", a redirect that is not followed"
	}
	return fmt.Errorf("reach the sandbox: %w (%s)", errGateway, what)
}

// said is what the server would not do.
func said(res *http.Response) error {
	data, err := httpx.ReadAll(res.Body, maxAnswer)
	var body wire.Error
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	switch {
	case err != nil:
		return &exchangeError{fmt.Errorf("read the sandbox's answer %s: %w", res.Status, err), true}
	case body.Fault != nil:
		body.Fault.Path, body.Fault.Reason = brief(body.Fault.Path), brief(body.Fault.Reason)
		return body.Fault
	case res.StatusCode == http.StatusTooManyRequests:
		return &exchangeError{errors.New("the sandbox is busy: " + brief(body.Detail)), false}
	}
	return &workspace.Fault{Kind: workspace.Failed, Reason: "the sandbox refused the request: " + brief(body.Detail)}
}

// briefLimit bounds what a sandbox says about a failure, in characters.
const briefLimit = 4000

// brief is such a text without what steers a terminal.
func brief(text string) string {
	text = plain.String(text)
	if short := excerpt.Head(text, briefLimit); len(short) < len(text) {
		return short + "…"
	}
	return text
}

// exchange sends a request once and reads the JSON answer into v.
func (c *Client) exchange(ctx context.Context, q call, v any) error {
	res, err := c.open(ctx, q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := httpx.ReadAll(res.Body, maxAnswer)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return &exchangeError{fmt.Errorf("read the sandbox's answer: %w", err), true}
	}
	return nil
}

// answered reports whether the server has spoken: what it said is final.
func answered(err error) bool {
	var e *exchangeError
	return err == nil || !errors.As(err, &e)
}

// waits are the pauses between tries; after the last one the server counts as
// unreachable.
func waits() []time.Duration {
	return []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second}
}

// again waits before the next try of something that failed because of why.
type again struct {
	c     *Client
	tries int
}

// next returns nil when it is time to try again.
func (a *again) next(ctx context.Context, why error) error {
	if a.tries == len(a.c.waits) {
		a.tries = 0
		if a.c.opts.Unreachable == nil {
			return why
		}
		return a.c.opts.Unreachable(ctx, why)
	}
	timer := time.NewTimer(a.c.waits[a.tries])
	defer timer.Stop()
	a.tries++
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask sends a request that may be sent any number of times.
func (c *Client) ask(ctx context.Context, q call, v any) error {
	return c.retry(ctx, func() error { return c.within(ctx, q, v) })
}

// retry does something until the server has spoken.
func (c *Client) retry(ctx context.Context, try func() error) error {
	for a := (again{c: c}); ; {
		err := try()
		if answered(err) {
			return err
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if err := a.next(ctx, err); err != nil {
			return err
		}
	}
}

// known makes sure that the server's boot id is known, without which nobody can
// tell later whether it has lost its memory.
func (c *Client) known(ctx context.Context) (string, error) {
	if boot := c.Boot(); boot != "" {
		return boot, nil
	}
	var a wire.HealthAnswer
	if err := c.ask(ctx, call{method: http.MethodGet, path: wire.Health}, &a); err != nil {
		return "", err
	}
	return c.Boot(), nil
}

// errLost is about a request that may have been done by a server that is gone.
func errLost(what string) error {
	return &workspace.Fault{Kind: workspace.Lost, Reason: "the sandbox was restarted meanwhile: whether " + what + " was done is not known, and its files and processes may be gone"}
}

// once has a request done at most once and reads the JSON answer into v.
func (c *Client) once(ctx context.Context, q call, what string, v any) error {
	boot, err := c.known(ctx)
	if err != nil {
		return err
	}
	content, used := q.body, false
	a := again{c: c}
	for {
		err := c.within(ctx, q, v)
		used = used || q.body.open != nil
		var failed *exchangeError
		var fault *workspace.Fault
		switch {
		case errors.As(err, &failed):
			if failed.sent || content.once && used {
				q.replay, q.body = true, body{} // it is asked about
			}
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), err)
			}
			if err := a.next(ctx, err); err != nil {
				return err
			}
			continue
		case q.replay && errors.As(err, &fault) && fault.Kind == workspace.Unknown:
			if c.Boot() != boot {
				return errLost(what)
			}
			if content.once {
				return &workspace.Fault{Kind: workspace.Failed, Reason: "the connection to the sandbox broke off; " + what + " was not done"}
			}
			q.replay, q.body = false, content
			continue
		}
		return err
	}
}

// within is exchange with the limit of the call.
func (c *Client) within(ctx context.Context, q call, v any) error {
	if q.limit == 0 {
		q.limit = callLimit
	}
	ctx, stop := context.WithTimeout(ctx, q.limit)
	defer stop()
	return c.exchange(ctx, q, v)
}

// encoded is a JSON body.
func encoded(v any) (body, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return body{}, fmt.Errorf("write a request to the sandbox: %w", err)
	}
	return bodyOf(bytes.NewReader(b.Bytes())), nil
}

const jsonType = "application/json"

// segment makes a path segment of an id.
func segment(id string) (string, error) {
	if err := wire.CheckID("id", id); err != nil {
		return "", err
	}
	return "/" + id, nil
}
