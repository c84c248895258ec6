package traces_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// binary is the program under test, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "traces-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "ml-intern")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.Command("go", "build", "-o", binary, "github.com/ml-intern/ml-intern/cmd/ml-intern")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// world is a user with a home, a project and a Hub.
type world struct {
	*testing.T
	hub       *hubsim.Hub
	home, dir string
	env       []string
}

// The data set of the user, and tokens of his: one that may write, one that may
// not.
const (
	mine     = "bob/ml-intern-sessions"
	mayWrite = "hf_bob_write"
	mayRead  = "hf_bob_reads"
)

func newWorld(t *testing.T) *world {
	t.Parallel()
	w := &world{T: t, home: t.TempDir(), dir: filepath.Join(t.TempDir(), "project")}
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.hub = hubsimtest.Start(t, hubsim.Options{Home: filepath.Join(w.home, "hf")})
	w.hub.Accounts().PutToken(account.Token{Value: mayRead, Owner: "bob", DisplayName: "reads", Role: "fineGrained", Scoped: []account.Scope{
		{Entity: "bob", Permissions: []string{account.RepoRead, account.Inference}},
	}})
	vars, err := w.hub.Env("bob")
	if err != nil {
		t.Fatal(err)
	}
	w.env = append(vars, "HOME="+w.home, "ML_INTERN_HOME="+filepath.Join(w.home, "ml"), "PATH="+os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC")
	w.config(`{"model_name":"sim/scripted"}`)
	return w
}

// set changes a variable.
func (w *world) set(name, value string) {
	w.env = slices.DeleteFunc(w.env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	w.env = append(w.env, name+"="+value)
}

// config writes the user's settings.
func (w *world) config(text string) {
	w.Helper()
	file := filepath.Join(w.home, "ml", "config", "cli_agent_config.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		w.Fatal(err)
	}
}

// result is what a run has printed and how it ended.
type result struct {
	out, err string
	code     int
	took     time.Duration
}

// run runs the program.
func (w *world) run(args ...string) result {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.dir, w.env, &out, &errs
	cmd.WaitDelay = time.Second
	begun := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.Fatalf("%q: %v\n%s", args, err, errs.String())
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode(), time.Since(begun)}
}

// ok runs the program, which must succeed, and returns what it printed.
func (w *world) ok(args ...string) string {
	w.Helper()
	r := w.run(args...)
	if r.code != 0 {
		w.Fatalf("%q: exit %d\n%s%s", args, r.code, r.out, r.err)
	}
	return r.out
}

// sessions are the ids of the journals, the oldest first.
func (w *world) sessions() []string {
	w.Helper()
	entries, err := os.ReadDir(filepath.Join(w.home, "ml", "state", "sessions"))
	if err != nil {
		w.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// item is what the queue knows of a session's own upload.
func (w *world) item(id string) trace.Item {
	w.Helper()
	record, _, err := trace.OpenQueue(filepath.Join(w.home, "ml", "state", "uploads")).Load(id)
	if err != nil {
		w.Fatal(err)
	}
	return record.Items[trace.Personal]
}

// uploaded waits until a session is there as it is.
func (w *world) uploaded(id string) {
	w.Helper()
	for end := time.Now().Add(30 * time.Second); w.item(id).Status() != trace.Success; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("it is not uploaded: %+v", w.item(id))
		}
	}
}

// client is one of the user's on the Hub.
func (w *world) client() *hub.Client {
	w.Helper()
	c, err := hub.New(hub.Options{HTTP: &http.Client{}, Endpoint: w.hub.URL(), Token: mayWrite})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(c.Close)
	return c
}

func ref(id string) repo.Ref { return repo.Ref{Type: wire.Dataset, ID: id} }

// visibility is who sees a data set.
func (w *world) visibility(id string) string {
	w.Helper()
	info, err := w.client().Repos.Info(w.Context(), ref(id), repo.InfoOptions{})
	switch {
	case errors.Is(err, wire.RepoNotFound):
		return "none"
	case err != nil:
		w.Fatal(err)
	case info.Private:
		return "private"
	}
	return "public"
}

// files are the contents of a data set, by path.
func (w *world) files(id string) map[string]string {
	w.Helper()
	c, out := w.client(), map[string]string{}
	for e, err := range c.Repos.Tree(w.Context(), ref(id), "main", repo.TreeOptions{Recursive: true}) {
		if err != nil {
			w.Fatal(err)
		}
		if e.Dir() {
			continue
		}
		part, err := c.Repos.ReadRange(w.Context(), ref(id), "main", e.Path, 0, e.Size)
		if err != nil {
			w.Fatal(err)
		}
		out[e.Path] = string(part.Data)
	}
	return out
}

// trace is the file of a session in a data set, empty for none.
func (w *world) trace(set, id string) string {
	w.Helper()
	for file, text := range w.files(set) {
		if path.Base(file) == id+".jsonl" {
			return text
		}
	}
	return ""
}

// commits are the titles of a data set's commits, the newest first.
func (w *world) commits(id string) []string {
	w.Helper()
	var out []string
	for c, err := range w.client().Repos.Commits(w.Context(), ref(id), "main", 0) {
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, c.Title)
	}
	return out
}

// push changes files of a data set, as a person on the Hub's pages does.
func (w *world) push(id string, files map[string]string) {
	w.Helper()
	request := commit.Request{Target: commit.Target{Type: wire.Dataset, Repo: id}, Summary: "by hand"}
	for name, text := range files {
		request.Operations = append(request.Operations, commit.Add{Path: name, Data: []byte(text)})
	}
	if _, err := w.client().Commits.Commit(w.Context(), request); err != nil {
		w.Fatal(err)
	}
}

// asked lists what the program has asked of the Hub about data sets since the
// last call.
func (w *world) asked() []string {
	var out []string
	for _, r := range w.hub.Requests() {
		if strings.Contains(r.Path, "/datasets/") || strings.Contains(r.Path, "/repos/") {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	w.hub.ClearRequests()
	return out
}

// fails plays faults.
func (w *world) fails(rules ...fault.Rule) {
	w.Helper()
	if err := w.hub.Faults.Add(rules...); err != nil {
		w.Fatal(err)
	}
}
