package audits

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	lab "github.com/ml-intern/ml-intern/internal/lab/audit"
)

// How progress is shown: on a terminal a line that is drawn over, elsewhere a
// line for each phase.
const (
	redraw   = 100 * time.Millisecond
	barWidth = 24
	lineLen  = 72
)

// bar shows how far an audit is.
type bar struct {
	out      io.Writer
	terminal bool
	phase    string
	told     map[string]bool // phases that have had their line
	begun    time.Time
	drawn    time.Time
}

func newBar(out io.Writer) *bar {
	f, ok := out.(*os.File)
	return &bar{out: out, terminal: ok && term.IsTerminal(int(f.Fd())), told: map[string]bool{}}
}

func (b *bar) show(p lab.Progress) {
	p.Phase = console.OneLine(p.Phase) // it has names of files and splits
	now := time.Now()
	if p.Phase != b.phase {
		b.phase, b.begun = p.Phase, now
		if !b.terminal && !b.told[p.Phase] {
			b.told[p.Phase] = true
			fmt.Fprintln(b.out, p.Phase)
		}
	} else if now.Sub(b.drawn) < redraw && p.Done < p.Total {
		return
	}
	if !b.terminal {
		return
	}
	b.drawn = now
	text := []rune(line(p, now.Sub(b.begun)))
	fmt.Fprintf(b.out, "\r%-*s", lineLen, string(text[:min(len(text), lineLen)]))
}

// line is a phase with its share done and the time that is left, an estimate.
func line(p lab.Progress, taken time.Duration) string {
	if p.Total <= 0 {
		return fmt.Sprintf("%s … %d", p.Phase, p.Done)
	}
	share := min(max(float64(p.Done)/float64(p.Total), 0), 1)
	full := int(share * barWidth)
	text := fmt.Sprintf("%-24s [%s%s] %3.0f%%", p.Phase, strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), 100*share)
	if share > 0.01 && share < 1 && taken > 2*time.Second {
		left := time.Duration(float64(taken) * (1 - share) / share)
		text += fmt.Sprintf("  about %s left", left.Round(time.Second))
	}
	return text
}

// clear takes the line away.
func (b *bar) clear() {
	if b.terminal && b.phase != "" {
		fmt.Fprintf(b.out, "\r%s\r", strings.Repeat(" ", lineLen))
	}
}
