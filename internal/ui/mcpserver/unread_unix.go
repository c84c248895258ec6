//go:build unix

package mcpserver

import (
	"os"

	"golang.org/x/sys/unix"
)

// unread reports whether nobody reads what is written to f.
func unread(f *os.File) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return true // it is closed
	}
	gone := false
	_ = conn.Control(func(fd uintptr) { // a file that was closed meanwhile is asked again
		ask := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(ask, 0)
		gone = err == nil && n == 1 && ask[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	})
	return gone
}
