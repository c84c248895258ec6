package workspacetest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

func reading(t *testing.T, w *world) {
	w.put("sub/a b%é.txt", "0123456789")
	name := "sub/a b%é.txt"
	info := w.stat(name, workspace.StatOptions{Sum: true})
	if info.Path != w.path(name) || !info.Exists || info.Size != 10 || !info.Mode.IsRegular() || info.Version == "" ||
		info.Sum != fmt.Sprintf("%x", sha256.Sum256([]byte("0123456789"))) || time.Since(info.ModTime).Abs() > time.Hour {
		t.Errorf("%+v", info)
	}
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, 0, "0123456789"}, {3, 0, "3456789"}, {3, 4, "3456"}, {8, 100, "89"}, {10, 1, ""}, {99, 0, ""}} {
		got, info := w.read(w.path(name), workspace.ReadOptions{Offset: c.offset, Length: c.length})
		if got != c.want || info.Size != 10 {
			t.Errorf("%d+%d: %q, %+v", c.offset, c.length, got, info)
		}
	}
	if info := w.stat("not/there", workspace.StatOptions{}); info.Exists || info.Path != w.path("not/there") {
		t.Errorf("missing: %+v", info)
	}
	if info := w.stat("sub", workspace.StatOptions{Sum: true}); !info.Mode.IsDir() || info.Sum != "" {
		t.Errorf("folder: %+v", info)
	}
	for path, want := range map[string]workspace.Kind{
		"not/there": workspace.Missing, "sub": workspace.Directory, "/dev/null": workspace.Irregular, "": workspace.Invalid,
		"/proc/self/environ": workspace.Secret, "a\x00b": workspace.Invalid,
	} {
		_, _, err := w.Workspace.Read(t.Context(), path, workspace.ReadOptions{})
		w.kind(err, want)
		if errors.Is(err, fs.ErrNotExist) != (want == workspace.Missing) {
			t.Errorf("%q: %v", path, err)
		}
	}
	_, _, err := w.Workspace.Read(t.Context(), name, workspace.ReadOptions{Offset: -1})
	w.kind(err, workspace.Invalid)
	w.must(os.Symlink("a b%é.txt", w.path("sub/link")))
	if got, info := w.read("sub/link", workspace.ReadOptions{}); got != "0123456789" || info.Path != w.path(name) {
		t.Errorf("link: %q, %+v", got, info)
	}
}

func writing(t *testing.T, w *world) {
	made, err := w.write("new/dir/a.txt", "one", workspace.WriteOptions{})
	w.must(err)
	w.has("new/dir/a.txt", "one")
	if made != w.stat("new/dir/a.txt", workspace.StatOptions{}) {
		t.Errorf("%+v is not what is there", made)
	}
	// What is there is replaced only by who knows it.
	_, err = w.write("new/dir/a.txt", "two", workspace.WriteOptions{})
	w.kind(err, workspace.Changed)
	next, err := w.write("new/dir/a.txt", "two", workspace.WriteOptions{Over: made.Version})
	w.must(err)
	if next.Version == made.Version {
		t.Error("the version is the same after a change")
	}
	_, err = w.write("new/dir/a.txt", "three", workspace.WriteOptions{Over: made.Version})
	w.kind(err, workspace.Changed)
	_, err = w.write("gone.txt", "x", workspace.WriteOptions{Over: made.Version})
	w.kind(err, workspace.Changed)
	w.has("new/dir/a.txt", "two")
	_, err = w.write("new/dir/a.txt", "", workspace.WriteOptions{Anyhow: true})
	w.must(err)
	w.has("new/dir/a.txt", "")
	_, err = w.write("new", "x", workspace.WriteOptions{Anyhow: true})
	w.kind(err, workspace.Directory)
	_, err = w.write("run.sh", "x", workspace.WriteOptions{Mode: 0o755})
	w.must(err)
	if info := w.stat("run.sh", workspace.StatOptions{}); info.Mode.Perm()&0o700 != 0o700 {
		t.Errorf("mode %v", info.Mode)
	}
	// A content that breaks off leaves everything as it was.
	if _, err := w.Workspace.Write(t.Context(), "run.sh", &broken{}, workspace.WriteOptions{Anyhow: true}); err == nil {
		t.Error("a broken content was written")
	}
	w.has("run.sh", "x")
	if names, err := filepath.Glob(w.path(".ml-intern-*")); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// broken is a content that ends in the middle.
type broken struct{ begun bool }

func (b *broken) Read(p []byte) (int, error) {
	if b.begun {
		return 0, errors.New("broken off")
	}
	b.begun = true
	return copy(p, "half"), nil
}

func keeping(t *testing.T, w *world) {
	w.put("real/run.sh", "old")
	w.must(os.Chmod(w.path("real/run.sh"), 0o750))
	w.must(os.Symlink(filepath.Join("real", "run.sh"), w.path("link")))
	info := w.stat("link", workspace.StatOptions{Change: true})
	_, err := w.write("link", "new", workspace.WriteOptions{Over: info.Version})
	w.must(err)
	w.has("real/run.sh", "new")
	if i, err := os.Lstat(w.path("real/run.sh")); err != nil || i.Mode() != 0o750 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
	if i, err := os.Lstat(w.path("link")); err != nil || i.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", i, err)
	}
}

