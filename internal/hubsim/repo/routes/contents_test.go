package routes_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Acceptance check 2: a private repository is unknown to anonymous callers, and
// the answer says so in a header.
func TestCheck2_AnonymousOnPrivateRepo(t *testing.T) {
	b := start(t, "")
	b.create("m1", object{"visibility": "private"})
	for _, path := range []string{
		"/api/models/bob/m1/tree/main", "/api/models/bob/none/refs", "/bob/m1/resolve/main/README.md",
		"/bob/m1/raw/main/README.md", "/api/resolve-cache/models/bob/m1/" + strings.Repeat("0", 40) + "/x",
	} {
		r := b.must(401, "", "GET", path, nil)
		if r.code() != "RepoNotFound" || r.Header.Get("X-Error-Message") != "Invalid username or password." {
			t.Errorf("%s: headers %v", path, r.Header)
		}
		if want := `{"error":"Invalid username or password."}`; string(r.body) != want {
			t.Errorf("%s: body %s, want %s", path, r.body, want)
		}
		if r := b.must(404, "hf_alice", "GET", path, nil); r.code() != "RepoNotFound" {
			t.Errorf("%s as alice: headers %v", path, r.Header)
		}
	}
	b.must(200, "hf_bob_read", "GET", "/api/models/bob/m1/tree/main", nil)
}

// Acceptance check 21: paths as form and as JSON give equal answers; what is
// missing is absent.
func TestCheck21_PathsInfoFormAndJSON(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	b.commit("bob/m1", "file", file("a/b.txt", "hello\n"), "file", file("big.bin", "x"))
	const path = "/api/models/bob/m1/paths-info/main"
	for _, expand := range []string{"false", "true"} {
		form := url.Values{"paths": {"a", "missing", "a/b.txt", "big.bin"}, "expand": {expand}}.Encode()
		f := b.must(200, "hf_bob", "POST", path, []byte(form), "Content-Type", "application/x-www-form-urlencoded")
		j := b.must(200, "hf_bob", "POST", path, object{"paths": []string{"a", "missing", "a/b.txt", "big.bin"}, "expand": expand == "true"})
		if diff := cmp.Diff(string(f.body), string(j.body)); diff != "" {
			t.Error(diff)
		}
		items := into[[]object](t, j)
		if len(items) != 3 || items[1]["oid"] != "ce013625030ba8dba906f756967f9e9ca394464a" {
			t.Errorf("items: %s", j.body)
		}
		if _, ok := items[1]["lastCommit"]; ok != (expand == "true") {
			t.Errorf("expand=%s: %s", expand, j.body)
		}
	}
	many := url.Values{"paths": make([]string, 1001)}.Encode()
	b.must(413, "hf_bob", "POST", path, []byte(many), "Content-Type", "application/x-www-form-urlencoded")
	b.must(413, "hf_bob", "POST", path, object{"paths": make([]string, 2001)})
	if r := b.must(200, "hf_bob", "POST", path, object{"paths": []string{}}); string(r.body) != "[]" {
		t.Errorf("no paths: %s", r.body)
	}
}

