package routes_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

func TestCreate(t *testing.T) {
	b := start(t, "")
	r := b.must(200, "hf_bob", "POST", "/api/repos/create", object{"name": "m1", "organization": nil, "license": "mit"})
	made := into[map[string]string](t, r)
	if made["url"] != b.hub.URL+"/bob/m1" || made["name"] != "bob/m1" || !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(made["id"]) {
		t.Errorf("answer: %s", r.body)
	}
	items := into[[]object](t, b.must(200, "", "GET", "/api/models/bob/m1/tree/main", nil))
	if len(items) != 2 || items[0]["size"] != 1519.0 || items[1]["path"] != "README.md" {
		t.Errorf("first commit: %v", items)
	}
	if r := b.must(200, "", "GET", "/bob/m1/raw/main/README.md", nil); string(r.body) != "---\nlicense: mit\n---\n" {
		t.Errorf("README: %s", r.body)
	}
	r = b.must(409, "hf_bob", "POST", "/api/repos/create", object{"name": "M1", "type": "model"})
	if want := fmt.Sprintf(`{"error":"You already created this model repo","url":"%s/bob/M1"}`, b.hub.URL); string(r.body) != want {
		t.Errorf("again: %s", r.body)
	}
	for _, c := range []struct {
		token  string
		status int
		body   object
		text   string
	}{
		{"", 401, object{"name": "x"}, "Invalid username or password."},
		{"hf_bob", 403, object{"name": "x", "organization": "acme2"}, `You don't have the rights to create a model under the namespace "acme2"`},
		{"hf_bob_read", 403, object{"name": "x", "type": "dataset"}, `You don't have the rights to create a dataset under the namespace "bob"`},
		{"hf_alice", 403, object{"name": "x", "organization": "acme"}, `You don't have the rights to create a model under the namespace "acme"`},
		{"hf_bob", 400, object{"name": "-x"}, `Invalid repo name: "bob/-x"`},
		{"hf_bob", 400, object{"name": "a..b"}, `Invalid repo name: "bob/a..b"`},
		{"hf_bob", 400, object{"name": "x", "type": "space"}, `"sdk" must be one of [gradio, docker, static]`},
		{"hf_bob", 400, object{"name": "x", "type": "thing"}, `"type" must be one of [model, dataset, space]`},
		{"hf_alice", 402, object{"name": "x", "type": "space", "sdk": "docker"}, ""},
		{"hf_alice", 402, object{"name": "x", "type": "space", "sdk": "gradio"}, ""},
		{"hf_alice", 200, object{"name": "x", "type": "space", "sdk": "static"}, ""},
		{"hf_alice", 200, object{"name": "z1", "type": "space", "sdk": "gradio", "hardware": "zero-a10g"}, ""},
		{"hf_alice", 200, object{"name": "z2", "type": "space", "sdk": "gradio", "hardware": "zero-a10g"}, ""},
		{"hf_alice", 402, object{"name": "z3", "type": "space", "sdk": "gradio", "hardware": "zero-a10g"}, ""},
	} {
		r := b.must(c.status, c.token, "POST", "/api/repos/create", c.body)
		if got, _ := into[object](t, r)["error"].(string); c.text != "" && got != c.text {
			t.Errorf("%v: %s", c.body, got)
		}
	}
	if r := b.must(200, "hf_bob", "DELETE", "/api/repos/delete", object{"name": "m1", "organization": "bob"}); string(r.body) != "OK" {
		t.Errorf("delete: %s", r.body)
	}
	b.must(404, "hf_bob", "DELETE", "/api/repos/delete", object{"name": "m1"})
}

