package routes_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

type batchObject struct {
	OID     string
	Size    int64
	Actions map[string]struct {
		Href   string
		Header map[string]string
	}
	Error *struct{ Code int }
}

type batchAnswer struct {
	Transfer string
	Objects  []batchObject
}

const lfsType = "application/vnd.git-lfs+json"

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

func (b *bench) batch(id string, objects ...object) batchAnswer {
	b.t.Helper()
	r := b.must(200, "hf_bob", "POST", "/"+id+".git/info/lfs/objects/batch", object{
		"operation": "upload", "transfers": []string{"basic", "multipart", "xet"}, "hash_algo": "sha_256", "objects": objects,
	}, "Accept", lfsType, "Content-Type", lfsType)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), lfsType) {
		b.t.Errorf("batch answers %s", r.Header.Get("Content-Type"))
	}
	return into[batchAnswer](b.t, r)
}

// upload brings a content to the store, without committing it.
func (b *bench) upload(id, text string) string {
	b.t.Helper()
	sha := sum(text)
	got := b.batch(id, object{"oid": sha, "size": len(text)}).Objects[0]
	up, ok := got.Actions["upload"]
	if !ok {
		return sha
	}
	if up.Header["chunk_size"] == "" {
		b.must(200, "", "PUT", up.Href, []byte(text))
	} else {
		b.must(200, "", "POST", up.Href, b.parts(up.Header, sha, text))
	}
	b.must(200, "hf_bob", "POST", got.Actions["verify"].Href, object{"oid": sha, "size": len(text)})
	return sha
}

// parts sends all parts and returns the body of the completion.
func (b *bench) parts(header map[string]string, sha, text string) object {
	b.t.Helper()
	chunk, err := strconv.Atoi(header["chunk_size"])
	if err != nil {
		b.t.Fatal(err)
	}
	var done []object
	for n := 1; n*chunk < len(text)+chunk; n++ {
		r := b.must(200, "", "PUT", header[fmt.Sprintf("%05d", n)], []byte(text[(n-1)*chunk:min(n*chunk, len(text))]))
		done = append(done, object{"partNumber": n, "etag": r.Header.Get("ETag")})
	}
	return object{"oid": sha, "parts": done}
}

// Acceptance check 18: an empty file is a regular one, and is committed as such.
func TestCheck18_EmptyFile(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	r := b.must(200, "hf_bob", "POST", "/api/models/bob/m1/preupload/main", object{"files": []object{
		{"path": "empty.bin", "size": 0, "sample": ""}, {"path": "w.bin", "size": 1, "sample": "AA=="},
	}})
	files := into[struct{ Files []object }](t, r).Files
	if files[0]["uploadMode"] != "regular" || files[1]["uploadMode"] != "lfs" {
		t.Errorf("preupload: %s", r.body)
	}
	b.commit("bob/m1", "file", file("empty.bin", ""))
	r = b.must(200, "hf_bob", "POST", "/api/models/bob/m1/paths-info/main", object{"paths": []string{"empty.bin"}})
	want := `[{"type":"file","oid":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391","size":0,"path":"empty.bin"}]`
	if string(r.body) != want {
		t.Errorf("got %s, want %s", r.body, want)
	}
	loc := b.must(307, "hf_bob", "GET", "/bob/m1/resolve/main/empty.bin", nil).Header.Get("Location")
	if r := b.must(200, "hf_bob", "GET", loc, nil, "Range", "bytes=0-0"); len(r.body) != 0 {
		t.Errorf("content %q", r.body)
	}
}

// zeros are n bytes nobody keeps.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

