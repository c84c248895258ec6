package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// FromJSON reads JSON, the members of objects in their order.
func FromJSON(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := decode(dec, 0)
	if err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("there is something behind the value")
	}
	return v, nil
}

func decode(dec *json.Decoder, depth int) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errors.New("the JSON is nested too deeply")
	}
	switch t := t.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return i, nil
		}
		return t.Float64()
	case json.Delim:
		if t == '[' {
			list := []any{}
			for dec.More() {
				v, err := decode(dec, depth+1)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := dec.Token()
			return list, err
		}
		d := NewDict()
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := decode(dec, depth+1)
			if err != nil {
				return nil, err
			}
			d.Set(fmt.Sprint(key), v)
		}
		_, err := dec.Token()
		return d, err
	}
	return t, nil
}

// JSON is v as JSON; indent is the blanks of a level, below 0 for one line.
func JSON(m *Meter, v any, indent int) (string, error) {
	var b strings.Builder
	err := writeJSON(m, &b, v, min(indent, 16), 0)
	return b.String(), err
}

func writeJSON(m *Meter, b *strings.Builder, v any, indent, depth int) error {
	if depth > maxDepth {
		return errors.New("a value is nested too deeply")
	}
	if err := m.Step(1); err != nil {
		return err
	}
	switch v := v.(type) {
	case []any:
		return jsonItems(m, b, "[", "]", len(v), indent, depth, func(i int) error { return writeJSON(m, b, v[i], indent, depth+1) })
	case *Dict:
		return jsonItems(m, b, "{", "}", len(v.keys), indent, depth, func(i int) error {
			if err := writeJSON(m, b, v.keys[i], indent, depth+1); err != nil {
				return err
			}
			b.WriteString(": ")
			return writeJSON(m, b, v.m[v.keys[i]], indent, depth+1)
		})
	case Undefined:
		return v.Wrong()
	case nil, bool, int64, string:
		if s, ok := v.(string); ok {
			if err := m.Bytes(len(s)); err != nil {
				return err
			}
		}
		var raw bytes.Buffer
		enc := json.NewEncoder(&raw)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return err
		}
		b.Write(bytes.TrimSuffix(raw.Bytes(), []byte("\n")))
		return m.Bytes(raw.Len())
	case float64:
		b.WriteString(float(v))
		return m.Bytes(16)
	}
	return errors.New("an object is no JSON")
}

func jsonItems(m *Meter, b *strings.Builder, begin, end string, n, indent, depth int, item func(i int) error) error {
	b.WriteString(begin)
	margin := func(depth int) {
		if indent >= 0 && n > 0 {
			b.WriteString("\n" + strings.Repeat(" ", indent*depth))
		}
	}
	for i := range n {
		if i > 0 {
			b.WriteString(",")
			if indent < 0 {
				b.WriteString(" ")
			}
		}
		margin(depth + 1)
		if err := item(i); err != nil {
			return err
		}
	}
	margin(depth)
	b.WriteString(end)
	return m.Bytes((n + 1) * (2 + max(indent, 0)*(depth+1)))
}