// What a Space is made with reaches those who want to know.
func TestCreateTellsOthers(t *testing.T) {
	b := start(t, "")
	var got repo.CreateSpec
	var events []string
	b.repos.OnCreate(func(_ *repo.Repo, spec repo.CreateSpec) error {
		if spec.Hardware == "a100" {
			return fmt.Errorf("no such hardware")
		}
		got = spec
		return nil
	})
	b.repos.OnCommit(func(r *repo.Repo, ref, _ string) { events = append(events, "commit "+r.ID()+" "+ref) })
	b.repos.OnMove(func(r *repo.Repo, from string) { events = append(events, "move "+from+" "+r.ID()) })
	b.repos.OnDelete(func(r *repo.Repo) { events = append(events, "delete "+r.ID()) })
	b.create("sp", object{
		"type": "space", "sdk": "docker", "hardware": "cpu-basic", "sleepTimeSeconds": 300, "short_description": "d",
		"secrets": []object{{"key": "A", "value": "b"}}, "variables": []object{{"key": "V", "value": "w", "description": "x"}},
		"files": []object{{"path": "Dockerfile", "content": "RlJPTSB4", "encoding": "base64"}},
	})
	if got.SDK != "docker" || *got.SleepTimeSeconds != 300 || got.Secrets[0].Value != "b" || got.Variables[0].Description != "x" {
		t.Errorf("spec: %+v", got)
	}
	if r := b.must(200, "", "GET", "/spaces/bob/sp/raw/main/README.md", nil); !strings.Contains(string(r.body), "sdk: docker\n") {
		t.Errorf("README: %s", r.body)
	}
	b.must(500, "hf_bob", "POST", "/api/repos/create", object{"name": "no", "type": "space", "sdk": "docker", "hardware": "a100"})
	b.must(404, "hf_bob", "GET", "/api/spaces/bob/no/refs", nil)
	r := b.must(200, "hf_bob", "POST", "/api/spaces/bob/sp/duplicate", object{"repository": "acme/sp2", "visibility": "private"})
	if want := fmt.Sprintf(`{"url":"%s/spaces/acme/sp2"}`, b.hub.URL); string(r.body) != want || got.From.ID() != "bob/sp" {
		t.Errorf("duplicate: %s", r.body)
	}
	b.must(409, "hf_bob", "POST", "/api/spaces/bob/sp/duplicate", object{"repository": "acme/sp2"})
	b.must(402, "hf_alice", "POST", "/api/spaces/bob/sp/duplicate", object{"repository": "sp"})
	b.must(200, "hf_bob", "GET", "/spaces/acme/sp2/raw/main/Dockerfile", nil)
	b.must(401, "", "GET", "/spaces/acme/sp2/raw/main/Dockerfile", nil)
	b.must(200, "hf_bob", "POST", "/api/repos/move", object{"fromRepo": "acme/sp2", "toRepo": "bob/sp3", "type": "space"})
	b.must(200, "hf_bob", "DELETE", "/api/repos/delete", object{"name": "bob/sp3", "type": "space"})
	want := []string{"commit bob/sp refs/heads/main", "commit acme/sp2 refs/heads/main", "move acme/sp2 bob/sp3", "delete bob/sp3"}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsAndGate(t *testing.T) {
	b := start(t, "")
	b.create("m1", object{"private": true})
	b.commit("bob/m1", "file", file("q.txt", "q"))
	r := b.must(200, "hf_bob", "PUT", "/api/models/bob/m1/settings", object{"gated": "manual", "visibility": "public"})
	want := `{"discussionsDisabled":false,"gated":"manual","orgMembersGated":false,"private":false,"visibility":"public"}`
	if string(r.body) != want {
		t.Errorf("settings: %s", r.body)
	}
	const path = "/bob/m1/resolve/main/q.txt"
	if r := b.must(401, "", "GET", path, nil); r.code() != "GatedRepo" || !strings.HasSuffix(r.Header.Get("X-Error-Message"), "Please log in.") {
		t.Errorf("anonymous: %v", r.Header)
	}
	if r := b.must(403, "hf_alice", "HEAD", path, nil); r.code() != "GatedRepo" || !strings.Contains(r.Header.Get("X-Error-Message"), "Visit "+b.hub.URL+"/bob/m1 to ask") {
		t.Errorf("alice: %v", r.Header)
	}
	b.must(403, "hf_alice", "GET", "/bob/m1/raw/main/q.txt", nil)
	b.must(200, "", "GET", "/api/models/bob/m1/tree/main", nil)
	b.must(307, "hf_bob_read", "GET", path, nil)
	b.must(200, "hf_alice", "POST", "/bob/m1/ask-access", nil)
	b.must(403, "hf_alice", "GET", path, nil)
	list := func(status string) int {
		t.Helper()
		return len(into[[]object](t, b.must(200, "hf_bob", "GET", "/api/models/bob/m1/user-access-request/"+status, nil)))
	}
	if list("pending") != 1 || list("accepted") != 0 {
		t.Error("alice is not pending")
	}
	b.must(403, "hf_alice", "POST", "/api/models/bob/m1/user-access-request/handle", object{"user": "alice", "status": "accepted"})
	b.must(200, "hf_bob", "POST", "/api/models/bob/m1/user-access-request/handle", object{"user": "alice", "status": "accepted"})
	b.must(307, "hf_alice", "GET", path, nil)
	one := into[[]object](t, b.must(200, "hf_bob", "GET", "/api/models/bob/m1/user-access-request/accepted", nil))[0]
	b.must(200, "hf_bob", "POST", "/api/models/bob/m1/user-access-request/handle", object{"requestId": one["requestId"], "status": "rejected", "rejectionReason": "no"})
	b.must(403, "hf_alice", "GET", path, nil)
	b.must(400, "hf_bob", "POST", "/api/models/bob/m1/user-access-request/grant", object{"user": "alice"})
	b.must(403, "hf_alice", "PUT", "/api/models/bob/m1/settings", object{"gated": false})
	b.must(200, "hf_bob", "PUT", "/api/models/bob/m1/settings", object{"gated": false})
	b.must(307, "", "GET", path, nil)
	for _, bad := range []object{{"gated": "yes"}, {"visibility": "x"}, {"visibility": "protected"}, {"discussionsSorting": "x"}, {"gatedNotificationsMode": "x"}} {
		b.must(400, "hf_bob", "PUT", "/api/models/bob/m1/settings", bad)
	}
	at, err := b.repos.Find(t.Context(), repo.Model, "bob/m1")
	if err != nil {
		t.Fatal(err)
	}
	at.Update(func(s *repo.Settings) { s.Disabled = true })
	if r := b.must(403, "hf_bob", "GET", path, nil); string(r.body) != `{"error":"Access to this resource is disabled."}` || r.code() != "" {
		t.Errorf("disabled: %s", r.body)
	}
}

func TestBranchesAndTags(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	one := b.commit("bob/m1", "file", file("a", "1"))
	b.commit("bob/m1", "file", file("a", "2"))
	const base = "/api/models/bob/m1/"
	b.must(200, "hf_bob", "POST", base+"branch/feat%2Fx", object{"startingPoint": one[:8]})
	if r := b.must(409, "hf_bob", "POST", base+"branch/feat%2Fx", object{}); string(r.body) != `{"error":"Reference refs/heads/feat/x already exists"}` {
		t.Errorf("again: %s", r.body)
	}
	b.must(200, "hf_bob", "POST", base+"branch/feat%2Fx", object{"overwrite": true})
	b.must(409, "hf_bob", "POST", base+"branch/feat", object{})
	b.must(200, "hf_bob", "POST", base+"branch/empty", object{"emptyBranch": true})
	if r := b.must(200, "", "GET", base+"tree/empty", nil); string(r.body) != "[]" {
		t.Errorf("empty branch: %s", r.body)
	}
	b.must(404, "hf_bob", "POST", base+"branch/y", object{"startingPoint": "nope"})
	b.must(403, "hf_alice", "POST", base+"branch/y", nil)
	for _, bad := range []string{"a..b", "refs%2Fheads%2Fx", ".x", "x.lock", "a%20b", "HEAD", "x%2F"} {
		b.must(400, "hf_bob", "POST", base+"branch/"+bad, nil)
	}
	if r := b.must(403, "hf_bob", "DELETE", base+"branch/main", nil); string(r.body) != `{"error":"Cannot delete refs/heads/main"}` {
		t.Errorf("delete main: %s", r.body)
	}
	if r := b.must(404, "hf_bob", "DELETE", base+"branch/nope", nil); r.code() != "RevisionNotFound" {
		t.Errorf("delete nope: %v", r.Header)
	}
	b.must(200, "hf_bob", "POST", base+"tag/"+one, object{"tag": "v1", "message": "m"})
	b.must(409, "hf_bob", "POST", base+"tag/main", object{"tag": "v1"})
	b.must(404, "hf_bob", "POST", base+"tag/nope", object{"tag": "v2"})
	refs := into[map[string][]object](t, b.must(200, "", "GET", base+"refs", nil))
	if diff := cmp.Diff([]object{{"name": "v1", "ref": "refs/tags/v1", "targetCommit": one}}, refs["tags"]); diff != "" {
		t.Error(diff)
	}
	if len(refs["branches"]) != 3 || refs["branches"][0]["name"] != "main" || refs["converts"] == nil || refs["pullRequests"] != nil {
		t.Errorf("refs: %v", refs)
	}
	b.must(200, "", "GET", base+"tree/v1", nil)
	if r := b.must(404, "hf_bob", "POST", base+"commit/v1", lines("x", "file", file("x", "x"))); r.code() != "RevisionNotFound" {
		t.Errorf("commit to a tag: %v", r.Header)
	}
	b.must(200, "hf_bob", "DELETE", base+"tag/v1", nil)
	b.must(404, "hf_bob", "DELETE", base+"tag/v1", nil)
}

// What is stored is there after a restart: refs, files, large files, settings,
// former names, grants.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	b.create("m1", object{"private": true})
	sha := b.upload("bob/m1", strings.Repeat("large", 1_000_000))
	b.commit("bob/m1", "file", file("a/b.txt", "hello\n"), "lfsFile", object{"path": "w.bin", "algo": "sha256", "oid": sha})
	b.must(200, "hf_bob", "POST", "/api/models/bob/m1/commit/main?create_pr=1", lines("pr", "file", file("p", "p")))
	b.must(200, "hf_bob", "POST", "/api/models/bob/m1/tag/main", object{"tag": "v1"})
	b.must(200, "hf_bob", "POST", "/api/repos/move", object{"fromRepo": "bob/m1", "toRepo": "bob/m2"})
	show := func(b *bench) (all []string) {
		t.Helper()
		for _, path := range []string{"tree/main?recursive=true&expand=true", "refs?include_prs=1", "commits/main", "commits/refs%2Fpr%2F1", "lfs-files"} {
			all = append(all, string(b.must(200, "hf_bob", "GET", "/api/models/bob/m2/"+path, nil).body))
		}
		loc := b.must(302, "hf_bob", "GET", "/bob/m2/resolve/v1/w.bin", nil).Header.Get("Location")
		all = append(all, sum(string(b.must(200, "", "GET", loc, nil).body)))
		return append(all, b.must(307, "hf_bob", "GET", "/api/models/bob/m1/refs", nil).Header.Get("Location"))
	}
	before := show(b)
	state, err := b.repos.Save()
	if err != nil {
		t.Fatal(err)
	}
	again := start(t, dir)
	if err := again.repos.Load(state); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, show(again)); diff != "" {
		t.Error(diff)
	}
	saved, err := again.repos.Save()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(state), string(saved)); diff != "" {
		t.Error(diff)
	}
	again.commit("bob/m2", "deletedFile", object{"path": "w.bin"})
	if err := again.repos.Load(json.RawMessage(`[{"id":"a/b"}]`)); err == nil {
		t.Error("a repository without refs was loaded")
	}
}

