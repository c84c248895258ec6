// Package jinja renders the part of the Jinja language that chat templates use.
// Templates come from strangers: rendering reads nothing, has a bound on steps,
// on bytes and on depth, and ends with its context. It knows no model.
package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/syntax"
	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/value"
)

const (
	// maxOutput bounds what is rendered, in bytes.
	maxOutput = 4 << 20
	// maxCalls bounds how deep evaluation goes.
	maxCalls = 1_000
	// loopSteps is what each round of a loop costs beside its body.
	loopSteps = 10
	// maxRange is the longest range, as in the tokenizers' own renderer.
	maxRange = 100_000
)

// undefined is what a name stands for that nobody has set.
type undefined = value.Undefined

// Template can be rendered. It is safe for concurrent use.
type Template struct{ tree *syntax.Template }

// Parse reads a template.
func Parse(src string) (*Template, error) {
	tree, err := syntax.Parse(src)
	if err != nil {
		return nil, err
	}
	return &Template{tree}, nil
}

// Options of one rendering.
type Options struct {
	// Now is the time that strftime_now tells.
	Now time.Time
}

// Span is a part of the output, in bytes.
type Span struct{ From, To int }

// Raised is what a template refuses with, in its own words.
type Raised struct{ Message string }

func (e *Raised) Error() string { return "the template refuses: " + e.Message }

// run is one rendering.
type run struct {
	m      *value.Meter
	scopes []map[string]any
	out    *strings.Builder
	inner  int // how many outputs are being captured
	depth  int
	spans  []Span
}

// errBreak and errContinue leave a loop's body.
var (
	errBreak    = errors.New("break outside of a loop")
	errContinue = errors.New("continue outside of a loop")
)

// Render renders the template with variables. spans are the parts of the output
// that the template marks as written by the model.
func (t *Template) Render(ctx context.Context, variables map[string]any, o Options) (out string, spans []Span, err error) {
	r := &run{m: value.NewMeter(ctx), out: &strings.Builder{}}
	r.scopes = []map[string]any{globals(o), variables, {}}
	if err := r.body(t.tree.Body); err != nil {
		return "", nil, err
	}
	return r.out.String(), r.spans, nil
}

