// Package order runs errands one behind the other, beside whoever gives them.
package order

import "sync"

// Line is errands in their order. Its zero value has none. Its methods belong to
// one goroutine.
type Line struct{ last chan struct{} }

// Go runs do when all that was given before is done; work counts it.
func (l *Line) Go(work *sync.WaitGroup, do func()) {
	before, done := l.last, make(chan struct{})
	l.last = done
	work.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		do()
	})
}

// Done is closed when all that has been given so far is done.
func (l *Line) Done() <-chan struct{} {
	if l.last == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	return l.last
}
