//go:build !windows

package store

import (
	"errors"
	"os"
)

// syncDir puts the names in dir on the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