// Acceptance check 22: names with slashes work encoded and raw, in tree,
// resolve and branch calls.
func TestCheck22_SlashesInRevisions(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	r := b.must(200, "hf_bob", "POST", "/api/models/bob/m1/commit/main?create_pr=1", lines("pr", "file", file("d/pr.txt", "pr")))
	if got := into[object](t, r)["pullRequestUrl"]; got != b.hub.URL+"/bob/m1/discussions/1" {
		t.Errorf("pullRequestUrl is %v", got)
	}
	b.must(200, "hf_bob", "POST", "/api/models/bob/m1/branch/feat%2Fx", object{"startingPoint": "refs/pr/1"})
	b.must(200, "hf_bob", "POST", "/api/models/bob/m1/branch/feat/y", nil)
	b.must(200, "hf_bob", "POST", "/api/models/bob/m1/commit/feat/y", lines("y", "file", file("d/pr.txt", "y")))
	for rev, text := range map[string]string{
		"refs%2Fpr%2F1": "pr", "refs/pr/1": "pr", "feat%2Fx": "pr", "feat/x": "pr", "refs%2fheads%2Ffeat%2Fy": "y", "feat/y": "y",
	} {
		for _, p := range []string{"d/pr.txt", "d%2Fpr.txt"} {
			b.must(200, "hf_bob", "GET", "/api/models/bob/m1/tree/"+rev+"/"+p, nil)
			r := b.must(307, "hf_bob", "GET", "/bob/m1/resolve/"+rev+"/"+p, nil)
			if r := b.must(200, "hf_bob", "GET", r.Header.Get("Location"), nil); string(r.body) != text {
				t.Errorf("%s/%s: %q", rev, p, r.body)
			}
		}
		if items := into[[]object](t, b.must(200, "hf_bob", "GET", "/api/models/bob/m1/tree/"+rev+"?recursive=true", nil)); len(items) != 3 {
			t.Errorf("%s: %v", rev, items)
		}
		b.must(200, "hf_bob", "GET", "/api/models/bob/m1/commits/"+rev, nil)
		b.must(200, "hf_bob", "POST", "/api/models/bob/m1/paths-info/"+rev, object{"paths": []string{"d"}})
	}
	b.must(404, "hf_bob", "GET", "/bob/m1/resolve/main/d/pr.txt", nil)
	b.must(200, "hf_bob", "DELETE", "/api/models/bob/m1/branch/feat/x", nil)
	b.must(200, "hf_bob", "DELETE", "/api/models/bob/m1/branch/feat%2Fy", nil)
	for _, rev := range []string{"feat/x", "nope", "refs/pr/2", "0000000", strings.Repeat("0", 40)} {
		r := b.must(404, "hf_bob", "GET", "/api/models/bob/m1/tree/"+url.PathEscape(rev), nil)
		if r.code() != "RevisionNotFound" || r.Header.Get("X-Error-Message") != "Invalid rev id: "+rev {
			t.Errorf("%s: %v", rev, r.Header)
		}
	}
}

func TestTreePagesAndOrder(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	var more []any
	for i := range 120 {
		more = append(more, "file", file(fmt.Sprintf("d%d/f%d.txt", i%7, i), "x"))
	}
	b.commit("bob/m1", append(more, "file", file("d1-x", "sorts between"))...)
	for _, expand := range []string{"false", "true"} {
		next := b.hub.URL + "/api/models/bob/m1/tree/main?recursive=true&limit=40&expand=" + expand
		var paths []string
		for pages := 0; next != ""; pages++ {
			if pages > 5 {
				t.Fatal("the pages do not end")
			}
			r := b.must(200, "", "GET", next, nil)
			for _, it := range into[[]object](t, r) {
				paths = append(paths, it["path"].(string))
			}
			link := r.Header.Get("Link")
			next, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
			if link != "" && !strings.HasSuffix(link, `>; rel="next"`) {
				t.Errorf("link %q", link)
			}
		}
		if len(paths) != 120+7+1+1 { // files, folders, d1-x, .gitattributes
			t.Errorf("expand=%s: %d entries", expand, len(paths))
		}
	}
	r := b.must(404, "", "GET", "/api/models/bob/m1/tree/main/zzz", nil)
	if r.code() != "EntryNotFound" || len(r.Header.Get("X-Repo-Commit")) != 40 {
		t.Errorf("headers %v", r.Header)
	}
	if r := b.must(200, "", "GET", "/api/models/bob/m1/treesize/main/d0", nil); into[object](t, r)["size"] != 18.0 {
		t.Errorf("treesize %s", r.body)
	}
}

