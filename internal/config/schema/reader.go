package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/config/layer"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/config/problem"
)

// Reader turns a merged tree into a Config and gathers every fault on the way.
// Reasons say what is allowed and never repeat what was given: it may be a
// secret in the wrong place.
type Reader struct {
	Tree     *layer.Tree
	Dir      string // what relative paths are relative to
	Home     string // the user's home folder
	Config   Config
	Problems problem.Problems
	Warnings []problem.Warning

	lost bool // a destination was disabled
}

// Fail reports a fault at a JSON pointer.
func (r *Reader) Fail(pointer, format string, args ...any) {
	r.Problems = append(r.Problems, problem.Problem{Where: r.Tree.Source(pointer).Where(), Pointer: pointer, Reason: fmt.Sprintf(format, args...)})
}

// Warn reports what does not stop the start.
func (r *Reader) Warn(pointer, format string, args ...any) {
	r.Warnings = append(r.Warnings, problem.Warning{Where: r.Tree.Source(pointer).Where(), Pointer: pointer, Reason: fmt.Sprintf(format, args...)})
}

// Defaults fills tree and Config from the table. endpoint is the Hub's address.
func (r *Reader) Defaults(endpoint string) {
	for _, key := range Keys {
		value, err := layer.Decode([]byte(strings.ReplaceAll(key.Default, "$HF_ENDPOINT", endpoint)))
		if err != nil {
			r.Fail(key.Pointer(), "%v", err) // a fault in the table
			continue
		}
		r.Tree.Set(key.Name, value, layer.Source{Layer: "default"})
		r.Assign(key, value)
	}
}

// Substitute replaces ${NAME} in every text of the tree. An unset variable in an
// MCP server or a destination disables that one, anywhere else it is a fault.
func (r *Reader) Substitute(lookup func(name string) (string, bool)) {
	const servers, destinations = "/mcpServers", "/messaging/destinations"
	r.Tree.Substitute(layer.Replacement{
		Lookup:   lookup,
		Optional: func(pointer string) bool { return pointer == servers || pointer == destinations },
		Dropped: func(pointer string, names []string) {
			r.lost = r.lost || strings.HasPrefix(pointer, destinations)
			r.Warn(pointer, "disabled, because %s is not set in the environment or a .env file", strings.Join(names, ", "))
		},
		Missing: func(pointer, name string) {
			r.Fail(pointer, "${%s} is not set; set %s in the environment or in a .env file", name, name)
		},
	})
}

// Read reads every key of the table; what is absent or bad keeps its default.
func (r *Reader) Read() {
	r.unknown(r.Tree.Root, "")
	for _, key := range Keys {
		if value, ok := r.Tree.Find(key.Name); ok {
			r.Assign(key, value)
		}
	}
	if len(r.Config.Messaging.Destinations) == 0 && r.Config.Messaging.Enabled {
		r.Config.Messaging.Enabled = false
		if named, _ := r.Tree.Find("messaging.destinations"); !r.lost && !names(named) {
			r.Fail("/messaging/enabled", "needs at least one destination")
		}
	}
}

// names reports whether a value is an object with something in it.
func names(value any) bool {
	object, ok := value.(map[string]any)
	return ok && len(object) > 0
}

// unknown warns of names that no key has.
func (r *Reader) unknown(object map[string]any, prefix string) {
	for _, name := range layer.Sorted(object) {
		full := prefix + name
		pointer := PointerIn(prefix, name)
		if known(full) {
			continue
		}
		if !Group(full) {
			r.Warn(pointer, "%s", UnknownText(full))
			continue
		}
		switch below := object[name].(type) {
		case map[string]any:
			r.unknown(below, full+".")
		case nil:
		default:
			r.Fail(pointer, "must be an object, not %s", typeName(object[name]))
		}
	}
}

// UnknownText says that a key is unknown and which one may be meant.
func UnknownText(name string) string {
	names := make([]string, len(Keys))
	for i, k := range Keys {
		names[i] = k.Name
	}
	if near := problem.Nearest(name, names); near != "" {
		return fmt.Sprintf("unknown key, ignored; did you mean %s?", near)
	}
	return "unknown key, ignored"
}

