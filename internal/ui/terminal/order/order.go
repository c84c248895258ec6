// Package order runs errands beside whoever gives them: each by itself, or one
// behind the other.
package order

// Goer runs something beside its caller: a Work, or a sync.WaitGroup.
type Goer interface{ Go(do func()) }

// Line is errands in their order. Its zero value has none. Its methods belong to
// one goroutine.
type Line struct{ last chan struct{} }

// Go runs do when all that was given before is done, as a part of work.
func (l *Line) Go(work Goer, do func()) {
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
