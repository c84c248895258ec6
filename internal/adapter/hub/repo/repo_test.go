package repo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

const commit = "403adf5c8b48aecc6b4e5d3bfc402587153a707a"

var m1 = repo.Ref{Type: wire.Model, ID: "bob/m1"}

// asked is what a server got: "METHOD path?query body".
type asked struct {
	mu  sync.Mutex
	all []string
}

func (a *asked) add(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	text := r.Method + " " + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		text += "?" + r.URL.RawQuery
	}
	if len(body) > 0 {
		text += " " + string(body)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, text)
	return text
}

func serve(t *testing.T, h func(w http.ResponseWriter, request string, try int)) (*repo.API, *asked) {
	t.Helper()
	n, seen := hubtest.New(t), &asked{}
	n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
		text := seen.add(r)
		h(w, text, len(seen.all))
	})
	c, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub, Token: "hf_x"})
	if err != nil {
		t.Fatal(err)
	}
	return repo.New(c), seen
}

// always answers with one body.
func always(body string) func(http.ResponseWriter, string, int) {
	return func(w http.ResponseWriter, _ string, _ int) { io.WriteString(w, body) }
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func plain(t *testing.T, data []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Acceptance check 37: members nobody knows survive decoding and encoding; so
// does all else.
func TestCheck37_InfoRoundTrip(t *testing.T) {
	var all []json.RawMessage
	for _, name := range []string{"model-info.json", "model-info-blobs.json", "space-info.json"} {
		all = append(all, fixture(t, name))
	}
	var lists []json.RawMessage
	if err := json.Unmarshal(fixture(t, "models-list.json"), &lists); err != nil {
		t.Fatal(err)
	}
	var datasets map[string]json.RawMessage
	if err := json.Unmarshal(fixture(t, "dataset-info.json"), &datasets); err != nil {
		t.Fatal(err)
	}
	all = append(append(all, lists...), datasets["withCard"], datasets["noCard"],
		[]byte(`{"id":"a/b","gated":"manual","brandNew":{"deep":[1,2.50,null]},"createdAt":"2026-01-01T00:00:00.000Z"}`))
	for _, data := range all {
		var in repo.Info
		if err := json.Unmarshal(data, &in); err != nil {
			t.Fatalf("%v: %.200s", err, data)
		}
		out, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain(t, data), plain(t, out)); diff != "" {
			t.Errorf("%s changed:\n%s", in.ID, diff)
		}
	}
	var in repo.Info
	if err := json.Unmarshal(all[0], &in); err != nil {
		t.Fatal(err)
	}
	if string(in.Extra["usedStorage"]) != "" || in.UsedStorage != 55582996143 || !strings.Contains(string(in.Extra["safetensors"]), "27781427952") {
		t.Errorf("extra %v", in.Extra)
	}
	in.Likes, in.Gated, in.Extra["mine"] = 49, "auto", json.RawMessage(`true`)
	out, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	got := plain(t, out).(map[string]any)
	if got["likes"] != 49.0 || got["gated"] != "auto" || got["mine"] != true || got["createdAt"] != "2026-05-07T23:25:30.000Z" {
		t.Errorf("changes are lost: %s", out)
	}
}

func TestQuestions(t *testing.T) {
	ctx := t.Context()
	var a *repo.API
	drain := func(n int, err error) error { return err }
	for name, k := range map[string]struct {
		ask    func() error
		answer string
		want   string
	}{
		"info": {func() error { _, err := a.Info(ctx, m1, repo.InfoOptions{Blobs: true}); return err }, `{}`, "GET /api/models/bob/m1?blobs=true"},
		"info at": {func() error {
			_, err := a.Info(ctx, m1, repo.InfoOptions{Revision: "refs/pr/1", Expand: []string{"sha", "likes"}})
			return err
		}, `{}`, "GET /api/models/bob/m1/revision/refs%2Fpr%2F1?expand=sha&expand=likes"},
		"list": {func() error {
			return drain(count(a.List(ctx, wire.Dataset, repo.ListOptions{Search: []string{"a", "b"}, Filter: []string{"language:en"}, Author: "acme", Sort: "downloads", Limit: 5, Full: true})))
		}, `[]`, "GET /api/datasets?author=acme&direction=-1&filter=language%3Aen&full=true&limit=5&search=a&search=b&sort=downloads"},
		"tree": {func() error {
			return drain(count(a.Tree(ctx, m1, "feat/x", repo.TreeOptions{Path: "a/b c/", Recursive: true})))
		}, `[]`, "GET /api/models/bob/m1/tree/feat%2Fx/a%2Fb%20c?expand=false&recursive=true"},
		"paths":   {func() error { _, err := a.Paths(ctx, m1, "main", []string{"x", "y"}, false); return err }, `[]`, `POST /api/models/bob/m1/paths-info/main {"expand":false,"paths":["x","y"]}`},
		"refs":    {func() error { _, err := a.Refs(ctx, m1, true); return err }, `{}`, "GET /api/models/bob/m1/refs?include_prs=1"},
		"commits": {func() error { return drain(count(a.Commits(ctx, m1, "main", 3))) }, `[]`, "GET /api/models/bob/m1/commits/main?limit=3"},
		"compare": {func() error { _, err := a.Compare(ctx, m1, "main", "refs/pr/1", true); return err }, `diff`, "GET /api/models/bob/m1/compare/main..refs%2Fpr%2F1?raw=true"},
		"size":    {func() error { _, err := a.Size(ctx, m1, "main", "a/b"); return err }, `{}`, "GET /api/models/bob/m1/treesize/main/a%2Fb"},
		"raw": {func() error {
			_, err := a.Raw(ctx, repo.Ref{Type: wire.Space, ID: "bob/sp"}, "feat/x", "a/b.py")
			return err
		}, `x`, "GET /spaces/bob/sp/raw/feat%2Fx/a/b.py"},
		"may write":  {func() error { return a.AuthCheck(ctx, m1, true) }, ``, "GET /api/models/bob/m1/auth-check/write"},
		"likers":     {func() error { return drain(count(a.Likers(ctx, m1))) }, `[]`, "GET /api/models/bob/m1/likers"},
		"likes":      {func() error { return drain(count(a.Likes(ctx, "bob"))) }, `[]`, "GET /api/users/bob/likes"},
		"unlike":     {func() error { return a.Unlike(ctx, m1) }, ``, "DELETE /api/models/bob/m1/like"},
		"spaces":     {func() error { _, err := a.SearchSpaces(ctx, "remove noise", "gradio", true); return err }, `[]`, "GET /api/spaces/semantic-search?includeNonRunning=true&q=remove+noise&sdk=gradio"},
		"quick":      {func() error { _, err := a.QuickSearch(ctx, "q", "model", 3); return err }, `{}`, "GET /api/quicksearch?limit=3&q=q&type=model"},
		"trending":   {func() error { _, err := a.Trending(ctx, "", 0); return err }, `{}`, "GET /api/trending"},
		"tags":       {func() error { _, err := a.Tags(ctx, wire.Dataset); return err }, `{}`, "GET /api/datasets-tags-by-type"},
		"stored":     {func() error { return drain(count(a.StoredFiles(ctx, m1))) }, `[]`, "GET /api/models/bob/m1/lfs-files"},
		"no stored":  {func() error { return a.DeleteStored(ctx, m1, []string{"abc"}, true) }, ``, `POST /api/models/bob/m1/lfs-files/batch {"deletions":{"rewriteHistory":true,"sha":["abc"]}}`},
		"delete":     {func() error { return a.Delete(ctx, repo.Ref{Type: wire.Space, ID: "bob/sp"}) }, `OK`, `DELETE /api/repos/delete {"name":"sp","organization":"bob","type":"space"}`},
		"delete own": {func() error { return a.Delete(ctx, repo.Ref{Type: wire.Model, ID: "m1"}) }, `OK`, `DELETE /api/repos/delete {"name":"m1","organization":null}`},
		"move":       {func() error { return a.Move(ctx, m1, "acme/m2") }, ``, `POST /api/repos/move {"fromRepo":"bob/m1","toRepo":"acme/m2","type":"model"}`},
		"not gated":  {func() error { _, err := a.Configure(ctx, m1, repo.Settings{Gated: new(repo.Gated)}); return err }, `{}`, `PUT /api/models/bob/m1/settings {"gated":false}`},
		"branch": {func() error {
			return a.CreateBranch(ctx, m1, repo.BranchSpec{Name: "feat/x", From: commit, Overwrite: true})
		}, ``, `POST /api/models/bob/m1/branch/feat%2Fx {"overwrite":true,"startingPoint":"` + commit + `"}`},
		"no branch": {func() error { return a.DeleteBranch(ctx, m1, "feat/x") }, ``, "DELETE /api/models/bob/m1/branch/feat%2Fx"},
		"tag":       {func() error { return a.CreateTag(ctx, m1, "v1", "", "first") }, ``, `POST /api/models/bob/m1/tag/main {"message":"first","tag":"v1"}`},
		"no tag":    {func() error { return a.DeleteTag(ctx, m1, "v1") }, ``, "DELETE /api/models/bob/m1/tag/v1"},
		"squash":    {func() error { _, err := a.Squash(ctx, m1, "main", "one"); return err }, `{"commitId":"x"}`, `POST /api/models/bob/m1/super-squash/main {"message":"one"}`},
		"access":    {func() error { _, err := a.AccessRequests(ctx, m1, "pending"); return err }, `[]`, "GET /api/models/bob/m1/user-access-request/pending"},
		"handle":    {func() error { return a.HandleAccess(ctx, m1, "eve", "rejected", "no") }, ``, `POST /api/models/bob/m1/user-access-request/handle {"rejectionReason":"no","status":"rejected","user":"eve"}`},
		"grant":     {func() error { return a.GrantAccess(ctx, m1, "eve") }, ``, `POST /api/models/bob/m1/user-access-request/grant {"user":"eve"}`},
	} {
		var seen *asked
		a, seen = serve(t, always(k.answer))
		if err := k.ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(seen.all) != 1 || seen.all[0] != k.want {
			t.Errorf("%s asked\n%s, want\n%s", name, strings.Join(seen.all, "\n"), k.want)
		}
	}
}

func count[T any](all func(func(T, error) bool)) (n int, err error) {
	all(func(_ T, e error) bool {
		n++
		err = e
		return true
	})
	return n, err
}

// Acceptance check 36: nothing is asked with a name that could lead elsewhere.
func TestCheck36_NothingIsAskedWithBadNames(t *testing.T) {
	a, seen := serve(t, always(`{}`))
	ctx := t.Context()
	bad := repo.Ref{Type: wire.Model, ID: "x/../../settings"}
	for field, err := range map[string]error{
		"repo_id":     second(a.Info(ctx, bad, repo.InfoOptions{})),
		"repo_id ":    a.Delete(ctx, repo.Ref{Type: wire.Model, ID: "a/b/c"}),
		"repo_type":   a.Delete(ctx, repo.Ref{Type: "bucket", ID: "a/b"}),
		"path":        second(count(a.Tree(ctx, m1, "main", repo.TreeOptions{Path: "../x"}))),
		"path ":       second(a.ReadRange(ctx, m1, "main", "../x", 0, 1)),
		"paths[1]":    second(a.Paths(ctx, m1, "main", []string{"x", ".."}, false)),
		"branch":      a.CreateBranch(ctx, m1, repo.BranchSpec{Name: "a..b"}),
		"tag":         a.CreateTag(ctx, m1, "a b", "", ""),
		"revision":    second(count(a.Commits(ctx, m1, "a..b", 1))),
		"user":        second(count(a.Likes(ctx, "../bob"))),
		"to":          a.Move(ctx, m1, "m2"),
		"visibility":  second(a.Configure(ctx, m1, repo.Settings{Visibility: "protected"})),
		"status":      second(a.AccessRequests(ctx, m1, "../x")),
		"sdk":         second(a.Create(ctx, repo.CreateSpec{Ref: repo.Ref{Type: wire.Space, ID: "bob/sp"}})),
		"secrets":     second(a.Create(ctx, repo.CreateSpec{Ref: repo.Ref{Type: wire.Space, ID: "bob/sp"}, SDK: "static", Space: repo.SpaceSpec{Secrets: []repo.Setting{{Key: "a b"}}}})),
		"length":      second(a.ReadRange(ctx, m1, "main", "x", 0, 0)),
		"description": second(a.Create(ctx, repo.CreateSpec{Ref: m1, ShortDescription: strings.Repeat("x", 61)})),
	} {
		if !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), strings.TrimSpace(field)) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if len(seen.all) != 0 {
		t.Errorf("asked %q", seen.all)
	}
}

