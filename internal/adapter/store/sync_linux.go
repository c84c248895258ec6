package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFile puts the bytes of f on the disk; its times may lag behind.
func syncFile(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return err
		}
	}
}
