package clock_test

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

func TestManualClockMovesByAdvanceAndStampAlone(t *testing.T) {
	c := clock.New(clock.Options{})
	if !c.Now().Equal(clock.Start) {
		t.Fatalf("starts at %v", c.Now())
	}
	if a, b := c.Stamp(), c.Stamp(); b.Sub(a) != time.Millisecond || !c.Now().Equal(b) {
		t.Errorf("stamps %v and %v, now %v", a, b, c.Now())
	}
	c.Advance(time.Hour)
	if got := clock.Format(c.Now()); got != "2026-01-01T01:00:00.002Z" {
		t.Errorf("now %s", got)
	}
}

func TestTimersRunInOrderEachAtItsMoment(t *testing.T) {
	c := clock.New(clock.Options{})
	var ran []string
	note := func(name string) func() {
		return func() { ran = append(ran, fmt.Sprint(name, " ", c.Now().Sub(clock.Start))) }
	}
	c.AfterFunc(3*time.Second, note("c"))
	c.AfterFunc(time.Second, func() {
		note("a")()
		c.AfterFunc(time.Second, note("b")) // falls due within the same advance
		c.AfterFunc(time.Hour, note("late"))
	})
	stopped := c.AfterFunc(2*time.Second, note("stopped"))
	if !stopped.Stop() || stopped.Stop() {
		t.Error("a timer can be stopped once")
	}
	c.Advance(3 * time.Second)
	if d := cmp.Diff([]string{"a 1s", "b 2s", "c 3s"}, ran); d != "" {
		t.Error(d)
	}
	c.Stop()
	c.Advance(2 * time.Hour)
	c.AfterFunc(0, note("after the end"))
	if len(ran) != 3 {
		t.Errorf("ran after Stop: %q", ran)
	}
}

func TestScaledClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(clock.Options{Scale: 60})
		defer c.Stop()
		start := c.Now()
		fired := make(chan time.Time, 2)
		c.AfterFunc(time.Minute, func() { fired <- c.Now() })
		time.Sleep(time.Second)
		if d := (<-fired).Sub(start); d != time.Minute {
			t.Errorf("after a real second %v passed", d)
		}
		// What an advance makes due runs at once, everything else stays.
		c.AfterFunc(time.Hour, func() { fired <- c.Now() })
		c.AfterFunc(3*time.Hour, func() { t.Error("two hours early") })
		c.Advance(time.Hour)
		synctest.Wait()
		select {
		case at := <-fired:
			if d := at.Sub(start); d != time.Hour+time.Minute {
				t.Errorf("at %v", d)
			}
		default:
			t.Error("a timer that is due did not run")
		}
		if a, b := c.Stamp(), c.Stamp(); !b.After(a) {
			t.Errorf("stamps %v, %v", a, b)
		}
	})
}

func TestEqualSeedsGiveEqualIDsAndSecrets(t *testing.T) {
	read := func(seed uint64) []string {
		c := clock.New(clock.Options{Seed: seed})
		secret := make([]byte, 16)
		c.Random(secret)
		return []string{c.ID(), c.ID(), fmt.Sprintf("%x", secret)}
	}
	a, b, other := read(7), read(7), read(8)
	if !slices.Equal(a, b) {
		t.Errorf("%q and %q", a, b)
	}
	if a[0] == other[0] || a[2] == other[2] {
		t.Errorf("another seed gives the same: %q", other)
	}
	if a[0] != "6955b9000007000000000001" || !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(a[1]) {
		t.Errorf("ids %q", a)
	}
}

func TestSavedClockGoesOn(t *testing.T) {
	c := clock.New(clock.Options{Seed: 3})
	c.Advance(time.Hour)
	c.ID()
	raw, err := c.Save()
	if err != nil {
		t.Fatal(err)
	}
	d := clock.New(clock.Options{Seed: 99})
	if err := d.Load(raw); err != nil {
		t.Fatal(err)
	}
	a, b := make([]byte, 8), make([]byte, 8)
	c.Random(a)
	d.Random(b)
	if !slices.Equal(a, b) || c.ID() != d.ID() || !c.Now().Equal(d.Now()) || !c.Stamp().Equal(d.Stamp()) {
		t.Error("the loaded clock differs from the saved one")
	}
	if d.Load([]byte(`{"random":"AAAA"}`)) == nil {
		t.Error("a broken generator is accepted")
	}
}

func TestConcurrentUse(t *testing.T) {
	for _, scale := range []float64{0, 1000} {
		c := clock.New(clock.Options{Scale: scale})
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]bool{}
		for range 8 {
			wg.Go(func() {
				for range 200 {
					id := c.ID()
					mu.Lock()
					if seen[id] {
						t.Errorf("%s given twice", id)
					}
					seen[id] = true
					mu.Unlock()
					timer := c.AfterFunc(time.Millisecond, func() { c.Stamp() })
					c.Advance(time.Millisecond)
					timer.Stop()
				}
			})
		}
		wg.Wait()
		c.Stop()
	}
}
