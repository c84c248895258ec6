package arguments

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
)

// walker fits one set of arguments into a schema.
type walker struct {
	root  *jsonschema.Schema
	notes []string
}

// fit returns v in the form that s wants, or what is wrong. v may be changed.
func (w *walker) fit(s *jsonschema.Schema, v *value, field string, depth int, sc scope) (*value, []Problem) {
	if depth > maxDepth {
		return v, []Problem{{Field: field, Value: v.shown(), Want: "less nesting"}}
	}
	if to := follow(w.root, s, depth); to != nil {
		var problems []Problem
		if v, problems = w.fit(to, v, field, depth+1, sc.within(w.root, s, false)); len(problems) > 0 {
			return v, problems
		}
	}
	out, ok := w.convert(s, v)
	if !ok {
		return v, []Problem{{Field: field, Value: v.shown(), Want: wanted(s)}}
	}
	var problems []Problem
	switch out.kind {
	case object:
		problems = w.members(s, out, field, depth, sc)
	case array:
		problems = w.elements(s, out, field, depth)
	}
	if problem := limits(s, out); problem != "" {
		problems = append(problems, Problem{Field: field, Value: out.shown(), Want: problem})
	}
	for _, part := range s.AllOf {
		var more []Problem
		out, more = w.fit(part, out, field, depth+1, sc.within(w.root, s, false))
		problems = append(problems, more...)
	}
	if len(alternatives(s)) > 0 && len(problems) == 0 {
		return w.choose(s, out, field, depth, sc.within(w.root, s, true))
	}
	return out, problems
}

// choose takes the first alternative that fits without a change of type, else
// the first that fits.
func (w *walker) choose(s *jsonschema.Schema, v *value, field string, depth int, sc scope) (*value, []Problem) {
	list := alternatives(s)
	var fallback *value
	var notes []string
	var single []Problem
	for _, part := range list {
		try := walker{root: w.root}
		out, problems := try.fit(part, v.clone(), field, depth+1, sc)
		switch {
		case len(problems) > 0:
			single = problems
		case out.kind == v.kind:
			w.notes = append(w.notes, try.notes...)
			return out, nil
		case fallback == nil:
			fallback, notes = out, try.notes
		}
	}
	if fallback != nil {
		w.notes = append(w.notes, notes...)
		return fallback, nil
	}
	if len(list) == 1 {
		return v, single
	}
	return v, []Problem{{Field: field, Value: v.shown(), Want: wanted(s)}}
}

// clone copies a value that an attempt may change.
func (v *value) clone() *value {
	out := *v
	out.items = slices.Clone(v.items)
	for i, item := range out.items {
		out.items[i] = item.clone()
	}
	out.members = slices.Clone(v.members)
	for i, m := range out.members {
		out.members[i].value = m.value.clone()
	}
	return &out
}

// convert puts v into a type and enum value that s takes, where that loses
// nothing.
func (w *walker) convert(s *jsonschema.Schema, v *value) (*value, bool) {
	types := typesOf(s)
	if len(types) == 0 && len(s.Enum) > 0 {
		types = []kind{v.kind} // the values themselves say what is wanted
		if v.kind == number || v.kind == boolean {
			types = append(types, text)
		}
	}
	if len(types) == 0 {
		return v, s.Const == nil || v.equal(*s.Const)
	}
	exact := slices.Contains(types, v.kind) || v.kind == number && slices.Contains(types, integer) && isWhole(v.raw)
	for _, t := range types {
		if exact && s.Enum == nil && t != v.kind && (t != integer || v.kind != number) {
			continue // no need to change the type
		}
		out, ok := w.as(t, s, v)
		if !ok {
			continue
		}
		if out, ok = oneOf(s, out); ok {
			return out, true
		}
	}
	return v, false
}

func isWhole(raw string) bool {
	_, ok := whole(raw)
	return ok
}

