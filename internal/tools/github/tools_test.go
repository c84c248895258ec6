package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/github"
)

// Acceptance check 32: one search ranks right, with and without a token.
func TestCheck32_ListRepos(t *testing.T) {
	s := lookuptest.New(t)
	s.Anonymous = true
	s.File("/github/search/repositories", 200, "gh-search-repos-by-stars.json")
	r := run(t, s, github.NewListRepos, `{"owner":"huggingface","limit":2}`)
	requests := s.Requests("/github")
	if !r.OK || len(requests) != 1 {
		t.Fatalf("%d requests, %+v", len(requests), r)
	}
	q := requests[0]
	if q.Query.Get("sort") != "stars" || q.Query.Get("q") != "user:huggingface fork:true" || q.Query.Get("per_page") != "2" || q.Header.Get("Authorization") != "" {
		t.Errorf("%+v", q)
	}
	if !strings.HasPrefix(r.Output, "**Found 2 repositories for huggingface:**\n\n1. **huggingface/transformers**\n   ⭐ 155,000 stars | 🍴 31,000 forks | Language: Python\n") {
		t.Error(r.Output)
	}
	has(t, r.Output, "2. **huggingface/peft**", "License: Apache-2.0 | Last push: 2026-08-20", "Topics: audio, deep-learning, deepseek, gemma, llm\n", "Use in tools: {'repo': 'huggingface/peft'}", "The first 2 of 5")
	lacks(t, r.Output, "3. **")
}

func TestListRepos(t *testing.T) {
	s := lookuptest.New(t)
	row := func(name, language string) string {
		return fmt.Sprintf(`{"name":%q,"full_name":"o/%s","language":%q,"description":"a \u001b[31mred\u001b[0m thing","archived":true}`, name, name, language)
	}
	s.Answer("/github/search/repositories", 200, `{"total_count":1,"items":[`+row("x", "Go")+`]}`)
	s.Answer("/github/users/o/repos", 200, `[`+row("new", "Go")+`,`+row("old", "Python")+`]`)
	r := run(t, s, github.NewListRepos, `{"owner":"@o","sort":"forks","order":"asc","query":"tiny","language":"Jupyter Notebook"}`)
	if q := s.Requests("/github")[0].Query; q.Get("q") != `tiny user:o fork:true language:"Jupyter Notebook"` || q.Get("order") != "asc" || q.Get("sort") != "forks" || q.Get("per_page") != "30" {
		t.Error(q)
	}
	has(t, r.Output, "archived", "a [31mred[0m thing")
	r = run(t, s, github.NewListRepos, `{"owner":"o","sort":"created","language":"go"}`) // the other type is tried
	has(t, r.Output, "Found 1 repositories", "o/new")
	lacks(t, r.Output, "o/old")
	if q := s.Requests("/github/users"); len(q) != 1 || q[0].Query.Get("sort") != "created" || q[0].Query.Get("direction") != "desc" {
		t.Errorf("%+v", q)
	}
	s.Answer("/github/search/repositories", 200, `{"total_count":0,"items":[]}`)
	if r := run(t, s, github.NewListRepos, `{"owner":"none"}`); !r.OK || !strings.HasPrefix(r.Output, "No repositories found for none.") {
		t.Errorf("%+v", r)
	}
	s.Answer("/github/search/repositories", 422, `{"message":"Validation Failed","errors":[{"message":"The listed users cannot be searched"}]}`)
	if r := run(t, s, github.NewListRepos, `{"owner":"gone"}`); r.OK || !strings.Contains(r.Output, "not_found") {
		t.Errorf("%+v", r)
	}
}

// By age the owner's own list is read, page by page.
func TestListReposByAge(t *testing.T) {
	s := lookuptest.New(t)
	s.Handle("/github/orgs/o/repos", func(w http.ResponseWriter, r *http.Request) {
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf(`{"full_name":"o/r%s-%d","language":"Go"}`, r.URL.Query().Get("page"), i))
		}
		_, _ = w.Write([]byte("[" + strings.Join(names, ",") + "]"))
	})
	r := run(t, s, github.NewListRepos, `{"owner":"o","sort":"created","query":"r2-99"}`)
	has(t, r.Output, "No repositories", "Only the first 1000 repositories")
	if n := len(s.Requests("/github")); n != 10 {
		t.Errorf("%d requests", n)
	}
}

func TestListReposOfTheRecordedOrganisation(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/github/orgs/huggingface/repos", 200, "gh-org-repos.json")
	r := run(t, s, github.NewListRepos, `{"owner":"huggingface","sort":"created"}`)
	has(t, r.Output, "1. **huggingface/trl**", "huggingface/transformers")
}

