package statefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/statefile"
)

func open(t *testing.T, dir string) (*statefile.File, string) {
	t.Helper()
	f, before, err := statefile.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f, string(before)
}

func TestOneProgramHasTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	f, before := open(t, dir)
	if before != "" {
		t.Errorf("a new directory holds %q", before)
	}
	if _, _, err := statefile.Open(dir); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second one: %v", err)
	}
	for range 2 {
		if err := f.Write([]byte("secret")); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, statefile.Name))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if err := f.Close(nil); err != nil {
		t.Fatal(err)
	}
	f, before = open(t, dir)
	if before != "secret" {
		t.Errorf("the next one reads %q", before)
	}
	if err := os.MkdirAll(filepath.Join(dir, "files", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Wipe(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if err := f.Write([]byte("secret")); err != nil { // the same again, but its file is gone
		t.Fatal(err)
	}
	if err := f.Close(func() error { return f.Write([]byte("last")) }); err != nil {
		t.Fatal(err)
	}
	if f, before = open(t, dir); before != "last" {
		t.Errorf("after the end there is %q", before)
	}
	if err := f.Close(nil); err != nil {
		t.Fatal(err)
	}
}

func TestManyChangesAreOneWrite(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f, _ := open(t, dir)
		var saves atomic.Int64
		var said []string
		f.Keep(func() error {
			if saves.Add(1) == 2 {
				return errors.New("the disk is full")
			}
			return nil
		}, func(text string) { said = append(said, text) })
		for range 100 {
			f.Changed()
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if n := saves.Load(); n != 1 {
			t.Errorf("%d writes", n)
		}
		time.Sleep(6 * time.Second) // and now and then without a change
		if n := saves.Load(); n != 2 {
			t.Errorf("%d writes", n)
		}
		if err := f.Close(nil); err != nil {
			t.Fatal(err)
		}
		if len(said) != 1 || said[0] != "the state could not be saved: the disk is full" {
			t.Errorf("%q", said)
		}
	})
}
