package trackio_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/trackio"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const id = "bob/ml-intern-1234abcd"

var ref = repo.Ref{Type: wire.Space, ID: id}

func open(t *testing.T, token string, private bool) (*hubsim.Hub, *hub.Client, *trackio.Seeder) {
	t.Helper()
	sim := hubsimtest.Start(t, hubsim.Options{})
	web, err := httpx.New(httpx.Options{Version: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.CloseIdleConnections)
	c, err := hub.New(hub.Options{HTTP: web, Endpoint: sim.URL(), Token: token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return sim, c, trackio.New(trackio.Options{
		Repos: c.Repos, Commits: c.Commits, Buckets: c.Buckets, Spaces: c.Spaces, Private: private, Endpoint: c.Endpoint(),
		Own: func(_ context.Context, ns string) bool { return ns == "bob" || ns == "alice" },
	})
}

// writes are the requests that change something.
func writes(sim *hubsim.Hub, from int) (all []string) {
	for _, r := range sim.Requests()[from:] {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.Contains(r.Path, "/preupload/") && !strings.Contains(r.Path, "/paths-info/") {
			all = append(all, r.Method+" "+r.Path)
		}
	}
	return all
}

// Acceptance check 36: a dashboard from nothing is one commit of three files, a
// bucket mounted at /data and four variables; the second time nothing is
// written.
func TestCheck36_Seed(t *testing.T) {
	sim, c, seeder := open(t, "hf_bob_write", false)
	var told []string
	log := func(line string) { told = append(told, line) }
	if err := seeder.Seed(t.Context(), id, log); err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"seeding trackio dashboard: " + id, "mounted " + id + "-bucket at /data", "trackio dashboard ready: " + sim.URL() + "/spaces/" + id,
	}; !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
	commits := 0
	for _, w := range writes(sim, 0) {
		if strings.Contains(w, "/commit/") {
			commits++
		}
	}
	var titles, files []string
	for commit, err := range c.Repos.Commits(t.Context(), ref, "main", 10) {
		if err != nil {
			t.Fatal(err)
		}
		titles = append(titles, commit.Title)
	}
	for e, err := range c.Repos.Tree(t.Context(), ref, "main", repo.TreeOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, e.Path)
	}
	if commits != 1 || len(titles) != 2 || !slices.Equal(files, []string{".gitattributes", "README.md", "app.py", "requirements.txt"}) {
		t.Errorf("%d commits: %q, files %q", commits, titles, files)
	}
	card, err := c.Repos.Raw(t.Context(), ref, "main", "README.md")
	if err != nil || !strings.Contains(card, "title: Trackio Dashboard\n") || !strings.Contains(card, "- trackio\n") || strings.Contains(card, "hf_oauth") {
		t.Errorf("%v: %s", err, card)
	}
	runtime, err := c.Spaces.Runtime(t.Context(), id)
	if err != nil || !slices.Equal(runtime.Volumes, []job.Volume{{Type: "bucket", Source: id + "-bucket", MountPath: "/data"}}) {
		t.Errorf("%+v, %v", runtime.Volumes, err)
	}
	variables, err := c.Spaces.Variables(t.Context(), id)
	if err != nil || len(variables) != 4 || variables["TRACKIO_DIR"].Value != "/data/trackio" || variables["TRACKIO_BUCKET_ID"].Value != id+"-bucket" {
		t.Errorf("%+v, %v", variables, err)
	}
	for _, logo := range []string{"TRACKIO_LOGO_LIGHT_URL", "TRACKIO_LOGO_DARK_URL"} {
		if !strings.HasPrefix(variables[logo].Value, "https://") {
			t.Errorf("%s is %q", logo, variables[logo].Value)
		}
	}
	info, err := c.Repos.Info(t.Context(), ref, repo.InfoOptions{})
	if err != nil || info.Private {
		t.Errorf("private %v, %v", info.Private, err)
	}
	before := len(sim.Requests())
	told = nil
	if err := seeder.Seed(t.Context(), id, log); err != nil {
		t.Fatal(err)
	}
	if w := writes(sim, before); len(w) != 0 || !strings.Contains(told[0], "already seeded") {
		t.Errorf("the second time wrote %q and told %q", w, told)
	}
}

// What is mounted elsewhere stays; a foreign bucket at /data is kept as well.
func TestKeepsOtherVolumes(t *testing.T) {
	_, c, seeder := open(t, "hf_bob_write", true)
	if err := seeder.Seed(t.Context(), id, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if info, err := c.Repos.Info(t.Context(), ref, repo.InfoOptions{}); err != nil || !info.Private {
		t.Errorf("private %v, %v", info.Private, err)
	}
	other := job.Volume{Type: "model", Source: "acme/tiny-gpt", MountPath: "/model"}
	if err := c.Spaces.SetVolumes(t.Context(), id, []job.Volume{other}); err != nil {
		t.Fatal(err)
	}
	if err := seeder.Seed(t.Context(), id, func(string) {}); err != nil {
		t.Fatal(err)
	}
	runtime, err := c.Spaces.Runtime(t.Context(), id)
	if err != nil || len(runtime.Volumes) != 2 || runtime.Volumes[0].Source != other.Source || runtime.Volumes[1].MountPath != "/data" {
		t.Errorf("%+v, %v", runtime.Volumes, err)
	}
}

// A Space with a program of its own is left alone, and so is what belongs to
// others; a free account is told what else works.
func TestRefusals(t *testing.T) {
	sim, c, seeder := open(t, "hf_bob_write", false)
	if _, err := c.Repos.Create(t.Context(), repo.CreateSpec{Ref: ref, SDK: "gradio", Visibility: "public"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Commits.Commit(t.Context(), commit.Request{
		Target: commit.Target{Type: wire.Space, Repo: id}, Summary: "mine",
		Operations: []commit.Operation{commit.Add{Path: "app.py", Data: []byte("print('my own')\n")}},
	}); err != nil {
		t.Fatal(err)
	}
	before := len(sim.Requests())
	if err := seeder.Seed(t.Context(), id, func(string) {}); err == nil || !strings.Contains(err.Error(), "not replaced") {
		t.Errorf("%v", err)
	}
	for _, foreign := range []string{"acme/x", "x", "../y", "bob/a b"} {
		if err := seeder.Seed(t.Context(), foreign, func(string) {}); err == nil || !strings.Contains(err.Error(), "trackio_space_id") {
			t.Errorf("%q: %v", foreign, err)
		}
	}
	if w := writes(sim, before); len(w) != 0 {
		t.Errorf("wrote %q", w)
	}
	_, _, free := open(t, "hf_alice_write", false)
	if err := free.Seed(t.Context(), "alice/board", func(string) {}); err == nil || !strings.Contains(err.Error(), "TRACKIO_SERVER_URL") {
		t.Errorf("%v", err)
	}
}
