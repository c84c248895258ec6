package scrollback

import (
	"bytes"
	"sync/atomic"

	"github.com/charmbracelet/x/term"
)

// Output is a terminal that notes when the first view has reached it. Before
// that there is nothing to print above of.
type Output struct {
	term.File
	drawn atomic.Bool
}

// Watch notes what is written to f.
func Watch(f term.File) *Output { return &Output{File: f} }

// Write writes p. A view has several rows; what is written before it, questions
// to the terminal and its modes, has none.
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.File.Write(p)
	if bytes.IndexByte(p, '\n') >= 0 {
		o.drawn.Store(true)
	}
	return n, err
}

// Drawn reports whether the first view is there.
func (o *Output) Drawn() bool { return o == nil || o.drawn.Load() }
