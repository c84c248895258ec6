//go:build unix && !linux

package proc

import "golang.org/x/sys/unix"

// ours reports whether the id still means the group that g named: a leader
// with another start time is a later process.
func (g Group) ours() bool {
	now := startOf(g.ID)
	return now == "" || g.Start == "" || now == g.Start
}

func (g Group) alive() bool { return held(g.ID) && g.ours() }

func (g Group) gone() bool { return !g.alive() }

func (g Group) signal(kill bool) {
	sig := unix.SIGTERM
	if kill {
		sig = unix.SIGKILL
	}
	if g.ours() {
		_ = unix.Kill(-g.ID, sig) // it may have ended just now
	}
}

// closeOnExec marks every descriptor above 2: those we got from our own parent
// are not marked yet.
func closeOnExec() { markAll("/dev/fd") }
