package viewer

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Bounds that decide how a column is described.
const (
	bins          = 10   // of a histogram
	fewValues     = 10   // a column of texts with no more is a label
	mostLabels    = 1000 // and one with more never is
	labelFraction = 0.2  // nor one where more of the values differ
)

// statistics describes every column; structs have no statistics.
func statistics(q *query) (any, error) {
	s, err := q.split()
	if err != nil {
		return nil, err
	}
	list := []object{}
	for i, c := range s.table.columns {
		cells := make([]any, len(s.table.rows))
		for r, row := range s.table.rows {
			cells[r] = row[i]
		}
		if kind, stats := column(c.feature, cells); kind != "" {
			list = append(list, object{{"column_name", c.name}, {"column_type", kind}, {"column_statistics", stats}})
		}
	}
	return object{{"num_examples", len(s.table.rows)}, {"statistics", list}, {"partial", false}}, nil
}

func column(f feature, cells []any) (kind string, stats object) {
	filled := slices.DeleteFunc(slices.Clone(cells), func(v any) bool { return v == nil })
	missing := len(cells) - len(filled)
	head := object{{"nan_count", missing}, {"nan_proportion", share(missing, len(cells))}}
	switch {
	case f.kind == labelKind:
		return "class_label", append(head, labelCounts(f.names, filled)...)
	case f.kind == listKind:
		return "list", append(head, numbers(filled, true)...)
	case f.kind != valueKind || f.dtype == "null":
		return "", nil
	case f.dtype == "bool":
		return "bool", append(head, member{"frequencies", frequencies([]string{"True", "False"}, filled)})
	case f.dtype == "string":
		return texts(head, filled)
	case f.dtype == "float64" || f.dtype == "float32":
		return "float", append(head, numbers(filled, false)...)
	}
	return "int", append(head, numbers(filled, true)...)
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return round(float64(n) / float64(of))
}

// round keeps five decimals.
func round(f float64) float64 { return math.Round(f*1e5) / 1e5 }

func labelCounts(names []string, cells []any) object {
	counts, none := make([]int, len(names)), 0
	for _, v := range cells {
		n, _ := v.(json.Number)
		i, err := strconv.Atoi(n.String())
		if err != nil || i < 0 || i >= len(names) {
			none++
			continue
		}
		counts[i]++
	}
	freq := object{}
	for i, name := range names {
		freq = append(freq, member{name, counts[i]})
	}
	return object{
		{"no_label_count", none}, {"no_label_proportion", share(none, len(cells))}, {"n_unique", len(names)}, {"frequencies", freq},
	}
}

// frequencies counts values, those of first before others in order of
// appearance.
func frequencies(first []string, cells []any) object {
	counts := map[string]int{}
	order := slices.Clone(first)
	for _, v := range cells {
		key, _ := v.(string)
		if b, ok := v.(bool); ok {
			key = "False"
			if b {
				key = "True"
			}
		}
		if counts[key]++; counts[key] == 1 && !slices.Contains(order, key) {
			order = append(order, key)
		}
	}
	out := object{}
	for _, key := range order {
		if counts[key] > 0 {
			out = append(out, member{key, counts[key]})
		}
	}
	return out
}

func texts(head object, cells []any) (kind string, stats object) {
	freq := frequencies(nil, cells)
	if n := len(freq); n > 0 && (n <= fewValues || n < mostLabels && float64(n) <= labelFraction*float64(len(cells))) {
		return "string_label", append(head,
			member{"no_label_count", 0}, member{"no_label_proportion", 0.0}, member{"n_unique", n}, member{"frequencies", freq})
	}
	return "string_text", append(head, numbers(cells, true)...)
}

// measured is the number that describes a cell: itself, or its length.
func measured(v any) float64 {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64() // out of range is infinite
		return f
	case string:
		return float64(utf8.RuneCountInString(v))
	case []any:
		return float64(len(v))
	}
	return 0
}

func numbers(cells []any, whole bool) object {
	if len(cells) == 0 {
		return object{{"min", nil}, {"max", nil}, {"mean", nil}, {"median", nil}, {"std", nil}, {"histogram", nil}}
	}
	values := make([]float64, len(cells))
	sum := 0.0
	for i, v := range cells {
		values[i] = measured(v)
		sum += values[i]
	}
	slices.Sort(values)
	n := len(values)
	mean := sum / float64(n)
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	std := 0.0
	if n > 1 {
		std = math.Sqrt(squares / float64(n-1))
	}
	median := (values[(n-1)/2] + values[n/2]) / 2
	return object{
		{"min", number(values[0], whole)},
		{"max", number(values[n-1], whole)},
		{"mean", round(mean)},
		{"median", round(median)},
		{"std", round(std)},
		{"histogram", histogram(values, whole)},
	}
}

func number(f float64, whole bool) any {
	if whole {
		return int64(f)
	}
	return round(f)
}

// histogram counts sorted values in up to ten bins of equal width; the bins of
// whole numbers have whole widths.
func histogram(values []float64, whole bool) object {
	low, high := values[0], values[len(values)-1]
	width, count := (high-low)/bins, bins
	if whole {
		width = math.Ceil((high - low + 1) / bins)
		count = int(math.Ceil((high - low + 1) / width))
	}
	if low == high {
		return object{{"hist", []int{len(values)}}, {"bin_edges", []any{number(low, whole), number(high, whole)}}}
	}
	hist, edges := make([]int, count), []any{}
	for i := range count {
		edges = append(edges, number(low+float64(i)*width, whole))
	}
	edges = append(edges, number(high, whole))
	for _, v := range values {
		hist[min(int((v-low)/width), count-1)]++
	}
	return object{{"hist", hist}, {"bin_edges", edges}}
}
