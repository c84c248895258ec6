package realclients_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// files are what the programs of this file look at: text in git, weights
// outside, nothing, folders in folders, names that need escaping.
func files() map[string][]byte {
	return map[string][]byte{
		"a/b.txt": []byte("hello\n"), "a/deep/er/c.json": []byte("{}\n"), "a b/ü.txt": []byte("name\n"), "empty.txt": {},
		"small.bin": bytes.Repeat([]byte{0, 1, 2, 3}, 3000), "big.bin": bytes.Repeat([]byte("0123456789abcdef"), 200_000),
	}
}

// stocked is a simulator on which bob has a private model with the files.
func stocked(t *testing.T) (*sim, *hub.Client) {
	t.Helper()
	s := simulate(t)
	web, err := httpx.New(httpx.Options{Version: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.CloseIdleConnections)
	c, err := hub.New(hub.Options{HTTP: web, Endpoint: s.url, Token: bob})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.Repos.Create(t.Context(), repo.CreateSpec{Ref: model("bob/m"), Visibility: "private"}); err != nil {
		t.Fatal(err)
	}
	var ops []commit.Operation
	for path, data := range files() {
		ops = append(ops, add(path, data))
	}
	if _, err := c.Commits.Commit(t.Context(), commit.Request{Target: commit.Target{Repo: "bob/m"}, Operations: ops, Summary: "files"}); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// Acceptance check 40, "other proofs": curl that follows redirects gets the
// file, and gives its token to the Hub alone.
func TestCheck40_Curl(t *testing.T) {
	t.Parallel()
	curl := program(t, "curl")
	s, _ := stocked(t)
	for path, data := range files() {
		s.begin()
		cmd := exec.CommandContext(t.Context(), curl, "-sSfL", "-H", "Authorization: Bearer "+bob, s.url+"/bob/m/resolve/main/"+wire.Escape(path))
		cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*")
		got, err := cmd.Output()
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, want %d, %v", path, len(got), len(data), err)
		}
		if path == "big.bin" {
			noToken(t, s.saw(), "GET")
		}
	}
}

// Acceptance checks 35 and 40: git has the same names for blobs and trees.
func TestCheck35And40_Git(t *testing.T) {
	t.Parallel()
	git := program(t, "git")
	_, c := stocked(t)
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), git, args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("init", "-q")
	run("config", "core.autocrlf", "false")
	want, hashed := map[string]string{}, 0
	for e, err := range c.Repos.Tree(t.Context(), model("bob/m"), "main", repo.TreeOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		want[e.Path] = e.OID
		if e.Dir() {
			continue
		}
		data, known := files()[e.Path]
		if e.LFS != nil {
			data = fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", e.LFS.OID, e.LFS.Size)
		} else if !known { // what the Hub itself has put there
			text, err := c.Repos.Raw(t.Context(), model("bob/m"), "main", e.Path)
			if err != nil {
				t.Fatal(err)
			}
			data = []byte(text)
		}
		name := filepath.Join(dir, filepath.FromSlash(e.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(run("hash-object", "--no-filters", name)); got != e.OID {
			t.Errorf("git calls %s %s, the simulator %s", e.Path, got, e.OID)
		}
		hashed++
	}
	if hashed != len(files())+1 {
		t.Errorf("%d files", hashed)
	}
	if err := os.Rename(filepath.Join(dir, ".gitattributes"), filepath.Join(dir, ".git", "kept")); err != nil {
		t.Fatal(err) // its filters would need another program
	}
	run("add", "-A")
	run("update-index", "--add", "--cacheinfo", "100644,"+want[".gitattributes"]+",.gitattributes")
	_ = run("hash-object", "-w", "--no-filters", filepath.Join(dir, ".git", "kept"))
	tree := strings.TrimSpace(run("write-tree"))
	got := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimRight(run("ls-tree", "-r", "-t", "-z", tree), "\x00"), "\x00") {
		about, path, _ := strings.Cut(line, "\t")
		got[path] = strings.Fields(about)[2]
	}
	for path, oid := range want {
		if got[path] != oid {
			t.Errorf("git calls %s %s, the simulator %s", path, got[path], oid)
		}
	}
	if len(got) != len(want) {
		t.Errorf("git has %d entries, the simulator %d", len(got), len(want))
	}
}
