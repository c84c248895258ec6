package jinja

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/syntax"
	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/value"
)

func (r *run) list(x syntax.List) (any, error) {
	out := make([]any, len(x.Items))
	for i, item := range x.Items {
		var err error
		if out[i], err = r.value(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *run) dict(x syntax.Dict) (any, error) {
	d := value.NewDict()
	for i := range x.Keys {
		k, err := r.value(x.Keys[i])
		if err != nil {
			return nil, err
		}
		key, err := value.Str(r.m, k)
		if err != nil {
			return nil, err
		}
		v, err := r.value(x.Values[i])
		if err != nil {
			return nil, err
		}
		d.Set(key, v)
	}
	return d, nil
}

func (r *run) unary(x syntax.Unary) (any, error) {
	v, err := r.value(x.X)
	if err != nil {
		return nil, err
	}
	if x.Op == "not" {
		return !value.Truth(v), nil
	}
	switch n := v.(type) {
	case int64:
		if x.Op == "-" {
			return -n, nil
		}
		return n, nil
	case float64:
		if x.Op == "-" {
			return -n, nil
		}
		return n, nil
	}
	return nil, fmt.Errorf("only a number takes the sign %s", x.Op)
}

func (r *run) conditional(x syntax.Conditional) (any, error) {
	cond, err := r.value(x.Cond)
	if err != nil {
		return nil, err
	}
	if value.Truth(cond) {
		return r.value(x.Then)
	}
	return r.value(x.Other)
}

func (r *run) binary(x syntax.Binary) (any, error) {
	a, err := r.value(x.X)
	if err != nil {
		return nil, err
	}
	if x.Op == "and" && !value.Truth(a) || x.Op == "or" && value.Truth(a) {
		return a, nil
	}
	b, err := r.value(x.Y)
	if err != nil || x.Op == "and" || x.Op == "or" {
		return b, err
	}
	for _, v := range []any{a, b} {
		if u, is := v.(undefined); is && x.Op != "~" {
			return nil, u.Wrong()
		}
	}
	return r.operate(x.Op, a, b)
}

func (r *run) operate(op string, a, b any) (any, error) {
	switch op {
	case "~":
		s, err := value.Str(r.m, a)
		if err != nil {
			return nil, err
		}
		t, err := value.Str(r.m, b)
		if err != nil {
			return nil, err
		}
		return s + t, r.m.Bytes(len(s) + len(t))
	case "+":
		if s, ok := a.(string); ok {
			if t, ok := b.(string); ok {
				if err := r.m.Bytes(len(s) + len(t)); err != nil {
					return nil, err
				}
				return s + t, nil
			}
		}
		if s, ok := a.([]any); ok {
			if t, ok := b.([]any); ok {
				if err := r.m.Bytes(16 * (len(s) + len(t))); err != nil {
					return nil, err
				}
				return append(append(make([]any, 0, len(s)+len(t)), s...), t...), nil
			}
		}
	case "*":
		if s, ok := a.(string); ok {
			return r.times(s, b)
		}
		if s, ok := b.(string); ok {
			return r.times(s, a)
		}
	}
	m, ok := value.Number(a)
	n, both := value.Number(b)
	if !ok || !both {
		return nil, fmt.Errorf("values of these types have no %s", op)
	}
	i, isInt := a.(int64)
	j, alsoInt := b.(int64)
	if isInt && alsoInt && op != "/" && math.Abs(m) < 1<<61 && math.Abs(n) < 1<<61 && (op != "*" || math.Abs(m*n) < 1<<61) {
		return whole(op, i, j)
	}
	return real(op, m, n)
}

func (r *run) times(s string, v any) (any, error) {
	n, ok := v.(int64)
	if !ok {
		return nil, errors.New("a text is repeated a whole number of times")
	}
	n = max(n, 0)
	if n > value.MaxBytes || int64(len(s))*n > value.MaxBytes {
		return nil, r.m.Bytes(value.MaxBytes + 1)
	}
	if err := r.m.Bytes(len(s) * int(n)); err != nil {
		return nil, err
	}
	return strings.Repeat(s, int(n)), nil
}

// whole computes with whole numbers whose sums and products have room, as
// Python does.
func whole(op string, a, b int64) (any, error) {
	switch op {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "//", "%":
		if b == 0 {
			return nil, errors.New("division by zero")
		}
		q, m := a/b, a%b
		if m != 0 && (m < 0) != (b < 0) {
			q, m = q-1, m+b
		}
		if op == "%" {
			return m, nil
		}
		return q, nil
	}
	p := math.Pow(float64(a), float64(b))
	if b >= 0 && math.Abs(p) < 1<<53 {
		return int64(p), nil
	}
	return p, nil
}

func real(op string, a, b float64) (any, error) {
	switch op {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "**":
		return math.Pow(a, b), nil
	}
	if b == 0 {
		return nil, errors.New("division by zero")
	}
	switch op {
	case "//":
		return math.Floor(a / b), nil
	case "%":
		return a - b*math.Floor(a/b), nil
	}
	return a / b, nil
}

func (r *run) comparison(x syntax.Comparison) (any, error) {
	a, err := r.value(x.First)
	if err != nil {
		return nil, err
	}
	for i, o := range x.Ops {
		b, err := r.value(x.Rest[i])
		if err != nil {
			return nil, err
		}
		holds, err := r.compare(o, a, b)
		if err != nil || !holds {
			return false, err
		}
		a = b
	}
	return true, nil
}

func (r *run) compare(o string, a, b any) (bool, error) {
	switch o {
	case "==", "!=":
		same, err := value.Equal(r.m, a, b)
		return same == (o == "=="), err
	case "in", "not in":
		is, err := value.In(r.m, a, b)
		return is == (o == "in"), err
	}
	c, err := value.Compare(r.m, a, b)
	switch o {
	case "<":
		return c < 0, err
	case "<=":
		return c <= 0, err
	case ">":
		return c > 0, err
	}
	return c >= 0, err
}

func (r *run) attribute(x syntax.Attribute) (any, error) {
	v, err := r.value(x.X)
	if err != nil {
		return nil, err
	}
	if u, is := v.(undefined); is {
		return nil, u.Wrong()
	}
	if _, isDict := v.(*value.Dict); isDict { // methods go before members, as in Python
		if f, ok := value.Method(v, x.Name); ok {
			return f, nil
		}
	}
	if member, ok := value.Member(v, x.Name); ok {
		return member, nil
	}
	if f, ok := value.Method(v, x.Name); ok {
		return f, nil
	}
	return undefined{Name: x.Name}, nil
}

func (r *run) element(x syntax.Index) (any, error) {
	v, err := r.value(x.X)
	if err != nil {
		return nil, err
	}
	key, err := r.value(x.Key)
	if err != nil {
		return nil, err
	}
	if u, is := v.(undefined); is {
		return nil, u.Wrong()
	}
	if name, ok := key.(string); ok {
		if member, ok := value.Member(v, name); ok {
			return member, nil
		}
		if f, ok := value.Method(v, name); ok {
			return f, nil
		}
		return undefined{Name: name}, nil
	}
	i, ok := key.(int64)
	if !ok {
		return undefined{Name: "index"}, nil
	}
	items, ok := v.([]any)
	if s, isText := v.(string); isText {
		items, err = value.Items(r.m, s)
		ok = true
	}
	if i < 0 {
		i += int64(len(items))
	}
	if err != nil || !ok || i < 0 || i >= int64(len(items)) {
		return undefined{Name: fmt.Sprintf("[%d]", i)}, err
	}
	return items[i], nil
}

func (r *run) part(x syntax.Slice) (any, error) {
	v, err := r.value(x.X)
	if err != nil {
		return nil, err
	}
	_, isText := v.(string)
	items, err := value.Items(r.m, v)
	if err != nil {
		return nil, err
	}
	bound := [3]*int64{}
	for i, e := range []syntax.Expr{x.From, x.To, x.Step} {
		if e == nil {
			continue
		}
		k, err := r.value(e)
		if err != nil {
			return nil, err
		}
		switch k := k.(type) {
		case nil:
		case int64:
			bound[i] = &k
		default:
			return nil, errors.New("a slice has whole numbers")
		}
	}
	if err := r.m.Bytes(16 * len(items)); err != nil {
		return nil, err
	}
	out := sliced(items, bound)
	if isText {
		return value.Join(r.m, out, "")
	}
	return out, nil
}

// sliced is items[from:to:step].
func sliced(items []any, bound [3]*int64) []any {
	n, step := int64(len(items)), int64(1)
	if bound[2] != nil && *bound[2] != 0 {
		step = max(min(*bound[2], n+1), -n-1)
	}
	from, to, low, high := int64(0), n, int64(0), n
	if step < 0 {
		from, to, low, high = n-1, -1, -1, n-1
	}
	for i, at := range []*int64{&from, &to} {
		if bound[i] == nil {
			continue
		}
		if *at = *bound[i]; *at < 0 {
			*at += n
		}
		*at = max(min(*at, high), low)
	}
	out := []any{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, items[i])
	}
	return out
}

func (r *run) arguments(a syntax.Arguments) (value.Args, error) {
	var out value.Args
	for _, x := range a.Places {
		v, err := r.value(x)
		if err != nil {
			return out, err
		}
		out.Places = append(out.Places, v)
	}
	for i, n := range a.Names {
		v, err := r.value(a.Values[i])
		if err != nil {
			return out, err
		}
		if out.Named == nil {
			out.Named = map[string]any{}
		}
		out.Named[n] = v
	}
	return out, nil
}

func (r *run) invoke(x syntax.Call) (any, error) {
	fn, err := r.value(x.Fn)
	if err != nil {
		return nil, err
	}
	args, err := r.arguments(x.Args)
	if err != nil {
		return nil, err
	}
	switch f := fn.(type) {
	case value.Func:
		return f(r.m, args)
	case undefined:
		return nil, f.Wrong()
	}
	return nil, errors.New("this is nothing to call")
}
