package order

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// Work counts goroutines. One that panics does not end the process, whose
// terminal would then stay as it is: what it said is handed over.
type Work struct {
	// Broke gets what a goroutine panicked with, and where. It is set before
	// the first.
	Broke func(text string)

	running sync.WaitGroup
}

// Go runs do beside the caller.
func (w *Work) Go(do func()) {
	w.running.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				w.Broke(fmt.Sprintf("%v\n\n%s", p, debug.Stack()))
			}
		}()
		do()
	})
}

// Wait waits for the end of all that runs.
func (w *Work) Wait() { w.running.Wait() }
