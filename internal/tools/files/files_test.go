package files_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/files"
)

// desk is a workspace with the three tools and one session.
type desk struct {
	t     *testing.T
	dir   string
	files *files.Files
	env   *tooltest.Env
}

func newDesk(t *testing.T, change ...func(*local.Options)) *desk {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := local.Options{Dir: dir, Python: func() string { return "" }, SpillDir: func(string) string { return dir }}
	for _, c := range change {
		c(&o)
	}
	f, err := newTools(o)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, dir: dir, files: f, env: &tooltest.Env{}}
}

// newTools are the tools over a workspace on this machine.
func newTools(o local.Options) (*files.Files, error) {
	here, err := local.New(o)
	if err != nil {
		return nil, err
	}
	return files.New(files.Options{Workspace: here.Open, Resolve: here.Resolve})
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// put makes a file behind the tools' back.
func (d *desk) put(name, content string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.path(name)), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.path(name), []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) has(name, want string) {
	d.t.Helper()
	got, err := os.ReadFile(d.path(name))
	if err != nil || string(got) != want {
		d.t.Errorf("%s is %q (%v), want %q", name, got, err, want)
	}
}

func encode(args any) json.RawMessage {
	data, err := json.Marshal(args)
	if err != nil {
		panic(err)
	}
	return data
}

func (d *desk) run(tl tool.Tool, args any) tool.Result {
	d.t.Helper()
	r, err := tl.Run(d.t.Context(), d.env, encode(args))
	if err != nil {
		d.t.Fatalf("%s: %v", tl.Spec().Name, err)
	}
	return r
}

func (d *desk) read(name string) tool.Result {
	d.t.Helper()
	return d.run(d.files.Read(), files.ReadParams{Path: name})
}

func (d *desk) write(name, content string) tool.Result {
	d.t.Helper()
	return d.run(d.files.Write(), files.WriteParams{Path: name, Content: content})
}

func (d *desk) edit(name, from, to string) tool.Result {
	d.t.Helper()
	return d.run(d.files.Edit(), files.EditParams{Path: name, OldStr: from, NewStr: to})
}

func good(t *testing.T, r tool.Result, texts ...string) {
	t.Helper()
	if !r.OK {
		t.Errorf("failed: %s", r.Output)
	}
	contains(t, r, texts...)
}

func bad(t *testing.T, r tool.Result, texts ...string) {
	t.Helper()
	if r.OK {
		t.Errorf("succeeded: %s", r.Output)
	}
	contains(t, r, texts...)
}

func contains(t *testing.T, r tool.Result, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.Output, text) {
			t.Errorf("%q is missing in: %s", text, r.Output)
		}
	}
}

func TestConformance(t *testing.T) {
	prepared := func(pick func(*files.Files) tool.Tool) func(*testing.T) (tool.Tool, *tooltest.Env) {
		return func(t *testing.T) (tool.Tool, *tooltest.Env) {
			d := newDesk(t)
			d.put("a.txt", "one\ntwo\nthree\n")
			d.put("wide.txt", strings.Repeat(strings.Repeat("é", 3000)+"\n", 500))
			good(t, d.read("a.txt"))
			good(t, d.read("wide.txt"))
			return pick(d.files), d.env
		}
	}
	wide := strings.Repeat("w", 100_000)
	for _, c := range []tooltest.Case{
		{
			New:    prepared((*files.Files).Read),
			Params: files.ReadParams{},
			Good:   `{"path":"a.txt","offset":2,"limit":1}`,
			Large:  `{"path":"wide.txt"}`,
			Bad:    map[string]string{`{"path":""}`: "path is required", `{"path":"a.txt","offset":-1}`: "offset", `{"path":"a.txt","limit":-1}`: "limit", `{"path":"a\u0000b"}`: "NUL", `{"path":"."}`: "directory", `{"path":"` + wide + `"}`: "www"},
		},
		{
			New:    prepared(func(f *files.Files) tool.Tool { return f.Write() }),
			Params: files.WriteParams{},
			Good:   `{"path":"a.txt","content":"new\n"}`,
			Bad:    map[string]string{`{"path":"","content":""}`: "path is required", `{"path":".","content":""}`: "directory", `{"path":"` + wide + `","content":""}`: "write error"},
		},
		{
			New:    prepared(func(f *files.Files) tool.Tool { return f.Edit() }),
			Params: files.EditParams{},
			Good:   `{"path":"a.txt","old_str":"two","new_str":"2","replace_all":true,"mode":"replace"}`,
			Bad:    map[string]string{`{"path":"a.txt","old_str":"a","new_str":"a"}`: "must differ", `{"path":"no.txt","old_str":"a","new_str":"b"}`: "not found", `{"path":"a.txt","old_str":"` + wide + `","new_str":"b"}`: "not found", `{"path":"a.txt","old_str":"one","new_str":"b","mode":"upsert"}`: "mode"},
		},
	} {
		tl, _ := c.New(t)
		t.Run(tl.Spec().Name, func(t *testing.T) { tooltest.Run(t, c) })
	}
}

