// Package table serves written-down answers: a list of routes, each with the
// file that is its body. Seeds use it for what the simulator does not compute,
// tests to put recorded answers in its place. It knows nothing of the services
// whose answers these are.
package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
)

// Any as the value of a query key means that it is there, with any value.
const Any = "*"

// Route is one answer and the requests it is for.
type Route struct {
	// Prefix is where the service lives on the simulator, such as /s2; empty
	// for the Hub itself.
	Prefix string `json:"prefix"`
	// Method is the request's; empty is GET, which also answers HEAD.
	Method string `json:"method"`
	// Path follows the prefix, unescaped. One that ends in /* is for
	// everything below.
	Path string `json:"path"`
	// Query are values that the request must have; further ones do not matter.
	// An empty value means that the key must be absent.
	Query map[string]string `json:"query,omitempty"`
	// Status is 200 when zero.
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	// BodyFile is the file of the body, relative to the list; empty is no body.
	BodyFile string `json:"body_file"`
	// Times is how often the route answers before the next one that fits does;
	// 0 is always.
	Times int `json:"times,omitempty"`

	body []byte
}

// Table is a list of routes in which the first that fits answers.
type Table struct {
	mu     sync.Mutex
	routes []Route
	left   []int // answers left of each route; -1 without end
}

// Read reads the list in the given file of fsys; a missing file is an empty
// list.
func Read(fsys fs.FS, name string) (*Table, error) {
	raw, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return &Table{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var routes []Route
	if err := dec.Decode(&routes); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	base, err := fs.Sub(fsys, path.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t, err := New(base, routes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// New checks routes and reads their bodies from fsys.
func New(fsys fs.FS, routes []Route) (*Table, error) {
	t := &Table{}
	for i, r := range routes {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("route %d: %w", i+1, err)
		}
		if r.BodyFile != "" {
			body, err := fs.ReadFile(fsys, r.BodyFile)
			if err != nil {
				return nil, fmt.Errorf("route %d: body_file: %w", i+1, err)
			}
			r.body = body
		}
		t.Add(r)
	}
	return t, nil
}

func (r *Route) check() error {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	switch {
	case !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("path: %q does not start with a slash", r.Path)
	case r.Prefix != "" && (!strings.HasPrefix(r.Prefix, "/") || strings.HasSuffix(r.Prefix, "/")):
		return fmt.Errorf("prefix: %q is not of the form /name", r.Prefix)
	case r.Method != strings.ToUpper(r.Method):
		return fmt.Errorf("method: %q is not in capitals", r.Method)
	case r.Status < 200 || r.Status > 599:
		return fmt.Errorf("status: %d is no status of an answer", r.Status)
	case r.Times < 0:
		return fmt.Errorf("times: %d is below zero", r.Times)
	}
	return nil
}

// Add puts a route at the end of the list. Its body is empty unless it came
// through New.
func (t *Table) Add(r Route) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := -1
	if r.Times > 0 {
		left = r.Times
	}
	t.routes = append(t.routes, r)
	t.left = append(t.left, left)
}

// Before serves what the table holds and leaves the rest to next.
func (t *Table) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !t.Serve(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// Serve answers r if a route fits and reports whether one did.
func (t *Table) Serve(w http.ResponseWriter, r *http.Request) bool {
	route, ok := t.find(r)
	if !ok {
		return false
	}
	if route.BodyFile != "" {
		w.Header().Set("Content-Type", contentType(route.BodyFile))
	}
	for k, v := range route.Headers {
		w.Header().Set(k, v)
	}
	w.WriteHeader(route.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(route.body) // the client has gone
	}
	return true
}

func (t *Table) find(r *http.Request) (Route, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, route := range t.routes {
		if t.left[i] == 0 || !route.fits(r) {
			continue
		}
		if t.left[i] > 0 {
			t.left[i]--
		}
		return route, true
	}
	return Route{}, false
}

func (r *Route) fits(req *http.Request) bool {
	if req.Method != r.Method && (req.Method != http.MethodHead || r.Method != http.MethodGet) {
		return false
	}
	want := r.Prefix + r.Path
	if below, ok := strings.CutSuffix(want, "/*"); ok {
		return strings.HasPrefix(req.URL.Path, below+"/") && r.asks(req.URL.Query())
	}
	return req.URL.Path == want && r.asks(req.URL.Query())
}

func (r *Route) asks(q url.Values) bool {
	for k, want := range r.Query {
		if got := q.Get(k); got != want && (want != Any || !q.Has(k)) {
			return false
		}
	}
	return true
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".json":
		return "application/json; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".md":
		return "text/markdown; charset=utf-8"
	case ".xml":
		return "application/atom+xml; charset=utf-8"
	case ".txt", ".jsonl":
		return "text/plain; charset=utf-8"
	case ".sse":
		return "text/event-stream"
	case ".pdf":
		return "application/pdf"
	}
	return "application/octet-stream"
}