// Acceptance check 19, the server's side: large contents go through, whole and
// in parts and back again, without being held in memory; a regular file of a
// few MiB is one line.
func TestCheck19_LargeContentsStream(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	const size = 192 << 20
	h := sha256.New()
	if _, err := io.Copy(h, &zeros{size}); err != nil {
		t.Fatal(err)
	}
	sha := hex.EncodeToString(h.Sum(nil))
	r := b.must(200, "hf_bob", "POST", "/bob/m1.git/info/lfs/objects/batch", object{
		"operation": "upload", "objects": []object{{"oid": sha, "size": size}},
	})
	up := into[batchAnswer](t, r).Objects[0].Actions["upload"]
	if up.Header["chunk_size"] != "" {
		t.Fatal("in parts without being asked for")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	req, err := http.NewRequestWithContext(t.Context(), "PUT", up.Href, &zeros{size})
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("PUT: %v %v", res, err)
	}
	_ = res.Body.Close()
	runtime.ReadMemStats(&after)
	used := after.TotalAlloc - before.TotalAlloc
	b.commit("bob/m1", "file", file("three.txt", strings.Repeat("x", 3<<20)), "lfsFile", object{"path": "huge.bin", "algo": "sha256", "oid": sha, "size": size})
	loc := b.must(302, "hf_bob", "GET", "/bob/m1/resolve/main/huge.bin", nil).Header.Get("Location")
	runtime.ReadMemStats(&before)
	if res, err = http.Get(loc); err != nil {
		t.Fatal(err)
	}
	back := sha256.New()
	n, err := io.Copy(back, res.Body)
	_ = res.Body.Close()
	if err != nil || n != size || hex.EncodeToString(back.Sum(nil)) != sha {
		t.Errorf("download: %d bytes, %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if used += after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d MiB were allocated for %d MiB of content", used>>20, size>>20)
	}
}

// Acceptance check 20: one missing path, and nothing of the commit is applied.
func TestCheck20_DeletingWhatIsMissing(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	head := b.commit("bob/m1", "file", file("a/b.txt", "hello\n"))
	for key, text := range map[string]string{
		"deletedFile": "A file with this name doesn't exist", "deletedEntry": "A file with this name doesn't exist",
		"deletedFolder": "A folder with this name doesn't exist",
	} {
		r := b.must(404, "hf_bob", "POST", "/api/models/bob/m1/commit/main",
			lines("x", "file", file("new.txt", "new"), "deletedFile", object{"path": "a/b.txt"}, key, object{"path": "zz"}))
		if r.code() != "EntryNotFound" || string(r.body) != `{"error":"`+text+`"}` {
			t.Errorf("%s: %v %s", key, r.Header, r.body)
		}
	}
	r := b.must(200, "hf_bob", "GET", "/api/models/bob/m1/tree/main?recursive=true", nil)
	if items := into[[]object](t, r); len(items) != 3 {
		t.Errorf("tree: %s", r.body)
	}
	commits := b.must(200, "hf_bob", "GET", "/api/models/bob/m1/commits/main", nil)
	if all := into[[]object](t, commits); len(all) != 2 || all[0]["id"] != head {
		t.Errorf("commits: %s", commits.body)
	}
}

