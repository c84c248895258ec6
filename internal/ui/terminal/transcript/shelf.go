package transcript

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

// Tool is a finished call.
type Tool struct {
	Number int // from 1 within the session
	ID     string
	Name   string
	// Args are its arguments as JSON, cut where they are long; Means is the
	// same in a few words.
	Args, Means string
	Took        time.Duration
	Size        int // of the whole output, in bytes
	OK          bool
	// Output is what it said; Cut says that the middle is no longer kept.
	Output string
	Cut    bool

	counted bool // its line told what it has changed
}

const (
	// shelfSize is how many results are kept, shelfBytes how much of their
	// outputs; older ones are cut to keptEnds bytes at either end.
	shelfSize  = 500
	shelfBytes = 16 << 20
	keptEnds   = 1000
)

// shelf keeps the last results.
type shelf struct {
	tools []Tool
	count int
	bytes int
	cut   int // how many of the oldest are cut
}

// add keeps a result and returns its number.
func (s *shelf) add(x Tool) int {
	s.count++
	x.Number = s.count
	if len(x.Output) > shelfBytes/2 {
		x.shorten()
	} else {
		x.Output = strings.Clone(x.Output)
	}
	s.tools = append(s.tools, x)
	s.bytes += len(x.Output)
	if len(s.tools) > shelfSize {
		s.bytes -= len(s.tools[0].Output)
		s.tools[0] = Tool{}
		s.tools = s.tools[1:]
		s.cut = max(0, s.cut-1)
	}
	for ; s.bytes > shelfBytes && s.cut < len(s.tools)-1; s.cut++ {
		old := &s.tools[s.cut]
		s.bytes -= len(old.Output)
		old.shorten()
		s.bytes += len(old.Output)
	}
	return x.Number
}

// shorten drops the middle of an output.
func (x *Tool) shorten() {
	if x.Cut || len(x.Output) <= 2*keptEnds+200 {
		return
	}
	from, to := keptEnds, len(x.Output)-keptEnds
	for from > 0 && !utf8.RuneStart(x.Output[from]) {
		from--
	}
	for to < len(x.Output) && !utf8.RuneStart(x.Output[to]) {
		to++
	}
	x.Output = fmt.Sprintf(
		"%s\n[… %s of this output are no longer kept here; the session's journal has them …]\n%s",
		x.Output[:from], amount.Bytes(int64(to-from)), x.Output[to:],
	)
	x.Cut = true
}

// counted reports whether the line of a call has told what it changed.
func (s *shelf) counted(id string) bool {
	for i := len(s.tools) - 1; i >= 0; i-- {
		if s.tools[i].ID == id {
			return s.tools[i].counted
		}
	}
	return false
}
