package proc_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

func firstRunes(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}

func lastRunes(s string, n int) string {
	r := []rune(s)
	return string(r[max(0, len(r)-n):])
}

func TestCaptureKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		c := proc.NewCapture(filepath.Join(dir, "spill"), "out_*.txt")
		defer c.Close()
		var all strings.Builder
		unit := rapid.SampledFrom([]string{"x", "0123456789\n", "é", "日本語", "🤗\n"})
		for range rapid.IntRange(0, 12).Draw(t, "writes") {
			p := strings.Repeat(unit.Draw(t, "unit"), rapid.IntRange(0, 9000).Draw(t, "times"))
			all.WriteString(p)
			if n, err := c.Write([]byte(p)); n != len(p) || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, len(p), err)
			}
		}
		want := all.String()
		n := rapid.IntRange(0, 20000).Draw(t, "chars")
		if got := c.First(n); got != firstRunes(want, n) {
			t.Fatalf("First(%d) is wrong: %d bytes of %d", n, len(got), len(want))
		}
		if got := c.Last(n); got != lastRunes(want, n) {
			t.Fatalf("Last(%d) is wrong: %d bytes of %d", n, len(got), len(want))
		}
		total, chars, _ := c.Size()
		if int(total) != len(want) || int(chars) != utf8.RuneCountInString(want) {
			t.Fatalf("size %d, %d characters, want %d, %d", total, chars, len(want), utf8.RuneCountInString(want))
		}
		path, err := c.Spill()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); !bytes.Equal(got, []byte(want)) {
			t.Fatalf("the file has %d bytes, want %d", len(got), len(want))
		}
	})
}

func TestCaptureFileIsPrivateAndOnlyMadeWhenNeeded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "spill")
	c := proc.NewCapture(dir, "out_*.txt")
	defer c.Close()
	write(t, c, strings.Repeat("x", 32<<10))
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("a small output made %s (%v)", dir, err)
	}
	write(t, c, "y")
	path, err := c.Spill()
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode(), mode, err)
		}
	}
}

func TestCaptureStopsTheFileAtItsLimit(t *testing.T) {
	c := proc.NewCapture(t.TempDir(), "out_*.txt")
	defer c.Close()
	proc.Limit(c, 100_000)
	for range 15 {
		write(t, c, strings.Repeat("x", 10_000))
	}
	write(t, c, "the end")
	path, err := c.Spill()
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Size() != 100_000 {
		t.Errorf("the file has %d bytes", info.Size())
	}
	if total, _, saved := c.Size(); total != 150_007 || saved != 100_000 {
		t.Errorf("size %d, saved %d", total, saved)
	}
	if got := c.Last(9); got != "xxthe end" {
		t.Errorf("the end is %q", got)
	}
}

func TestCaptureGoesOnWithoutItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := proc.NewCapture(filepath.Join(file, "below"), "out_*.txt")
	defer c.Close()
	write(t, c, "begin"+strings.Repeat("é", 50_000)+"end")
	if _, err := c.Spill(); err == nil {
		t.Error("a folder below a file was made")
	}
	if !strings.HasPrefix(c.First(30_000), "beginé") || !strings.HasSuffix(c.Last(30_000), "éend") {
		t.Error("beginning or end is lost")
	}
	if !utf8.ValidString(c.First(30_000)) || !utf8.ValidString(c.Last(30_000)) {
		t.Error("a character was cut")
	}
}

func write(t *testing.T, c *proc.Capture, s string) {
	t.Helper()
	if n, err := c.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, len(s), err)
	}
}
