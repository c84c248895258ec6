package content_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/content"
)

func write(t testing.TB, name string, data []byte) func() (*os.File, error) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() (*os.File, error) { return os.Open(name) }
}

func hashed(t testing.TB, open func() (*os.File, error)) *content.Content {
	t.Helper()
	c, err := content.File(context.Background(), "a.txt", open)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHashes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.txt")
	for _, c := range []*content.Content{content.Bytes("a.txt", []byte("hello\n")), hashed(t, write(t, name, []byte("hello\n")))} {
		git, err := c.Git(t.Context())
		if err != nil || git != "ce013625030ba8dba906f756967f9e9ca394464a" {
			t.Errorf("git hash %s, %v", git, err)
		}
		if c.SHA256() != "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" || c.Size() != 6 || string(c.Sample()) != "hello\n" {
			t.Errorf("%s, %d bytes, sample %q", c.SHA256(), c.Size(), c.Sample())
		}
	}
	empty := hashed(t, write(t, name, nil))
	if git, err := empty.Git(t.Context()); err != nil || git != "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" {
		t.Errorf("git hash of nothing: %s, %v", git, err)
	}
	large := hashed(t, write(t, name, make([]byte, 17<<20)))
	want := sha1.Sum(append([]byte("blob 17825792\x00"), make([]byte, 17<<20)...))
	for range 2 {
		if git, err := large.Git(t.Context()); err != nil || git != hex.EncodeToString(want[:]) {
			t.Errorf("git hash of a large file: %q, %v", git, err)
		}
	}
	if len(large.Sample()) != content.SampleSize {
		t.Errorf("sample of %d bytes", len(large.Sample()))
	}
}

// What is read is what was hashed, whole and in parts.
func TestReadsBackWhatWasHashed(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 4000).Draw(rt, "data")
		for _, c := range []*content.Content{content.Bytes("x", data), hashed(t, write(t, filepath.Join(dir, "x"), data))} {
			r, err := c.Open(t.Context())
			if err != nil {
				rt.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if sum := sha256.Sum256(got); err != nil || !bytes.Equal(got, data) || hex.EncodeToString(sum[:]) != c.SHA256() {
				rt.Fatalf("read %d of %d bytes: %v", len(got), len(data), err)
			}
			from := rapid.Int64Range(0, c.Size()).Draw(rt, "from")
			n := rapid.Int64Range(0, c.Size()-from).Draw(rt, "n")
			r, err = c.Part(t.Context(), from, n)
			if err != nil {
				rt.Fatal(err)
			}
			got, err = io.ReadAll(r)
			r.Close()
			if err != nil || !bytes.Equal(got, data[from:from+n]) {
				rt.Fatalf("part %d+%d: %v", from, n, err)
			}
		}
	})
}

// A file that changed between hashing and sending never arrives complete.
func TestChangedFileIsRefused(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 300_000) // more than is read at once
	other := bytes.Clone(long)
	other[500_000]++
	for name, change := range map[string]func(t *testing.T, name string, at time.Time){
		"a byte, with its old time": func(t *testing.T, name string, at time.Time) {
			write(t, name, other)
			if err := os.Chtimes(name, at, at); err != nil {
				t.Fatal(err)
			}
		},
		"shorter":    func(t *testing.T, name string, _ time.Time) { write(t, name, long[:10]) },
		"longer":     func(t *testing.T, name string, _ time.Time) { write(t, name, append(bytes.Clone(long), 'x')) },
		"gone":       func(_ *testing.T, name string, _ time.Time) { os.Remove(name) },
		"new time":   func(_ *testing.T, name string, at time.Time) { os.Chtimes(name, at, at.Add(time.Second)) },
		"no regular": func(_ *testing.T, name string, _ time.Time) { os.Remove(name); os.Mkdir(name, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a.txt")
			c := hashed(t, write(t, file, long))
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			change(t, file, info.ModTime())
			var got []byte
			r, err := c.Open(t.Context())
			if err == nil {
				got, err = io.ReadAll(r)
				r.Close()
			}
			if !errors.Is(err, content.ErrChanged) || len(got) >= len(long) || !c.Changed() {
				t.Errorf("%d bytes of %d were sent, error %v", len(got), len(long), err)
			}
			if _, err := c.Open(t.Context()); !errors.Is(err, content.ErrChanged) {
				t.Errorf("it was opened again: %v", err)
			}
		})
	}
}

// All of a large file arrives in pieces of any size, and one that is given up
// leaves nothing running.
func TestLargeFile(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcde"), 300_000)
	c := hashed(t, write(t, filepath.Join(t.TempDir(), "x"), data))
	r, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(iotest.OneByteReader(io.LimitReader(r, 600_000)))
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(got, rest...), data) {
		t.Errorf("%d of %d bytes, %v", len(got)+len(rest), len(data), err)
	}
	if err := errors.Join(r.Close(), goleak.Find()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if r, err = c.Open(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) || c.Changed() {
		t.Errorf("given up: %v, changed %v", err, c.Changed())
	}
	if err := errors.Join(r.Close(), goleak.Find()); err != nil {
		t.Error(err)
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("%d bytes after the end, %v", n, err)
	}
}

func TestChangeWhileAPartIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.txt")
	c := hashed(t, write(t, file, make([]byte, 1000)))
	r, err := c.Part(t.Context(), 0, 500)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 999); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, content.ErrChanged) {
		t.Errorf("error %v", err)
	}
}

func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := content.File(t.Context(), "d", func() (*os.File, error) { return os.Open(dir) }); err == nil {
		t.Error("a folder was hashed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	open := write(t, filepath.Join(dir, "a"), make([]byte, 10))
	if _, err := content.File(ctx, "a", open); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := hashed(t, open).Part(t.Context(), 5, 6); err == nil {
		t.Error("a part beyond the end was given")
	}
}
