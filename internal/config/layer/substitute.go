package layer

import (
	"strconv"
	"strings"
)

// Substitute replaces the references of a text:
//
//	${NAME}            the variable; unset is reported
//	${NAME:-text}      the variable, or text when it is unset; set but empty wins
//	${NAME:text}       like ${NAME}
//	$${                a literal "${"
//
// A name is any text without "}" and ":"; the text after ":-" ends at the first
// "}"; what replaces a reference is not looked at again. It returns the names
// that are unset, and then the text counts for nothing.
func Substitute(text string, lookup func(string) (string, bool)) (result string, unset []string) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	var out strings.Builder
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			break
		}
		out.WriteString(text[:i])
		text = text[i:]
		if strings.HasPrefix(text, "$${") {
			out.WriteString("${")
			text = text[3:]
			continue
		}
		name, fallback, hasFallback, length := reference(text)
		if length == 0 {
			out.WriteByte('$')
			text = text[1:]
			continue
		}
		text = text[length:]
		value, ok := lookup(name)
		switch {
		case ok:
			out.WriteString(value)
		case hasFallback:
			out.WriteString(fallback)
		default:
			unset = append(unset, name)
		}
	}
	out.WriteString(text)
	return out.String(), unset
}

// reference reads a reference at the start of text; length 0 means there is none.
func reference(text string) (name, fallback string, hasFallback bool, length int) {
	if !strings.HasPrefix(text, "${") {
		return "", "", false, 0
	}
	end := strings.IndexByte(text, '}')
	if end <= 2 {
		return "", "", false, 0
	}
	name, rest, colon := strings.Cut(text[2:end], ":")
	if name == "" {
		return "", "", false, 0
	}
	if colon {
		fallback, hasFallback = strings.CutPrefix(rest, "-")
	}
	return name, fallback, hasFallback, end + 1
}

// Literal writes a text so that Substitute gives it back unchanged.
func Literal(text string) string { return strings.ReplaceAll(text, "${", "$${") }

// Replacement is how Tree.Substitute treats references.
type Replacement struct {
	Lookup func(name string) (string, bool)
	// Optional says whether the members of the object at a pointer may name
	// variables that are not set: only that member is left out then.
	Optional func(pointer string) bool
	// Dropped is told of a member left out, Missing of any other unset name.
	Dropped func(pointer string, names []string)
	Missing func(pointer, name string)
}

// Substitute replaces every string of the tree. A value that names an unset
// variable is left out.
func (t *Tree) Substitute(r Replacement) { t.Root = r.object(t.Root, "", r.Missing) }

func (r Replacement) object(object map[string]any, at string, missing func(pointer, name string)) map[string]any {
	result := make(map[string]any, len(object))
	for _, name := range Sorted(object) {
		pointer := Join(at, name)
		var unset []string
		value := r.value(object[name], pointer, func(p, n string) {
			unset = append(unset, n)
			if !r.Optional(at) {
				missing(p, n)
			}
		})
		if len(unset) == 0 {
			result[name] = value
		} else if r.Optional(at) {
			r.Dropped(pointer, unset)
		} else if _, isObject := value.(map[string]any); isObject {
			result[name] = value // without its faulty members
		}
	}
	return result
}

func (r Replacement) value(value any, pointer string, missing func(pointer, name string)) any {
	switch v := value.(type) {
	case string:
		text, unset := Substitute(v, r.Lookup)
		for _, name := range unset {
			missing(pointer, name)
		}
		return text
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = r.value(v[i], Join(pointer, strconv.Itoa(i)), missing)
		}
		return list
	case map[string]any:
		return r.object(v, pointer, missing)
	}
	return value
}
