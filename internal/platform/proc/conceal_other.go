//go:build !linux

package proc

// Conceal does nothing here: the system shows a process's environment to its
// own user, or to nobody, whatever we say.
func Conceal() error { return nil }
