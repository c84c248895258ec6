package routes_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/routes"
)

// bench is a hub with nothing but repositories, on two hosts.
type bench struct {
	t          *testing.T
	clock      *clock.Clock
	book       *account.Book
	content    *content.Store
	repos      *repo.Store
	hub, cdn   *httptest.Server
	unfollowed *http.Client
}

func start(t *testing.T, dir string) *bench {
	t.Helper()
	b := &bench{t: t, clock: clock.New(clock.Options{})}
	b.book = account.New(b.clock)
	b.book.Put(account.Entity{Type: "user", Name: "alice", Plan: "free"})
	b.book.Put(account.Entity{Type: "user", Name: "bob", Plan: "pro"})
	b.book.Put(account.Entity{Type: "org", Name: "acme", Plan: "team", Members: map[string]string{"bob": "admin", "alice": "read"}})
	for token, owner := range map[string]string{"hf_bob": "bob", "hf_alice": "alice"} {
		b.book.PutToken(account.Token{Value: token, Owner: owner, Role: "write"})
	}
	b.book.PutToken(account.Token{Value: "hf_bob_read", Owner: "bob", Role: "read"})
	co := content.Options{Clock: b.clock, Base: func() string { return b.cdn.URL }}
	ro := repo.Options{Clock: b.clock, Accounts: b.book}
	if dir != "" {
		co.Dir, ro.Dir = dir+"/content", dir+"/git"
	}
	var err error
	if b.content, err = content.New(co); err != nil {
		t.Fatal(err)
	}
	ro.Content = b.content
	if b.repos, err = repo.New(ro); err != nil {
		t.Fatal(err)
	}
	served, err := routes.New(routes.Options{Repos: b.repos, Content: b.content, Accounts: b.book})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	served.Routes(mux)
	b.content.Routes(mux)
	b.hub = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, ok := b.book.Caller(r)
		if !ok {
			answer.Fail(w, answer.Refuse(http.StatusUnauthorized, "Invalid credentials in Authorization header"))
			return
		}
		mux.ServeHTTP(w, r.WithContext(account.With(r.Context(), caller)))
	}))
	b.cdn = httptest.NewServer(b.content.Handler())
	t.Cleanup(func() {
		b.hub.Close()
		b.cdn.Close()
		_ = b.content.Close()
	})
	b.unfollowed = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body []byte
}

// code is the answer's error code.
func (r reply) code() string { return r.Header.Get("X-Error-Code") }

// into decodes the body.
func into[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("%s %s: %v in %q", r.Request.Method, r.Request.URL, err, r.body)
	}
	return v
}

// send makes a request; token may be empty, body a string, bytes or a value for
// JSON. Further arguments are pairs of header names and values.
func (b *bench) send(token, method, path string, body any, header ...string) reply {
	b.t.Helper()
	var in io.Reader
	kind := ""
	switch v := body.(type) {
	case nil:
	case string:
		in, kind = strings.NewReader(v), "application/x-ndjson"
	case []byte:
		in = bytes.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			b.t.Fatal(err)
		}
		in, kind = bytes.NewReader(raw), "application/json"
	}
	if strings.HasPrefix(path, "/") {
		path = b.hub.URL + path
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, path, in)
	if err != nil {
		b.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.unfollowed.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{res, raw}
}

// must is send with the status that has to come.
func (b *bench) must(status int, token, method, path string, body any, header ...string) reply {
	b.t.Helper()
	r := b.send(token, method, path, body, header...)
	if r.StatusCode != status {
		b.t.Fatalf("%s %s: status %d, want %d: %s", method, path, r.StatusCode, status, r.body)
	}
	return r
}

type object = map[string]any

// create makes a repository as bob.
func (b *bench) create(name string, more object) {
	b.t.Helper()
	body := object{"name": name}
	for k, v := range more {
		body[k] = v
	}
	b.must(200, "hf_bob", "POST", "/api/repos/create", body)
}

// lines writes a commit's body: a summary, then pairs of key and value.
func lines(summary string, more ...any) string {
	var b strings.Builder
	add := func(key string, value any) {
		raw, _ := json.Marshal(object{"key": key, "value": value})
		b.Write(raw)
	}
	add("header", object{"summary": summary})
	for i := 0; i < len(more); i += 2 {
		b.WriteByte('\n') // none after the last
		add(more[i].(string), more[i+1])
	}
	return b.String()
}

func file(path, text string) object {
	return object{"path": path, "content": []byte(text), "encoding": "base64"}
}

// commit commits as bob to main of a model and returns the commit.
func (b *bench) commit(id string, more ...any) string {
	b.t.Helper()
	r := b.must(200, "hf_bob", "POST", "/api/models/"+id+"/commit/main", lines("change", more...))
	return into[struct{ CommitOid string }](b.t, r).CommitOid
}
