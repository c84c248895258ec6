package llm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// marshal is json.Marshal without the escaping of <, > and &: stored text
// stays readable and stable.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// appendExtra adds the members of extra, in key order, to a JSON object.
func appendExtra(object []byte, extra map[string]json.RawMessage) ([]byte, error) {
	if len(extra) == 0 {
		return object, nil
	}
	keys := make([]string, 0, len(extra))
	for k := range extra {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := bytes.TrimSuffix(object, []byte("}"))
	for _, k := range keys {
		name, err := marshal(k)
		if err != nil {
			return nil, fmt.Errorf("encode field name %q: %w", k, err)
		}
		out = append(out, ',')
		out = append(out, name...)
		out = append(out, ':')
		out = append(out, extra[k]...)
	}
	return append(out, '}'), nil
}

// unknownFields returns the members of a JSON object that are not in known and
// not null, or nil when there are none.
func unknownFields(object []byte, known []string) (map[string]json.RawMessage, error) {
	if onlyKnown(object, known) {
		return nil, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(object, &all); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	for k, v := range all {
		if slices.Contains(known, k) || string(v) == "null" {
			delete(all, k)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// onlyKnown looks over the member names of a valid JSON object without parsing
// the values: messages with unknown fields are rare, and a second parse of each
// would be half the cost of opening a long session. It reports false when it
// cannot tell.
func onlyKnown(object []byte, known []string) bool {
	depth, name := 0, true // a string is a name when it opens a member at depth 1
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			name = depth == 1
		case '"':
			end := stringEnd(object, i)
			if end < 0 {
				return false
			}
			if name && depth == 1 && !slices.Contains(known, string(object[i+1:end])) {
				return false // a name with escapes counts as unknown
			}
			name = false
			i = end
		}
	}
	return depth == 0
}

// stringEnd is the place of the quote that ends the string begun at i, or -1.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
