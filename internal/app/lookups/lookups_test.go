package lookups_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/lookups"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

const (
	hubToken    = "hf_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	githubToken = "ghp_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	scholarKey  = "key-of-semantic-scholar"
)

// web answers for all of the web without a network, and notes what it is asked
// and with which credentials.
type web struct {
	http.Handler
	mu   sync.Mutex
	seen map[string]string // by host
}

func newWeb(handler http.HandlerFunc) *web { return &web{Handler: handler, seen: map[string]string{}} }

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.seen[r.URL.Host] = r.Header.Get("Authorization") + r.Header.Get("X-Api-Key")
	w.mu.Unlock()
	answer := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); w.ServeHTTP(answer, r) }()
	<-done
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return answer.Result(), nil
}

// carried are the credentials that hosts got since the last call.
func (w *web) carried() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.seen
	w.seen = map[string]string{}
	return out
}

func plain(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "an answer") }

// open makes a door of a program that runs with the variables.
func open(t *testing.T, w *web, dir string, variables ...string) *lookups.Door {
	t.Helper()
	loaded, err := config.Load(t.Context(), config.Options{Dir: dir, Environ: append([]string{"HOME=" + dir}, variables...)})
	if err != nil {
		t.Fatal(err)
	}
	d := &lookups.Door{Options: lookups.Options{
		Loaded: loaded, HTTP: &http.Client{Transport: w}, Closed: true, Version: "0.0.0-test",
		Token: func(context.Context) string { return hubToken }, Secret: func(string) bool { return false },
	}}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func ask(t *testing.T, d *lookups.Door, address string) error {
	t.Helper()
	c, err := d.Client()
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), fetch.Request{URL: address, Fresh: time.Hour})
	return err
}

func TestCredentialsGoToTheirServices(t *testing.T) {
	own := []string{"GITHUB_TOKEN=" + githubToken, "S2_API_KEY=" + scholarKey}
	for name, c := range map[string]struct {
		variables []string
		want      map[string]string // what a host gets
	}{
		"usual": {nil, map[string]string{
			"huggingface.co": "Bearer " + hubToken, "datasets-server.huggingface.co": "Bearer " + hubToken, "api.github.com": "Bearer " + githubToken,
			"api.semanticscholar.org": scholarKey, "arxiv.org": "", "gradio.app": "", "api.openalex.org": "", "export.arxiv.org": "", "raw.githubusercontent.com": "",
		}},
		"another Hub": {[]string{"HF_ENDPOINT=https://hub.corp.example"}, map[string]string{
			"hub.corp.example": "Bearer " + hubToken, "datasets-server.huggingface.co": "", "api.github.com": "Bearer " + githubToken,
		}},
		"another Hub with its viewer": {[]string{"HF_ENDPOINT=https://hub.corp.example", "ML_INTERN_DATASETS_SERVER_URL=https://viewer.corp.example"}, map[string]string{
			"hub.corp.example": "Bearer " + hubToken, "viewer.corp.example": "Bearer " + hubToken,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWeb(plain)
			d := open(t, w, t.TempDir(), append(own, c.variables...)...)
			for _, host := range []string{
				"huggingface.co", "datasets-server.huggingface.co", "api.github.com", "api.semanticscholar.org", "arxiv.org",
				"gradio.app", "api.openalex.org", "export.arxiv.org", "raw.githubusercontent.com",
			} {
				if err := ask(t, d, "https://"+host+"/x"); err != nil {
					t.Errorf("%s: %v", host, err)
				}
			}
			got := w.carried()
			for host, want := range c.want {
				if has, asked := got[host]; !asked || has != want {
					t.Errorf("%s: asked %v with %q, want %q", host, asked, has, want)
				}
			}
			for host, has := range got {
				if want, ours := c.want[host]; !ours && strings.HasPrefix(name, "another") && strings.Contains(has, hubToken) {
					t.Errorf("%s got the Hub token, want %q", host, want)
				}
			}
		})
	}
}

func TestClosedReachesServicesOnly(t *testing.T) {
	w := newWeb(plain)
	err := ask(t, open(t, w, t.TempDir()), "https://example.org/")
	var f *fetch.Error
	if !errors.As(err, &f) || f.Kind != fetch.Blocked || len(w.carried()) > 0 {
		t.Errorf("%v", err)
	}
}

