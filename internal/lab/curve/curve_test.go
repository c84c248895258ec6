package curve_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// feed gives a run lines a second apart and returns what it found, in words.
func feed(r *curve.Run, lines ...string) (found []string) {
	for i, l := range lines {
		for _, f := range r.Line(start.Add(time.Duration(i)*time.Second), l) {
			found = append(found, f.Rule+": "+f.Text)
		}
	}
	return found
}

func lines(format string, from, to int, value func(i int) float64) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf(format, i, value(i)))
	}
	return out
}

func flat(v float64) func(int) float64 { return func(int) float64 { return v } }

// shape writes the series of a run: name, axis and points.
func shape(r *curve.Run) string {
	var out []string
	for _, s := range r.Series() {
		text := s.Name + "[" + s.Axis + "]"
		for _, p := range s.Points {
			text += fmt.Sprintf(" %s:%s", curve.Number(p.X), curve.Number(p.Y))
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// Logs as programs print them become curves over steps or epochs.
func TestLogsBecomeCurves(t *testing.T) {
	for name, c := range map[string]struct{ log, want string }{
		"trainer": {
			"***** Running training *****\n  Num examples = 1,000\n  0%|          | 0/100 [00:00<?, ?it/s]\n" +
				"{'loss': 2.5, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 0.1}\n{'loss': 2.0, 'grad_norm': 1.0, 'learning_rate': 4e-05, 'epoch': 0.2}\n" +
				"{'eval_loss': 2.1, 'eval_runtime': 1.0, 'eval_samples_per_second': 50.0, 'epoch': 0.2}\n{'train_runtime': 9.0, 'train_loss': 2.25, 'epoch': 0.2}",
			"loss[epoch] 0.1:2.5 0.2:2; train_loss[epoch] 0.2:2.25; eval_loss[epoch] 0.2:2.1; learning_rate[epoch] 0.1:5e-05 0.2:4e-05; grad_norm[epoch] 0.1:1.5 0.2:1; eval_samples_per_second[epoch] 0.2:50",
		},
		"lightning": {
			"Epoch 0:  50%|█  | 1/2 [00:05<00:05,  9.80it/s, loss=0.9, v_num=0]\nEpoch 0: 100%|██| 2/2 [00:05<00:05,  9.80it/s, loss=0.8, v_num=0]\n" +
				"Epoch 1:  50%|█  | 1/2 [00:05<00:05,  9.80it/s, loss=0.7, v_num=0, val_loss=0.75]\nEpoch 1: 100%|██| 2/2 [00:05<00:05,  9.80it/s, loss=0.6, v_num=0, val_loss=0.75]\n" +
				"Epoch 2:  50%|█  | 1/2 [00:05<00:05,  9.80it/s, loss=0.5, v_num=0, val_loss=0.65]",
			"loss[step] 1:0.9 2:0.8 3:0.7 4:0.6 5:0.5; val_loss[step] 3:0.75 5:0.65; it/s[step] 1:9.8 2:9.8 3:9.8 4:9.8 5:9.8; v_num[step] 1:0 2:0 3:0 4:0 5:0",
		},
		"keras": {
			"Epoch 1/2\n10/10 [=====] - 1s 3ms/step - loss: 0.50 - accuracy: 0.70\nEpoch 2/2\n10/10 [=====] - 1s 3ms/step - loss: 0.25 - accuracy: 0.90\n",
			"loss[step] 10:0.5 20:0.25; accuracy[step] 10:0.7 20:0.9",
		},
		"plain": {"loss: 3\nnoise\nloss: 2\nloss: 1", "loss[line] 1:3 2:2 3:1"},
		"json":  {`{"step": 10, "loss": 2, "mem_mib": 512}` + "\n" + `{"step": 20, "loss": 1, "mem_mib": 1024}`, "loss[step] 10:2 20:1; mem_mib[step] 10:0.5 20:1"},
		"workers": {
			"[rank0] step 10 loss 2.0\n[rank1] step 9 loss 2.1\n[rank0] step 11 loss 1.9",
			"loss[step] 10:2 10:2.1 11:1.9",
		},
		"two runs": {
			"step 1 loss 2\nstep 50 loss 1\nstep 1 loss 2.5\nstep 50 loss 0.5",
			"loss[step] 1:2 50:1 51:2.5 100:0.5",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := curve.New(curve.Options{})
			if found := feed(r, strings.Split(c.log, "\n")...); len(found) > 0 {
				t.Errorf("found %q", found)
			}
			if got := shape(r); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// Each rule tells once, and again only when what it told of was over.
func TestRules(t *testing.T) {
	const step = "step %d loss %.4f"
	falling := func(i int) float64 { return 0.2 + 2/math.Sqrt(float64(i+1)) }
	for name, c := range map[string]struct {
		log  []string
		want []string
	}{
		"nan": {
			slices.Concat(lines(step, 0, 20, falling), []string{"step 20 loss nan", "step 21 loss nan", "step 22 loss inf"}),
			[]string{"nan: loss is NaN at step 20; the last number before was 0.6472"},
		},
		"nan comes back": {
			slices.Concat([]string{"step 0 loss nan"}, lines(step, 1, 4, flat(1)), []string{"step 4 loss nan"}, lines(step, 5, 10, flat(1)), []string{"step 10 loss inf"}),
			[]string{"nan: loss is NaN at step 0", "nan: loss is Inf at step 10; the last number before was 1"},
		},
		"gradient": {
			[]string{"step 1 loss 1 gnorm nan", "step 2 loss 1 gnorm 1", "step 3 loss 0 gnorm nan", "step 4 loss 0 gnorm nan", "step 5 loss 0 gnorm nan", "step 6 loss 0 gnorm nan"},
			[]string{"nan: gnorm is NaN at step 5; the last number before was 1"},
		},
		"one gradient":   {[]string{"step 1 loss 1 gnorm inf", "step 2 loss 1 gnorm 1"}, nil},
		"another number": {[]string{"step 1 loss 1 mfu nan", "{'loss': 1, 'eval_rouge': nan, 'epoch': 1}"}, nil},
		"divergence": {
			slices.Concat(lines(step, 0, 30, falling), lines(step, 30, 60, flat(4))),
			[]string{"divergence: loss diverges: it is 4 at step 34, more than 3 times its lowest level of 0.5961, and has been so high for 5 points"},
		},
		"a spike":      {slices.Concat(lines(step, 0, 30, falling), lines(step, 30, 34, flat(9)), lines(step, 34, 60, falling)), nil},
		"near nothing": {slices.Concat(lines(step, 0, 6, flat(2)), lines(step, 6, 30, flat(0.001)), lines(step, 30, 60, flat(0.05))), nil},
		"divergence and back": {
			slices.Concat(lines(step, 0, 10, flat(1)), lines(step, 10, 16, flat(4)), lines(step, 16, 30, flat(2.5)), lines(step, 30, 40, flat(4)),
				lines(step, 40, 55, flat(1)), lines(step, 55, 65, flat(5))),
			[]string{
				"divergence: loss diverges: it is 4 at step 14, more than 3 times its lowest level of 1, and has been so high for 5 points",
				"divergence: loss diverges: it is 5 at step 59, more than 3 times its lowest level of 1, and has been so high for 5 points",
			},
		},
		"rewards":            {slices.Concat(lines("step %d loss %g reward 0.5", 0, 20, flat(1e-3)), lines("step %d loss %g reward 0.6", 20, 200, flat(0.1))), nil},
		"below zero":         {slices.Concat(lines(step, 0, 20, flat(-1)), lines(step, 20, 40, flat(-4))), nil},
		"another run begins": {slices.Concat(lines(step, 0, 60, falling), lines(step, 0, 6, flat(2.2)), lines(step, 6, 60, falling)), nil},
		"over-fitting": {
			[]string{
				"step 1 loss 2", "step 1 val loss 2.1", "step 2 loss 1.5", "step 2 val loss 1.8", "step 3 loss 1", "step 3 val loss 1.85", "step 4 loss 0.5", "step 4 val loss 1.95",
				"step 5 loss 0.3", "step 5 val loss 2.1", "step 6 loss 0.2", "step 6 val loss 2.2",
			},
			[]string{"overfitting: val_loss has risen for 3 evaluations, from 1.8 to 2.1 at step 5, while loss falls: the run over-fits"},
		},
		"noisy evaluations": {
			func() (log []string) {
				for i := range 20 {
					eval := 1 + 0.03*float64(i%2)
					if i >= 16 {
						eval = 0.98 + 0.02*float64(i-16)
					}
					log = append(log, fmt.Sprintf("step %d loss %.4f", i, 2-float64(i)/20), fmt.Sprintf("step %d val loss %.4f", i, eval))
				}
				return log
			}(),
			nil,
		},
		"both rise": {
			[]string{
				"step 1 loss 1", "step 1 val loss 1", "step 2 loss 1.1", "step 2 val loss 1.1", "step 3 loss 1.2", "step 3 val loss 1.2", "step 4 loss 1.3", "step 4 val loss 1.3",
				"step 5 loss 1.4", "step 5 val loss 1.4",
			},
			nil,
		},
		"plateau": {
			slices.Concat(lines(step, 0, 100, falling), lines(step, 100, 600, func(i int) float64 { return falling(100) + 0.001*float64(i%3) })),
			[]string{"plateau: loss has improved by less than 0.5 % over the last 50 points and stays at about 0.4 at step 195"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := feed(curve.New(curve.Options{Source: "job:a/b"}), c.log...)
			if !slices.Equal(got, c.want) {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
		})
	}
}

// A log that goes wrong again and again does not flood anybody.
func TestFindingsAreBounded(t *testing.T) {
	r := curve.New(curve.Options{})
	var found []string
	for i := range 5000 {
		loss := 1.0
		if i%7 == 0 {
			loss = math.NaN()
		}
		found = append(found, feed(r, fmt.Sprintf("step %d loss %v", i, loss))...)
	}
	if n := len(found); n > 16 || !strings.Contains(strings.Join(found, "\n"), "this is the last time") {
		t.Errorf("%d findings: %q", n, found)
	}
}

// A finding says where, what and how bad.
func TestFinding(t *testing.T) {
	r := curve.New(curve.Options{Source: "job:bob/66"})
	r.Line(start, "step 3 loss 2")
	got := r.Line(start, "step 4 loss nan")
	if len(got) != 1 || got[0].Source != "job:bob/66" || got[0].Rule != curve.RuleNaN || got[0].Severity != curve.Failure || got[0].Metric != "loss" ||
		got[0].Step == nil || *got[0].Step != 4 || got[0].Value != nil {
		t.Errorf("%+v", got)
	}
	if all := r.Findings(); len(all) != 1 || all[0].Text != got[0].Text {
		t.Errorf("%+v", all)
	}
}

// Silence is ten minutes, or much more than a run usually takes to say
// something, or than it was silent before.
func TestSilence(t *testing.T) {
	after := func(r *curve.Run, from time.Time, limit time.Duration) time.Duration {
		for d := time.Duration(0); d <= limit; d += time.Minute {
			if len(r.Tick(from.Add(d))) > 0 {
				return d
			}
		}
		return 0
	}
	for name, c := range map[string]struct {
		quiet time.Duration
		gaps  []time.Duration
		want  time.Duration
	}{
		"nothing ever":  {0, nil, 10 * time.Minute},
		"often":         {0, slices.Repeat([]time.Duration{time.Second}, 50), 10 * time.Minute},
		"seldom":        {0, slices.Repeat([]time.Duration{8 * time.Minute}, 5), 40 * time.Minute},
		"in heaps":      {0, slices.Repeat([]time.Duration{0, 0, time.Second, 9 * time.Minute}, 5), 45 * time.Minute},
		"a lull before": {0, append(slices.Repeat([]time.Duration{3 * time.Second}, 50), 14*time.Minute), 28 * time.Minute},
		"impatient":     {3 * time.Minute, slices.Repeat([]time.Duration{time.Second}, 50), 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			r := curve.New(curve.Options{Quiet: c.quiet})
			r.Tick(start)
			now := start
			for _, gap := range c.gaps {
				now = now.Add(gap)
				r.Line(now, "working")
			}
			if got := after(r, now, 2*time.Hour); got != c.want {
				t.Errorf("after %s, want %s", got, c.want)
			}
			if again := r.Tick(now.Add(5 * time.Hour)); len(again) > 0 {
				t.Errorf("told twice: %+v", again)
			}
			r.Line(now.Add(5*time.Hour), "back")
			if again := r.Tick(now.Add(100 * time.Hour)); len(again) != 1 {
				t.Errorf("the second silence: %+v", again)
			}
			r.Line(now.Add(101*time.Hour), "end")
			r.End()
			if again := r.Tick(now.Add(1000 * time.Hour)); len(again) > 0 {
				t.Errorf("a run that is over: %+v", again)
			}
		})
	}
}

// A program without numbers may be silent for ever.
func TestSilenceBehindNumbers(t *testing.T) {
	r := curve.New(curve.Options{NumbersFirst: true})
	r.Line(start, "listening on port 8000")
	if got := r.Tick(start.Add(time.Hour)); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	r.Line(start.Add(time.Hour), "step 1 loss 2")
	if got := r.Tick(start.Add(9 * time.Hour)); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// What was found by name, by kind and by another spelling.
func TestValue(t *testing.T) {
	r := curve.New(curve.Options{})
	feed(r, "step 1 train_loss=2 policy_loss=5 lr=0.1 val_loss=1.5 acc=70% tok/s=1.2k", "step 2 train_loss=1.5")
	for name, want := range map[string]float64{
		"train_loss": 1.5, "loss": 1.5, "Train Loss": 1.5, "eval_loss": 1.5, "learning_rate": 0.1, "lr": 0.1, "acc": 70, "policy_loss": 5, "tok/s": 1200, "throughput": 1200,
	} {
		if got, ok := r.Value(name); !ok || got != want {
			t.Errorf("%q: %v, %v, want %v", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "other", "quality", "f1", "memory"} {
		if got, ok := r.Value(name); ok {
			t.Errorf("%q: %v", name, got)
		}
	}
	if got, want := r.Newest(), "step 2, train_loss 1.5, val_loss 1.5, acc 70%, lr 0.1, tok/s 1200"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := curve.New(curve.Options{}).Newest(); got != "" {
		t.Errorf("%q", got)
	}
}

// However long a run is, its curves stay small and keep their ends, their order
// and their extremes.
func TestSeriesAreBounded(t *testing.T) {
	r := curve.New(curve.Options{})
	const n = 100_000
	for i := range n {
		v := 1 + float64(i%10)/100
		if i == 777 {
			v = 2.5
		}
		r.Line(start, fmt.Sprintf("step=%d loss=%g", i+1, v))
	}
	for i := range 200 {
		r.Line(start, fmt.Sprintf("{'step': %d, 'a%d': 1, 'lr_%d': 2}", n+i+1, i, i))
	}
	all := r.Series()
	if len(all) > 64 {
		t.Errorf("%d series", len(all))
	}
	loss := all[0]
	if loss.Kind != sample.Loss || len(loss.Points) > 4096 || len(loss.Points) < 1000 {
		t.Errorf("%s has %d points", loss.Name, len(loss.Points))
	}
	if last, _ := loss.Last(); last.X != n || loss.Points[0].X > 50 {
		t.Errorf("from %v to %v", loss.Points[0], last)
	}
	if !slices.ContainsFunc(loss.Points, func(p curve.Point) bool { return p.Y == 2.5 }) {
		t.Error("the spike is lost")
	}
	if !slices.IsSortedFunc(loss.Points, func(a, b curve.Point) int { return int(a.X - b.X) }) {
		t.Error("points are out of order")
	}
}

// Whatever lines come, a run stays within its limits and its findings are
// complete.
func TestAnyLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := curve.New(curve.Options{Source: "file:x"})
		now := start
		number := rapid.SampledFrom([]string{"1", "2.5", "nan", "inf", "-inf", "1e308", "-3", "0", "1e-300", "9e99", "1/2", "88%"})
		name := rapid.SampledFrom([]string{"loss", "val_loss", "lr", "gnorm", "acc", "reward", "x", "step", "epoch"})
		for range rapid.IntRange(0, 120).Draw(t, "lines") {
			var b strings.Builder
			for range rapid.IntRange(1, 4).Draw(t, "values") {
				fmt.Fprintf(&b, "%s=%s ", name.Draw(t, "name"), number.Draw(t, "number"))
			}
			now = now.Add(time.Duration(rapid.Int64Range(-5, 3000).Draw(t, "seconds")) * time.Second)
			for _, f := range append(r.Tick(now), r.Line(now, b.String())...) {
				check(t, f)
			}
		}
		for _, s := range r.Series() {
			if len(s.Points) > 4096 || s.Axis == "" {
				t.Errorf("%s: %d points over %q", s.Name, len(s.Points), s.Axis)
			}
			for _, p := range s.Points {
				if math.IsNaN(p.X) || math.IsInf(p.X, 0) {
					t.Errorf("%s: %v", s.Name, p)
				}
			}
		}
		_ = r.Newest()
	})
}

func check(t *rapid.T, f event.Finding) {
	if f.Source != "file:x" || f.Rule == "" || f.Text == "" || !slices.Contains([]string{"info", "warning", "error"}, f.Severity) ||
		f.Value != nil && math.IsNaN(*f.Value) || strings.Contains(f.Text, "\n") {
		t.Errorf("%+v", f)
	}
	if _, err := event.New("s", "", start, f); err != nil {
		t.Errorf("%+v: %v", f, err)
	}
}

// A million lines of a run take less than a minute.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	const n = 20_000
	r := curve.New(curve.Options{})
	begun := time.Now()
	for i := range n {
		r.Line(start, fmt.Sprintf("{'loss': %g, 'grad_norm': 1.25, 'learning_rate': 4.9e-05, 'epoch': %g}", 2+1/float64(i+1), float64(i)/1000))
	}
	if took := time.Since(begun) * (1_000_000 / n); took > time.Minute {
		t.Errorf("a million lines take %s", took)
	}
}
