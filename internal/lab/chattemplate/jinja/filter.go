package jinja

import (
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/syntax"
	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/value"
)

func (r *run) applied(x syntax.Filter) (any, error) {
	v, err := r.value(x.X)
	if err != nil {
		return nil, err
	}
	args, err := r.arguments(x.Args)
	if err != nil {
		return nil, err
	}
	switch x.Name {
	case "map", "select", "reject", "selectattr", "rejectattr":
		return r.each(x.Name, v, args)
	case "sort", "sum", "join":
		if name, ok := args.Named["attribute"].(string); ok {
			return r.byAttribute(x.Name, v, args, name)
		}
	}
	out, known, err := value.Filter(r.m, x.Name, v, args)
	if !known {
		return nil, fmt.Errorf("the filter %q is not supported", x.Name)
	}
	return out, err
}

// path follows a.b.0 into a value.
func (r *run) path(v any, name string) (any, error) {
	for part := range strings.SplitSeq(name, ".") {
		next, err := r.value(syntax.Index{X: syntax.Literal{Value: v}, Key: syntax.Literal{Value: part}})
		if err != nil {
			return nil, err
		}
		v = next
	}
	return v, nil
}

func (r *run) byAttribute(name string, v any, args value.Args, attribute string) (any, error) {
	items, err := value.Items(r.m, v)
	if err != nil {
		return nil, err
	}
	if name == "sort" {
		return value.Sort(r.m, items, args, func(x any) (any, error) { return r.path(x, attribute) })
	}
	parts := make([]any, len(items))
	for i, x := range items {
		if parts[i], err = r.path(x, attribute); err != nil {
			return nil, err
		}
	}
	out, _, err := value.Filter(r.m, name, parts, args)
	return out, err
}

// each are the filters that go over items with a test, a filter or an attribute.
func (r *run) each(name string, v any, args value.Args) (any, error) {
	items, err := value.Items(r.m, v)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, x := range items {
		if err := r.m.Step(1); err != nil {
			return nil, err
		}
		if name == "map" {
			y, err := r.mapped(x, args)
			if err != nil {
				return nil, err
			}
			out = append(out, y)
			continue
		}
		subject, rest := x, args.Places
		if strings.HasSuffix(name, "attr") {
			if len(rest) == 0 {
				return nil, fmt.Errorf("%s takes the name of an attribute", name)
			}
			attribute, err := value.Str(r.m, rest[0])
			if err != nil {
				return nil, err
			}
			if subject, err = r.path(x, attribute); err != nil {
				return nil, err
			}
			rest = rest[1:]
		}
		holds := value.Truth(subject)
		if len(rest) > 0 {
			test, _ := rest[0].(string)
			if holds, err = r.holds(test, subject, rest[1:]); err != nil {
				return nil, err
			}
		}
		if holds == strings.HasPrefix(name, "select") {
			out = append(out, x)
		}
	}
	return out, nil
}

func (r *run) mapped(x any, args value.Args) (any, error) {
	if attribute, ok := args.Named["attribute"].(string); ok {
		y, err := r.path(x, attribute)
		if _, absent := y.(undefined); absent {
			if other, ok := args.Named["default"]; ok {
				return other, err
			}
		}
		return y, err
	}
	if len(args.Places) == 0 {
		return nil, fmt.Errorf("map takes a filter or an attribute")
	}
	name, _ := args.Places[0].(string)
	y, known, err := value.Filter(r.m, name, x, value.Args{Places: args.Places[1:], Named: args.Named})
	if !known {
		return nil, fmt.Errorf("the filter %q is not supported", name)
	}
	return y, err
}

func (r *run) tested(x syntax.Test) (any, error) {
	v, err := r.value(x.X)
	if err != nil {
		return nil, err
	}
	args, err := r.arguments(x.Args)
	if err != nil {
		return nil, err
	}
	holds, err := r.holds(x.Name, v, args.Places)
	return holds != x.Negated, err
}

// holds applies a test.
func (r *run) holds(name string, v any, args []any) (bool, error) {
	if err := r.m.Step(1); err != nil {
		return false, err
	}
	if o, ok := map[string]string{"eq": "==", "equalto": "==", "==": "==", "ne": "!=", "!=": "!=", "in": "in", "gt": ">", "greaterthan": ">", ">": ">", "ge": ">=", ">=": ">=", "lt": "<", "lessthan": "<", "<": "<", "le": "<=", "<=": "<=", "sameas": "=="}[name]; ok {
		if len(args) != 1 {
			return false, fmt.Errorf("the test %s takes one argument", name)
		}
		return r.compare(o, v, args[0])
	}
	_, isUndefined := v.(undefined)
	switch name {
	case "defined":
		return !isUndefined, nil
	case "undefined":
		return isUndefined, nil
	case "none":
		return v == nil, nil
	case "true", "false":
		b, ok := v.(bool)
		return ok && b == (name == "true"), nil
	}
	switch v := v.(type) {
	case string:
		return name == "string" || name == "iterable" || name == "sequence" || name == "lower" && v == strings.ToLower(v) || name == "upper" && v == strings.ToUpper(v), r.m.Step(len(v) >> 6)
	case []any:
		return name == "iterable" || name == "sequence", nil
	case *value.Dict:
		return name == "mapping" || name == "iterable" || name == "sequence", nil
	case bool:
		return name == "boolean" || name == "number", nil
	case value.Func:
		return name == "callable", nil
	case float64:
		return name == "number" || name == "float", nil
	case int64:
		switch name {
		case "number", "integer":
			return true, nil
		case "odd", "even":
			return (v%2 == 0) == (name == "even"), nil
		case "divisibleby":
			if n, ok := first(args).(int64); ok && n != 0 {
				return v%n == 0, nil
			}
		}
	}
	if !strings.Contains(" string iterable sequence mapping boolean callable number float integer odd even divisibleby lower upper ", " "+name+" ") {
		return false, fmt.Errorf("the test %q is not supported", name)
	}
	return false, nil
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}
