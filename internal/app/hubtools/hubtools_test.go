package hubtools_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/collection"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/hubtools"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

const session = "fadcbc77-2222-4333-8444-555555555555"

// bench is the tools of a session, as the program joins them, on a simulated
// Hub whose jobs are processes.
type bench struct {
	*stagetest.Stage
	client *hub.Client
	tools  *hubtools.Tools
	dir    string // the workspace
	logs   string // the session's folder
}

func newBench(t *testing.T, change func(*hubtools.Options)) *bench {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 to run jobs with")
	}
	b := &bench{Stage: stagetest.Sockets(t, true), dir: t.TempDir(), logs: t.TempDir()}
	b.client = b.Client(stagetest.Bob)
	here, err := local.New(local.Options{Dir: b.dir, Root: b.dir, Python: func() string { return "" }, SpillDir: func(string) string { return b.dir }})
	if err != nil {
		t.Fatal(err)
	}
	o := hubtools.Options{
		Config: &config.Config{ArtifactHooks: true, ArtifactCard: true}, Client: b.client,
		JobPrices: price.New(price.Options{Table: price.Jobs(), Fetch: func(context.Context) ([]price.Flavor, error) { return nil, nil }}),
		Workspace: here.Open, Root: b.dir, JobToken: func() string { return stagetest.Bob }, OwnToken: true,
		Env:      func(string) (string, bool) { return "", false },
		Scrubber: func() *redact.Scrubber { return redact.New(redact.Options{Held: []string{stagetest.Bob}}) },
		Hold:     func(...string) {},
		Session:  session, Dir: b.logs, Started: time.Date(2026, 5, 5, 0, 0, 0, 0, time.UTC), Headless: true,
		Debug: func(text string) { t.Log(text) },
	}
	if change != nil {
		change(&o)
	}
	if b.tools, err = hubtools.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.tools.Jobs.Close(context.Background()) })
	return b
}

// run runs a job and returns its result and the log's events.
func (b *bench) run(args map[string]any) (tool.Result, *tooltest.Env) {
	b.Helper()
	args["operation"] = "run"
	raw, err := json.Marshal(args)
	if err != nil {
		b.Fatal(err)
	}
	resolved, err := b.tools.Jobs.Resolve(b.Context(), raw)
	if err != nil {
		b.Fatal(err)
	}
	env := &tooltest.Env{Session: session, Call: fmt.Sprintf("call_%d", len(b.Sim.Requests()))}
	r, err := b.tools.Jobs.Run(b.Context(), env, resolved)
	if err != nil {
		b.Fatal(err)
	}
	return r, env
}

// Acceptance check 23, to its end: a script of 300 KB runs in the job as it was
// written, in a file of its name, with every argument as it was given.
func TestCheck23_LongScriptRuns(t *testing.T) {
	b := newBench(t, nil)
	var source strings.Builder
	source.WriteString(`import hashlib, os, sys
with open(__file__, "rb") as f:
    print("sum", hashlib.sha256(f.read()).hexdigest())
print("name", os.path.basename(__file__))
print("args", sys.argv[1:])
print("left", sorted(k for k in os.environ if k.startswith("ML_INTERN_SCRIPT")))
`)
	rng := rand.New(rand.NewPCG(1, 2))
	for source.Len() < 300<<10 {
		fmt.Fprintf(&source, "# %x 'é' \"$HOME\" `id`\n", rng.Uint64())
	}
	sum := sha256.Sum256([]byte(source.String()))
	r, _ := b.run(map[string]any{"script": source.String(), "name": "train", "script_args": []string{"--p", "a b", "$(id)"}})
	for _, want := range []string{"sum " + hex.EncodeToString(sum[:]), "name train.py", "args ['--p', 'a b', '$(id)']", "left []"} {
		if !strings.Contains(r.Output, want) {
			t.Errorf("the result does not hold %q:\n%s", want, r.Output)
		}
	}
	ref := repo.Ref{Type: wire.Dataset, ID: "bob/ml-intern-jobs"}
	info, err := b.client.Repos.Info(t.Context(), ref, repo.InfoOptions{})
	if err != nil || !info.Private {
		t.Errorf("%+v, %v", info, err)
	}
	for j, err := range b.client.Jobs.List(t.Context(), "bob", job.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(j.Volumes) != 1 || !j.Volumes[0].ReadOnly || len(j.Volumes[0].Revision) != 40 || j.Volumes[0].MountPath != "/ml-intern" {
			t.Errorf("volumes %+v", j.Volumes)
		}
		for k, v := range j.Environment {
			if len(k)+len(v) >= 128<<10 {
				t.Errorf("%s has %d bytes", k, len(v))
			}
		}
	}
	// A short one runs the same way, from its environment.
	short := "import sys\nprint('short', sys.argv[1:])\n"
	if r, _ := b.run(map[string]any{"script": short, "script_args": []string{"x y"}, "dependencies": []string{"torch<2.6"}}); !r.OK || !strings.Contains(r.Output, "short ['x y']") {
		t.Errorf("%s", r.Output)
	}
}

