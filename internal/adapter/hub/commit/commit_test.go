package commit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/content"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

var m1 = commit.Target{Repo: "bob/m1"}

func add(path, text string) commit.Add { return commit.Add{Path: path, Data: []byte(text)} }

func request(ops ...commit.Operation) commit.Request {
	return commit.Request{Target: m1, Operations: ops, Summary: "our change"}
}

func must(t *testing.T, r commit.Result, err error) commit.Result {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCommitOfEverything(t *testing.T) {
	f := newFake(t, map[string]string{"a/b.txt": "hello\n", "big.bin": "weights", "w.bin": "old", "d/1": "1", "d/2": "2"})
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(
		add("q.txt", "q"), add("new.bin", strings.Repeat("x", 50_000)),
		commit.Delete{Path: "w.bin"}, commit.Delete{Path: "d/", Folder: true},
		commit.Copy{From: "big.bin", Path: "copy.bin"}, commit.Copy{From: "a/b.txt", Path: "c.txt"},
	))
	must(t, r, err)
	want := []string{"header", "deletedFile w.bin", "deletedFolder d", "lfsFile copy.bin", "file q.txt", "lfsFile new.bin", "file c.txt"}
	if diff := cmp.Diff(want, lines(f.bodies["commit"][0])); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	files := slices.Sorted(maps.Keys(f.head().files))
	if diff := cmp.Diff([]string{".gitattributes", "a/b.txt", "big.bin", "c.txt", "copy.bin", "new.bin", "q.txt"}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if f.text("c.txt") != "hello\n" || f.text("copy.bin") != "weights" || r.OID != f.head().id || r.Uploaded != 50_000 ||
		r.URL != f.hub.URL+"/bob/m1/commit/"+r.OID || r.Unchanged || r.Found {
		t.Errorf("result %+v", r)
	}
	if f.count("verify") != 1 || f.count("put") != 1 {
		t.Errorf("%d uploads, %d verified", f.count("put"), f.count("verify"))
	}
}

// Acceptance check 7: the Hub makes the commit and its answer is lost.
func TestCheck07_AnswerLost(t *testing.T) {
	for name, lose := range map[string]func(w http.ResponseWriter){
		"the connection is cut": cut,
		"502":                   func(w http.ResponseWriter) { w.WriteHeader(502) },
		"no JSON":               func(w http.ResponseWriter) { w.Write([]byte("<html>")) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil)
			f.after = func(w http.ResponseWriter, name string, n int) bool {
				if name == "commit" {
					lose(w)
				}
				return name == "commit"
			}
			r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a"), add("b.bin", "b")))
			must(t, r, err)
			if len(f.history) != 2 || r.OID != f.head().id || !r.Found || f.count("commit") != 1 {
				t.Errorf("%d commits, result %+v, want %s", len(f.history), r, f.head().id)
			}
		})
	}
}

// The real commit is reported although another one lies on top of it, over the
// same path.
func TestAnswerLostAndBuriedBelowAnother(t *testing.T) {
	f := newFake(t, nil)
	f.after = func(w http.ResponseWriter, name string, n int) bool {
		if name == "commit" {
			f.mu.Lock()
			f.write("a.txt", "another's")
			f.mu.Unlock()
			cut(w)
		}
		return name == "commit"
	}
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a")))
	must(t, r, err)
	if len(f.history) != 3 || r.OID != f.history[1].id || f.text("a.txt") != "another's" {
		t.Errorf("%d commits, result %+v", len(f.history), r)
	}
}

// A request that was lost before the Hub acted on it is repeated, and a commit
// that is made late is not made twice.
func TestAnswerLostAndNothingDone(t *testing.T) {
	f := newFake(t, nil)
	f.trouble = func(w http.ResponseWriter, _ *http.Request, name string, n int) bool {
		if name == "commit" && n <= 2 {
			w.WriteHeader(500)
			return true
		}
		return false
	}
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a")))
	must(t, r, err)
	if len(f.history) != 2 || r.OID != f.head().id || r.Found || f.count("commit") != 3 || len(f.waits) != 2 {
		t.Errorf("%d commits by %d requests, waits %v, result %+v", len(f.history), f.count("commit"), f.waits, r)
	}

	f = newFake(t, nil)
	f.trouble = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
		if name == "commit" && n == 1 {
			w.WriteHeader(504)
			return true
		}
		if name == "commit" && n == 2 { // the first request is carried out now
			f.mu.Lock()
			files := maps.Clone(f.head().files)
			files["a.txt"] = file{data: []byte("a")}
			f.push("our change", files)
			f.mu.Unlock()
		}
		return false
	}
	r, err = f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a")))
	must(t, r, err)
	if len(f.history) != 2 || r.OID != f.head().id || !r.Found {
		t.Errorf("%d commits, result %+v", len(f.history), r)
	}
}

