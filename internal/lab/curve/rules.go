package curve

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
)

// The rules, as findings name them.
const (
	RuleNaN         = "nan"
	RuleDivergence  = "divergence"
	RulePlateau     = "plateau"
	RuleOverfitting = "overfitting"
	RuleSilence     = "silence"
)

// Severities.
const (
	Info    = "info"
	Warning = "warning"
	Failure = "error"
)

// place is where in a run something was noticed.
type place struct {
	axis string
	x    float64
}

// String is the place in words, with a preposition.
func (p place) String() string {
	if p.axis == "line" {
		return "at point " + Number(p.x)
	}
	return "at " + p.axis + " " + Number(p.x)
}

func (p place) finding(rule, severity, metric string, value float64, format string, args ...any) event.Finding {
	f := event.Finding{Rule: rule, Severity: severity, Metric: metric, Text: fmt.Sprintf(format, args...)}
	if p.axis == "step" {
		f.Step = &p.x
	}
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		f.Value = &value
	}
	return f
}

// Numbers of the rule for what is no number.
const (
	// nanGradients in a row are an error: the first steps in half precision
	// skip a single one by themselves.
	nanGradients = 3
	// nanRearm finite losses in a row, and the rule looks again.
	nanRearm = 5
)

// nanRule notices losses and gradients that are no numbers.
type nanRule struct {
	fired  string // the name that it has told of
	finite int    // numbers of it in a row since
	bad    map[string]int
	before map[string]float64
}

func (n *nanRule) check(v sample.Value, at place) (event.Finding, bool) {
	if v.Kind != sample.Loss && v.Kind != sample.EvalLoss && v.Kind != sample.GradNorm && !strings.Contains(v.Name, "loss") {
		return event.Finding{}, false
	}
	if n.bad == nil {
		n.bad, n.before = map[string]int{}, map[string]float64{}
	}
	if !math.IsNaN(v.Number) && !math.IsInf(v.Number, 0) {
		n.bad[v.Name], n.before[v.Name] = 0, v.Number
		if n.fired == v.Name {
			if n.finite++; n.finite >= nanRearm {
				n.fired, n.finite = "", 0
			}
		}
		return event.Finding{}, false
	}
	n.bad[v.Name]++
	if n.fired == v.Name {
		n.finite = 0
	}
	if n.fired != "" || v.Kind == sample.GradNorm && n.bad[v.Name] < nanGradients {
		return event.Finding{}, false
	}
	n.fired, n.finite = v.Name, 0
	text := fmt.Sprintf("%s is %s %s", v.Name, Number(v.Number), at)
	if before, ok := n.before[v.Name]; ok {
		text += "; the last number before was " + Number(before)
	}
	return at.finding(RuleNaN, Failure, v.Name, v.Number, "%s", text), true
}

// Numbers of the rule for divergence.
const (
	// divergeTimes is how many times the lowest level of the loss is too much.
	divergeTimes = 3
	// rearmTimes is below what it is over.
	rearmTimes = 2
	// lowest levels under this part of the first loss count as that much: the
	// noise of a loss near nothing multiplies it easily.
	divergeFloor = 0.05
	// A loss must stay so high for a fiftieth of the run, in these bounds.
	divergeStay, divergeStayMax = 5, 20
	// firstPoints make the first level, smoothPoints the running one.
	firstPoints, smoothPoints = 5, 10
)

// divergence notices a loss that has left its lowest level for good.
type divergence struct {
	n      int
	first  []float64
	level  float64 // of the first points
	recent []float64
	usual  float64 // their middle
	lowest float64
	high   int // points in a row that are too high
	fired  bool
}

