package flow_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/lab/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func numbers(n int, end error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if end != nil {
			yield(0, end)
		}
	}
}

func squares(workers int) flow.Work[int, int, struct{}] {
	return flow.Work[int, int, struct{}]{
		Workers: workers,
		Begin:   func() struct{} { return struct{}{} },
		Do:      func(_ struct{}, n int) int { return n * n },
		Weigh:   func(n int) int { return n << 10 },
	}
}

func TestMapKeepsTheOrder(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 129, 5000} {
		for _, workers := range []int{1, 2, 7} {
			next := 0
			for got, err := range flow.Map(t.Context(), numbers(n, nil), squares(workers)) {
				if err != nil || got != next*next {
					t.Fatalf("n %d, workers %d: %d, %v instead of %d", n, workers, got, err, next*next)
				}
				next++
			}
			if next != n {
				t.Fatalf("%d results of %d", next, n)
			}
		}
	}
}

func TestMapGivesWhatCameBeforeAnError(t *testing.T) {
	broken := errors.New("broken")
	n, last := 0, error(nil)
	for _, err := range flow.Map(t.Context(), numbers(1000, broken), squares(3)) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 1000 || last != broken {
		t.Errorf("%d results, then %v", n, last)
	}
}

func TestMapStops(t *testing.T) {
	for range flow.Map(t.Context(), numbers(1<<40, nil), squares(2)) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, last := 0, error(nil)
	for _, err := range flow.Map(ctx, numbers(1<<40, nil), squares(2)) {
		if n++; n == 1000 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
}
