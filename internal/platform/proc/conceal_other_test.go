//go:build !linux

package proc_test

// beConcealed has nothing to do here.
func beConcealed() bool { return false }
