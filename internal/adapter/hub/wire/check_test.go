package wire_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Acceptance check 36: names that could lead elsewhere are refused, and the
// field is named.
func TestCheck36_NamesAreChecked(t *testing.T) {
	sha := strings.Repeat("0a", 20)
	hash := func(field, s string) error { return wire.CheckHash(field, s, 40) }
	for _, k := range []struct {
		field string
		check func(field, s string) error
		good  []string
		bad   []string
	}{
		{
			"repo_id", wire.CheckRepoID,
			[]string{"gpt2", "bob/m1", "a/b_c.d-e", "HF/" + strings.Repeat("x", 96)},
			[]string{"", "a/b/c", "x/../../settings", "../x", "a//b", "/a", "a/", "a/b--c", "a/..", "a/b.git", "a/-b", "a/b.", "a/b c", "a/b?x", "a/b#x", "a/b%2f", "a/ü", "a/" + strings.Repeat("x", 97), "."},
		},
		{"repo_id", wire.CheckFullRepoID, []string{"bob/m1"}, []string{"gpt2", "a/b/c"}},
		{"namespace", wire.CheckNamespace, []string{"acme", "a-b_c"}, []string{"", "a/b", "a.b", "..", strings.Repeat("x", 65)}},
		{"job_id", wire.CheckJobID, []string{"66aa00000000000000000001"}, []string{"", "a/b", "../x", "a?b"}},
		{
			"path", wire.CheckPath,
			[]string{"x", "a/b.txt", "ü ?#%.md", ".gitattributes"},
			[]string{"", "../x", "/x", "a/../b", "a//b", "a/", "./a", ".git/config", "a/.GIT/b", "a\x00b", "a\nb", "\xff"},
		},
		{
			"revision", wire.CheckRevision,
			[]string{"main", "refs/pr/1", "feat/x", sha, "HEAD", "v1.0"},
			[]string{"", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[b", `a\b`, "a@{b", "@", "-a", "a.", "a/.b", "a//b", "/a", "a/", "a.lock", "a\tb", strings.Repeat("x", 245)},
		},
		{"branch", wire.CheckBranch, []string{"main", "feat/x", "refs/pr/12"}, []string{"a..b", "HEAD", "refs/heads/x", "refs/pr/x"}},
		{"tag", wire.CheckTag, []string{"v1"}, []string{"refs/pr/1", "HEAD", "a b"}},
		{"label", wire.CheckLabel, []string{"ml-intern-req", "a.b_c"}, []string{"", "a b", "a=b", strings.Repeat("x", 101)}},
		{"key", wire.CheckKey, []string{"HF_TOKEN", "a1"}, []string{"", "1a", "_a", "A-B"}},
		{"commit", hash, []string{sha}, []string{"", "main", strings.ToUpper(sha), sha + "0"}},
		{"slug", wire.Check, []string{"a-b", "a b"}, []string{"", "..", "a\nb", "\xff"}},
	} {
		for _, s := range k.good {
			if err := k.check(k.field, s); err != nil {
				t.Errorf("%s %q: %v", k.field, s, err)
			}
		}
		for _, s := range k.bad {
			if err := k.check(k.field, s); !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), k.field) {
				t.Errorf("%s %q: %v", k.field, s, err)
			}
		}
	}
	if wire.CheckType("type", "bucket") == nil || wire.CheckType("type", wire.Space) != nil {
		t.Error("types")
	}
}

func TestRoutes(t *testing.T) {
	for want, got := range map[string]string{
		"/api/models/bob/m1/tree/refs%2Fpr%2F1/a%2Fb%20%3F": wire.Model.API("bob/m1", "tree", "refs/pr/1", "a/b ?"),
		"/datasets/bob/d/resolve/main/x":                    wire.Dataset.Page("bob/d", "resolve", "main", "x"),
		"/gpt2/raw/main/x":                                  wire.Model.Page("gpt2", "raw", "main", "x"),
		"/api/%C3%BC":                                       wire.Path("api", "ü"),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Whatever is accepted as a name stays the one segment, or the few, that it is.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"bob/m1", "../x", "a..b", "refs/pr/1", "a%2f..%2fb", "x/../../settings", "a\x00", ".git", "ü/é", "a/b?c#d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if wire.CheckRepoID("id", s) == nil {
			if p := wire.Model.API(s); p != "/api/models/"+s || strings.Contains(p, "..") || strings.Count(s, "/") > 1 {
				t.Errorf("id %q leads to %q", s, p)
			}
		}
		for _, check := range []func(string, string) error{wire.CheckPath, wire.CheckRevision, wire.CheckBranch, wire.CheckTag, wire.CheckJobID, wire.CheckNamespace} {
			if check("x", s) != nil {
				continue
			}
			for _, part := range strings.Split(s, "/") {
				if part == ".." || part == "." || part == "" {
					t.Errorf("%q was accepted", s)
				}
			}
			u, err := url.Parse("https://hub.test" + wire.Path("api", s, "end"))
			if err != nil || u.Host != "hub.test" || u.RawQuery != "" || u.Fragment != "" || u.Path != "/api/"+s+"/end" {
				t.Errorf("%q leads to %v, %v", s, u, err)
			}
			if strings.Count(u.EscapedPath(), "/") != 3 {
				t.Errorf("%q is more than one segment: %s", s, u.EscapedPath())
			}
		}
	})
}