// Acceptance check 23, the commit's side: a pull request that comes with a
// commit leaves main alone and can be added to by its author.
func TestCheck23_PullRequestWithCommit(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	before := b.must(200, "", "GET", "/api/models/bob/m1/refs", nil)
	b.must(200, "hf_alice", "POST", "/api/models/bob/m1/preupload/main?create_pr=1", object{"files": []object{{"path": "p", "size": 1}}})
	r := b.must(200, "hf_alice", "POST", "/api/models/bob/m1/commit/main?create_pr=1", lines("pr", "file", file("p.txt", "p")))
	made := into[struct{ CommitOid, CommitUrl, PullRequestUrl, HookOutput string }](t, r)
	if made.PullRequestUrl != b.hub.URL+"/bob/m1/discussions/1" || made.CommitUrl != b.hub.URL+"/bob/m1/commit/"+made.CommitOid {
		t.Errorf("answer: %s", r.body)
	}
	b.must(200, "hf_alice", "POST", "/api/models/bob/m1/commit/refs%2Fpr%2F1", lines("more", "file", file("q.txt", "q")))
	after := b.must(200, "", "GET", "/api/models/bob/m1/refs", nil)
	if diff := cmp.Diff(string(before.body), string(after.body)); diff != "" {
		t.Error(diff)
	}
	with := into[map[string][]object](t, b.must(200, "", "GET", "/api/models/bob/m1/refs?include_prs=1", nil))
	if prs := with["pullRequests"]; len(prs) != 1 || prs[0]["name"] != "1" || prs[0]["ref"] != "refs/pr/1" || prs[0]["targetCommit"] == made.CommitOid {
		t.Errorf("pull requests: %v", prs)
	}
	b.must(403, "hf_alice", "POST", "/api/models/bob/m1/commit/main", lines("x", "file", file("p.txt", "p")))
	b.must(401, "", "POST", "/api/models/bob/m1/commit/main?create_pr=1", lines("x", "file", file("p.txt", "p")))
	for _, rev := range []string{"nope", made.CommitOid} {
		r := b.must(404, "hf_alice", "POST", "/api/models/bob/m1/commit/"+rev+"?create_pr=1", lines("x", "file", file("p.txt", "p")))
		if r.code() != "RevisionNotFound" {
			t.Errorf("%s: %v", rev, r.Header)
		}
	}
	b.must(200, "hf_bob", "PUT", "/api/models/bob/m1/settings", object{"discussionsDisabled": true})
	b.must(403, "hf_alice", "POST", "/api/models/bob/m1/commit/main?create_pr=1", lines("x", "file", file("p.txt", "p")))
}

func TestCommitOperations(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	sha := b.upload("bob/m1", "large")
	old := b.commit("bob/m1", "file", file("a/b.txt", "hello\n"), "file", file("a/c.txt", "c"), "lfsFile", object{"path": "w.bin", "algo": "sha256", "oid": sha})
	b.commit("bob/m1",
		"file", file("q.txt", "first"), "file", file("q.txt", "last wins"),
		"file", object{"path": "u.txt", "content": "ü", "encoding": "utf-8"},
		"lfsFile", object{"path": "copy.bin", "algo": "sha256", "oid": sha},
		"deletedFile", object{"path": "w.bin"},
		"deletedFolder", object{"path": "a/"},
		"file", file("a/new.txt", "after the folder went"),
		"file", object{"path": "moved.txt", "content": "eA==", "encoding": "base64", "oldPath": "q.txt"},
	)
	r := b.must(200, "hf_bob", "GET", "/api/models/bob/m1/tree/main?recursive=true", nil)
	var paths []string
	for _, it := range into[[]object](t, r) {
		paths = append(paths, it["path"].(string))
	}
	if diff := cmp.Diff([]string{".gitattributes", "a", "a/new.txt", "copy.bin", "moved.txt", "u.txt"}, paths); diff != "" {
		t.Error(diff)
	}
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"stale parent": {412, `{"key":"header","value":{"summary":"x","parentCommit":"` + old + `"}}` + "\n" + `{"key":"file","value":{"path":"x","content":""}}`},
		"short parent": {412, `{"key":"header","value":{"summary":"x","parentCommit":"ab"}}` + "\n" + `{"key":"file","value":{"path":"x","content":""}}`},
		"unknown key":  {400, lines("x", "copyFile", object{"path": "x"})},
		"no operation": {400, lines("x")},
		"no header":    {400, `{"key":"file","value":{"path":"x","content":""}}`},
		"no JSON":      {400, "x"},
		"empty":        {400, ""},
		"bad base64":   {400, lines("x", "file", object{"path": "x", "content": "?", "encoding": "base64"})},
		"encoding":     {400, lines("x", "file", object{"path": "x", "content": "?", "encoding": "rot13"})},
		"not stored":   {400, lines("x", "lfsFile", object{"path": "x", "algo": "sha256", "oid": sum("never sent")})},
		"wrong size":   {400, lines("x", "lfsFile", object{"path": "x", "algo": "sha256", "oid": sha, "size": 4})},
		"file and dir": {400, lines("x", "file", file("n", "1"), "file", file("n/m", "2"))},
		"dot dot":      {422, lines("x", "file", file("a/../x", "1"))},
		"absolute":     {422, lines("x", "file", file("/x", "1"))},
		"git folder":   {422, lines("x", "file", file("a/.GIT/x", "1"))},
		"bad card":     {400, lines("x", "file", file("README.md", "---\nlicense: [1]\n---\n"))},
	} {
		if r := b.send("hf_bob", "POST", "/api/models/bob/m1/commit/main", c.body); r.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d: %s", name, r.StatusCode, c.status, r.body)
		}
	}
	r = b.send("hf_bob", "POST", "/api/models/bob/m1/commit/main", lines("x", "file", file("README.md", "---\nlicense: 1\n---\n")))
	if string(r.body) != `{"errors":[{"message":"\"license\" must be a string"}],"warnings":[]}` {
		t.Errorf("card: %s", r.body)
	}
	if r := b.must(200, "", "GET", "/api/models/bob/m1/commits/main", nil); r.Header.Get("X-Total-Count") != "3" {
		t.Errorf("refused commits were made: %s", r.body)
	}
}

