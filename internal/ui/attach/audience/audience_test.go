package audience_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/attach/audience"
)

func TestShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := audience.New()
		start := time.Now()
		wait := func(chapter int, seq int64) time.Duration {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start = time.Now()
			a.Shown(ctx, chapter, seq)
			return time.Since(start)
		}
		if wait(0, 5) != 0 {
			t.Error("nobody is there, and was waited for")
		}
		v, slow := a.Join(true), a.Join(false)
		go func() {
			time.Sleep(time.Second)
			v.Saw(0, 4, true)
			time.Sleep(time.Second)
			v.Saw(0, 5, true)
		}()
		if took := wait(0, 5); took != 2*time.Second {
			t.Errorf("waited %s", took)
		}
		v.Saw(0, 3, true) // a late word takes nothing back
		if wait(0, 5) != 0 {
			t.Error("what was shown is waited for")
		}
		if took := wait(1, 1); took != time.Minute {
			t.Errorf("the next chapter: waited %s", took)
		}
		v.Saw(1, 1, true)
		if wait(0, 99) != 0 || wait(1, 1) != 0 {
			t.Error("an earlier chapter is waited for")
		}
		go func() {
			time.Sleep(time.Second)
			v.Leave()
			slow.Leave()
		}()
		if took := wait(1, 2); took != time.Second {
			t.Errorf("all have left: waited %s", took)
		}
	})
}

func TestWatched(t *testing.T) {
	a := audience.New()
	if a.Watched() {
		t.Error("nobody watches")
	}
	v := a.Join(true)
	a.Join(false)
	if !a.Watched() {
		t.Error("somebody watches")
	}
	v.Saw(0, 0, false)
	if a.Watched() {
		t.Error("everybody looks elsewhere")
	}
	v.Saw(0, 0, true)
	v.Leave()
	if a.Watched() {
		t.Error("everybody has left")
	}
}
