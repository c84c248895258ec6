package chart_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/ui/chart"
)

var update = flag.Bool("update", false, "write the golden files")

// run is the curves of a training run with a hole, without any chance in it.
func run() []chart.Series {
	loss, eval := chart.Series{Name: "loss"}, chart.Series{Name: "eval_loss"}
	for i := range 400 {
		step, falling := float64(i*5), 2.3*math.Exp(-float64(i)/90)
		noise := 0.06 * (1 + math.Sin(float64(i*i)))
		v := falling + 0.18 + noise
		if i > 200 && i < 230 {
			v = math.NaN()
		}
		loss.X, loss.Y = append(loss.X, step), append(loss.Y, v)
		if i%50 == 49 {
			eval.X, eval.Y = append(eval.X, step), append(eval.Y, falling+0.35)
		}
	}
	return []chart.Series{loss, eval}
}

func TestGolden(t *testing.T) {
	rate := chart.Series{Name: "learning_rate"}
	memory := chart.Series{Name: "GPU memory"}
	for i := range 60 {
		rate.Y = append(rate.Y, 2e-5*math.Min(float64(i)/10, 1-float64(i)/70))
		memory.Y = append(memory.Y, 15.2e9+float64(i%7)*1.1e8)
	}
	for name, c := range map[string]struct {
		series  []chart.Series
		options chart.Options
	}{
		"run":    {run(), chart.Options{Height: 16, XLabel: "step"}},
		"ascii":  {run(), chart.Options{Height: 16, XLabel: "step", ASCII: true}},
		"log":    {run(), chart.Options{Height: 14, XLabel: "step", Log: true}},
		"rate":   {[]chart.Series{rate}, chart.Options{Height: 10, XLabel: "epoch"}},
		"memory": {[]chart.Series{memory}, chart.Options{Height: 8, Unit: chart.Bytes}},
	} {
		for _, width := range []int{40, 80, 160} {
			c.options.Width = width
			file := filepath.Join("testdata", fmt.Sprintf("%s-%d.txt", name, width))
			got := strings.Join(chart.Draw(c.series, c.options), "\n") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got)\n%s\n%s", file, diff, got)
			}
		}
	}
}

func TestSmall(t *testing.T) {
	ramp := chart.Series{Name: "a", Y: []float64{0, 1, 2, 3}}
	for name, c := range map[string]struct {
		series []chart.Series
		o      chart.Options
		want   []string
	}{
		"no room":       {[]chart.Series{ramp}, chart.Options{Width: 0, Height: 3}, nil},
		"one row":       {[]chart.Series{ramp}, chart.Options{Width: 4, Height: 1}, []string{"⡠⠤⠒⠉"}},
		"ASCII":         {[]chart.Series{ramp}, chart.Options{Width: 12, Height: 4, ASCII: true}, []string{"** a  last 3", "  |       **", "2 +  *****", "0 +**"}},
		"no series":     {nil, chart.Options{Width: 20, Height: 3}, []string{"", "", "no data"}},
		"nothing drawn": {[]chart.Series{{Name: "x", Y: []float64{math.NaN()}}}, chart.Options{Width: 20, Height: 4}, []string{"⠤⠤⠤ x  last NaN", "", "no data", "          ×"}},
	} {
		got := chart.Draw(c.series, c.o)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestShort(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit chart.Unit
		want string
	}{
		{0, chart.Number, "0"},
		{0.1834, chart.Number, "0.1834"},
		{2e-5, chart.Number, "2e-5"},
		{1.25e-7, chart.Number, "1.25e-7"},
		{-3.5, chart.Number, "-3.5"},
		{93.125, chart.Number, "93.12"},
		{1234, chart.Number, "1.234k"},
		{-1.5e6, chart.Number, "-1.5M"},
		{1e20, chart.Number, "1e20"},
		{math.NaN(), chart.Number, "NaN"},
		{math.Inf(1), chart.Bytes, "inf"},
		{math.Inf(-1), chart.Number, "-inf"},
		{512, chart.Bytes, "512 B"},
		{16.06e9, chart.Bytes, "16.06 GB"},
		{97.5, chart.Percent, "97.5%"},
		{45, chart.Seconds, "45s"},
		{90, chart.Seconds, "1.5m"},
		{5400, chart.Seconds, "1.5h"},
	} {
		if got := chart.Short(c.v, c.unit); got != c.want {
			t.Errorf("%g: %s, want %s", c.v, got, c.want)
		}
	}
}

func TestSparkline(t *testing.T) {
	for _, c := range []struct {
		values []float64
		width  int
		ascii  bool
		want   string
	}{
		{nil, 5, false, ""},
		{[]float64{1, 2, 3}, 0, false, ""},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7}, 20, false, "▁▂▃▄▅▆▇█"},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7}, 4, false, "▁▃▆█"},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7}, 8, true, ".:-=+*#@"},
		{[]float64{5, 5}, 8, false, "▅▅"},
		{[]float64{1, math.NaN(), 2, math.Inf(1)}, 8, false, "▁×█×"},
		{[]float64{1, math.NaN(), 2, math.NaN()}, 2, true, ".@"},
	} {
		if got := chart.Sparkline(c.values, c.width, c.ascii); got != c.want {
			t.Errorf("%v in %d: %s, want %s", c.values, c.width, got, c.want)
		}
	}
}