// as returns v as a value of type t.
func (w *walker) as(t kind, s *jsonschema.Schema, v *value) (*value, bool) {
	if t == v.kind {
		return v, true
	}
	trimmed := strings.TrimSpace(v.raw)
	switch {
	case t == integer && (v.kind == number || v.kind == text && isNumber(trimmed)):
		raw, ok := whole(trimmed)
		return &value{kind: number, raw: raw}, ok
	case t == number && v.kind == text && isNumber(trimmed):
		return &value{kind: number, raw: trimmed}, true
	case t == boolean && v.kind == text && (strings.EqualFold(trimmed, "true") || strings.EqualFold(trimmed, "false")):
		return &value{kind: boolean, raw: strings.ToLower(trimmed)}, true
	case t == text && (v.kind == number || v.kind == boolean && s.Enum != nil):
		return &value{kind: text, raw: v.raw}, true
	case t == array && v.kind == text:
		if list, rest, err := parse(v.raw); err == nil && rest == 0 && list.kind == array {
			return list, true
		}
		return &value{kind: array, items: []*value{v}}, w.takesText(s.Items)
	}
	return v, false
}

// takesText reports whether a string, as it is or converted, may be an item.
func (w *walker) takesText(items *jsonschema.Schema) bool {
	if items == nil {
		return true
	}
	if to := follow(w.root, items, 0); to != nil {
		items = to
	}
	types := typesOf(items)
	return len(types) == 0 || slices.ContainsFunc(types, func(t kind) bool { return t != object && t != array && t != null })
}

// oneOf picks the enum value or constant that v means. Strings are compared
// without regard to case and to blanks around and within them.
func oneOf(s *jsonschema.Schema, v *value) (*value, bool) {
	allowed := s.Enum
	if s.Const != nil {
		allowed = []any{*s.Const}
	}
	if allowed == nil || slices.ContainsFunc(allowed, v.equal) {
		return v, true
	}
	if v.kind != text {
		return v, false
	}
	for _, a := range allowed {
		if known, ok := a.(string); ok && squeeze(known) == squeeze(v.raw) {
			return &value{kind: text, raw: known}, true
		}
	}
	return v, false
}

// members fits the members of an object: those that are not declared go, with
// a note, and so do nulls for what may be absent.
func (w *walker) members(s *jsonschema.Schema, v *value, field string, depth int, sc scope) []Problem {
	declared := slices.Concat(names(w.root, s, 0), sc.names)
	keep := sc.open || open(w.root, s, declared)
	var problems []Problem
	var kept []member
	for _, m := range v.members {
		name := join(field, m.name)
		inner := s.Properties[m.name]
		if inner == nil {
			inner = patterned(s, m.name)
		}
		if inner == nil && !slices.Contains(declared, m.name) {
			if !keep {
				w.notes = append(w.notes, unknownNote(name, m.name, declared))
				continue
			}
			inner = s.AdditionalProperties
		}
		if inner == nil {
			kept = append(kept, m)
			continue
		}
		if m.value.kind == null && !slices.Contains(s.Required, m.name) && !w.takesNull(inner) {
			continue
		}
		out, more := w.fit(inner, m.value, name, depth+1, scope{})
		problems = append(problems, more...)
		kept = append(kept, member{m.name, out})
	}
	v.members = kept
	for _, name := range s.Required {
		if v.member(name) == nil {
			want := "a value"
			if inner := s.Properties[name]; inner != nil {
				want = wanted(inner)
			}
			problems = append(problems, Problem{Field: join(field, name), Want: want})
		}
	}
	return problems
}

func unknownNote(field, name string, declared []string) string {
	note := fmt.Sprintf("ignored the unknown argument %q", field)
	if near := Closest(name, declared, 1); len(near) > 0 && distance(fold(name), fold(near[0])) <= len(name)/3 {
		note += fmt.Sprintf(", did you mean %q?", near[0])
	}
	return note
}

