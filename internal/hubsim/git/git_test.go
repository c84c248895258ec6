package git_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/hubsim/git"
)

func TestNamesAreGits(t *testing.T) {
	for text, want := range map[string]string{
		"": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", "hello\n": "ce013625030ba8dba906f756967f9e9ca394464a",
	} {
		if got := git.Sum(git.BlobKind, []byte(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := git.Sum(git.TreeKind, nil); got != git.EmptyTree {
		t.Errorf("the empty tree is %s", got)
	}
}

// hash-object agrees on contents of all lengths around the steps of the header.
func TestCheck35_HashObject(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	for _, n := range []int{0, 1, 9, 10, 99, 100, 65536} {
		cmd := exec.Command("git", "hash-object", "--stdin")
		body := strings.Repeat("x", n)
		cmd.Stdin = strings.NewReader(body)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := git.Sum(git.BlobKind, []byte(body)); got != strings.TrimSpace(string(out)) {
			t.Errorf("%d bytes: %s, git says %s", n, got, out)
		}
	}
}

var (
	somePath = rapid.StringMatching(`[ab]{1,2}(-|\.|0)?(/[ab]{1,2}){0,3}`)
	someText = rapid.StringMatching(`[xyz]{0,3}`)
)

// Whatever is edited, a tree holds the files of a plain map, and its name does
// not depend on how it came to be.
func TestEditIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := git.New("")
		files := map[string]string{}
		tree := git.EmptyTree
		for range rapid.IntRange(1, 6).Draw(t, "commits") {
			edits, next := map[string]*git.Entry{}, maps.Clone(files)
			for _, p := range rapid.SliceOfN(somePath, 1, 5).Draw(t, "paths") {
				if rapid.Bool().Draw(t, "delete") {
					edits[p] = nil
					delete(next, p)
					continue
				}
				text := someText.Draw(t, "text")
				oid, err := o.PutBlob([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				edits[p], next[p] = &git.Entry{Mode: git.FileMode, OID: oid}, text
			}
			got, err := o.Edit(tree, edits)
			if clash(next) {
				if !errors.Is(err, git.ErrConflict) {
					t.Fatalf("%v: %v", next, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			tree, files = got, next
		}
		flat, err := o.Flat(tree)
		if err != nil || len(flat) != len(files) {
			t.Fatalf("%v: %v, %v", files, flat, err)
		}
		fresh := map[string]*git.Entry{}
		for p, e := range flat {
			if body, err := o.Blob(e.OID); err != nil || string(body) != files[p] {
				t.Fatalf("%s: %q, %v", p, body, err)
			}
			fresh[p] = &e
		}
		if again, err := o.Edit(git.EmptyTree, fresh); err != nil || again != tree {
			t.Fatalf("%s, made anew %s, %v", tree, again, err)
		}
	})
}

// clash reports whether a file's name is the folder of another.
func clash(files map[string]string) bool {
	for p := range files {
		for q := range files {
			if strings.HasPrefix(q, p+"/") {
				return true
			}
		}
	}
	return false
}

func put(t interface{ Fatal(...any) }, o *git.Objects, files map[string]string) string {
	edits := map[string]*git.Entry{}
	for p, text := range files {
		oid, err := o.PutBlob([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		edits[p] = &git.Entry{Mode: git.FileMode, OID: oid}
	}
	tree, err := o.Edit(git.EmptyTree, edits)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// A merge of changes to different files has both; the differences say which.
func TestMergeOfDifferentFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := git.New("")
		base := map[string]string{"a/1": "1", "a/2": "2", "b": "b"}
		ours, theirs := maps.Clone(base), maps.Clone(base)
		ours[rapid.SampledFrom([]string{"a/1", "c", "d/e"}).Draw(t, "ours")] = "ours"
		other := rapid.SampledFrom([]string{"a/2", "f", "b"}).Draw(t, "theirs")
		if delete(theirs, other); rapid.Bool().Draw(t, "write") {
			theirs[other] = "theirs"
		}
		want := maps.Clone(ours)
		delete(want, other)
		if text, ok := theirs[other]; ok {
			want[other] = text
		}
		tree, conflicts, err := o.Merge(put(t, o, base), put(t, o, ours), put(t, o, theirs))
		if err != nil || len(conflicts) > 0 || tree != put(t, o, want) {
			t.Fatalf("%v + %v: %v %v", ours, theirs, conflicts, err)
		}
	})
}

func TestConflicts(t *testing.T) {
	o := git.New("")
	base := put(t, o, map[string]string{"a": "1", "b": "1", "c": "1"})
	ours := put(t, o, map[string]string{"a": "2", "b": "2", "d": "x"})
	theirs := put(t, o, map[string]string{"a": "3", "c": "1", "d": "x"})
	_, conflicts, err := o.Merge(base, ours, theirs)
	if diff := cmp.Diff([]string{"a", "b"}, conflicts); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestBaseAndLog(t *testing.T) {
	o := git.New("")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	commit := func(message string, parents ...string) string {
		t.Helper()
		oid, err := o.PutCommit(git.Commit{Tree: git.EmptyTree, Parents: parents, Author: "bob", Email: "b@x", When: at, Message: message})
		if err != nil {
			t.Fatal(err)
		}
		return oid
	}
	root := commit("root")
	left := commit("left\n\nwith text", root)
	right := commit("right", root)
	merged := commit("merge", left, right)
	if base, err := o.Base(merged, right); err != nil || base != right {
		t.Errorf("base %s, %v", base, err)
	}
	if base, err := o.Base(left, right); err != nil || base != root {
		t.Errorf("base %s, %v", base, err)
	}
	if base, err := o.Base(left, commit("alone")); err != nil || base != "" {
		t.Errorf("base %s, %v", base, err)
	}
	log, err := o.Log(merged)
	if err != nil || len(log) != 4 || log[0].OID != merged || log[3].OID != root {
		t.Errorf("log %v, %v", log, err)
	}
	if c, err := o.Commit(left); err != nil || c.Title() != "left" || c.Body() != "with text" || !c.When.Equal(at) {
		t.Errorf("commit %+v, %v", c, err)
	}
}

// A history of many commits is read back from files.
func TestLongHistoryFromFiles(t *testing.T) {
	dir := t.TempDir()
	o := git.New(dir)
	head := ""
	for i := range 300 {
		c := git.Commit{Tree: git.EmptyTree, Author: "b", Email: "b", When: time.Unix(int64(i), 0), Message: fmt.Sprint(i)}
		if head != "" {
			c.Parents = []string{head}
		}
		var err error
		if head, err = o.PutCommit(c); err != nil {
			t.Fatal(err)
		}
	}
	log, err := git.New(dir).Log(head)
	if err != nil || len(log) != 300 || log[299].Message != "0" {
		t.Errorf("%d commits, %v", len(log), err)
	}
	if _, err := git.New(dir).Log(strings.Repeat("0", 40)); !errors.Is(err, git.ErrMissing) {
		t.Errorf("a missing commit: %v", err)
	}
}

// git reads attributes and ignore patterns as we do.
func TestPatternsAreGits(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	attributes := "*.bin filter=lfs diff=lfs\nsaved_model/**/* filter=lfs\n/top filter=lfs\na/*.txt filter=lfs\n*tf[e-g]vents* filter=lfs\nsmall.bin -filter\n# c filter=lfs\n*.lfs.* filter=lfs\n?.x filter=lfs\n"
	ignore := "*.log\n!keep.log\nbuild/\n/only\nd/**/z\n\\!bang\nx[!a-c]y\n"
	paths := []string{
		"w.bin", "a/b/w.bin", "small.bin", "a/small.bin", "saved_model/x/y", "saved_model/y", "o/saved_model/x/y", "top", "a/top",
		"a/n.txt", "a/b/n.txt", "n.txt", "xtffvents1", "xtfhvents", "m.lfs.1", "q.x", "qq.x", "x.log", "d/x.log", "keep.log", "build/a/b",
		"s/build/x", "build", "only", "s/only", "d/z", "d/e/f/z", "!bang", "xdy", "xay", "w.binx",
	}
	dir := t.TempDir()
	run := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
			t.Fatalf("git %v: %v", args, err)
		}
		return string(out)
	}
	run("", "init", "-q")
	for name, text := range map[string]string{".gitattributes": attributes, ".gitignore": ignore} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := strings.Join(paths, "\n") + "\n"
	lfs := run(list, "check-attr", "--stdin", "filter")
	ignored := strings.Split(run(list, "check-ignore", "--stdin", "--no-index"), "\n")
	for _, p := range paths {
		if want := strings.Contains("\n"+lfs, "\n"+p+": filter: lfs\n"); git.ParseAttributes([]byte(attributes)).LFS(p) != want {
			t.Errorf("%s: git says LFS %v", p, want)
		}
		if want := slices.Contains(ignored, p); git.ParseIgnore([]byte(ignore)).Ignored(p) != want {
			t.Errorf("%s: git says ignored %v", p, want)
		}
	}
}

// A path that is accepted stays below the folder it is written to, and out of
// git's own.
func FuzzCheckPath(f *testing.F) {
	for _, p := range []string{"a/b.txt", "../x", "/x", "a//b", ".git/config", "a/.GIT/x", "a\x00", "ü", "a/.", strings.Repeat("x", 300)} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if git.CheckPath(p) != nil {
			return
		}
		full := filepath.Join("/dir", filepath.FromSlash(p))
		if full != "/dir/"+p {
			t.Errorf("%q is written to %q", p, full)
		}
		for part := range strings.SplitSeq(p, "/") {
			if strings.EqualFold(part, ".git") {
				t.Errorf("%q is accepted", p)
			}
		}
	})
}

// A name of a branch that is accepted is one git accepts.
func FuzzCheckName(f *testing.F) {
	for _, p := range []string{"main", "feat/x", "a..b", "x.lock", "-x", "a b", "@", "a@{b", "x.", "a//b", ".a"} {
		f.Add(p)
	}
	_, err := exec.LookPath("git")
	f.Fuzz(func(t *testing.T, name string) {
		if git.CheckName(name) != nil || err != nil {
			return
		}
		if out, err := exec.Command("git", "check-ref-format", git.Heads+name).CombinedOutput(); err != nil {
			t.Errorf("git refuses %q: %v %s", name, err, out)
		}
	})
}

func FuzzPointer(f *testing.F) {
	f.Add(git.Pointer{SHA256: strings.Repeat("a", 64), Size: 12}.Bytes())
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\noid sha256:x\nsize -1\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, ok := git.ParsePointer(body)
		if !ok {
			return
		}
		if again, ok := git.ParsePointer(p.Bytes()); !ok || again != p {
			t.Errorf("%+v is read back as %+v", p, again)
		}
	})
}

func FuzzPatterns(f *testing.F) {
	f.Add("*.bin filter=lfs\na/**/[!x-z]? filter=lfs\n", "a/b/c.bin")
	f.Add("[", "x")
	f.Add("***/**/*\\", "a/b")
	f.Fuzz(func(t *testing.T, rules, path string) {
		if len(rules) > 200 || len(path) > 200 {
			return
		}
		git.ParseAttributes([]byte(rules)).LFS(path)
		git.ParseIgnore([]byte(rules)).Ignored(path)
	})
}
