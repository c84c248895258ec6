package interactive

import (
	"slices"
	"sync"
)

// mostWarnings is how many warnings wait to be shown; what comes beyond is
// dropped.
const mostWarnings = 64

// warner brings the program's warnings to the person: printed while nothing is
// drawn, as lines of the conversation while it is on the screen.
type warner struct {
	print func(line string) // nil drops
	lines chan string

	mu    sync.Mutex
	shown bool
	told  []string // all that were printed
}

func (w *warner) warn(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.shown:
		select {
		case w.lines <- "warning: " + line:
		default:
		}
	case w.print != nil:
		w.told = append(w.told, line)
		w.print(line)
	}
}

// news are the lines that were not printed yet: two processes read the settings,
// and both have the same to say of them.
func (w *warner) news(lines []string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(w.told, line) })
}

// show begins to give warnings to the conversation.
func (w *warner) show() <-chan string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shown = true
	return w.lines
}

// hide prints warnings again, those that nobody has taken first.
func (w *warner) hide() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shown = false
	for {
		select {
		case line := <-w.lines:
			if w.print != nil {
				w.print(line[len("warning: "):])
			}
		default:
			return
		}
	}
}
