//go:build unix && !linux

package proc

import (
	"errors"

	"golang.org/x/sys/unix"
)

func (g Group) leads() bool {
	err := unix.Kill(g.ID, 0)
	return (err == nil || errors.Is(err, unix.EPERM)) && g.ours()
}
