package github_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/github"
)

type maker func(github.Options) (tool.Tool, error)

func open(t *testing.T, s *lookuptest.Server, make maker) tool.Tool {
	t.Helper()
	c, err := api.New(api.Options{Fetch: s.Client(), Authorised: func() bool { return !s.Anonymous }})
	if err != nil {
		t.Fatal(err)
	}
	tl, err := make(github.Options{Client: c})
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

// run runs a call and checks what holds for every result.
func run(t *testing.T, s *lookuptest.Server, make maker, args string) tool.Result {
	t.Helper()
	env := &tooltest.Env{}
	r, err := open(t, s, make).Run(t.Context(), env, json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Output, lookuptest.GitHubToken) {
		t.Errorf("the token is in the output: %s", r.Output)
	}
	if r.OK && !strings.Contains(r.Output, "[S1] https://") && len(env.Sources()) > 0 {
		t.Errorf("the result is not cited: %s", r.Output)
	}
	return r
}

// file is GitHub's answer for a file.
func file(path, text string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	var lines []string
	for len(encoded) > 60 {
		lines, encoded = append(lines, encoded[:60]), encoded[60:]
	}
	raw, _ := json.Marshal(map[string]any{
		"type": "file", "path": path, "size": len(text), "encoding": "base64", "content": strings.Join(append(lines, encoded), "\n"),
		"sha": "0123456789abcdef",
	})
	return string(raw)
}

// tree is GitHub's answer for a tree.
func tree(truncated bool, paths ...string) string {
	type entry struct {
		Path string `json:"path"`
		Type string `json:"type"`
		SHA  string `json:"sha"`
		Size int    `json:"size,omitempty"`
	}
	var all []entry
	for _, p := range paths {
		e := entry{p, "blob", "abcdef0123456789", 100}
		if d, ok := strings.CutSuffix(p, "/"); ok {
			e = entry{Path: d, Type: "tree", SHA: "tree-" + strings.ReplaceAll(d, "/", "-")}
		}
		all = append(all, e)
	}
	raw, _ := json.Marshal(map[string]any{"sha": "root", "tree": all, "truncated": truncated})
	return string(raw)
}

func has(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%s", w, text)
		}
	}
}

func lacks(t *testing.T, text string, unwanted ...string) {
	t.Helper()
	for _, w := range unwanted {
		if strings.Contains(text, w) {
			t.Errorf("%q is in:\n%s", w, text)
		}
	}
}