func TestAnswerLostForever(t *testing.T) {
	f := newFake(t, nil)
	f.trouble = func(w http.ResponseWriter, _ *http.Request, name string, n int) bool {
		if name == "commit" {
			w.WriteHeader(500)
		}
		return name == "commit"
	}
	_, err := f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a")))
	if !errors.Is(err, wire.Server) || f.count("commit") != 4 || len(f.history) != 1 {
		t.Errorf("error %v after %d requests", err, f.count("commit"))
	}
}

// A lost answer to a pull request is found among the pull requests.
func TestAnswerLostToAPullRequest(t *testing.T) {
	for _, applied := range []bool{true, false} {
		f := newFake(t, nil)
		old := maps.Clone(f.head().files)
		old["a.txt"] = file{data: []byte("a")}
		f.pulls = append(f.pulls, f.made("our change", 7, old)) // the same, from an earlier day
		f.after = func(w http.ResponseWriter, name string, n int) bool {
			if name == "commit" && n == 1 {
				cut(w)
			}
			return name == "commit" && n == 1
		}
		if !applied {
			f.after, f.trouble = nil, func(w http.ResponseWriter, _ *http.Request, name string, n int) bool {
				if name == "commit" && n == 1 {
					w.WriteHeader(500)
				}
				return name == "commit" && n == 1
			}
		}
		r := request(add("a.txt", "a"))
		r.CreatePR = true
		got, err := f.api(commit.Options{}).Commit(t.Context(), r)
		must(t, got, err)
		if len(f.pulls) != 2 || len(f.history) != 1 || got.PullRequest != 2 || got.OID != f.pulls[1].id ||
			got.PullRequestURL != f.hub.URL+"/bob/m1/discussions/2" || got.Found != applied {
			t.Errorf("applied %v: %d pull requests, result %+v", applied, len(f.pulls), got)
		}
	}
}

// Acceptance check 8: a refused connection is tried again.
func TestCheck08_RefusedConnection(t *testing.T) {
	f := newFake(t, nil)
	api, refused := f.apiOver(t, func(r *http.Request, n int) bool { return nameOf(r) == "commit" && n == 1 })
	r, err := api.Commit(t.Context(), request(add("a.txt", "a")))
	must(t, r, err)
	if len(f.history) != 2 || r.OID != f.head().id || r.Found || *refused != 1 {
		t.Errorf("%d commits, %d refused, result %+v", len(f.history), *refused, r)
	}
}