func second[T any](_ T, err error) error { return err }

// Acceptance check 21, the client's half: JSON goes out, and a path that does
// not exist is absent.
func TestCheck21_PathsInfo(t *testing.T) {
	var shapes struct{ Plain, Expand []json.RawMessage }
	if err := json.Unmarshal(fixture(t, "tree.json"), &shapes); err != nil {
		t.Fatal(err)
	}
	items := map[string]json.RawMessage{}
	for _, raw := range shapes.Expand {
		var e struct{ Path string }
		json.Unmarshal(raw, &e)
		items[e.Path] = raw
	}
	a, seen := serve(t, func(w http.ResponseWriter, request string, _ int) {
		var in struct{ Paths []string }
		_, body, _ := strings.Cut(request, " {")
		if err := json.Unmarshal([]byte("{"+body), &in); err != nil {
			w.WriteHeader(400)
			return
		}
		out := []json.RawMessage{}
		for _, p := range in.Paths {
			if raw, ok := items[p]; ok {
				out = append(out, raw)
			}
		}
		json.NewEncoder(w).Encode(out)
	})
	paths := make([]string, 2500)
	for i := range paths {
		paths[i] = "missing" + strconv.Itoa(i)
	}
	paths[0], paths[2400], paths[2401] = "big.bin", "a", "README.md"
	got, err := a.Paths(t.Context(), m1, "main", paths, true)
	if err != nil || len(got) != 3 || len(seen.all) != 2 {
		t.Fatalf("%d entries in %d requests, %v", len(got), len(seen.all), err)
	}
	if got[0].LFS == nil || got[0].LFS.OID[:6] != "50e721" || !got[1].Dir() || got[2].Last.ID != commit || !strings.Contains(string(got[2].Security), "safe") {
		t.Errorf("%+v", got)
	}
}

