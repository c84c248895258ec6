//go:build !windows

package signals

import (
	"os"
	"syscall"
)

// goesOn is the signal of a process that goes on.
var goesOn os.Signal = syscall.SIGCONT
