package curve

import (
	"math"

	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
)

// clock knows how far a run is: some logs count steps through, some begin anew
// with each epoch, some tell epochs alone, and a log may hold several runs.
type clock struct {
	step  count
	epoch count
	// at is the epoch in which the newest step was told.
	at    float64
	lines float64
}

// count is a number that grows. What begins anew goes on where it was.
type count struct {
	known     bool
	told      float64
	top, base float64 // the largest since it began anew, and what is before that
}

func (c *count) value() float64 { return c.base + c.told }

func (c *count) set(v float64) {
	c.known, c.told, c.top = true, v, max(c.top, v)
}

func (c *count) anew(v float64) {
	c.base, c.top = c.base+c.top, 0
	c.set(v)
}

// slack is how much a count may fall without having begun anew: the workers of
// one run print past each other.
func (c *count) slack() float64 { return max(5, c.top/20) }

// move takes the position of a sample and reports whether a run has begun anew.
// trains says that the sample holds the loss of training: an evaluation may
// count for itself.
func (c *clock) move(s sample.Sample, trains bool) (again bool) {
	c.lines++
	epoch := c.epoch.told
	if !math.IsNaN(s.Epoch) {
		again = c.moveEpoch(s.Epoch, trains && math.IsNaN(s.Step))
		epoch = s.Epoch
	}
	switch {
	case math.IsNaN(s.Step):
		return again
	case !c.step.known || s.Step > c.step.told:
		c.step.set(s.Step)
	case !trains:
		return again
	case epoch > c.at: // steps are counted within each epoch
		c.step.anew(s.Step)
	case c.step.told-s.Step <= c.step.slack() && (s.Step > 0 || c.step.told <= 1):
		return again
	default:
		c.step.anew(s.Step)
		again = true
	}
	c.at = epoch
	return again
}

func (c *clock) moveEpoch(epoch float64, trains bool) (again bool) {
	switch {
	case !c.epoch.known || epoch >= c.epoch.told:
		c.epoch.set(epoch)
	case trains && (c.epoch.told-epoch > 1 || epoch < c.epoch.told/2):
		c.epoch.anew(epoch)
		return true
	}
	return false
}

// axis is the best that a sample can be placed by.
func (c *clock) axis(s sample.Sample) string {
	switch {
	case !math.IsNaN(s.Step):
		return "step"
	case !math.IsNaN(s.Epoch):
		return "epoch"
	case c.step.known:
		return "step"
	case c.epoch.known:
		return "epoch"
	}
	return "line"
}

// x is the position on an axis.
func (c *clock) x(axis string) float64 {
	switch axis {
	case "step":
		return c.step.value()
	case "epoch":
		return c.epoch.value()
	}
	return c.lines
}
