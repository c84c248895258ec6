// Package record is a row of a data set as the audit sees it: cells in their
// order with raw JSON values, and the texts in them. It knows no file format
// and no service.
package record

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Row is one row of a split. Nobody changes it once it has been handed on.
type Row struct {
	// Index is the number of the row in its split, from 0.
	Index int64
	// Cells stand in the order of the columns. A column may be absent.
	Cells []Cell
}

// Cell is the value of one column.
type Cell struct {
	Column string
	Value  json.RawMessage
}

// Value is the cell of the column, nil when the row has none.
func (r Row) Value(column string) json.RawMessage {
	for i := range r.Cells {
		if r.Cells[i].Column == column {
			return r.Cells[i].Value
		}
	}
	return nil
}

// MaxDepth is how deeply values may be nested.
const MaxDepth = 100

// Parse cuts a JSON object into its cells without decoding them: the values
// are parts of data. A name that occurs twice keeps both cells, the last being
// what other readers see; Value gives the first.
//
// Values are cut, not proven: a number such as 1.2.3 comes through and is
// refused by who decodes it.
func Parse(data []byte) ([]Cell, error) {
	s := scanner{data: data}
	s.blank()
	if !s.take('{') {
		return nil, errors.New("a row is not a JSON object")
	}
	s.at--
	cells := make([]Cell, 0, 8)
	if !s.members(0, func(name string, value json.RawMessage) {
		cells = append(cells, Cell{Column: name, Value: value})
	}) {
		return nil, fmt.Errorf("a row is not well-formed JSON from byte %d on", s.at)
	}
	if s.blank(); s.at < len(data) {
		return nil, fmt.Errorf("a row has more than one JSON value: byte %d", s.at)
	}
	return cells, nil
}

// scanner walks over JSON and finds where values end.
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) blank() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

// text passes over a string.
func (s *scanner) text() bool {
	if !s.take('"') {
		return false
	}
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return true
		case c == '\\':
			s.at += 2
		case c < ' ':
			return false
		default:
			s.at++
		}
	}
	return false
}

// value passes over any value.
func (s *scanner) value(depth int) bool {
	if s.at >= len(s.data) || depth > MaxDepth {
		return false
	}
	switch s.data[s.at] {
	case '"':
		return s.text()
	case '{':
		return s.members(depth, func(string, json.RawMessage) {})
	case '[':
		return s.many(']', depth, func() bool { return s.value(depth + 1) })
	}
	start := s.at
	for s.at < len(s.data) && plain(s.data[s.at]) {
		s.at++
	}
	return s.at > start
}

// members passes over an object and shows what is in it.
func (s *scanner) members(depth int, show func(name string, value json.RawMessage)) bool {
	if s.at >= len(s.data) || s.data[s.at] != '{' {
		return false
	}
	return s.many('}', depth, func() bool {
		start := s.at
		if !s.text() {
			return false
		}
		name := s.data[start:s.at]
		s.blank()
		if !s.take(':') {
			return false
		}
		s.blank()
		start = s.at
		if !s.value(depth + 1) {
			return false
		}
		show(Text(name), s.data[start:s.at])
		return true
	})
}

// many passes over what stands between brackets, parts by commas.
func (s *scanner) many(closing byte, depth int, one func() bool) bool {
	s.at++
	s.blank()
	if s.take(closing) {
		return true
	}
	for {
		s.blank()
		if !one() {
			return false
		}
		s.blank()
		if s.take(closing) {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// plain reports whether c can stand in a number or a literal (NaN and
// Infinity of other writers too).
func plain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}
