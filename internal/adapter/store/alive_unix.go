//go:build !windows

package store

import (
	"errors"
	"syscall"
)

// alive reports whether a process with this number runs.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
