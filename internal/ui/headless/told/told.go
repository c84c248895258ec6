// Package told remembers which lines of running calls have been shown. It shows
// nothing.
package told

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// keptLines bounds the lines that are remembered of one call.
const keptLines = 500

// Lines are the lines that running calls have printed, by call: a failed one is
// shown with what was not seen before.
type Lines map[string]map[string]bool

// Add notes lines that were shown.
func (t Lines) Add(l event.ToolLog) {
	if l.ToolCallID == "" {
		return
	}
	lines := t[l.ToolCallID]
	if lines == nil {
		lines = map[string]bool{}
		t[l.ToolCallID] = lines
	}
	for line := range strings.Lines(l.Log) {
		if line = strings.TrimSpace(line); line != "" && len(lines) < keptLines {
			lines[line] = true
		}
	}
}

// Rest is output without the lines that its call has printed; the call is over.
func (t Lines) Rest(call, output string) string {
	seen := t[call]
	delete(t, call)
	var kept []string
	for line := range strings.Lines(output) {
		if line = strings.TrimRight(line, "\n"); !seen[strings.TrimSpace(line)] {
			kept = append(kept, line)
		}
	}
	return strings.TrimSpace(strings.Join(kept, "\n"))
}
