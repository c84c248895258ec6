package proc

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW}
}

// spelled gives the child a command line as it is; empty leaves it to the
// arguments.
func spelled(attr *syscall.SysProcAttr, line string) *syscall.SysProcAttr {
	attr.CmdLine = line
	return attr
}

// limited changes nothing: there are neither core files nor a limit to set.
func limited(argv []string) []string { return argv }

// closeOnExec changes nothing: only the three standard handles are passed on.
func closeOnExec() {}

func exitOf(state *os.ProcessState, _ error) Exit {
	if state == nil {
		return Exit{Code: -1}
	}
	return Exit{Code: state.ExitCode()}
}

// startOf returns the creation time of pid in 100-nanosecond units.
func startOf(pid int) string {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return ""
	}
	defer func() { _ = windows.CloseHandle(h) }()
	var created, ended, kernel, user windows.Filetime
	if windows.GetProcessTimes(h, &created, &ended, &kernel, &user) != nil {
		return ""
	}
	var code uint32
	if windows.GetExitCodeProcess(h, &code) != nil || code != stillActive {
		return ""
	}
	return strconv.FormatInt(created.Nanoseconds()/100, 10)
}

// stillActive is the exit code of a process that has none yet.
const stillActive = 259

// alive knows of the first process only: there are no groups to ask for what
// it left behind.
func (g Group) alive() bool {
	now := startOf(g.ID)
	return now != "" && (g.Start == "" || now == g.Start)
}

func (g Group) gone() bool { return !g.alive() }

// signal ends the process and its children at once: a process without window
// cannot be asked to.
func (g Group) signal(bool) {
	if !g.alive() {
		return
	}
	cmd := exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(g.ID))
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true}
	_ = cmd.Run() // it may have ended just now
}
