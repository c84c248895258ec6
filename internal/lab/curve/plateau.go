package curve

import (
	"math"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
)

// Numbers of the rule for a plateau.
const (
	// plateauPoints is the least window and plateauPart its part of the run.
	plateauPoints, plateauPart = 50, 0.2
	// plateauGain is the least improvement over a window, as a part of the
	// loss; a loss that rises by more than plateauRise is no plateau.
	plateauGain, plateauRise = 0.005, 0.02
	// plateauLooks in a row must agree; there are twenty looks to a window.
	plateauLooks, looksPerWindow = 5, 20
	// spike is how far a loss may be above its neighbours, as a part of them.
	spike = 0.5
	// keptBlocks bounds what is remembered of a run.
	keptBlocks = 1024
	// rateRise is how much a learning rate rises in a restart; one below
	// rateEnd of its highest is that of a run which ends anyway.
	rateRise, rateEnd = 1.1, 0.05
)

// plateau notices a loss that does not improve any more. It compares the mean
// of the newest window with that of the one before; the difference must be
// below what improvement means even if it is one standard error better.
type plateau struct {
	n      int
	blocks []float64 // means of size points each
	size   int
	sum    float64
	count  int

	looked, agree int
	fired         bool

	high, low, now float64 // learning rates: highest, lowest since, newest
	suspended      int     // point until which a restart is given time
}

// rate takes a learning rate.
func (p *plateau) rate(v float64) {
	if v > p.low*rateRise && p.low > 0 || p.high > 0 && p.low == 0 && v > 0 { // warm-up or restart
		p.suspended = p.n + 2*p.window()
		p.low = v
	}
	p.high, p.now = max(p.high, v), v
	if v < p.low || p.low == 0 {
		p.low = v
	}
}

func (p *plateau) window() int { return max(plateauPoints, int(plateauPart*float64(p.n))) }

// add takes a loss. usual is the middle of those before: a spike counts as a
// little more than that.
func (p *plateau) add(v sample.Value, usual float64, at place) (event.Finding, bool) {
	p.keep(min(v.Number, usual+spike*math.Abs(usual)))
	w := p.window()
	if p.n-p.looked < max(1, w/looksPerWindow) || p.n < 2*w || p.n < p.suspended || p.high > 0 && p.now < rateEnd*p.high {
		return event.Finding{}, false
	}
	p.looked = p.n
	before, now, slip := p.windows(w)
	gain := (before - now) / math.Abs(before)
	slip /= math.Abs(before)
	switch {
	case before == 0 || math.IsNaN(gain) || math.IsInf(gain, 0):
		return event.Finding{}, false
	case gain > 2*plateauGain:
		p.fired, p.agree = false, 0
		return event.Finding{}, false
	case gain+slip >= plateauGain || gain < -plateauRise:
		p.agree = 0
		return event.Finding{}, false
	}
	if p.agree++; p.fired || p.agree < plateauLooks {
		return event.Finding{}, false
	}
	p.fired = true
	return at.finding(RulePlateau, Info, v.Name, v.Number,
		"%s has improved by less than %.1f %% over the last %d points and stays at about %s %s",
		v.Name, 100*plateauGain, w, Number(now), at), true
}

// keep adds a point to the blocks.
func (p *plateau) keep(v float64) {
	p.n++
	p.size = max(p.size, 1)
	p.sum += v
	if p.count++; p.count < p.size {
		return
	}
	p.blocks = append(p.blocks, p.sum/float64(p.count))
	p.sum, p.count = 0, 0
	if len(p.blocks) < keptBlocks {
		return
	}
	for i := range keptBlocks / 2 {
		p.blocks[i] = (p.blocks[2*i] + p.blocks[2*i+1]) / 2
	}
	p.blocks = p.blocks[:keptBlocks/2]
	p.size *= 2
}

// windows are the means of the last two windows, and the standard error of
// their difference, from how much neighbours differ.
func (p *plateau) windows(w int) (before, now, slip float64) {
	k := min(w/p.size, len(p.blocks)/2)
	last := p.blocks[len(p.blocks)-2*k:]
	var jumps float64
	for i, v := range last {
		if i < k {
			before += v / float64(k)
		} else {
			now += v / float64(k)
		}
		if i > 0 {
			jumps += (v - last[i-1]) * (v - last[i-1])
		}
	}
	variance := jumps / float64(2*(len(last)-1))
	return before, now, math.Sqrt(2 * variance / float64(k))
}
