package proc

import (
	"os"
	"os/exec"
)

// Detach has c start in a session of its own: no terminal reaches it, and no
// descriptor but the three it is given is passed on.
func Detach(c *exec.Cmd) {
	c.SysProcAttr = detached()
	closeOnExec()
}

// Named names a process by its number.
func Named(pid int) Group { return GroupOf(pid) }

// Self names this process, which leads a group when it was started detached.
func Self() Group { return GroupOf(os.Getpid()) }

// Leads reports whether the process that g is named after still runs, whatever
// became of those it has started.
func (g Group) Leads() bool { return g.ID > 1 && g.leads() }
