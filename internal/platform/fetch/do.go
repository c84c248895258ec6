package fetch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch/cache"
	"github.com/ml-intern/ml-intern/internal/platform/fetch/guard"
	"github.com/ml-intern/ml-intern/internal/platform/fetch/turn"
)

// question is a request on its way.
type question struct {
	Request
	first      place
	credential string
	// key is the answer's place in the cache; flight tells requests apart that
	// are not merged.
	key, flight string
}

// Do asks. Its error is an [*Error], or that of ctx.
func (c *Client) Do(ctx context.Context, req Request) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q, err := c.question(req)
	if err != nil {
		return nil, err
	}
	if r := c.fresh(q); r != nil {
		return r, nil
	}
	if c.o.Offline {
		return nil, q.fault(&Error{Kind: Network, Message: "the network is switched off, and the cache has no answer for " + shown(q.first.public)})
	}
	return c.merged(ctx, q)
}

// question checks a request and finds out where it goes.
func (c *Client) question(req Request) (*question, error) {
	q := &question{Request: req}
	q.Limit, q.Timeout = cmp.Or(q.Limit, DefaultLimit), cmp.Or(q.Timeout, DefaultTimeout)
	u, err := url.Parse(strings.TrimSpace(req.URL))
	if err != nil {
		// The text of the error would repeat the address, and all it may hold.
		return nil, &Error{Kind: BadArgument, Service: "the request", Message: "its address cannot be read"}
	}
	if c.secret(u, req.Body) {
		return nil, &Error{Kind: Blocked, Service: cmp.Or(u.Hostname(), "the request"), Message: "the request would carry a secret out; it was not sent"}
	}
	if q.first, err = c.place(u, nil); err != nil {
		return nil, unplaced(u, err)
	}
	if s := q.first.service; s != nil && s.Credential != nil && !req.Anonymous && q.first.own {
		q.credential = strings.TrimSpace(s.Credential())
	}
	if strings.ContainsFunc(q.credential, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, q.fault(&Error{Kind: Unauthorized, Message: "its credential has characters that a header cannot hold"})
	}
	q.Header = maps.Clone(req.Header)
	for _, name := range [...]string{"Accept-Encoding", "If-None-Match", "If-Modified-Since", "Host", "Connection"} {
		q.Header.Del(name)
	}
	q.identify()
	return q, nil
}

// unplaced makes the error for an address that is not asked.
func unplaced(u *url.URL, err error) *Error {
	e := &Error{Kind: BadArgument, Service: cmp.Or(u.Hostname(), "the address"), Message: err.Error(), Err: err}
	if u.User == nil {
		e.URL = shown(u)
	}
	if r, ok := guard.Is(err); ok {
		e.Kind, e.Message = Blocked, r.Error()
	}
	return e
}

// identify makes the keys: answers are kept by what was asked, where, and with
// whose credential.
func (q *question) identify() {
	h := sha256.New()
	write := func(parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(h, "%d:%s", len(p), p)
		}
	}
	write(q.method(), q.first.public.String(), q.first.target.String(), string(q.Body))
	if q.credential != "" {
		sum := sha256.Sum256([]byte(q.credential))
		write("credential", hex.EncodeToString(sum[:]))
	}
	for _, name := range slices.Sorted(maps.Keys(q.Header)) {
		write(append([]string{name}, q.Header[name]...)...)
	}
	q.key = hex.EncodeToString(h.Sum(nil))
	q.flight = fmt.Sprint(q.key, q.Limit, q.Timeout, q.Fresh > 0, q.Answers, q.Keep != nil, q.Follow != nil)
}

func (q *question) method() string {
	if q.Body != nil {
		return http.MethodPost
	}
	return http.MethodGet
}

// fault completes an error with whose it is.
func (q *question) fault(e *Error) *Error { return e.at(q.first) }

func (e *Error) at(p place) *Error {
	e.Service, e.URL = p.name, shown(p.public)
	return e
}

// fresh returns a kept answer that is still good.
func (c *Client) fresh(q *question) *Response {
	if q.Fresh <= 0 {
		return nil
	}
	e, ok := c.cache.Entry(q.key)
	age := time.Since(e.CheckedAt)
	if !ok || int64(len(e.Body)) > q.Limit || !q.follows(e.URL) || !c.o.Offline && (age > q.Fresh || age < -time.Minute) {
		return nil
	}
	return kept(e)
}

// follows reports whether the request may end at an address: a kept answer may
// come from where it was sent on to at a time when that was allowed.
func (q *question) follows(address string) bool {
	u, err := url.Parse(address)
	return q.Follow == nil || err == nil && (u.Hostname() == q.first.public.Hostname() || q.Follow(u.Hostname()))
}

