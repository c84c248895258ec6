package export

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

// How progress is shown: on a terminal a line that is drawn over, elsewhere a line now
// and then.
const (
	redraw  = 100 * time.Millisecond
	report  = 10 * time.Second
	lineLen = 72
)

// meter shows how far an export is. Downloads tell it from many goroutines.
type meter struct {
	out      io.Writer
	terminal bool

	mu    sync.Mutex
	begun time.Time
	told  time.Time
	shown bool
	files map[string]int64 // bytes of each that is fetched
}

func newMeter(out io.Writer) *meter {
	f, ok := out.(*os.File)
	now := time.Now()
	return &meter{out: out, terminal: ok && term.IsTerminal(int(f.Fd())), begun: now, told: now, files: map[string]int64{}}
}

// read tells how many sessions were read.
func (m *meter) read(n int, day string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.show(func() string { return fmt.Sprintf("%d sessions read, now at %s", n, day) })
}

// fetched tells how much of a file is there.
func (m *meter) fetched(path string, done, _ int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[path] = done
	m.show(func() string {
		var sum int64
		for _, n := range m.files {
			sum += n
		}
		return fmt.Sprintf("%d files fetched, %s", len(m.files), amount.Bytes(sum))
	})
}

func (m *meter) show(text func() string) {
	every := report
	if m.terminal {
		every = redraw
	}
	now := time.Now()
	if now.Sub(m.told) < every {
		return
	}
	m.told = now
	line := []rune(console.OneLine(text()))
	line = line[:min(len(line), lineLen)]
	if m.terminal {
		m.shown = true
		fmt.Fprintf(m.out, "\r%-*s", lineLen, string(line))
		return
	}
	fmt.Fprintln(m.out, string(line))
}

// clear takes the line away.
func (m *meter) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shown {
		m.shown = false
		fmt.Fprintf(m.out, "\r%s\r", strings.Repeat(" ", lineLen))
	}
}
