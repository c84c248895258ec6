// Package hub is the client of the Hugging Face Hub. It binds the user's token
// to the Hub it belongs to, bounds every answer and sorts failures by what can
// be done about them. It knows neither settings nor sessions: address and token
// are given to it.
package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// jsonLimit bounds one JSON answer, in bytes.
const jsonLimit = 16 << 20

// Options of a client.
type Options struct {
	// HTTP makes the requests; redirects lose the token when they leave the
	// origin they were sent to.
	HTTP *http.Client
	// Endpoint is the Hub's base URL, such as https://huggingface.co.
	Endpoint string
	// Token is the user's token. It is sent to Endpoint's origin only, and
	// over plain http only to this machine.
	Token string
}

// Client talks to one Hub as one user. It is safe for concurrent use.
type Client struct {
	opts Options
	base *url.URL
}

// New checks the options; nothing is sent.
func New(o Options) (*Client, error) {
	if o.HTTP == nil {
		return nil, errors.New("hub: Options.HTTP is missing")
	}
	base, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("hub: Options.Endpoint %q is not a web address", o.Endpoint)
	}
	return &Client{opts: o, base: base}, nil
}

// Kind sorts failures by what can be done about them.
type Kind string

// The kinds of failure.
const (
	// Unauthorized: the token is missing, unknown or expired.
	Unauthorized Kind = "unauthorized"
	// Forbidden: the token may not do this.
	Forbidden Kind = "forbidden"
	// RateLimited: too many requests.
	RateLimited Kind = "rate_limited"
	// Unreachable: no answer came: no network, a timeout, a wrong address.
	Unreachable Kind = "unreachable"
	// Server: the Hub failed.
	Server Kind = "server"
	// Unexpected: an answer that is not the Hub's.
	Unexpected Kind = "unexpected"
)

// Error is a failed request. Its text holds no token.
type Error struct {
	Kind   Kind
	Op     string // what was asked, such as "ask who the token belongs to"
	Host   string
	Status int // 0 when no answer came
	// Message is the Hub's own, shortened; empty without one.
	Message string
	Err     error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s at %s: ", e.Op, e.Host)
	switch {
	case e.Kind == Unreachable:
		text += "no answer"
	case e.Status != 0:
		text += fmt.Sprintf("HTTP %d", e.Status)
	default:
		text += string(e.Kind)
	}
	switch {
	case e.Message != "":
		text += ": " + e.Message
	case e.Err != nil:
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// IsKind reports whether err is a failure of the Hub of this kind.
func IsKind(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

// get reads one JSON answer.
func (c *Client) get(ctx context.Context, op, path string, into any) error {
	fail := func(kind Kind, status int, message string, err error) error {
		return &Error{Kind: kind, Op: op, Host: c.base.Host, Status: status, Message: message, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+path, nil)
	if err != nil {
		return fail(Unexpected, 0, "", err)
	}
	req.Header.Set("Accept", "application/json")
	if err := c.authorize(req); err != nil {
		return fail(Unauthorized, 0, "", err)
	}
	resp, err := c.opts.HTTP.Do(req)
	if err != nil {
		return fail(Unreachable, 0, "", bare(err))
	}
	defer resp.Body.Close()
	body, err := httpx.ReadAll(resp.Body, jsonLimit)
	if err != nil {
		kind := Unreachable
		if errors.Is(err, httpx.ErrTooLarge) {
			kind = Unexpected
		}
		return fail(kind, resp.StatusCode, "", bare(err))
	}
	if resp.StatusCode != http.StatusOK {
		return fail(kindOf(resp.StatusCode), resp.StatusCode, message(resp, body), nil)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fail(Unexpected, resp.StatusCode, "the answer is not the JSON of a Hub", err)
	}
	return nil
}

// authorize adds the token, never to a plain connection that leaves this
// machine.
func (c *Client) authorize(req *http.Request) error {
	if c.opts.Token == "" {
		return nil
	}
	if strings.ContainsFunc(c.opts.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("the token holds characters that no token has")
	}
	if req.URL.Scheme != "https" && !loopback(req.URL.Hostname()) {
		return errors.New("the token is not sent over plain http")
	}
	req.Header.Set("Authorization", "Bearer "+c.opts.Token)
	return nil
}

func loopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

func kindOf(status int) Kind {
	switch {
	case status == http.StatusUnauthorized:
		return Unauthorized
	case status == http.StatusForbidden:
		return Forbidden
	case status == http.StatusTooManyRequests:
		return RateLimited
	case status >= 500:
		return Server
	}
	return Unexpected
}

// bare removes the address that net/http puts before a cause.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// messageLimit bounds the Hub's words in an error, in characters.
const messageLimit = 300

// message is the Hub's reason: its header, else the error member of the body.
func message(resp *http.Response, body []byte) string {
	text := resp.Header.Get("X-Error-Message")
	if text == "" {
		var in struct {
			Error string `json:"error"`
		}
		_ = json.Unmarshal(body, &in) // a page of HTML has no message for people
		text = in.Error
	}
	text = strings.Join(strings.Fields(text), " ")
	if short := excerpt.Head(text, messageLimit); len(short) < len(text) {
		return short + "…"
	}
	return text
}
