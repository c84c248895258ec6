//go:build unix

package attach

import (
	"fmt"
	"os"
	"syscall"
)

// private makes sure that nobody else can use the folder.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", dir)
	case !ok || int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("the folder %s belongs to somebody else", dir)
	case info.Mode().Perm()&0o077 != 0:
		return os.Chmod(dir, 0o700)
	}
	return nil
}
