package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/tools/github"
)

// Acceptance check 34, on what GitHub has answered.
func TestCheck34_ReadFile(t *testing.T) {
	s := lookuptest.New(t)
	const at = "/github/repos/huggingface/trl/contents/"
	s.File(at+"trl/scripts", 200, "gh-contents-dir.json")
	s.File(at+"examples/notebooks/tiny.ipynb", 200, "gh-contents-notebook.json")
	s.File(at+"trl/trainer/grpo_config.py", 200, "gh-contents-file-long.json")
	s.File(at+"trl/__init__.py", 200, "gh-contents-empty-file.json")
	s.File(at+"examples/scripts/sft.py", 200, "gh-contents-moved-stub.json")
	big := lookuptest.Fixture(t, "gh-contents-over-1mb.json")
	s.Handle(at+"big.txt", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "application/vnd.github.raw" {
			_, _ = w.Write([]byte("the whole text\n"))
			return
		}
		_, _ = w.Write([]byte(big))
	})
	read := func(path, more string) string {
		t.Helper()
		r := run(t, s, github.NewReadFile, fmt.Sprintf(`{"repo":"huggingface/trl","path":%q%s}`, path, more))
		if !r.OK {
			t.Errorf("%s: %s", path, r.Output)
		}
		return r.Output
	}
	has(t, read("trl/scripts", ""), "sft.py  4,568 bytes", "dpo.py")
	s.File(strings.TrimSuffix(at, "/"), 200, "gh-contents-dir.json")
	s.File("/github/repos/huggingface/trl", 200, "gh-repo-trl.json")
	has(t, read("", ""), "Train transformer language models with reinforcement learning.\n⭐ 17,000 stars | License: Apache-2.0 | Last push: 2026-07-24", "Branch: main\n\n", "sft.py  4,568 bytes")
	notebook := read("examples/notebooks/tiny.ipynb", "")
	has(t, notebook, "# Tiny notebook", "print('hello')")
	lacks(t, notebook, "noise", "secret_setup")
	has(t, read("big.txt", ""), "the whole text")
	if q := s.Requests(at + "big.txt"); len(q) != 2 || q[1].Header.Get("Accept") != "application/vnd.github.raw" {
		t.Errorf("%+v", q)
	}
	long := read("trl/trainer/grpo_config.py", "")
	if !strings.HasPrefix(long, "**Reading file from repo: huggingface/trl, path: trl/trainer/grpo_config.py**\n\n**File content:**\n```\n") {
		t.Error(long[:200])
	}
	has(t, long, "1-300", "1151", "line_start", "line_end", `"line_start":301`)
	lacks(t, read("trl/trainer/grpo_config.py", `,"line_start":5,"line_end":9`), "option_0020")
	r := run(t, s, github.NewReadFile, `{"repo":"huggingface/trl","path":"trl/trainer/grpo_config.py","line_start":12,"line_end":10}`)
	has(t, r.Output, "Invalid range: line_start (12) > line_end (10)")
	if r.OK {
		t.Error("an empty range is shown")
	}
	has(t, read("trl/__init__.py", ""), "empty")
	has(t, read("examples/scripts/sft.py", ""), `github_read_file {"repo":"huggingface/trl","path":"trl/scripts/sft.py"}`)
	has(t, read("trl/trainer/grpo_config.py", `,"symbol":"class GRPOConfig"`), "@dataclass\nclass GRPOConfig:")
}

