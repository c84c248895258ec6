package curve_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/app/command/spending/curve"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]map[string]float64{
		`{'loss': 2.5123, 'grad_norm': 1.2, 'learning_rate': 1.9e-05, 'epoch': 0.01}`: {"loss": 2.5123, "grad_norm": 1.2, "learning_rate": 1.9e-05, "epoch": 0.01},
		`{"step": 10, "train/loss": "0.5"}`:                                           {"step": 10, "train/loss": 0.5},
		`step=3 loss=0.25 lr=1e-4`:                                                    {"step": 3, "loss": 0.25, "lr": 1e-4},
		`epoch 1: eval_loss: 3`:                                                       {"eval_loss": 3},
	} {
		got, ok := curve.Parse(line)
		if !ok {
			t.Errorf("%q: nothing", line)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%q: %s is %v", line, k, got[k])
			}
		}
	}
	if got, ok := curve.Parse("{'loss': nan}"); !ok || !math.IsNaN(got["loss"]) {
		t.Errorf("%v", got)
	}
	for _, line := range []string{"", "loading 3 files: 12", "http://x/y?loss", "glossary: 3", strings.Repeat("loss: 1 ", 10_000)} {
		if got, ok := curve.Parse(line); ok {
			t.Errorf("%.40q: %v", line, got)
		}
	}
}

func TestTracker(t *testing.T) {
	var c curve.Tracker
	if c.Text(10) != "" || c.Last() != "" {
		t.Error("an empty curve has a text")
	}
	for i := range 2000 {
		c.Line(fmt.Sprintf("{'loss': %g, 'epoch': %d}", 8-float64(i)/400, i))
		c.Line("not this")
	}
	text := c.Text(8)
	if !strings.HasPrefix(text, "loss █") || !strings.HasSuffix(text, "▁ 3.003") || utf8.RuneCountInString(text) != len("loss ")+8+len(" 3.003") {
		t.Errorf("%q", text)
	}
	if c.Last() != "{'loss': 3.0025000000000004, 'epoch': 1999}" {
		t.Errorf("%q", c.Last())
	}
	c.Line("{'loss': 90}")
	if got := c.Text(8); !strings.Contains(got, "(diverges: it was 3.003)") {
		t.Errorf("%q", got)
	}
	c.Line("{'loss': nan}")
	if got := c.Text(8); !strings.Contains(got, "?") || !strings.Contains(got, "no number any more") {
		t.Errorf("%q", got)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("{'loss': 1e999}")
	f.Add("loss=-1 loss: inf")
	f.Fuzz(func(t *testing.T, line string) {
		var c curve.Tracker
		c.Line(line)
		c.Line(line)
		if text := c.Text(5); utf8.ValidString(line) && !utf8.ValidString(text) {
			t.Errorf("%q: %q", line, text)
		}
	})
}