// apiOver is an API whose connections are refused as told.
func (f *fake) apiOver(t *testing.T, refuse func(r *http.Request, n int) bool) (*commit.API, *int) {
	seen, refused := map[string]int{}, 0
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		f.mu.Lock()
		seen[nameOf(r)]++
		no := refuse(r, seen[nameOf(r)])
		if no {
			refused++
		}
		f.mu.Unlock()
		if no {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	c, err := wire.New(wire.Options{HTTP: &http.Client{Transport: transport}, Endpoint: f.hub.URL, Token: token, Wait: func(ctx context.Context, _ time.Duration, _ string) error { return ctx.Err() }})
	if err != nil {
		t.Fatal(err)
	}
	return commit.New(c, commit.Options{}), &refused
}

// Acceptance check 9: the branch moves on between the decision and the commit.
func TestCheck09_HeadMoves(t *testing.T) {
	move := func(f *fake, times int, path string) {
		f.trouble = func(_ http.ResponseWriter, _ *http.Request, name string, n int) bool {
			if name == "commit" && n <= times {
				f.mu.Lock()
				f.write(path, fmt.Sprint("another's ", n))
				f.mu.Unlock()
			}
			return false
		}
	}
	t.Run("elsewhere", func(t *testing.T) {
		f := newFake(t, map[string]string{"a.txt": "old"})
		move(f, 3, "elsewhere.txt")
		r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a")))
		must(t, r, err)
		if len(f.history) != 5 || r.OID != f.head().id || f.text("a.txt") != "a" || f.text("elsewhere.txt") != "another's 3" {
			t.Errorf("%d commits, result %+v", len(f.history), r)
		}
	})
	t.Run("again and again", func(t *testing.T) {
		f := newFake(t, nil)
		move(f, 100, "elsewhere.txt")
		_, err := f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a")))
		if !errors.Is(err, wire.HeadMoved) || f.count("commit") != 4 {
			t.Errorf("error %v after %d requests", err, f.count("commit"))
		}
	})
	for name, ops := range map[string][]commit.Operation{
		"a file written":           {add("a.txt", "a"), add("b.txt", "b")},
		"a file deleted":           {commit.Delete{Path: "a.txt"}, add("b.txt", "b")},
		"a file copied":            {commit.Copy{From: "a.txt", Path: "c.txt"}},
		"a file that is there":     {add("a.txt", "old"), add("b.txt", "b")},
		"a folder that is emptied": {commit.Delete{Path: "a.txt/", Folder: true}, add("b.txt", "b")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, map[string]string{"a.txt": "old"})
			move(f, 1, "a.txt")
			_, err := f.api(commit.Options{}).Commit(t.Context(), request(ops...))
			var conflict *commit.Conflict
			if !errors.As(err, &conflict) || !slices.Equal(conflict.Paths, []string{"a.txt"}) || !errors.Is(err, wire.HeadMoved) {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(err.Error(), "a.txt") || f.text("a.txt") != "another's 1" || len(f.history) != 2 {
				t.Errorf("error %v, %d commits", err, len(f.history))
			}
		})
	}
	t.Run("another wrote the same", func(t *testing.T) {
		f := newFake(t, nil)
		f.trouble = func(_ http.ResponseWriter, _ *http.Request, name string, n int) bool {
			if name == "commit" && n == 1 {
				f.mu.Lock()
				f.write("a.txt", "a")
				f.mu.Unlock()
			}
			return false
		}
		r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a")))
		must(t, r, err)
		if !r.Unchanged || r.OID != f.head().id || len(f.history) != 2 {
			t.Errorf("result %+v", r)
		}
	})
	t.Run("since the caller's look", func(t *testing.T) {
		f := newFake(t, map[string]string{"a.txt": "old"})
		r := request(add("a.txt", "a"))
		r.Parent = f.head().id[:8]
		f.write("a.txt", "another's")
		if _, err := f.api(commit.Options{}).Commit(t.Context(), r); !errors.Is(err, wire.HeadMoved) || f.count("commit") != 0 {
			t.Errorf("error %v", err)
		}
		r = request(add("b.txt", "b"))
		r.Parent = f.history[0].id
		got, err := f.api(commit.Options{}).Commit(t.Context(), r)
		if must(t, got, err); f.text("b.txt") != "b" {
			t.Error("not written")
		}
	})
}

// Acceptance check 11: a signed address that is refused is asked for anew.
func TestCheck11_SignedAddressRefused(t *testing.T) {
	f := newFake(t, nil)
	f.trouble = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
		if name == "put" && n == 1 {
			w.WriteHeader(403)
			return true
		}
		return false
	}
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("w.bin", strings.Repeat("w", 50_000))))
	must(t, r, err)
	if f.count("batch") != 2 || f.count("put") != 2 || f.text("w.bin") != strings.Repeat("w", 50_000) || r.Uploaded != 50_000 {
		t.Errorf("%d batches, %d uploads, %+v", f.count("batch"), f.count("put"), r)
	}
}

// Acceptance check 12: parts that the store lost, and only those, come again.
func TestCheck12_LostPart(t *testing.T) {
	f := newFake(t, nil)
	f.partSize = 1 << 20
	f.trouble = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if name == "complete" && n == 1 {
			for _, parts := range f.parts {
				parts[1] = nil
			}
		}
		return false
	}
	data := random(3<<20 + 17)
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(commit.Add{Path: "big.bin", Data: data}))
	must(t, r, err)
	if f.count("part") != 5 || f.count("complete") != 2 || sha([]byte(f.text("big.bin"))) != sha(data) {
		t.Errorf("%d parts sent, %d completions", f.count("part"), f.count("complete"))
	}
}

