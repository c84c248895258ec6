package viewer

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/loose"
)

// Statistics describes the columns of a split.
type Statistics struct {
	Source
	Rows    int64
	Partial bool
	Columns []Column
}

// Column describes a column by its type: "class_label", "string_label", "bool",
// "string_text" (characters), "int", "float", "list" (lengths), "audio"
// (seconds), "image" (widths) or "datetime".
type Column struct {
	Name, Type string
	Nulls      int64
	NoLabel    int64
	// Min to Std are nil where the type has none.
	Min, Max, Mean, Median, Std *float64
	// From and To are the first and last moment of a datetime.
	From, To string
	// Values has labels, strings or booleans, the most frequent first; Unique
	// is how many there are.
	Values []Frequency
	Unique int
	// Histogram has counts and one more edges; empty for other types.
	Histogram []int64
	Edges     []float64
}

// Frequency counts a value.
type Frequency struct {
	Value string
	Count int64
}

func readStatistics(data []byte) (*Statistics, error) {
	var wire struct {
		Rows    float64 `json:"num_examples"`
		Partial bool    `json:"partial"`
		Columns []struct {
			Name  string          `json:"column_name"`
			Type  string          `json:"column_type"`
			Stats json.RawMessage `json:"column_statistics"`
		} `json:"statistics"`
	}
	if err := loose.Decode(data, &wire); err != nil {
		return nil, err
	}
	s := &Statistics{Rows: whole(wire.Rows), Partial: wire.Partial}
	for _, c := range wire.Columns {
		s.Columns = append(s.Columns, readColumn(c.Name, c.Type, c.Stats))
	}
	return s, nil
}

func readColumn(name, kind string, data json.RawMessage) Column {
	var wire struct {
		Nulls       float64         `json:"nan_count"`
		NoLabel     float64         `json:"no_label_count"`
		Min         json.RawMessage `json:"min"`
		Max         json.RawMessage `json:"max"`
		Mean        json.RawMessage `json:"mean"`
		Median      json.RawMessage `json:"median"`
		Std         json.RawMessage `json:"std"`
		Unique      float64         `json:"n_unique"`
		Frequencies json.RawMessage `json:"frequencies"`
		Histogram   struct {
			Counts []float64         `json:"hist"`
			Edges  []json.RawMessage `json:"bin_edges"`
		} `json:"histogram"`
	}
	_ = loose.Decode(data, &wire)
	c := Column{
		Name: name, Type: kind, Nulls: whole(wire.Nulls), NoLabel: whole(wire.NoLabel),
		Min: number(wire.Min), Max: number(wire.Max), Mean: number(wire.Mean), Median: number(wire.Median), Std: number(wire.Std),
		From: text(wire.Min), To: text(wire.Max), Unique: int(whole(wire.Unique)),
	}
	for _, n := range wire.Histogram.Counts {
		c.Histogram = append(c.Histogram, whole(n))
	}
	for _, e := range wire.Histogram.Edges {
		if x := number(e); x != nil {
			c.Edges = append(c.Edges, *x)
		}
	}
	values, _ := Members(wire.Frequencies)
	for _, m := range values {
		if n := number(m.Value); n != nil {
			c.Values = append(c.Values, Frequency{m.Name, whole(*n)})
		}
	}
	slices.SortStableFunc(c.Values, func(a, b Frequency) int { return cmp.Compare(b.Count, a.Count) })
	c.Unique = max(c.Unique, len(c.Values))
	return c
}

func number(data json.RawMessage) *float64 {
	var x *float64
	if json.Unmarshal(data, &x) != nil {
		return nil
	}
	return x
}

func text(data json.RawMessage) string {
	var s string
	_ = json.Unmarshal(data, &s)
	return s
}

func readPresidio(data []byte) (*Presidio, error) {
	var wire struct {
		Columns []string `json:"scanned_columns"`
		Rows    float64  `json:"num_scanned_rows"`
		Full    bool     `json:"full_scan"`
	}
	if err := loose.Decode(data, &wire); err != nil {
		return nil, err
	}
	p := &Presidio{Columns: wire.Columns, Rows: whole(wire.Rows), Full: wire.Full}
	members, err := Members(data)
	for _, m := range members {
		name, ok := strings.CutPrefix(m.Name, "num_rows_with_")
		if n := number(m.Value); ok && n != nil {
			p.Found = append(p.Found, Frequency{strings.TrimSuffix(name, "_entities"), whole(*n)})
		}
	}
	return p, err
}
