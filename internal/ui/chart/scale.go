package chart

import (
	"math"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

// Unit is what numbers count.
type Unit uint8

// The units.
const (
	Number Unit = iota
	// Bytes are written with their unit, in powers of 1,000.
	Bytes
	// Percent is a number of hundredths.
	Percent
	// Seconds are written as seconds, minutes or hours.
	Seconds
)

// Short writes a value in a few characters: 0.1834, 2e-5, 1.25M, 16 GB.
func Short(v float64, u Unit) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	}
	return number(v, math.Abs(v)/1000, u)
}

// number writes a value so that it differs from one a step away.
func number(v, step float64, u Unit) string {
	switch u {
	case Bytes:
		unit, i := 1.0, 0
		for ; i < 5 && math.Abs(v) >= 999.5*unit; i++ {
			unit *= 1000
		}
		return decimal(v/unit, step/unit) + [...]string{" B", " kB", " MB", " GB", " TB", " PB"}[i]
	case Percent:
		return decimal(v, step) + "%"
	case Seconds:
		switch a := math.Abs(v); {
		case a >= 3600:
			return decimal(v/3600, step/3600) + "h"
		case a >= 60:
			return decimal(v/60, step/60) + "m"
		}
		return decimal(v, step) + "s"
	}
	return decimal(v, step)
}

// position writes where on the x axis something is: whole numbers in full.
func position(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e7 {
		return amount.Grouped(int64(x))
	}
	return Short(x, Number)
}

// decimal writes a number with as many digits as a step needs.
func decimal(v, step float64) string {
	a := math.Abs(v)
	switch {
	case v == 0:
		return "0"
	case a >= 1e15, a < 1e-3:
		return exponent(v, digits(a, step)-1)
	case a >= 1000:
		return amount.Short(v, digits(a, step))
	}
	s := strconv.FormatFloat(v, 'f', min(max(digits(1, step)-1, 0), 9), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// digits is how many digits of a number are needed to see a step.
func digits(a, step float64) int {
	if step <= 0 {
		return 3
	}
	return min(max(int(math.Floor(math.Log10(a)+1e-9))-int(math.Floor(math.Log10(step)+1e-9))+1, 1), 9)
}

// exponent writes 2.5e-5.
func exponent(v float64, decimals int) string {
	mantissa, power, _ := strings.Cut(strconv.FormatFloat(v, 'e', max(decimals, 0), 64), "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	sign := strings.TrimPrefix(power[:1], "+")
	return mantissa + "e" + sign + strings.TrimLeft(power[1:], "0")
}

// bounds are the least and the greatest of some numbers.
type bounds struct{ low, high float64 }

func newBounds() bounds { return bounds{math.Inf(1), math.Inf(-1)} }

func (b *bounds) add(v float64) { b.low, b.high = math.Min(b.low, v), math.Max(b.high, v) }

func (b bounds) empty() bool { return b.low > b.high }

// tiny is a distance that is none: steps below it could not be counted.
const tiny = 1e-290

// single reports whether the bounds are one value, as far as can be seen.
func (b bounds) single() bool {
	return b.high-b.low <= max(tiny, 1e-12*max(math.Abs(b.low), math.Abs(b.high)))
}

// filled returns bounds with room between them.
func (b bounds) filled() bounds {
	switch {
	case b.empty():
		return bounds{0, 1}
	case b.single():
		pad := math.Abs(b.low) / 10
		if pad < tiny {
			pad = 1
		}
		return bounds{b.low - pad, b.high + pad}
	}
	return b
}

// scale maps values to the way from 0 to 1.
type scale struct {
	bounds
	log bool
}

// newScale returns the scale of y: a linear one ends at round numbers.
func newScale(b bounds, log bool) scale {
	if log {
		if b.empty() || b.single() {
			b = b.filled()
			b.low = math.Max(b.low, b.high/10)
		}
		return scale{b, true}
	}
	b = b.filled()
	step := roundStep(b, 10)
	return scale{bounds: bounds{math.Floor(b.low/step+1e-9) * step, math.Ceil(b.high/step-1e-9) * step}}
}

func (s scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		v, low, high = math.Log10(v), math.Log10(low), math.Log10(high)
	}
	if high <= low {
		return 0.5
	}
	return min(max((v-low)/(high-low), 0), 1)
}

// ticks returns about n round values on the scale, at least two, and the step
// between them.
func (s scale) ticks(n int) (all []float64, step float64) {
	if s.log {
		return s.logTicks(n), 0
	}
	for most := 2 * n; len(all) < 2 && n <= most; n++ {
		step, all = roundStep(s.bounds, n), nil
		for i := math.Ceil(s.low/step - 1e-9); i*step <= s.high+step*1e-9 && len(all) <= most; i++ {
			all = append(all, i*step)
		}
	}
	return all, step
}

// logTicks are powers of ten, with what is between them if there are few, and
// the ends of the scale if there are none.
func (s scale) logTicks(n int) []float64 {
	for _, between := range [][]float64{{1}, {1, 2, 5}} {
		var all []float64
		low, high := math.Floor(math.Log10(s.low)), math.Ceil(math.Log10(s.high))
		every := math.Max(1, math.Ceil((high-low)/float64(n)))
		for e := low; e <= high; e += every {
			for _, m := range between {
				if v := m * math.Pow(10, e); v >= s.low*(1-1e-9) && v <= s.high*(1+1e-9) {
					all = append(all, v)
				}
			}
		}
		if len(all) > 1 {
			return all
		}
	}
	return []float64{s.low, s.high}
}

// roundStep is the round number that goes into the bounds about n times.
func roundStep(b bounds, n int) float64 {
	rough := (b.high - b.low) / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if rough <= m*unit*(1+1e-9) {
			return m * unit
		}
	}
	return 10 * unit
}
