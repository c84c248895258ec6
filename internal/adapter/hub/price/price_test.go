package price_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
)

// A list counts for an hour, a failure for a minute; then an old list is an
// estimate for a day, and after that the table is.
func TestAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, fails := 0, false
		o := price.Options{
			File: filepath.Join(t.TempDir(), "prices", "jobs.json"), Table: price.Jobs(),
			Fetch: func(context.Context) ([]price.Flavor, error) {
				if asked++; fails {
					return nil, errors.New("down")
				}
				return []price.Flavor{{Name: "t4-small", USDPerHour: 0.42}}, nil
			},
		}
		b := price.New(o)
		want := func(when string, l price.List, usd float64, source string, times int) {
			t.Helper()
			if f, _ := l.Find("t4-small"); f.USDPerHour != usd || l.Source != source || asked != times {
				t.Errorf("%s: %v USD from %s after %d questions, want %v from %s after %d", when, f.USDPerHour, l.Source, asked, usd, source, times)
			}
		}
		want("at hand", b.Known(), 0.4, price.Static, 0)
		want("asked", b.Ask(t.Context()), 0.42, price.Live, 1)
		time.Sleep(59 * time.Minute)
		want("fresh", b.Ask(t.Context()), 0.42, price.Live, 1)
		b = price.New(o)
		want("from disk", b.Ask(t.Context()), 0.42, price.Live, 1)
		fails = true
		time.Sleep(2 * time.Minute)
		want("stale", b.Ask(t.Context()), 0.42, price.Static, 2)
		time.Sleep(50 * time.Second)
		want("not asked again at once", b.Ask(t.Context()), 0.42, price.Static, 2)
		time.Sleep(11 * time.Second)
		want("asked after a minute", b.Ask(t.Context()), 0.42, price.Static, 3)
		time.Sleep(24 * time.Hour)
		want("too old", b.Ask(t.Context()), 0.4, price.Static, 4)
	})
}

func TestABrokenFileIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jobs.json")
	if err := os.WriteFile(file, []byte(`{"fetched_at":`), 0o600); err != nil {
		t.Fatal(err)
	}
	b := price.New(price.Options{File: file, Table: price.Spaces(), Fetch: func(context.Context) ([]price.Flavor, error) { return nil, nil }})
	if f, ok := b.Ask(t.Context()).Find("cpu-basic"); !ok || f.USDPerHour != 0 {
		t.Errorf("%+v", f)
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		usd  float64
		d    time.Duration
		want int64
	}{
		{0.4002, 3 * time.Hour, 1_200_600},
		{6, time.Second, 100_000},
		{6, time.Minute, 100_000},
		{6, time.Minute + time.Second, 200_000},
		{0, time.Hour, 0},
	} {
		if got := price.MicroUSD(c.usd, c.d); got != c.want {
			t.Errorf("%v USD/h for %s: %d, want %d", c.usd, c.d, got, c.want)
		}
	}
}
