package proc

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Group names a process group so that it can be found again, even by another
// run of the program: the id alone could meanwhile belong to somebody else.
type Group struct {
	ID int
	// Start says when the group's leader started, in a form of the operating
	// system; empty where that cannot be known.
	Start string
}

const groupPrefix = "pgid:"

// String returns "pgid:<id>@<start>".
func (g Group) String() string {
	if g.Start == "" {
		return groupPrefix + strconv.Itoa(g.ID)
	}
	return groupPrefix + strconv.Itoa(g.ID) + "@" + g.Start
}

// ParseGroup reads what String wrote.
func ParseGroup(s string) (Group, error) {
	rest, ok := strings.CutPrefix(s, groupPrefix)
	number, start, _ := strings.Cut(rest, "@")
	id, err := strconv.Atoi(number)
	if !ok || err != nil || id <= 1 {
		return Group{}, fmt.Errorf("read process group %q: it is not of the form pgid:NUMBER@START", s)
	}
	return Group{ID: id, Start: start}, nil
}

// GroupOf is the group that a process leads.
func GroupOf(pid int) Group { return Group{ID: pid, Start: startOf(pid)} }

// Alive reports whether a process of the group runs.
func (g Group) Alive() bool { return g.alive() }

// Kill ends the group: TERM, [Grace], KILL. It returns when no process of it is
// left, or soon after KILL.
func (g Group) Kill() { g.end() }

// Signal asks the processes of the group to end, or makes them with kill. Unlike
// Kill it does not wait.
func (g Group) Signal(kill bool) { g.signal(kill) }

func (g Group) end() {
	g.signal(false)
	if !g.waitGone(Grace) {
		g.signal(true)
		g.waitGone(reap)
	}
}

// waitGone waits for the end of the group, at most for limit.
func (g Group) waitGone(limit time.Duration) bool {
	for wait := 2 * time.Millisecond; limit > 0; wait = min(2*wait, 100*time.Millisecond) {
		if g.gone() {
			return true
		}
		time.Sleep(wait)
		limit -= wait
	}
	return g.gone()
}
