package local_test

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// entry is one header of a hostile archive and its content.
type entry struct {
	tar.Header
	content string
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.Typeflag != tar.TypeXGlobalHeader {
			e.Mode = 0o6777
		}
		if e.Typeflag == tar.TypeReg {
			e.Size = int64(len(e.content))
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(name string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name}, "hostile"}
}

func link(kind byte, name, to string) entry {
	return entry{Header: tar.Header{Typeflag: kind, Name: name, Linkname: to}}
}

// hostileArchives are those that nobody unpacks.
func hostileArchives(t *testing.T) map[string][]byte {
	many := make([]entry, 12)
	for i := range many {
		many[i] = entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: string(rune('a'+i)) + "/"}}
	}
	notes := make([]entry, 2000)
	for i := range notes {
		notes[i] = entry{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"MLINTERN.left": "1"}}}
	}
	all := map[string][]byte{
		"absolute":           archive(t, file("/etc/hostile")),
		"up":                 archive(t, file("../hostile")),
		"up in the middle":   archive(t, file("a/../../hostile")),
		"symbolic link":      archive(t, link(tar.TypeSymlink, "x", "/etc")),
		"link, then through": archive(t, link(tar.TypeSymlink, "x", ".."), file("x/hostile")),
		"hard link":          archive(t, link(tar.TypeLink, "x", "/etc/passwd")),
		"device":             archive(t, entry{Header: tar.Header{Typeflag: tar.TypeChar, Name: "x", Devmajor: 1, Devminor: 3}}),
		"block device":       archive(t, entry{Header: tar.Header{Typeflag: tar.TypeBlock, Name: "x", Devmajor: 8}}),
		"pipe":               archive(t, entry{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "x"}}),
		"too many folders":   archive(t, many...),
		"too many notes":     archive(t, notes...),
		"too large":          archive(t, entry{tar.Header{Typeflag: tar.TypeReg, Name: "x"}, string(make([]byte, 200))}),
		"cut":                archive(t, file("x"))[:515],
		"no archive":         bytes.Repeat([]byte("x"), 2048),
	}
	// The size in the header, of which nothing comes: a hole as large as a disk.
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "x", Size: 1 << 50, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	all["a hole"] = b.Bytes()
	return all
}

// What a sandbox packs is not trusted.
func TestHostileArchives(t *testing.T) {
	for name, data := range hostileArchives(t) {
		t.Run(name, func(t *testing.T) {
			outer := t.TempDir()
			dir := filepath.Join(outer, "in")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			here, err := local.New(local.Options{Dir: dir, SpillDir: func(string) string { return outer }})
			if err != nil {
				t.Fatal(err)
			}
			defer here.Close(context.Background())
			if done, err := here.Unpack(t.Context(), dir, bytes.NewReader(data), workspace.Limits{Bytes: 100, Files: 10}); err == nil {
				t.Errorf("it was unpacked: %+v", done)
			}
			if found, err := os.ReadDir(outer); err != nil || len(found) != 1 {
				t.Errorf("beside the folder: %v, %v", found, err)
			}
			if _, err := os.Lstat("/etc/hostile"); err == nil {
				t.Error("/etc/hostile was made")
			}
			_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, _ error) error {
				if info, err := d.Info(); err == nil && path != dir && (!info.Mode().IsRegular() && !info.IsDir() || info.Size() > 1<<20) {
					t.Errorf("%s has mode %v and %d bytes", path, info.Mode(), info.Size())
				}
				return nil
			})
		})
	}
}

// Unpacked files have no rights beyond the ordinary ones, and links that are
// there lead nowhere.
func TestUnpackedModesAndOldLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has neither these modes nor, for everybody, links")
	}
	outer := t.TempDir()
	dir := filepath.Join(outer, "in")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outer, "outside"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"file": "../outside", "folder": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	here, err := local.New(local.Options{Dir: dir, SpillDir: func(string) string { return outer }})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close(context.Background())
	if _, err := here.Unpack(t.Context(), dir, bytes.NewReader(archive(t, file("set"), file("file"))), workspace.Limits{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "set")); err != nil || info.Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeSticky) != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := here.Unpack(t.Context(), dir, bytes.NewReader(archive(t, file("folder/outside"))), workspace.Limits{}); err == nil {
		t.Error("a file was unpacked through a link")
	}
	if text, err := os.ReadFile(filepath.Join(outer, "outside")); err != nil || string(text) != "mine" {
		t.Errorf("the file outside holds %q, %v", text, err)
	}
}
