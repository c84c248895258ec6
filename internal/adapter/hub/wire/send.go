package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/rate"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/trip"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/words"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const (
	// maxRedirects is how many hops one request may take.
	maxRedirects = 5
	// firstByte bounds the wait for an answer, idle the silence within one.
	firstByte = 30 * time.Second
	idle      = 60 * time.Second
)

// call is a request ready to be sent.
type call struct {
	op, method string
	url        *url.URL
	header     http.Header
	body       func() (io.Reader, int64, error)
	auth       bool // may carry the token, at home
	reads      bool // changes nothing at the Hub
	foreign    bool
	policy     Policy
	status     []int
	firstByte  time.Duration
	idle       time.Duration
}

// prepare checks a request and makes it ready.
func (c *Conn) prepare(r Request) (*call, error) {
	k := &call{
		op: r.Op, method: r.Method, auth: true, reads: r.Reads, foreign: r.Foreign, policy: r.Retry,
		status: r.Status, firstByte: r.FirstByte,
	}
	u, err := url.Parse(c.base.String() + r.Path)
	if err != nil || !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?#") || u.Host != c.base.Host {
		return nil, invalid(r.Op, "path %q is not a path of the Hub", r.Path)
	}
	u.RawQuery = r.Query.Encode()
	k.url = u
	return k, c.finish(k, r.Header, r.JSON, r.Body, r.Type, r.Accept, "application/json")
}

// prepareSigned does the same for an address from an answer.
func (c *Conn) prepareSigned(r SignedRequest) (*call, error) {
	k := &call{op: r.Op, method: r.Method, auth: r.Auth, policy: r.Retry, status: r.Status, firstByte: r.FirstByte}
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, invalid(r.Op, "the Hub's answer names an address that is none")
	}
	u.User, u.Fragment = nil, ""
	k.url = c.rehome(u)
	if originOf(c.base).scheme == "https" && !originOf(k.url).private() {
		return nil, &Error{
			Kind: Unexpected, Op: r.Op, Method: r.Method, URL: c.shown(k.url), refused: true,
			Message: "the Hub's answer leads to plain http, where others read along: not followed",
		}
	}
	return k, c.finish(k, r.Header, r.JSON, r.Body, r.Type, r.Accept, "*/*")
}

// finish fills in what all requests have.
func (c *Conn) finish(k *call, h http.Header, value any, body func() (io.Reader, int64, error), contentType, accept, anyAccept string) error {
	if k.method == "" {
		k.method = http.MethodGet
	}
	k.reads = k.reads || k.method == http.MethodGet || k.method == http.MethodHead
	if k.policy == ByMethod {
		k.policy = CertainlyNotApplied
		if k.reads {
			k.policy = Idempotent
		}
	}
	k.header = h.Clone()
	if k.header == nil {
		k.header = http.Header{}
	}
	k.header.Del("Authorization") // only the connection's own, and only at home
	if value != nil {
		data, err := json.Marshal(value)
		if err != nil {
			return invalid(k.op, "the body is no JSON: %v", err)
		}
		body = func() (io.Reader, int64, error) { return bytes.NewReader(data), int64(len(data)), nil }
		if contentType == "" {
			contentType = "application/json"
		}
	}
	k.body = body
	setUnset(k.header, "Content-Type", contentType)
	setUnset(k.header, "User-Agent", c.opts.UserAgent)
	if accept == "" {
		accept = anyAccept
	}
	setUnset(k.header, "Accept", accept)
	if k.firstByte == 0 {
		k.firstByte = firstByte
	}
	k.idle = idle
	return c.permit(k, value)
}

func setUnset(h http.Header, name, value string) {
	if value != "" && h.Get(name) == "" {
		h.Set(name, value)
	}
}

// permit refuses what must not go out.
func (c *Conn) permit(k *call, value any) error {
	fail := func(kind Kind, remedy, format string, args ...any) error {
		return &Error{
			Kind: kind, Op: k.op, Method: k.method, URL: c.shown(k.url), Message: fmt.Sprintf(format, args...),
			Remedy: remedy, refused: true,
		}
	}
	switch {
	case c.opts.Offline:
		return fail(Offline, "unset HF_HUB_OFFLINE to allow it", "requests are switched off")
	case k.auth && c.opts.Token != "" && c.home(k.url) && !originOf(k.url).private():
		return fail(Unauthorized, "use an https address", "the token is not sent over plain http")
	case c.opts.DryRun != nil && !k.reads:
		body := k.header.Get("Content-Type")
		if value != nil {
			body = words.Shape(value)
		}
		c.opts.DryRun(k.method, c.shown(k.url), body)
		return fail(DryRun, "", "")
	}
	return nil
}

