// Package amount writes numbers as people read them: thousands apart, large
// counts in short, sizes with their unit. It does not know what is counted.
package amount

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Grouped writes 1234567 as 1,234,567.
func Grouped[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Short writes 494032768 as 494M: in thousands, millions, billions (B) or
// trillions (T), with so many digits as long as they are not before the point.
func Short(n float64, digits int) string {
	n, i := scaled(n, 4)
	if i == 0 {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	before := 1
	for v := math.Abs(n); v >= 10 && before < digits; v /= 10 {
		before++
	}
	s := strconv.FormatFloat(n, 'f', max(digits-before, 0), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + "kMBT"[i-1:i]
}

// Bytes writes a size such as 1.5 GB, in powers of 1,000.
func Bytes[T int64 | float64](n T) string {
	v, i := scaled(float64(n), 5)
	unit := [...]string{"B", "kB", "MB", "GB", "TB", "PB"}[i]
	if i == 0 || v >= 100 || v == math.Trunc(v) {
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// scaled divides by 1,000 until at most three digits are before the point, also
// after rounding, but no more than so many times.
func scaled(n float64, most int) (float64, int) {
	i := 0
	for ; i < most && math.Abs(n) >= 999.5; i++ {
		n /= 1000
	}
	return n, i
}

// Dollars writes millionths of a dollar as $1,234.50: with cents, and with as
// many digits as it takes to see something of less than a cent.
func Dollars(microUSD int64) string {
	sign := ""
	if microUSD < 0 {
		sign, microUSD = "-", -microUSD
	}
	switch {
	case microUSD == 0, microUSD >= 9950:
		cents := microUSD/10_000 + (microUSD%10_000+5_000)/10_000
		return fmt.Sprintf("%s$%s.%02d", sign, Grouped(cents/100), cents%100)
	case microUSD >= 100:
		return fmt.Sprintf("%s$%.4f", sign, float64(microUSD)/1e6)
	}
	return sign + "<$0.0001"
}

// Count writes how many there are of something: 1 call, 2,000 calls.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Grouped(n) + " " + noun
}

// Took writes a duration as one speaks of it: 0.4 s, 12 s, 2m 5s, 1h 4m.
func Took(d time.Duration) string {
	switch d = max(0, d); {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return Clock(d)
}

// Clock is [Took] in whole seconds and without a blank in it below a minute:
// 45s, 2m 5s, 1h 4m.
func Clock(d time.Duration) string {
	s := int64(max(0, d).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm %ds", s/60, s%60)
	}
	return fmt.Sprintf("%sh %dm", Grouped(s/3600), s/60%60)
}