func TestCommitsAreListedNewestFirst(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	one := b.commit("bob/m1", "file", file("a", "1"))
	two := b.commit("bob/m1", "file", file("a", "2 <b>"))
	r := b.must(200, "", "GET", "/api/models/bob/m1/commits/main?limit=1&expand[]=formatted", nil)
	if r.Header.Get("X-Total-Count") != "3" || !strings.Contains(r.Header.Get("Link"), "limit=1&p=1>") {
		t.Errorf("headers %v", r.Header)
	}
	got := into[[]object](t, r)
	want := []object{{
		"id": two, "title": "change", "message": "", "date": "2026-01-01T00:00:00.000Z",
		"authors":   []any{object{"user": "bob", "avatar": "/avatars/bob.svg"}},
		"formatted": object{"title": "change", "message": ""},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if all := into[[]object](t, b.must(200, "", "GET", "/api/models/bob/m1/commits/"+one[:9], nil)); len(all) != 2 || all[0]["id"] != one {
		t.Errorf("from %s: %v", one, all)
	}
	if r := b.must(200, "", "GET", "/api/models/bob/m1/commits/main?p=9000000000000", nil); string(r.body) != "[]" {
		t.Errorf("far page: %s", r.body)
	}
	diff := b.must(200, "", "GET", "/api/models/bob/m1/compare/"+one+".."+two+"?raw=true", nil)
	if !strings.Contains(string(diff.body), "diff --git a/a b/a\n") || !strings.Contains(string(diff.body), "+2 <b>") {
		t.Errorf("compare: %s", diff.body)
	}
	squashed := into[object](t, b.must(200, "hf_bob", "POST", "/api/models/bob/m1/super-squash/main", object{"message": "one"}))["commitId"]
	after := b.must(200, "", "GET", "/api/models/bob/m1/commits/main", nil)
	if all := into[[]object](t, after); len(all) != 1 || all[0]["id"] != squashed || all[0]["title"] != "one" {
		t.Errorf("after squash: %s", after.body)
	}
	b.must(403, "hf_alice", "POST", "/api/models/bob/m1/super-squash/main", object{})
}

func TestResolve(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	b.commit("bob/m1", "file", file("q 1.txt", "0123456789"))
	blob := strings.Repeat("weights ", 1000)
	sha := b.upload("bob/m1", blob)
	oid := b.commit("bob/m1", "lfsFile", object{"path": "big.bin", "algo": "sha256", "oid": sha})
	for _, method := range []string{"HEAD", "GET"} {
		r := b.must(307, "hf_bob", method, "/bob/m1/resolve/main/q%201.txt", nil)
		want := "/api/resolve-cache/models/bob/m1/" + oid + "/q%201.txt?%2Fbob%2Fm1%2Fresolve%2Fmain%2Fq%25201.txt=&etag=%22ad47100442e6e65e45e3efa3dcabc7f36f346d41%22"
		etag := r.Header.Get("X-Linked-ETag")
		want = want[:strings.Index(want, "&etag=")] + "&etag=" + url.QueryEscape(etag)
		if got := r.Header.Get("Location"); got != want || r.Header.Get("X-Repo-Commit") != oid || r.Header.Get("X-Linked-Size") != "10" {
			t.Errorf("%s: location %s, want %s; %v", method, got, want, r.Header)
		}
		r = b.must(200, "hf_bob", method, want, nil)
		if r.Header.Get("ETag") != etag || r.ContentLength != 10 || r.Header.Get("X-Repo-Commit") != oid || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s cached: %v", method, r.Header)
		}
		r = b.must(302, "hf_bob", method, "/bob/m1/resolve/"+oid+"/big.bin", nil)
		if r.Header.Get("X-Linked-ETag") != `"`+sha+`"` || r.Header.Get("X-Linked-Size") != "8000" || !strings.HasPrefix(r.Header.Get("Location"), b.cdn.URL+"/lfs-get/") {
			t.Errorf("%s large: %v", method, r.Header)
		}
		r = b.must(404, "hf_bob", method, "/bob/m1/resolve/main/nope", nil)
		if r.code() != "EntryNotFound" || r.Header.Get("X-Repo-Commit") != oid {
			t.Errorf("%s missing: %v", method, r.Header)
		}
	}
	small := b.send("hf_bob", "GET", "/bob/m1/resolve/main/q%201.txt", nil).Header.Get("Location")
	large := b.send("hf_bob", "GET", "/bob/m1/resolve/main/big.bin", nil).Header.Get("Location")
	for _, c := range []struct{ url, token, whole string }{{small, "hf_bob", "0123456789"}, {large, "", blob}} {
		n := len(c.whole)
		for spec, want := range map[string]string{
			"bytes=2-5": c.whole[2:6], "bytes=4-": c.whole[4:], "bytes=-3": c.whole[n-3:], "bytes=0-0": c.whole[:1],
		} {
			r := b.must(206, c.token, "GET", c.url, nil, "Range", spec)
			if string(r.body) != want || !strings.HasSuffix(r.Header.Get("Content-Range"), fmt.Sprintf("/%d", n)) {
				t.Errorf("%s: %d bytes, %v", spec, len(r.body), r.Header)
			}
		}
		r := b.must(416, c.token, "GET", c.url, nil, "Range", fmt.Sprintf("bytes=%d-", n))
		if r.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", n) || string(r.body) != `{"error":"Range Not Satisfiable"}` {
			t.Errorf("416: %v %s", r.Header, r.body)
		}
	}
	if r := b.must(200, "hf_bob", "GET", "/bob/m1/raw/main/big.bin", nil); !strings.HasPrefix(string(r.body), "version https://git-lfs") {
		t.Errorf("raw: %s", r.body)
	}
	b.must(200, "hf_bob", "HEAD", "/bob/m1/raw/main/q%201.txt", nil)
	b.must(404, "hf_bob", "HEAD", "/bob/m1/raw/main/zz", nil)
	b.must(400, "hf_bob", "GET", "/api/resolve-cache/models/bob/m1/main/q%201.txt", nil)
}

