package neighbour_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

// github asks with a token of GitHub's, which the Hub does not know, and
// further headers.
func (w *world) github(target string, head map[string]string) (int, simtest.Reply) {
	w.Helper()
	r := httptest.NewRequest(http.MethodGet, "/github"+target, nil)
	for k, v := range head {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.Handler.ServeHTTP(rec, r)
	return rec.Code, decoded(rec)
}

func TestGitHubHasTheServicesForm(t *testing.T) {
	w := acme(t, nil)
	const recipes = "/github/repos/acme/recipes"
	for name, target := range map[string]string{
		"gh-repo-trl.json": recipes, "gh-tree-trl.json": recipes + "/git/trees/HEAD?recursive=1", "gh-contents-dir.json": recipes + "/contents/examples/scripts?ref=main",
		"gh-contents-file.json": recipes + "/contents/examples/scripts/sft.py", "gh-contents-notebook.json": recipes + "/contents/examples/notebooks/look_at_rows.ipynb",
		"gh-contents-empty-file.json": "/github/repos/acme/dataset-audit/contents/audit/__init__.py", "gh-org-repos.json": "/github/orgs/acme/repos?per_page=100",
		"gh-search-repos.json": "/github/search/repositories?q=trl",
	} {
		covers(t, name, w.get("", target).Body, recorded(t, "research", name), "_links", "license")
	}
	status, found := w.github("/search/code?q=SFTConfig+repo:acme/recipes+extension:py", map[string]string{"Authorization": "Bearer sim", "Accept": "application/vnd.github.text-match+json"})
	w.Equal(status, 200)
	covers(t, "gh-search-code.json", found.Body, recorded(t, "research", "gh-search-code.json"))
	w.Equal(found.At("items", 0, "path"), "examples/scripts/sft.py")
	w.Equal(found.At("items", 0, "text_matches", 0, "matches", 0, "text"), "SFTConfig")
	status, _ = w.github("/search/code?q=x", nil)
	w.Equal(status, http.StatusUnauthorized)
	status, missing := w.github("/repos/acme/none", nil)
	w.Equal([]any{status, missing.At("message"), missing.At("status")}, []any{404, "Not Found", "404"})
	covers(t, "404", missing.Body, recorded(t, "research", "gh-error-404.json"))
}

func TestGitHubSearches(t *testing.T) {
	w := acme(t, nil)
	names := func(target string) []any { return simtest.Each(w.get("", target).At("items"), "name") }
	w.Equal(names("/github/search/repositories?q=user:acme+fork:true&sort=stars&order=desc&per_page=2"), []any{"recipes", "dataset-audit"})
	w.Equal(names("/github/search/repositories?q=org:acme+spaces"), []any{"space-kit"})
	w.Equal(names("/github/search/repositories?q=user:nobody"), []any{})
	issues := w.get("", "/github/search/issues?q=repo:acme/recipes+is:issue+is:open")
	w.Equal(simtest.Each(issues.At("items"), "number"), []any{7.0})
	w.Equal(w.get("", "/github/repos/acme/recipes/issues/3").At("state"), "closed")
	w.Equal(w.get("", "/github/repos/acme/recipes/issues/3/comments").At(0, "author_association"), "OWNER")
	w.Equal(w.get("", "/github/search/commits?q=x").At("total_count"), 0.0)
	w.Must(http.StatusUnprocessableEntity, "", "GET", "/github/search/repositories?q=", nil)
	w.Must(http.StatusNotFound, "", "GET", "/github/orgs/nobody/repos", nil)
}

func TestGitHubServesFiles(t *testing.T) {
	w := acme(t, nil)
	file := w.get("", "/github/repos/Acme/Recipes/contents/examples/scripts/sft.py")
	text, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Text("content"), "\n", ""))
	if err != nil || !strings.Contains(string(text), "from trl import SFTConfig, SFTTrainer") || float64(len(text)) != file.At("size") {
		t.Errorf("%v %.80s", err, text)
	}
	_, raw := w.github("/repos/acme/recipes/contents/examples/scripts/sft.py", map[string]string{"Accept": "application/vnd.github.raw"})
	w.Equal(string(raw.Raw), string(text))
	w.Equal(string(w.get("", "/github/raw/acme/recipes/main/examples/scripts/sft.py").Raw), string(text))
	w.Equal(w.get("", "/github/repos/acme/recipes/git/blobs/"+file.Text("sha")).At("content"), file.At("content"))
	status, _ := w.github("/repos/acme/recipes/contents/examples/scripts/sft.py", map[string]string{"If-None-Match": file.Header.Get("ETag")})
	w.Equal(status, http.StatusNotModified)
	for _, bad := range []string{"/contents/none.py", "/contents/README.md?ref=nope", "/git/trees/nope", "/readme2"} {
		w.Must(http.StatusNotFound, "", "GET", "/github/repos/acme/recipes"+bad, nil)
	}
	if git, err := exec.LookPath("git"); err == nil {
		cmd := exec.Command(git, "hash-object", "--stdin")
		cmd.Stdin = strings.NewReader(string(text))
		out, err := cmd.Output()
		if err != nil || strings.TrimSpace(string(out)) != file.Text("sha") {
			t.Errorf("git says %s (%v), we say %s", out, err, file.Text("sha"))
		}
	}
	tree := w.get("", "/github/repos/acme/recipes/git/trees/main")
	for _, e := range tree.At("tree").([]any) {
		if simtest.At(e, "path") == "examples" {
			below := w.get("", "/github/repos/acme/recipes/git/trees/"+simtest.At(e, "sha").(string))
			w.Equal(simtest.Each(below.At("tree"), "path"), []any{"notebooks", "scripts"})
		}
	}
}