func TestPartsThatGrowOld(t *testing.T) {
	f := newFake(t, nil)
	f.partSize = 1 << 18
	f.trouble = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
		if name == "part" && n%3 == 0 && n < 20 {
			w.WriteHeader(403)
			return true
		}
		return false
	}
	data := random(3 << 20)
	r, err := f.api(commit.Options{Streams: 1}).Commit(t.Context(), request(commit.Add{Path: "big.bin", Data: data}))
	must(t, r, err)
	if f.count("part") != 12+5 || f.count("batch") != 1+5 || r.Uploaded != 3<<20 {
		t.Errorf("%d parts sent, %d batches, %d bytes", f.count("part"), f.count("batch"), r.Uploaded)
	}
}

func TestVerify(t *testing.T) {
	lose := func(f *fake, times int) {
		f.trouble = func(w http.ResponseWriter, r *http.Request, name string, n int) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			if name == "verify" && n <= times {
				clear(f.stored)
			}
			return false
		}
	}
	f := newFake(t, nil)
	lose(f, 3)
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("w.bin", "w")))
	must(t, r, err)
	if f.count("verify") != 4 || f.count("put") != 2 || f.count("batch") != 2 {
		t.Errorf("%d verified, %d sent, %d batches", f.count("verify"), f.count("put"), f.count("batch"))
	}
	f = newFake(t, nil)
	lose(f, 100)
	_, err = f.api(commit.Options{}).Commit(t.Context(), request(add("w.bin", "w")))
	if err == nil || f.count("verify") != 6 || f.count("put") != 2 || f.count("commit") != 0 {
		t.Errorf("error %v, %d verified, %d sent", err, f.count("verify"), f.count("put"))
	}
}

// Acceptance check 17: what is there already is not sent.
func TestCheck17_Unchanged(t *testing.T) {
	f := newFake(t, map[string]string{"a.txt": "a", "w.bin": "w"})
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a"), add("w.bin", "w")))
	must(t, r, err)
	if !r.Unchanged || r.OID != f.head().id || f.count("commit")+f.count("batch") != 0 || len(f.calls) != 1 {
		t.Errorf("result %+v after %v", r, f.calls)
	}
	if diff := cmp.Diff([]string{"a.txt", "w.bin"}, r.Same); diff != "" {
		t.Errorf("same: %s", diff)
	}
	r, err = f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a"), add("b.txt", "b")))
	must(t, r, err)
	if diff := cmp.Diff([]string{"header", "file b.txt"}, lines(f.bodies["commit"][0])); diff != "" || r.Unchanged {
		t.Errorf("lines: %s", diff)
	}
}

// Acceptance check 18: an empty file is never large.
func TestCheck18_EmptyFile(t *testing.T) {
	f := newFake(t, nil)
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("empty.bin", ""), commit.Add{Path: "empty.txt"}))
	must(t, r, err)
	if f.count("batch") != 0 || !strings.Contains(f.bodies["commit"][0], `{"key":"file","value":{"path":"empty.bin","encoding":"base64","content":""}}`) {
		t.Errorf("body %s", f.bodies["commit"][0])
	}
}

// Acceptance check 20: nothing of a commit with a missing path is visible.
func TestCheck20_DeletedPathIsMissing(t *testing.T) {
	f := newFake(t, nil)
	_, err := f.api(commit.Options{}).Commit(t.Context(), request(add("a.txt", "a"), commit.Delete{Path: "zz"}))
	if !errors.Is(err, wire.EntryNotFound) || len(f.history) != 1 || f.count("commit") != 1 {
		t.Errorf("error %v, %d commits", err, len(f.history))
	}
	_, err = f.api(commit.Options{}).Commit(t.Context(), request(commit.Copy{From: "zz", Path: "b.txt"}))
	if !errors.Is(err, wire.EntryNotFound) || !strings.Contains(err.Error(), "zz") {
		t.Errorf("error %v", err)
	}
}

