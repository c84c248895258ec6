package app

import (
	"context"
	"sync"
)

// background is work that nobody waits for while the program runs. Closing it
// cancels the work and waits until it has returned.
type background struct {
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func (b *background) open() {
	b.once.Do(func() { b.ctx, b.cancel = context.WithCancel(context.Background()) })
}

// run starts f, whose context ends with the program.
func (b *background) run(f func(ctx context.Context)) {
	b.open()
	b.wait.Go(func() { f(b.ctx) })
}

func (b *background) close() {
	b.open()
	b.cancel()
	b.wait.Wait()
}