func trl(t *testing.T) *lookuptest.Server {
	s := lookuptest.New(t)
	s.File("/github/repos/huggingface/trl/git/trees/HEAD", 200, "gh-tree-trl.json")
	s.File("/github/repos/huggingface/trl/contents/examples/scripts/sft.py", 200, "gh-contents-moved-stub.json")
	s.File("/github/repos/huggingface/trl/contents/trl/scripts/sft.py", 200, "gh-contents-file.json")
	s.File("/github/repos/huggingface/trl/contents/examples/scripts/sft_vlm.py", 200, "gh-contents-file-vlm.json")
	return s
}

// paths are the examples shown.
func paths(text string) []string {
	var out []string
	for l := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(l, ". **"); ok && l[0] >= '1' && l[0] <= '9' {
			name, _, _ := strings.Cut(rest, "**")
			out = append(out, name)
		}
	}
	return out
}

// Acceptance check 33: what fits, scripts first, notes replaced by what they
// point at.
func TestCheck33_FindExamples(t *testing.T) {
	s := trl(t)
	r := run(t, s, github.NewFindExamples, `{"repo":"huggingface/trl","keyword":"dpo"}`)
	if !r.OK || !strings.HasPrefix(r.Output, "**Found ") {
		t.Fatalf("%+v", r)
	}
	script, notebook := -1, 1<<20
	for i, p := range paths(r.Output) {
		if !strings.Contains(p, "dpo") || strings.Contains(p, "ppo") || strings.Contains(p, "gspo") {
			t.Errorf("%s is shown", p)
		}
		if p == "trl/scripts/dpo.py" {
			script = i
		}
		if strings.HasSuffix(p, ".ipynb") {
			notebook = min(notebook, i)
		}
	}
	if script < 0 || script > notebook {
		t.Errorf("trl/scripts/dpo.py is number %d, the first notebook %d", script, notebook)
	}
	r = run(t, s, github.NewFindExamples, `{"repo":"trl","keyword":"sft"}`)
	has(t, r.Output, "1. **trl/scripts/sft.py**", "examples/scripts/sft.py moved to trl/scripts/sft.py", "About: Fine-tune a causal language model on a chat data set.",
		"Imports: SFTConfig, SFTTrainer", "To read, use: {'repo': 'huggingface/trl', 'path': 'trl/scripts/sft.py'}", "URL: https://github.com/huggingface/trl/blob/HEAD/trl/scripts/sft.py", "Ref: 760b968")
	if n := strings.Count(r.Output, "**trl/scripts/sft.py**"); n != 1 {
		t.Errorf("the script is shown %d times", n)
	}
	if n := len(s.Requests("/github/repos/huggingface/trl/git")); n > 2 {
		t.Errorf("%d requests for trees", n)
	}
}

func TestFindExamples(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/github/repos/o/r/git/trees/HEAD", 200, tree(false,
		"README.md", "examples/", "examples/old.py", "examples/__init__.py", "examples/a.png", "examples/conf.yaml", "new/scripts/grpo.py", "examples/grpo_wide.ipynb",
		"tests/examples/test_grpo.py", "src/core.py", "notebooks/tour.ipynb"))
	s.Answer("/github/repos/o/r/contents/examples/old.py", 200, file("examples/old.py", "# This example was moved to new/scripts/grpo.py\n"))
	s.Answer("/github/repos/o/r/contents/new/scripts/grpo.py", 200, file("new/scripts/grpo.py", "# Copyright X\n\"\"\"Group-relative training.\n\nMore.\"\"\"\nfrom trl import (\n    GRPOConfig,\n    GRPOTrainer,\n)\n"))
	r := run(t, s, github.NewFindExamples, `{"repo":"https://github.com/o/r"}`)
	if got := strings.Join(paths(r.Output), " "); got != "examples/grpo_wide.ipynb new/scripts/grpo.py notebooks/tour.ipynb" {
		t.Errorf("%s\n%s", got, r.Output)
	}
	has(t, r.Output, "examples/old.py moved to new/scripts/grpo.py", "About: Group-relative training.", "Imports: GRPOConfig, GRPOTrainer")
	r = run(t, s, github.NewFindExamples, `{"repo":"r","org":"o","keyword":"GRPO","max_results":1}`)
	if got := paths(r.Output); len(got) != 1 || got[0] != "new/scripts/grpo.py" {
		t.Errorf("%v", got)
	}
	has(t, r.Output, "matching 'GRPO':** (showing 1 of 2)")
	has(t, run(t, s, github.NewFindExamples, `{"repo":"o/r","keyword":"conf"}`).Output, "examples/conf.yaml")
	has(t, run(t, s, github.NewFindExamples, `{"repo":"o/r","keyword":"grpo test"}`).Output, "tests/examples/test_grpo.py")
}