// Acceptance check 32 of the compute tools: one text and one 20 MiB file.
func TestCheck32_TextAndLargeFile(t *testing.T) {
	f := newFake(t, nil)
	f.partSize = 8 << 20
	name := filepath.Join(t.TempDir(), "big.bin")
	data := random(20 << 20)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var last commit.Progress
	r := request(add("a.txt", "hello\n"), commit.Add{Path: "big.bin", File: name})
	r.Progress = func(p commit.Progress) {
		if p.Stage == "upload" {
			last = p
		}
	}
	got, err := f.api(commit.Options{}).Commit(t.Context(), r)
	must(t, got, err)
	var order []string
	for _, call := range f.calls {
		if name := strings.Split(call, "?")[0]; len(order) == 0 || order[len(order)-1] != name[:strings.LastIndex(name, "/")] {
			order = append(order, name[:strings.LastIndex(name, "/")])
		}
	}
	oid := sha(data)
	want := []string{
		"POST /api/models/bob/m1/preupload", "POST /bob/m1.git/info/lfs/objects", "PUT /part/" + oid, "POST /complete",
		"POST /bob/m1.git/info/lfs/objects", "POST /api/models/bob/m1/commit",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"header", "file a.txt", "lfsFile big.bin"}, lines(f.bodies["commit"][0])); diff != "" || f.count("part") != 3 {
		t.Errorf("%d parts, lines: %s", f.count("part"), diff)
	}
	if last.Done != 20<<20 || last.Total != 20<<20 {
		t.Errorf("last progress %+v", last)
	}
}

// A card that the Hub refuses is found before anything is sent.
func TestCardIsCheckedFirst(t *testing.T) {
	f := newFake(t, nil)
	_, err := f.api(commit.Options{}).Commit(t.Context(), request(add("README.md", "---\nlicense: 1\n---\n")))
	if !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), `"license" must be a string`) || len(f.calls) != 1 {
		t.Errorf("error %v after %v", err, f.calls)
	}
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(add("README.md", "# x"), add("docs/README.md", "---\nlicense: 1\n---\n")))
	must(t, r, err)
	if diff := cmp.Diff([]string{"empty or missing yaml metadata"}, r.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestIgnoredByTheHub(t *testing.T) {
	f := newFake(t, nil)
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(add(".gitignore", "junk.txt\n"), add("junk.txt", "x"), add("a.txt", "a")))
	must(t, r, err)
	if f.text("junk.txt") != "" || !slices.Equal(r.Ignored, []string{"junk.txt"}) || f.text("a.txt") != "a" {
		t.Errorf("result %+v", r)
	}
}

func TestManyFiles(t *testing.T) {
	f := newFake(t, nil)
	var ops []commit.Operation
	for i := range 600 {
		ops = append(ops, add(fmt.Sprintf("f/%03d.txt", i), fmt.Sprint(i)))
	}
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(ops...))
	must(t, r, err)
	if f.count("preupload") != 3 || f.count("commit") != 1 || len(f.head().files) != 601 {
		t.Errorf("%d preuploads, %d commits, %d files", f.count("preupload"), f.count("commit"), len(f.head().files))
	}
}

// A file that changes after it was hashed never becomes part of a commit.
func TestFileThatChanges(t *testing.T) {
	for _, name := range []string{"a.txt", "w.bin"} {
		f := newFake(t, nil)
		local := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(local, []byte("first"), 0o600); err != nil {
			t.Fatal(err)
		}
		f.trouble = func(_ http.ResponseWriter, _ *http.Request, name string, _ int) bool {
			if name == "preupload" {
				os.WriteFile(local, []byte("other"), 0o600)
			}
			return false
		}
		_, err := f.api(commit.Options{}).Commit(t.Context(), request(commit.Add{Path: name, File: local}))
		if !errors.Is(err, content.ErrChanged) || len(f.history) != 1 || len(f.waits) != 0 {
			t.Errorf("%s: error %v, %d commits", name, err, len(f.history))
		}
	}
}

