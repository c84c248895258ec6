package index_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/index"
)

type found struct {
	Title string `json:"title"`
}

func write(t *testing.T, path, text string) os.FileInfo {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestKnownUntilTheFileChanges(t *testing.T) {
	dir := t.TempDir()
	path, source, gone := filepath.Join(dir, "cache", "index.json"), filepath.Join(dir, "a"), filepath.Join(dir, "b")
	info := write(t, source, "one")
	x := index.Open[found](path, 1)
	if _, ok := x.Get(source, info); ok {
		t.Error("an empty index knows something")
	}
	x.Put(source, info, found{"one"})
	x.Put(gone, write(t, gone, "two"), found{"two"})
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	if err := x.Save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	x = index.Open[found](path, 1)
	if got, ok := x.Get(source, info); !ok || got.Title != "one" {
		t.Errorf("%v, %v", got, ok)
	}
	if _, ok := x.Get(gone, info); ok {
		t.Error("a file that is gone is known")
	}
	if _, ok := x.Get(source, write(t, source, "longer")); ok {
		t.Error("another size is the same file")
	}
	write(t, source, "two")
	at := info.ModTime().Add(time.Second)
	if err := os.Chtimes(source, at, at); err != nil {
		t.Fatal(err)
	}
	if later, err := os.Stat(source); err != nil {
		t.Fatal(err)
	} else if _, ok := x.Get(source, later); ok {
		t.Error("another time is the same file")
	}
	if _, ok := index.Open[found](path, 2).Get(source, info); ok {
		t.Error("an index of another version counts")
	}
}

func TestDamagedIndexIsEmptyAndReplaced(t *testing.T) {
	dir := t.TempDir()
	path, source := filepath.Join(dir, "index.json"), filepath.Join(dir, "a")
	for _, text := range []string{"", "[", "7", `{"version":1}`, `{"version":1,"files":[]}`, `{"version":1,"files":{"a":7}}`} {
		write(t, path, text)
		info := write(t, source, "x")
		x := index.Open[found](path, 1)
		if _, ok := x.Get(source, info); ok {
			t.Errorf("%q knows something", text)
		}
		x.Put(source, info, found{"x"})
		if err := x.Save(); err != nil {
			t.Fatal(err)
		}
		if _, ok := index.Open[found](path, 1).Get(source, info); !ok {
			t.Errorf("%q was not replaced", text)
		}
	}
}

func TestNothingNewIsNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "index.json")
	if err := index.Open[found](path, 1).Save(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
	if err := index.Open[found]("", 1).Save(); err != nil {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"version":1,"files":{"a":{"size":1,"changed":2,"value":{"title":"t"}}}}`))
	f.Add([]byte(`{"version":1,"files":{"a":null}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "index.json")
		info := write(t, path, string(raw))
		x := index.Open[found](path, 1)
		x.Put(path, info, found{"x"})
		if err := x.Save(); err != nil {
			t.Fatal(err)
		}
		if got, ok := index.Open[found](path, 1).Get(path, info); !ok || got.Title != "x" {
			t.Errorf("%v, %v", got, ok)
		}
	})
}
