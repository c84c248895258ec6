package source_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/repos/source"
)

// sandbox is a workspace elsewhere that answers as it likes.
type sandbox struct {
	workspace.Workspace
	folder bool
	stream io.Reader
}

func (s sandbox) Stat(context.Context, string, workspace.StatOptions) (workspace.Info, error) {
	info := workspace.Info{Exists: true, Path: "/app/data/.."}
	if s.folder {
		info.Path, info.Mode = "/app/data", fs.ModeDir|0o755
	}
	return info, nil
}

func (s sandbox) Pack(context.Context, string, workspace.PackOptions) (io.ReadCloser, error) {
	return io.NopCloser(s.stream), nil
}

func (s sandbox) Read(context.Context, string, workspace.ReadOptions) (io.ReadCloser, workspace.Info, error) {
	return io.NopCloser(s.stream), workspace.Info{}, nil
}

func find(t *testing.T, s sandbox, secret string) (*source.Source, error) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	return source.Find(t.Context(), source.Options{
		Workspace: func(context.Context) (workspace.Workspace, error) { return s, nil },
		HasSecret: func(text string) string {
			if secret != "" && strings.Contains(text, secret) {
				return "hf token"
			}
			return ""
		},
	}, source.Want{Local: "data"})
}

func packed(t *testing.T, headers ...tar.Header) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode = 0o7777
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(strings.Repeat("x", int(h.Size)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// leftovers are the files in the folder for temporary ones.
func leftovers(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// An archive of a sandbox that leads elsewhere or holds what is no file is
// refused, and nothing of it stays.
func TestHostileFolders(t *testing.T) {
	reg := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 3} }
	for name, headers := range map[string][]tar.Header{
		"absolute": {reg("/etc/hostile")}, "up": {reg("../x")}, "up inside": {reg("a/../../x")},
		"link":    {{Typeflag: tar.TypeSymlink, Name: "x", Linkname: "/etc"}},
		"through": {{Typeflag: tar.TypeSymlink, Name: "x", Linkname: ".."}, reg("x/y")},
		"hard":    {{Typeflag: tar.TypeLink, Name: "x", Linkname: "/etc/passwd"}},
		"device":  {{Typeflag: tar.TypeChar, Name: "x"}}, "pipe": {{Typeflag: tar.TypeFifo, Name: "x"}},
		"twice": {reg("a"), reg("a")},
	} {
		if src, err := find(t, sandbox{folder: true, stream: packed(t, headers...)}, ""); err == nil {
			src.Close()
			t.Errorf("%s: it was taken", name)
		}
		if left := leftovers(t); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// endless is an archive of folders without end.
type endless struct {
	header []byte
	at     int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.header[e.at:])
	e.at = (e.at + n) % len(e.header)
	return n, nil
}

func TestEndlessFolders(t *testing.T) {
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "a/", Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	if _, err := find(t, sandbox{folder: true, stream: &endless{header: b.Bytes()}}, ""); err == nil || !strings.Contains(err.Error(), "entries") {
		t.Errorf("%v", err)
	}
}

// What the sandbox says it has left out of an archive is no reason to refuse it;
// secrets in its files are.
func TestFolderOfASandbox(t *testing.T) {
	stream := func() io.Reader {
		return packed(
			t, tar.Header{Typeflag: tar.TypeDir, Name: "sub/"}, tar.Header{Typeflag: tar.TypeReg, Name: "sub/a.txt", Size: 3},
			tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"MLINTERN.left": "2"}},
		)
	}
	src, err := find(t, sandbox{folder: true, stream: stream()}, "")
	if err != nil {
		t.Fatal(err)
	}
	add, _ := src.Operations[0].(commit.Add)
	if len(src.Operations) != 1 || add.Path != "sub/a.txt" {
		t.Errorf("%+v", src.Operations)
	}
	if info, err := os.Stat(filepath.Dir(filepath.Dir(add.File))); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the copy lies in a folder of mode %v, %v", info.Mode(), err)
	}
	src.Close()
	if left := leftovers(t); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if _, err := find(t, sandbox{folder: true, stream: stream()}, "xxx"); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	if left := leftovers(t); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
