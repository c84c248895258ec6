package folder_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/folder"
)

func lay(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func paths(t *testing.T, dir string, o folder.Options) []string {
	t.Helper()
	tree, err := folder.Scan(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	var all []string
	for _, f := range tree.Files {
		all = append(all, f.Path)
	}
	return all
}

func TestScan(t *testing.T) {
	dir := lay(t, "a.txt", "b/c.bin", "b/d.txt", ".git/config", "sub/.git/HEAD", ".gitignore", ".cache/huggingface/x", "sub/.cache/huggingface/y/z", "huggingface/ok", ".cache/other", "z[1].txt")
	for name, c := range map[string]struct {
		o    folder.Options
		want []string
	}{
		"all":          {folder.Options{}, []string{".cache/other", ".gitignore", "a.txt", "b/c.bin", "b/d.txt", "huggingface/ok", "z[1].txt"}},
		"allow":        {folder.Options{Allow: []string{"*.txt"}}, []string{"a.txt", "b/d.txt", "z[1].txt"}},
		"ignore":       {folder.Options{Allow: []string{"*.txt"}, Ignore: []string{"b/"}}, []string{"a.txt", "z[1].txt"}},
		"a character":  {folder.Options{Allow: []string{"b/?.txt", "[!b]*.txt"}}, []string{"a.txt", "b/d.txt", "z[1].txt"}},
		"a range":      {folder.Options{Allow: []string{"b/[a-c].*"}}, []string{"b/c.bin"}},
		"a bracket":    {folder.Options{Allow: []string{"z[[]1].txt"}}, []string{"z[1].txt"}},
		"no end":       {folder.Options{Allow: []string{"z[1*"}}, []string{"z[1].txt"}},
		"whole path":   {folder.Options{Allow: []string{"c.bin"}}, nil},
		"below itself": {folder.Options{Allow: []string{"./b/*"}}, []string{"b/c.bin", "b/d.txt"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, paths(t, dir, c.o)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A link never leads out of the folder.
func TestLinks(t *testing.T) {
	outside := lay(t, "secret", "more/secret")
	dir := lay(t, "a.txt", "sub/b.txt")
	for name, target := range map[string]string{
		"inside": "sub/b.txt", "out": filepath.Join(outside, "secret"), "up": "../" + filepath.Base(outside) + "/secret",
		"outdir": filepath.Join(outside, "more"), "loop": ".", "gone": "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	tree, err := folder.Scan(t.Context(), dir, folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	got := map[string]string{}
	for _, f := range tree.Files {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		got[f.Path] = string(data)
	}
	want := map[string]string{"a.txt": "a.txt", "inside": "sub/b.txt", "sub/b.txt": "sub/b.txt"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"gone", "loop", "out", "outdir", "up"}, tree.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	if _, err := folder.Scan(t.Context(), filepath.Join(t.TempDir(), "none"), folder.Options{}); err == nil {
		t.Error("a folder that is not there was read")
	}
	if _, err := folder.Scan(t.Context(), t.TempDir(), folder.Options{Ignore: []string{"a", ""}}); err == nil || err.Error() != `ignore[1]: pattern "": it is empty` {
		t.Errorf("error %v", err)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("*.txt", "a.txt")
	f.Add("[a-", "[a-")
	f.Add("[]]x*?", "]xy")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		m, err := folder.Compile("p", []string{pattern, "*"})
		if err != nil {
			return
		}
		if !m.Match(name) {
			t.Errorf("* does not match %q", name)
		}
	})
}
