// Package curve finds the numbers that trainers print in their logs and draws
// them in a line of a terminal. It does not know where the lines come from.
package curve

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// keep bounds the points of a curve that are kept.
const keep = 512

// number finds name: 1.5 in the dictionaries of trainers and in JSON, and
// name=1.5.
var number = regexp.MustCompile(`(?:^|[\s{,(\['"])['"]?([A-Za-z_][A-Za-z0-9_/.-]{0,60})['"]?\s*[:=]\s*['"]?(-?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?)))`)

// known are the names by which a line is taken to tell of training.
var known = []string{"loss", "train_loss", "eval_loss", "train/loss", "eval/loss", "grad_norm", "learning_rate", "accuracy", "eval_accuracy", "reward"}

// Parse reads the numbers of a line; ok is false for lines that tell of
// something else.
func Parse(line string) (values map[string]float64, ok bool) {
	if len(line) > 16<<10 {
		return nil, false
	}
	values = map[string]float64{}
	for _, m := range number.FindAllStringSubmatch(line, 40) {
		if v, err := strconv.ParseFloat(m[2], 64); err == nil {
			values[m[1]] = v
		}
	}
	for _, name := range known {
		if _, found := values[name]; found {
			return values, true
		}
	}
	return nil, false
}

// Tracker remembers the loss of one run. The zero value is empty.
type Tracker struct {
	name   string
	points []float64
	last   string
	lowest float64
}

// Line takes a line of a log.
func (t *Tracker) Line(line string) {
	values, ok := Parse(line)
	if !ok {
		return
	}
	t.last = strings.TrimSpace(line)
	name := t.name
	for _, candidate := range []string{"loss", "train_loss", "train/loss", "eval_loss", "eval/loss"} {
		if _, found := values[candidate]; found && name == "" {
			name = candidate
		}
	}
	v, found := values[name]
	if name == "" || !found {
		return
	}
	if t.name = name; !math.IsNaN(v) && (len(t.points) == 0 || v < t.lowest) {
		t.lowest = v
	}
	if t.points = append(t.points, v); len(t.points) > keep {
		t.points = slices.Delete(t.points, 0, len(t.points)-keep)
	}
}

// Last is the newest line with numbers.
func (t *Tracker) Last() string { return t.last }

var bars = []rune("▁▂▃▄▅▆▇█")

// Text is the curve of the loss in at most width characters and its newest
// value, with a warning when it goes wrong; empty without a loss.
func (t *Tracker) Text(width int) string {
	if len(t.points) == 0 {
		return ""
	}
	newest := t.points[len(t.points)-1]
	text := fmt.Sprintf("%s %s %.4g", t.name, draw(t.points, width), newest)
	switch {
	case math.IsNaN(newest) || math.IsInf(newest, 0):
		return text + " (no number any more)"
	case len(t.points) > 3 && t.lowest > 0 && newest > 3*t.lowest:
		return text + fmt.Sprintf(" (diverges: it was %.4g)", t.lowest)
	}
	return text
}

// draw is a curve of bars; several points share a bar where there are many.
func draw(points []float64, width int) string {
	width = min(width, len(points))
	if width < 1 {
		return ""
	}
	means := make([]float64, width)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range means {
		part := points[i*len(points)/width : (i+1)*len(points)/width]
		for _, v := range part {
			means[i] += v / float64(len(part))
		}
		if !math.IsNaN(means[i]) && !math.IsInf(means[i], 0) {
			low, high = min(low, means[i]), max(high, means[i])
		}
	}
	var out strings.Builder
	for _, v := range means {
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			out.WriteRune('?')
		case high <= low:
			out.WriteRune(bars[3])
		default:
			out.WriteRune(bars[int((v-low)/(high-low)*float64(len(bars)-1)+0.5)])
		}
	}
	return out.String()
}
