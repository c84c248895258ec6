package show

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
)

// shorter are the limits of values that are tried, when rows do not fit.
var shorter = [...]int{Value, 150, 60}

// Rows writes at most n rows of a page in room characters: with shorter values,
// then with fewer rows where they do not fit. It says how many it has written.
func Rows(page *viewer.Page, n, room int) (text string, written int) {
	rows := page.Rows[:min(n, len(page.Rows))]
	columns := newTypes(page.Features)
	for _, limit := range shorter {
		var b strings.Builder
		size := 0
		for i, r := range rows {
			one := columns.row(r, limit)
			if size += utf8.RuneCountInString(one); size > room && (limit != shorter[len(shorter)-1] || i == 0) {
				break
			} else if size > room {
				return b.String(), i
			}
			b.WriteString(one)
		}
		if size <= room {
			return b.String(), len(rows)
		}
	}
	return "", 0
}

func (t types) row(r viewer.Row, limit int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**Row %d:**\n", r.Index)
	for _, name := range r.Names {
		fmt.Fprintf(&b, "- %s: %s\n", Name(name), t.cell(name, r, limit))
	}
	b.WriteByte('\n')
	return b.String()
}

// Lines writes rows as JSON lines: {"row_idx":…, column: value…}. Values longer
// than limit characters become a text with their beginning.
func Lines(page *viewer.Page, columns []string, limit int) []string {
	var lines []string
	known := newTypes(page.Features)
	for _, r := range page.Rows {
		var b strings.Builder
		fmt.Fprintf(&b, `{"row_idx":%d`, r.Index)
		for _, name := range r.Names {
			if len(columns) > 0 && !slices.Contains(columns, name) {
				continue
			}
			b.WriteByte(',')
			b.Write(quoted(Name(name)))
			b.WriteByte(':')
			b.WriteString(known.inLine(name, r, limit))
		}
		b.WriteByte('}')
		lines = append(lines, b.String())
	}
	return lines
}

// inLine is a value as JSON: itself where it is short and plain, else a text.
func (t types) inLine(name string, r viewer.Row, limit int) string {
	cut := r.Cut[name]
	shown := t.json(t.of[name], r.Values[name], cut)
	if !cut && utf8.RuneCountInString(shown) <= limit && json.Valid([]byte(shown)) {
		return shown
	}
	var text string
	if json.Unmarshal([]byte(shown), &text) == nil {
		shown = text // no quotes within quotes
	}
	if n := utf8.RuneCountInString(shown); n > limit {
		shown = fmt.Sprintf("%s… (%s characters)", string([]rune(shown)[:limit]), amount.Grouped(int64(n)))
	}
	if cut {
		shown += " (cut by the viewer)"
	}
	return string(quoted(shown))
}