func parts(t *testing.T, w *world) {
	for at, text := range map[int64]string{6: "world", 0: "hello,"} {
		_, err := w.write("part.txt", text, workspace.WriteOptions{Part: true, At: at, Anyhow: true})
		w.must(err)
	}
	w.has("part.txt", "hello,world")
	_, err := w.write("part.txt", "-", workspace.WriteOptions{Part: true, At: 5, Anyhow: true})
	w.must(err)
	w.has("part.txt", "hello-world")
}

func listing(t *testing.T, w *world) {
	w.put("b.txt", "bb")
	w.put("a/x", "")
	w.must(os.Symlink("/etc", w.path("c")))
	entries, err := w.Workspace.List(t.Context(), ".")
	w.must(err)
	if len(entries) != 3 || entries[0].Path != w.path("a") || !entries[0].Mode.IsDir() || entries[1].Size != 2 || entries[2].Mode&fs.ModeSymlink == 0 {
		t.Errorf("%+v", entries)
	}
	_, err = w.Workspace.List(t.Context(), "b.txt")
	w.kind(err, workspace.Invalid)
	_, err = w.Workspace.List(t.Context(), "none")
	w.kind(err, workspace.Missing)
}

// pack returns the archive of a folder.
func (w *world) pack(path string, o workspace.PackOptions) []byte {
	w.t.Helper()
	r, err := w.Workspace.Pack(w.t.Context(), path, o)
	w.must(err)
	data, err := io.ReadAll(r)
	w.must(errors.Join(err, r.Close()))
	return data
}

func archive(t *testing.T, w *world) {
	long := strings.Repeat("d/", 60) + strings.Repeat("é", 60) + ".txt"
	w.put("from/run.sh", "#!/bin/sh\n")
	w.must(os.Chmod(w.path("from/run.sh"), 0o755))
	w.put("from/"+long, strings.Repeat("x", 100_000))
	w.must(os.MkdirAll(w.path("from/empty"), 0o755))
	w.must(os.Chtimes(w.path("from/run.sh"), time.Unix(1e9, 0), time.Unix(1e9, 0)))
	data := w.pack("from", workspace.PackOptions{})
	w.put("to/run.sh", "old")
	done, err := w.Workspace.Unpack(t.Context(), "to", bytes.NewReader(data), workspace.Limits{})
	if err != nil || done != (workspace.Packed{Files: 2, Bytes: 100_010}) {
		t.Errorf("%+v, %v", done, err)
	}
	w.has("to/run.sh", "#!/bin/sh\n")
	w.has("to/"+long, strings.Repeat("x", 100_000))
	if i, err := os.Stat(w.path("to/run.sh")); err != nil || i.Mode() != 0o755 || !i.ModTime().Equal(time.Unix(1e9, 0)) {
		t.Errorf("%v, %v", i, err)
	}
	if i, err := os.Stat(w.path("to/empty")); err != nil || !i.IsDir() {
		t.Errorf("empty folder: %v, %v", i, err)
	}
	// Closing early ends it.
	r, err := w.Workspace.Pack(t.Context(), "from", workspace.PackOptions{})
	w.must(err)
	w.must(r.Close())
	_, err = w.Workspace.Pack(t.Context(), "none", workspace.PackOptions{})
	w.kind(err, workspace.Missing)
}

