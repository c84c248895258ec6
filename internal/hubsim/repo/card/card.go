// Package card reads the cards of repositories: the YAML between dashes at the
// head of a README, what is wrong with it, and the tags that follow from it. It
// knows no repository, only texts and names of files.
package card

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxMatter is how long a front matter may be, in bytes, and maxDepth how
// deeply it may nest.
const (
	maxMatter = 1 << 20
	maxDepth  = 64
)

var fence = regexp.MustCompile(`(?m)^---[ \t]*$`)

// Split cuts the front matter out of a README. ok is false when there is none;
// blank lines before it do not matter.
func Split(readme string) (matter, body string, ok bool) {
	text := strings.ReplaceAll(strings.TrimPrefix(readme, "\ufeff"), "\r\n", "\n")
	head := strings.TrimLeft(text, " \t\n")
	open := fence.FindStringIndex(head)
	if open == nil || open[0] != 0 || open[1] == len(head) {
		return "", text, false
	}
	rest := head[open[1]+1:]
	end := fence.FindStringIndex(rest)
	if end == nil {
		return "", text, false
	}
	return rest[:end[0]], strings.TrimPrefix(rest[end[1]:], "\n"), true
}

// Parse reads the front matter of a README into values that have a JSON form.
// The card is nil when there is none or when it is empty.
func Parse(readme string) (map[string]any, error) {
	matter, _, ok := Split(readme)
	if !ok {
		return nil, nil
	}
	v, err := YAML(matter)
	if err != nil || v == nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New(`"metadata" must be of type object`)
	}
	if len(m) == 0 {
		return nil, nil
	}
	return m, nil
}

// YAML reads a text into values that have a JSON form.
func YAML(text string) (any, error) {
	if len(text) > maxMatter {
		return nil, fmt.Errorf("the YAML has more than %d bytes", maxMatter)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("the YAML is not UTF-8")
	}
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	return jsonValue(v, 0)
}

// decode turns the decoder's panics on odd input into errors.
func decode(matter string) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("invalid YAML: %v", p)
		}
	}()
	if err := yaml.Unmarshal([]byte(matter), &v); err != nil {
		return nil, fmt.Errorf("invalid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return v, nil
}

// jsonValue writes what YAML can say and JSON cannot in another way.
func jsonValue(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the YAML nests more than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly), nil
		}
		return v.Format(time.RFC3339), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v), nil
		}
		return v, nil
	case []any:
		for i := range v {
			var err error
			if v[i], err = jsonValue(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return v, nil
	case map[string]any:
		for k := range v {
			var err error
			if v[k], err = jsonValue(v[k], depth+1); err != nil {
				return nil, err
			}
		}
		return v, nil
	case map[any]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			plain, err := jsonValue(x, depth+1)
			if err != nil {
				return nil, err
			}
			m[fmt.Sprint(k)] = plain
		}
		return m, nil
	}
	return v, nil
}

// Strings lists what a field holds, be it one text or several; other values
// are left out.
func Strings(v any) []string {
	switch v := v.(type) {
	case string:
		if v != "" {
			return []string{v}
		}
	case []any:
		var all []string
		for _, e := range v {
			if s, ok := e.(string); ok && s != "" {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// Text is the field of a card as a text, empty where it is something else.
func Text(card map[string]any, field string) string {
	s, _ := card[field].(string)
	return s
}
