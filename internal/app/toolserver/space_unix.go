//go:build linux || darwin

package toolserver

import "golang.org/x/sys/unix"

// space is the size of the disk dir is on, and what of it is free.
func space(dir string) (total, free int64) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, 0
	}
	return int64(st.Blocks) * int64(st.Bsize), int64(st.Bavail) * int64(st.Bsize)
}
