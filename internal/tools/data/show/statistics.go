package show

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
)

const (
	maxValues = 10 // frequencies of a column
	// lopsided is the share of one class from which on it is warned about.
	lopsided = 0.8
)

// Statistics writes one line for each column.
func Statistics(s *viewer.Statistics) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s rows", amount.Grouped(s.Rows))
	if s.Partial {
		b.WriteString(" (partial: only the first 5 GB of the data set)")
	}
	b.WriteByte('\n')
	for _, c := range s.Columns[:min(len(s.Columns), maxColumns)] {
		fmt.Fprintf(&b, "- %s (%s): %s\n", Name(c.Name), Name(c.Type), Column(c, s.Rows))
	}
	if more := len(s.Columns) - maxColumns; more > 0 {
		fmt.Fprintf(&b, "- … %d more columns\n", more)
	}
	return b.String()
}

// Column describes a column in one line.
func Column(c viewer.Column, rows int64) string {
	parts := []string{fmt.Sprintf("%s null", amount.Grouped(c.Nulls))}
	if c.Nulls > 0 && rows > 0 {
		parts[0] += fmt.Sprintf(" (%s)", share(c.Nulls, rows))
	}
	if c.NoLabel > 0 {
		parts = append(parts, amount.Grouped(c.NoLabel)+" without a label")
	}
	switch c.Type {
	case "class_label", "string_label", "bool":
		parts = append(parts, frequencies(c)...)
	case "string_text":
		parts = append(parts, span("characters", c, c.Mean != nil, false))
	case "list":
		parts = append(parts, span("length", c, false, false))
	case "image":
		parts = append(parts, span("width", c, false, false))
	case "audio":
		parts = append(parts, span("seconds", c, false, false))
	case "datetime":
		parts = append(parts, fmt.Sprintf("from %s to %s", Name(c.From), Name(c.To)))
	default:
		parts = append(parts, span("", c, false, true))
	}
	return strings.Join(parts, ", ")
}

// frequencies lists values with their shares, and warns of one that is nearly
// all there is.
func frequencies(c viewer.Column) []string {
	total := int64(0)
	for _, v := range c.Values {
		total += v.Count
	}
	if total == 0 {
		return nil
	}
	var parts []string
	for _, v := range c.Values[:min(len(c.Values), maxValues)] {
		parts = append(parts, fmt.Sprintf("%s %s (%s)", Name(v.Value), amount.Grouped(v.Count), share(v.Count, total)))
	}
	if more := c.Unique - maxValues; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more values", more))
	}
	if top := c.Values[0]; float64(top.Count) >= lopsided*float64(total) && c.Unique > 1 {
		parts[len(parts)-1] += fmt.Sprintf(" ⚠ %s of the rows are %s", share(top.Count, total), Name(top.Value))
	}
	return parts
}

func share(n, of int64) string {
	p := 100 * float64(n) / float64(of)
	if p > 0 && p < 1 {
		return fmt.Sprintf("%.1f %%", p)
	}
	return fmt.Sprintf("%.0f %%", p)
}

// span is where numbers lie.
func span(what string, c viewer.Column, mean, std bool) string {
	names, values := []string{"min", "median"}, []*float64{c.Min, c.Median}
	if mean {
		names, values = append(names, "mean"), append(values, c.Mean)
	}
	names, values = append(names, "max"), append(values, c.Max)
	if std {
		names, values = append(names, "std"), append(values, c.Std)
	}
	text := make([]string, len(values))
	for i, v := range values {
		text[i] = number(v)
	}
	return strings.TrimSpace(what + " " + strings.Join(names, "/") + " " + strings.Join(text, "/"))
}

func number(x *float64) string {
	switch {
	case x == nil:
		return "?"
	case *x == math.Trunc(*x) && math.Abs(*x) < 1e15:
		return strconv.FormatFloat(*x, 'f', 0, 64)
	case math.Abs(*x) >= 100:
		return strconv.FormatFloat(*x, 'f', 1, 64)
	}
	return strconv.FormatFloat(*x, 'g', 4, 64)
}
