package report

import (
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return amount.Grouped(n) + " " + many
}

func rows(n int64) string { return plural(n, "row", "rows") }

// percent is n of all with as many digits as tell something.
func percent(n, all int64) string {
	p := 100 * part(n, all)
	switch {
	case n == 0 || n == all || p == float64(int64(p)):
		return fmt.Sprintf("%.0f %%", p)
	case p < 0.01:
		return "< 0.01 %"
	case p < 1:
		return fmt.Sprintf("%.2f %%", p)
	}
	return fmt.Sprintf("%.1f %%", p)
}

// refs writes rows as "train 40, 41; test 9".
func refs(list []Ref) string {
	var b strings.Builder
	for i, r := range list {
		switch {
		case i == 0:
			fmt.Fprintf(&b, "%s %d", r.Split, r.Row)
		case r.Split == list[i-1].Split:
			fmt.Fprintf(&b, ", %d", r.Row)
		default:
			fmt.Fprintf(&b, "; %s %d", r.Split, r.Row)
		}
	}
	return b.String()
}

// cell makes a text safe for a table: one line, no bars.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	return strings.ReplaceAll(strings.ReplaceAll(s, "\\", "\\\\"), "|", "\\|")
}
