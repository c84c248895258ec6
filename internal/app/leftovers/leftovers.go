// Package leftovers finds what an earlier run of the program has left running:
// process groups of commands, jobs and sandboxes. It ends nothing: it says how.
package leftovers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// Lines tell, one line each, what of a session still runs and how it is
// stopped.
func Lines(s *history.State) []event.Payload {
	var lines []event.Payload
	tell := func(format string, args ...any) {
		lines = append(lines, event.ToolLog{Tool: "system", Log: fmt.Sprintf(format, args...)})
	}
	for _, ref := range s.Groups {
		if g, err := proc.ParseGroup(ref); err == nil && g.Alive() {
			tell("still running since before: process group %d of a command; stop it with: kill -- -%d", g.ID, g.ID)
		}
	}
	for _, open := range held(s) {
		kind, name, _ := strings.Cut(open.Ref, ":")
		namespace, id, _ := strings.Cut(name, "/")
		switch {
		case open.Kind == event.SpendSandbox:
			tell("not settled since before: sandbox %s, which is paid for while it is there; remove it with: ml-intern sandbox rm %s", name, name)
		case kind == "job":
			tell("not settled since before: job %s, which is paid for while it runs; stop it with: ml-intern jobs cancel %s --namespace %s", name, id, namespace)
		}
	}
	return lines
}

// held are the reservations for outside things, in order.
func held(s *history.State) []event.Spend {
	var open []event.Spend
	for _, e := range s.Spend {
		if e.State == event.SpendReserved && e.Ref != "" {
			open = append(open, e)
		}
	}
	slices.SortFunc(open, func(a, b event.Spend) int { return strings.Compare(a.ID, b.ID) })
	return open
}