// What cannot be right is refused before any request.
func TestRefusedBeforeAnyRequest(t *testing.T) {
	f := newFake(t, nil)
	long := request(add("a", "a"))
	long.Repo = "a/b/c"
	branch := request(add("a", "a"))
	branch.Revision = "a..b"
	silent := request(add("a", "a"))
	silent.Summary = " "
	parent := request(add("a", "a"))
	parent.Parent = "main"
	for want, r := range map[string]commit.Request{
		"operations[0].path":      request(add("../x", "")),
		"/x":                      request(commit.Delete{Path: "/x"}),
		"a/.git/b":                request(add("a/.git/b", "")),
		"operations[1] changes a": request(add("a", "1"), commit.Delete{Path: "a"}),
		"operations[1] deletes":   request(commit.Delete{Path: "a", Folder: true}, commit.Delete{Path: "a/b"}),
		"a folder":                request(commit.Delete{Path: "a/"}),
		"twice":                   request(commit.Add{Path: "a", File: "/x", Data: []byte("x")}),
		"must not be empty":       request(),
		"repo":                    long,
		"revision":                branch,
		"summary":                 silent,
		"parent":                  parent,
	} {
		if _, err := f.api(commit.Options{}).Commit(t.Context(), r); !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	if len(f.calls) != 0 {
		t.Errorf("requests: %v", f.calls)
	}
}

// What was meant is found on the branch, by whoever asks later.
func TestIntentAndHeld(t *testing.T) {
	f := newFake(t, map[string]string{"old.txt": "x", "big.bin": "weights", "d/1": "1"})
	api := f.api(commit.Options{})
	ops := []commit.Operation{
		add("a.txt", "a"), add("w.bin", "w"),
		commit.Delete{Path: "old.txt"},
		commit.Copy{From: "big.bin", Path: "c.bin"},
		commit.Delete{Path: "d", Folder: true},
		add("d/2", "2"),
	}
	wants, err := api.Intend(t.Context(), m1, ops)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := json.Marshal(wants)
	if err != nil {
		t.Fatal(err)
	}
	wants = nil
	if err := json.Unmarshal(kept, &wants); err != nil {
		t.Fatal(err)
	}
	h, err := api.Held(t.Context(), m1, wants)
	if err != nil || h.All || h.Head != f.head().id || !slices.Equal(h.Differs, []string{"a.txt", "w.bin", "old.txt", "c.bin", "d/2"}) {
		t.Errorf("before: %+v, %v", h, err)
	}
	r, err := api.Commit(t.Context(), request(ops...))
	must(t, r, err)
	if h, err = api.Held(t.Context(), m1, wants); err != nil || !h.All || h.Head != r.OID {
		t.Errorf("after: %+v, %v", h, err)
	}
}

// Whoever gives up while the commit is under way learns whether it was made.
func TestGivenUpWhileCommitting(t *testing.T) {
	f := newFake(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	f.after = func(w http.ResponseWriter, name string, n int) bool {
		if name == "commit" {
			cancel()
			cut(w)
		}
		return name == "commit"
	}
	r, err := f.api(commit.Options{}).Commit(ctx, request(add("a.txt", "a")))
	must(t, r, err)
	if !r.Found || r.OID != f.head().id {
		t.Errorf("result %+v", r)
	}
}

func TestUploadFolder(t *testing.T) {
	f := newFake(t, map[string]string{"up/old.bin": "old", "up/keep.txt": "keep", "other.bin": "other", "up/b.bin": "b"})
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "a", "sub/c.txt": "c", "b.bin": "b", "skip.log": "x", ".git/config": "x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	r, err := f.api(commit.Options{}).Upload(t.Context(), commit.Folder{
		Request: commit.Request{Target: m1, Summary: "folder"}, Dir: dir, Into: "up", Ignore: []string{"*.log"}, Delete: []string{"*.bin"},
	})
	must(t, r, err)
	want := []string{".gitattributes", "other.bin", "up/a.txt", "up/b.bin", "up/keep.txt", "up/sub/c.txt"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(f.head().files))); diff != "" || len(f.history) != 2 {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if !slices.Equal(r.Skipped, []string{"link.txt"}) || !slices.Equal(r.Same, []string{"up/b.bin"}) {
		t.Errorf("result %+v", r)
	}
	_, err = f.api(commit.Options{}).Upload(t.Context(), commit.Folder{Request: commit.Request{Target: m1, Summary: "x"}, Dir: t.TempDir()})
	if !errors.Is(err, wire.Invalid) {
		t.Errorf("error %v", err)
	}
}

type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func random(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		b.WriteString(sha(fmt.Append(nil, i)))
	}
	return b.Bytes()[:n]
}