// Without a path that fits, the files' text is searched; that takes a token.
func TestFindExamplesInside(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/github/repos/o/r/git/trees/HEAD", 200, tree(false, "examples/a.py"))
	s.Answer("/github/search/code", 200, `{"total_count":1,"items":[{"path":"src/x.py","repository":{"full_name":"o/r"},"text_matches":[{"fragment":"use_liger = True"}]}]}`)
	r := run(t, s, github.NewFindExamples, `{"repo":"o/r","keyword":"liger"}`)
	has(t, r.Output, "none fits", "src/x.py", "use_liger = True")
	if q := s.Requests("/github/search/code"); len(q) != 1 || q[0].Query.Get("q") != "liger repo:o/r" {
		t.Errorf("%+v", q)
	}
	s.Anonymous = true
	r = run(t, s, github.NewFindExamples, `{"repo":"o/r","keyword":"liger"}`)
	has(t, r.Output, "1 files, 1 of them examples", "GITHUB_TOKEN")
	if !r.OK || len(s.Requests("/github/search/code")) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestFindExamplesWithoutRepository(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/github/search/repositories", 200, `{"total_count":1,"items":[{"full_name":"huggingface/trl","stargazers_count":17000,"description":"d"}]}`)
	r := run(t, s, github.NewFindExamples, `{"repo":"trll"}`)
	has(t, r.Output, "not_found", "1. **huggingface/trl** (⭐ 17,000 stars)")
	if q := s.Requests("/github/search"); r.OK || q[0].Query.Get("q") != "org:huggingface trll" || q[0].Query.Get("sort") != "stars" {
		t.Errorf("%+v", q)
	}
	s.Answer("/github/repos/o/empty/git/trees/HEAD", 409, `{"message":"Git Repository is empty."}`)
	if r := run(t, s, github.NewFindExamples, `{"repo":"o/empty"}`); !r.OK || !strings.Contains(r.Output, "empty") {
		t.Errorf("%+v", r)
	}
}

func TestRecordedRefusals(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/github/repos/huggingface/trll/git/trees/HEAD", 404, "gh-error-404.json")
	s.File("/github/repos/o/empty/git/trees/HEAD", 409, "gh-error-409-empty-repo.json")
	s.File("/github/repos/o/r/git/trees/HEAD", 401, "gh-error-401.json")
	s.File("/github/search/repositories", 200, "gh-search-repos.json")
	has(t, run(t, s, github.NewFindExamples, `{"repo":"trll"}`).Output, "not_found", "1. **huggingface/trl** (⭐ 17,000 stars)", "peft")
	has(t, run(t, s, github.NewFindExamples, `{"repo":"o/empty"}`).Output, "empty")
	has(t, run(t, s, github.NewFindExamples, `{"repo":"o/r"}`).Output, "unauthorized", "Bad credentials", "renew GITHUB_TOKEN")
}

// A tree that GitHub cuts off is walked along the promising folders.
func TestFindExamplesInATruncatedTree(t *testing.T) {
	s := lookuptest.New(t)
	s.Handle("/github/repos/o/big/git/trees/HEAD", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("recursive") != "" {
			_, _ = w.Write([]byte(tree(true, "a.txt", "lib/")))
			return
		}
		_, _ = w.Write([]byte(tree(false, "a.txt", "lib/", "examples/")))
	})
	s.Answer("/github/repos/o/big/git/trees/tree-examples", 200, tree(false, "deep/", "deep/sft.py"))
	s.Answer("/github/repos/o/big/git/trees/tree-lib", 200, tree(false, "scripts/", "x.py"))
	s.Answer("/github/repos/o/big/git/trees/tree-lib-scripts", 404, `{}`)
	s.Handle("/github/repos/o/big/git/trees/tree-scripts", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(tree(false, "dpo.py"))) })
	r := run(t, s, github.NewFindExamples, `{"repo":"o/big"}`)
	has(t, r.Output, "examples/deep/sft.py", "lib/scripts/dpo.py", "The list is incomplete")
	if n := len(s.Requests("/github/repos/o/big/git")); n > 21 {
		t.Errorf("%d requests", n)
	}
}