// send makes the request, as often as its policy allows. consume, if not nil,
// reads the answer; its failure counts as a cut connection.
func (c *Conn) send(ctx context.Context, k *call, consume func(*http.Response) error) (*http.Response, error) {
	for try := 1; ; try++ {
		resp, e := c.once(ctx, k, consume)
		if e == nil {
			return resp, nil
		}
		d, why, ok := c.again(k, e, try)
		if !ok || ctx.Err() != nil {
			return nil, e
		}
		if err := c.opts.Wait(ctx, d, why); err != nil {
			return nil, e
		}
	}
}

// once is one try, redirects included.
func (c *Conn) once(ctx context.Context, k *call, consume func(*http.Response) error) (*http.Response, *Error) {
	home := c.home(k.url)
	if home {
		if e := c.hold(ctx, k); e != nil {
			return nil, e
		}
	}
	ctx = httpx.WithLimits(ctx, httpx.Limits{FirstByte: k.firstByte, Idle: k.idle})
	trace := uuid.NewString()
	u, away := k.url, !home
	for hop := 0; ; hop++ {
		resp, e := c.exchange(ctx, k, u, away, trace)
		if e != nil {
			return nil, e
		}
		next, e := c.redirect(k, u, resp, hop)
		if e != nil {
			return nil, e
		}
		if next != nil {
			_ = resp.Body.Close()
			u, away = next, away || !c.home(next)
			continue
		}
		if !accepted(k, resp.StatusCode) {
			return nil, c.refusal(k, u, resp)
		}
		if consume == nil {
			return resp, nil
		}
		err := consume(resp)
		_ = resp.Body.Close()
		if err != nil {
			return nil, c.spoiled(k, u, resp, err)
		}
		return resp, nil
	}
}

func accepted(k *call, status int) bool {
	if len(k.status) > 0 {
		return slices.Contains(k.status, status)
	}
	return status >= 200 && status < 300 || k.foreign && status >= 300 && status < 400
}

// exchange sends one request to one address.
func (c *Conn) exchange(ctx context.Context, k *call, u *url.URL, away bool, trace string) (*http.Response, *Error) {
	var way trip.Progress
	req, body, err := c.request(httptrace.WithClientTrace(ctx, way.Trace()), k, u, away, trace)
	if err != nil {
		return nil, &Error{Kind: Invalid, Op: k.op, Method: k.method, URL: c.shown(u), Err: err, refused: true}
	}
	resp, err := c.http.Do(req)
	if body != nil && body.Failed() != nil {
		// The body broke off, so the Hub has nothing to act on.
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, &Error{Kind: Invalid, Op: k.op, Method: k.method, URL: c.shown(u), Err: body.Failed(), refused: true}
	}
	if err != nil {
		cause := trip.Bare(err)
		if ctx.Err() != nil {
			cause = context.Cause(ctx)
		}
		return nil, &Error{
			Kind: Unreachable, Op: k.op, Method: k.method, URL: c.shown(u), Err: cause, Retryable: ctx.Err() == nil,
			refused: way.Unconnected() || trip.DialFailed(err), reads: k.reads, Remedy: "check the network and the address",
		}
	}
	if c.home(u) {
		c.account.Observe(rate.Class(c.route(u)), resp.Header, time.Now())
		c.warn(resp)
	}
	return resp, nil
}