// A recorded commit is taken as it is.
func TestRecordedCommit(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), "commit-request.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, "")
	b.create("m1", nil)
	head := b.commit("bob/m1", "file", file("w.bin", "w"), "file", file("a/b.txt", "x"))
	body := strings.ReplaceAll(string(raw), "403adf5c8b48aecc6b4e5d3bfc402587153a707a", head)
	sha := b.upload("bob/m1", "large")
	body = strings.ReplaceAll(body, "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d", sha)
	body = strings.ReplaceAll(body, "31457297", "5")
	b.must(200, "hf_bob", "POST", "/api/models/bob/m1/commit/main", body)
	if items := into[[]object](t, b.must(200, "", "GET", "/api/models/bob/m1/tree/main?recursive=true", nil)); len(items) != 3 {
		t.Errorf("tree: %v", items)
	}
}

func TestPreuploadModes(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	sha := b.upload("bob/m1", "large")
	b.commit("bob/m1", "file", file("a/b.txt", "hello\n"), "lfsFile", object{"path": "w.bin", "algo": "sha256", "oid": sha}, "file", file(".gitignore", "*.tmp\nlogs/\n!keep.tmp\n"))
	ask := func(body object) []object {
		t.Helper()
		return into[struct{ Files []object }](t, b.must(200, "hf_bob", "POST", "/api/models/bob/m1/preupload/main", body)).Files
	}
	got := ask(object{"files": []object{
		{"path": "a/b.txt", "size": 6, "sample": "aGVsbG8K"},
		{"path": "w.bin", "size": 9, "sample": "AA=="},
		{"path": "nul.txt", "size": 3, "sample": "AAAA"},
		{"path": "long.txt", "size": 10<<20 + 1, "sample": "aGk="},
		{"path": "x.tmp", "size": 1},
		{"path": "d/logs/x", "size": 1},
		{"path": "keep.tmp", "size": 1},
	}})
	want := []object{
		{"path": "a/b.txt", "uploadMode": "regular", "shouldIgnore": false, "oid": "ce013625030ba8dba906f756967f9e9ca394464a"},
		{"path": "w.bin", "uploadMode": "lfs", "shouldIgnore": false, "oid": sha},
		{"path": "nul.txt", "uploadMode": "lfs", "shouldIgnore": false},
		{"path": "long.txt", "uploadMode": "lfs", "shouldIgnore": false},
		{"path": "x.tmp", "uploadMode": "regular", "shouldIgnore": true},
		{"path": "d/logs/x", "uploadMode": "regular", "shouldIgnore": true},
		{"path": "keep.tmp", "uploadMode": "regular", "shouldIgnore": false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = ask(object{"files": []object{{"path": "x.tmp", "size": 1}, {"path": "w.bin", "size": 9}}, "gitIgnore": "", "gitAttributes": "*.tmp filter=lfs\n"})
	if got[0]["uploadMode"] != "lfs" || got[0]["shouldIgnore"] != false || got[1]["uploadMode"] != "regular" {
		t.Errorf("own rules: %v", got)
	}
	b.must(413, "hf_bob", "POST", "/api/models/bob/m1/preupload/main", object{"files": make([]object, 1001)})
	b.must(404, "hf_bob", "POST", "/api/models/bob/m1/preupload/nope", object{"files": []object{}})
	b.must(403, "hf_bob_read", "POST", "/api/models/bob/m1/preupload/main", object{"files": []object{}})
}

func TestMultipartUpload(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	text := strings.Repeat("0123456789abcdef", 3<<16) + "the last 17 bytes"
	small := strings.Repeat("x", 50000)
	sha := sum(text)
	got := b.batch("bob/m1", object{"oid": sha, "size": len(text)}, object{"oid": sum(small), "size": len(small)}, object{"oid": "x", "size": 1}, object{"oid": sum("h"), "size": 600_000_000_000})
	if got.Transfer != "multipart" || got.Objects[1].Actions["upload"].Header != nil || got.Objects[2].Error == nil || got.Objects[3].Error.Code != 422 {
		t.Errorf("batch: %+v", got)
	}
	up := got.Objects[0].Actions["upload"]
	if up.Header["chunk_size"] != "1048576" || len(up.Header) != 5 || !strings.HasPrefix(up.Href, b.hub.URL+"/") {
		t.Fatalf("upload: %+v", up)
	}
	// Part 2 gets lost: the completion names it, and it alone has to come again.
	body := b.parts(map[string]string{"chunk_size": "1048576", "00001": up.Header["00001"], "00002": up.Header["00002"], "00003": up.Header["00003"], "00004": up.Header["00004"]}, sha, text)
	parts := body["parts"].([]object)
	lost := slices.Clone(parts)
	lost[1] = object{"partNumber": 2, "etag": `"nobody has this"`}
	r := b.must(400, "", "POST", up.Href, object{"oid": sha, "parts": lost})
	if missing := into[object](t, r)["missingParts"]; !cmp.Equal(missing, []any{2.0}) {
		t.Errorf("completion: %s", r.body)
	}
	// Other bytes in a part are found by the hash, and the right ones heal it.
	wrong := b.must(200, "", "PUT", up.Header["00001"], []byte(strings.Repeat("y", 1<<20)))
	lost = slices.Clone(parts)
	lost[0] = object{"partNumber": 1, "etag": wrong.Header.Get("ETag")}
	b.must(400, "", "POST", up.Href, object{"oid": sha, "parts": lost})
	b.must(404, "hf_bob", "POST", got.Objects[0].Actions["verify"].Href, object{"oid": sha, "size": len(text)})
	again := b.batch("bob/m1", object{"oid": sha, "size": len(text)}).Objects[0].Actions["upload"]
	b.must(200, "", "PUT", again.Header["00001"], []byte(text[:1<<20]))
	b.must(200, "", "POST", again.Href, body)
	b.must(200, "", "POST", again.Href, body) // the answer may have been lost
	b.must(200, "hf_bob", "POST", got.Objects[0].Actions["verify"].Href, object{"oid": sha, "size": len(text)})
	b.must(401, "", "POST", got.Objects[0].Actions["verify"].Href, object{"oid": sha, "size": len(text)})
	if stored := b.batch("bob/m1", object{"oid": sha, "size": len(text)}); stored.Objects[0].Actions != nil {
		t.Errorf("stored already, but: %+v", stored)
	}
	b.commit("bob/m1", "lfsFile", object{"path": "big.bin", "algo": "sha256", "oid": sha})
	loc := b.must(302, "hf_bob", "GET", "/bob/m1/resolve/main/big.bin", nil).Header.Get("Location")
	if r := b.must(200, "", "GET", loc, nil); string(r.body) != text {
		t.Errorf("%d bytes came back, %d went", len(r.body), len(text))
	}
	b.must(400, "", "PUT", b.batch("bob/m1", object{"oid": sum(small), "size": len(small)}).Objects[0].Actions["upload"].Href, []byte(small[1:]+"y"))
}

// A repository cannot name contents of others that were never announced to it.
func TestContentsOfOthers(t *testing.T) {
	b := start(t, "")
	b.create("m1", object{"private": true})
	sha := b.upload("bob/m1", "secret weights")
	b.commit("bob/m1", "lfsFile", object{"path": "w.bin", "algo": "sha256", "oid": sha})
	b.must(200, "hf_alice", "POST", "/api/repos/create", object{"name": "mine"})
	b.must(400, "hf_alice", "POST", "/api/models/alice/mine/commit/main", lines("x", "lfsFile", object{"path": "w.bin", "algo": "sha256", "oid": sha}))
}

func TestSignedAddresses(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	sha := b.upload("bob/m1", "large")
	b.commit("bob/m1", "lfsFile", object{"path": "w.bin", "algo": "sha256", "oid": sha})
	loc := b.must(302, "", "GET", "/bob/m1/resolve/main/w.bin", nil).Header.Get("Location")
	u, err := url.Parse(loc)
	if err != nil {
		t.Fatal(err)
	}
	other := *u
	other.Path = "/lfs-get/" + sum("other")
	later := *u
	q := later.Query()
	q.Set("Expires", "99999999999")
	later.RawQuery = q.Encode()
	bare := *u
	bare.RawQuery = ""
	for name, bad := range map[string]string{"other object": other.String(), "later": later.String(), "unsigned": bare.String()} {
		r := b.must(403, "", "GET", bad, nil)
		if r.Header.Get("Content-Type") != "application/xml" || !strings.Contains(string(r.body), "<Code>SignatureDoesNotMatch</Code>") {
			t.Errorf("%s: %v %s", name, r.Header, r.body)
		}
	}
	b.must(403, "", "PUT", loc, []byte("x")) // another method: no such address
	b.must(400, "hf_bob", "GET", loc, nil)
	b.must(200, "", "HEAD", loc, nil)
	b.clock.Advance(time.Hour)
	if r := b.must(403, "", "GET", loc, nil); !strings.Contains(string(r.body), "Request has expired") {
		t.Errorf("expired: %s", r.body)
	}
}

func TestLargeFilesCanBeDeletedForGood(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	one, two := b.upload("bob/m1", "one"), b.upload("bob/m1", "two two")
	first := b.commit("bob/m1", "lfsFile", object{"path": "one.bin", "algo": "sha256", "oid": one}, "lfsFile", object{"path": "two.bin", "algo": "sha256", "oid": two})
	b.commit("bob/m1", "file", file("x", "x"))
	r := b.must(200, "hf_bob", "GET", "/api/models/bob/m1/lfs-files?limit=1", nil)
	if files := into[[]object](t, r); len(files) != 1 || !strings.Contains(r.Header.Get("Link"), "cursor=") || files[0]["ref"] != "refs/heads/main" {
		t.Errorf("list: %s %v", r.body, r.Header)
	}
	b.must(200, "hf_bob", "DELETE", "/api/models/bob/m1/lfs-files/"+one, nil)
	b.must(404, "hf_bob", "GET", "/bob/m1/resolve/main/one.bin", nil)
	b.must(302, "hf_bob", "GET", "/bob/m1/resolve/main/two.bin", nil)
	b.must(200, "hf_bob", "POST", "/api/models/bob/m1/lfs-files/batch", object{"deletions": object{"sha": []string{two}, "rewriteHistory": true}})
	r = b.must(200, "hf_bob", "GET", "/api/models/bob/m1/tree/main", nil)
	if strings.Contains(string(r.body), "two.bin") {
		t.Errorf("tree: %s", r.body)
	}
	commits := into[[]object](t, b.must(200, "hf_bob", "GET", "/api/models/bob/m1/commits/main", nil))
	if len(commits) != 3 || commits[1]["id"] == first {
		t.Errorf("history was not rewritten: %v", commits)
	}
	b.must(404, "hf_bob", "DELETE", "/api/models/bob/m1/lfs-files/"+two, nil)
}