// Acceptance check 22, the client's half: revisions with slashes are one
// segment wherever they go.
func TestCheck22_RevisionsWithSlashes(t *testing.T) {
	for _, rev := range []string{"refs/pr/1", "feat/x"} {
		a, seen := serve(t, func(w http.ResponseWriter, request string, _ int) {
			if strings.Contains(request, "/tree/") {
				io.WriteString(w, "[]")
			}
		})
		count(a.Tree(t.Context(), m1, rev, repo.TreeOptions{}))
		a.ReadRange(t.Context(), m1, rev, "a/b", 0, 1)
		a.CreateBranch(t.Context(), m1, repo.BranchSpec{Name: rev})
		for _, request := range seen.all {
			if strings.Count(request, wire.Escape(rev)) != 1 || strings.Contains(request, rev) {
				t.Errorf("%s: %s", rev, request)
			}
		}
	}
}

func TestRecordedLists(t *testing.T) {
	list := fixture(t, "models-list.json")
	a, _ := serve(t, func(w http.ResponseWriter, _ string, _ int) { w.Write(list) })
	n := 0
	for in, err := range a.List(t.Context(), wire.Model, repo.ListOptions{Limit: 2}) {
		if err != nil || in.ID == "" || in.Modified.IsZero() || len(in.Siblings) == 0 {
			t.Errorf("%+v, %v", in, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d of 2", n)
	}
	refs := fixture(t, "refs.json")
	a, _ = serve(t, func(w http.ResponseWriter, _ string, _ int) { w.Write(refs) })
	r, err := a.Refs(t.Context(), m1, true)
	if err != nil || len(r.Branches) != 2 || r.Pulls[0].Ref != "refs/pr/1" || r.Tags[0].Target != commit || len(r.Converts) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	var commits struct {
		Headers map[string]string
		Body    json.RawMessage
	}
	if err := json.Unmarshal(fixture(t, "commits.json"), &commits); err != nil {
		t.Fatal(err)
	}
	a, _ = serve(t, func(w http.ResponseWriter, request string, _ int) {
		if !strings.Contains(request, "p=1") {
			w.Header().Set("X-Total-Count", commits.Headers["X-Total-Count"])
			w.Header().Set("Link", strings.ReplaceAll(commits.Headers["Link"], "https://huggingface.co", hubtest.Hub))
		}
		w.Write(commits.Body)
	})
	if n, err := count(a.Commits(t.Context(), m1, "main", 0)); n != 2 || err != nil {
		t.Errorf("%d commits, %v", n, err)
	}
	if n, err := a.CountCommits(t.Context(), m1, "main"); n != 2 || err != nil {
		t.Errorf("%d counted, %v", n, err)
	}
}

// errorOf answers with a failure as the Hub words it.
func errorOf(w http.ResponseWriter, status int, code, text string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q,"url":%q}`, text, hubtest.Hub+"/bob/m1")
}

func TestCreate(t *testing.T) {
	const made = `{"url":"` + hubtest.Hub + `/bob/m1","name":"bob/m1","id":"66aa00000000000000000001"}`
	exists := func(w http.ResponseWriter) { errorOf(w, 409, "", "You already created this model repo") }
	for name, k := range map[string]struct {
		create func(w http.ResponseWriter, try int)
		kind   wire.Kind
		tries  int
		after  time.Duration
	}{
		"at once": {func(w http.ResponseWriter, _ int) { io.WriteString(w, made) }, "", 1, 0},
		"another operation is in the way": {func(w http.ResponseWriter, try int) {
			if try < 3 {
				errorOf(w, 409, "", "Cannot create repo: another conflicting operation is in progress")
				return
			}
			io.WriteString(w, made)
		}, "", 3, 3 * time.Second},
		"applied, then cut": {func(w http.ResponseWriter, try int) {
			if try == 1 {
				panic(http.ErrAbortHandler)
			}
			exists(w)
		}, "", 2, time.Second},
		"trouble, then made": {func(w http.ResponseWriter, try int) {
			if try == 1 {
				w.WriteHeader(502)
				return
			}
			io.WriteString(w, made)
		}, "", 2, time.Second},
		"it exists":       {func(w http.ResponseWriter, _ int) { exists(w) }, wire.Conflict, 1, 0},
		"not allowed":     {func(w http.ResponseWriter, _ int) { errorOf(w, 403, "", "no rights") }, wire.Forbidden, 1, 0},
		"endless trouble": {func(w http.ResponseWriter, _ int) { w.WriteHeader(500) }, wire.Server, 5, 15 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			a, seen := serve(t, func(w http.ResponseWriter, request string, _ int) {
				if strings.HasPrefix(request, "GET") {
					io.WriteString(w, `{"id":"bob/m1"}`)
					return
				}
				tries++
				k.create(w, tries)
			})
			start := time.Now()
			got, err := a.Create(t.Context(), repo.CreateSpec{Ref: m1, Visibility: "private"})
			if wire.KindOf(err) != k.kind || tries != k.tries || time.Since(start) != k.after {
				t.Errorf("%s: %v after %d tries and %s", name, err, tries, time.Since(start))
			}
			if err == nil && (got.Name != "bob/m1" || got.URL != hubtest.Hub+"/bob/m1") {
				t.Errorf("%s: %+v", name, got)
			}
			if want := `POST /api/repos/create {"name":"m1","organization":"bob","visibility":"private"}`; seen.all[0] != want {
				t.Errorf("%s: %s", name, seen.all[0])
			}
		})
	}
	a, _ := serve(t, func(w http.ResponseWriter, _ string, _ int) { exists(w) })
	if got, err := a.Ensure(t.Context(), repo.CreateSpec{Ref: m1}); err != nil || got.URL != hubtest.Hub+"/bob/m1" {
		t.Errorf("ensure: %+v, %v", got, err)
	}
}

func TestCreateSpace(t *testing.T) {
	a, seen := serve(t, always(`{"url":"u","name":"bob/sp","id":"1"}`))
	if _, err := a.Create(t.Context(), repo.CreateSpec{
		Ref: repo.Ref{Type: wire.Space, ID: "bob/sp"}, SDK: "docker", ShortDescription: "s",
		Space: repo.SpaceSpec{Hardware: "cpu-basic", SleepSeconds: -1, Secrets: []repo.Setting{{Key: "K", Value: "v"}}},
	}); err != nil {
		t.Fatal(err)
	}
	want := `POST /api/repos/create {"name":"sp","organization":"bob","type":"space","sdk":"docker","short_description":"s","hardware":"cpu-basic","sleepTimeSeconds":-1,"secrets":[{"key":"K","value":"v"}]}`
	if seen.all[0] != want {
		t.Error(seen.all[0])
	}
}

// A copy may be hidden for a while: 8 s are waited for, more than a minute is
// not.
func TestDuplicateIsWaitedFor(t *testing.T) {
	for _, hidden := range []time.Duration{8 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			a, seen := serve(t, func(w http.ResponseWriter, request string, _ int) {
				switch {
				case strings.HasPrefix(request, "POST"):
					io.WriteString(w, `{"url":"u"}`)
				case time.Since(start) < hidden:
					errorOf(w, 404, "RepoNotFound", "Repository not found")
				default:
					io.WriteString(w, `{}`)
				}
			})
			_, err := a.Duplicate(t.Context(), repo.Ref{Type: wire.Space, ID: "acme/tpl"}, repo.DuplicateSpec{To: "bob/sp", Visibility: "private"})
			took := time.Since(start)
			if hidden < time.Minute && (err != nil || took > 16*time.Second) {
				t.Errorf("%v after %s", err, took)
			}
			if hidden > time.Minute && (!errors.Is(err, wire.RepoNotFound) || took < time.Minute || took > 61*time.Second) {
				t.Errorf("%v after %s", err, took)
			}
			if want := `POST /api/spaces/acme/tpl/duplicate {"repository":"bob/sp","visibility":"private"}`; seen.all[0] != want {
				t.Error(seen.all[0])
			}
		})
	}
}

// A move that ends in trouble may have happened: the new id decides.
func TestMoveIsLookedAt(t *testing.T) {
	for _, moved := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			a, seen := serve(t, func(w http.ResponseWriter, request string, _ int) {
				switch {
				case strings.HasPrefix(request, "POST"):
					w.WriteHeader(504)
				case moved && time.Since(start) > 5*time.Second:
					io.WriteString(w, `{}`)
				default:
					errorOf(w, 404, "RepoNotFound", "Repository not found")
				}
			})
			err := a.Move(t.Context(), m1, "acme/m2")
			if (err == nil) != moved || !moved && !errors.Is(err, wire.Server) {
				t.Errorf("moved %v: %v", moved, err)
			}
			posts := slices.DeleteFunc(slices.Clone(seen.all), func(s string) bool { return !strings.HasPrefix(s, "POST") })
			if len(posts) != 1 {
				t.Errorf("moved %d times", len(posts))
			}
		})
	}
}

func TestDeleteAfterAnUnclearEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, seen := serve(t, func(w http.ResponseWriter, _ string, try int) {
			if try == 1 {
				panic(http.ErrAbortHandler)
			}
			errorOf(w, 404, "RepoNotFound", "Repository not found")
		})
		if err := a.Delete(t.Context(), m1); err != nil || len(seen.all) != 2 {
			t.Errorf("%v after %d requests", err, len(seen.all))
		}
		if err := a.Delete(t.Context(), m1); !errors.Is(err, wire.RepoNotFound) {
			t.Errorf("what was never there: %v", err)
		}
	})
}

func TestReadRange(t *testing.T) {
	const text = "0123456789"
	for name, k := range map[string]struct {
		offset, length int64
		answer         func(w http.ResponseWriter, request string, try int)
		want           repo.Part
		kind           wire.Kind
	}{
		"a piece":          {2, 3, ranged, repo.Part{Data: []byte("234"), Offset: 2, Size: 10, Commit: commit}, ""},
		"beyond the end":   {8, 100, ranged, repo.Part{Data: []byte("89"), Offset: 8, Size: 10, Commit: commit}, ""},
		"after the end":    {10, 5, ranged, repo.Part{Offset: 10, Size: 10, Commit: commit}, ""},
		"the end":          {-4, 4, ranged, repo.Part{Data: []byte("6789"), Offset: 6, Size: 10, Commit: commit}, ""},
		"ranges unknown":   {2, 3, whole, repo.Part{Data: []byte("234"), Offset: 2, Size: 10}, ""},
		"the end of those": {-4, 4, whole, repo.Part{Data: []byte("6789"), Offset: 6, Size: 10}, ""},
		"another range": {2, 3, func(w http.ResponseWriter, _ string, _ int) {
			w.Header().Set("Content-Range", "bytes 3-5/10")
			w.WriteHeader(206)
			io.WriteString(w, text[3:6])
		}, repo.Part{}, wire.Unexpected},
		"cut once": {2, 3, func(w http.ResponseWriter, request string, try int) {
			if try == 1 {
				w.Header().Set("Content-Length", "3")
				w.Header().Set("Content-Range", "bytes 2-4/10")
				w.WriteHeader(206)
				io.WriteString(w, "2")
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			ranged(w, request, try)
		}, repo.Part{Data: []byte("234"), Offset: 2, Size: 10, Commit: commit}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := hubtest.New(t)
			try := 0
			n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
				try++
				k.answer(w, r.Header.Get("Range"), try)
			})
			c, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub})
			if err != nil {
				t.Fatal(err)
			}
			got, err := repo.New(c).ReadRange(t.Context(), m1, "main", "a.txt", k.offset, k.length)
			if wire.KindOf(err) != k.kind {
				t.Fatalf("%s: %v", name, err)
			}
			if len(got.Data) == 0 {
				got.Data = nil
			}
			if diff := cmp.Diff(k.want, got); err == nil && diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}

func whole(w http.ResponseWriter, _ string, _ int) { io.WriteString(w, "0123456789") }

func ranged(w http.ResponseWriter, want string, _ int) {
	const text = "0123456789"
	var from, to int
	w.Header().Set("X-Repo-Commit", commit)
	if n, _ := fmt.Sscanf(want, "bytes=-%d", &from); n == 1 {
		from, to = len(text)-from, len(text)-1
	} else {
		fmt.Sscanf(want, "bytes=%d-%d", &from, &to)
	}
	if from >= len(text) {
		w.Header().Set("Content-Range", "bytes */10")
		w.WriteHeader(416)
		return
	}
	to = min(to, len(text)-1)
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/10", from, to))
	w.WriteHeader(206)
	io.WriteString(w, text[from:to+1])
}

func TestValidateCard(t *testing.T) {
	a, seen := serve(t, func(w http.ResponseWriter, _ string, _ int) {
		w.WriteHeader(400)
		io.WriteString(w, `{"errors":[{"message":"\"license\" must be a string"}],"warnings":[]}`)
	})
	v, err := a.ValidateCard(t.Context(), wire.Model, "---\nlicense: 1\n---\n")
	if err != nil || len(v.Errors) != 1 || v.Errors[0].Message != `"license" must be a string` {
		t.Errorf("%+v, %v: %s", v, err, seen.all)
	}
}

func TestExists(t *testing.T) {
	a, _ := serve(t, func(w http.ResponseWriter, _ string, _ int) { errorOf(w, 404, "RepoNotFound", "Repository not found") })
	if ok, err := a.Exists(context.Background(), m1); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	a, _ = serve(t, func(w http.ResponseWriter, _ string, _ int) { errorOf(w, 403, "", "no") })
	if ok, err := a.Exists(context.Background(), m1); ok || err == nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func FuzzInfo(f *testing.F) {
	f.Add([]byte(`{"id":"a","gated":false,"x":[1],"cardData":{"a":null},"lastModified":"2026-01-01T00:00:00.000Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var in repo.Info
		if json.Unmarshal(data, &in) != nil {
			return
		}
		out, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var a, b map[string]json.RawMessage
		if json.Unmarshal(data, &a) != nil || json.Unmarshal(out, &b) != nil {
			t.Fatalf("%s became %s", data, out)
		}
		for name := range a {
			if _, ok := b[name]; !ok {
				t.Errorf("%q is lost: %s", name, out)
			}
		}
	})
}