// write adds to the output.
func (r *run) write(s string) error {
	if r.out.Len()+len(s) > maxOutput {
		return fmt.Errorf("the output is longer than %d bytes", maxOutput)
	}
	if err := r.m.Bytes(len(s)); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

func (r *run) lookup(name string) any {
	for i := len(r.scopes) - 1; i >= 0; i-- {
		if v, ok := r.scopes[i][name]; ok {
			return v
		}
	}
	return undefined{Name: name}
}

func (r *run) set(name string, v any) { r.scopes[len(r.scopes)-1][name] = v }

// within runs statements with a scope of their own.
func (r *run) within(scope map[string]any, body []syntax.Stmt) error {
	r.scopes = append(r.scopes, scope)
	err := r.body(body)
	r.scopes = r.scopes[:len(r.scopes)-1]
	return err
}

// captured runs statements and returns what they write.
func (r *run) captured(scope map[string]any, body []syntax.Stmt) (string, error) {
	outer := r.out
	r.out = &strings.Builder{}
	r.inner++
	err := r.within(scope, body)
	s := r.out.String()
	r.out = outer
	r.inner--
	return s, err
}

func (r *run) body(body []syntax.Stmt) error {
	for _, s := range body {
		if err := r.m.Step(1); err != nil {
			return err
		}
		if err := r.exec(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) exec(s syntax.Stmt) error {
	switch s := s.(type) {
	case syntax.Text:
		return r.write(s.S)
	case syntax.Output:
		return r.output(s)
	case syntax.If:
		return r.branch(s)
	case syntax.For:
		return r.loop(s)
	case syntax.Set:
		return r.assignment(s)
	case syntax.Macro:
		return r.macro(s)
	case syntax.FilterBlock:
		return r.filterBlock(s)
	case syntax.Generation:
		return r.generation(s)
	case syntax.Jump:
		return r.jump(s)
	}
	return fmt.Errorf("the statement %T is not known", s)
}

// value evaluates an expression.
func (r *run) value(x syntax.Expr) (any, error) {
	if err := r.m.Step(1); err != nil {
		return nil, err
	}
	if r.depth++; r.depth > maxCalls {
		return nil, errors.New("it is nested too deeply")
	}
	defer func() { r.depth-- }()
	switch x := x.(type) {
	case syntax.Literal:
		return x.Value, nil
	case syntax.Variable:
		return r.lookup(x.Name), nil
	case syntax.List:
		return r.list(x)
	case syntax.Dict:
		return r.dict(x)
	case syntax.Unary:
		return r.unary(x)
	case syntax.Binary:
		return r.binary(x)
	case syntax.Comparison:
		return r.comparison(x)
	case syntax.Conditional:
		return r.conditional(x)
	case syntax.Attribute:
		return r.attribute(x)
	case syntax.Index:
		return r.element(x)
	case syntax.Slice:
		return r.part(x)
	case syntax.Call:
		return r.invoke(x)
	case syntax.Filter:
		return r.applied(x)
	case syntax.Test:
		return r.tested(x)
	}
	return nil, fmt.Errorf("the expression %T is not known", x)
}

func (r *run) output(s syntax.Output) error {
	v, err := r.value(s.X)
	if err != nil {
		return err
	}
	out, err := value.Str(r.m, v)
	if err != nil {
		return err
	}
	return r.write(out)
}

func (r *run) branch(s syntax.If) error {
	for i, cond := range s.Conds {
		v, err := r.value(cond)
		if err != nil {
			return err
		}
		if value.Truth(v) {
			return r.body(s.Bodies[i])
		}
	}
	return r.body(s.Other)
}

func (r *run) loop(s syntax.For) error {
	over, err := r.value(s.Over)
	if err != nil {
		return err
	}
	items, err := value.Items(r.m, over)
	if err != nil {
		return err
	}
	if s.Cond != nil {
		if items, err = r.chosen(s, items); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return r.body(s.Other)
	}
	for i, item := range items {
		if err := r.m.Step(loopSteps); err != nil {
			return err
		}
		scope := map[string]any{"loop": state(items, i)}
		if err := assign(scope, s.Targets, item); err != nil {
			return err
		}
		err := r.within(scope, s.Body)
		switch {
		case errors.Is(err, errBreak):
			return nil
		case err != nil && !errors.Is(err, errContinue):
			return err
		}
	}
	return nil
}

// chosen are the items for which the loop's condition holds.
func (r *run) chosen(s syntax.For, items []any) ([]any, error) {
	var out []any
	for _, item := range items {
		scope := map[string]any{}
		if err := assign(scope, s.Targets, item); err != nil {
			return nil, err
		}
		r.scopes = append(r.scopes, scope)
		v, err := r.value(s.Cond)
		r.scopes = r.scopes[:len(r.scopes)-1]
		if err != nil {
			return nil, err
		}
		if value.Truth(v) {
			out = append(out, item)
		}
	}
	return out, nil
}

func state(items []any, i int) any {
	n := int64(len(items))
	d := map[string]any{
		"index": int64(i + 1), "index0": int64(i), "first": i == 0, "last": i == len(items)-1, "length": n,
		"revindex": n - int64(i), "revindex0": n - int64(i) - 1, "previtem": undefined{Name: "loop.previtem"}, "nextitem": undefined{Name: "loop.nextitem"},
	}
	if i > 0 {
		d["previtem"] = items[i-1]
	}
	if i+1 < len(items) {
		d["nextitem"] = items[i+1]
	}
	d["cycle"] = value.Func(func(_ *value.Meter, a value.Args) (any, error) {
		if len(a.Places) == 0 {
			return nil, errors.New("cycle takes values")
		}
		return a.Places[i%len(a.Places)], nil
	})
	return &value.Namespace{Members: d}
}

// assign gives a value to names: one gets it, several get its parts.
func assign(scope map[string]any, targets []string, v any) error {
	if len(targets) == 1 {
		scope[targets[0]] = v
		return nil
	}
	parts, ok := v.([]any)
	if !ok || len(parts) != len(targets) {
		return fmt.Errorf("there are %d names for another number of values", len(targets))
	}
	for i, name := range targets {
		scope[name] = parts[i]
	}
	return nil
}

func (r *run) assignment(s syntax.Set) error {
	var v any
	var err error
	if s.Value != nil {
		v, err = r.value(s.Value)
	} else {
		v, err = r.captured(map[string]any{}, s.Body)
		if err == nil {
			v, err = r.filtered(v, s.Filters)
		}
	}
	if err != nil {
		return err
	}
	if s.Object == "" {
		return assign(r.scopes[len(r.scopes)-1], s.Targets, v)
	}
	n, ok := r.lookup(s.Object).(*value.Namespace)
	if !ok {
		return fmt.Errorf("%s is no namespace: its members cannot be set", s.Object)
	}
	n.Members[s.Targets[0]] = v
	return nil
}

func (r *run) filterBlock(s syntax.FilterBlock) error {
	out, err := r.captured(map[string]any{}, s.Body)
	if err != nil {
		return err
	}
	v, err := r.filtered(out, s.Filters)
	if err != nil {
		return err
	}
	if out, err = value.Str(r.m, v); err != nil {
		return err
	}
	return r.write(out)
}

func (r *run) filtered(v any, chain []syntax.Filter) (any, error) {
	for _, f := range chain {
		f.X = syntax.Literal{Value: v}
		var err error
		if v, err = r.value(f); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (r *run) macro(s syntax.Macro) error {
	depth := 0
	r.set(s.Name, value.Func(func(m *value.Meter, a value.Args) (any, error) {
		if depth++; depth > 100 {
			return nil, errors.New("a macro calls itself too often")
		}
		defer func() { depth-- }()
		if len(a.Places) > len(s.Params) {
			return nil, fmt.Errorf("the macro %s takes %d arguments", s.Name, len(s.Params))
		}
		scope := map[string]any{}
		for i, p := range s.Params {
			v, ok := a.At(i, p)
			switch {
			case ok:
			case s.Defaults[i] != nil:
				var err error
				if v, err = r.value(s.Defaults[i]); err != nil {
					return nil, err
				}
			default:
				v = undefined{Name: p}
			}
			scope[p] = v
		}
		out, err := r.captured(scope, s.Body)
		if err != nil {
			return nil, err
		}
		return out, m.Bytes(len(out))
	}))
	return nil
}

func (r *run) generation(s syntax.Generation) error {
	from := r.out.Len()
	err := r.within(map[string]any{}, s.Body)
	if err == nil && r.inner == 0 {
		r.spans = append(r.spans, Span{from, r.out.Len()})
	}
	return err
}

func (r *run) jump(s syntax.Jump) error {
	if s.Again {
		return errContinue
	}
	return errBreak
}