// Check 26 of the Hub's client, through the tool: both streams, the exit code
// and the bill.
func TestHubCheck26_ExitCode(t *testing.T) {
	b := newBench(t, nil)
	r, _ := b.run(map[string]any{"command": []string{"sh", "-c", "echo a; echo b >&2; exit 3"}})
	if r.OK || !strings.Contains(r.Output, "**Final Status:** ERROR") || !strings.Contains(r.Output, "3") || !strings.Contains(r.Output, "\na\n") || !strings.Contains(r.Output, "\nb\n") {
		t.Errorf("%s", r.Output)
	}
	if r.ActualMicroUSD == nil || *r.ActualMicroUSD <= 0 {
		t.Errorf("cost %+v", r)
	}
	bill, err := b.client.Account.JobsUsage(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(bill.Jobs) != 1 || bill.Jobs[0].Cost == nil || *bill.Jobs[0].Cost <= 0 {
		t.Errorf("the bill is %+v", bill.Jobs)
	}
}

// fakeHub is a huggingface_hub module that does nothing.
const fakeHub = `import os, sys
here = os.path.join(os.environ.get("TMPDIR", "/tmp"), "fake")
os.makedirs(os.path.join(here, "huggingface_hub"), exist_ok=True)
with open(os.path.join(here, "huggingface_hub", "hf_api.py"), "w") as f:
    f.write("""
class Made:
    def __init__(self, repo_id):
        self.repo_id = repo_id
class HfApi:
    def create_repo(self, repo_id, *, repo_type=None, **kw):
        return Made(repo_id if "/" in repo_id else "bob/" + repo_id)
    def upload_file(self, *, path_or_fileobj, path_in_repo, repo_id, repo_type=None, create_pr=None):
        return "ok"
    def upload_folder(self, *, repo_id, folder_path, repo_type=None, create_pr=None):
        return "ok"
    def create_commit(self, repo_id, operations, *, repo_type=None, create_pr=None):
        return "ok"
api = HfApi()
create_repo = api.create_repo
create_commit = api.create_commit
upload_file = api.upload_file
upload_folder = api.upload_folder
""")
with open(os.path.join(here, "huggingface_hub", "__init__.py"), "w") as f:
    f.write("from .hf_api import HfApi, create_repo, create_commit, upload_file, upload_folder\n")
sys.path.insert(0, here)
`

// What a job's Python code pushes becomes an artifact of the session: a card
// with one section about its origin and a place in the session's collection.
// The hook's own lines are not shown.
func TestJobArtifacts(t *testing.T) {
	b := newBench(t, nil)
	for _, r := range []repo.Ref{{Type: wire.Model, ID: "bob/tuned"}, {Type: wire.Dataset, ID: "bob/data"}, {Type: wire.Model, ID: "bob/by-pr"}} {
		if _, err := b.client.Repos.Ensure(t.Context(), repo.CreateSpec{Ref: r, Visibility: "private"}); err != nil {
			t.Fatal(err)
		}
	}
	r, env := b.run(map[string]any{"script": fakeHub + `
from huggingface_hub import HfApi, create_repo, create_commit, upload_file
print(create_repo("tuned").repo_id)
print(upload_file(path_or_fileobj=b"", path_in_repo="x", repo_id="bob/data", repo_type="dataset"))
print(create_commit("bob/by-pr", [], create_pr=True))
print(HfApi().create_commit("stranger/x", []))
`})
	if !r.OK || strings.Contains(r.Output, "ml-intern-artifact") || strings.Contains(strings.Join(env.Logs(), "\n"), "ml-intern-artifact") {
		t.Errorf("%s\n%s", r.Output, env.Logs())
	}
	if held, err := os.ReadFile(filepath.Join(b.logs, "artifacts.json")); err != nil || !strings.Contains(string(held), "bob/tuned") {
		t.Errorf("%s, %v", held, err)
	}
	for id, want := range map[string]struct {
		kind wire.RepoType
		made bool
	}{"bob/tuned": {wire.Model, true}, "bob/data": {wire.Dataset, true}, "bob/by-pr": {wire.Model, false}} {
		card, err := b.client.Repos.Raw(t.Context(), repo.Ref{Type: want.kind, ID: id}, "main", "README.md")
		if got := strings.Count(card, "ml-intern-provenance") == 1 && strings.Contains(card, "- ml-intern\n"); got != want.made {
			t.Errorf("%s: %v: %q", id, err, card)
		}
	}
	var items []string
	for c, err := range b.client.Collections.List(t.Context(), collection.Filter{Owner: "bob"}) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Title == "ml-intern-artifacts-2026-05-05-fadcbc77" {
			full, err := b.client.Collections.Find(t.Context(), c.Slug)
			if err != nil || !full.Private {
				t.Errorf("%+v, %v", full, err)
			}
			for _, item := range full.Items {
				items = append(items, item.ID)
			}
		}
	}
	if strings.Join(items, " ") != "bob/tuned bob/data" {
		t.Errorf("the collection holds %q", items)
	}
}

