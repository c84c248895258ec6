package proc

import "golang.org/x/sys/unix"

// Conceal keeps other processes of the same user, the commands we run among
// them, from reading this process's memory and environment, where keys are.
// Root can still look. It also switches core dumps of this process off.
func Conceal() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
