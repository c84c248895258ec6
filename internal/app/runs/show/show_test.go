package show_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/app/runs"
	"github.com/ml-intern/ml-intern/internal/app/runs/show"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
)

var update = flag.Bool("update", false, "write the golden screens anew")

var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// training is a run with curves of every kind, and with a finding.
func training(id, flavor string, points int) runs.Snapshot {
	run := curve.New(curve.Options{Source: "job:bob/" + id})
	for i := range points {
		loss := fmt.Sprintf("%.4f", 0.5+2/math.Sqrt(float64(i+1)))
		if i >= points-3 {
			loss = "nan"
		}
		run.Line(now, fmt.Sprintf("step %d | loss %s | lr %.6f | gnorm %.3f | %.1fk tok/s | mem 14.5GiB", i*10, loss, 1e-3*float64(points-i)/float64(points), 1+math.Sin(float64(i)/9)/2, 12+math.Cos(float64(i)/5)))
		if i%20 == 19 {
			run.Line(now, fmt.Sprintf("step %d: val loss %.4f, accuracy %.1f%%", i*10, 0.6+2/math.Sqrt(float64(i+1)), 90-400/float64(i+9)))
		}
	}
	return runs.Snapshot{
		Row:    runs.Row{Source: "job:bob/" + id, ID: id, State: "RUNNING", Flavor: flavor, Began: now.Add(-95 * time.Minute)},
		Series: run.Series(), Newest: run.Newest(), Findings: run.Findings(),
	}
}

func local(id, name string) runs.Snapshot {
	return runs.Snapshot{Row: runs.Row{Source: "process:" + id, ID: id, Name: name, State: "running", Began: now.Add(-26 * time.Hour)}}
}

// Screens as people see them.
func TestScreens(t *testing.T) {
	one := []runs.Snapshot{training("66aa01b2c3d4e5f60718293a", "a10g-large", 200)}
	many := append([]runs.Snapshot{training("66aa01b2c3d4e5f60718293b", "t4-small", 60), local("4711", "python serve.py --port 8000 --ein-sehr-langes-Wort 模型")}, one...)
	for name, c := range map[string]struct {
		all []runs.Snapshot
		o   show.Options
	}{
		"one-40":       {one, show.Options{Width: 40, Height: 24}},
		"one-80":       {one, show.Options{Width: 80, Height: 40}},
		"one-160":      {one, show.Options{Width: 160, Height: 50}},
		"one-80-low":   {one, show.Options{Width: 80, Height: 12}},
		"one-80-ascii": {one, show.Options{Width: 80, Height: 40, ASCII: true}},
		"many-40":      {many, show.Options{Width: 40, Height: 40}},
		"many-80":      {many, show.Options{Width: 80, Height: 50}},
		"many-160":     {many, show.Options{Width: 160, Height: 60}},
		"nothing-80":   {[]runs.Snapshot{local("4711", "sleep 600")}, show.Options{Width: 80, Height: 24}},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Now = now
			got := strings.Join(show.Lines(c.all, c.o), "\n") + "\n"
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || got != string(want) {
				t.Errorf("%v\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

// Whatever runs and however small the screen is, no line is too wide, no screen
// too high as long as the table fits, and ASCII is ASCII.
func TestAnyScreen(t *testing.T) {
	base := []runs.Snapshot{training("66aa01b2c3d4e5f60718293a", "a10g-large", 80), training("66aa", "cpu-basic", 5), local("4711", "模型 serve\u00e9"), {Row: runs.Row{Source: "file:/x/ü.log", ID: "/x/ü.log"}}}
	rapid.Check(t, func(t *rapid.T) {
		var all []runs.Snapshot
		for range rapid.IntRange(0, 4).Draw(t, "runs") {
			all = append(all, base[rapid.IntRange(0, len(base)-1).Draw(t, "run")])
		}
		o := show.Options{
			Width: rapid.IntRange(1, 200).Draw(t, "width"), Height: rapid.IntRange(1, 80).Draw(t, "height"), ASCII: rapid.Bool().Draw(t, "ascii"), Now: now,
		}
		lines := show.Lines(all, o)
		bare := slices.Clone(all)
		for i := range bare {
			bare[i].Series = nil
		}
		above := len(show.Lines(bare, o))
		if len(lines) > max(o.Height, above) {
			t.Errorf("%d lines on a screen of %d (%d above the curves)", len(lines), o.Height, above)
		}
		for _, line := range lines {
			if ansi.StringWidth(line) > max(o.Width, 20) || strings.ContainsAny(line, "\n\r\x1b") {
				t.Errorf("%d columns of %d: %q", ansi.StringWidth(line), o.Width, line)
			}
			if o.ASCII && strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e }) {
				t.Errorf("no ASCII: %q", line)
			}
		}
	})
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 59 * time.Second: "59s", time.Minute: "1m", 95 * time.Minute: "1h35m", 26 * time.Hour: "1d02h", -time.Hour: "0s"} {
		if got := show.Age(now.Add(-d), now); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	if got := show.Age(time.Time{}, now); got != "" {
		t.Errorf("%q", got)
	}
}
