package amount_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -12: "-12", -999: "-999", -1200: "-1,200", math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := amount.Grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int().Draw(t, "n")
		if back, err := strconv.Atoi(strings.ReplaceAll(amount.Grouped(n), ",", "")); err != nil || back != n {
			t.Fatal(amount.Grouped(n))
		}
	})
}

func TestShort(t *testing.T) {
	for n, want := range map[float64][2]string{ // with two digits and with three
		0: {"0", "0"}, 67: {"67", "67"}, 999: {"999", "999"}, 1000: {"1k", "1k"}, 12345: {"12k", "12.3k"}, 494032768: {"494M", "494M"},
		1_543_714_304: {"1.5B", "1.54B"}, 2e9: {"2B", "2B"}, 999_960: {"1M", "1M"}, 999_600_000: {"1B", "1B"}, 99_960: {"100k", "100k"}, 1.5e12: {"1.5T", "1.5T"}, 4e15: {"4000T", "4000T"},
	} {
		if got := [2]string{amount.Short(n, 2), amount.Short(n, 3)}; got != want {
			t.Errorf("%g: %s, want %s", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Float64Range(0, 1e15).Draw(t, "n")
		s := amount.Short(n, 3)
		unit := 1.0
		if i := strings.Index("kMBT", s[len(s)-1:]); i >= 0 {
			unit, s = math.Pow(1000, float64(i+1)), s[:len(s)-1]
		}
		if v, err := strconv.ParseFloat(s, 64); err != nil || len(s) > 4 || math.Abs(v*unit-n) > n/100+0.5 {
			t.Fatal(s, unit, n)
		}
	})
}

func TestBytes(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 1500: "1.5 kB", 153600: "154 kB", 999_600: "1.0 MB", 1843200: "1.8 MB", 2e9: "2 GB", 16.06e9: "16.1 GB", 128.48e9: "128 GB", 5e18: "5000 PB",
	} {
		if got := amount.Bytes(n); got != want {
			t.Errorf("%g: %s, want %s", n, got, want)
		}
	}
	if got := amount.Bytes(int64(1843200)); got != "1.8 MB" {
		t.Error(got)
	}
}

func TestDollars(t *testing.T) {
	for micro, want := range map[int64]string{
		0: "$0.00", 420_000: "$0.42", 1_234_500_000: "$1,234.50", 4_999: "$0.0050", 12_345: "$0.01", 9_950: "$0.01", 9_949: "$0.0099", 100: "$0.0001", 99: "<$0.0001",
		995_000: "$1.00", 994_999: "$0.99", -420_000: "-$0.42", 20_000_000: "$20.00",
	} {
		if got := amount.Dollars(micro); got != want {
			t.Errorf("%d: %s, want %s", micro, got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0: {"0 s", "0s"}, -time.Second: {"0 s", "0s"}, 40 * time.Millisecond: {"0 s", "0s"}, 420 * time.Millisecond: {"0.4 s", "0s"}, 1500 * time.Millisecond: {"1.5 s", "1s"},
		9949 * time.Millisecond: {"9.9 s", "9s"}, 9950 * time.Millisecond: {"10 s", "9s"}, 12300 * time.Millisecond: {"12 s", "12s"}, 59999 * time.Millisecond: {"59 s", "59s"},
		time.Minute: {"1m 0s", "1m 0s"}, 125 * time.Second: {"2m 5s", "2m 5s"}, time.Hour: {"1h 0m", "1h 0m"}, 26*time.Hour + 4*time.Minute: {"26h 4m", "26h 4m"},
	} {
		if got := [2]string{amount.Took(d), amount.Clock(d)}; got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 calls", 1: "1 call", 2000: "2,000 calls"} {
		if got := amount.Count(n, "call"); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
