// Package wire is one connection to one Hub as one user. It builds every
// request, keeps the user's token at the Hub it belongs to, sorts failures by
// what can be done about them, repeats what may be repeated, holds requests
// back when the Hub's limit is near, follows pages and reads event streams. It
// knows no route of the Hub and neither settings nor sessions: what is asked
// for is its callers' business.
package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/rate"
)

const (
	// jsonLimit bounds one JSON answer, in bytes after decompression.
	jsonLimit = 16 << 20
	// errorLimit bounds what is read of the body of a refused request.
	errorLimit = 64 << 10
)

// Options of a connection.
type Options struct {
	// HTTP makes the requests. Its transport and timeout are used; redirects
	// are followed here, by the Hub's rules. A transport that puts a fresher
	// token of the same user in Token's place may send a request again: every
	// body can be made anew.
	HTTP *http.Client
	// Endpoint is the Hub's base address, such as https://huggingface.co.
	Endpoint string
	// Token is the user's token; "" asks as nobody. It is sent to Endpoint's
	// origin only, and over plain http only to this machine.
	Token string
	// UserAgent names the program; "" leaves that to HTTP.
	UserAgent string
	// Offline refuses every request before any I/O.
	Offline bool
	// Warn takes what the Hub has to tell the user, each topic once.
	Warn func(topic, message string)
	// Wait sleeps before a request is sent (again) and may tell the user why;
	// nil only sleeps. It returns early, with an error, when ctx ends.
	Wait func(ctx context.Context, d time.Duration, why string) error
	// DryRun, if set, takes every request that would change something instead
	// of the Hub: method, path and the shape of the body. The request then
	// fails with Kind [DryRun].
	DryRun func(method, path, body string)
	// Rand spreads the waits between tries; nil takes the process's own.
	Rand *rand.Rand
	// Limits is what is known of the Hub's rate limits. Connections of one
	// process share it; nil means that this connection is the only one.
	Limits *rate.Limits
}

// Conn is a connection. It is safe for concurrent use.
type Conn struct {
	opts    Options
	base    *url.URL
	http    *http.Client
	account *rate.Account

	mu     sync.Mutex
	warned map[string]bool
}

// New checks the options; nothing is sent.
func New(o Options) (*Conn, error) {
	if o.HTTP == nil {
		return nil, errors.New("connect to the hub: Options.HTTP is missing")
	}
	base, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" ||
		base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("connect to the hub: Options.Endpoint %q is not a web address", o.Endpoint)
	}
	if o.Token, err = cleanToken(o.Token); err != nil {
		return nil, err
	}
	if o.Wait == nil {
		o.Wait = sleep
	}
	if o.Warn == nil {
		o.Warn = func(string, string) {}
	}
	if o.Limits == nil {
		o.Limits = rate.New()
	}
	c := &Conn{opts: o, base: base, warned: map[string]bool{}}
	c.http = &http.Client{
		Transport:     o.HTTP.Transport,
		Timeout:       o.HTTP.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.account = o.Limits.Of(originOf(base).String(), o.Token)
	return c, nil
}

func cleanToken(token string) (string, error) {
	token = strings.TrimSpace(token)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", errors.New("connect to the hub: Options.Token holds characters that no token has")
	}
	return token, nil
}

// Endpoint is the Hub's base address. It is the caller's own copy.
func (c *Conn) Endpoint() *url.URL {
	u := *c.base
	return &u
}

// Anonymous reports whether requests go out without a token.
func (c *Conn) Anonymous() bool { return c.opts.Token == "" }

// TokenHash names the user's token without giving it away; "" without one.
func (c *Conn) TokenHash() string { return rate.Hash(c.opts.Token) }

// Wait sleeps as the connection does between two tries of a request: the user
// is told why.
func (c *Conn) Wait(ctx context.Context, d time.Duration, why string) error {
	return c.opts.Wait(ctx, d, why)
}

func sleep(ctx context.Context, d time.Duration, _ string) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Policy says which failures of a request are followed by another try.
type Policy int

// The policies.
const (
	// ByMethod is Idempotent for requests that read and CertainlyNotApplied
	// for the others.
	ByMethod Policy = iota
	// Idempotent requests may be repeated whatever became of the first.
	Idempotent
	// CertainlyNotApplied requests are repeated only when the Hub cannot have
	// acted on the first: it said so with 429, or with 503 and Retry-After, or
	// no connection was made.
	CertainlyNotApplied
	// Never: one try.
	Never
)

// Request is one question to the Hub.
type Request struct {
	// Op says what is asked for, such as "list the jobs of acme"; it begins
	// the text of errors.
	Op     string
	Method string // "" is GET
	// Path starts with "/" and is escaped already, best by [Path].
	Path   string
	Query  url.Values
	Header http.Header
	// JSON is the body, or Body makes one, of Type, for every try; its length
	// is -1 when unknown. A reader that can be closed is closed.
	JSON   any
	Body   func() (io.Reader, int64, error)
	Type   string
	Accept string // "" is application/json
	Retry  Policy
	// Status lists the accepted answers; empty means 200 to 299.
	Status []int
	// Reads marks a POST that changes nothing: it is repeated like a GET and
	// goes out in a dry run too.
	Reads bool
	// Foreign returns a redirect to another origin as the answer, instead of
	// following it.
	Foreign bool
	// FirstByte bounds the wait for the answer once the request is out; zero
	// means 30 s.
	FirstByte time.Duration
}

// Answer is what is left of a response whose body has been read.
type Answer struct {
	Status int
	Header http.Header
}

// SignedRequest goes to an address that an answer of the Hub has named. The
// token stays at home unless the address has the Hub's own origin and Auth is
// set. Addresses on https://huggingface.co are turned to the Hub in use.
type SignedRequest struct {
	Op        string
	Method    string // "" is GET
	URL       string
	Header    http.Header
	JSON      any
	Body      func() (io.Reader, int64, error)
	Type      string
	Accept    string // "" is */*
	Auth      bool
	Retry     Policy
	Status    []int
	FirstByte time.Duration
}

// Do sends a request and returns the accepted answer; its body is open and
// belongs to the caller. A failure is an [*Error].
func (c *Conn) Do(ctx context.Context, r Request) (*http.Response, error) {
	k, err := c.prepare(r)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, k, nil)
}

// JSON sends a request and decodes the answer into what into points to; nil
// drops it.
func (c *Conn) JSON(ctx context.Context, r Request, into any) (*Answer, error) {
	k, err := c.prepare(r)
	if err != nil {
		return nil, err
	}
	return c.json(ctx, k, into)
}

// Read sends a request and has read take in the answer, whose body is closed
// afterwards. If read fails the connection counts as cut, and the request is
// sent again where its policy allows; an [*Error] is the end.
func (c *Conn) Read(ctx context.Context, r Request, read func(*http.Response) error) error {
	k, err := c.prepare(r)
	if err != nil {
		return err
	}
	_, err = c.send(ctx, k, read)
	return err
}

// Signed sends a request to an address from an answer; see [SignedRequest].
func (c *Conn) Signed(ctx context.Context, r SignedRequest) (*http.Response, error) {
	k, err := c.prepareSigned(r)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, k, nil)
}
