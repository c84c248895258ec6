package layer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Edit sets one member of a JSON object, or takes it away when value is nil, and
// keeps all others with their order and the way they are written. Objects on the
// path are made where they are missing.
func Edit(text []byte, path []string, value []byte) ([]byte, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	if len(text) == 0 {
		text = []byte("{}")
	}
	if _, err := ParseObject(text); err != nil {
		return nil, err
	}
	edited, err := edit(text, path, value)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, edited, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

type member struct {
	name  string
	value []byte
}

func edit(object []byte, path []string, value []byte) ([]byte, error) {
	members, err := split(object)
	if err != nil {
		return nil, err
	}
	name, rest := path[0], path[1:]
	at := -1
	for i, m := range members {
		if m.name == name {
			at = i
		}
	}
	if at < 0 && value == nil {
		return object, nil
	}
	if at < 0 {
		members, at = append(members, member{name, []byte("{}")}), len(members)
	}
	if len(rest) > 0 {
		if bytes.Equal(members[at].value, []byte("null")) {
			members[at].value = []byte("{}")
		}
		if value, err = edit(members[at].value, rest, value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	members[at].value = value
	return assemble(members), nil
}

// split reads the members of an object in their order.
func split(object []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("must be an object")
	}
	var members []member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		members = append(members, member{fmt.Sprint(name), value})
	}
	return members, nil
}

func assemble(members []member) []byte {
	var out bytes.Buffer
	out.WriteByte('{')
	for _, m := range members {
		if m.value == nil {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.Write(Text(m.name))
		out.WriteByte(':')
		out.Write(m.value)
	}
	out.WriteByte('}')
	return out.Bytes()
}

// Text writes a string, or any value, as JSON on one line without HTML escapes.
func Text(value any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return []byte("null")
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