func TestFindExamplesInTheRecordedTruncatedTree(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/github/repos/huggingface/trl/git/trees/HEAD", 200, "gh-tree-truncated.json")
	r := run(t, s, github.NewFindExamples, `{"repo":"trl"}`)
	has(t, r.Output, "incomplete")
	if n := len(s.Requests("/github/repos/huggingface/trl/git")); n > 21 || !r.OK {
		t.Errorf("%d requests, %+v", n, r)
	}
}

// A hostile tree costs at most twenty more requests.
func TestTheWalkIsBounded(t *testing.T) {
	s := lookuptest.New(t)
	n := 0
	s.Handle("/github/repos/o/big/git/trees/HEAD", func(w http.ResponseWriter, _ *http.Request) {
		var dirs []string
		for i := range 500 {
			dirs = append(dirs, fmt.Sprintf("d%d/", i), fmt.Sprintf("d%d/examples/", i))
		}
		_, _ = w.Write([]byte(tree(true, dirs...)))
	})
	for i := range 500 {
		h := func(w http.ResponseWriter, _ *http.Request) { n++; _, _ = w.Write([]byte(tree(true, "a.py"))) }
		s.Handle(fmt.Sprintf("/github/repos/o/big/git/trees/tree-d%d", i), h)
		s.Handle(fmt.Sprintf("/github/repos/o/big/git/trees/tree-d%d-examples", i), h)
	}
	if r := run(t, s, github.NewFindExamples, `{"repo":"o/big"}`); !r.OK || n > 20 {
		t.Errorf("%d requests, %+v", n, r.OK)
	}
}

func TestSearch(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/github/search/code", 200, `{"total_count":9,"items":[{"path":"a.py","repository":{"full_name":"o/r"},"text_matches":[{"fragment":"x = SFTConfig()"}]}]}`)
	s.Answer("/github/search/issues", 200, `{"total_count":1,"items":[{"number":3,"title":"Loss is nan","state":"open","labels":[{"name":"bug"}],"comments":4,"body":"`+strings.Repeat("word ", 200)+`","html_url":"https://github.com/o/r/issues/3"}]}`)
	s.Answer("/github/search/repositories", 200, `{"total_count":0,"items":[]}`)
	s.Answer("/github/search/commits", 200, `{"total_count":1,"items":[{"sha":"abcdef012","html_url":"https://github.com/o/r/commit/abcdef012","commit":{"message":"Fix loss\n\nLong","author":{"name":"A","date":"2026-01-02T00:00:00Z"}},"repository":{"full_name":"o/r"}}]}`)
	r := run(t, s, github.NewSearch, `{"kind":"code","query":"SFTConfig","repo":"o/r","language":"python","path":"trl/scripts","state":"open"}`)
	has(t, r.Output, "**Found 9 pieces of code for 'SFTConfig':** (showing 1)", "Not applied to code: state.", "x = SFTConfig()", `github_read_file {"repo":"o/r","path":"a.py"}`)
	if q := s.Requests("/github/search/code")[0]; q.Query.Get("q") != "SFTConfig repo:o/r language:python path:trl/scripts" || !strings.Contains(q.Header.Get("Accept"), "text-match") {
		t.Errorf("%+v", q)
	}
	r = run(t, s, github.NewSearch, `{"kind":"issues","query":"nan","org":"o","state":"open"}`)
	has(t, r.Output, "1. **Loss is nan** (o/r#3)", "issue | open | labels: bug | comments: 4", `github_search {"issue":"o/r#3"}`)
	if q := s.Requests("/github/search/issues")[0].Query.Get("q"); q != "nan user:o state:open" {
		t.Error(q)
	}
	has(t, run(t, s, github.NewSearch, `{"kind":"repositories","query":"x"}`).Output, "Nothing matches")
	has(t, run(t, s, github.NewSearch, `{"kind":"commits","query":"loss"}`).Output, "1. **Fix loss**", "o/r abcdef0 | 2026-01-02 | A")
	s.Anonymous = true
	if r := run(t, s, github.NewSearch, `{"kind":"code","query":"x"}`); r.OK || !strings.Contains(r.Output, "GITHUB_TOKEN") || len(s.Requests("/github/search/code")) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestSearchOfTheRecordedCode(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/github/search/code", 200, "gh-search-code.json")
	r := run(t, s, github.NewSearch, `{"kind":"code","query":"SFTConfig"}`)
	has(t, r.Output, "1. **trl/scripts/sft.py** in huggingface/trl", "from trl import ModelConfig", "showing 1")
}

func TestThread(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/github/repos/o/r/issues/7", 200, `{"number":7,"title":"T","state":"closed","user":{"login":"u"},"body":"Body","comments":230,"pull_request":{"merged_at":"2026-01-01T00:00:00Z"}}`)
	comment := func(i int, role string) string {
		return fmt.Sprintf(`{"user":{"login":"u%d"},"author_association":%q,"body":"text %d","created_at":"2026-01-%02dT00:00:00Z"}`, i, role, i, i)
	}
	s.Handle("/github/repos/o/r/issues/7/comments", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") == "3" {
			_, _ = w.Write([]byte("[" + comment(20, "NONE") + "," + comment(21, "MEMBER") + "]"))
			return
		}
		_, _ = w.Write([]byte("[" + comment(1, "OWNER") + "," + comment(2, "CONTRIBUTOR") + "]"))
	})
	for _, args := range []string{`{"issue":"o/r#7"}`, `{"issue":"#7","repo":"o/r"}`, `{"issue":"https://github.com/o/r/pull/7"}`, `{"kind":"issues","issue":"7","repo":"o/r"}`} {
		r := run(t, s, github.NewSearch, args)
		has(t, r.Output, "**T** (o/r#7)", "pull request | merged", "Comments (4 of 230", "https://github.com/o/r/pull/7")
		at := -1
		for _, name := range []string{"**u21**", "**u1**", "**u20**", "**u2**"} {
			if next := strings.Index(r.Output, name); next < at {
				t.Errorf("%s is too early:\n%s", name, r.Output)
			} else {
				at = next
			}
		}
	}
	s.Answer("/github/repos/o/r/issues/7/comments", 500, `{"message":"oops"}`)
	if r := run(t, s, github.NewSearch, `{"issue":"o/r#7"}`); !r.OK || !strings.Contains(r.Output, "could not be read") {
		t.Errorf("%+v", r)
	}
}

