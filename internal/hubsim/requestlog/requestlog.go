// Package requestlog keeps what was asked of the simulated Hub, for tests and
// for people who watch it. No secret gets into it: of a token it knows the
// owner, of a body the digest, of a signature that there was one.
package requestlog

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Request is one line of the log.
type Request struct {
	At     time.Time `json:"at"`   // simulated
	Host   string    `json:"host"` // hub or cdn
	Method string    `json:"method"`
	Path   string    `json:"path"` // escaped, as it was sent
	Query  string    `json:"query,omitempty"`
	// User is whose token it carried; Authorization its scheme, empty without
	// the header.
	User          string            `json:"user,omitempty"`
	Authorization string            `json:"authorization,omitempty"`
	Header        map[string]string `json:"header,omitempty"`
	BodySize      int64             `json:"bodySize,omitempty"`
	BodySHA256    string            `json:"bodySHA256,omitempty"` // of what the hub has read; a content's is in its address
	Status        int               `json:"status,omitempty"`     // 0: running, or cut before an answer
	Faults        []string          `json:"faults,omitempty"`
	ID            string            `json:"id"` // X-Request-Id
}

// keptHeaders are the headers the log shows.
var keptHeaders = []string{
	"Accept", "Content-Type", "If-Match", "If-None-Match", "Range", "User-Agent", "X-Amzn-Trace-Id",
	"X-Hf-Session-Id",
}

// contentHost is where large bodies go, which are hashed where they are stored.
const contentHost = "cdn"

// secretQuery are words in the names of query values that must not be kept.
var secretQuery = []string{"token", "sig", "secret", "code", "credential", "password", "key"}

// keptRequests bounds the log of a simulator that runs for long.
const keptRequests = 20_000

// Log is the list of requests. It is safe for concurrent use; the zero value is
// ready.
type Log struct {
	mu       sync.Mutex
	requests []*Request
	unserved []string
}

// Serve calls next with a request that is written down: at what time it came,
// to which host, with whose token and under which id. faults is asked at the
// end which it met.
func (l *Log) Serve(e Request, w http.ResponseWriter, r *http.Request, faults func() []string, next http.Handler) {
	e.describe(r)
	l.add(&e)
	answer, body := &writer{ResponseWriter: w}, watch(r, e.Host)
	defer func() { l.end(&e, answer.status, body, faults()) }()
	next.ServeHTTP(answer, r)
}

func (l *Log) add(r *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.requests) == keptRequests {
		l.requests = append(l.requests[:0], l.requests[keptRequests/2:]...)
	}
	l.requests = append(l.requests, r)
}

// end fills in what is known after the answer.
func (l *Log) end(r *Request, status int, body *digest, faults []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Status, r.Faults = status, faults
	if body != nil && body.n > 0 {
		r.BodySize = body.n
		if body.sum != nil {
			r.BodySHA256 = hex.EncodeToString(body.sum.Sum(nil))
		}
	}
}

// keptUnserved bounds the list of what no route serves: a client that tries
// names would fill it.
const keptUnserved = 1000

// Unserve notes a request, as method and path, that no route serves.
func (l *Log) Unserve(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.unserved) < keptUnserved && !slices.Contains(l.unserved, what) {
		l.unserved = append(l.unserved, what)
	}
}

// Clear empties the log.
func (l *Log) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests, l.unserved = nil, nil
}

// Requests lists what came, in order of arrival.
func (l *Log) Requests() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Request, 0, len(l.requests))
	for _, r := range l.requests {
		all = append(all, *r)
	}
	return all
}

// Unserved lists what no route serves.
func (l *Log) Unserved() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.unserved)
}

// describe fills in what the request itself says.
func (e *Request) describe(r *http.Request) {
	e.Method, e.Path, e.Query = r.Method, r.URL.EscapedPath(), safeQuery(r.URL.RawQuery)
	for _, key := range keptHeaders {
		if v := r.Header.Get(key); v != "" {
			if e.Header == nil {
				e.Header = map[string]string{}
			}
			e.Header[key] = v
		}
	}
	if auth := r.Header.Get("Authorization"); auth != "" {
		e.Authorization, _, _ = strings.Cut(auth, " ")
		if !strings.EqualFold(e.Authorization, "Bearer") && !strings.EqualFold(e.Authorization, "Basic") {
			e.Authorization = "other" // who knows what stands there
		}
	}
}

// safeQuery hides the values that could be secrets.
func safeQuery(raw string) string {
	if raw == "" {
		return ""
	}
	parts := strings.Split(raw, "&")
	for i, part := range parts {
		name, _, found := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = name
		}
		plain = strings.ToLower(plain)
		if found && slices.ContainsFunc(secretQuery, func(word string) bool { return strings.Contains(plain, word) }) {
			parts[i] = name + "=[hidden]"
		}
	}
	return strings.Join(parts, "&")
}

// digest reads a body and keeps what it was like.
type digest struct {
	io.ReadCloser
	sum hash.Hash // nil on the content host
	n   int64
}

func watch(r *http.Request, host string) *digest {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	d := &digest{ReadCloser: r.Body}
	if host != contentHost {
		d.sum = sha256.New()
	}
	r.Body = d
	return d
}

func (d *digest) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	d.n += int64(n)
	if d.sum != nil {
		d.sum.Write(p[:n])
	}
	return n, err
}

// writer remembers the status of an answer.
type writer struct {
	http.ResponseWriter
	status int
}

func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

func (w *writer) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}
