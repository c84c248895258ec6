package table

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/lab/record"
)

// Bounds of one row of a text file: its bytes, and the columns of a table.
const (
	maxRow     = 64 << 20
	maxColumns = 10_000
)

func errLong() error { return fmt.Errorf("the row is longer than %d MiB", maxRow>>20) }

func (in *input) bounded() *bounded { return &bounded{in.text, in.longest} }

// bounded gives out so many bytes and then fails. Readers that take a row of
// any length into memory read through it; who reads the rows refills it.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLong()
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// csvRows reads a table whose first line names the columns. Values are JSON
// strings; empty ones are null, as data set libraries read them. A row may have
// fewer values than there are columns, but not more.
func csvRows(comma rune) format {
	return func(in *input) iter.Seq2[Row, error] {
		return func(yield func(Row, error) bool) {
			rest := in.bounded()
			r := csv.NewReader(rest)
			r.Comma, r.ReuseRecord, r.FieldsPerRecord, r.LazyQuotes = comma, true, -1, true
			head, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
			if len(head) > maxColumns {
				yield(Row{}, fmt.Errorf("line 1 names %d columns, more than %d", len(head), maxColumns))
				return
			}
			columns, line := slices.Clone(head), 1
			for {
				rest.left = in.longest
				fields, err := r.Read()
				if errors.Is(err, io.EOF) {
					return
				}
				if err != nil {
					yield(Row{}, fmt.Errorf("after line %d: %w", line, err))
					return
				}
				if line, _ = r.FieldPos(0); len(fields) > len(columns) {
					yield(Row{}, fmt.Errorf("line %d has %d values for %d columns", line, len(fields), len(columns)))
					return
				}
				cells := make([]record.Cell, len(columns))
				for i, name := range columns {
					cells[i] = record.Cell{Column: name, Value: cell(fields, i)}
				}
				if !yield(Row{Cells: cells}, nil) {
					return
				}
			}
		}
	}
}

var null = json.RawMessage("null")

func cell(fields []string, i int) json.RawMessage {
	if i >= len(fields) || fields[i] == "" {
		return null
	}
	return encode(fields[i])
}

// encode is a value as JSON, with <, > and & as they are; what has no form in
// JSON is null.
func encode(v any) json.RawMessage {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return null
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}

// jsonRows reads objects, one a line, or the elements of one array.
func jsonRows(in *input) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		first, err := firstByte(in.text)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(Row{}, err)
			return
		}
		if first == '[' {
			elements(in, yield)
			return
		}
		lines(in, yield)
	}
}

// firstByte looks at the first byte that is no blank, and skips the blanks.
func firstByte(r *bufio.Reader) (byte, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b, r.UnreadByte()
		}
	}
}

func lines(in *input, yield func(Row, error) bool) {
	for number := 1; ; number++ {
		line, err := readLine(in.text, in.longest)
		if err != nil && !errors.Is(err, io.EOF) {
			yield(Row{}, fmt.Errorf("line %d: %w", number, err))
			return
		}
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			row, bad := object(trimmed)
			if bad != nil {
				yield(Row{}, fmt.Errorf("line %d: %w", number, bad))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// readLine returns one line of at most so many bytes in memory of its own.
func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > most {
			return nil, errLong()
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func elements(in *input, yield func(Row, error) bool) {
	rest := in.bounded()
	dec := json.NewDecoder(rest)
	if _, err := dec.Token(); err != nil {
		yield(Row{}, err)
		return
	}
	for number := 1; dec.More(); number++ {
		rest.left = in.longest
		var raw json.RawMessage
		err := dec.Decode(&raw)
		var row Row
		if err == nil {
			row, err = object(raw)
		}
		if err != nil {
			yield(Row{}, fmt.Errorf("element %d: %w", number, err))
			return
		}
		if !yield(row, nil) {
			return
		}
	}
	if _, err := dec.Token(); err != nil {
		yield(Row{}, fmt.Errorf("the array does not end: %w", err))
	}
}

// object takes one JSON object apart.
func object(data []byte) (Row, error) {
	if data[0] != '{' {
		return Row{}, errors.New("a row must be a JSON object, not " + kind(data))
	}
	if !json.Valid(data) {
		return Row{}, json.Unmarshal(data, new(struct{})) // says what is wrong
	}
	cells, err := record.Parse(data)
	return Row{Cells: cells}, err
}

func kind(data []byte) string {
	switch data[0] {
	case '"':
		return "a text"
	case '[':
		return "an array"
	}
	if _, err := strconv.ParseFloat(string(data), 64); err == nil {
		return "a number"
	}
	return "something else"
}