// What one run has looked up answers the next, also without a network.
func TestKeptAnswers(t *testing.T) {
	w, dir, cache := newWeb(plain), t.TempDir(), t.TempDir()
	const page = "https://huggingface.co/docs/x"
	for name, variables := range map[string][]string{"usual": nil, "elsewhere": {"ML_INTERN_RESEARCH_CACHE=" + cache}} {
		if err := ask(t, open(t, w, dir, variables...), page); err != nil || len(w.carried()) != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if err := ask(t, open(t, w, dir, append(variables, "ML_INTERN_RESEARCH_OFFLINE=1")...), page); err != nil {
			t.Errorf("%s, offline: %v", name, err)
		}
		err := ask(t, open(t, w, dir, append(variables, "ML_INTERN_RESEARCH_OFFLINE=1")...), page+"/other")
		var f *fetch.Error
		if !errors.As(err, &f) || f.Kind != fetch.Network || !strings.Contains(err.Error(), page+"/other") {
			t.Errorf("%s, offline: %v", name, err)
		}
		if got := w.carried(); len(got) > 0 {
			t.Errorf("%s, offline: asked %v", name, got)
		}
	}
	if files, err := filepath.Glob(filepath.Join(cache, "*")); err != nil || len(files) == 0 {
		t.Errorf("the cache that was named is empty: %v", err)
	}
}

func TestAllTools(t *testing.T) {
	d := open(t, newWeb(plain), t.TempDir())
	made, err := d.Tools()
	if err != nil {
		t.Fatal(err)
	}
	for _, tl := range made.All() {
		if r := tl.Risk(json.RawMessage(`{}`)); !r.ReadOnly() {
			t.Errorf("%s: %+v", tl.Spec().Name, r)
		}
	}
}

// What another Hub's documentation says must not answer for the real one.
func TestEveryHubHasAnIndexOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	for _, hub := range []string{"", "https://one.example", "https://two.example/hub"} {
		var variables []string
		if hub != "" {
			variables = append(variables, "HF_ENDPOINT="+hub)
		}
		made, err := open(t, newWeb(plain), dir, variables...).Tools()
		if err != nil {
			t.Fatal(err)
		}
		r, err := made.FetchDocs.Run(t.Context(), &tooltest.Env{}, json.RawMessage(`{"url":"trl/sft_trainer"}`))
		if err != nil || !r.OK {
			t.Fatalf("%s: %v %s", hub, err, r.Output)
		}
	}
	var found []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if name := filepath.Base(path); strings.HasPrefix(name, "docs") && strings.HasSuffix(name, ".db") {
			found = append(found, name)
		}
		return err
	})
	if err != nil || len(found) != 3 || !slices.Contains(found, "docs.db") {
		t.Errorf("%v %q", err, found)
	}
}

// An audit within a session reads the workspace, not what a link in it leads to.
func TestAuditStaysInTheWorkspace(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	const row = `{"text":"the quick brown fox jumps over the lazy dog"}` + "\n"
	for _, path := range []string{filepath.Join(outside, "far.jsonl"), filepath.Join(dir, "near.jsonl")} {
		if err := os.WriteFile(path, []byte(row), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "far.jsonl"), filepath.Join(dir, "link.jsonl")); err != nil {
		t.Skip(err)
	}
	made, err := open(t, newWeb(plain), dir).Tools()
	if err != nil {
		t.Fatal(err)
	}
	for path, ok := range map[string]bool{
		"./near.jsonl": true, filepath.Join(dir, "near.jsonl"): true, "./link.jsonl": false, filepath.Join(outside, "far.jsonl"): false, "../" + filepath.Base(outside) + "/far.jsonl": false,
	} {
		r, err := made.Audit.Run(t.Context(), &tooltest.Env{}, json.RawMessage(`{"dataset":"`+path+`"}`))
		if err != nil || r.OK != ok {
			t.Errorf("%s: %v %v %s", path, err, r.OK, r.Output)
		}
	}
}

// Who waits for a tokenizer that another session loads can be stopped, and so
// can who wants another one.
func TestTokenizersBlockNobody(t *testing.T) {
	asked := make(chan struct{}, 8)
	d := open(t, newWeb(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "slow") {
			asked <- struct{}{}
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, `{"model":{"type":"WordLevel","vocab":{"a":0}}}`)
	}), t.TempDir())
	first, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _, _, _ = d.Tokenizer(first, "acme/slow") })
	<-asked
	second, leave := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, tool.ErrInterrupt)
	defer leave()
	for id, ctx := range map[string]context.Context{"acme/slow": second, "acme/other": t.Context()} {
		begun := time.Now()
		_, _, _ = d.Tokenizer(ctx, id)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: after %v", id, took)
		}
	}
	stop()
	all.Wait()
}
