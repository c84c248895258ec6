package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// ErrElsewhere is a server that sends us to another place.
var ErrElsewhere = errors.New("the server sends us to another place")

// streamTime is how long a server may take to open a stream of its own.
const streamTime = 3 * time.Second

var errNoStream = errors.New("the server opened no stream")

// maxHops is how often a server may move a request within itself.
const maxHops = 3

// Site is the place of a server on the web.
type Site struct {
	// URL is its address: requests go to its scheme, host and port alone.
	URL *url.URL
	// Header is added to each request, over everything else.
	Header http.Header
	// Bearer gives the token for requests that have no Authorization; nil or ""
	// is none.
	Bearer func(ctx context.Context) string
	// Base makes the requests.
	Base http.RoundTripper
	// Broken is told why nothing more of the connection can be used; nil for nobody.
	Broken func(error)
	// Reads says that a GET is the connection itself, not a stream beside it.
	Reads bool
}

// Client is a client for one connection to a site. What it does ends with life.
func (s Site) Client(life context.Context) *http.Client {
	return &http.Client{Transport: &visitor{site: s, life: life, meter: newMeter()}, CheckRedirect: s.follow}
}

// follow lets a server move a request within itself, as it is.
func (s Site) follow(req *http.Request, via []*http.Request) error {
	switch {
	case !s.home(req.URL):
		return s.elsewhere(req.URL)
	case req.Method != via[0].Method:
		return fmt.Errorf("the server answers a %s with a redirect that would lose it; give the address it names: %s", via[0].Method, place(req.URL))
	case len(via) > maxHops:
		return errors.New("the server redirects in a circle")
	}
	return nil
}

func (s Site) elsewhere(u *url.URL) error {
	err := fmt.Errorf("%w, %s: refused; if that is where it has moved, give that address", ErrElsewhere, place(u))
	s.broken(err)
	return err
}

func (s Site) broken(err error) {
	if s.Broken != nil {
		s.Broken(err)
	}
}

// place is an address without what may be secret in it.
func place(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

func (s Site) home(u *url.URL) bool { return Origin(u) == Origin(s.URL) }

// Origin is scheme, host and port of an address.
func Origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Scheme) + "://" + strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") + ":" + port
}

// Private reports whether what is sent to an address cannot be read on the way.
func Private(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Scheme, "https") || strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}

// visitor makes the requests of one connection.
type visitor struct {
	site  Site
	life  context.Context
	meter *meter
}

// RoundTrip refuses every other place, adds headers and bounds the answer.
func (v *visitor) RoundTrip(req *http.Request) (*http.Response, error) {
	if !v.site.home(req.URL) {
		return nil, v.site.elsewhere(req.URL)
	}
	// How long an answer may take is for the caller to say: some streams are
	// silent for hours.
	ctx, cancel := context.WithCancelCause(httpx.WithLimits(req.Context(), httpx.Limits{FirstByte: -1, Idle: -1}))
	stop := context.AfterFunc(v.life, func() { cancel(context.Cause(v.life)) })
	done := func() { stop(); cancel(nil) }
	req = req.Clone(ctx)
	for name, values := range v.site.Header {
		req.Header[name] = values
	}
	if req.Header.Get("Authorization") == "" && v.site.Bearer != nil && Private(req.URL) {
		if token := v.site.Bearer(ctx); token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	if req.Method == http.MethodGet && !v.site.Reads {
		// A stream that a server only opens with its first event holds up whoever
		// waits for it: to us it has none.
		silent := time.AfterFunc(streamTime, func() { cancel(errNoStream) })
		defer silent.Stop()
	}
	resp, err := v.site.Base.RoundTrip(req)
	if err != nil && errors.Is(context.Cause(ctx), errNoStream) {
		done()
		return &http.Response{
			Status: "405 Method Not Allowed", StatusCode: http.StatusMethodNotAllowed, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: http.NoBody, Request: req,
		}, nil
	}
	if err != nil {
		done()
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	stream := kind == "text/event-stream"
	if !stream && kind != "application/json" && resp.StatusCode == http.StatusOK && !v.site.Reads && asks(req) {
		// Said here, before the library ends the connection over it: that it has
		// ended would else be told as the reason now and then.
		v.site.broken(fmt.Errorf("unsupported content type %q", kind))
	}
	body := &metered{ReadCloser: resp.Body, ctx: ctx, meter: v.meter, stream: stream, left: MaxMessage, broken: v.site.broken}
	resp.Body = &lasting{body, sync.OnceFunc(done)}
	return resp, nil
}

// asks reports whether what is sent wants an answer: notifications have no id.
func asks(req *http.Request) bool {
	if req.Method != http.MethodPost || req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	defer body.Close()
	var message struct {
		ID     any    `json:"id"`
		Method string `json:"method"`
	}
	return json.NewDecoder(body).Decode(&message) == nil && message.ID != nil && message.Method != ""
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] through.
func (v *visitor) CloseIdleConnections() {
	if c, ok := v.site.Base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// lasting is a body whose request lives as long as it.
type lasting struct {
	io.ReadCloser
	done func()
}

func (l *lasting) Close() error {
	err := l.ReadCloser.Close()
	l.done()
	return err
}