func kept(e cache.Entry) *Response {
	return &Response{
		Status: e.Status, Header: e.Header.Clone(), Body: bytes.Clone(e.Body), URL: e.URL,
		FetchedAt: e.FetchedAt, SHA256: e.SHA256, Cached: true,
	}
}

// flight is a question that somebody asks right now.
type flight struct {
	done     chan struct{}
	response *Response
	err      error
	// left: whoever asked was cancelled; somebody else must ask.
	left bool
}

// merged asks, or waits for the answer to the same question. Whoever comes
// first asks in its own name; when it is cancelled, one of those who wait takes
// over.
func (c *Client) merged(ctx context.Context, q *question) (*Response, error) {
	for {
		c.mu.Lock()
		f, running := c.flights[q.flight]
		if !running {
			f = &flight{done: make(chan struct{}), left: true}
			c.flights[q.flight] = f
		}
		c.mu.Unlock()
		if !running {
			return c.lead(ctx, q, f)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.done:
		}
		if !f.left {
			return f.response.copy(), f.err
		}
	}
}

func (c *Client) lead(ctx context.Context, q *question, f *flight) (*Response, error) {
	defer func() {
		c.mu.Lock()
		delete(c.flights, q.flight)
		c.mu.Unlock()
		close(f.done)
	}()
	r := c.fresh(q) // another may have ended meanwhile
	var err error
	if r == nil {
		r, err = c.ask(ctx, q)
	}
	if ctx.Err() != nil && r == nil {
		return nil, ctx.Err()
	}
	f.response, f.err, f.left = r.copy(), err, false
	return r, err
}

func (r *Response) copy() *Response {
	if r == nil {
		return nil
	}
	v := *r
	v.Header, v.Body = r.Header.Clone(), bytes.Clone(r.Body)
	return &v
}

