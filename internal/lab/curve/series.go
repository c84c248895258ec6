package curve

import (
	"cmp"
	"math"
	"slices"

	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
)

// Limits of what a run keeps.
const (
	// maxPoints bounds the points of one series; maxSeries the series of a run,
	// and maxOther those of them that are of no known kind.
	maxPoints = 4096
	maxSeries = 64
	maxOther  = 40
)

// Point is one number at one position.
type Point struct{ X, Y float64 }

// Series is one number over a run.
type Series struct {
	Name string
	Kind sample.Kind
	Unit string
	// Axis is what X counts: "step", "epoch", or "line" where a log told
	// neither.
	Axis   string
	Points []Point
}

// Last is the newest point; ok is false for a series without points.
func (s Series) Last() (Point, bool) {
	if len(s.Points) == 0 {
		return Point{}, false
	}
	return s.Points[len(s.Points)-1], true
}

// series keeps the shape of a number that may come a million times: when it is
// full, of four neighbours the lowest and the highest stay, and from then on
// twice as many points share a pair.
type series struct {
	Series
	every  int // points of the run to a stored pair; 1 stores each
	bucket []Point
	count  int
	last   Point
}

// add reports whether a point is new: a progress bar repeats itself.
func (s *series) add(p Point) bool {
	if s.count > 0 && p == s.last {
		return false
	}
	s.count++
	s.last = p
	if s.every <= 1 {
		s.Points = append(s.Points, p)
	} else if s.bucket = append(s.bucket, p); len(s.bucket) == s.every {
		s.Points = append(s.Points, extremes(s.bucket)...)
		s.bucket = s.bucket[:0]
	}
	if len(s.Points) >= maxPoints-1 { // room for the newest one
		s.halve()
	}
	return true
}

func (s *series) halve() {
	kept := s.Points[:0]
	for four := range slices.Chunk(s.Points, 4) {
		kept = append(kept, extremes(four)...)
	}
	s.Points = kept
	s.every = max(s.every*2, 4)
}

// extremes are the lowest and the highest of some points, in their order; what
// is no number stays instead.
func extremes(points []Point) []Point {
	if len(points) <= 2 {
		return slices.Clone(points)
	}
	low, high := 0, 0
	for i, p := range points {
		switch {
		case math.IsNaN(points[low].Y):
		case math.IsNaN(p.Y), p.Y < points[low].Y:
			low = i
		}
		if p.Y > points[high].Y || math.IsNaN(points[high].Y) {
			high = i
		}
	}
	if low == high {
		high = len(points) - 1
	}
	if low == high {
		low = 0
	}
	return []Point{points[min(low, high)], points[max(low, high)]}
}

// shown is the series with its newest point.
func (s *series) shown() Series {
	out := s.Series
	out.Points = slices.Clone(s.Points)
	if n := len(out.Points); s.count > 0 && (n == 0 || out.Points[n-1] != s.last && !same(out.Points[n-1], s.last)) {
		out.Points = append(out.Points, s.last)
	}
	return out
}

// same compares points of which one may hold no number.
func same(a, b Point) bool {
	return a.X == b.X && (a.Y == b.Y || math.IsNaN(a.Y) && math.IsNaN(b.Y))
}

// order is that in which kinds are shown.
var order = [...]sample.Kind{
	sample.Loss, sample.EvalLoss, sample.Quality, sample.LearningRate, sample.GradNorm, sample.Throughput, sample.Memory, sample.Other,
}

func compare(a, b Series) int {
	return cmp.Or(cmp.Compare(slices.Index(order[:], a.Kind), slices.Index(order[:], b.Kind)), cmp.Compare(a.Name, b.Name))
}