// A folder of the workspace with its hook: what a job's script needs is there.
func TestFilesOfTheWorkspace(t *testing.T) {
	b := newBench(t, nil)
	if err := os.WriteFile(filepath.Join(b.dir, "train.py"), []byte("print('from', __file__.split('/')[-1])\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, _ := b.run(map[string]any{"script": "train.py"}); !r.OK || !strings.Contains(r.Output, "from train.py") {
		t.Errorf("%s", r.Output)
	}
}

// A dashboard is made ready before its job starts, which finds it in its
// environment; one that cannot be made does not hold up the job.
func TestDashboardOfAJob(t *testing.T) {
	b := newBench(t, nil)
	script := "import os\nprint(os.environ.get('TRACKIO_SPACE_ID'), os.environ.get('TRACKIO_PROJECT'))\n"
	r, env := b.run(map[string]any{"script": script, "trackio_space_id": "bob/board", "trackio_project": "first"})
	if !r.OK || !strings.Contains(r.Output, "bob/board first") {
		t.Errorf("%s", r.Output)
	}
	if logs := strings.Join(env.Logs(), "\n"); !strings.Contains(logs, "trackio dashboard ready: "+b.Base()+"/spaces/bob/board") {
		t.Errorf("%s", logs)
	}
	if s := env.States()[0]; s.TrackioSpaceID != "bob/board" || s.TrackioProject != "first" {
		t.Errorf("%+v", s)
	}
	r, env = b.run(map[string]any{"script": script, "trackio_space_id": "stranger/board"})
	if !r.OK || !strings.Contains(strings.Join(env.Logs(), "\n"), "not ready") {
		t.Errorf("%s\n%s", r.Output, env.Logs())
	}
}