// Assign reads one value into its field.
func (r *Reader) Assign(key Key, value any) {
	pointer := key.Pointer()
	if value == nil {
		switch {
		case key.Kind == Object:
			value = map[string]any{}
		case !key.Null:
			r.Fail(pointer, "must be %s, not null", key.Allows())
			return
		}
	}
	if !r.store(key, pointer, value) {
		return
	}
	if key.check != nil {
		if bad := key.check(&r.Config); bad != "" {
			r.Fail(pointer, "%s", bad)
		}
	}
}

func (r *Reader) store(key Key, pointer string, value any) bool {
	switch field := key.at(&r.Config).(type) {
	case *bool:
		return put(field, value, r.bool(key, pointer))
	case *int:
		return put(field, value, r.int(key, pointer))
	case *string:
		if value == nil {
			*field = ""
			return true
		}
		return put(field, value, r.string(key, pointer))
	case *[]string:
		return put(field, value, r.strings(key, pointer))
	case **int:
		return putOptional(field, value, r.int(key, pointer))
	case **float64:
		return putOptional(field, value, r.number(key, pointer))
	}
	key.object(r, pointer, value)
	return true
}

// parse reads a value of one type; false means that it has reported a fault.
type parse[T any] func(value any) (T, bool)

func put[T any](field *T, value any, read parse[T]) bool {
	v, ok := read(value)
	if ok {
		*field = v
	}
	return ok
}

func putOptional[T any](field **T, value any, read parse[T]) bool {
	if value == nil {
		*field = nil
		return true
	}
	v, ok := read(value)
	if ok {
		*field = &v
	}
	return ok
}

func (r *Reader) bool(key Key, pointer string) parse[bool] {
	return func(value any) (bool, bool) {
		switch v := value.(type) {
		case bool:
			return v, true
		case string:
			if b, ok := environ.ParseBool(v); ok {
				return b, true
			}
		case json.Number:
			if v == "0" || v == "1" {
				return v == "1", true
			}
		}
		r.Fail(pointer, "must be %s, not %s", key.Allows(), typeName(value))
		return false, false
	}
}

func (r *Reader) int(key Key, pointer string) parse[int] {
	return func(value any) (int, bool) {
		f, ok := toNumber(value)
		if !ok || f != math.Trunc(f) || !key.within(f) {
			r.Fail(pointer, "must be %s%s", key.Allows(), notA(value, ok))
			return 0, false
		}
		return int(f), true
	}
}

func (r *Reader) number(key Key, pointer string) parse[float64] {
	return func(value any) (float64, bool) {
		f, ok := toNumber(value)
		if !ok || !key.within(f) {
			r.Fail(pointer, "must be %s%s", key.Allows(), notA(value, ok))
			return 0, false
		}
		return f, true
	}
}

func (r *Reader) string(key Key, pointer string) parse[string] {
	return func(value any) (string, bool) {
		text, ok := value.(string)
		if !ok {
			r.Fail(pointer, "must be %s, not %s", key.Allows(), typeName(value))
			return "", false
		}
		text = strings.TrimSpace(text)
		if len(key.Allowed) > 0 {
			if text = strings.ToLower(text); !slices.Contains(key.Allowed, text) {
				r.Fail(pointer, "must be %s", key.Allows())
				return "", false
			}
		}
		if key.Kind == Path {
			text = place.Absolute(text, r.Dir, r.Home)
		}
		return text, true
	}
}

// strings reads a list, or one string with commas; doubles are dropped.
func (r *Reader) strings(key Key, pointer string) parse[[]string] {
	return func(value any) ([]string, bool) {
		var list []any
		switch v := value.(type) {
		case []any:
			list = v
		case string:
			for part := range strings.SplitSeq(v, ",") {
				if part = strings.TrimSpace(part); part != "" {
					list = append(list, part)
				}
			}
		default:
			r.Fail(pointer, "must be %s, not %s", key.Allows(), typeName(value))
			return nil, false
		}
		result, good := []string{}, true
		for i, member := range list {
			at := layer.Join(pointer, strconv.Itoa(i))
			text, isText := member.(string)
			switch text = strings.TrimSpace(text); {
			case !isText:
				r.Fail(at, "must be a string, not %s", typeName(member))
				good = false
			case len(key.Allowed) > 0 && !slices.Contains(key.Allowed, text):
				r.Fail(at, "must be one of %s", quoteAll(key.Allowed))
				good = false
			case text == "":
				r.Fail(at, "must not be empty")
				good = false
			}
			if key.Kind == Paths {
				text = place.Absolute(text, r.Dir, r.Home)
			}
			if !slices.Contains(result, text) {
				result = append(result, text)
			}
		}
		return result, good
	}
}

