package order_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/order"
)

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l order.Line
		var work sync.WaitGroup
		<-l.Done() // nothing was given
		var got []int
		for i := range 5 {
			l.Go(&work, func() {
				time.Sleep(time.Duration(5-i) * time.Second)
				got = append(got, i)
			})
		}
		select {
		case <-l.Done():
			t.Error("it is done before it has begun")
		default:
		}
		<-l.Done()
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4}, got); diff != "" {
			t.Error(diff)
		}
		work.Wait()
	})
}