// Values that hardly differ are one line in the middle.
func TestNearValues(t *testing.T) {
	for _, y := range [][]float64{{1e6, 1e6 + 1e-9}, {5e-324, 1e-323}, {-1e-300, 1e-300}, {7, 7}} {
		for _, o := range []chart.Options{{ASCII: true}, {}, {ASCII: true, Log: true}, {Log: true}} {
			o.Width, o.Height = 29, 5
			lines := chart.Draw([]chart.Series{{Y: y}}, o)
			drawn := func(l string) bool {
				return strings.ContainsFunc(l, func(r rune) bool { return r == '*' || r > 0x2800 && r < 0x2900 })
			}
			rows := slices.DeleteFunc(slices.Clone(lines[1:]), func(l string) bool { return !drawn(l) })
			if len(rows) == 0 || len(rows) > 2 { // two where the middle is between rows
				t.Errorf("%v, %+v:\n%s", y, o, strings.Join(lines, "\n"))
			}
		}
	}
}

// What is painted is told apart: each series, the axes, the gaps.
func TestPaint(t *testing.T) {
	painted := map[chart.Part]string{}
	series := []chart.Series{{Name: "a", Y: []float64{1, math.NaN(), 3}}, {Name: "b", Y: []float64{3, 2, 1}}}
	lines := chart.Draw(series, chart.Options{Width: 30, Height: 10, ASCII: true, Paint: func(p chart.Part, s string) string {
		painted[p] += s
		return "<" + s + ">"
	}})
	for part, signs := range map[chart.Part]string{0: "*", 1: "+", chart.Gap: "x", chart.Axis: "0123.-+| "} {
		if painted[part] == "" || strings.Trim(painted[part], signs) != "" {
			t.Errorf("part %d: %q", part, painted[part])
		}
	}
	if !strings.Contains(lines[0], "<**> a  min 1 at 0  last 3") {
		t.Errorf("legend %q", lines[0])
	}
}

func value() *rapid.Generator[float64] {
	special := []float64{0, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, 9e299, -9e299, 5e-324, 1e-300, 0.1, 1e6, 1e6 + 1e-6}
	return rapid.OneOf(rapid.SampledFrom(special), rapid.Float64(), rapid.Float64Range(0, 10))
}

// A chart has the height that was asked for, no line is wider than the width,
// and every curve is to be seen.
func TestSize(t *testing.T) {
	names := []string{"loss", "", "eval/accuracy", "日本語の名前", "🤗", "a\x1b[2Jb\nc", "e\u0301\u202e", strings.Repeat("long ", 30)}
	rapid.Check(t, func(t *rapid.T) {
		var series []chart.Series
		asciiNames := true
		for range rapid.IntRange(0, 5).Draw(t, "series") {
			s := chart.Series{Name: rapid.SampledFrom(names).Draw(t, "name"), Y: rapid.SliceOfN(value(), 0, 20).Draw(t, "y")}
			if rapid.Bool().Draw(t, "with x") {
				s.X = rapid.SliceOfN(value(), 0, 20).Draw(t, "x")
			}
			asciiNames = asciiNames && strings.IndexFunc(s.Name, func(r rune) bool { return r > 0x7e }) < 0
			series = append(series, s)
		}
		o := chart.Options{
			Width: rapid.IntRange(1, 120).Draw(t, "width"), Height: rapid.IntRange(1, 30).Draw(t, "height"),
			XLabel: rapid.SampledFrom([]string{"", "step", "エポック"}).Draw(t, "label"), Unit: chart.Unit(rapid.IntRange(0, 3).Draw(t, "unit")),
			Log: rapid.Bool().Draw(t, "log"), ASCII: rapid.Bool().Draw(t, "ascii"),
		}
		lines := chart.Draw(series, o)
		if len(lines) != o.Height {
			t.Fatalf("%d lines, want %d", len(lines), o.Height)
		}
		for _, line := range lines {
			if ansi.StringWidth(line) > o.Width {
				t.Fatalf("%d columns, more than %d: %q", ansi.StringWidth(line), o.Width, line)
			}
			for _, r := range line {
				if r < ' ' || r == 0x7f || o.ASCII && asciiNames && o.XLabel != "エポック" && r > 0x7e {
					t.Fatalf("%U in %q", r, line)
				}
			}
		}
		for _, s := range series {
			line := chart.Sparkline(s.Y, o.Width, o.ASCII)
			if w := ansi.StringWidth(line); w != min(o.Width, len(s.Y)) {
				t.Fatalf("sparkline of %d columns for %d values in %d", w, len(s.Y), o.Width)
			}
		}
	})
}

// A curve without gaps is drawn in every column.
func TestCurvesAreWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		y := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 2, 50).Draw(t, "y")
		o := chart.Options{Width: rapid.IntRange(1, 60).Draw(t, "width"), Height: rapid.IntRange(1, 2).Draw(t, "height"), ASCII: true}
		lines := chart.Draw([]chart.Series{{Y: y}}, o)
		for column := max(strings.IndexAny(lines[0], "|+")+1, 0); column < o.Width; column++ {
			if !slices.ContainsFunc(lines, func(l string) bool { return column < len(l) && l[column] == '*' }) {
				t.Fatalf("nothing in column %d of\n%s", column, strings.Join(lines, "\n"))
			}
		}
	})
}

func BenchmarkDraw(b *testing.B) {
	y := make([]float64, 100_000)
	for i := range y {
		y[i] = math.Sin(float64(i) / 1000)
	}
	for b.Loop() {
		chart.Draw([]chart.Series{{Y: y}}, chart.Options{Width: 120, Height: 30})
	}
}
