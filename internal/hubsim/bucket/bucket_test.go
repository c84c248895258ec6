package bucket_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/bucket"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const (
	bob   = simtest.BobWrite
	alice = simtest.AliceWrite
)

type m = map[string]any

const weights = "the weights of a model"

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func hub(t *testing.T, dir string) (*simtest.Server, *bucket.Area) {
	t.Helper()
	c := clock.New(clock.Options{})
	t.Cleanup(c.Stop)
	book := simtest.Book(c)
	a, err := bucket.New(bucket.Options{
		Clock: c, Accounts: book, Dir: dir,
		Source: func(_ context.Context, kind, id, sha string) (io.ReadCloser, error) {
			if sha == sum(weights) && (id == "" || kind == "model" && id == "bob/m1") {
				return io.NopCloser(strings.NewReader(weights)), nil
			}
			return nil, errors.New("not there")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	mux := http.NewServeMux()
	a.Routes(mux)
	return &simtest.Server{TB: t, Book: book, Handler: mux}, a
}

// as is the context of a caller.
func as(s *simtest.Server, token string) context.Context {
	c, ok := s.Book.Authenticate(token)
	if !ok {
		s.Fatalf("token %q", token)
	}
	return account.With(context.Background(), c)
}

func TestLifeOfABucket(t *testing.T) {
	s, _ := hub(t, t.TempDir())
	r := s.Must(200, bob, "POST", "/api/buckets/me/bk", m{"private": true})
	s.Equal(r.At("url"), any("http://hub.test/buckets/bob/bk"))
	simtest.SameKeys(t, r.Body, simtest.Fixture(t, "bucket.json", "create"))
	again := s.Must(409, bob, "POST", "/api/buckets/bob/BK", m{})
	s.Equal(again.Text("url"), "http://hub.test/buckets/bob/BK")

	r = s.Must(200, bob, "GET", "/api/buckets/bob/bk", nil)
	simtest.SameKeys(t, r.Body, simtest.Fixture(t, "bucket.json", "info"))
	s.Equal([]any{r.At("size"), r.At("totalFiles"), r.At("private")}, []any{0.0, 0.0, true})

	anonymous := s.Must(401, "", "GET", "/api/buckets/bob/bk", nil)
	hidden := s.Must(404, alice, "GET", "/api/buckets/bob/bk", nil)
	for _, r := range []simtest.Reply{anonymous, hidden} {
		s.Equal(r.Header.Get("X-Error-Code"), "RepoNotFound")
	}
	s.Must(200, bob, "PUT", "/api/buckets/bob/bk/settings", m{"private": false})
	s.Must(200, alice, "GET", "/api/buckets/bob/bk", nil)
	s.Must(403, alice, "PUT", "/api/buckets/bob/bk/settings", m{"private": true})
	s.Must(403, alice, "DELETE", "/api/buckets/bob/bk", nil)
	s.Must(403, simtest.BobFine, "DELETE", "/api/buckets/bob/bk", nil)
	s.Must(307, alice, "GET", "/api/buckets/Bob/bk/tree?recursive=true", nil)
	s.Must(200, bob, "DELETE", "/api/buckets/bob/bk", nil)
	s.Must(404, bob, "GET", "/api/buckets/bob/bk", nil)

	s.Must(403, alice, "POST", "/api/buckets/bob/x", m{})
	s.Must(403, alice, "POST", "/api/buckets/acme/x", m{})
	s.Must(401, "", "POST", "/api/buckets/bob/x", m{})
	s.Must(400, bob, "POST", "/api/buckets/bob/a..b", m{})
}

func TestListsOfBuckets(t *testing.T) {
	s, _ := hub(t, t.TempDir())
	for _, name := range []string{"logs-b", "data", "logs-a"} {
		s.Must(200, bob, "POST", "/api/buckets/bob/"+name, m{"private": name == "data"})
	}
	s.Must(200, bob, "POST", "/api/buckets/acme/logs-c", m{})
	ids := func(token, target string) []any {
		return simtest.Each(s.Must(200, token, "GET", target, nil).Body, "id")
	}
	s.Equal(ids(bob, "/api/buckets/me"), []any{"bob/data", "bob/logs-a", "bob/logs-b"})
	s.Equal(ids(alice, "/api/buckets/bob"), []any{"bob/logs-a", "bob/logs-b"})
	s.Equal(ids("", "/api/buckets/bob?search=B&limit=1"), []any{"bob/logs-b"})
	s.Must(401, "", "GET", "/api/buckets/me", nil)
	if r := s.Must(200, bob, "GET", "/api/buckets/me?limit=2", nil); !strings.Contains(r.Header.Get("Link"), `rel="next"`) {
		t.Error("no link to the third bucket")
	}
}

func TestBatch(t *testing.T) {
	s, _ := hub(t, t.TempDir())
	s.Must(200, bob, "POST", "/api/buckets/bob/bk", m{})
	at := "/api/buckets/bob/bk/batch"
	r := s.Must(200, bob, "POST", at, `{"type":"addFile","path":"a/w.txt","xetHash":"`+sum(weights)+`","mtime":1767225629000,"mtimeNanos":1767225629000000001}
{"type":"copyFile","path":"c.bin","xetHash":"`+sum(weights)+`","sourceRepoType":"model","sourceRepoId":"bob/m1"}
{"type":"deleteFile","path":"never.there"}`)
	s.Equal(r.Body, any(m{"success": true, "processed": 3.0, "succeeded": 3.0, "failed": []any{}}))

	r = s.Must(422, bob, "POST", at, `{"type":"addFile","path":"d","xetHash":"`+sum("unknown")+`"}
{"type":"addFile","path":"../e","xetHash":"`+sum(weights)+`"}
{"type":"addFile","path":"c.bin/f","xetHash":"`+sum(weights)+`"}
{"type":"copyFile","path":"g","xetHash":"`+sum(weights)+`","sourceRepoType":"dataset","sourceRepoId":"bob/m1"}
{"type":"copyFile","path":"h","xetHash":"`+sum(weights)+`","sourceRepoType":"bucket","sourceRepoId":"bob/bk"}
{"type":"deleteFile","path":"c.bin"}
`)
	simtest.SameKeys(t, r.Body, simtest.Fixture(t, "bucket.json", "batch422"))
	s.Equal(simtest.Each(r.At("failed"), "path"), []any{"d", "../e", "c.bin/f", "g"})
	s.Equal(r.At("failed", 0, "error"), any("Xet hash not found"))

	r = s.Must(200, bob, "GET", "/api/buckets/bob/bk/tree", nil)
	s.Equal(simtest.Each(r.Body, "path"), []any{"a", "a/w.txt", "h"})
	want := simtest.Fixture(t, "bucket.json", "tree")
	simtest.SameKeys(t, r.At(0), simtest.At(want, 0))
	simtest.SameKeys(t, r.At(1), simtest.At(want, 1), "mtimeNanos")
	s.Equal(r.At(1, "mtime"), any("2026-01-01T00:00:29.000Z"))
	s.Equal(r.At(1, "xetHash"), any(sum(weights)))

	for _, bad := range []string{
		`nonsense`, `{"type":"eatFile","path":"a"}`, `{"type":"addFile","path":"a"}`, `{"type":"deleteFile"}`,
		`{"type":"copyFile","path":"a","xetHash":"x"}`,
		`{"type":"deleteFile","path":"a"}` + "\n" + `{"type":"addFile","path":"a","xetHash":"x"}`,
	} {
		s.Must(400, bob, "POST", at, bad)
	}
	s.Must(403, alice, "POST", at, `{"type":"deleteFile","path":"h"}`)
	s.Equal(len(s.Must(200, bob, "GET", "/api/buckets/bob/bk/tree", nil).Body.([]any)), 3)
}

func TestLinesOfABatchAreBounded(t *testing.T) {
	s, _ := hub(t, t.TempDir())
	s.Must(200, bob, "POST", "/api/buckets/bob/store", m{})
	line := `{"type":"deleteFile","path":"` + strings.Repeat("x", 1<<20) + "\"}\n"
	s.Must(413, bob, "POST", "/api/buckets/bob/store/batch", line)
}

func TestHashesOfHiddenBucketsAreUnknown(t *testing.T) {
	s, a := hub(t, t.TempDir())
	s.Must(200, bob, "POST", "/api/buckets/bob/secret", m{"private": true})
	s.Must(200, alice, "POST", "/api/buckets/alice/mine", m{})
	if err := a.Put(as(s, bob), "bob/secret", "k", strings.NewReader("key")); err != nil {
		t.Fatal(err)
	}
	s.Must(422, alice, "POST", "/api/buckets/alice/mine/batch", `{"type":"addFile","path":"k","xetHash":"`+sum("key")+`"}`)
	s.Must(200, bob, "POST", "/api/buckets/bob/secret/batch", `{"type":"addFile","path":"k2","xetHash":"`+sum("key")+`"}`)
}

func TestTreeAndPathsInfo(t *testing.T) {
	s, a := hub(t, t.TempDir())
	s.Must(200, bob, "POST", "/api/buckets/bob/bk", m{})
	for _, p := range []string{"z.txt", "a/b/c.json", "a/d.txt", "ab.txt"} {
		if err := a.Put(as(s, bob), "bob/bk", p, strings.NewReader(p)); err != nil {
			t.Fatal(err)
		}
	}
	paths := func(target string) []any {
		return simtest.Each(s.Must(200, alice, "GET", "/api/buckets/bob/bk/tree"+target, nil).Body, "path")
	}
	s.Equal(paths(""), []any{"a", "a/b", "a/b/c.json", "a/d.txt", "ab.txt", "z.txt"})
	s.Equal(paths("?recursive=false"), []any{"a", "ab.txt", "z.txt"})
	s.Equal(paths("/a?recursive=False"), []any{"a/b", "a/d.txt"})
	s.Equal(paths("/a%2Fb"), []any{"a/b/c.json"})
	s.Equal(paths("/a/b"), []any{"a/b/c.json"})
	s.Equal(paths("/none"), []any{})
	s.Equal(paths("?direction=-1&recursive=false"), []any{"z.txt", "ab.txt", "a"})
	s.Equal(paths("?sort=uploadedAt&recursive=false&direction=1"), []any{"z.txt", "a", "ab.txt"})
	s.Equal(paths("?sort=uploadedAt&limit=1"), []any{"ab.txt"})
	s.Must(400, bob, "GET", "/api/buckets/bob/bk/tree?sort=size", nil)
	r := s.Must(200, bob, "POST", "/api/buckets/bob/bk/paths-info", m{"paths": []string{"z.txt", "missing", "a"}})
	s.Equal(simtest.Each(r.Body, "path"), []any{"z.txt"})
	s.Must(400, bob, "POST", "/api/buckets/bob/bk/paths-info", m{"paths": make([]string, 2001)})
}

func TestDownloads(t *testing.T) {
	s, a := hub(t, t.TempDir())
	s.Must(200, bob, "POST", "/api/buckets/bob/bk", m{})
	if err := a.Put(as(s, bob), "bob/bk", "a b/ä.txt", strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	at := "/buckets/bob/bk/resolve/a%20b/%C3%A4.txt"
	r := s.Must(200, alice, "GET", at, nil)
	s.Equal(string(r.Raw), "0123456789")
	s.Equal(r.Header.Get("X-Linked-ETag"), `"`+sum("0123456789")+`"`)
	head := s.Must(200, alice, "HEAD", at, nil)
	s.Equal(head.Header.Get("Content-Length"), "10")
	s.Must(404, alice, "GET", "/buckets/bob/bk/resolve/none", nil)
	for rng, want := range map[string]string{"bytes=2-3": "23", "bytes=7-": "789", "bytes=-1": "9"} {
		req, _ := http.NewRequest("GET", at, nil)
		req.Header.Set("Range", rng)
		w := &recorder{header: http.Header{}}
		s.ServeHTTP(w, req)
		s.Equal(w.body.String(), want)
		s.Equal(w.status, 206)
	}
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

func TestMountedBucketsKeepWhatJobsWrite(t *testing.T) {
	s, a := hub(t, t.TempDir())
	s.Must(200, bob, "POST", "/api/buckets/bob/bk", m{})
	dir, err := a.Dir(as(s, bob), "bob/bk", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Dir(as(s, alice), "bob/bk", true); err == nil {
		t.Error("alice may mount bob's bucket for writing")
	}
	if _, err := a.Dir(as(s, alice), "bob/bk", false); err != nil {
		t.Error(err)
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("out/log.txt", "one")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	r := s.Must(200, bob, "GET", "/api/buckets/bob/bk/tree?recursive=true", nil)
	s.Equal(simtest.Each(r.Body, "path"), []any{"out", "out/log.txt"})
	first := r.Text(1, "uploadedAt")
	s.Equal(s.Must(200, bob, "GET", "/api/buckets/bob/bk/tree", nil).Body, r.Body)
	s.Must(404, bob, "GET", "/buckets/bob/bk/resolve/link", nil)

	write("out/log.txt", "one and two")
	r = s.Must(200, bob, "GET", "/buckets/bob/bk/resolve/out/log.txt", nil)
	s.Equal(string(r.Raw), "one and two")
	if again := s.Must(200, bob, "GET", "/api/buckets/bob/bk/tree", nil).Text(1, "uploadedAt"); again <= first {
		t.Errorf("uploaded at %s, then at %s", first, again)
	}
	if err := os.Remove(filepath.Join(dir, "out/log.txt")); err != nil {
		t.Fatal(err)
	}
	s.Equal(s.Must(200, bob, "GET", "/api/buckets/bob/bk", nil).At("totalFiles"), any(0.0))
}

func TestMoves(t *testing.T) {
	s, a := hub(t, t.TempDir())
	s.Must(200, bob, "POST", "/api/buckets/bob/old", m{})
	s.Must(200, bob, "POST", "/api/buckets/bob/taken", m{})
	if err := a.Move(as(s, bob), "bob/old", "bob/taken"); err == nil {
		t.Error("moved onto another bucket")
	}
	if err := a.Move(as(s, alice), "bob/old", "alice/new"); err == nil {
		t.Error("alice moved bob's bucket")
	}
	if err := a.Move(as(s, bob), "bob/old", "acme/new"); err != nil {
		t.Fatal(err)
	}
	r := s.Must(307, bob, "GET", "/api/buckets/bob/old/tree?limit=3", nil)
	s.Equal(r.Header.Get("Location"), "/api/buckets/acme/new/tree?limit=3")
	s.Must(200, bob, "GET", "/api/buckets/acme/new", nil)
	s.Must(200, bob, "POST", "/api/buckets/bob/old", m{}) // the name is free again
	s.Must(200, bob, "GET", "/api/buckets/bob/old", nil)
}

func TestStateSurvives(t *testing.T) {
	dir := t.TempDir()
	s, a := hub(t, dir)
	s.Must(200, bob, "POST", "/api/buckets/bob/bk", m{"private": true})
	if err := a.Put(as(s, bob), "bob/bk", "f.txt", strings.NewReader("kept")); err != nil {
		t.Fatal(err)
	}
	if err := a.Move(as(s, bob), "bob/bk", "bob/bk2"); err != nil {
		t.Fatal(err)
	}
	before := s.Must(200, bob, "GET", "/api/buckets/bob/bk2/tree", nil)
	raw, err := a.Save()
	if err != nil {
		t.Fatal(err)
	}
	s2, b := hub(t, dir)
	if err := b.Load(raw); err != nil {
		t.Fatal(err)
	}
	s.Equal(s2.Must(200, bob, "GET", "/api/buckets/bob/bk2/tree", nil).Body, before.Body)
	s2.Must(307, bob, "GET", "/api/buckets/bob/bk", nil)
	s2.Must(404, alice, "GET", "/api/buckets/bob/bk2", nil)
	raw2, err := b.Save()
	s.Equal(err, nil)
	s.Equal(string(raw2), string(raw))
}

func TestManyAtOnce(t *testing.T) {
	s, a := hub(t, t.TempDir())
	s.Must(200, bob, "POST", "/api/buckets/bob/bk", m{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := string(rune('a' + i))
			if err := a.Put(as(s, bob), "bob/bk", name, strings.NewReader(name)); err != nil {
				t.Error(err)
			}
			s.Do(bob, "GET", "/api/buckets/bob/bk/tree", nil)
			s.Do(bob, "PUT", "/api/buckets/bob/bk/settings", m{"private": i%2 == 0})
			s.Do(bob, "GET", "/api/buckets/bob", nil)
			if _, err := a.Save(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.Equal(s.Must(200, bob, "GET", "/api/buckets/bob/bk", nil).At("totalFiles"), any(8.0))
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := bucket.New(bucket.Options{}); err == nil {
		t.Error("no error without options")
	}
}
