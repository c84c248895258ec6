package meaning_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/meaning"
)

func TestOf(t *testing.T) {
	for _, c := range []struct{ tool, args, want string }{
		{"bash", `{"command":"ls -l\n| wc","timeout":5}`, "ls -l | wc"},
		{"bash", `{"command":"ls","description":"count the files"}`, "count the files"},
		{"read", `{"path":"a.py","offset":120}`, "a.py 120"},
		{"write", `{"path":"a.py","content":"one\ntwo\n"}`, "a.py (2 lines)"},
		{"write", `{"path":"a.py"}`, "a.py"},
		{"edit", `{"path":"a.py","old_str":"x"}`, "a.py"},
		{"web_fetch", `{"url":"https://a.example"}`, "https://a.example"},
		{"research", `{"task":"find it","context":"here"}`, "find it"},
		{"plan_tool", `{"todos":[{},{}]}`, "2 steps"},
		{"plan_tool", `{"todos":[]}`, ""},
		{"hf_jobs", `{"operation":"run","hardware_flavor":"a10g-small","script":"print()","name":"x"}`, "run a10g-small x"},
		{"hf_jobs", `{"operation":"cancel","job_id":"j1"}`, "cancel j1"},
		{"hf_papers", `{"operation":"read_paper","arxiv_id":"2402.03300"}`, "read_paper 2402.03300"},
		{"notify", `{"destinations":["a","b"],"title":null,"message":"done"}`, "a, b done"},
		{"hf_repo_git", `{"operation":"merge_pr","repo_id":"me/x","pr_num":4,"confirm":true}`, "merge_pr me/x 4"},
		{"hf_model_inspect", `{"other":1}`, `{"other":1}`},
		{"mcp__x__y", `{ "a" : [1, 2] }`, `{"a":[1,2]}`},
		{"mcp__x__y", `{}`, ""},
		{"mcp__x__y", `null`, ""},
		{"mcp__x__y", `not json`, "not json"},
		{"bash", `"only text"`, ""},
		{"bash", "{\"command\":\"a\\u001b[31mb\\u0007\"}", "ab"},
		{"mcp__x__y", `{"a":"` + strings.Repeat("word ", 30) + `"}`, `{"a":"` + strings.TrimSpace(strings.Repeat("word ", 15)) + `…`},
	} {
		if got := meaning.Of(c.tool, json.RawMessage(c.args)); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.tool, c.args, got, c.want)
		}
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		tool, output   string
		added, removed int
		ok             bool
	}{
		{"edit", "Edited a\n--- a\n+++ a\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n+more", 2, 1, true},
		{"edit", "--- a\n+++ a\n@@ -1 +1 @@\n-x", 0, 1, true},
		{"edit", "Edited a\n--- a\n+++ a\n@@ -1 +1 @@\n-x\n… (the diff goes on)", 0, 0, false},
		{"edit", "Edited a", 0, 0, false},
		{"edit", "+ not\n- a diff", 0, 0, false},
		{"bash", "--- a\n+++ a\n@@ -1 +1 @@\n-x", 0, 0, false},
	} {
		added, removed, ok := meaning.Diff(c.tool, c.output)
		if added != c.added || removed != c.removed || ok != c.ok {
			t.Errorf("%q: +%d -%d %v", c.output, added, removed, ok)
		}
	}
}

func FuzzOf(f *testing.F) {
	for _, args := range []string{`{"command":"x"}`, `[]`, `{"path":{"a":1}}`, `{"todos":{}}`, `{"operation":"\ud800"}`, "{\"task\":\"\x1b[2J\"}", `{"destinations":[1]}`, strings.Repeat("[", 2000)} {
		for _, tool := range []string{"bash", "write", "plan_tool", "hf_jobs", "notify", "x"} {
			f.Add(tool, args)
		}
	}
	f.Fuzz(func(t *testing.T, tool, args string) {
		got := meaning.Of(tool, json.RawMessage(args))
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\n\t\x1b\r") || utf8.RuneCountInString(got) > 2000 {
			t.Fatalf("%q", got)
		}
		if added, removed, ok := meaning.Diff(tool, args); !ok && added+removed > 0 || added < 0 || removed < 0 {
			t.Fatalf("+%d -%d", added, removed)
		}
	})
}
