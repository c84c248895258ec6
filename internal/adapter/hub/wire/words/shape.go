package words

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Shape tells what a JSON body is made of, without its values: they may be
// secret.
func Shape(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	var v any
	_ = json.Unmarshal(data, &v) // just marshalled
	return shapeOf(v)
}

func shapeOf(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var members []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			members = append(members, fmt.Sprintf("%q: %s", key, shapeOf(v[key])))
		}
		return "{" + strings.Join(members, ", ") + "}"
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return fmt.Sprintf("[%d × %s]", len(v), shapeOf(v[0]))
	case string:
		return "text"
	case bool:
		return fmt.Sprint(v)
	case nil:
		return "null"
	}
	return "number"
}
