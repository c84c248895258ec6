package companion

import (
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/history"
)

// Bounds of what waits for the model: lines, and characters of one.
const (
	keptLines  = 20
	lineLength = 500
)

// Notices are lines for the model that wait for its next call, each once; of
// more than 20 the newest stay. They are kept in memory alone: a line that has
// not joined a turn when the program ends is gone, and whoever has told it
// tells it again if it still holds. So none is told twice. The zero value is
// empty; it is safe for concurrent use.
type Notices struct {
	mu    sync.Mutex
	lines []string
}

// Add puts a line at the end.
func (n *Notices) Add(line string) {
	if line = history.Cut(history.Line(line), lineLength); line == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(n.lines, line) {
		n.lines = append(n.lines[max(0, len(n.lines)-keptLines+1):], line)
	}
}

// Take returns what waits as one message, empty for none, and forgets it.
func (n *Notices) Take() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.lines) == 0 {
		return ""
	}
	text := "[SYSTEM: NOTICE] " + strings.Join(n.lines, "\n")
	n.lines = nil
	return text
}
