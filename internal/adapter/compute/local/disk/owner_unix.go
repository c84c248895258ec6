//go:build unix

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// version names the state of a file: another file, size or time of change is
// another version.
func version(info fs.FileInfo) string {
	at := info.ModTime().UnixNano()
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%x-%x-%x-%x", uint64(st.Dev), uint64(st.Ino), info.Size(), at)
	}
	return fmt.Sprintf("%x-%x", info.Size(), at)
}

// keepOwner gives f the owner and group of before, as far as permitted, and
// reports whether f has both now.
func keepOwner(f *os.File, before fs.FileInfo) bool {
	want, ok := before.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	if info, err := f.Stat(); err == nil {
		if is, ok := info.Sys().(*syscall.Stat_t); ok && is.Uid == want.Uid && is.Gid == want.Gid {
			return true
		}
	}
	if f.Chown(int(want.Uid), int(want.Gid)) == nil {
		return true
	}
	_ = f.Chown(-1, int(want.Gid)) // the group alone is often allowed
	return false
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // some file systems cannot sync a folder
	}
	return err
}
