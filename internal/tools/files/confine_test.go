package files_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
)

func confined(t *testing.T, c local.Confine, extra ...string) *desk {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs symbolic links")
	}
	return newDesk(t, func(o *local.Options) { o.Confine, o.Extra = c, extra })
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

// Acceptance check 15, first half.
func TestCheck15NothingOutsideIsRead(t *testing.T) {
	d := confined(t, local.All)
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "x"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.put("in.txt", "inside\n")
	d.put("sub/deep.txt", "deep\n")
	link(t, "/etc", d.path("etc"))
	link(t, "/etc/passwd", d.path("passwd"))
	link(t, outside, d.path("out"))
	link(t, "sub", d.path("within"))
	link(t, d.path("sub/deep.txt"), d.path("absolute-within"))
	for _, path := range []string{
		"/etc/passwd", "../x", "etc/passwd", "passwd", "out/x", "sub/../../x", filepath.Join(outside, "x"),
		d.dir + "-sibling/x", "/", "..",
	} {
		bad(t, d.read(path), d.dir)
		bad(t, d.write(path, "x"), d.dir)
		bad(t, d.edit(path, "a", "b"), d.dir)
	}
	for path, want := range map[string]string{
		"in.txt": "inside", d.path("in.txt"): "inside", "within/deep.txt": "deep", "absolute-within": "deep", "sub/../in.txt": "inside",
	} {
		good(t, d.read(path), want)
	}
	good(t, d.write("new/file.txt", "x"))
	good(t, d.edit("within/deep.txt", "deep", "deeper"))
	d.has("sub/deep.txt", "deeper\n")
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside has %v (%v)", entries, err)
	}
}

func TestConfineWriteLeavesReadingFree(t *testing.T) {
	d := confined(t, local.Write)
	outside := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(outside, []byte("seen\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	good(t, d.read(outside), "seen")
	bad(t, d.write(outside, "x"), "outside "+d.dir)
	bad(t, d.edit(outside, "seen", "x"), "outside "+d.dir)
}

func TestExtraFoldersAreReadableInEveryConfinement(t *testing.T) {
	spill := filepath.Join(t.TempDir(), "spill") // comes into being later
	d := confined(t, local.All, spill)
	bad(t, d.read(filepath.Join(spill, "a.txt")), "outside")
	if err := os.MkdirAll(spill, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(spill, "a.txt"), []byte("spilled\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good(t, d.read(filepath.Join(spill, "a.txt")), "spilled")
	bad(t, d.write(filepath.Join(spill, "a.txt"), "x"), "outside")
	bad(t, d.read(filepath.Join(spill, "..", "x")), "outside")
}

// Acceptance check 15, second half: someone swaps a folder, and the file
// itself, for links that lead outside, as fast as they can.
func TestCheck15RacingSwapNeverWritesOutside(t *testing.T) {
	for _, c := range []struct {
		name   string
		victim string // what is swapped, in the workspace
		link   string // for what, outside
	}{{"folder", "sub", ""}, {"file", "sub/f.txt", "f.txt"}} {
		t.Run(c.name, func(t *testing.T) {
			d := confined(t, local.All)
			outside := t.TempDir()
			bait := filepath.Join(outside, "f.txt")
			if err := os.WriteFile(bait, []byte("outside\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			d.put("sub/f.txt", "inside\n")
			stop := make(chan struct{})
			var swapper sync.WaitGroup
			swapper.Go(func() { swap(d.path(c.victim), filepath.Join(outside, c.link), stop) })
			done := 0
			for range 1000 {
				_, _ = d.files.Read().Run(t.Context(), d.env, json.RawMessage(`{"path":"sub/f.txt"}`))
				r, err := d.files.Write().Run(t.Context(), d.env, json.RawMessage(`{"path":"sub/f.txt","content":"written\n"}`))
				if err == nil && r.OK {
					done++
				}
				if strings.Contains(r.Output, "-outside") {
					t.Fatalf("a file outside was read: %s", r.Output)
				}
			}
			close(stop)
			swapper.Wait()
			entries, err := os.ReadDir(outside)
			if err != nil || len(entries) != 1 {
				t.Errorf("outside has %v (%v)", entries, err)
			}
			if data, err := os.ReadFile(bait); err != nil || string(data) != "outside\n" {
				t.Errorf("the file outside is %q (%v)", data, err)
			}
			if done == 0 || done == 1000 {
				t.Errorf("%d of 1000 writes went through: the swap was no race", done)
			}
		})
	}
}

// swap exchanges path and a link to outside until stop closes, and leaves path
// in place.
func swap(path, outside string, stop <-chan struct{}) {
	aside := path + ".aside"
	for {
		_ = os.Rename(path, aside) // fails when a write has just replaced it
		_ = os.Symlink(outside, path)
		_ = os.Remove(path) // the link, or fails when a write has made a folder here
		if os.Rename(aside, path) != nil {
			_ = os.RemoveAll(aside) // go on with what the write has made
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}
