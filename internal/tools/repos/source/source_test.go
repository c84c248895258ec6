package source_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/repos/source"
)

// place is a folder of this machine as a workspace.
func place(t *testing.T, dir string) *local.Machine {
	t.Helper()
	m, err := local.New(local.Options{Dir: dir, Root: dir, Python: func() string { return "" }, SpillDir: func(string) string { return dir }})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// paths are the places that a source's files go to.
func paths(s *source.Source) (all []string) {
	for _, op := range s.Operations {
		all = append(all, op.(commit.Add).Path)
	}
	slices.Sort(all)
	return all
}

// Files and folders of this machine, and the same out of a sandbox, where they
// are copied and the copies go.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"m/a.txt": "a", "m/sub/b.bin": "b", "m/.git/config": "x", "m/__pycache__/c.pyc": "x", "one.txt": "1",
	} {
		put(t, filepath.Join(dir, name), text)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "m/link")); err != nil {
		t.Fatal(err)
	}
	here := place(t, dir)
	for where, root := range map[string]string{"here": dir, "sandbox": ""} {
		o := source.Options{Workspace: here.Open, Root: root}
		for _, c := range []struct {
			want  source.Want
			paths []string
		}{
			{source.Want{Local: "m", Path: "v1"}, []string{"v1/a.txt", "v1/sub/b.bin"}},
			{source.Want{Local: "m", Patterns: []string{"*.bin"}}, []string{"sub/b.bin"}},
			{source.Want{Local: "one.txt"}, []string{"one.txt"}},
			{source.Want{Local: "one.txt", Path: "x/"}, []string{"x/one.txt"}},
			{source.Want{Local: "one.txt", Path: "./y.txt"}, []string{"y.txt"}},
			{source.Want{Files: []source.File{{Path: "./a", Content: "1"}, {Path: "/b", Content: "2"}}}, []string{"a", "b"}},
		} {
			s, err := source.Find(t.Context(), o, c.want)
			if err != nil {
				t.Errorf("%s: %+v: %v", where, c.want, err)
				continue
			}
			if got := paths(s); !slices.Equal(got, c.paths) {
				t.Errorf("%s: %+v: %q, want %q", where, c.want, got, c.paths)
			}
			var files []string
			for _, op := range s.Operations {
				if file := op.(commit.Add).File; file != "" {
					files = append(files, file)
				}
			}
			s.Close()
			for _, file := range files {
				if _, err := os.Stat(file); (err == nil) != (where == "here") {
					t.Errorf("%s: after Close %s: %v", where, file, err)
				}
			}
		}
		for _, want := range []source.Want{{Local: "none"}, {Local: "m", Patterns: []string{"*.none"}}} {
			if _, err := source.Find(t.Context(), o, want); err == nil || !strings.Contains(err.Error(), "local_path") {
				t.Errorf("%s: %+v: %v", where, want, err)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "ml-intern-upload-*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// hostile is a sandbox that sends what it should not.
type hostile struct {
	workspace.Workspace
	archive []byte
}

func (h hostile) Stat(context.Context, string, workspace.StatOptions) (workspace.Info, error) {
	return workspace.Info{Path: "/app/m", Exists: true, Mode: fs.ModeDir | 0o755}, nil
}

func (h hostile) Pack(context.Context, string, workspace.PackOptions) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(h.archive)), nil
}

// What a sandbox sends stays in the folder that was made for it: names that
// lead elsewhere, links and devices are refused, and nothing is left.
func TestHostileArchive(t *testing.T) {
	for name, h := range map[string]tar.Header{
		"parent":   {Name: "../evil", Typeflag: tar.TypeReg},
		"absolute": {Name: "/tmp/evil", Typeflag: tar.TypeReg},
		"link":     {Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		"hard":     {Name: "hard", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
		"device":   {Name: "dev", Typeflag: tar.TypeChar},
		"huge":     {Name: "big", Typeflag: tar.TypeReg, Size: 1 << 50},
	} {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		if err := w.WriteHeader(&tar.Header{Name: "fine", Typeflag: tar.TypeReg, Size: 2, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("ok")); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		_ = w.Flush()
		o := source.Options{Workspace: func(context.Context) (workspace.Workspace, error) { return hostile{archive: buf.Bytes()}, nil }}
		if s, err := source.Find(t.Context(), o, source.Want{Local: "m"}); err == nil {
			t.Errorf("%s was taken: %q", name, paths(s))
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "ml-intern-upload-*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}
