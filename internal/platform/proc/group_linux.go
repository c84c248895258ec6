package proc

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// bootID tells starts of the machine apart, because process start times count
// from there.
var bootID = sync.OnceValue(func() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it the ticks alone must do
	return strings.TrimSpace(string(id[:min(8, len(id))]))
})

// startOf returns the clock ticks between the machine's start and that of pid.
func startOf(pid int) string {
	s, ok := statOf(strconv.Itoa(pid))
	if !ok {
		return ""
	}
	return s.start + "-" + bootID()
}

// stat is what we use of /proc/PID/stat.
type stat struct {
	pid, group, session int
	zombie              bool
	start               string
}

func statOf(pid string) (stat, bool) {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return stat{}, false
	}
	// The name, in parentheses, may hold anything; the rest begins with the
	// third field.
	f := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(f) < 20 {
		return stat{}, false
	}
	number := func(b []byte) int { n, _ := strconv.Atoi(string(b)); return n }
	id, _ := strconv.Atoi(pid)
	state := f[0][0]
	return stat{
		pid: id, group: number(f[2]), session: number(f[3]),
		zombie: state == 'Z' || state == 'X', start: string(f[19]),
	}, true
}

// groups lists the process groups in the session that g leads: g itself, and
// those a shell with job control has made. It is empty when nothing runs or
// when the id belongs to a later process.
func (g Group) groups() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var found []int
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		s, ok := statOf(name)
		if !ok || s.zombie || s.session != g.ID && s.group != g.ID {
			continue
		}
		if s.pid == g.ID && g.Start != "" && s.start+"-"+bootID() != g.Start {
			return nil // an id is not given out again while its group lives
		}
		if !slices.Contains(found, s.group) {
			found = append(found, s.group)
		}
	}
	if _, boot, ok := strings.Cut(g.Start, "-"); ok && boot != bootID() {
		return nil
	}
	return found
}

// alive looks at the group alone first: that needs no walk over all processes.
func (g Group) alive() bool { return held(g.ID) && len(g.groups()) > 0 }

// gone reports whether nothing of the session is left.
func (g Group) gone() bool { return len(g.groups()) == 0 }

func (g Group) signal(kill bool) {
	sig := unix.SIGTERM
	if kill {
		sig = unix.SIGKILL
	}
	for _, id := range g.groups() {
		_ = unix.Kill(-id, sig) // it may have ended just now
	}
}

// closeOnExec marks every descriptor above 2: those we got from our own parent
// are not marked yet.
func closeOnExec() {
	if unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC) != nil {
		markAll("/proc/self/fd")
	}
}
