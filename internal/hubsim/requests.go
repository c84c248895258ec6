package hubsim

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

// Request is one line of the request log. It holds no secret: of a token its
// owner, of a body its digest, of a signature that there was one.
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
	BodySHA256    string            `json:"bodySHA256,omitempty"` // of what was read
	Status        int               `json:"status,omitempty"`     // 0: running, or cut before an answer
	Faults        []string          `json:"faults,omitempty"`
	ID            string            `json:"id"` // X-Request-Id
}

// keptHeaders are the headers the log shows.
var keptHeaders = []string{
	"Accept", "Content-Type", "If-Match", "If-None-Match", "Range", "User-Agent", "X-Amzn-Trace-Id",
	"X-Hf-Session-Id",
}

// secretQuery are words in the names of query values that must not be kept.
var secretQuery = []string{"token", "sig", "secret", "code", "credential", "password", "key"}

// keptRequests bounds the log of a simulator that runs for long.
const keptRequests = 20_000

type requestLog struct {
	mu       sync.Mutex
	requests []*Request
	unserved []string
}

func (l *requestLog) add(r *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.requests) == keptRequests {
		l.requests = append(l.requests[:0], l.requests[keptRequests/2:]...)
	}
	l.requests = append(l.requests, r)
}

// end fills in what is known after the answer.
func (l *requestLog) end(r *Request, status int, body *digest, faults []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Status, r.Faults = status, faults
	if body != nil && body.n > 0 {
		r.BodySize, r.BodySHA256 = body.n, hex.EncodeToString(body.sum.Sum(nil))
	}
}

func (l *requestLog) noteUnserved(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.unserved, what) {
		l.unserved = append(l.unserved, what)
	}
}

func (l *requestLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests, l.unserved = nil, nil
}

// Requests is the request log, in order of arrival.
func (h *Hub) Requests() []Request {
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	all := make([]Request, 0, len(h.log.requests))
	for _, r := range h.log.requests {
		all = append(all, *r)
	}
	return all
}

// ClearRequests empties the request log and the list of Unserved.
func (h *Hub) ClearRequests() { h.log.clear() }

// Unserved lists the requests, as method and path, that no route serves.
func (h *Hub) Unserved() []string {
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	return slices.Clone(h.log.unserved)
}

// entry begins a line of the log.
func (h *Hub) entry(host, id string, r *http.Request) *Request {
	e := &Request{
		At: h.Clock().Now(), Host: host, Method: r.Method, Path: r.URL.EscapedPath(), Query: safeQuery(r.URL.RawQuery), ID: id,
	}
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
		e.User = h.owner(r)
	}
	return e
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
	sum hash.Hash
	n   int64
}

func watchBody(r *http.Request) *digest {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	d := &digest{ReadCloser: r.Body, sum: sha256.New()}
	r.Body = d
	return d
}

func (d *digest) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	d.n += int64(n)
	d.sum.Write(p[:n])
	return n, err
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

func (w *statusWriter) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}