// Acceptance check 35, the part of repositories: the same requests give the same
// answers and commits, but for the ports.
func TestCheck35_EqualRunsAreEqual(t *testing.T) {
	run := func() string {
		b := start(t, "")
		b.create("m1", object{"license": "mit"})
		text := strings.Repeat("large", 1_000_000)
		var all []string
		note := func(r reply) {
			h := r.Header.Clone()
			h.Del("Date")
			all = append(all, fmt.Sprint(r.StatusCode, h), string(r.body))
		}
		note(b.send("hf_bob", "POST", "/bob/m1.git/info/lfs/objects/batch", object{
			"operation": "upload", "transfers": []string{"multipart"}, "objects": []object{{"oid": sum(text), "size": len(text)}},
		}))
		b.upload("bob/m1", text)
		b.commit("bob/m1", "file", file("a/b.txt", "hello\n"), "lfsFile", object{"path": "w.bin", "algo": "sha256", "oid": sum(text)})
		for _, path := range []string{"/api/models/bob/m1/tree/main?expand=true", "/api/models/bob/m1/commits/main", "/bob/m1/resolve/main/w.bin", "/bob/m1/resolve/main/README.md", "/bob/m1/resolve/main/none"} {
			note(b.send("hf_bob", "GET", path, nil))
		}
		return strings.NewReplacer(b.hub.URL, "{E}", b.cdn.URL, "{cdn}").Replace(strings.Join(all, "\n"))
	}
	// Lengths of redirect texts depend on the length of the port.
	length := regexp.MustCompile(`Content-Length:\[\d+\]`)
	if diff := cmp.Diff(length.ReplaceAllString(run(), ""), length.ReplaceAllString(run(), "")); diff != "" {
		t.Error(diff)
	}
}

