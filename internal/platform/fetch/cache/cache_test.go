package cache_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/fetch/cache"
)

func key(i int) string {
	sum := sha256.Sum256(fmt.Append(nil, i))
	return hex.EncodeToString(sum[:])
}

func entry(body string) cache.Entry {
	sum := sha256.Sum256([]byte(body))
	return cache.Entry{
		URL: "https://example.org/a", Status: 200, Header: http.Header{"Etag": {`"1"`}, "Link": {"<x>"}}, Body: []byte(body),
		FetchedAt: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), CheckedAt: time.Date(2026, 8, 2, 0, 0, 0, 0, time.UTC), SHA256: hex.EncodeToString(sum[:]),
	}
}

func files(t *testing.T, dir string) (paths []string, bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != dir && info.Mode().Perm() != 0o700 && runtime.GOOS != "windows" {
				t.Errorf("%s has mode %s", path, info.Mode())
			}
			return nil
		}
		if info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		paths, bytes = append(paths, path), bytes+info.Size()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths, bytes
}

func TestEntriesOutliveTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "http")
	kept := entry("body\nof lines\x00")
	withCookie := kept
	withCookie.Header = http.Header{"Etag": {`"1"`}, "Link": {"<x>"}, "Set-Cookie": {"session=1"}}
	cache.New(cache.Options{Dir: dir}).Keep(key(1), withCookie)
	for _, memory := range []int64{0, -1} {
		c := cache.New(cache.Options{Dir: dir, Memory: memory})
		for range 2 {
			got, ok := c.Entry(key(1))
			if diff := cmp.Diff(kept, got); !ok || diff != "" {
				t.Fatalf("%v (-want +got):\n%s", ok, diff)
			}
		}
		if _, ok := c.Entry(key(2)); ok {
			t.Error("an entry nobody kept")
		}
	}
	if paths, _ := files(t, dir); len(paths) != 1 {
		t.Error(paths)
	}
}

func TestDamagedFilesAreNoAnswers(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut":     func(b []byte) []byte { return b[:len(b)-3] },
		"empty":   func([]byte) []byte { return nil },
		"changed": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"longer":  func(b []byte) []byte { return append(b, 'x') },
		"no head": func([]byte) []byte { return []byte("\n\n") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cache.New(cache.Options{Dir: dir}).Keep(key(1), entry("a long enough body"))
			paths, _ := files(t, dir)
			data, err := os.ReadFile(paths[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(paths[0], damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			c := cache.New(cache.Options{Dir: dir})
			if e, ok := c.Entry(key(1)); ok {
				t.Errorf("answers with %q", e.Body)
			}
			c.Keep(key(1), entry("new"))
			if e, ok := cache.New(cache.Options{Dir: dir}).Entry(key(1)); !ok || string(e.Body) != "new" {
				t.Error("the place cannot be used again")
			}
		})
	}
}

// An entry under the name of another must not answer for it.
func TestFilesAnswerForTheirOwnKey(t *testing.T) {
	dir := t.TempDir()
	cache.New(cache.Options{Dir: dir}).Keep(key(1), entry("a"))
	paths, _ := files(t, dir)
	other := filepath.Join(dir, key(2)[:2], key(2)[2:])
	if err := os.MkdirAll(filepath.Dir(other), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(paths[0], other); err != nil {
		t.Fatal(err)
	}
	if _, ok := cache.New(cache.Options{Dir: dir}).Entry(key(2)); ok {
		t.Error("answers for another")
	}
}

func TestTheLeastUsedGoesFirst(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "ab", "notes.txt")
	if err := os.MkdirAll(filepath.Dir(foreign), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, make([]byte, 90_000), 0o600); err != nil {
		t.Fatal(err)
	}
	c := cache.New(cache.Options{Dir: dir, Disk: 100_000, Memory: -1})
	body := string(make([]byte, 9_000))
	for i := range 30 {
		c.Keep(key(i), entry(body+fmt.Sprint(i)))
		path := filepath.Join(dir, key(i)[:2], key(i)[2:])
		old := time.Now().Add(time.Duration(i-1_000) * time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Entry(key(0)); !ok {
			t.Fatalf("the one in use went, after %d", i)
		}
	}
	_, bytes := files(t, dir)
	if bytes -= 90_000; bytes > 100_000 || bytes < 50_000 {
		t.Errorf("%d bytes", bytes)
	}
	if _, ok := c.Entry(key(1)); ok {
		t.Error("the oldest is still there")
	}
	if _, ok := c.Entry(key(29)); !ok {
		t.Error("the newest is gone")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := cache.New(cache.Options{Memory: 100_000})
	body := string(make([]byte, 8_000))
	for i := range 50 {
		c.Keep(key(i), entry(body))
		if _, ok := c.Entry(key(0)); !ok {
			t.Fatalf("the one in use went, after %d", i)
		}
	}
	n := 0
	for i := range 50 {
		if _, ok := c.Entry(key(i)); ok {
			n++
		}
	}
	if n < 5 || n > 12 {
		t.Errorf("%d of 50 are kept", n)
	}
	c.Keep(key(99), entry(string(make([]byte, 50_000))))
	if _, ok := c.Entry(key(99)); ok {
		t.Error("one answer takes half of all")
	}
}

// Several processes, each with a Cache of its own, on one directory.
func TestManyWriteAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for p := range 4 {
		c := cache.New(cache.Options{Dir: dir, Disk: 60_000, Memory: -1})
		wg.Go(func() {
			for i := range 200 {
				want := fmt.Sprintf("%d %01000d", i%20, 0)
				if i%3 == p%3 {
					c.Keep(key(i%20), entry(want))
				}
				if e, ok := c.Entry(key(i % 20)); ok && string(e.Body) != want {
					t.Errorf("%d answers %.20q", i%20, e.Body)
				}
			}
		})
	}
	wg.Wait()
	if _, bytes := files(t, dir); bytes > 80_000 {
		t.Errorf("%d bytes", bytes)
	}
}

func TestADirectoryThatCannotBeUsedIsNoFailure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := cache.New(cache.Options{Dir: filepath.Join(file, "http")})
	c.Keep(key(1), entry("a"))
	if _, ok := c.Entry(key(1)); !ok {
		t.Error("memory does not answer")
	}
}
