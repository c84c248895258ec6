// Package curve follows the numbers of a training run: it keeps their curves in
// bounded memory and notices when something goes wrong in them, or when nothing
// comes any more. It is told lines and times; it reads no file and no clock.
package curve

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
)

// Options of a run.
type Options struct {
	// Source names the run in its findings: "job:NS/ID", "process:ID" or
	// "file:PATH".
	Source string
	// Quiet is the silence that is pointed out; 0 is 10 minutes. A run that is
	// usually quieter than that has more time.
	Quiet time.Duration
	// NumbersFirst says that silence counts only behind the first numbers: what
	// prints none may be a server.
	NumbersFirst bool
}

// DefaultQuiet is the silence that is pointed out where nothing else is said.
const DefaultQuiet = 10 * time.Minute

// Run is one training run. One goroutine uses it.
type Run struct {
	opts   Options
	clock  clock
	series map[string]*series
	others int // series of no known kind
	// primary is the name of the loss that rules look at; rewards says that the
	// run learns from rewards: then its loss is no measure of anything.
	primary string
	rewards bool

	nan     nanRule
	diverge divergence
	plateau plateau
	overfit map[string]*overfitting
	silence silence
	told    []event.Finding
	times   map[string]int // how often each rule has told
}

// Limits of findings: how many are kept, and how often one rule tells. A log
// that goes wrong again and again is known to do so.
const (
	maxTold = 64
	maxEach = 8
)

// New returns a run that nothing is known of yet.
func New(o Options) *Run {
	if o.Quiet <= 0 {
		o.Quiet = DefaultQuiet
	}
	return &Run{opts: o, series: map[string]*series{}, overfit: map[string]*overfitting{}, times: map[string]int{}, silence: silence{quiet: o.Quiet}}
}

// Line takes a line of the run's log, printed or seen at a time, and returns
// what is worth telling about it.
func (r *Run) Line(at time.Time, line string) []event.Finding { return r.Take(at, sample.Read(line)) }

// Take is Line for who has read the line already.
func (r *Run) Take(at time.Time, samples []sample.Sample) []event.Finding {
	r.silence.heard(at)
	var found []event.Finding
	for _, s := range samples {
		found = append(found, r.add(s)...)
	}
	return r.tell(found)
}

// Tick says what time it is while no line comes.
func (r *Run) Tick(at time.Time) []event.Finding {
	if r.opts.NumbersFirst && len(r.series) == 0 {
		return nil
	}
	return r.tell(r.silence.tick(at))
}

// End says that the run is over: it may be silent from now on.
func (r *Run) End() { r.silence.over = true }

// tell names the source in findings and keeps them. A rule that has told often
// says so, and no more.
func (r *Run) tell(found []event.Finding) []event.Finding {
	found = slices.DeleteFunc(found, func(f event.Finding) bool { r.times[f.Rule]++; return r.times[f.Rule] > maxEach })
	for i := range found {
		if found[i].Source = r.opts.Source; r.times[found[i].Rule] == maxEach {
			found[i].Text += "; this is the last time that this rule tells"
		}
	}
	if r.told = append(r.told, found...); len(r.told) > maxTold {
		r.told = slices.Delete(r.told, 0, len(r.told)-maxTold)
	}
	return found
}

// add takes what one line has told.
func (r *Run) add(s sample.Sample) []event.Finding {
	loss, trains := s.Of(sample.Loss)
	if again := r.clock.move(s, trains); again {
		r.begin()
	}
	var found []event.Finding
	for _, v := range s.Values {
		if v.Kind == sample.Quality && strings.HasPrefix(v.Name, "reward") {
			r.rewards = true
		}
		series := r.put(s, v, trains)
		if series == nil {
			continue
		}
		at := place{axis: series.Axis, x: r.clock.x(series.Axis)}
		if f, ok := r.nan.check(v, at); ok {
			found = append(found, f)
		}
		switch {
		case math.IsNaN(v.Number) || math.IsInf(v.Number, 0):
		case v.Kind == sample.LearningRate:
			r.plateau.rate(v.Number)
		case v.Kind == sample.EvalLoss:
			found = append(found, r.evaluated(v, at)...)
		case v.Kind == sample.Loss && v.Name == r.chosen(loss.Name, v.Name):
			found = append(found, r.trained(v, at)...)
		}
	}
	return found
}

// chosen is the name of the loss that rules look at: the first one, unless it
// is a mean of an epoch and another is there.
func (r *Run) chosen(first, name string) string {
	if r.primary == "" {
		r.primary = first
	}
	if strings.HasSuffix(r.primary, "_epoch") && !strings.HasSuffix(name, "_epoch") {
		r.primary = name
	}
	return r.primary
}

