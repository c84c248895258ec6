package writetest_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/discussion"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const (
	bob   = "hf_bob_write"
	alice = "hf_alice_write"
	repo  = "bob/m1"
)

// bench is a simulator with the model bob/m1.
type bench struct {
	*testing.T
	hub    *hubsim.Hub
	dialed bool
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, hub: hubsimtest.Start(t, hubsim.Options{Seed: "acme", MultipartAbove: 2 << 20, PartSize: 1 << 20})}
	b.create("model", "m1")
	return b
}

// create makes a repository of bob's.
func (b *bench) create(kind, name string) {
	b.Helper()
	_, err := b.conn(bob).JSON(b.Context(), wire.Request{
		Op: "create", Method: "POST", Path: "/api/repos/create", JSON: map[string]any{"name": name, "organization": "bob", "type": kind},
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
}

// conn connects as the owner of a token; waits between tries take no time.
func (b *bench) conn(token string) *wire.Conn {
	b.Helper()
	dialer := &net.Dialer{}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: b.dialed}
	if b.dialed {
		host := func(addr string) string {
			if strings.HasSuffix(b.hub.CDNURL(), addr[strings.LastIndex(addr, ":"):]) {
				return fault.CDN
			}
			return fault.Hub
		}
		transport.DialContext = b.hub.Faults.Dial(host, dialer.DialContext)
	}
	b.Cleanup(transport.CloseIdleConnections)
	web, err := httpx.New(httpx.Options{Version: "1.0", Transport: transport})
	if err != nil {
		b.Fatal(err)
	}
	c, err := wire.New(wire.Options{
		HTTP: web, Endpoint: b.hub.URL(), Token: token,
		Wait: func(ctx context.Context, _ time.Duration, _ string) error { return ctx.Err() },
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func (b *bench) faults(rules ...fault.Rule) {
	b.Helper()
	if err := b.hub.Faults.Add(rules...); err != nil {
		b.Fatal(err)
	}
}

// commits are the titles of main, newest first.
func (b *bench) commits() []string {
	b.Helper()
	var out []struct{ Title string }
	if _, err := b.conn(bob).JSON(b.Context(), wire.Request{Op: "list", Path: "/api/models/" + repo + "/commits/main"}, &out); err != nil {
		b.Fatal(err)
	}
	var titles []string
	for _, c := range out {
		titles = append(titles, c.Title)
	}
	return titles
}

// read is a file of a revision, as a download gives it.
func (b *bench) read(rev, path string) (string, error) {
	b.Helper()
	resp, err := http.Get(b.hub.URL() + "/" + repo + "/resolve/" + strings.ReplaceAll(rev, "/", "%2F") + "/" + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return "", errors.New(resp.Status)
	}
	var text strings.Builder
	buf := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			return text.String(), nil
		}
	}
}

func (b *bench) holds(rev, path, want string) {
	b.Helper()
	if got, err := b.read(rev, path); err != nil || got != want {
		b.Errorf("%s at %s: %d bytes, %v, want %d", path, rev, len(got), err, len(want))
	}
}

// count is how many requests had this method and this in their path.
func (b *bench) count(method, part string) int {
	n := 0
	for _, r := range b.hub.Requests() {
		if r.Method == method && strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

func add(path, text string) commit.Add { return commit.Add{Path: path, Data: []byte(text)} }

func (b *bench) commit(ops ...commit.Operation) (commit.Result, error) {
	return commit.New(b.conn(bob), commit.Options{}).Commit(b.Context(), commit.Request{
		Target: commit.Target{Repo: repo}, Operations: ops, Summary: "our change",
	})
}

func (b *bench) must(r commit.Result, err error) commit.Result {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func on(path string) fault.Match { return fault.Match{Path: path, Count: 1} }

func TestEverythingAtOnce(t *testing.T) {
	b := newBench(t)
	large, parts := strings.Repeat("weights ", 10_000), strings.Repeat("0123456789abcde\n", 200_000)
	b.must(b.commit(add("a/b.txt", "hello\n"), add("w.bin", large), add("big.bin", parts), add("d/1", "1"), add("empty.bin", "")))
	r := b.must(b.commit(
		add("q.txt", "q"), commit.Delete{Path: "w.bin"}, commit.Delete{Path: "d", Folder: true},
		commit.Copy{From: "big.bin", Path: "copy.bin"}, commit.Copy{From: "a/b.txt", Path: "c.txt"},
	))
	b.holds(r.OID, "copy.bin", parts)
	b.holds("main", "c.txt", "hello\n")
	b.holds("main", "empty.bin", "")
	if _, err := b.read("main", "d/1"); err == nil {
		t.Error("the folder is still there")
	}
	for _, req := range b.hub.Requests() {
		if req.Host == fault.CDN && req.Authorization != "" {
			t.Errorf("%s %s came with a token", req.Method, req.Path)
		}
	}
	if got := b.count("PUT", "/lfs-part/"); got != 4 {
		t.Errorf("%d parts were sent", got)
	}
	again := b.must(b.commit(add("q.txt", "q"), add("big.bin", parts)))
	if !again.Unchanged || again.OID != r.OID {
		t.Errorf("unchanged: %+v", again)
	}
}

// Acceptance check 7.
func TestCheck07_ApplyThenFail(t *testing.T) {
	for _, mode := range []string{"true", "502"} {
		b := newBench(t)
		rule, err := fault.Parse([]byte(`{"match":{"path":"/commit/main","count":1},"do":{"applyThenFail":` + mode + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		b.faults(rule...)
		r := b.must(b.commit(add("a.txt", "a")))
		if titles := b.commits(); len(titles) != 2 || !r.Found || b.count("POST", "/commit/main") != 1 {
			t.Errorf("%s: commits %v, result %+v", mode, titles, r)
		}
		b.holds(r.OID, "a.txt", "a")
	}
}

// Acceptance check 8.
func TestCheck08_Refuse(t *testing.T) {
	b := newBench(t)
	b.dialed = true
	b.faults(fault.Rule{Match: fault.Match{Host: fault.Hub, Skip: 1, Count: 1}, Do: fault.Do{Refuse: true}})
	r := b.must(b.commit(add("a.txt", "a")))
	if titles := b.commits(); len(titles) != 2 || r.Found {
		t.Errorf("commits %v, result %+v", titles, r)
	}
}

// Acceptance check 9.
func TestCheck09_HeadMoves(t *testing.T) {
	b := newBench(t)
	move := func(to string) {
		rule, err := fault.Parse([]byte(`{"match":{"path":"/commit/main","count":1},"do":{"headMoves":"` + to + `"}}`))
		if err != nil {
			t.Fatal(err)
		}
		b.hub.Faults.Clear()
		b.faults(rule...)
	}
	move("elsewhere.txt")
	b.must(b.commit(add("a.txt", "a")))
	if titles := b.commits(); len(titles) != 3 {
		t.Errorf("commits %v", titles)
	}
	move("a.txt")
	_, err := b.commit(add("a.txt", "b"))
	var conflict *commit.Conflict
	if !errors.As(err, &conflict) || !slices.Equal(conflict.Paths, []string{"a.txt"}) {
		t.Fatalf("error %v", err)
	}
	if text, _ := b.read("main", "a.txt"); !strings.HasPrefix(text, "moved at") || len(b.commits()) != 4 {
		t.Errorf("a.txt is %q, commits %v", text, b.commits())
	}
}

// Acceptance checks 11 and 12.
func TestCheck11And12_Uploads(t *testing.T) {
	b := newBench(t)
	b.faults(fault.Rule{Match: fault.Match{Host: fault.CDN, Method: "PUT", Count: 1}, Do: fault.Do{Status: 403}})
	large := strings.Repeat("weights ", 10_000)
	b.must(b.commit(add("w.bin", large)))
	b.holds("main", "w.bin", large)
	if n := b.count("POST", "/objects/batch"); n != 2 {
		t.Errorf("%d batches", n)
	}
	b.hub.Faults.Clear()
	b.hub.ClearRequests()
	b.faults(fault.Rule{Match: fault.Match{Host: fault.CDN, Method: "PUT", Path: "/2$", Count: 1}, Do: fault.Do{LosePart: 2}})
	parts := strings.Repeat("0123456789abcde\n", 200_000)
	b.must(b.commit(add("big.bin", parts)))
	b.holds("main", "big.bin", parts)
	if n := b.count("PUT", "/lfs-part/"); n != 5 {
		t.Errorf("%d parts were sent", n)
	}
	for _, do := range []fault.Do{{ETagMissing: true}, {Status: 503}, {ExpireSignedURLs: true}} {
		b.hub.Faults.Clear()
		b.faults(fault.Rule{Match: fault.Match{Host: fault.CDN, Method: "PUT", Count: 1}, Do: do})
		parts += "more"
		b.must(b.commit(add("big.bin", parts)))
		b.holds("main", "big.bin", parts)
	}
}

// Acceptance check 20.
func TestCheck20_MissingPath(t *testing.T) {
	b := newBench(t)
	if _, err := b.commit(add("a.txt", "a"), commit.Delete{Path: "zz"}); !errors.Is(err, wire.EntryNotFound) {
		t.Errorf("error %v", err)
	}
	if _, err := b.read("main", "a.txt"); err == nil || len(b.commits()) != 1 {
		t.Error("a part of the commit is visible")
	}
}

func TestCardWithBadMetadata(t *testing.T) {
	b := newBench(t)
	_, err := b.commit(add("README.md", "---\nlicense: [1\n---\n"))
	if !errors.Is(err, wire.Invalid) || b.count("POST", "/preupload/") != 0 {
		t.Errorf("error %v", err)
	}
}

// Acceptance check 23: pull requests from commits are open, from discussions
// drafts; a draft is not merged.
func TestCheck23_PullRequests(t *testing.T) {
	b := newBench(t)
	api, r := discussion.New(b.conn(bob)), discussion.Repo{ID: repo}
	req := commit.Request{Target: commit.Target{Repo: repo}, Operations: []commit.Operation{add("pr.txt", "pr"), add("pr.bin", strings.Repeat("x", 100))}, Summary: "A change", CreatePR: true}
	b.faults(fault.Rule{Match: on("/commit/main"), Do: fault.Do{Status: 500}}) // nothing was done: made again
	made := b.must(commit.New(b.conn(alice), commit.Options{}).Commit(t.Context(), req))
	if made.PullRequest != 1 || made.PullRequestURL != b.hub.URL()+"/"+repo+"/discussions/1" {
		t.Fatalf("result %+v", made)
	}
	d, err := api.Details(t.Context(), r, 1, true)
	if err != nil || d.Status != discussion.Open || !d.IsPullRequest || d.Title != "A change" || !strings.Contains(d.Diff, "pr.txt") {
		t.Fatalf("%+v, %v", d, err)
	}
	if n := len(slices.DeleteFunc(d.Events, func(e discussion.Event) bool { return e.Type != "commit" })); n != 1 {
		t.Errorf("%d commit events", n)
	}
	b.holds("refs/pr/1", "pr.txt", "pr")
	if _, err := b.read("main", "pr.txt"); err == nil {
		t.Error("the change is on main")
	}
	// A second commit goes to the branch of the pull request.
	more := req
	more.CreatePR, more.Revision, more.Operations = false, "refs/pr/1", []commit.Operation{add("more.txt", "more")}
	b.must(commit.New(b.conn(bob), commit.Options{}).Commit(t.Context(), more))
	if err := api.Merge(t.Context(), r, 1, "thanks"); err != nil {
		t.Fatal(err)
	}
	b.holds("main", "pr.txt", "pr")
	b.holds("main", "more.txt", "more")
	if d, err = api.Details(t.Context(), r, 1, false); err != nil || d.Status != discussion.Merged {
		t.Errorf("%+v, %v", d, err)
	}

	draft, err := api.Create(t.Context(), r, discussion.Draw{Title: "Draft", Description: "soon", PullRequest: true})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := api.Details(t.Context(), r, draft.Num, false); err != nil || d.Status != discussion.Draft {
		t.Errorf("%+v, %v", d, err)
	}
	if err := api.Merge(t.Context(), r, draft.Num, ""); err == nil {
		t.Error("a draft was merged")
	}
	more.Revision = "refs/pr/2"
	more.Operations = []commit.Operation{add("late.txt", "late")}
	b.must(commit.New(b.conn(bob), commit.Options{}).Commit(t.Context(), more))
	if _, err := api.SetStatus(t.Context(), r, draft.Num, discussion.Open, ""); err != nil {
		t.Fatal(err)
	}
	if err := api.Merge(t.Context(), r, draft.Num, ""); err != nil {
		t.Fatal(err)
	}
	b.holds("main", "late.txt", "late")
}

// A pull request whose answer got lost is found, once.
func TestLostPullRequest(t *testing.T) {
	b := newBench(t)
	rule, err := fault.Parse([]byte(`{"match":{"path":"/commit/main","count":1},"do":{"applyThenFail":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	b.faults(rule...)
	r := b.must(commit.New(b.conn(bob), commit.Options{}).Commit(t.Context(), commit.Request{
		Target: commit.Target{Repo: repo}, Operations: []commit.Operation{add("a.txt", "a")}, Summary: "A change", CreatePR: true,
	}))
	n := 0
	for _, err := range discussion.New(b.conn(bob)).List(t.Context(), discussion.Repo{ID: repo}, discussion.Filter{Type: "pull_request"}) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 || r.PullRequest != 1 || !r.Found {
		t.Errorf("%d pull requests, result %+v", n, r)
	}
}

// browser is a client that shows redirects instead of following them.
func (b *bench) browser() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
