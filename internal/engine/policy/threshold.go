package policy

import "math"

// firstThreshold is the spend, in dollars, at which a session is first warned.
const firstThreshold = 5.0

// NextThreshold returns the spend at which to warn next: the acknowledged
// threshold, doubled until it lies above spend. An acknowledged value that is
// no positive number counts as 5 dollars.
func NextThreshold(spend, acknowledged float64) float64 {
	next := acknowledged
	if !(next > 0) || math.IsInf(next, 0) {
		next = firstThreshold
	}
	for next <= spend && !math.IsInf(next, 0) {
		next *= 2
	}
	return next
}

// Crossed returns the highest of the thresholds 5, 10, 20, … dollars that
// spending passed between before and after.
func Crossed(before, after float64) (threshold float64, crossed bool) {
	if math.IsInf(after, 0) || math.IsNaN(after) {
		return 0, false
	}
	for t := firstThreshold; t <= after; t *= 2 {
		if t > before {
			threshold, crossed = t, true
		}
	}
	return threshold, crossed
}