// Acceptance check 40: whatever is asked, the result stays within its room.
func TestCheck40_Room(t *testing.T) {
	s := lookuptest.New(t)
	var names, rows []string
	for i := range 1500 {
		names = append(names, fmt.Sprintf("examples/%s_%d.py", strings.Repeat("long", 40), i))
	}
	for i := range 100 {
		rows = append(rows, fmt.Sprintf(`{"full_name":"o/r%d","description":%q}`, i, strings.Repeat("ü", 300)))
	}
	fence := strings.Repeat("```\ncode\n", 20000)
	s.Answer("/github/repos/o/r/git/trees/HEAD", 200, tree(false, names...))
	s.Answer("/github/search/repositories", 200, `{"total_count":100,"items":[`+strings.Join(rows, ",")+`]}`)
	s.Answer("/github/repos/o/r/contents/f.md", 200, file("f.md", fence))
	s.Answer("/github/repos/o/r/contents/one.txt", 200, file("one.txt", strings.Repeat("z", 900_000)))
	s.Answer("/github/repos/o/r/issues/1", 200, `{"number":1,"title":"T","comments":1,"body":"`+strings.Repeat("b", 50_000)+`"}`)
	s.Answer("/github/repos/o/r/issues/1/comments", 200, `[{"body":"`+strings.Repeat("c", 50_000)+`"}]`)
	for _, room := range []int{40_000, 8_000, 2_500} {
		for _, c := range []struct {
			make maker
			args string
		}{
			{github.NewFindExamples, `{"repo":"o/r","max_results":200}`},
			{github.NewListRepos, `{"owner":"o","limit":100}`},
			{github.NewReadFile, `{"repo":"o/r","path":"f.md","line_start":1,"line_end":40000}`},
			{github.NewReadFile, `{"repo":"o/r","path":"one.txt"}`},
			{github.NewSearch, `{"issue":"o/r#1"}`},
		} {
			r, err := open(t, s, c.make).Run(t.Context(), &tooltest.Env{Chars: room}, json.RawMessage(c.args))
			if n := len([]rune(r.Output)); err != nil || !r.OK || n > room || n < 1_000 {
				t.Errorf("%s with room for %d: %d characters, %v", c.args, room, n, err)
			}
		}
	}
	r := run(t, s, github.NewReadFile, `{"repo":"o/r","path":"f.md","line_start":1,"line_end":40000}`)
	if strings.Count(r.Output, "````") != 2 {
		t.Error("the fence is not longer than those of the text")
	}
	has(t, r.Output, `"line_start":`, "of 40000")
}
