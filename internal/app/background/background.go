// Package background holds work that nobody waits for while the program runs.
// It does not know what the work is.
package background

import (
	"context"
	"sync"
)

// Work is done beside everything else. The zero value is ready. Closing it
// cancels what runs and waits until it has returned.
type Work struct {
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func (b *Work) open() {
	b.once.Do(func() { b.ctx, b.cancel = context.WithCancel(context.Background()) })
}

// Run starts f, whose context ends with the program.
func (b *Work) Run(f func(ctx context.Context)) {
	b.open()
	b.wait.Go(func() { f(b.ctx) })
}

// Close ends the work.
func (b *Work) Close() {
	b.open()
	b.cancel()
	b.wait.Wait()
}
