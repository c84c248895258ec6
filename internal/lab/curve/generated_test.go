package curve_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
)

// plan is a made-up run: what its true loss is, how noisy, how it is printed.
type plan struct {
	rng    *rand.Rand
	n      int
	scale  float64 // first loss
	rest   float64 // part of it that is never learnt
	alpha  float64
	noise  float64
	every  time.Duration
	warmup int
	cycles int // restarts of the learning rate
	evals  int // points between evaluations; 0 for none
	style  int

	// What goes wrong: from a point on.
	kind string
	from int
}

func newPlan(seed uint64) *plan {
	r := rand.New(rand.NewPCG(seed, 7))
	p := &plan{
		rng: r, n: int(math.Exp(3.5 + 4.5*r.Float64())), scale: 1 + 9*r.Float64(), rest: 0.1 + 0.2*r.Float64(), alpha: 0.5 + 0.4*r.Float64(),
		noise: 0.005 * math.Exp(2.3*r.Float64()), every: time.Duration(1+r.IntN(60)) * time.Second, style: r.IntN(5),
	}
	if r.IntN(2) == 0 { // few accumulated batches: a rough loss
		p.noise *= 1 + 6*r.Float64()
	}
	if r.IntN(2) == 0 {
		p.warmup = p.n / 20
	}
	if r.IntN(4) == 0 {
		p.cycles = 1 + r.IntN(3)
	}
	if r.IntN(2) == 0 {
		p.evals = max(1, p.n/(3+r.IntN(20)))
	}
	return p
}

// rate is the learning rate: warm-up, then a cosine, perhaps with restarts.
func (p *plan) rate(i int) float64 {
	if i < p.warmup {
		return 3e-4 * float64(i+1) / float64(p.warmup)
	}
	length := max(1, (p.n-p.warmup)/(p.cycles+1))
	return 1.5e-4*(1+math.Cos(math.Pi*float64((i-p.warmup)%length)/float64(length))) + 1e-6
}

// loss is the true loss at a point.
func (p *plan) loss(i int) float64 {
	if p.kind == "plateau" {
		i = min(i, p.from)
	}
	t := math.Max(0, float64(i-p.warmup/2))
	v := p.scale * (p.rest + (1-p.rest)*math.Pow(1+30*t/float64(p.n), -p.alpha))
	if p.cycles > 0 && p.kind != "plateau" {
		length := max(1, (p.n-p.warmup)/(p.cycles+1))
		if since := (i - p.warmup) % length; i-p.warmup >= length {
			v *= 1 + 0.25*math.Exp(-8*float64(since)/float64(length))
		}
	}
	if p.kind == "divergence" && i >= p.from {
		v *= math.Min(20, math.Exp(float64(i-p.from)*0.15))
	}
	return v
}

func (p *plan) noisy(v float64) float64 { return v * math.Exp(p.noise*p.rng.NormFloat64()) }

// line prints a point in one of the styles.
func (p *plan) line(i int, loss string) string {
	lr, grad := p.rate(i), 0.5+p.rng.Float64()
	if p.rng.IntN(300) == 0 {
		grad *= 30
	}
	switch p.style {
	case 0:
		return fmt.Sprintf("{'loss': %s, 'grad_norm': %.4f, 'learning_rate': %.6g, 'epoch': %.4f}", loss, grad, lr, 3*float64(i)/float64(p.n))
	case 1:
		return fmt.Sprintf("step %d | loss %s | lr %.3e | %.1fk tok/s", i*10, loss, lr, 10+p.rng.Float64())
	case 2:
		return fmt.Sprintf(`{"step": %d, "loss": %s, "lr": %g}`, i, loss, lr)
	case 3:
		return fmt.Sprintf("%3d%%|███       | %d/%d [00:01<00:09,  5.41it/s, loss=%s, lr=%.2e]", 100*i/p.n, i, p.n, loss, lr)
	}
	return fmt.Sprintf("iter %d: loss %s, time 12.00ms, mfu 31.00%%, lr: %g", i, loss, lr)
}

func (p *plan) evalLine(i int, v float64) string {
	if p.style == 0 {
		return fmt.Sprintf("{'eval_loss': %.4f, 'eval_runtime': 3.2, 'epoch': %.4f}", v, 3*float64(i)/float64(p.n))
	}
	return fmt.Sprintf("step %d: val loss %.4f", i*map[bool]int{true: 10, false: 1}[p.style == 1], v)
}

