package arguments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// ErrMalformed says that arguments are no JSON object at all.
var ErrMalformed = errors.New("the arguments are no JSON object")

// ErrWrapped says that the arguments stand inside a member "args", as text or
// as a list, where the tool cannot find them.
var ErrWrapped = errors.New(`the arguments are wrapped in "args"`)

// Invalid says what is wrong with arguments that are a JSON object.
type Invalid struct {
	Problems []Problem
}

// Problem is one wrong or missing value.
type Problem struct {
	Field string // e.g. "files[0].path"; empty for the arguments as a whole
	Value string // as JSON, shortened; empty when missing
	Want  string // what is allowed
}

// Error names each field, its value and what is allowed.
func (e *Invalid) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = p.String()
	}
	return strings.Join(parts, "; ")
}

// String is one clause for the model.
func (p Problem) String() string {
	switch {
	case p.Field == "":
		return "the arguments do not fit: " + p.Want
	case p.Value == "":
		return fmt.Sprintf("argument %q is missing, want %s", p.Field, p.Want)
	}
	return fmt.Sprintf("argument %q is %s, want %s", p.Field, p.Value, p.Want)
}

// Checker checks the arguments of one tool. It is safe for concurrent use.
type Checker struct {
	schema   *jsonschema.Schema
	resolved *jsonschema.Resolved
	synonyms []tool.Synonyms
}

// Compile reads a tool's schema; an empty one takes any object. Patterns that
// Go's regular expressions cannot express are not checked.
func Compile(schema json.RawMessage, synonyms ...tool.Synonyms) (*Checker, error) {
	schema = bytes.TrimSpace(schema)
	if len(schema) == 0 || string(schema) == "null" {
		schema = json.RawMessage("{}")
	}
	s := &jsonschema.Schema{}
	if err := json.Unmarshal(schema, s); err != nil {
		return nil, fmt.Errorf("read the schema of the arguments: %w", err)
	}
	if types := typesOf(s); len(types) > 0 && !slices.Contains(types, object) {
		return nil, fmt.Errorf("the schema of the arguments is of type %s, want object", types[0])
	}
	s.Schema = "" // whatever draft it names, the keywords are read as of today
	loosen(s, 0)
	resolved, err := s.Resolve(nil)
	if err != nil {
		return nil, fmt.Errorf("resolve the schema of the arguments: %w", err)
	}
	return &Checker{schema: s, resolved: resolved, synonyms: synonyms}, nil
}

// Check reads what a model wrote as arguments, normalises it and checks it.
// Empty means {}. notes say what was left out. The error is an ErrMalformed, an
// ErrWrapped or an *Invalid.
func (c *Checker) Check(raw string) (normalised json.RawMessage, notes []string, err error) {
	if raw = strings.TrimSpace(raw); raw == "" {
		raw = "{}"
	}
	v, rest, err := parse(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s", ErrMalformed, err.Error())
	}
	if v.kind != object {
		return nil, nil, fmt.Errorf("%w but of type %s: %s", ErrMalformed, v.kind, v.shown())
	}
	if rest > 0 {
		notes = append(notes, fmt.Sprintf("ignored %d bytes after the end of the arguments", rest))
	}
	if err := c.wrapped(v); err != nil {
		return nil, nil, err
	}
	w := walker{root: c.schema, notes: notes}
	c.rename(v, &w)
	out, problems := w.fit(c.schema, v, "", 0, scope{})
	if len(problems) > 0 {
		return nil, nil, &Invalid{Problems: problems}
	}
	normalised = out.append(nil)
	var plain any
	if err := json.Unmarshal(normalised, &plain); err != nil {
		return nil, nil, &Invalid{Problems: []Problem{{Want: err.Error()}}}
	}
	if err := c.resolved.Validate(plain); err != nil {
		return nil, nil, &Invalid{Problems: []Problem{{Want: reason(err)}}}
	}
	return normalised, w.notes, nil
}

// wrapped refuses a member "args" that holds the arguments as text or a list,
// unless the tool has such an argument.
func (c *Checker) wrapped(v *value) error {
	args := v.member("args")
	if args == nil || args.kind == object || args.kind == null || slices.Contains(names(c.schema, c.schema, 0), "args") {
		return nil
	}
	return fmt.Errorf("%w as a %s: %s; pass them as members of the object itself", ErrWrapped, args.kind, args.shown())
}

// reason keeps the end of the library's error, which says what failed.
func reason(err error) string {
	s := err.Error()
	if i := strings.LastIndex(s, "validating "); i >= 0 {
		s = s[i:]
	}
	return s
}

// rename replaces synonyms. The argument's own name wins unless it is empty.
func (c *Checker) rename(v *value, w *walker) {
	for _, s := range c.synonyms {
		var kept []member
		for _, m := range v.members {
			own, ok := s.Names[m.name]
			if !ok {
				kept = append(kept, m)
				continue
			}
			there := v.member(own)
			if there == nil { // another synonym may have come before this one
				if i := slices.IndexFunc(kept, func(k member) bool { return k.name == own }); i >= 0 {
					there = kept[i].value
				}
			}
			switch {
			case there == nil:
				kept = append(kept, member{own, m.value})
			case empty(there) && !empty(m.value):
				*there = *m.value
			case !empty(m.value) && !m.value.same(there):
				w.notes = append(w.notes, fmt.Sprintf("ignored %q: %q says otherwise", m.name, own))
			}
		}
		v.members = kept
		for name, values := range s.Values {
			arg := v.member(name)
			if arg == nil || arg.kind != text {
				continue
			}
			for other, own := range values {
				if squeeze(arg.raw) == squeeze(other) {
					arg.raw = own
				}
			}
		}
	}
}

func empty(v *value) bool { return v.kind == null || v.kind == text && strings.TrimSpace(v.raw) == "" }

// squeeze is the form in which enum values are compared.
func squeeze(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