func TestConformance(t *testing.T) {
	plant := func(t *testing.T) *lookuptest.Server {
		s := lookuptest.New(t)
		s.Answer("/github/search/repositories", 200, `{"total_count":1,"items":[{"full_name":"o/r","stargazers_count":3}]}`)
		s.Answer("/github/search/issues", 200, `{"total_count":1,"items":[{"number":3,"title":"t","html_url":"https://github.com/o/r/issues/3"}]}`)
		s.Answer("/github/repos/o/r/git/trees/HEAD", 200, tree(false, "examples/a.py"))
		s.Answer("/github/repos/o/r/contents/examples/a.py", 200, file("examples/a.py", "print(1)\n"))
		s.Answer("/github/repos/o/r/contents/long.txt", 200, file("long.txt", strings.Repeat(strings.Repeat("x", 99)+"\n", 3000)))
		s.Handle("/github/repos/o/r/contents/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		return s
	}
	for name, c := range map[string]struct {
		make  maker
		bytes int
		test  tooltest.Case
	}{
		"github_list_repos": {github.NewListRepos, 520, tooltest.Case{
			Params: github.ListRepos{}, Good: `{"owner":"o"}`,
			Bad: map[string]string{`{"owner":"a b"}`: "owner", `{"owner":"o","sort":"size"}`: "sort", `{"owner":"o","limit":101}`: "limit", `{"owner":"o","order":"x"}`: "order"},
		}},
		"github_find_examples": {github.NewFindExamples, 520, tooltest.Case{
			Params: github.FindExamples{}, Good: `{"repo":"o/r"}`,
			Bad: map[string]string{`{"repo":"a/b/c"}`: "repo must be", `{"repo":"o/r","min_score":101}`: "min_score", `{"repo":"o/r","max_results":-1}`: "max_results"},
		}},
		"github_read_file": {github.NewReadFile, 600, tooltest.Case{
			Params: github.ReadFile{}, Good: `{"repo":"o/r","path":"examples/a.py"}`, Slow: `{"repo":"o/r","path":"slow"}`,
			Large: `{"repo":"o/r","path":"long.txt","line_start":1}`,
			Bad:   map[string]string{`{"repo":"trl","path":"x"}`: "Error: repo must be in format 'owner/repo'", `{"repo":"o/r","path":"../x"}`: "path", `{"repo":"o/r","path":"x","ref":"a b"}`: "ref", `{"repo":"o/r","path":"https://evil.test/x"}`: "path"},
		}},
		"github_search": {github.NewSearch, 650, tooltest.Case{
			Params: github.Search{}, Good: `{"kind":"issues","query":"x"}`,
			Bad: map[string]string{`{"kind":"wiki","query":"x"}`: "kind", `{"kind":"code"}`: "query", `{}`: "kind is required", `{"kind":"code","query":"x","limit":31}`: "limit", `{"issue":"x"}`: "issue must be", `{"kind":"issues","query":"` + strings.Repeat("x", 257) + `"}`: "query is too long"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.test.New = func(t *testing.T) (tool.Tool, *tooltest.Env) { return open(t, plant(t), c.make), &tooltest.Env{} }
			tooltest.Run(t, c.test)
			spec := open(t, plant(t), c.make).Spec()
			if n := len(spec.Description) + len(spec.Parameters); spec.Name != name || n > c.bytes {
				t.Errorf("%s takes %d bytes of every request, more than %d", spec.Name, n, c.bytes)
			}
			if r := open(t, plant(t), c.make).Risk(nil); !r.ReadOnly() {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Acceptance check 35: limits are told at once, with the time of their end.
func TestCheck35_RateLimits(t *testing.T) {
	for _, anonymous := range []bool{true, false} {
		s := lookuptest.New(t)
		s.Anonymous = anonymous
		s.Answer("/github/search/repositories", 403, `{"message":"API rate limit exceeded for 203.0.113.7."}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1893456000")
		s.Answer("/github/repos/o/r/contents/a.py", 403, `{"message":"You have exceeded a secondary rate limit."}`, "Retry-After", "61")
		begun := time.Now()
		r := run(t, s, github.NewListRepos, `{"owner":"o"}`)
		has(t, r.Output, "rate_limited", "2030-01-01T00:00:00Z", "GITHUB_TOKEN")
		if used := strings.Contains(r.Output, "no token was used"); r.OK || used != anonymous {
			t.Errorf("%+v", r)
		}
		r = run(t, s, github.NewReadFile, `{"repo":"o/r","path":"a.py"}`)
		has(t, r.Output, "rate_limited", "61 s", "secondary")
		if d := time.Since(begun); d > 3*time.Second || r.OK {
			t.Errorf("it took %v: %+v", d, r)
		}
	}
}

// Acceptance check 35, on what GitHub has answered.
func TestCheck35_RecordedLimits(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/github/search/repositories", 403, "gh-error-403-rate-limit.json", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1893456000")
	s.File("/github/repos/o/r/contents/a.py", 403, "gh-error-403-secondary.json", "Retry-After", "61")
	has(t, run(t, s, github.NewListRepos, `{"owner":"o"}`).Output, "rate_limited", "2030-01-01T00:00:00Z")
	has(t, run(t, s, github.NewReadFile, `{"repo":"o/r","path":"a.py"}`).Output, "rate_limited", "61 s")
}

// Acceptance check 39: a call that is interrupted ends within 100 ms, another
// one is answered meanwhile.
func TestCheck39_Interrupt(t *testing.T) {
	s := lookuptest.New(t)
	hung := make(chan struct{}, 8)
	s.Handle("/github/repos/o/r/contents/slow", func(_ http.ResponseWriter, r *http.Request) {
		hung <- struct{}{}
		<-r.Context().Done()
	})
	s.Answer("/github/repos/o/r/contents/a.py", 200, file("a.py", "print(1)\n"))
	tl := open(t, s, github.NewReadFile)
	tooltest.Interrupted(t, tl, `{"repo":"o/r","path":"slow"}`, hung, func() {
		if other, err := tl.Run(t.Context(), &tooltest.Env{}, json.RawMessage(`{"repo":"o/r","path":"a.py"}`)); err != nil || !other.OK {
			t.Errorf("%+v, %v", other, err)
		}
	})
}