// ask tries until there is an answer, or no hope for one.
func (c *Client) ask(ctx context.Context, q *question) (*Response, error) {
	var stale *cache.Entry
	if e, ok := c.cache.Entry(q.key); ok && q.Fresh > 0 && int64(len(e.Body)) <= q.Limit &&
		e.Header.Get("Etag") != "" && e.URL == shown(q.first.public) {
		stale = &e
	}
	patience := turn.PatienceOf(ctx)
	for try := 0; ; try++ {
		r, err := c.follow(ctx, q, stale)
		if err == nil {
			if q.Fresh > 0 && r.Status == http.StatusOK && (q.Keep == nil || q.Keep(r)) {
				c.cache.Keep(q.key, cache.Entry{
					URL: r.URL, Status: r.Status, Header: r.Header.Clone(), Body: bytes.Clone(r.Body),
					FetchedAt: r.FetchedAt, CheckedAt: time.Now(), SHA256: r.SHA256,
				})
			}
			return r, nil
		}
		var e *Error
		if ctx.Err() != nil || !errors.As(err, &e) {
			return nil, cmp.Or(ctx.Err(), err)
		}
		wait, again := pause(e, try, patience.Spent())
		if deadline, ok := ctx.Deadline(); !again || ok && time.Until(deadline) < wait {
			return nil, e
		}
		if !patience.Sleep(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

// follow makes one try: the request and up to [MaxRedirects] more where it is
// sent on. Every hop is judged like the first; what the caller and we know
// stays at home.
func (c *Client) follow(ctx context.Context, q *question, stale *cache.Entry) (*Response, error) {
	at, away, left := q.first, false, q.Timeout
	for hop := 0; ; hop++ {
		req := hopRequest{place: at, method: q.method(), body: q.Body, header: q.Header, left: left}
		if away {
			req.header = harmless(q.Header)
		} else if at.own {
			req.credential = q.credential
		}
		if hop == 0 && stale != nil {
			req.etag = stale.Header.Get("Etag")
		}
		a, err := c.exchange(ctx, q, req)
		if err != nil {
			return nil, err
		}
		left -= a.took
		if a.status == http.StatusNotModified && req.etag != "" {
			r := kept(*stale)
			return r, nil
		}
		if !redirects(a.status) || slices.Contains(q.Answers, a.status) {
			return c.answer(q, at, a)
		}
		next, err := c.next(q, at, a, hop)
		if err != nil {
			return nil, err
		}
		away = away || next.service != at.service || next.service == nil && origin(next.public) != origin(at.public)
		at = next
	}
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// next judges where an answer sends the request.
func (c *Client) next(q *question, at place, a answer, hop int) (place, error) {
	fail := func(kind Kind, message string) (place, error) {
		return place{}, (&Error{Kind: kind, Status: a.status, Header: a.header, Message: message}).at(at)
	}
	if hop >= MaxRedirects {
		return fail(Upstream, fmt.Sprintf("it redirects more than %d times", MaxRedirects))
	}
	u, err := c.target(at, a.header.Get("Location"))
	if err != nil {
		return fail(Upstream, err.Error())
	}
	if c.secret(u, nil) {
		return fail(Blocked, "it redirects to an address that holds a secret")
	}
	next, err := c.place(u, &at)
	if err != nil {
		return fail(Blocked, "it redirects where nothing is asked: "+unplaced(u, err).Message)
	}
	if q.Follow != nil && next.public.Hostname() != at.public.Hostname() && !q.Follow(next.public.Hostname()) {
		return fail(Blocked, "it redirects to "+next.public.Hostname()+", which is not among the hosts that may be asked")
	}
	keeps := a.status == http.StatusTemporaryRedirect || a.status == http.StatusPermanentRedirect
	if q.Body != nil && (!keeps || next.service == nil || next.service != at.service) {
		return fail(Blocked, "it redirects a request with a body")
	}
	return next, nil
}

// harmless keeps of a caller's headers those that say nothing about anybody.
func harmless(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range [...]string{"Accept", "Accept-Language", "User-Agent"} {
		if v := h.Values(name); len(v) > 0 {
			out[name] = v
		}
	}
	return out
}

// answer makes the response of what a server answered in the end.
func (c *Client) answer(q *question, at place, a answer) (*Response, error) {
	if a.status/100 != 2 && !slices.Contains(q.Answers, a.status) {
		e := refusal(a.status, a.header, a.body, time.Now())
		if c.holds(e.Message, c.credentials()) {
			e.Message = ""
		}
		if e.Kind == RateLimited && at.service != nil {
			at.service.pace.Complained()
		}
		return nil, e.at(at)
	}
	if a.err != nil {
		return nil, broken(a.err, q.Limit, q.Timeout).at(at)
	}
	c.publicLinks(a.header)
	sum := sha256.Sum256(a.body)
	return &Response{
		Status: a.status, Header: a.header, Body: a.body, URL: shown(at.public),
		FetchedAt: time.Now().UTC(), SHA256: hex.EncodeToString(sum[:]),
	}, nil
}

// errEncoding is in the chain of an error for an answer in a form that was not
// asked for.
var errEncoding = errors.New("the answer is compressed in a way nobody asked for")

// hopRequest is one request to one place.
type hopRequest struct {
	place
	method, credential, etag string
	body                     []byte
	header                   http.Header
	left                     time.Duration // of the time of the whole try
}

// answer is what came back. err tells why the body is not whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
	took   time.Duration
}

// exchange waits for its turn and asks once. The time of waiting does not count.
func (c *Client) exchange(ctx context.Context, q *question, req hopRequest) (answer, error) {
	if s := req.service; s != nil {
		if err := s.pace.Wait(ctx, req.credential != ""); err != nil {
			return answer{}, err
		}
	}
	leave, err := c.gates.Enter(ctx, strings.ToLower(req.public.Host))
	if err != nil {
		return answer{}, err
	}
	defer leave()
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, max(req.left, time.Millisecond))
	defer cancel()
	hr, err := req.build(ctx)
	if err != nil {
		return answer{}, (&Error{Kind: BadArgument, Message: "its address or headers cannot be sent", Err: err}).at(req.place)
	}
	client := c.http
	if req.outside {
		client = c.outside
	}
	resp, err := client.RoundTrip(hr)
	if err != nil {
		return answer{}, broken(err, q.Limit, q.Timeout).at(req.place)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.status/100 == 2 || slices.Contains(q.Answers, a.status) {
		a.body, a.err = readBody(resp, q.Limit)
	} else {
		a.body, _ = io.ReadAll(io.LimitReader(resp.Body, errorBody)) // what came of it will do
	}
	a.took = time.Since(began)
	return a, nil
}

func (r hopRequest) build(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	hr, err := http.NewRequestWithContext(ctx, r.method, r.target.String(), body)
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		hr.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if r.credential != "" && private(r.target) {
		if name := r.service.Service.Header; name != "" {
			hr.Header.Set(name, r.credential)
		} else {
			hr.Header.Set("Authorization", "Bearer "+r.credential)
		}
	}
	if r.etag != "" {
		hr.Header.Set("If-None-Match", r.etag)
	}
	return hr, nil
}