func TestDescriptionsAreShort(t *testing.T) {
	total := 0
	for _, tl := range newDesk(t).files.Tools() {
		s := tl.Spec()
		total += len(s.Name) + len(s.Description) + len(s.Parameters)
	}
	if total > 4000 { // bytes; all tools together must stay small in every request
		t.Errorf("read, write and edit take %d bytes of each request", total)
	}
}

// Acceptance check 7.
func TestCheck7WriteNeedsAFreshRead(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "old\n")
	bad(t, d.write("a.txt", "new\n"), "not read in this session")
	d.has("a.txt", "old\n")
	good(t, d.read("a.txt"))
	good(t, d.write("a.txt", "new\n"), "Wrote 4 bytes to a.txt", "-old", "+new")
	d.has("a.txt", "new\n")
	good(t, d.write("a.txt", "newer\n")) // its own write is known
	d.put("a.txt", "someone else's\n")
	bad(t, d.write("a.txt", "mine\n"), "changed since last read")
	bad(t, d.edit("a.txt", "someone", "me"), "changed since last read")
	d.has("a.txt", "someone else's\n")
	good(t, d.read("a.txt"))
	good(t, d.edit("a.txt", "someone", "anyone"))
	d.has("a.txt", "anyone else's\n")
}

// A change that leaves size and time as they were is seen by its content.
func TestSameSizeAndTimeIsStillAChange(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "old\n")
	info, err := os.Stat(d.path("a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	good(t, d.read("a.txt"))
	d.put("a.txt", "odd\n")
	if err := os.Chtimes(d.path("a.txt"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	bad(t, d.write("a.txt", "new\n"), "changed since last read")
	// Touching alone is no change.
	good(t, d.read("a.txt"))
	if err := os.Chtimes(d.path("a.txt"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	good(t, d.write("a.txt", "new\n"))
}

func TestReadingIsPerSessionAndPerRealFile(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "old\n")
	if err := os.Symlink("a.txt", d.path("link.txt")); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	good(t, d.read("link.txt"))
	good(t, d.write("a.txt", "new\n"))
	d.env = &tooltest.Env{Session: "other"}
	bad(t, d.write("a.txt", "mine\n"), "not read in this session")
}

// Acceptance check 8.
func TestCheck8WriteWithoutContent(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "old\n")
	good(t, d.read("a.txt"))
	bad(t, d.run(d.files.Write(), map[string]any{"path": "a.txt"}), "content is required")
	bad(t, d.run(d.files.Write(), map[string]any{"path": "a.txt", "content": nil}), "content is required")
	d.has("a.txt", "old\n")
	good(t, d.write("a.txt", ""))
	d.has("a.txt", "")
}

// Acceptance check 9.
func TestCheck9EditKeepsModeLineEndsAndLink(t *testing.T) {
	d := newDesk(t)
	d.put("real/run.sh", "#!/bin/sh\r\necho one\r\n")
	if err := os.Chmod(d.path("real/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("real", "run.sh"), d.path("link.sh")); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	good(t, d.read("link.sh"))
	good(t, d.edit("link.sh", "echo one\n", "echo two\necho three\n"), "Edited link.sh (1 replacement)")
	d.has("real/run.sh", "#!/bin/sh\r\necho two\r\necho three\r\n")
	info, err := os.Lstat(d.path("real/run.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o755 {
		t.Errorf("mode %v, want 0755", info.Mode())
	}
	if link, err := os.Lstat(d.path("link.sh")); err != nil || link.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v %v", link, err)
	}
}

// Acceptance checks 10 to 13, through the tool; the algorithm has its own tests.
func TestChecks10To13EditThroughTheTool(t *testing.T) {
	for _, c := range []struct{ name, file, from, to, want, text string }{
		{
			"check 10", "if a:\n        x = 1   \n        y = 2\n        z = 3\n", "        x = 1\n        y = 2\n", "        q\n",
			"if a:\n        q\n        z = 3\n", "(matched after trimming trailing whitespace)",
		},
		{
			"check 11", "value = compute(“x”) + other", `compute("x")`, `compute("y")`,
			`value = compute("y") + other`, "(matched after unicode normalization)",
		},
		{"check 12", "    a = 1\n    b = 2\n", "a = 1\nb = 2", "a = 2\nb = 3", "    a = 2\n    b = 3\n", "(matched after trimming whitespace)"},
		{"check 12, two places", "    a = 1\n    b = 2\nx\n    a = 1\n    b = 2\n", "a = 1\nb = 2", "c", "", "lines 1-2, lines 4-5"},
		{
			"check 13", strings.Repeat("\u200B", 10) + "head\n2\n3\nprint(“hi”)\n", `print("hi")`, "done",
			strings.Repeat("\u200B", 10) + "head\n2\n3\ndone\n", "1 replacement",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.put("a.py", c.file)
			good(t, d.read("a.py"))
			r := d.edit("a.py", c.from, c.to)
			contains(t, r, c.text)
			if c.want == "" {
				bad(t, r)
				c.want = c.file
			}
			d.has("a.py", c.want)
		})
	}
}

func TestEditModes(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "a b a\n")
	good(t, d.read("a.txt"))
	bad(t, d.edit("a.txt", "a", "c"), "2 places")
	good(t, d.run(d.files.Edit(), map[string]any{"path": "a.txt", "old_str": "a", "new_str": "c", "mode": "replace_all"}), "(2 replacements)")
	d.has("a.txt", "c b c\n")
	good(t, d.run(d.files.Edit(), map[string]any{"path": "a.txt", "old_str": "b", "new_str": "+", "mode": "append_after"}))
	d.has("a.txt", "c b+ c\n")
	bad(t, d.edit("b.txt", "a", "c"), "file not found: b.txt")
}

func TestWriteKeepsLineEndsMarkAndMode(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "\uFEFFone\r\ntwo\r\n")
	if err := os.Chmod(d.path("a.txt"), 0o750); err != nil {
		t.Fatal(err)
	}
	good(t, d.read("a.txt"), "     1\tone\n     2\ttwo")
	good(t, d.write("a.txt", "one\n2\n"), "Wrote 11 bytes", "CRLF", "byte order mark", "+2")
	d.has("a.txt", "\uFEFFone\r\n2\r\n")
	if info, err := os.Stat(d.path("a.txt")); runtime.GOOS != "windows" && (err != nil || info.Mode() != 0o750) {
		t.Errorf("mode %v %v, want 0750", info, err)
	}
}

func TestWriteMakesFoldersAndFollowsADanglingLink(t *testing.T) {
	d := newDesk(t)
	good(t, d.write("x/y/z.txt", "é\n"), "Wrote 3 bytes to x/y/z.txt", "+é")
	d.has("x/y/z.txt", "é\n")
	if err := os.Symlink(filepath.Join("x", "new.txt"), d.path("link")); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	good(t, d.write("link", "n"))
	d.has("x/new.txt", "n")
}

func TestDiffIsAnExcerpt(t *testing.T) {
	d := newDesk(t)
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	d.put("a.txt", b.String())
	good(t, d.read("a.txt"))
	r := d.edit("a.txt", "line 500\n", "changed\nadded\n")
	good(t, r, "@@ -497,7 +497,8 @@\n line 497\n line 498\n line 499\n-line 500\n+changed\n+added\n line 501\n line 502\n line 503")
	if n := strings.Count(r.Output, "\n"); n > 15 {
		t.Errorf("%d lines for a change of one:\n%s", n, r.Output)
	}
	r = d.run(d.files.Edit(), files.EditParams{Path: "a.txt", OldStr: "line", NewStr: "row", ReplaceAll: true})
	good(t, r, "(999 replacements)", "(the diff goes on)")
	if n := strings.Count(r.Output, "\n"); n > 43 { // first line, blank line, 40 of the diff
		t.Errorf("%d lines:\n%s", n, r.Output)
	}
}

func TestDiffTellsAMissingLineEnd(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "one\ntwo")
	good(t, d.read("a.txt"))
	good(t, d.write("a.txt", "one\ntwo\n"), "-two\n\\ No newline at end of file\n+two")
	good(t, d.write("a.txt", "one\ntwo\n"), "(no change)")
}

func TestWarnings(t *testing.T) {
	d := newDesk(t)
	good(t, d.write("a.json", "{,}"), "\n\nValidation warnings:\n  JSON syntax error on line 1")
	good(t, d.write("train.py", "SFTConfig()\n"), "Validation warnings:", "\n  SFTConfig without push_to_hub", "\n  SFTConfig without hub_model_id")
	if r := d.write("ok.toml", "a = 1\n"); strings.Contains(r.Output, "Validation") {
		t.Errorf("warnings for a good file: %s", r.Output)
	}
}

func TestRisk(t *testing.T) {
	d := newDesk(t)
	d.put("real.txt", "")
	if err := os.Symlink("real.txt", d.path("link.txt")); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	args := json.RawMessage(`{"path":"link.txt"}`)
	w, e, r := d.files.Write().Risk(args), d.files.Edit().Risk(args), d.files.Read().Risk(args)
	real := d.path("real.txt")
	if w.Effect != event.Keyed || e.Effect != event.Keyed || r.Effect != event.Read {
		t.Errorf("effects %s %s %s", w.Effect, e.Effect, r.Effect)
	}
	if len(w.Writes) != 1 || w.Writes[0] != real || len(e.Writes) != 1 || e.Writes[0] != real || len(r.Writes) != 0 {
		t.Errorf("writes %v %v %v, want %s", w.Writes, e.Writes, r.Writes, real)
	}
	if len(r.Reads) != 1 || r.Reads[0] != real {
		t.Errorf("reads %v", r.Reads)
	}
	if w.Lane == "" || w.Lane != e.Lane || w.Lane == d.files.Write().Risk(json.RawMessage(`{"path":"other"}`)).Lane {
		t.Errorf("lanes %q %q", w.Lane, e.Lane)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := files.New(files.Options{}); err == nil || !strings.Contains(err.Error(), "Workspace") {
		t.Errorf("no workspace: %v", err)
	}
}

// In a workspace elsewhere a call names no file of the user's machine, and what
// keeps the workspace away is what the model reads.
func TestElsewhere(t *testing.T) {
	away := errors.New("Sandbox is still starting. Please retry shortly.")
	f, err := files.New(files.Options{Workspace: func(context.Context) (workspace.Workspace, error) { return nil, away }})
	if err != nil {
		t.Fatal(err)
	}
	args := json.RawMessage(`{"path":"/etc/../x","content":"a","old_str":"a","new_str":"b"}`)
	for _, tl := range f.Tools() {
		if r := tl.Risk(args); len(r.Writes)+len(r.Reads) != 0 || tl.Spec().Name != "read" && r.Lane != "file:/x" {
			t.Errorf("%s: risk %+v", tl.Spec().Name, r)
		}
		if r, err := tl.Run(t.Context(), new(tooltest.Env), args); err != nil || r.OK || r.Output != away.Error() {
			t.Errorf("%s: %+v, %v", tl.Spec().Name, r, err)
		}
	}
}

// What a workspace that has lost its files makes the tools do.
func TestForget(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "old\n")
	good(t, d.read("a.txt"))
	d.files.Forget()
	bad(t, d.write("a.txt", "new\n"), "not read in this session")
}

func TestUnguarded(t *testing.T) {
	d := newDesk(t)
	here, err := local.New(local.Options{Dir: d.dir, SpillDir: func(string) string { return d.dir }})
	if err != nil {
		t.Fatal(err)
	}
	if d.files, err = files.New(files.Options{Workspace: here.Open, Unguarded: true}); err != nil {
		t.Fatal(err)
	}
	d.put("a.txt", "old\n")
	good(t, d.edit("a.txt", "old", "new"))
	good(t, d.write("a.txt", "newer\n"))
	d.has("a.txt", "newer\n")
}

func TestLargeEditIsFast(t *testing.T) {
	d := newDesk(t)
	d.put("big.txt", strings.Repeat("some text of a line in a large file, 61 bytes with its end..\n", 86_000)+"needle\n")
	good(t, d.read("big.txt"))
	begun := time.Now()
	good(t, d.edit("big.txt", "needle", "pin"))
	// The target is 100 ms; the bound leaves room for the race detector and a
	// busy disk and is still missed by quadratic work.
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("an edit of 5 MB took %v", took)
	}
}

func BenchmarkEdit5MB(b *testing.B) {
	dir := b.TempDir()
	f, err := newTools(local.Options{Dir: dir, SpillDir: func(string) string { return dir }})
	if err != nil {
		b.Fatal(err)
	}
	content := strings.Repeat("some text of a line in a large file, 61 bytes with its end..\n", 86_000) + "needle 0\n"
	if err := os.WriteFile(filepath.Join(dir, "big.txt"), []byte(content), 0o644); err != nil {
		b.Fatal(err)
	}
	env := &tooltest.Env{}
	if r, err := f.Read().Run(b.Context(), env, encode(files.ReadParams{Path: "big.txt"})); err != nil || !r.OK {
		b.Fatal(r, err)
	}
	for i := 0; b.Loop(); i++ {
		r, err := f.Edit().Run(b.Context(), env, encode(files.EditParams{
			Path: "big.txt", OldStr: fmt.Sprintf("needle %d\n", i), NewStr: fmt.Sprintf("needle %d\n", i+1),
		}))
		if err != nil || !r.OK {
			b.Fatal(r, err)
		}
	}
}
