// Package shelf keeps the last results of tools, so that a person can look at
// them again. Its size is bounded whatever a session prints.
package shelf

import (
	"fmt"
	"slices"
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

	// Counted says that its line has told what it changed.
	Counted bool
}

const (
	// Size is how many results are kept, mostBytes how much of their
	// outputs; older ones are cut to keptEnds bytes at either end.
	Size      = 500
	mostBytes = 16 << 20
	keptEnds  = 1000
)

// Shelf keeps the last results.
type Shelf struct {
	tools []Tool
	count int
	bytes int
	cut   int // how many of the oldest are cut
}

// Add keeps a result and returns its number.
func (s *Shelf) Add(x Tool) int {
	s.count++
	x.Number = s.count
	if len(x.Output) > mostBytes/2 {
		x.shorten()
	} else {
		x.Output = strings.Clone(x.Output)
	}
	s.tools = append(s.tools, x)
	s.bytes += len(x.Output)
	if len(s.tools) > Size {
		s.bytes -= len(s.tools[0].Output)
		s.tools[0] = Tool{}
		s.tools = s.tools[1:]
		s.cut = max(0, s.cut-1)
	}
	for ; s.bytes > mostBytes && s.cut < len(s.tools)-1; s.cut++ {
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

// Counted reports whether the line of a call has told what the call changed.
func (s *Shelf) Counted(id string) bool {
	for i := len(s.tools) - 1; i >= 0; i-- {
		if s.tools[i].ID == id {
			return s.tools[i].Counted
		}
	}
	return false
}

// Skip counts a result that is not kept.
func (s *Shelf) Skip() { s.count++ }

// Tools are the results, the oldest first.
func (s *Shelf) Tools() []Tool { return slices.Clone(s.tools) }