// request builds what goes over the wire.
func (c *Conn) request(ctx context.Context, k *call, u *url.URL, away bool, trace string) (*http.Request, *trip.Body, error) {
	var reader io.Reader
	var body *trip.Body
	size := int64(0)
	if k.body != nil {
		r, n, err := k.body()
		if err != nil {
			return nil, nil, err
		}
		size = n
		if n != 0 {
			body = &trip.Body{R: r}
			reader = body
		} else if closer, ok := r.(io.Closer); ok {
			_ = closer.Close()
		}
	}
	req, err := http.NewRequestWithContext(ctx, k.method, u.String(), reader)
	if err != nil {
		return nil, nil, err
	}
	req.ContentLength = size
	if body != nil {
		req.GetBody = func() (io.ReadCloser, error) { return trip.Again(k.body), nil }
	}
	req.Header = k.header.Clone()
	if away && c.home(k.url) {
		req.Header = abroad(k.header)
	}
	if !away {
		req.Header.Set("X-Amzn-Trace-Id", trace)
		if k.auth && c.opts.Token != "" {
			req.Header.Set("Authorization", "Bearer "+c.opts.Token)
		}
	}
	return req, body, nil
}

// redirect is the address the answer sends on to; nil when it is the last.
// Only 307 and 308 keep method and body, so only they are followed by requests
// that change something, and only at home.
func (c *Conn) redirect(k *call, u *url.URL, resp *http.Response, hop int) (*url.URL, *Error) {
	location := resp.Header.Get("Location")
	if resp.StatusCode < 300 || resp.StatusCode > 399 || location == "" || slices.Contains(k.status, resp.StatusCode) {
		return nil, nil
	}
	next, err := u.Parse(location)
	fail := func(format string, args ...any) *Error {
		_ = resp.Body.Close()
		return &Error{
			Kind: Unexpected, Op: k.op, Method: k.method, URL: c.shown(u), Status: resp.StatusCode,
			Message: c.scrub(resp, fmt.Sprintf(format, args...)), RequestID: c.scrub(resp, requestID(resp.Header)), reads: k.reads,
		}
	}
	if err != nil || next.Host == "" || next.Scheme != "http" && next.Scheme != "https" {
		return nil, fail("the redirect leads nowhere")
	}
	foreign := originOf(next) != originOf(u)
	if foreign && k.foreign {
		return nil, nil
	}
	keeps := resp.StatusCode == http.StatusTemporaryRedirect || resp.StatusCode == http.StatusPermanentRedirect
	get := k.method == http.MethodGet || k.method == http.MethodHead
	switch {
	case hop >= maxRedirects:
		return nil, fail("more than %d redirects", maxRedirects)
	case !get && (!keeps || foreign):
		return nil, fail("a %s was sent on to %s", k.method, next.Host)
	case originOf(u).scheme == "https" && next.Scheme == "http":
		return nil, fail("sent on from https to plain http at %s", next.Host)
	}
	return next, nil
}

// json sends a request and decodes the answer.
func (c *Conn) json(ctx context.Context, k *call, into any) (*Answer, error) {
	resp, err := c.send(ctx, k, func(resp *http.Response) error {
		data, err := httpx.ReadAll(resp.Body, jsonLimit)
		if err != nil || into == nil {
			return err
		}
		if err := json.Unmarshal(data, into); err != nil {
			return notJSON{err}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Answer{resp.StatusCode, resp.Header}, nil
}

// notJSON is an answer that is complete and makes no sense.
type notJSON struct{ error }

// spoiled is an accepted answer that could not be read.
func (c *Conn) spoiled(k *call, u *url.URL, resp *http.Response, err error) *Error {
	e := &Error{
		Kind: Unreachable, Op: k.op, Method: k.method, URL: c.shown(u), Status: resp.StatusCode, Err: trip.Bare(err),
		RequestID: c.scrub(resp, requestID(resp.Header)), Retryable: true, reads: k.reads,
	}
	var bad notJSON
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &bad):
		e.Kind, e.Retryable, e.Message = Unexpected, false, "the answer is not the JSON expected"
	case errors.Is(err, httpx.ErrTooLarge):
		e.Kind, e.Retryable = Unexpected, false
	}
	return e
}

// warn passes on what the Hub has to tell the user, each topic once.
func (c *Conn) warn(resp *http.Response) {
	for _, value := range resp.Header.Values("X-HF-Warning") {
		topic, text, _ := strings.Cut(value, ";")
		topic, text = words.Clip(c.scrub(resp, topic)), words.Clip(c.scrub(resp, text))
		if topic == "unauthenticated" && !c.Anonymous() {
			continue // a request that must not carry the token, such as one to a store
		}
		c.mu.Lock()
		told := c.warned[topic]
		c.warned[topic] = true
		c.mu.Unlock()
		if !told && text != "" {
			c.opts.Warn(topic, text)
		}
	}
}
