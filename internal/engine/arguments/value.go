package arguments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
)

// kind is the JSON type of a value, in the schema's words.
type kind string

const (
	null    kind = "null"
	boolean kind = "boolean"
	number  kind = "number"
	text    kind = "string"
	array   kind = "array"
	object  kind = "object"
	integer kind = "integer" // only as a type wanted
)

// value is a JSON value that keeps the order of members and the spelling of
// numbers.
type value struct {
	kind    kind
	raw     string // numbers and booleans as written, strings decoded
	items   []*value
	members []member
}

type member struct {
	name  string
	value *value
}

// maxDepth bounds how deep values may be nested.
const maxDepth = 200

// parse reads the first JSON value of input; rest is how many bytes follow it.
func parse(input string) (v *value, rest int, err error) {
	dec := json.NewDecoder(strings.NewReader(input))
	dec.UseNumber()
	v, err = read(dec, 0)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, 0, err
	}
	return v, len(strings.TrimSpace(input[dec.InputOffset():])), nil
}

func read(dec *json.Decoder, depth int) (*value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case nil:
		return &value{kind: null}, nil
	case bool:
		return &value{kind: boolean, raw: strconv.FormatBool(t)}, nil
	case json.Number:
		return &value{kind: number, raw: t.String()}, nil
	case string:
		return &value{kind: text, raw: t}, nil
	case json.Delim:
		if t == '[' {
			return readArray(dec, depth)
		}
		if t == '{' {
			return readObject(dec, depth)
		}
	}
	return nil, fmt.Errorf("unexpected %v", token)
}

func readArray(dec *json.Decoder, depth int) (*value, error) {
	v := &value{kind: array}
	for dec.More() {
		item, err := read(dec, depth+1)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item)
	}
	_, err := dec.Token()
	return v, err
}

// readObject keeps the first place and the last value of a repeated name.
func readObject(dec *json.Decoder, depth int) (*value, error) {
	v := &value{kind: object}
	at := map[string]int{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder takes nothing else here
		inner, err := read(dec, depth+1)
		if err != nil {
			return nil, err
		}
		if i, ok := at[name]; ok {
			v.members[i].value = inner
			continue
		}
		at[name] = len(v.members)
		v.members = append(v.members, member{name, inner})
	}
	_, err := dec.Token()
	return v, err
}

// append writes v as compact JSON.
func (v *value) append(dst []byte) []byte {
	switch v.kind {
	case null:
		return append(dst, "null"...)
	case text:
		return appendText(dst, v.raw)
	case array:
		dst = append(dst, '[')
		for i, item := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.append(dst)
		}
		return append(dst, ']')
	case object:
		dst = append(dst, '{')
		for i, m := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, m.name), ':')
			dst = m.value.append(dst)
		}
		return append(dst, '}')
	}
	return append(dst, v.raw...)
}

func appendText(dst []byte, s string) []byte {
	out, err := event.Encode(s)
	if err != nil { // a string always encodes
		return append(dst, `""`...)
	}
	return append(dst, out...)
}

// member returns the value of a name, or nil.
func (v *value) member(name string) *value {
	i := slices.IndexFunc(v.members, func(m member) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return v.members[i].value
}

// equal compares with a value of a schema, decoded by encoding/json.
func (v *value) equal(want any) bool {
	other, err := json.Marshal(want)
	if err != nil {
		return false
	}
	if bytes.Equal(v.append(nil), other) {
		return true
	}
	w, _, err := parse(string(other))
	return err == nil && v.same(w)
}

// same compares by value: 1 is 1.0, and the order of members is nothing.
func (v *value) same(w *value) bool {
	if v.kind != w.kind || len(v.items) != len(w.items) || len(v.members) != len(w.members) {
		return false
	}
	switch v.kind {
	case number:
		a, okA := rational(v.raw)
		b, okB := rational(w.raw)
		return okA && okB && a.Cmp(b) == 0 || v.raw == w.raw
	case array:
		for i := range v.items {
			if !v.items[i].same(w.items[i]) {
				return false
			}
		}
	case object:
		for _, m := range v.members {
			if other := w.member(m.name); other == nil || !m.value.same(other) {
				return false
			}
		}
	default:
		return v.raw == w.raw
	}
	return true
}

// maxExponent bounds the numbers that are computed exactly.
const maxExponent = 300

// rational returns the exact value of a JSON number of sane size.
func rational(raw string) (*big.Rat, bool) {
	if i := strings.IndexAny(raw, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(raw[i+1:])
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return nil, false
		}
	}
	if len(raw) > 2*maxExponent {
		return nil, false
	}
	return new(big.Rat).SetString(raw)
}

// whole returns a JSON number as an integer without point and exponent.
func whole(raw string) (string, bool) {
	if !strings.ContainsAny(raw, ".eE") {
		if raw == "-0" {
			return "0", true
		}
		return raw, true
	}
	r, ok := rational(raw)
	if !ok || !r.IsInt() {
		return "", false
	}
	return r.Num().String(), true
}

// isNumber reports whether s is a JSON number.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

// maxShown is how many characters of a wrong value an error quotes.
const maxShown = 120

// shown is v for an error.
func (v *value) shown() string {
	s := string(v.append(nil))
	if short := excerpt.Head(s, maxShown); len(short) < len(s) {
		return short + "…"
	}
	return s
}
