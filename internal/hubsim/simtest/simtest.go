// Package simtest is what the tests of the simulator's parts share: a few known
// accounts, and a client of a handler that puts the caller into the request as
// the whole simulator does. It knows no route.
package simtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

// Tokens of the accounts of Book.
const (
	Anonymous  = ""
	BobWrite   = "hf_bob_write"
	BobFine    = "hf_bob_fine" // reads repositories and runs jobs, no more
	AliceWrite = "hf_alice_write"
	AliceRead  = "hf_alice_read"
)

// Book holds the users alice (free) and bob (PRO) and the organisation acme
// (team; bob is its admin, alice reads).
func Book(c *clock.Clock) *account.Book {
	b := account.New(c)
	b.Put(account.Entity{Type: "user", Name: "alice", Fullname: "Alice", Plan: "free"})
	b.Put(account.Entity{Type: "user", Name: "bob", Fullname: "Bob", Plan: "pro", CanPay: true})
	b.Put(account.Entity{
		Type: "org", Name: "acme", Fullname: "Acme", Plan: "team",
		Members: map[string]string{"bob": "admin", "alice": "read"},
	})
	b.PutToken(account.Token{Value: BobWrite, Owner: "bob", Role: "write"})
	b.PutToken(account.Token{Value: AliceWrite, Owner: "alice", Role: "write"})
	b.PutToken(account.Token{Value: AliceRead, Owner: "alice", Role: "read"})
	b.PutToken(account.Token{Value: BobFine, Owner: "bob", Role: "fineGrained", Scoped: []account.Scope{
		{Entity: "bob", Permissions: []string{account.RepoRead, account.JobWrite}},
	}})
	return b
}

// Server answers for the routes under test.
type Server struct {
	testing.TB
	Book    *account.Book
	Handler http.Handler
}

// ServeHTTP finds the caller and passes on.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, ok := s.Book.Caller(r)
	if !ok {
		http.Error(w, `{"error":"Invalid user token."}`, http.StatusUnauthorized)
		return
	}
	s.Handler.ServeHTTP(w, r.WithContext(account.With(r.Context(), caller)))
}

// Reply is an answer; Body is its JSON, or its text where it is none.
type Reply struct {
	Status int
	Header http.Header
	Body   any
	Raw    []byte
}

// Do sends a request as the owner of token; a body that is neither text nor
// nil is written as JSON.
func (s *Server) Do(token, method, target string, body any) Reply {
	s.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			s.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(method, target, in)
	r.Host = "hub.test"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	reply := Reply{Status: w.Code, Header: w.Header(), Raw: w.Body.Bytes()}
	if json.Unmarshal(reply.Raw, &reply.Body) != nil {
		reply.Body = string(reply.Raw)
	}
	return reply
}

// Must sends a request that has to be answered with status.
func (s *Server) Must(status int, token, method, target string, body any) Reply {
	s.Helper()
	reply := s.Do(token, method, target, body)
	if reply.Status != status {
		s.Fatalf("%s %s as %q: %d, want %d: %s", method, target, token, reply.Status, status, reply.Raw)
	}
	return reply
}

// At walks into decoded JSON: a string names a member, a number an element.
func At(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			a, _ := v.([]any)
			if step >= len(a) {
				return nil
			}
			v = a[step]
		}
	}
	return v
}

// At walks into the reply's JSON.
func (r Reply) At(path ...any) any { return At(r.Body, path...) }

// Text walks into the reply's JSON to a string.
func (r Reply) Text(path ...any) string {
	s, _ := r.At(path...).(string)
	return s
}

// Each collects what is at path in every element of a list.
func Each(list any, path ...any) []any {
	all := []any{}
	elements, _ := list.([]any)
	for _, e := range elements {
		all = append(all, At(e, path...))
	}
	return all
}

// Equal compares two values as go-cmp does.
func (s *Server) Equal(got, want any) {
	s.Helper()
	if d := cmp.Diff(want, got); d != "" {
		s.Errorf("-want +got\n%s", d)
	}
}

// Fixture reads a recorded answer of the Hub and walks into it; without the
// recordings the test is skipped.
func Fixture(t testing.TB, name string, path ...any) any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), name))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return At(v, path...)
}

// SameKeys checks that got has the members of want and no others, save those
// named free.
func SameKeys(t testing.TB, got, want any, free ...string) {
	t.Helper()
	g, _ := got.(map[string]any)
	w, _ := want.(map[string]any)
	if len(g) == 0 || len(w) == 0 {
		t.Fatalf("no members to compare: %v and %v", got, want)
	}
	for k := range w {
		if _, ok := g[k]; !ok && !slices.Contains(free, k) {
			t.Errorf("member %q is missing", k)
		}
	}
	for k := range g {
		if _, ok := w[k]; !ok && !slices.Contains(free, k) {
			t.Errorf("member %q is one the Hub does not send", k)
		}
	}
}
