// Package flow computes over a stream on several goroutines and gives the
// results in the order of the stream. It knows nothing of what is computed.
package flow

import (
	"context"
	"iter"
	"sync"
)

// batch and weight are how many elements, and how many bytes of them, travel
// together: enough that the hand-over costs nothing beside the work, and not so
// much that long documents fill the memory.
const (
	batch  = 128
	weight = 1 << 20
)

// Work is what is done with each element.
type Work[A, B, S any] struct {
	// Workers is how many goroutines do it.
	Workers int
	// Begin makes the state of a worker, which nobody else sees.
	Begin func() S
	Do    func(S, A) B
	// Weigh is the size of an element in bytes, roughly.
	Weigh func(A) int
}

// Map gives Do(element) of every element in the order of source, which one
// goroutine ranges over. It ends with the source's error, or ctx's.
func Map[A, B, S any](ctx context.Context, source iter.Seq2[A, error], work Work[A, B, S]) iter.Seq2[B, error] {
	return func(yield func(B, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		var owned sync.WaitGroup
		defer owned.Wait()
		defer stop()

		type part struct {
			in   []A
			out  []B
			err  error
			done chan struct{}
		}
		todo := make(chan *part)
		order := make(chan *part, work.Workers+1)
		owned.Go(func() {
			defer close(order)
			defer close(todo)
			send := func(p *part) bool {
				select {
				case todo <- p:
				case <-ctx.Done():
					return false
				}
				select {
				case order <- p:
					return true
				case <-ctx.Done():
					return false
				}
			}
			p, heavy := &part{done: make(chan struct{})}, 0
			for a, err := range source {
				if err != nil {
					p.err = err
					break
				}
				heavy += work.Weigh(a)
				if p.in = append(p.in, a); len(p.in) == batch || heavy >= weight {
					if !send(p) {
						return
					}
					heavy = 0
					p = &part{done: make(chan struct{}), in: make([]A, 0, batch)}
				}
				if ctx.Err() != nil {
					return
				}
			}
			send(p)
		})
		for range work.Workers {
			owned.Go(func() {
				state := work.Begin()
				for p := range todo {
					p.out = make([]B, len(p.in))
					for i, a := range p.in {
						p.out[i] = work.Do(state, a)
					}
					p.in = nil
					close(p.done)
				}
			})
		}

		var none B
		for p := range order {
			select {
			case <-p.done:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				break
			}
			for _, b := range p.out {
				if !yield(b, nil) {
					return
				}
			}
			if p.err != nil {
				yield(none, p.err)
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(none, context.Cause(ctx))
		}
	}
}
