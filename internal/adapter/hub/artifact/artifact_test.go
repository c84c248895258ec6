package artifact_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/artifact"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/collection"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const session = "fadcbc77-2222-4333-8444-555555555555"

var started = time.Date(2026, 5, 5, 23, 0, 0, 0, time.UTC)

// bench is a keeper on a simulated Hub.
type bench struct {
	*testing.T
	sim    *hubsim.Hub
	client *hub.Client
	file   string
	notes  []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, sim: hubsimtest.Start(t, hubsim.Options{}), file: filepath.Join(t.TempDir(), "artifacts.json")}
	web, err := httpx.New(httpx.Options{Version: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.CloseIdleConnections)
	if b.client, err = hub.New(hub.Options{HTTP: web, Endpoint: b.sim.URL(), Token: "hf_bob_write"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	return b
}

func (b *bench) keeper() *artifact.Keeper {
	return artifact.New(artifact.Options{
		Repos: b.client.Repos, Commits: b.client.Commits, Collections: b.client.Collections,
		Own: func(_ context.Context, ns string) bool { return ns == "bob" }, User: func(context.Context) (string, error) { return "bob", nil },
		Card: true, Session: session, Started: started, File: b.file, Debug: func(text string) { b.notes = append(b.notes, text) },
	})
}

func (b *bench) create(kind wire.RepoType, id string) repo.Ref {
	b.Helper()
	r := repo.Ref{Type: kind, ID: id}
	sdk := ""
	if kind == wire.Space {
		sdk = "static"
	}
	if _, err := b.client.Repos.Create(b.Context(), repo.CreateSpec{Ref: r, Visibility: "private", SDK: sdk}); err != nil {
		b.Fatal(err)
	}
	return r
}

func (b *bench) card(r repo.Ref) string {
	b.Helper()
	text, err := b.client.Repos.Raw(b.Context(), r, "main", "README.md")
	if err != nil {
		return ""
	}
	return text
}

// commits are the titles of a repository's history, newest first.
func (b *bench) commits(r repo.Ref) (titles []string) {
	b.Helper()
	for c, err := range b.client.Repos.Commits(b.Context(), r, "main", 10) {
		if err != nil {
			b.Fatal(err)
		}
		titles = append(titles, c.Title)
	}
	return titles
}

// collected are the ids in the session's collection.
func (b *bench) collected() (ids []string) {
	b.Helper()
	for c, err := range b.client.Collections.List(b.Context(), collection.Filter{Owner: "bob"}) {
		if err != nil {
			b.Fatal(err)
		}
		if !strings.HasPrefix(c.Title, "ml-intern-artifacts-") {
			continue
		}
		if c.Title != "ml-intern-artifacts-2026-05-05-fadcbc77" || !c.Private {
			b.Errorf("the collection is %q, private %v", c.Title, c.Private)
		}
		full, err := b.client.Collections.Find(b.Context(), c.Slug)
		if err != nil {
			b.Fatal(err)
		}
		for _, item := range full.Items {
			ids = append(ids, item.ID)
		}
	}
	return ids
}

// Acceptance check 35: a card has one section about its origin and one tag
// however often it is registered, a card that explains its use keeps its own
// words, and the collection has the session's name.
func TestCheck35_CardsAndCollection(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	model, data, space := b.create(wire.Model, "bob/m"), b.create(wire.Dataset, "bob/d"), b.create(wire.Space, "bob/s")
	k := b.keeper()
	k.Made(ctx, model)
	k.Made(ctx, data)
	k.Made(ctx, space)
	for range 3 {
		k.Made(ctx, model)
		k.Changed(ctx, model, true)
	}
	b.keeper().Changed(ctx, model, true) // the next run of the program
	text := b.card(model)
	if strings.Count(text, "<!-- ml-intern-provenance -->") != 1 || strings.Count(text, "- ml-intern\n") != 1 || !strings.Contains(text, "from_pretrained") {
		t.Errorf("the card is %q", text)
	}
	if got := b.commits(model); !slices.Equal(got, []string{"Update ML Intern artifact metadata", got[len(got)-1]}) {
		t.Errorf("commits %q", got)
	}
	if text := b.card(data); !strings.Contains(text, `load_dataset("bob/d")`) {
		t.Errorf("the data set's card is %q", text)
	}
	if text := b.card(space); strings.Contains(text, "provenance") || !strings.Contains(text, "- ml-intern\n") {
		t.Errorf("the Space's card is %q", text)
	}
	if got := b.collected(); !slices.Equal(got, []string{"bob/m", "bob/d", "bob/s"}) {
		t.Errorf("collected %q", got)
	}
	if len(b.notes) != 0 {
		t.Errorf("it went wrong: %q", b.notes)
	}
	own := b.create(wire.Model, "bob/own")
	writeCard(b, own, "---\nlicense: mit\n---\n# Own\n\n## How to use\n\nas you like\n")
	k.Made(ctx, own)
	if text := b.card(own); strings.Contains(text, "from_pretrained") || !strings.Contains(text, "license: mit\n") || strings.Count(text, "ml-intern-provenance") != 1 {
		t.Errorf("the own card is %q", text)
	}
}

func writeCard(b *bench, r repo.Ref, text string) {
	b.Helper()
	_, err := b.client.Commits.Commit(b.Context(), commit.Request{
		Target: commit.Target{Type: r.Type, Repo: r.ID}, Summary: "own card",
		Operations: []commit.Operation{commit.Add{Path: "README.md", Data: []byte(text)}},
	})
	if err != nil {
		b.Fatal(err)
	}
}

// What is no artifact is left alone: sandboxes, repositories of others, uploads
// to what the session has not made.
func TestWhatIsNone(t *testing.T) {
	b := newBench(t)
	k := b.keeper()
	before := len(b.sim.Requests())
	k.Made(t.Context(), repo.Ref{Type: wire.Space, ID: "bob/sandbox-0a1b2c3d"})
	k.Made(t.Context(), repo.Ref{Type: wire.Model, ID: "acme/m"})
	k.Made(t.Context(), repo.Ref{Type: "bucket", ID: "bob/b"})
	k.Changed(t.Context(), repo.Ref{Type: wire.Model, ID: "bob/unknown"}, true)
	if n := len(b.sim.Requests()) - before; n != 0 {
		t.Errorf("%d requests", n)
	}
}

// What did not work is tried again the next time.
func TestTriesAgain(t *testing.T) {
	b := newBench(t)
	model := b.create(wire.Model, "bob/m")
	rules, err := fault.Parse([]byte(`{"match":{"method":"POST","path":"/api/collections"},"do":{"status":403,"body":{"error":"no"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.sim.Faults.Add(rules...); err != nil {
		t.Fatal(err)
	}
	k := b.keeper()
	k.Made(t.Context(), model)
	if len(b.notes) != 1 || len(b.collected()) != 0 || b.card(model) == "" {
		t.Errorf("notes %q, collected %q", b.notes, b.collected())
	}
	b.sim.Faults.Clear()
	b.keeper().Changed(t.Context(), model, false)
	if got := b.collected(); !slices.Equal(got, []string{"bob/m"}) {
		t.Errorf("collected %q, notes %q", got, b.notes)
	}
	var held struct {
		Done map[string]bool `json:"done"`
	}
	data, err := os.ReadFile(b.file)
	if err != nil || json.Unmarshal(data, &held) != nil || len(held.Done) != 1 {
		t.Errorf("kept %s, %v", data, err)
	}
}

func TestTitles(t *testing.T) {
	for session, want := range map[string]string{
		session:                                "ml-intern-artifacts-2026-05-05-fadcbc77",
		"FADCBC77-2222-4333-8444-555555555555": "ml-intern-artifacts-2026-05-05-fadcbc77",
		"my session/1":                         "ml-intern-artifacts-2026-05-05-my-session-1",
		strings.Repeat("x", 100):               "ml-intern-artifacts-2026-05-05-" + strings.Repeat("x", 28),
	} {
		if got := artifact.Title(session, started); got != want || len(got) > 59 {
			t.Errorf("%q: %q, want %q", session, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	if r, ok := artifact.Parse(` ::ml-intern-artifact::{"type": "dataset", "id": "bob/d"} `); !ok || r != (repo.Ref{Type: wire.Dataset, ID: "bob/d"}) {
		t.Errorf("%+v %v", r, ok)
	}
	for _, line := range []string{
		"", "text", `x ::ml-intern-artifact::{"type":"model","id":"a/b"}`, `::ml-intern-artifact::`, `::ml-intern-artifact::{"type":"model","id":"b"}`,
		`::ml-intern-artifact::{"type":"bucket","id":"a/b"}`, `::ml-intern-artifact::{"type":"model","id":"../b"}`, `::ml-intern-artifact::{"type":"model","id":"a/b/../../c"}`,
		`::ml-intern-artifact::{"id":"a/b"}`,
	} {
		if r, ok := artifact.Parse(line); ok {
			t.Errorf("%q is %+v", line, r)
		}
	}
}

// Whatever a job prints, what is taken from it is a repository's name.
func FuzzParse(f *testing.F) {
	f.Add(`::ml-intern-artifact::{"type":"model","id":"a/b"}`)
	f.Add(`::ml-intern-artifact::{"type":"space","id":"a/b?c"}`)
	f.Fuzz(func(t *testing.T, line string) {
		r, ok := artifact.Parse(line)
		if ok && (wire.CheckFullRepoID("id", r.ID) != nil || wire.CheckType("type", r.Type) != nil) {
			t.Errorf("%q is %+v", line, r)
		}
	})
}

// fake is a package huggingface_hub in the shape of the real one.
var fake = map[string]string{
	"huggingface_hub/__init__.py": `
def __getattr__(name):
    import importlib
    return getattr(importlib.import_module("huggingface_hub.hf_api"), name)
`,
	"huggingface_hub/hf_api.py": `
class RepoUrl(str):
    repo_id = property(lambda self: str(self))
class HfApi:
    def create_repo(self, repo_id, *, repo_type=None, private=None, exist_ok=False):
        if repo_id == "fails":
            raise ValueError("no such thing")
        return RepoUrl(repo_id if "/" in repo_id else "bob/" + repo_id)
    def create_commit(self, repo_id, operations, *, repo_type=None, create_pr=None):
        return "commit of " + repo_id
    def upload_file(self, *, path_or_fileobj, path_in_repo, repo_id, repo_type=None, create_pr=None):
        return "file to " + repo_id
    def upload_folder(self, *, repo_id, folder_path, repo_type=None, create_pr=None):
        return self.create_commit(repo_id, [], repo_type=repo_type)
api = HfApi()
create_repo = api.create_repo
create_commit = api.create_commit
upload_file = api.upload_file
upload_folder = api.upload_folder
`,
	"sitecustomize.py": "import builtins\nbuiltins.hidden_one_ran = True\n",
}

// python runs a program with the hook and the fake client.
func python(t *testing.T, program string, env ...string) (stdout, stderr string) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	hook, client := t.TempDir(), t.TempDir()
	files := map[string]string{filepath.Join(hook, "sitecustomize.py"): artifact.Hook()}
	for name, text := range fake {
		files[filepath.Join(client, name)] = text
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(path, "-c", program)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=" + hook + ":" + client, "HOME=" + os.Getenv("HOME")}, env...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// The hook tells what a program makes and pushes, once each, and changes
// nothing of what the program sees.
func TestHook(t *testing.T) {
	file := filepath.Join(t.TempDir(), "told")
	program := `
print(hidden_one_ran)
from huggingface_hub import HfApi, create_repo, create_commit
print(create_repo("new"), create_repo("new"))
print(create_commit("bob/c", []), HfApi().create_commit(repo_id="bob/kw", operations=[]))
print(HfApi().upload_file(path_or_fileobj=b"", path_in_repo="x", repo_id="bob/f", repo_type="dataset"))
print(HfApi().upload_folder(repo_id="bob/folder", folder_path="."))
print(create_commit("bob/pr", [], create_pr=True))
try:
    create_repo("fails")
except ValueError as e:
    print(e)
print(HfApi.create_repo.__name__)
`
	want := "True\nbob/new bob/new\ncommit of bob/c commit of bob/kw\nfile to bob/f\ncommit of bob/folder\ncommit of bob/pr\nno such thing\ncreate_repo\n"
	out, errs := python(t, program, "ML_INTERN_ARTIFACTS="+file)
	if out != want || errs != "" {
		t.Errorf("printed %q %q, want %q", out, errs, want)
	}
	told, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for line := range strings.Lines(string(told)) {
		r, ok := artifact.Parse(line)
		if !ok {
			t.Errorf("%q is no line of the hook", line)
		}
		refs = append(refs, string(r.Type)+" "+r.ID)
	}
	if got := []string{"model bob/new", "model bob/c", "model bob/kw", "dataset bob/f", "model bob/folder"}; !slices.Equal(refs, got) {
		t.Errorf("told %q, want %q", refs, got)
	}
	// Without a file it tells on standard error.
	out, errs = python(t, program)
	if out != want || strings.Count(errs, "::ml-intern-artifact::") != 5 {
		t.Errorf("printed %q %q", out, errs)
	}
	// One that cannot be written to does not disturb.
	if out, errs = python(t, program, "ML_INTERN_ARTIFACTS=/nowhere/at/all"); out != want || errs != "" {
		t.Errorf("printed %q %q", out, errs)
	}
	// A program that has nothing to do with the Hub does not load its client.
	if out, errs = python(t, "import sys; print('huggingface_hub' in sys.modules)"); out != "False\n" || errs != "" {
		t.Errorf("printed %q %q", out, errs)
	}
}
