package content_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
)

func open(t *testing.T, o content.Options) *content.Store {
	t.Helper()
	o.Clock = clock.New(clock.Options{})
	o.Base = func() string { return "http://cdn" }
	s, err := content.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func read(t *testing.T, s *content.Store, sha string) string {
	t.Helper()
	r, size, err := s.Open(sha)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil || int64(len(body)) != size {
		t.Fatalf("%d bytes of %d, %v", len(body), size, err)
	}
	return string(body)
}

// What does not fit into memory goes to files, and Close leaves none behind.
func TestMemoryAndFiles(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	s := open(t, content.Options{Memory: 10})
	texts := []string{"small", "and this", strings.Repeat("large", 1<<20), "small"}
	for _, text := range texts {
		sha, size, err := s.Put(strings.NewReader(text))
		if err != nil || size != int64(len(text)) {
			t.Fatal(size, err)
		}
		if read(t, s, sha) != text {
			t.Errorf("%d bytes came back changed", size)
		}
	}
	if files, err := os.ReadDir(temp); err != nil || len(files) != 1 {
		t.Errorf("temporary files: %v, %v", files, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(temp); err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// A directory keeps contents; unfinished uploads are cleared at the next start.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, content.Options{Dir: dir})
	sha, _, err := s.Put(strings.NewReader("kept"))
	if err != nil {
		t.Fatal(err)
	}
	if _, multipart, err := s.Upload(strings.Repeat("a", 64), 3<<20, true, "http://hub"); err != nil || !multipart {
		t.Fatal(multipart, err)
	}
	again := open(t, content.Options{Dir: dir})
	if read(t, again, sha) != "kept" {
		t.Error("changed")
	}
	if _, err := os.Stat(dir + "/incoming"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unfinished uploads: %v", err)
	}
	if err := again.Delete(sha); err != nil || again.Has(sha) {
		t.Error("not deleted", err)
	}
	if _, _, err := again.Open(sha); !errors.Is(err, content.ErrMissing) {
		t.Error(err)
	}
	if again.Has("../../etc/passwd") {
		t.Error("a path counts as a sum")
	}
}

// Every part has an address in the answer: there are not more than a client
// should have to read, and larger files are refused.
func TestPartsAreNotCountless(t *testing.T) {
	s := open(t, content.Options{Threshold: 1, PartSize: 1 << 20})
	sha := strings.Repeat("ab", 32)
	a, multipart, err := s.Upload(sha, 100<<30, true, "http://hub")
	if err != nil || !multipart || len(a.Header) != 1+10_000 || a.Header["chunk_size"] != "10737419" {
		t.Errorf("%d parts of %s, %v", len(a.Header)-1, a.Header["chunk_size"], err)
	}
	if _, _, err := s.Upload(sha, 500<<30, true, "http://hub"); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	c := clock.New(clock.Options{})
	base := func() string { return "" }
	for _, o := range []content.Options{{}, {Clock: c}, {Clock: c, Base: base, PartSize: 1 << 30}, {Clock: c, Base: base, Threshold: -1}} {
		if _, err := content.New(o); err == nil || !strings.HasPrefix(err.Error(), "content: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	s, err := content.New(content.Options{Clock: clock.New(clock.Options{}), Base: func() string { return "" }, Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 8<<20)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, _, err := s.Put(bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}
