//go:build unix

package proc

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// detached puts a child into a session of its own: a new process group, no
// controlling terminal.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// spelled changes nothing: a program gets its arguments one by one.
func spelled(attr *syscall.SysProcAttr, _ string) *syscall.SysProcAttr { return attr }

// limits is run by sh and becomes the program: no core files, and at most
// 65,536 open files (10,240 where the system allows no more, else what we have).
const limits = `ulimit -c 0; ulimit -n 65536 2>/dev/null || ulimit -n 10240 2>/dev/null; exec "$@"`

func limited(argv []string) []string {
	return append([]string{"/bin/sh", "-c", limits, "sh"}, argv...)
}

func exitOf(state *os.ProcessState, err error) Exit {
	var failed *exec.ExitError
	if state == nil || err != nil && !errors.As(err, &failed) {
		return Exit{Code: -1}
	}
	exit := Exit{Code: state.ExitCode()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = unix.SignalName(status.Signal())
	}
	return exit
}

// held reports whether any process, a zombie included, is in group id.
func held(id int) bool {
	err := unix.Kill(-id, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}
