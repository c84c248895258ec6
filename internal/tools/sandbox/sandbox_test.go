package sandbox_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	tools "github.com/ml-intern/ml-intern/internal/tools/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			b := newBench(t)
			b.yard.slow = 500 * time.Millisecond
			t.Cleanup(b.close)
			return b.create, &tooltest.Env{}
		},
		Params: tools.Params{}, Good: `{"hardware":"cpu-basic"}`, Slow: `{"hardware":"t4-small"}`,
		Bad: map[string]string{`{"hardware":"zero-a10g"}`: "hardware", `{"hardware":"../x"}`: "hardware"},
	})
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			b := newBench(t)
			t.Cleanup(b.close)
			return b.remove, &tooltest.Env{}
		},
		Params: struct{}{}, Good: `{}`,
	})
}

// What is offered is what has a price and can run a Docker image.
func TestHardwareOffered(t *testing.T) {
	b := newBench(t)
	defer b.close()
	var schema struct {
		Properties struct {
			Hardware struct{ Enum []string } `json:"hardware"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(b.create.Spec().Parameters, &schema); err != nil {
		t.Fatal(err)
	}
	if got := schema.Properties.Hardware.Enum; len(got) < 10 || got[0] != "cpu-basic" || strings.Contains(strings.Join(got, " "), "zero") {
		t.Errorf("%v", got)
	}
}

// The free one never asks; other hardware asks, with its own price, also in
// the place of the free one.
func TestRisk(t *testing.T) {
	b := newBench(t)
	defer b.close()
	b.attach()
	risk := func(args string) tool.Risk { return b.create.Risk(json.RawMessage(args)) }
	if r := risk(`{}`); r.Gate != tool.Open || r.Cost == nil || !r.Cost.Known || r.Cost.MicroUSD != 0 || r.Effect != event.Keyed {
		t.Errorf("%+v", r)
	}
	b.call("a", `{}`)
	if r := risk(`{"hardware":"t4-small"}`); r.Gate != tool.Ask || r.Cost.MicroUSD != 400_000 || !strings.Contains(r.Reason, "0.4 USD") {
		t.Errorf("%+v %+v", r, r.Cost)
	}
	if r := risk(`{"hardware":"cpu-basic"}`); r.Gate != tool.Open || r.Cost != nil {
		t.Errorf("%+v", r)
	}
	if r := b.remove.Risk(json.RawMessage(`{}`)); r.Gate != tool.Open || r.Effect != event.Once {
		t.Errorf("%+v", r)
	}
}

// One window after the other is reserved at 95 % of each and settled in full;
// in the end what is left is settled by the minute.
func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.attach()
		if r := b.call("a", `{"hardware":"t4-small"}`); !r.OK || r.Holding == "" {
			t.Fatalf("%+v", r)
		}
		want := func(when string, micro int64, open int) {
			t.Helper()
			synctest.Wait()
			if m, n := b.spent(); m != micro || n != open {
				t.Errorf("%s: %d settled, %d open, want %d and %d", when, m, n, micro, open)
			}
		}
		want("begun", 0, 1)
		time.Sleep(57*time.Minute - time.Second)
		want("before 95 %", 0, 1)
		time.Sleep(2 * time.Second)
		want("after 95 %", 400_000, 1)
		ids := b.session.Reserved(event.SpendSandbox)
		if id := ids[0].ID; len(id) != len("sandbox-renew-")+10 || !strings.HasPrefix(id, "sandbox-renew-") || ids[0].Ref != b.records.All()[0].Ref() {
			t.Errorf("%+v", ids)
		}
		time.Sleep(4 * time.Minute) // 61 minutes
		if !strings.Contains(b.lines(), "has cost 0.40 USD in 1 h (t4-small at 0.4 USD/h)") {
			t.Errorf("%s", b.lines())
		}
		time.Sleep(89*time.Minute + 30*time.Second) // 150.5 minutes
		want("in the third hour", 800_000, 1)
		b.close()
		want("in the end", 1_006_667, 0)
		if b.yard.left() != 0 {
			t.Error("it is still there")
		}
	})
}

// Removed between the reservation of an hour and its beginning, that hour
// costs nothing.
func TestUnusedWindowIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.attach()
		b.call("a", `{"hardware":"t4-small"}`)
		time.Sleep(58 * time.Minute)
		b.close()
		if m, n := b.spent(); m != 400_000 || n != 0 {
			t.Errorf("%d settled, %d open", m, n)
		}
	})
}

// Where the cap refuses the next hour, the sandbox goes, and everybody is told.
func TestCapRefusesTheNextHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.session.CapMicro = 700_000
		b.attach()
		b.call("a", `{"hardware":"t4-small"}`)
		time.Sleep(58 * time.Minute)
		synctest.Wait()
		if b.yard.left() != 0 || !strings.Contains(b.lines(), "does not fit under the spending cap") {
			t.Errorf("%d sandboxes\n%s", b.yard.left(), b.lines())
		}
		if m, n := b.spent(); m != 380_000 || n != 0 {
			t.Errorf("%d settled, %d open", m, n)
		}
		if _, err := b.keeper.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no sandbox") {
			t.Errorf("%v", err)
		}
		b.close()
	})
}

// A sandbox in which something runs is asked every five minutes; an idle one
// may fall asleep.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.attach()
		b.call("a", `{}`)
		asked := func() int {
			b.yard.mu.Lock()
			defer b.yard.mu.Unlock()
			n := b.yard.asked
			b.yard.asked = 0
			return n
		}
		asked()
		time.Sleep(time.Hour)
		if n := asked(); n != 0 {
			t.Errorf("an idle one was asked %d times", n)
		}
		b.yard.mu.Lock()
		b.yard.children = 1
		b.yard.mu.Unlock()
		if _, err := b.keeper.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + time.Second)
		if n := asked(); n < 12 || n > 13 { // the first question may fall to the beginning
			t.Errorf("a busy one was asked %d times in an hour", n)
		}
		b.yard.mu.Lock()
		b.yard.children = 0
		b.yard.mu.Unlock()
		time.Sleep(time.Hour)
		if n := asked(); n != 1 {
			t.Errorf("one that is done was asked %d times", n)
		}
		b.close()
	})
}

// The removal is tried three times, with pauses of one and two seconds; what
// stays is an orphan, and its money is settled all the same.
func TestOrphan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.attach()
		b.call("a", `{"hardware":"t4-small"}`)
		b.yard.stuck = errDown
		begun := time.Now()
		b.close()
		if took := time.Since(begun); took != 3*time.Second || len(b.yard.deleted) != 3 {
			t.Errorf("%d tries in %s", len(b.yard.deleted), took)
		}
		if recs := b.records.All(); len(recs) != 1 || recs[0].Status != sandbox.Orphan {
			t.Errorf("%+v", recs)
		}
		if m, n := b.spent(); n != 0 || m <= 0 {
			t.Errorf("%d settled, %d open", m, n)
		}
	})
}

// One that never starts is waited for with patience, and no longer.
func TestOpenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *tools.Options) { o.Prefetch = tools.PrefetchOnMessage })
		b.yard.slow = 10 * time.Minute
		b.attach()
		begun := time.Now()
		if _, err := b.keeper.Open(t.Context()); err == nil || err.Error() != "Sandbox is still starting. Please retry shortly." || time.Since(begun) != 240*time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		if _, err := b.keeper.Open(t.Context()); err == nil {
			t.Error("it is there too early")
		}
		if _, err := b.keeper.Open(t.Context()); err != nil || time.Since(begun) < 10*time.Minute {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		b.close()
	})
}

// Two sessions of one owner make their sandboxes one after the other.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := &sandbox.Slots{}
		share := func(o *tools.Options) { o.Slot = slots.Take }
		first, second := newBench(t, share), newBench(t, share)
		first.yard.slow, second.yard.slow = time.Minute, time.Minute
		begun, ended := time.Now(), make(chan time.Duration, 2)
		var env tooltest.Env
		for i, b := range []*bench{first, second} {
			go func() {
				e := &tooltest.Env{}
				if i == 1 {
					time.Sleep(time.Second)
					e = &env
				}
				r, err := b.create.Run(context.Background(), e, json.RawMessage(`{}`))
				if err != nil || !r.OK {
					t.Errorf("%+v %v", r, err)
				}
				ended <- time.Since(begun)
			}()
		}
		if a, b := <-ended, <-ended; a != time.Minute || b != 2*time.Minute {
			t.Errorf("after %s and %s", a, b)
		}
		waited := false
		for _, p := range env.Emitted() {
			if l, ok := p.(event.ToolLog); ok && l.Log == "Waiting for sandbox creation slot..." {
				waited = true
			}
		}
		if !waited {
			t.Error("the wait is not told")
		}
		first.close()
		second.close()
	})
}

// A cancelled creation leaves nothing, and its money comes back when it is
// gone.
func TestCancelGivesTheMoneyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.yard.slow = time.Minute
		b.attach()
		args := json.RawMessage(`{"hardware":"t4-small"}`)
		if err := b.session.Reserve("a", "", *b.create.Risk(args).Cost); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Second, func() { cancel(tool.ErrInterrupt) })
		r, err := b.create.Run(ctx, &tooltest.Env{Session: "session", Call: "a"}, args)
		if err != nil || r.OK || r.Holding == "" {
			t.Errorf("%+v %v", r, err)
		}
		synctest.Wait()
		if m, n := b.spent(); m != 0 || n != 0 || b.yard.left() != 0 || len(b.yard.deleted) != 1 {
			t.Errorf("%d settled, %d open, %d left, deleted %v", m, n, b.yard.left(), b.yard.deleted)
		}
		b.close()
	})
}