// Acceptance check 34, in shapes of our own.
func TestCheck34_ReadFileShapes(t *testing.T) {
	s := lookuptest.New(t)
	const at = "/github/repos/o/r/contents"
	s.Answer(at, 200, `[{"name":"b.py","type":"file","size":1234},{"name":"a","type":"dir"},{"name":"l","type":"symlink"},{"name":"sub","type":"file","submodule_git_url":"https://github.com/x/y"}]`)
	s.Answer(at+"/lib", 200, `[{"name":"other.py","type":"file","size":1}]`)
	s.Answer(at+"/n.ipynb", 200, file("n.ipynb", `{"cells":[{"cell_type":"code","source":"a = 1","outputs":[{"text":"NOISE"}],"metadata":{}},{"cell_type":"code","source":"hidden()","metadata":{"tags":["hide"]}}]}`))
	s.Answer(at+"/broken.ipynb", 200, file("broken.ipynb", `{"cells": 3}`))
	s.Answer(at+"/empty", 200, `{"type":"file","size":0,"encoding":"base64","content":""}`)
	s.Answer(at+"/model.bin", 200, file("model.bin", "\x00\x01"))
	s.Answer(at+"/latin.txt", 200, file("latin.txt", "caf\xe9 "+strings.Repeat("au lait ", 20)))
	s.Answer(at+"/lfs.bin", 200, file("lfs.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123456\n"))
	s.Answer(at+"/link", 200, `{"type":"symlink","target":"b.py"}`)
	s.Answer(at+"/sub", 200, `{"type":"submodule","submodule_git_url":"https://github.com/x/y.git","sha":"abc123"}`)
	s.Answer(at+"/wide.txt", 200, file("wide.txt", strings.Repeat("w", 3000)+"\nshort \x1b[31m\n"))
	s.Answer(at+"/x/a%20b%23.py", 200, file("x/a b#.py", "one\ntwo\nthree\nfour\n"))
	s.Answer(at+"/note.py", 200, file("note.py", "# moved to https://github.com/x/y/blob/main/z.py\n"))
	cases := map[string][]string{
		`{"repo":"o/r","path":""}`:                                                           {"**Reading directory from repo: o/r, path: **", "a/\nb.py  1,234 bytes\nl (symbolic link)\nsub (submodule)"},
		`{"repo":"https://github.com/o/r","path":"/"}`:                                       {"b.py  1,234 bytes"},
		`{"repo":"o/r","path":"n.ipynb"}`:                                                    {"```python\na = 1\n```", "outputs and hidden cells are left out"},
		`{"repo":"o/r","path":"broken.ipynb"}`:                                               {`{"cells": 3}`},
		`{"repo":"o/r","path":"empty"}`:                                                      {"The file is empty."},
		`{"repo":"o/r","path":"model.bin"}`:                                                  {"binary file: type bin, 2 bytes"},
		`{"repo":"o/r","path":"latin.txt"}`:                                                  {"caf\ufffd au lait"},
		`{"repo":"o/r","path":"lfs.bin"}`:                                                    {"Git LFS pointer", "123456"},
		`{"repo":"o/r","path":"link"}`:                                                       {"symbolic link to b.py", `"path":"b.py"`},
		`{"repo":"o/r","path":"sub"}`:                                                        {"submodule", `{"repo":"x/y","path":"","ref":"abc123"}`},
		`{"repo":"o/r","path":"wide.txt"}`:                                                   {"[1000 characters of this line are cut]", "short [31m"},
		`{"repo":"o/r","path":"note.py"}`:                                                    {`github_read_file {"repo":"x/y","path":"z.py"}`},
		`{"repo":"o/r","path":"x/a b#.py","ref":"v1"}`:                                       {"Ref: v1\n\n**File content:**", "https://github.com/o/r/blob/v1/x/a%20b%23.py"},
		`{"repo":"o/r","path":"https://github.com/o/r/blob/main/x/a%20b%23.py#L2-L3"}`:       {"Ref: main", "```\ntwo\nthree\n```", "Showing lines 2-3 of 4."},
		`{"repo":"https://raw.githubusercontent.com/o/r/main/x/a%20b%23.py","path":""}`:      {"one\ntwo"},
		`{"repo":"o/r","path":"https://github.com/o/r/blob/feat/new/x/a%20b%23.py"}`:         {"Ref: feat/new", "one"},
		`{"repo":"o/r","path":"x/a b#.py","line_numbers":true,"line_start":3,"line_end":99}`: {"     3  three\n     4  four\n"},
		`{"repo":"o/r","path":"x/a b#.py","line_end":1}`:                                     {"```\none\n```", `"line_start":2`},
	}
	for args, wanted := range cases {
		s.Handle(at+"/new/x/a%20b%23.py", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"message":"Not Found"}`, 404) })
		r := run(t, s, github.NewReadFile, args)
		if !r.OK {
			t.Errorf("%s: %s", args, r.Output)
		}
		has(t, r.Output, wanted...)
		lacks(t, r.Output, "NOISE", "hidden()", "\x1b")
	}
	if q := s.Requests(at + "/x/a%20b%23.py"); q[0].Query.Has("ref") && q[0].Query.Get("ref") == "HEAD" {
		t.Errorf("%+v", q[0])
	}
	r := run(t, s, github.NewReadFile, `{"repo":"o/r","path":"lib/no.py"}`)
	has(t, r.Output, "File not found: lib/no.py in o/r (ref: HEAD)", `The folder "lib" has: other.py.`)
	r = run(t, s, github.NewReadFile, `{"repo":"o/none","path":"x/no.py","ref":"v2"}`)
	has(t, r.Output, "File not found: x/no.py in o/none (ref: v2)", "github_find_examples")
	r = run(t, s, github.NewReadFile, `{"repo":"o/r","path":"x/a b#.py","line_start":12,"line_end":10}`)
	has(t, r.Output, "Invalid range: line_start (12) > line_end (4)")
	r = run(t, s, github.NewReadFile, `{"repo":"o/r","path":"x/a b#.py","symbol":"def f"}`)
	has(t, r.Output, "No symbol def f", "not_found")
	if r.OK {
		t.Error("a missing symbol is found")
	}
	if !json.Valid([]byte(file("x", "y"))) {
		t.Error("the test's own answer is no JSON")
	}
}
