package chart

import (
	"math"
	"strings"
)

// levels are the steps of a sparkline, in Unicode and in ASCII; the last sign of
// each stands for what cannot be drawn.
var levels = [2][]rune{[]rune("▁▂▃▄▅▆▇█×"), []rune(".:-=+*#@x")}

// Sparkline draws values in one line of at most so many columns: each column
// stands for the mean of its share of the values.
func Sparkline(values []float64, width int, ascii bool) string {
	signs := levels[0]
	if ascii {
		signs = levels[1]
	}
	width = min(max(width, 0), len(values))
	means := make([]float64, width)
	b := newBounds()
	for i := range means {
		means[i] = mean(values[i*len(values)/width : (i+1)*len(values)/width])
		if drawable(means[i]) {
			b.add(means[i])
		}
	}
	steps := len(signs) - 1
	var line strings.Builder
	for _, v := range means {
		switch {
		case !drawable(v):
			line.WriteRune(signs[steps])
		case b.low == b.high:
			line.WriteRune(signs[steps/2])
		default:
			line.WriteRune(signs[int(math.Round(scale{bounds: b}.at(v)*float64(steps-1)))])
		}
	}
	return line.String()
}

// mean is that of the values that are numbers; NaN of none.
func mean(values []float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range values {
		if drawable(v) {
			n++
			sum += (v - sum) / n // never larger than the values
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum
}
