package mention

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/table"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
)

const (
	headRows  = 5   // rows that are shown
	typeRows  = 100 // rows that the types are learned from
	cellChars = 200 // of a value that is shown
	mostCols  = 200 // columns that are listed
	// countTime is how long rows are counted.
	countTime = 1500 * time.Millisecond
)

// column is what is known of one.
type column struct {
	name  string
	kinds []string
	nulls bool
}

// table shows a data file: its columns, how many rows it has, and the first of
// them.
func (w *reading) table(name, path string, info fs.FileInfo) {
	splits, err := table.Open(path, nil)
	if err == nil && len(splits) == 0 {
		err = table.ErrFormat
	}
	if err != nil {
		w.note("@%s was not read: %v", name, err)
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, countTime)
	defer cancel()
	var columns []column
	var head []string
	rows, whole := int64(0), true
	for row, err := range splits[0].Rows(ctx, nil) {
		if err != nil {
			whole = false
			if rows == 0 && ctx.Err() == nil {
				w.note("@%s was not read: %v", name, err)
				return
			}
			if ctx.Err() == nil {
				w.note("@%s: %v", name, err)
			}
			break
		}
		if rows < typeRows {
			columns = learn(columns, row)
		}
		if rows < headRows {
			head = append(head, shown(row))
		}
		rows++
	}
	count := amount.Grouped(rows) + " rows"
	if rows == 1 {
		count = "1 row"
	}
	if !whole {
		count = "more than " + count
	}
	about := fmt.Sprintf("%s, %s, %s", amount.Bytes(info.Size()), count, amount.Count(len(columns), "column"))
	w.add(name, about, "", schema(columns)+"\nFirst rows:\n"+strings.Join(head, "\n"))
}

// learn adds what a row tells of the columns.
func learn(columns []column, row table.Row) []column {
	for _, c := range row.Cells {
		i := slices.IndexFunc(columns, func(known column) bool { return known.name == c.Column })
		if i < 0 {
			columns = append(columns, column{name: c.Column})
			i = len(columns) - 1
		}
		kind := kindOf(c.Value)
		switch {
		case kind == "null":
			columns[i].nulls = true
		case !slices.Contains(columns[i].kinds, kind):
			columns[i].kinds = append(columns[i].kinds, kind)
		}
	}
	return columns
}

// kindOf is the type of a value.
func kindOf(v json.RawMessage) string {
	v = bytes.TrimSpace(v)
	if len(v) == 0 {
		return "null"
	}
	switch v[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "list"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	if bytes.ContainsAny(v, ".eE") {
		return "float"
	}
	return "int"
}

func schema(columns []column) string {
	var b strings.Builder
	b.WriteString("Columns (types from the first rows):\n")
	for i, c := range columns {
		if i == mostCols {
			fmt.Fprintf(&b, "… %d more\n", len(columns)-mostCols)
			break
		}
		kinds := strings.Join(c.kinds, " or ")
		if kinds == "" {
			kinds = "always null"
		} else if c.nulls {
			kinds += ", may be null"
		}
		fmt.Fprintf(&b, "- %s: %s\n", line(c.name), kinds)
	}
	return b.String()
}

// shown is a row on one line, long values cut.
func shown(row table.Row) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, c := range row.Cells {
		if i == mostCols {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		name, _ := json.Marshal(line(c.Column))
		value := string(c.Value)
		if len([]rune(value)) > cellChars {
			value = excerpt.Head(value, cellChars) + "…"
		}
		b.WriteString(string(name) + ": " + value)
	}
	return b.String() + "}"
}
