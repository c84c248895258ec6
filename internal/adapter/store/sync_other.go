//go:build !linux

package store

import "os"

// syncFile puts the bytes of f on the disk.
func syncFile(f *os.File) error { return f.Sync() }
