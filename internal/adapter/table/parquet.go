package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"github.com/ml-intern/ml-intern/internal/lab/record"
)

// batch is how many rows of a Parquet file are decoded at once.
const batch = 64

// parquetRows reads a Parquet file. Lists and maps come as JSON arrays and
// objects without the levels that the format puts in between, bytes that are no
// text as their number.
func parquetRows(in *input) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		more, err := readParquet(in, func(r Row) bool { return yield(r, nil) })
		if err != nil && more {
			yield(Row{}, err)
		}
	}
}

// readParquet calls back for every row until it answers false. A file that
// makes the decoder stumble is an error.
func readParquet(in *input, row func(Row) bool) (more bool, err error) {
	more = true
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the Parquet file is damaged: %v", p)
		}
	}()
	f, err := parquet.OpenFile(in, in.size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return more, fmt.Errorf("open the Parquet file: %w", err)
	}
	fields := f.Schema().Fields()
	total := max(f.NumRows(), 1)
	r := parquet.NewGenericReader[map[string]any](f, f.Schema())
	defer r.Close()
	rows := make([]map[string]any, batch)
	done := int64(0)
	for {
		for i := range rows {
			rows[i] = map[string]any{}
		}
		n, err := r.Read(rows)
		for _, values := range rows[:n] {
			out := Row{Cells: make([]record.Cell, len(fields))}
			for i, field := range fields {
				out.Cells[i] = record.Cell{Column: field.Name(), Value: encode(plain(field, values[field.Name()]))}
			}
			done++
			if more = row(out); !more {
				return false, nil
			}
		}
		in.told(int64(float64(in.size) * float64(done) / float64(total)))
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			return more, nil
		}
		if err != nil {
			return more, fmt.Errorf("row %d: %w", done, err)
		}
		if err := in.ctx.Err(); err != nil {
			return more, err
		}
	}
}

// plain is a value as JSON has it.
func plain(node parquet.Node, v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case map[string]any:
		return group(node, v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(element(node), e)
		}
		return out
	case []byte:
		return plain(nil, string(v))
	case string:
		if !utf8.ValidString(v) {
			return fmt.Sprintf("<%d bytes>", len(v))
		}
	case float32:
		return number(float64(v))
	case float64:
		return number(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return v
}

// number keeps what JSON cannot say as text.
func number(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(f)
	}
	return f
}

// element is the node of a list's elements: below the two levels of the
// format's lists, else the repeated node itself.
func element(node parquet.Node) parquet.Node {
	if node == nil || node.Leaf() {
		return node
	}
	if t := node.Type().LogicalType(); t != nil && t.Value != nil && t.Value.String() == "LIST" {
		if inner := node.Fields(); len(inner) == 1 && !inner[0].Leaf() && len(inner[0].Fields()) == 1 {
			return inner[0].Fields()[0]
		}
	}
	return node
}

// group is a structure with its fields in the order of the file; of a map, whose
// keys are data, in that of the alphabet.
func group(node parquet.Node, v map[string]any) any {
	if node == nil || node.Leaf() {
		return sorted(v)
	}
	o := ordered{names: make([]string, 0, len(v)), values: make([]any, 0, len(v))}
	for _, field := range node.Fields() {
		if value, ok := v[field.Name()]; ok {
			o.names, o.values = append(o.names, field.Name()), append(o.values, plain(field, value))
		}
	}
	if len(o.names) < len(v) { // these are no fields of the file
		return sorted(v)
	}
	return o
}

func sorted(v map[string]any) map[string]any {
	out := make(map[string]any, len(v))
	for name, value := range v {
		out[name] = plain(nil, value)
	}
	return out
}

// ordered is an object whose names keep their order.
type ordered struct {
	names  []string
	values []any
}

// MarshalJSON writes the names in their order.
func (o ordered) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, name := range o.names {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(encode(name))
		out.WriteByte(':')
		out.Write(encode(o.values[i]))
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
