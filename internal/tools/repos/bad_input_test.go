package repos_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/repos"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

// secret is what the tools of these tests take for one.
const secret = "hf_" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// both are the two tools in front of a simulator.
func both(t *testing.T) (*stagetest.Stage, string, map[string]tool.Tool) {
	t.Helper()
	s := stagetest.Sockets(t, false)
	c, dir := s.Client(stagetest.Bob), t.TempDir()
	here, err := local.New(local.Options{Dir: dir, Root: dir, SpillDir: func(string) string { return dir }})
	if err != nil {
		t.Fatal(err)
	}
	o := repos.Options{
		Repos: c.Repos, Commits: c.Commits, Discussions: c.Discussions, Endpoint: s.Base(), Workspace: here.Open, Root: dir,
		User: func(ctx context.Context) (string, error) {
			who, err := c.Account.Whoami(ctx)
			if err != nil {
				return "", err
			}
			return who.Name, nil
		},
		HasSecret: func(text string) string {
			if strings.Contains(text, secret) {
				return "hf token"
			}
			return ""
		},
	}
	files, err := repos.NewFiles(o)
	if err != nil {
		t.Fatal(err)
	}
	git, err := repos.NewGit(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir, map[string]tool.Tool{"hf_repo_files": files, "hf_repo_git": git}
}

// call resolves and runs a call.
func call(t *testing.T, one tool.Tool, args string) tool.Result {
	t.Helper()
	resolved, err := one.(tool.Resolver).Resolve(t.Context(), json.RawMessage(args))
	if err != nil {
		return tool.Failed(err.Error())
	}
	r, err := one.Run(t.Context(), &tooltest.Env{Session: "s", Call: "c"}, resolved)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What cannot be a name, a number or a text of the Hub is refused with the name
// of its field, and so is a secret in what others see: nothing is asked of the
// Hub. Acceptance checks 33 and 36 of the acting tools' and the Hub's contracts.
func TestBadInputIsRefusedBeforeAnyRequest(t *testing.T) {
	s, _, tools := both(t)
	long := strings.Repeat("a", 70_000)
	type bad struct {
		tool, field string
		args        map[string]any
	}
	var all []bad
	files := func(field string, args map[string]any) { all = append(all, bad{"hf_repo_files", field, args}) }
	git := func(field string, args map[string]any) { all = append(all, bad{"hf_repo_git", field, args}) }
	with := func(base map[string]any, name string, value any) map[string]any {
		out := map[string]any{name: value}
		for k, v := range base {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	list := map[string]any{"operation": "list", "repo_id": "mine"} // an id that has to be completed by a request
	upload := map[string]any{"operation": "upload", "repo_id": "mine", "path": "a.txt", "content": "x"}
	for _, id := range []string{
		"x/../../settings", "x/../../y", "a%2fb", "a%2Fb", "../x", "..", ".", "a/b/c", "/a", "a/", "a b", "a\nb", "a\x00b", "bоb/x", "ｂob/x",
		"a/b?x=1", "a/b#x", "a--b", "a..b", "-a", "a.", "x.git", "x.GIT", strings.Repeat("a", 97), long, "bob/\u202eevil", "é/x", "https://evil.example/x",
		"@evil.example/x", "bob\\x", secret + "/x",
	} {
		for _, op := range []string{"list", "read", "upload", "delete"} {
			files("repo_id", map[string]any{"operation": op, "repo_id": id, "path": "a", "content": "x", "patterns": []string{"x"}})
		}
		for _, op := range []string{"list_refs", "create_repo", "delete_repo", "super_squash", "update_repo"} {
			git("repo_id", map[string]any{"operation": op, "repo_id": id, "private": true, "confirm": id})
		}
		git("to_id", map[string]any{"operation": "move_repo", "repo_id": "mine", "to_id": id})
	}
	for _, rev := range []string{
		"a..b", "a b", "../x", "a\nb", "a\x00b", "x~1", "a:b", "-x", "/x", "x/", "a//b", "x.lock", ".x", "@{", "a\\b", "a?b", "a*b", "[x]", long, "a\u00a0b", secret,
	} {
		files("revision", with(list, "revision", rev))
		files("revision", with(upload, "revision", rev))
		git("from_rev", map[string]any{"operation": "create_branch", "repo_id": "mine", "branch": "b", "from_rev": rev})
		git("branch", map[string]any{"operation": "create_branch", "repo_id": "mine", "branch": rev})
		git("branch", map[string]any{"operation": "delete_branch", "repo_id": "mine", "branch": rev})
		git("tag", map[string]any{"operation": "delete_tag", "repo_id": "mine", "tag": rev})
		git("revision", map[string]any{"operation": "list_commits", "repo_id": "mine", "revision": rev})
	}
	git("branch", map[string]any{"operation": "delete_branch", "repo_id": "mine", "branch": "refs/heads/main"})
	for _, path := range []string{
		"../x", "a/../../b", "a/./b", "a//b", ".git/config", "a/.GIT/x", "a\nb", "a\x00b", "a\x1b[2J", long, "..", secret + ".txt",
	} {
		files("path", with(list, "path", path))
		files("path", with(upload, "path", path))
		files("path", map[string]any{"operation": "read", "repo_id": "mine", "path": path})
		files("files[0].path", map[string]any{"operation": "upload", "repo_id": "mine", "files": []any{map[string]any{"path": path, "content": "x"}}})
	}
	files("files[0].path", map[string]any{"operation": "upload", "repo_id": "mine", "files": []any{map[string]any{"path": "", "content": "x"}}})
	files("local_path", map[string]any{"operation": "upload", "repo_id": "mine", "local_path": "a\x00b"})
	for _, pattern := range []string{"", "a\x00", "a\n", "[z-a]", "a[]", long, strings.Repeat("[", 20_000)} {
		if pattern == "a[]" {
			continue // a bracket that is not closed stands for itself
		}
		files("patterns", map[string]any{"operation": "delete", "repo_id": "mine", "patterns": []string{pattern}})
	}
	for _, n := range []string{"max_chars", "offset", "limit"} {
		files(n, with(map[string]any{"operation": "read", "repo_id": "mine", "path": "x"}, n, -1))
	}
	git("limit", map[string]any{"operation": "list_prs", "repo_id": "mine", "limit": -1})
	git("pr_num", map[string]any{"operation": "get_pr", "repo_id": "mine", "pr_num": -1})
	git("pr_num", map[string]any{"operation": "get_pr", "repo_id": "mine"})
	for _, text := range []string{"a\x00b", "a\x1b]52;c;x\a", long, "see " + secret} {
		files("commit_message", with(upload, "commit_message", text))
		git("tag_message", map[string]any{"operation": "create_tag", "repo_id": "mine", "tag": "t", "tag_message": text})
		git("description", map[string]any{"operation": "create_pr", "repo_id": "mine", "title": "A title", "description": text})
		git("comment", map[string]any{"operation": "comment_pr", "repo_id": "mine", "pr_num": 1, "comment": text})
		git("comment", map[string]any{"operation": "merge_pr", "repo_id": "mine", "pr_num": 1, "comment": text})
		git("title", map[string]any{"operation": "create_pr", "repo_id": "mine", "title": text})
	}
	git("title", map[string]any{"operation": "rename_pr", "repo_id": "mine", "pr_num": 1, "title": "ab"})
	git("title", map[string]any{"operation": "create_pr", "repo_id": "mine", "title": "two\nlines"})
	for _, oid := range []string{"main", "abc", "../../..", strings.Repeat("g", 40), strings.Repeat("a", 41)} {
		files("parent_commit", with(upload, "parent_commit", oid))
	}
	files("repo_type", with(list, "repo_type", "../models"))
	git("repo_type", map[string]any{"operation": "list_refs", "repo_id": "mine", "repo_type": "settings"})
	git("gated", map[string]any{"operation": "update_repo", "repo_id": "mine", "gated": "no"})
	git("space_sdk", map[string]any{"operation": "create_repo", "repo_id": "mine", "repo_type": "space", "space_sdk": "x"})
	git("new_status", map[string]any{"operation": "change_pr_status", "repo_id": "mine", "pr_num": 1, "new_status": "merged"})
	git("status", map[string]any{"operation": "list_prs", "repo_id": "mine", "status": "x"})
	git("type", map[string]any{"operation": "list_prs", "repo_id": "mine", "type": "x"})
	git("author", map[string]any{"operation": "list_prs", "repo_id": "mine", "author": "a&b=c"})
	files("operation", map[string]any{"operation": "format", "repo_id": "mine"})
	git("operation", map[string]any{"operation": "rm -rf", "repo_id": "mine"})
	for _, b := range all {
		args, err := json.Marshal(b.args)
		if err != nil {
			t.Fatal(err)
		}
		r := call(t, tools[b.tool], string(args))
		if r.OK || !strings.Contains(r.Output, b.field) || len(r.Output) > 20_000 {
			t.Errorf("%s %.200s: %v %.300s; want a refusal that names %s", b.tool, args, r.OK, r.Output, b.field)
		}
		for _, never := range []string{"\x1b", "\x00", "\u202e", secret} {
			if strings.Contains(r.Output, never) {
				t.Errorf("%.200s: the refusal repeats %q", args, never)
			}
		}
		if sent := s.Sim.Requests(); len(sent) > 0 {
			t.Fatalf("%s %.200s: %s %s was asked", b.tool, args, sent[0].Method, sent[0].Path)
		}
	}
	t.Logf("%d calls were refused", len(all))
}

// A repository without a revision means its main branch, in every operation.
func TestMainIsTheDefault(t *testing.T) {
	_, _, tools := both(t)
	for _, args := range []string{
		`{"operation":"list","repo_id":"acme/tiny-base"}`, `{"operation":"read","repo_id":"acme/tiny-base","path":"README.md"}`,
	} {
		if r := call(t, tools["hf_repo_files"], args); !r.OK {
			t.Errorf("%s: %s", args, r.Output)
		}
	}
	if r := call(t, tools["hf_repo_git"], `{"operation":"list_commits","repo_id":"acme/tiny-base"}`); !r.OK {
		t.Error(r.Output)
	}
}

// Files of the workspace that show a secret are not uploaded, nor are files from
// outside it.
func TestSecretsAreNotUploaded(t *testing.T) {
	s, dir, tools := both(t)
	for name, text := range map[string]string{
		"plain.txt": "nothing", "run/.env": "HF_TOKEN=" + secret + "\n", "run/ok.txt": "fine", "weights.bin": strings.Repeat("\x00\xff", 3<<20),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		`{"operation":"upload","repo_id":"bob/x","local_path":"run"}`:                                                          "secret",
		`{"operation":"upload","repo_id":"bob/x","local_path":"run/.env"}`:                                                     "secret",
		`{"operation":"upload","repo_id":"bob/x","path":"a","content":"` + secret + `"}`:                                       "secret",
		`{"operation":"upload","repo_id":"bob/x","files":[{"path":"b","content":""},{"path":"a","content":"` + secret + `"}]}`: "secret",
		`{"operation":"upload","repo_id":"bob/x","local_path":"link"}`:                                                         "outside",
		`{"operation":"upload","repo_id":"bob/x","local_path":"` + outside + `"}`:                                              "outside",
		`{"operation":"upload","repo_id":"bob/x","local_path":"../x"}`:                                                         "local_path",
	} {
		r := call(t, tools["hf_repo_files"], args)
		if r.OK || !strings.Contains(r.Output, want) || strings.Contains(r.Output, secret) {
			t.Errorf("%s: %v %s", args, r.OK, r.Output)
		}
	}
	if sent := s.Sent(); len(sent) > 0 {
		t.Errorf("%s %s was sent", sent[0].Method, sent[0].Path)
	}
	call(t, tools["hf_repo_git"], `{"operation":"create_repo","repo_id":"bob/x"}`)
	for _, args := range []string{
		`{"operation":"upload","repo_id":"bob/x","local_path":"plain.txt"}`, `{"operation":"upload","repo_id":"bob/x","local_path":"weights.bin"}`,
	} {
		if r := call(t, tools["hf_repo_files"], args); !r.OK {
			t.Errorf("%s: %s", args, r.Output)
		}
	}
}
