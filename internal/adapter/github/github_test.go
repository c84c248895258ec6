package github_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

func client(t *testing.T, s *lookuptest.Server) *github.Client {
	t.Helper()
	c, err := github.New(github.Options{Fetch: s.Client(), Authorised: func() bool { return !s.Anonymous }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func kind(t *testing.T, err error) *fetch.Error {
	t.Helper()
	var f *fetch.Error
	if !errors.As(err, &f) {
		t.Fatalf("%v is no look-up error", err)
	}
	return f
}

// Acceptance check 35: a limit is told at once, with the time of its end.
func TestCheck35_Limits(t *testing.T) {
	for _, anonymous := range []bool{false, true} {
		s := lookuptest.New(t)
		s.Anonymous = anonymous
		reset := time.Now().Add(40 * time.Minute).Truncate(time.Second)
		const primary = `{"message":"API rate limit exceeded for 203.0.113.7."}`
		s.Answer("/github/repos/a/primary", 403, primary, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
		s.Answer("/github/repos/a/secondary", 403, `{"message":"You have exceeded a secondary rate limit."}`, "Retry-After", "77")
		s.Answer("/github/repos/a/words", 403, `{"message":"You have exceeded a secondary rate limit."}`)
		s.Answer("/github/repos/a/forbidden", 403, `{"message":"Resource not accessible"}`)
		c := client(t, s)
		begun := time.Now()
		_, _, err := c.Repo(t.Context(), "a/primary")
		e := kind(t, err)
		if e.Kind != fetch.RateLimited || !strings.Contains(e.Error(), reset.UTC().Format(time.RFC3339)) || e.Wait < 39*time.Minute {
			t.Errorf("primary: %v (wait %v)", e, e.Wait)
		}
		used := "; a token was used"
		if anonymous {
			used = "no token was used"
		}
		if !strings.Contains(e.Error(), used) || !strings.Contains(c.Advice(err), "GITHUB_TOKEN") {
			t.Errorf("primary: %v %s", e, c.Advice(err))
		}
		_, _, err = c.Repo(t.Context(), "a/secondary")
		if e := kind(t, err); e.Kind != fetch.RateLimited || e.Wait != 77*time.Second || !strings.Contains(e.Error(), "77 s") {
			t.Errorf("secondary: %v", e)
		}
		_, _, err = c.Repo(t.Context(), "a/words")
		if e := kind(t, err); e.Kind != fetch.RateLimited {
			t.Errorf("words: %v", e)
		}
		_, _, err = c.Repo(t.Context(), "a/forbidden")
		if e := kind(t, err); e.Kind != fetch.Unauthorized {
			t.Errorf("forbidden: %v", e)
		}
		if d := time.Since(begun); d > 2*time.Second {
			t.Errorf("it took %v: it has waited", d)
		}
	}
}

func TestRecordedErrors(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/github/repos/a/limit", 403, "gh-error-403-rate-limit.json", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1790000000")
	s.File("/github/repos/a/second", 403, "gh-error-403-secondary.json", "Retry-After", "60")
	s.File("/github/repos/a/token", 401, "gh-error-401.json")
	s.File("/github/repos/a/none", 404, "gh-error-404.json")
	s.File("/github/repos/a/empty/git/trees/HEAD", 409, "gh-error-409-empty-repo.json")
	c := client(t, s)
	for name, want := range map[string]fetch.Kind{"limit": fetch.RateLimited, "second": fetch.RateLimited, "token": fetch.Unauthorized, "none": fetch.NotFound} {
		_, _, err := c.Repo(t.Context(), "a/"+name)
		if e := kind(t, err); e.Kind != want || c.Advice(err) == "" {
			t.Errorf("%s: %v, advice %q", name, e, c.Advice(err))
		}
	}
	_, _, err := c.Tree(t.Context(), "a/empty", "HEAD", true)
	if e := kind(t, err); e.Kind != fetch.NotFound || !strings.Contains(e.Error(), "empty") {
		t.Errorf("empty: %v", e)
	}
}

func TestContent(t *testing.T) {
	s := lookuptest.New(t)
	text := strings.Repeat("line\n", 50)
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	s.Answer("/github/repos/o/r/contents/a%20b/c%23d.py", 200, fmt.Sprintf(`{"type":"file","path":"a b/c#d.py","size":250,"encoding":"base64","content":%q}`, encoded[:60]+"\n"+encoded[60:]+"\n"))
	s.Answer("/github/repos/o/r/contents/dir", 200, `[{"name":"x","type":"dir"},{"name":"y.py","type":"file","size":3}]`)
	s.Answer("/github/repos/o/r/contents", 200, ` []`)
	s.Answer("/github/repos/o/r/contents/link", 200, `{"type":"symlink","path":"link","target":"../y"}`)
	s.Answer("/github/repos/o/r/contents/bad", 200, `{"type":"file","size":4,"encoding":"base64","content":"%%%"}`)
	s.Answer("/github/repos/o/r/contents/html", 200, `<html>`)
	s.Handle("/github/repos/o/r/contents/big", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "application/vnd.github.raw" {
			_, _ = w.Write([]byte("raw text"))
			return
		}
		_, _ = w.Write([]byte(`{"type":"file","size":3000000,"encoding":"none","content":""}`))
	})
	c := client(t, s)
	file, err := c.Content(t.Context(), "o/r", "a b/c#d.py", "v1")
	if err != nil || string(file.Data) != text || file.File.Path != "a b/c#d.py" {
		t.Errorf("%+v, %v", file, err)
	}
	dir, err := c.Content(t.Context(), "o/r", "dir", "")
	if err != nil || len(dir.Entries) != 2 || dir.Entries[1].Size != 3 {
		t.Errorf("%+v, %v", dir, err)
	}
	if root, err := c.Content(t.Context(), "o/r", "", ""); err != nil || root.Entries == nil {
		t.Errorf("%+v, %v", root, err)
	}
	if link, err := c.Content(t.Context(), "o/r", "link", ""); err != nil || link.File.Target != "../y" || link.Data != nil {
		t.Errorf("%+v, %v", link, err)
	}
	if big, err := c.Content(t.Context(), "o/r", "big", ""); err != nil || string(big.Data) != "raw text" {
		t.Errorf("%+v, %v", big, err)
	}
	for _, path := range []string{"bad", "html"} {
		_, err := c.Content(t.Context(), "o/r", path, "")
		if e := kind(t, err); e.Kind != fetch.Parse {
			t.Errorf("%s: %v", path, e)
		}
	}
	first := s.Requests("/github")[0]
	if first.Query.Get("ref") != "v1" || first.Header.Get("Accept") != "application/vnd.github+json" || first.Header.Get("X-GitHub-Api-Version") == "" ||
		first.Header.Get("Authorization") != "Bearer "+lookuptest.GitHubToken {
		t.Errorf("%+v", first)
	}
}

func TestSearchAndThreads(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/github/search/issues", 200, `{"total_count":3,"items":[{"number":4,"title":"t","labels":[{"name":"bug"}],"user":null,"pull_request":{}}]}`)
	s.Answer("/github/search/commits", 200, `{"total_count":1,"items":[{"sha":"abc","commit":{"message":"m","author":{"name":"n","date":"2026-01-02T03:04:05Z"}}}]}`)
	s.Answer("/github/repos/o/r/issues/4", 200, `{"number":4,"title":"t","comments":1}`)
	s.Answer("/github/repos/o/r/issues/4/comments", 200, `[{"user":{"login":"u"},"author_association":"OWNER","body":"b"}]`)
	c := client(t, s)
	issues, _, err := c.SearchIssues(t.Context(), github.Query{Text: "x repo:o/r", Limit: 7, Sort: "updated", Order: "desc"})
	if err != nil || issues.Total != 3 || issues.Items[0].Pull == nil || issues.Items[0].Labels[0].Name != "bug" {
		t.Errorf("%+v, %v", issues, err)
	}
	if r := s.Requests("/github/search")[0]; r.Query.Encode() != "order=desc&per_page=7&q=x+repo%3Ao%2Fr&sort=updated" || !strings.Contains(r.Header.Get("Accept"), "text-match") {
		t.Errorf("%+v", r)
	}
	if commits, _, err := c.SearchCommits(t.Context(), github.Query{Text: "m"}); err != nil || commits.Items[0].Commit.Author.Date.Year() != 2026 {
		t.Errorf("%+v, %v", commits, err)
	}
	if issue, _, err := c.Issue(t.Context(), "o/r", 4); err != nil || issue.Comments != 1 {
		t.Errorf("%+v, %v", issue, err)
	}
	if list, _, err := c.Comments(t.Context(), "o/r", 4, 1); err != nil || list[0].Role != "OWNER" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestCancel(t *testing.T) {
	s := lookuptest.New(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := client(t, s).Repo(ctx, "o/r"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPlaces(t *testing.T) {
	for in, want := range map[string]github.Place{
		"https://github.com/o/r":                                               {Repo: "o/r"},
		"github.com/o/r.git":                                                   {Repo: "o/r"},
		"https://github.com/o/r/blob/main/a/b.py#L10-L40":                      {Repo: "o/r", Ref: "main", Path: "a/b.py", From: 10, To: 40},
		"https://github.com/o/r/blob/main/a/b.py#L7":                           {Repo: "o/r", Ref: "main", Path: "a/b.py", From: 7, To: 7},
		"https://github.com/o/r/blob/main/b.py#L3C1-L9C2":                      {Repo: "o/r", Ref: "main", Path: "b.py", From: 3, To: 9},
		"https://github.com/o/r/tree/v1/a%20b":                                 {Repo: "o/r", Ref: "v1", Path: "a b"},
		"https://raw.githubusercontent.com/o/r/v1/a/b.py":                      {Repo: "o/r", Ref: "v1", Path: "a/b.py"},
		"https://raw.githubusercontent.com/o/r/refs/heads/main/b.py":           {Repo: "o/r", Ref: "main", Path: "b.py"},
		"https://github.com/o/r/raw/refs/tags/v2/b.py":                         {Repo: "o/r", Ref: "v2", Path: "b.py"},
		"https://api.github.com/repos/o/r/contents/a/b.py?ref=dev":             {Repo: "o/r", Ref: "dev", Path: "a/b.py"},
		"https://github.com/o/r/issues/12":                                     {Repo: "o/r", Number: 12},
		"https://github.com/o/r/pull/13#issuecomment-99":                       {Repo: "o/r", Number: 13},
		"https://github.com/o/r/blob/main/b.py#L99999999999999999999-L5":       {Repo: "o/r", Ref: "main", Path: "b.py"},
		"https://github.com/o/r/blob/main/docs/a.md?plain=1#installing-things": {Repo: "o/r", Ref: "main", Path: "docs/a.md"},
	} {
		got, ok, err := github.ParseURL(in)
		if !ok || err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %+v, %v, %v", in, got, ok, err)
		}
	}
	for _, bad := range []string{"https://evil.test/o/r", "https://github.com/o", "https://github.com/../..", "https://github.com/o/r/blob/main/a/%2e%2e/b", "https://github.com.evil.test/o/r"} {
		if p, ok, err := github.ParseURL(bad); !ok || err == nil {
			t.Errorf("%s: %+v", bad, p)
		}
	}
	if _, ok, _ := github.ParseURL("o/r"); ok {
		t.Error("a name is no address")
	}
	for in, want := range map[string]string{"trl": "huggingface/trl", "o/r": "o/r", " /o/r/ ": "o/r", "https://github.com/o/r/tree/main/x": "o/r"} {
		if got, err := github.ParseRepo(in, "huggingface"); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "trl", "a/b/c", "a b/c", "../x", "o/..", "o/r?x=1", "o/r#x", "o/ä"} {
		if got, err := github.ParseRepo(bad, ""); err == nil || !strings.Contains(err.Error(), "owner/repo") {
			t.Errorf("%q: %s, %v", bad, got, err)
		}
	}
	for in, want := range map[string]string{"huggingface": "huggingface", "@a-b": "a-b", "https://github.com/x/y": "x"} {
		if got, err := github.ParseOwner(in); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	if _, err := github.ParseOwner("a b"); err == nil {
		t.Error("a blank in an owner")
	}
	for _, bad := range []string{"../x", "a/../b", "a/./b", "a\x00b", strings.Repeat("a", 5000)} {
		if github.CheckPath(bad) == nil {
			t.Errorf("%q is a path", bad[:min(len(bad), 20)])
		}
	}
}

func FuzzPlaces(f *testing.F) {
	f.Add("https://github.com/o/r/blob/main/a/b.py#L10-L40")
	f.Add("https://raw.githubusercontent.com/o/r/refs/heads/main/b.py")
	f.Fuzz(func(t *testing.T, s string) {
		p, ok, err := github.ParseURL(s)
		if ok && err == nil {
			if again, err := github.ParseRepo(p.Repo, ""); err != nil || again != p.Repo || github.CheckPath(p.Path) != nil || p.From > 0 && p.To == 0 {
				t.Errorf("%q: %+v", s, p)
			}
		}
	})
}
