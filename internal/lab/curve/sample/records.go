package sample

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
)

// maxPoints bounds what one record of a whole series gives.
const maxPoints = 2000

// point is one number of a series as Trackio tells it.
type point struct {
	Step  *float64        `json:"step"`
	Value json.RawMessage `json:"value"`
}

// record is a line of Trackio: a metric at one step, one metric with all its
// values, or several of them around a step. Records of one step with all their
// metrics need no special care.
type record struct {
	Metric  string           `json:"metric"`
	Key     string           `json:"key"`
	Tag     string           `json:"tag"`
	Step    *float64         `json:"step"`
	Value   json.RawMessage  `json:"value"`
	Values  []point          `json:"values"`
	Metrics map[string]array `json:"metrics"`
}

// array is a list of points; anything else there is no series.
type array []point

// UnmarshalJSON leaves out what is no list of points.
func (a *array) UnmarshalJSON(data []byte) error {
	var points []point
	if json.Unmarshal(data, &points) == nil {
		*a = points
	}
	return nil
}

// records reads a line that is a record of Trackio; ok is false for other
// lines.
func records(line string) ([]Sample, bool) {
	if line[0] != '{' || !strings.Contains(line, `"value`) {
		return nil, false
	}
	var r record
	if json.Unmarshal([]byte(line), &r) != nil {
		return nil, false
	}
	var out []Sample
	add := func(name string, p point) {
		v, ok := numberOf(p.Value)
		if name = normal(name); !ok || name == "" || !isName(name) || len(name) > maxName || len(out) >= maxPoints {
			return
		}
		s := nothing()
		if p.Step != nil && isPosition(*p.Step) {
			s.Step = *p.Step
		}
		s.Values = []Value{{Name: name, Kind: Classify(name), Number: v}}
		out = append(out, s)
	}
	name := r.Metric
	for _, other := range []string{r.Key, r.Tag} {
		if name == "" {
			name = other
		}
	}
	if name != "" {
		add(name, point{r.Step, r.Value})
		for _, p := range r.Values {
			add(name, p)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Metrics)) {
		for _, p := range r.Metrics[name] {
			add(name, p)
		}
	}
	if len(out) == 0 {
		return nil, false
	}
	slices.SortStableFunc(out, func(x, y Sample) int {
		if math.IsNaN(x.Step) || math.IsNaN(y.Step) || x.Step == y.Step {
			return 0
		}
		if x.Step < y.Step {
			return -1
		}
		return 1
	})
	return out, true
}

// numberOf reads a number that may be written as a text, as NaN is.
func numberOf(raw json.RawMessage) (float64, bool) {
	text := strings.Trim(string(raw), `"`)
	if text == "" {
		return 0, false
	}
	n, ok := parse(text)
	return n.value, ok && n.end == len(text)
}