// toNumber reads a JSON number, or a string that holds one.
func toNumber(value any) (float64, bool) {
	var text string
	switch v := value.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	default:
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

func notA(value any, isNumber bool) string {
	if isNumber {
		return ""
	}
	return ", not " + typeName(value)
}

func typeName(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "this string"
	case []any:
		return "an array"
	}
	return "an object"
}

// within checks a number against the key's bounds.
func (k Key) within(f float64) bool { return k.Max == 0 || f >= k.Min && f <= k.Max }

// Allows describes the values a key takes, for errors and the documentation.
func (k Key) Allows() string {
	text := map[Kind]string{
		String: "a string", Bool: "true or false", Int: "an integer", Number: "a number", Strings: "a list of strings",
		Path: "a path", Paths: "a list of paths", Object: "an object",
	}[k.Kind]
	switch {
	case len(k.Allowed) > 0 && k.Kind == Strings:
		text = "a list of " + quoteAll(k.Allowed)
	case len(k.Allowed) > 0:
		text = "one of " + quoteAll(k.Allowed)
	case k.Max == unbounded:
	case k.Max != 0 && k.Min == -unbounded:
		text += fmt.Sprintf(" up to %.0f", k.Max)
	case k.Max != 0:
		text += fmt.Sprintf(" from %.0f to %.0f", k.Min, k.Max)
	}
	if k.Null {
		text += " or null"
	}
	return text
}

func quoteAll(words []string) string { return `"` + strings.Join(words, `", "`) + `"` }

// PlainModel drops "huggingface/" from a model id, which means the HF router,
// where the router is meant without it, too.
func PlainModel(id string) string {
	if plain, cut := strings.CutPrefix(id, "huggingface/"); cut && !ownService(plain) {
		return plain
	}
	return id
}

func checkModel(c *Config) string {
	c.ModelName = PlainModel(c.ModelName)
	if c.ModelName == "" {
		return "must not be empty"
	}
	return ""
}

// ownService reports whether a model id may mean a service with a key of its
// own rather than the HF router.
func ownService(id string) bool {
	service, name, _ := strings.Cut(id, "/")
	switch service {
	case "openai", "anthropic":
		return !strings.Contains(name, ":") || strings.HasPrefix(name, "ft:") // a tag is the router's
	case "openrouter":
		return true
	}
	return false
}

func checkBillTo(c *Config) string {
	if strings.ContainsFunc(c.HFBillTo, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "must not hold control characters"
	}
	return ""
}

// effortOff gives "off" and null one form.
func effortOff(c *Config) string {
	if c.ReasoningEffort == "off" {
		c.ReasoningEffort = ""
	}
	return ""
}

func clampIterations(c *Config) string {
	c.MaxIterations = max(c.MaxIterations, -1)
	return ""
}

// Find gives the row of a key.
func Find(name string) (Key, bool) {
	i := slices.IndexFunc(Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return Keys[i], true
}

func known(name string) bool {
	_, ok := Find(name)
	return ok
}

// Group says whether a name is an object that holds keys.
func Group(name string) bool {
	return slices.ContainsFunc(Keys, func(k Key) bool { return strings.HasPrefix(k.Name, name+".") })
}

// Pointer is the key's JSON pointer.
func (k Key) Pointer() string { return layer.Pointer(k.Name) }

// PointerIn is the JSON pointer of a name in a group, given as "group." or "".
func PointerIn(prefix, name string) string {
	if prefix == "" {
		return layer.Join("", name)
	}
	return layer.Join(layer.Pointer(strings.TrimSuffix(prefix, ".")), name)
}

// Of gives a pointer to the key's field.
func (k Key) Of(c *Config) any { return k.at(c) }