func leaveOut(t *testing.T, w *world) {
	w.put("from/keep/a.txt", "a")
	w.put("from/.venv/lib/x.py", "x")
	w.put("from/sub/.venv/y", "y")
	w.put("from/cache/big.bin", "b")
	w.put("from/keep/cache/c.bin", "c")
	w.put("from/x.pyc", "p")
	w.must(os.Symlink("/etc/passwd", w.path("from/link")))
	data := w.pack("from", workspace.PackOptions{Exclude: []string{".venv", "keep/cache", "*.pyc"}})
	done, err := w.Workspace.Unpack(t.Context(), "to", bytes.NewReader(data), workspace.Limits{})
	if err != nil || done != (workspace.Packed{Files: 2, Bytes: 2, Left: 1}) {
		t.Errorf("%+v, %v", done, err)
	}
	w.has("to/keep/a.txt", "a")
	w.has("to/cache/big.bin", "b")
}

// tarOf is an archive of one entry.
func tarOf(h tar.Header, content string) io.Reader {
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	h.Size = int64(len(content))
	if err := out.WriteHeader(&h); err != nil {
		panic(err)
	}
	if _, err := io.WriteString(out, content); err != nil {
		panic(err)
	}
	if err := out.Close(); err != nil {
		panic(err)
	}
	return &b
}

func hostile(t *testing.T, w *world) {
	outside := filepath.Dir(w.Dir)
	before, err := os.ReadDir(outside)
	w.must(err)
	for name, h := range map[string]tar.Header{
		"parent":      {Typeflag: tar.TypeReg, Name: "../evil", Mode: 0o644},
		"deep parent": {Typeflag: tar.TypeReg, Name: "a/../../evil", Mode: 0o644},
		"absolute":    {Typeflag: tar.TypeReg, Name: filepath.Join(outside, "evil"), Mode: 0o644},
		"folder":      {Typeflag: tar.TypeDir, Name: "../evil/", Mode: 0o755},
		"symlink":     {Typeflag: tar.TypeSymlink, Name: "evil", Linkname: "/etc/passwd"},
		"hard link":   {Typeflag: tar.TypeLink, Name: "evil", Linkname: "/etc/passwd"},
		"device":      {Typeflag: tar.TypeChar, Name: "evil", Devmajor: 1, Devminor: 3},
		"pipe":        {Typeflag: tar.TypeFifo, Name: "evil"},
	} {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content = "x"
		}
		_, err := w.Workspace.Unpack(t.Context(), "to", tarOf(h, content), workspace.Limits{})
		var f *workspace.Fault
		if !errors.As(err, &f) || f.Kind != workspace.Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A link that is there already leads nowhere either.
	w.must(os.MkdirAll(w.path("to"), 0o755))
	w.must(os.Symlink(outside, w.path("to/way")))
	if _, err := w.Workspace.Unpack(t.Context(), "to", tarOf(tar.Header{Typeflag: tar.TypeReg, Name: "way/evil", Mode: 0o644}, "x"), workspace.Limits{}); err == nil {
		t.Error("an archive went through a link")
	}
	after, err := os.ReadDir(outside)
	w.must(err)
	if len(after) != len(before) {
		t.Errorf("outside: %v", after)
	}
	if _, err := os.Lstat(w.path("to/evil")); err == nil {
		t.Error("something was made")
	}
	if _, err := w.Workspace.Unpack(t.Context(), "to", strings.NewReader("this is no archive at all"), workspace.Limits{}); err == nil {
		t.Error("nonsense was unpacked")
	}
}

func archiveLimits(t *testing.T, w *world) {
	w.put("from/a", "aaaaa")
	w.put("from/b", "bbbbb")
	for _, l := range []workspace.Limits{{Bytes: 9}, {Files: 1}} {
		_, err := w.Workspace.Pack(t.Context(), "from", workspace.PackOptions{Limits: l})
		w.kind(err, workspace.TooLarge)
		data := w.pack("from", workspace.PackOptions{})
		_, err = w.Workspace.Unpack(t.Context(), "to", bytes.NewReader(data), l)
		w.kind(err, workspace.TooLarge)
	}
}
