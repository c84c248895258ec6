package jinja

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/value"
)

// globals are the functions that templates find.
func globals(o Options) map[string]any {
	return map[string]any{
		"raise_exception": value.Func(func(m *value.Meter, a value.Args) (any, error) {
			v, _ := a.At(0, "message")
			s, err := value.Str(m, v)
			if err != nil {
				return nil, err
			}
			return nil, &Raised{s}
		}),
		"strftime_now": value.Func(func(_ *value.Meter, a value.Args) (any, error) {
			v, _ := a.At(0, "format")
			s, _ := v.(string)
			return strftime(o.Now, s), nil
		}),
		"namespace": value.Func(func(_ *value.Meter, a value.Args) (any, error) {
			n := &value.Namespace{Members: map[string]any{}}
			for k, v := range a.Named {
				n.Members[k] = v
			}
			return n, nil
		}),
		"dict": value.Func(func(_ *value.Meter, a value.Args) (any, error) {
			if len(a.Named) > 1 {
				return nil, errors.New("dict takes one member here: their order is not known")
			}
			d := value.NewDict()
			for k, v := range a.Named {
				d.Set(k, v)
			}
			return d, nil
		}),
		"range": value.Func(numbers),
	}
}

func numbers(m *value.Meter, a value.Args) (any, error) {
	var bounds []int64
	for _, p := range a.Places {
		n, ok := p.(int64)
		if !ok || n > 1<<40 || n < -1<<40 {
			return nil, errors.New("range takes whole numbers of reasonable size")
		}
		bounds = append(bounds, n)
	}
	from, to, step := int64(0), int64(0), int64(1)
	switch len(bounds) {
	case 1:
		to = bounds[0]
	case 2:
		from, to = bounds[0], bounds[1]
	case 3:
		from, to, step = bounds[0], bounds[1], bounds[2]
	}
	if len(bounds) < 1 || len(bounds) > 3 || step == 0 {
		return nil, errors.New("range takes one to three whole numbers")
	}
	n := (to - from + step - sign(step)) / step
	if n <= 0 {
		return []any{}, nil
	}
	if n > maxRange {
		return nil, fmt.Errorf("a range has more than %d numbers", maxRange)
	}
	if err := m.Bytes(16 * int(n)); err != nil {
		return nil, err
	}
	out := make([]any, n)
	for i := range out {
		out[i] = from + int64(i)*step
	}
	return out, m.Step(int(n))
}

func sign(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}

// strftime writes a time as C does, as far as templates ask for it.
func strftime(t time.Time, format string) string {
	layouts := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'B': "January", 'b': "Jan", 'A': "Monday", 'a': "Mon",
		'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'j': "002", 'F': "2006-01-02", 'T': "15:04:05",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		pad := format[i] != '-'
		if !pad && i+1 < len(format) {
			i++
		}
		s := format[i : i+1]
		if l, ok := layouts[format[i]]; ok {
			s = t.Format(l)
		}
		if !pad {
			s = strings.TrimLeft(s, "0 ")
		}
		b.WriteString(s)
	}
	return b.String()
}