// Many clients at once: every commit is in the history, none is lost.
func TestManyClients(t *testing.T) {
	b := start(t, "")
	b.create("m1", nil)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			b.commit("bob/m1", "file", file(fmt.Sprintf("f%d", i), "x"))
			b.must(200, "", "GET", "/api/models/bob/m1/tree/main?recursive=true&expand=true", nil)
			b.must(200, "", "GET", "/api/models/bob/m1/commits/main", nil)
			b.send("hf_bob", "POST", "/api/models/bob/m1/branch/b"+fmt.Sprint(i%3), nil)
			b.upload("bob/m1", strings.Repeat("y", 3_000_000))
		})
	}
	wg.Wait()
	at, err := b.repos.Find(t.Context(), repo.Model, "bob/m1")
	if err != nil {
		t.Fatal(err)
	}
	head, err := at.Head("main")
	if err != nil {
		t.Fatal(err)
	}
	log, err := at.Log(head)
	if err != nil || len(log) != 21 || len(at.Files(head)) != 21 {
		t.Errorf("%d commits, %d files, %v", len(log), len(at.Files(head)), err)
	}
	if moves := at.RefLog(); moves[0].Ref != git.Main || moves[0].Old != "" {
		t.Errorf("log of refs: %+v", moves[0])
	}
}
