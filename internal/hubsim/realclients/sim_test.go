// Package realclients_test is the proof that the simulated Hub is one: the
// official clients, which know nothing of it, do what they do on the Hub. Each
// row is one call or a few, told by its number; a suite plays all rows on one
// simulator, in order, because they build on one another.
package realclients_test

import (
	"bytes"
	"cmp"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

const (
	bob   = "hf_bob_write"
	alice = "hf_alice_write"
)

// keptBody bounds the request bodies that are remembered.
const keptBody = 256 << 10

// mark stands in a list of requests where the row has reached a place it tells
// of.
const mark = "MARK"

// seen is one request as it reached the simulator.
type seen struct {
	hubsim.Request
	Body string // of requests to the Hub, its first bytes
}

// is reports whether it is a request with this method whose path has this text
// in it.
func (s seen) is(method, path string) bool {
	return (method == "" || s.Method == method) && strings.Contains(s.Path, path)
}

// sim is a simulator behind a door that remembers what was sent.
type sim struct {
	*hubsim.Hub
	url string

	mu     sync.Mutex
	bodies map[string]string // by request id
	marks  []int             // counts of requests at which a mark was set
}

// simulate starts a simulator for one suite. Files above 2 MiB go up in parts
// of 1 MiB.
func simulate(t *testing.T) *sim {
	t.Helper()
	s := &sim{bodies: map[string]string{}}
	s.Hub = hubsimtest.Start(t, hubsim.Options{
		Exec: hubsim.Local, Control: true, Clock: clock.Options{Scale: 1}, MultipartAbove: 2 << 20, PartSize: 1 << 20,
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s.remember(s.Handler())}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	s.url = "http://" + listener.Addr().String()
	return s
}

// remember keeps the bodies of requests.
func (s *sim) remember(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &limited{&body, keptBody}), r.Body}
		next.ServeHTTP(w, r)
		if id := w.Header().Get("X-Request-Id"); id != "" && body.Len() > 0 {
			s.mu.Lock()
			s.bodies[id] = body.String()
			s.mu.Unlock()
		}
	})
}

// limited takes the first bytes and drops the rest.
type limited struct {
	to   *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.to.Write(p[:n])
	l.left -= n
	return len(p), nil
}

// begin forgets what was seen.
func (s *sim) begin() {
	s.Faults.Clear()
	s.ClearRequests()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies, s.marks = map[string]string{}, nil
}

// here sets a mark.
func (s *sim) here() {
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, len(s.Requests()))
}

// settle waits until the requests at hand have their line in the log: an answer
// arrives before its handler ends.
func (s *sim) settle() {
	for range 200 {
		running := false
		for _, r := range s.Requests() {
			running = running || r.Status == 0 && len(r.Faults) == 0
		}
		if !running {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// saw lists what was seen since begin, with the marks.
func (s *sim) saw() []seen {
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []seen
	marks := s.marks
	for i, r := range s.Requests() {
		for len(marks) > 0 && marks[0] == i {
			all, marks = append(all, seen{Request: hubsim.Request{Method: mark}}), marks[1:]
		}
		all = append(all, seen{Request: r, Body: s.bodies[r.ID]})
	}
	for range marks {
		all = append(all, seen{Request: hubsim.Request{Method: mark}})
	}
	return all
}

// Requests a row may have sent.

func count(all []seen, method, path string) int { return len(which(all, method, path)) }

func which(all []seen, method, path string) []seen {
	var some []seen
	for _, s := range all {
		if s.is(method, path) {
			some = append(some, s)
		}
	}
	return some
}

// after is what was seen behind the n-th mark, up to the next one; 0 is before
// the first.
func after(all []seen, n int) []seen {
	var some []seen
	for _, s := range all {
		switch {
		case s.Method == mark:
			n--
		case n == 0:
			some = append(some, s)
		}
	}
	return some
}

// exactly checks how many requests there were.
func exactly(t *testing.T, all []seen, n int, method, path string) {
	t.Helper()
	if got := count(all, method, path); got != n {
		t.Errorf("%d requests %s %s, want %d", got, cmp.Or(method, "to"), path, n)
	}
}

// noToken checks that the content host was asked, and without a token.
func noToken(t *testing.T, all []seen, method string) {
	t.Helper()
	asked := 0
	for _, s := range all {
		if s.Host != fault.CDN {
			continue
		}
		if s.Method == method {
			asked++
		}
		if s.Authorization != "" {
			t.Errorf("%s %s on the content host has a token", s.Method, s.Path)
		}
	}
	if asked == 0 {
		t.Errorf("no %s reached the content host", method)
	}
}

// only checks that every request is one of those wanted, as "METHOD path".
func only(t *testing.T, all []seen, wanted ...string) {
	t.Helper()
next:
	for _, s := range all {
		for _, w := range wanted {
			method, path, _ := strings.Cut(w, " ")
			if s.is(method, path) {
				continue next
			}
		}
		t.Errorf("%s %s was not to be expected", s.Method, s.Path)
	}
}