// begin forgets what rules have learnt: another run begins in the same log.
func (r *Run) begin() {
	r.nan, r.diverge, r.plateau, r.rewards = nanRule{}, divergence{}, plateau{}, false
	clear(r.overfit)
}

// put adds a value to its series; nil when it belongs to none or says nothing
// new.
func (r *Run) put(s sample.Sample, v sample.Value, trains bool) *series {
	got := r.series[v.Name]
	if got == nil {
		if len(r.series) >= maxSeries || v.Kind == sample.Other && r.others >= maxOther {
			return nil
		}
		if v.Kind == sample.Other {
			r.others++
		}
		got = &series{Series: Series{Name: v.Name, Kind: v.Kind, Unit: v.Unit, Axis: r.clock.axis(s)}}
		r.series[v.Name] = got
	}
	if v.Kind == sample.EvalLoss && trains && got.count > 0 && got.last.Y == v.Number {
		return nil // a progress bar carries the newest evaluation along
	}
	if !got.add(Point{X: r.clock.x(got.Axis), Y: v.Number}) {
		return nil
	}
	return got
}

// trained lets the rules look at the loss.
func (r *Run) trained(v sample.Value, at place) []event.Finding {
	for _, o := range r.overfit {
		o.trained(v.Number)
	}
	if r.rewards {
		return nil
	}
	var found []event.Finding
	if f, ok := r.diverge.add(v, at); ok {
		found = append(found, f)
	}
	if f, ok := r.plateau.add(v, r.diverge.usual, at); ok {
		found = append(found, f)
	}
	return found
}

// maxEvaluations bounds the evaluation losses that are compared.
const maxEvaluations = 8

func (r *Run) evaluated(v sample.Value, at place) []event.Finding {
	o := r.overfit[v.Name]
	if o == nil {
		if len(r.overfit) >= maxEvaluations {
			return nil
		}
		o = &overfitting{}
		r.overfit[v.Name] = o
	}
	if f, ok := o.evaluated(v, r.primary, at); ok {
		return []event.Finding{f}
	}
	return nil
}

// Series are the curves so far: losses first, then by kind and name.
func (r *Run) Series() []Series {
	out := make([]Series, 0, len(r.series))
	for _, s := range r.series {
		out = append(out, s.shown())
	}
	slices.SortFunc(out, compare)
	return out
}

// Findings are the newest ones, oldest first.
func (r *Run) Findings() []event.Finding { return slices.Clone(r.told) }

// Value is the newest number of a name, which may also be a kind, such as
// "loss" for train/loss, or another spelling.
func (r *Run) Value(name string) (float64, bool) {
	if s := r.named(name); s != nil {
		return s.last.Y, true
	}
	return 0, false
}

// named finds a series by its name or, where that means only one, its kind.
func (r *Run) named(name string) *series {
	name = strings.ToLower(strings.TrimSpace(name))
	if s := r.series[name]; s != nil {
		return s
	}
	if s := r.series[strings.NewReplacer(" ", "_", "-", "_").Replace(name)]; s != nil {
		return s
	}
	kind := sample.Kind(name)
	if kind == sample.Loss && r.series[r.primary] != nil {
		return r.series[r.primary]
	}
	var only *series
	for _, s := range r.series {
		if s.Kind != kind && s.Kind != sample.Classify(name) || s.Kind == sample.Other || s.Kind == sample.Quality || s.Kind == sample.Memory {
			continue
		}
		if only != nil {
			return nil
		}
		only = s
	}
	return only
}

// shownValues bounds what Newest tells.
const shownValues = 8

// Newest tells the newest numbers in a line: where the run is, then its values,
// losses first. It is empty before the first one.
func (r *Run) Newest() string {
	if len(r.series) == 0 {
		return ""
	}
	var out []string
	switch {
	case r.clock.step.known:
		out = append(out, "step "+Number(r.clock.step.value()))
	case r.clock.epoch.known:
		out = append(out, "epoch "+Number(r.clock.epoch.value()))
	}
	all := make([]*series, 0, len(r.series))
	for _, s := range r.series {
		if s.Kind != sample.Other {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *series) int { return compare(a.Series, b.Series) })
	for _, s := range all[:min(shownValues, len(all))] {
		out = append(out, s.Name+" "+Number(s.last.Y)+unit(s.Name, s.Unit))
	}
	return strings.Join(out, ", ")
}

// unit is a unit behind a number, unless the name says it.
func unit(name, unit string) string {
	switch unit {
	case "", name:
		return ""
	case "%":
		return unit
	}
	return " " + unit
}

// Number writes a number of a curve in at most four digits.
func Number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return strings.TrimPrefix(fmt.Sprint(v), "+")
	case v == math.Trunc(v) && math.Abs(v) < 1e9:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