func (d *divergence) add(v sample.Value, at place) (event.Finding, bool) {
	d.n++
	if d.n <= firstPoints {
		d.first = append(d.first, v.Number)
		d.level = median(d.first)
	}
	if d.recent = append(d.recent, v.Number); len(d.recent) > smoothPoints {
		d.recent = slices.Delete(d.recent, 0, 1)
	}
	d.usual = median(d.recent)
	if d.n == firstPoints || d.n > firstPoints && d.usual < d.lowest {
		d.lowest = d.usual
	}
	if d.n <= firstPoints || d.lowest <= 0 || d.level <= 0 {
		return event.Finding{}, false
	}
	lowest := max(d.lowest, divergeFloor*d.level)
	if v.Number <= divergeTimes*lowest {
		d.high = 0
		d.fired = d.fired && d.usual > rearmTimes*lowest
		return event.Finding{}, false
	}
	d.high++
	if d.fired || d.high < min(max(divergeStay, d.n/50), divergeStayMax) {
		return event.Finding{}, false
	}
	d.fired = true
	return at.finding(RuleDivergence, Warning, v.Name, v.Number,
		"%s diverges: it is %s %s, more than %d times its lowest level of %s, and has been so high for %d points",
		v.Name, Number(v.Number), at, divergeTimes, Number(d.lowest), d.high), true
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// Numbers of the rule for over-fitting.
const (
	// overfitRises evaluations in a row that are worse than the one before.
	overfitRises = 3
	// overfitRise is the least rise in all, as a part; noisy evaluations must
	// rise by overfitNoise times their noise.
	overfitRise  = 0.01
	overfitNoise = 4
	keptEvals    = 64
)

// overfitting notices an evaluation loss that rises while the loss falls.
type overfitting struct {
	evals  []float64
	trains []float64 // mean loss before each of them
	sum    float64
	count  int
	fired  bool
}

func (o *overfitting) trained(v float64) {
	o.sum += v
	o.count++
}

func (o *overfitting) evaluated(v sample.Value, train string, at place) (event.Finding, bool) {
	mean := math.NaN()
	if o.count > 0 {
		mean = o.sum / float64(o.count)
	}
	o.sum, o.count = 0, 0
	if o.evals, o.trains = append(o.evals, v.Number), append(o.trains, mean); len(o.evals) > keptEvals {
		o.evals, o.trains = slices.Delete(o.evals, 0, 1), slices.Delete(o.trains, 0, 1)
	}
	n := len(o.evals)
	if n <= overfitRises {
		return event.Finding{}, false
	}
	last, from := o.evals[n-1], o.evals[n-1-overfitRises]
	if last < o.evals[n-2] {
		o.fired = false
		return event.Finding{}, false
	}
	for i := n - overfitRises; i < n; i++ {
		if o.evals[i] <= o.evals[i-1] {
			return event.Finding{}, false
		}
	}
	enough := max(overfitRise*math.Abs(from), overfitNoise*o.noise())
	falls := o.trains[n-1] < o.trains[n-overfitRises]
	if o.fired || !falls || last-from < enough {
		return event.Finding{}, false
	}
	o.fired = true
	if train == "" {
		train = "the loss of training"
	}
	return at.finding(RuleOverfitting, Warning, v.Name, v.Number,
		"%s has risen for %d evaluations, from %s to %s %s, while %s falls: the run over-fits",
		v.Name, overfitRises, Number(from), Number(last), at, train), true
}

// noise is how much evaluations jump about, by how far each is from the middle
// of its neighbours; the newest rise does not count.
func (o *overfitting) noise() float64 {
	var off []float64
	for i := 1; i+overfitRises < len(o.evals); i++ {
		off = append(off, math.Abs(o.evals[i]-(o.evals[i-1]+o.evals[i+1])/2))
	}
	if len(off) < 3 {
		return 0
	}
	return median(off)
}

// Numbers of the rule for silence.
const (
	// silentTimes the usual interval between outputs is silence, and lullTimes
	// the longest one that a run has come back from.
	silentTimes, lullTimes = 5, 2
	// together is how close lines of one output are.
	together = 2 * time.Second
	// keptGaps are what the usual interval is learnt from.
	keptGaps = 64
)

// silence notices that nothing comes any more.
type silence struct {
	quiet   time.Duration
	last    time.Time
	gaps    []time.Duration
	longest time.Duration
	fired   bool
	over    bool
}

// heard takes the time of an output.
func (s *silence) heard(at time.Time) {
	if !s.last.IsZero() {
		gap := at.Sub(s.last)
		if gap < 0 {
			return
		}
		if gap > together {
			if s.gaps = append(s.gaps, gap); len(s.gaps) > keptGaps {
				s.gaps = slices.Delete(s.gaps, 0, 1)
			}
			s.longest = max(s.longest, gap)
		}
	}
	s.last, s.fired = at, false
}

// usual is the median interval between outputs; 0 when it is not known.
func (s *silence) usual() time.Duration {
	if len(s.gaps) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(s.gaps))[len(s.gaps)/2]
}

func (s *silence) tick(at time.Time) []event.Finding {
	if s.last.IsZero() {
		s.last = at
	}
	quiet := at.Sub(s.last)
	if s.over || s.fired || quiet < max(s.quiet, silentTimes*s.usual(), lullTimes*s.longest) {
		return nil
	}
	s.fired = true
	text := fmt.Sprintf("there has been no output for %s", amount.Took(quiet))
	if usual := s.usual(); usual > 0 {
		text += fmt.Sprintf("; it usually comes every %s", amount.Took(usual))
	}
	return []event.Finding{{Rule: RuleSilence, Severity: Warning, Text: text}}
}
