package proc

import "golang.org/x/sys/unix"

func point(from, to int) error { return unix.Dup3(from, to, 0) }