func TestOtherNamesRedirect(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	b.create("d", object{"type": "dataset"})
	b.commit("bob/m1", "file", file("q.txt", "q"))
	b.must(200, "hf_bob", "POST", "/api/repos/move", object{"fromRepo": "bob/m1", "toRepo": "acme/M2", "type": "model"})
	for from, to := range map[string]string{
		"/api/models/bob/m1/tree/refs%2Fheads%2Fmain?recursive=1": "/api/models/acme/M2/tree/refs%2Fheads%2Fmain?recursive=1",
		"/bob/m1/resolve/main/q.txt":                              "/acme/M2/resolve/main/q.txt",
		"/Acme/m2/resolve/main/q.txt":                             "/acme/M2/resolve/main/q.txt",
		"/api/datasets/bob/D/refs":                                "/api/datasets/bob/d/refs",
		"/datasets/BOB/d/raw/main/.gitattributes":                 "/datasets/bob/d/raw/main/.gitattributes",
	} {
		r := b.must(307, "hf_bob", "GET", from, nil)
		if got := r.Header.Get("Location"); got != to {
			t.Errorf("%s leads to %s, want %s", from, got, to)
		}
		if r := b.send("hf_bob", "GET", to, nil); r.StatusCode != 200 && r.StatusCode != 307 {
			t.Errorf("%s: %d", to, r.StatusCode)
		}
	}
	r := b.must(307, "hf_bob", "POST", "/bob/m1.git/info/lfs/objects/batch", object{"operation": "upload"})
	if got := r.Header.Get("Location"); got != "/acme/M2.git/info/lfs/objects/batch" {
		t.Errorf("batch leads to %s", got)
	}
	b.create("other", nil)
	r = b.must(409, "hf_bob", "POST", "/api/repos/move", object{"fromRepo": "acme/M2", "toRepo": "bob/other"})
	if got := string(r.body); got != `{"error":"A model repository called bob/other already exists"}` {
		t.Errorf("move: %s", got)
	}
	b.must(403, "hf_alice", "POST", "/api/repos/move", object{"fromRepo": "acme/M2", "toRepo": "alice/m2"})
	b.must(404, "hf_bob", "DELETE", "/api/repos/delete", object{"name": "m1", "organization": "bob"})
	b.create("m1", nil) // the name is free again
	b.must(200, "hf_bob", "GET", "/api/models/bob/m1/refs", nil)
}

func TestPagesThatAreNoFiles(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	for _, path := range []string{"/bob/m1", "/bob/m1/settings", "/datasets/bob/m1", "/bob/m1.git/info/refs"} {
		r := b.send("hf_bob", "GET", path, nil)
		if r.StatusCode != http.StatusNotFound || r.code() != "" {
			t.Errorf("%s: %d %v", path, r.StatusCode, r.Header)
		}
	}
}