// play runs the plan and returns what was found, with the point of each.
func (p *plan) play() (found []event.Finding, at []int) {
	run := curve.New(curve.Options{Source: "file:train.log"})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	take := func(i int, fs []event.Finding) {
		for _, f := range fs {
			found, at = append(found, f), append(at, i)
		}
	}
	wait := func(i int, d time.Duration) {
		for end := now.Add(d); now.Before(end); {
			now = now.Add(min(time.Minute, end.Sub(now)))
			take(i, run.Tick(now))
		}
	}
	best := math.Inf(1)
	for i := range p.n {
		wait(i, time.Duration(float64(p.every)*(0.5+p.rng.Float64())))
		if p.kind == "silence" && i == p.from {
			wait(i, 20*p.every+30*time.Minute)
		}
		v := p.noisy(p.loss(i))
		if p.kind == "" && p.rng.IntN(400) == 0 { // a spike
			v *= 2 + 3*p.rng.Float64()
		}
		text := fmt.Sprintf("%.5f", v)
		if (p.kind == "nan" || p.kind == "inf") && i >= p.from {
			text = p.kind
			if p.style == 2 {
				text = map[string]string{"nan": "NaN", "inf": "Infinity"}[p.kind]
			}
		}
		take(i, run.Line(now, p.line(i, text)))
		if p.evals > 0 && i%p.evals == p.evals-1 {
			wait(i, time.Duration(p.rng.IntN(240))*time.Second)
			e := p.loss(i) * 1.05
			if p.kind == "overfitting" && i >= p.from {
				e = best * (1 + 0.04*float64((i-p.from)/p.evals+1))
			}
			best = min(best, e)
			take(i, run.Line(now, p.evalLine(i, e*math.Exp(0.004*p.rng.NormFloat64()))))
		}
	}
	run.End()
	wait(p.n, 24*time.Hour)
	return found, at
}

const runs = 200

// Healthy runs, noisy ones with restarts and spikes among them, give no alarm.
func TestHealthyRunsAreQuiet(t *testing.T) {
	for seed := range uint64(runs) {
		p := newPlan(seed)
		found, at := p.play()
		for i, f := range found {
			t.Errorf("run %d (%d points, noise %.3f, warm-up %d, cycles %d, style %d), point %d: %s", seed, p.n, p.noise, p.warmup, p.cycles, p.style, at[i], f.Text)
		}
	}
}

// Of runs in which something goes wrong at least 95 of 100 are found, for the
// right reason and not before.
func TestBadRunsAreFound(t *testing.T) {
	kinds := []string{"nan", "inf", "divergence", "plateau", "overfitting", "silence"}
	rules := map[string]string{"inf": "nan"}
	missed := map[string]int{}
	for seed := range uint64(runs) {
		p := newPlan(1000 + seed)
		p.kind = kinds[seed%uint64(len(kinds))]
		p.n = max(p.n, 60)
		p.from = p.n/4 + p.rng.IntN(p.n/3)
		rule := p.kind
		if r := rules[rule]; r != "" {
			rule = r
		}
		switch p.kind {
		case "plateau": // long enough to tell it from noise, at a rate that goes on
			p.n, p.noise, p.cycles, p.warmup = max(p.n, 600), min(p.noise, 0.03), 0, 0
			p.from = p.n / 5
		case "overfitting":
			p.evals = max(1, p.n/(12+p.rng.IntN(10)))
			p.cycles = 0
		}
		found, at := p.play()
		i := slices.IndexFunc(found, func(f event.Finding) bool { return f.Rule == rule })
		if i < 0 {
			missed[p.kind]++
			t.Logf("run %d: %s from point %d of %d (noise %.3f, style %d) was not found; %+v", seed, p.kind, p.from, p.n, p.noise, p.style, found)
			continue
		}
		if at[i] < p.from {
			t.Errorf("run %d: %s from point %d was told at %d: %s", seed, p.kind, p.from, at[i], found[i].Text)
		}
		for j, f := range found {
			if f.Rule != rule && at[j] < p.from {
				t.Errorf("run %d: %s before anything was wrong: %s", seed, f.Rule, f.Text)
			}
		}
	}
	total := 0
	for _, n := range missed {
		total += n
	}
	if total > runs/20 {
		t.Errorf("%d of %d were missed: %v", total, runs, missed)
	}
	t.Logf("missed: %v", missed)
}
