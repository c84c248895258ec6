package viewer

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// object is a JSON object whose members keep their order. Values in cells are
// nil, bool, json.Number, string, []any and object.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := plain(m.key)
		if err != nil {
			return nil, err
		}
		value, err := plain(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// plain encodes without escaping what only browsers misread.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (o object) get(key string) (any, bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

// decode reads the next JSON value with the order of its members.
func decode(dec *json.Decoder) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := decode(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	case json.Delim('{'):
		o := object{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := decode(dec)
			if err != nil {
				return nil, err
			}
			o = append(o, member{fmt.Sprint(key), v})
		}
		_, err := dec.Token()
		return o, err
	}
	return tok, nil
}

// readJSONL reads a file of one object a line; an error names the line.
func readJSONL(data []byte) ([]object, error) {
	var rows []object
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.UseNumber()
		v, err := decode(dec)
		if err == nil && dec.More() {
			err = fmt.Errorf("more than one value")
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		row, ok := v.(object)
		switch {
		case err != nil:
			return nil, fmt.Errorf("JSON parse error in row %d: %w", n-1, err)
		case !ok:
			return nil, fmt.Errorf("JSON parse error in row %d: not an object", n-1)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// readCSV reads a table with a header; its columns become numbers or booleans
// where all their cells are.
func readCSV(data []byte) ([]object, error) {
	records, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("CSV parse error: %w", err)
	}
	if len(records) == 0 {
		return nil, nil
	}
	header, records := records[0], records[1:]
	rows := make([]object, len(records))
	for c, name := range header {
		read := columnReader(records, c)
		for i, rec := range records {
			rows[i] = append(rows[i], member{name, read(rec[c])})
		}
	}
	return rows, nil
}

// columnReader finds how all cells of a column can be read; empty ones are
// null.
func columnReader(records [][]string, c int) func(string) any {
	numbers, booleans, filled := true, true, false
	for _, rec := range records {
		cell := rec[c]
		if cell == "" {
			continue
		}
		filled = true
		if _, err := strconv.ParseFloat(cell, 64); err != nil || !json.Valid([]byte(cell)) {
			numbers = false
		}
		if l := strings.ToLower(cell); l != "true" && l != "false" {
			booleans = false
		}
	}
	return func(cell string) any {
		switch {
		case cell == "":
			return nil
		case filled && numbers:
			return json.Number(cell)
		case filled && booleans:
			return strings.EqualFold(cell, "true")
		}
		return cell
	}
}
