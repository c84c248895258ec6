//go:build unix

package files_test

import (
	"os"
	"syscall"
	"testing"
)

func TestNewFilesFollowTheMask(t *testing.T) {
	d := newDesk(t)
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	good(t, d.write("dir/a.txt", "x"))
	for name, want := range map[string]os.FileMode{"dir/a.txt": 0o640, "dir": os.ModeDir | 0o750} {
		if info, err := os.Stat(d.path(name)); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v (%v), want %v", name, info.Mode(), err, want)
		}
	}
	// The mask takes nothing from a file that was there.
	d.put("b.txt", "x\n")
	if err := os.Chmod(d.path("b.txt"), 0o666); err != nil {
		t.Fatal(err)
	}
	good(t, d.read("b.txt"))
	good(t, d.write("b.txt", "y\n"))
	if info, err := os.Stat(d.path("b.txt")); err != nil || info.Mode() != 0o666 {
		t.Errorf("mode %v (%v), want 0666", info.Mode(), err)
	}
}

func TestOwnerIsKept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	d := newDesk(t)
	d.put("a.txt", "x\n")
	if err := os.Chown(d.path("a.txt"), 1234, 2345); err != nil {
		t.Skipf("files cannot be given away here: %v", err)
	}
	if err := os.Chmod(d.path("a.txt"), os.ModeSetuid|0o755); err != nil {
		t.Fatal(err)
	}
	good(t, d.read("a.txt"))
	good(t, d.edit("a.txt", "x", "y"))
	info, err := os.Stat(d.path("a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if st.Uid != 1234 || st.Gid != 2345 || info.Mode() != os.ModeSetuid|0o755 {
		t.Errorf("owner %d:%d, mode %v", st.Uid, st.Gid, info.Mode())
	}
}

func TestNamedPipeDoesNotBlock(t *testing.T) {
	d := newDesk(t)
	if err := syscall.Mkfifo(d.path("pipe"), 0o600); err != nil {
		t.Skipf("no named pipes: %v", err)
	}
	bad(t, d.read("pipe"), "named pipe")
	bad(t, d.write("pipe", "x"), "named pipe")
}