func join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}

// takesNull reports whether null itself is a value that s takes.
func (w *walker) takesNull(s *jsonschema.Schema) bool {
	try := walker{root: w.root}
	out, problems := try.fit(s, &value{kind: null}, "", 1, scope{})
	return len(problems) == 0 && out.kind == null
}

// elements fits the items of an array.
func (w *walker) elements(s *jsonschema.Schema, v *value, field string, depth int) []Problem {
	var problems []Problem
	for i, item := range v.items {
		inner := s.Items
		switch {
		case i < len(s.PrefixItems):
			inner = s.PrefixItems[i]
		case i < len(s.ItemsArray):
			inner = s.ItemsArray[i]
		}
		if inner == nil {
			continue
		}
		out, more := w.fit(inner, item, fmt.Sprintf("%s[%d]", field, i), depth+1, scope{})
		v.items[i] = out
		problems = append(problems, more...)
	}
	return problems
}

// limits says which bound of s a value breaks, or returns the empty string.
func limits(s *jsonschema.Schema, v *value) string {
	switch v.kind {
	case number:
		return numberLimits(s, v.raw)
	case text:
		n := utf8.RuneCountInString(v.raw)
		switch {
		case s.MinLength != nil && n < *s.MinLength:
			return fmt.Sprintf("at least %d characters", *s.MinLength)
		case s.MaxLength != nil && n > *s.MaxLength:
			return fmt.Sprintf("at most %d characters", *s.MaxLength)
		case s.Pattern != "":
			if re, err := regexp.Compile(s.Pattern); err == nil && !re.MatchString(v.raw) {
				return "text that matches " + s.Pattern
			}
		}
	case array:
		switch n := len(v.items); {
		case s.MinItems != nil && n < *s.MinItems:
			return fmt.Sprintf("at least %d items", *s.MinItems)
		case s.MaxItems != nil && n > *s.MaxItems:
			return fmt.Sprintf("at most %d items", *s.MaxItems)
		}
	}
	return ""
}

func numberLimits(s *jsonschema.Schema, raw string) string {
	n, ok := rational(raw)
	if !ok {
		return "a number of ordinary size"
	}
	compare := func(limit *float64) int { return n.Cmp(new(big.Rat).SetFloat64(*limit)) }
	switch {
	case s.Minimum != nil && compare(s.Minimum) < 0:
		return fmt.Sprintf("at least %v", *s.Minimum)
	case s.Maximum != nil && compare(s.Maximum) > 0:
		return fmt.Sprintf("at most %v", *s.Maximum)
	case s.ExclusiveMinimum != nil && compare(s.ExclusiveMinimum) <= 0:
		return fmt.Sprintf("more than %v", *s.ExclusiveMinimum)
	case s.ExclusiveMaximum != nil && compare(s.ExclusiveMaximum) >= 0:
		return fmt.Sprintf("less than %v", *s.ExclusiveMaximum)
	}
	return ""
}

// wanted describes what s takes.
func wanted(s *jsonschema.Schema) string {
	allowed := s.Enum
	if s.Const != nil {
		allowed = []any{*s.Const}
	}
	if len(allowed) > 0 {
		parts := make([]string, len(allowed))
		for i, a := range allowed {
			raw, err := json.Marshal(a)
			if err != nil { // it came from JSON
				continue
			}
			parts[i] = string(raw)
		}
		return "one of " + strings.Join(parts, ", ")
	}
	var parts []string
	for _, t := range typesOf(s) {
		parts = append(parts, article(t))
	}
	for _, part := range alternatives(s) {
		parts = append(parts, wanted(part))
	}
	if len(parts) == 0 {
		return "a value"
	}
	return strings.Join(slices.Compact(parts), " or ")
}

func article(t kind) string {
	switch t {
	case null:
		return "null"
	case integer, array, object:
		return "an " + string(t)
	}
	return "a " + string(t)
}
