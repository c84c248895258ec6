package saved

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/leftovers"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
)

// Remarks are what a person should know of a session that goes on in the
// folder dir: that it was held elsewhere, that it ended in the middle of
// something, and what still runs since then.
func Remarks(s *history.State, dir string) []event.Payload {
	var lines []event.Payload
	tell := func(format string, args ...any) {
		lines = append(lines, event.ToolLog{Tool: "system", Log: fmt.Sprintf(format, args...)})
	}
	if s.Cwd != "" && !sameDir(s.Cwd, dir) {
		tell("warning: this session was held in %s; now it works in %s", s.Cwd, dir)
	}
	if open := unanswered(s); len(open) > 0 {
		tell("the session ended in the middle of its work: no result of %s", strings.Join(open, ", "))
	}
	return append(lines, leftovers.Lines(s)...)
}

// unanswered are the calls without a result, those of one tool together.
func unanswered(s *history.State) []string {
	answered := map[string]bool{}
	for _, m := range s.Messages {
		answered[m.ToolCallID] = true
	}
	count := map[string]int{}
	for _, m := range s.Messages {
		for _, c := range m.ToolCalls {
			if !answered[c.ID] {
				count[c.Name]++
			}
		}
	}
	var names []string
	for name, n := range count {
		if n == 1 {
			names = append(names, "1 call of "+name)
			continue
		}
		names = append(names, fmt.Sprintf("%d calls of %s", n, name))
	}
	slices.Sort(names)
	return names
}

func sameDir(a, b string) bool {
	for _, path := range []*string{&a, &b} {
		if real, err := filepath.EvalSymlinks(*path); err == nil {
			*path = real
		}
	}
	return filepath.Clean(a) == filepath.Clean(b)
}
