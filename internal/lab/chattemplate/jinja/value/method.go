package value

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Method is a method of v; ok is false without one.
func Method(v any, name string) (f Func, ok bool) {
	switch v := v.(type) {
	case string:
		return textMethod(v, name)
	case *Dict:
		return dictMethod(v, name)
	case []any:
		switch name {
		case "append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse":
			return func(*Meter, Args) (any, error) {
				return nil, fmt.Errorf("templates may not change a list (%s)", name)
			}, true
		case "count", "index":
			return func(m *Meter, a Args) (any, error) {
				x, _ := a.At(0, "value")
				n := int64(0)
				for i, item := range v {
					same, err := Equal(m, x, item)
					if err != nil {
						return nil, err
					}
					if same && name == "index" {
						return int64(i), nil
					}
					if same {
						n++
					}
				}
				if name == "index" {
					return nil, errors.New("the value is not in the list")
				}
				return n, nil
			}, true
		}
	}
	return nil, false
}

func dictMethod(d *Dict, name string) (Func, bool) {
	switch name {
	case "get":
		return func(m *Meter, a Args) (any, error) {
			key, _ := a.At(0, "key")
			s, _ := key.(string)
			if v, ok := d.m[s]; ok {
				return v, m.Step(1)
			}
			v, _ := a.At(1, "default")
			return v, m.Step(1)
		}, true
	case "keys":
		return func(m *Meter, _ Args) (any, error) { return d.Keys(), m.Step(len(d.keys)) }, true
	case "values":
		return func(m *Meter, _ Args) (any, error) {
			out := make([]any, len(d.keys))
			for i, k := range d.keys {
				out[i] = d.m[k]
			}
			return out, m.Step(len(out))
		}, true
	case "items":
		return func(m *Meter, _ Args) (any, error) { return pairs(d), m.Step(2 * len(d.keys)) }, true
	case "update", "pop", "clear", "setdefault", "popitem":
		return func(*Meter, Args) (any, error) {
			return nil, fmt.Errorf("templates may not change a dictionary (%s)", name)
		}, true
	}
	return nil, false
}

func pairs(d *Dict) []any {
	out := make([]any, len(d.keys))
	for i, k := range d.keys {
		out[i] = []any{k, d.m[k]}
	}
	return out
}

// textMethod is a method of a text. Each pays for the text it reads.
func textMethod(s, name string) (Func, bool) {
	plain := map[string]func(string) any{
		"upper": func(s string) any { return strings.ToUpper(s) }, "lower": func(s string) any { return strings.ToLower(s) },
		"capitalize": func(s string) any { return capitalize(s) }, "title": func(s string) any { return title(s) },
		"isdigit": func(s string) any { return every(s, unicode.IsDigit) }, "isalpha": func(s string) any { return every(s, unicode.IsLetter) },
		"isspace": func(s string) any { return every(s, unicode.IsSpace) },
		"isupper": func(s string) any { return s != strings.ToLower(s) && s == strings.ToUpper(s) },
		"islower": func(s string) any { return s != strings.ToUpper(s) && s == strings.ToLower(s) },
	}
	if f, ok := plain[name]; ok {
		return func(m *Meter, _ Args) (any, error) {
			if err := m.Bytes(2 * len(s)); err != nil {
				return nil, err
			}
			return f(s), nil
		}, true
	}
	methods := map[string]func(m *Meter, a Args) (any, error){
		"strip":        func(_ *Meter, a Args) (any, error) { return trim(s, a, strings.TrimFunc, strings.Trim) },
		"lstrip":       func(_ *Meter, a Args) (any, error) { return trim(s, a, strings.TrimLeftFunc, strings.TrimLeft) },
		"rstrip":       func(_ *Meter, a Args) (any, error) { return trim(s, a, strings.TrimRightFunc, strings.TrimRight) },
		"startswith":   func(_ *Meter, a Args) (any, error) { return affix(s, a, strings.HasPrefix) },
		"endswith":     func(_ *Meter, a Args) (any, error) { return affix(s, a, strings.HasSuffix) },
		"removeprefix": func(_ *Meter, a Args) (any, error) { x, err := one(a); return strings.TrimPrefix(s, x), err },
		"removesuffix": func(_ *Meter, a Args) (any, error) { x, err := one(a); return strings.TrimSuffix(s, x), err },
		"find":         func(_ *Meter, a Args) (any, error) { x, err := one(a); return place(s, strings.Index(s, x)), err },
		"index": func(_ *Meter, a Args) (any, error) {
			x, err := one(a)
			if err == nil && !strings.Contains(s, x) {
				err = errors.New("the text does not have this part")
			}
			return place(s, strings.Index(s, x)), err
		},
		"rfind":  func(_ *Meter, a Args) (any, error) { x, err := one(a); return place(s, strings.LastIndex(s, x)), err },
		"count":  func(_ *Meter, a Args) (any, error) { x, err := one(a); return int64(strings.Count(s, x)), err },
		"split":  func(m *Meter, a Args) (any, error) { return split(m, s, a, false) },
		"rsplit": func(m *Meter, a Args) (any, error) { return split(m, s, a, true) },
		"splitlines": func(m *Meter, _ Args) (any, error) {
			return texts(m, strings.Split(strings.TrimSuffix(s, "\n"), "\n"))
		},
		"replace": func(m *Meter, a Args) (any, error) { return Replace(m, s, a) },
		"join":    func(m *Meter, a Args) (any, error) { x, _ := a.At(0, "iterable"); return Join(m, x, s) },
		"format":  func(*Meter, Args) (any, error) { return nil, errors.New("the method format is not supported") },
	}
	f, ok := methods[name]
	if !ok {
		return nil, false
	}
	return func(m *Meter, a Args) (any, error) {
		if err := m.Step(1 + len(s)>>6); err != nil {
			return nil, err
		}
		return f(m, a)
	}, true
}

func one(a Args) (string, error) {
	v, _ := a.At(0, "")
	s, ok := v.(string)
	if !ok {
		return "", errors.New("the argument must be a text")
	}
	return s, nil
}

func every(s string, is func(rune) bool) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0
}

func capitalize(s string) string {
	runes := []rune(strings.ToLower(s))
	if len(runes) > 0 {
		runes[0] = unicode.ToUpper(runes[0])
	}
	return string(runes)
}

func title(s string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		defer func() { before = r }()
		if unicode.IsLetter(before) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// place turns an offset in bytes into one in characters.
func place(s string, i int) int64 {
	if i < 0 {
		return -1
	}
	return int64(len([]rune(s[:i])))
}

func trim(s string, a Args, blanks func(string, func(rune) bool) string, set func(string, string) string) (any, error) {
	v, ok := a.At(0, "chars")
	if !ok || v == nil {
		return blanks(s, unicode.IsSpace), nil
	}
	chars, ok := v.(string)
	if !ok {
		return nil, errors.New("strip takes a text")
	}
	return set(s, chars), nil
}

func affix(s string, a Args, has func(s, affix string) bool) (any, error) {
	v, _ := a.At(0, "")
	if list, ok := v.([]any); ok {
		for _, item := range list {
			if x, ok := item.(string); ok && has(s, x) {
				return true, nil
			}
		}
		return false, nil
	}
	x, err := one(a)
	return has(s, x), err
}

func texts(m *Meter, parts []string) (any, error) {
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out, m.Bytes(16 * len(out))
}

func split(m *Meter, s string, a Args, fromEnd bool) (any, error) {
	limit := -1
	if v, ok := a.At(1, "maxsplit"); ok {
		n, isInt := v.(int64)
		if !isInt {
			return nil, errors.New("maxsplit must be a whole number")
		}
		limit = int(max(min(n, 1<<30), -1))
	}
	v, ok := a.At(0, "sep")
	if !ok || v == nil {
		if limit >= 0 {
			return nil, errors.New("split at blanks takes no maximum here")
		}
		return texts(m, strings.Fields(s))
	}
	sep, ok := v.(string)
	if !ok || sep == "" {
		return nil, errors.New("split takes a text that is not empty")
	}
	if err := m.Bytes(16 * strings.Count(s, sep)); err != nil {
		return nil, err
	}
	parts := strings.Split(s, sep)
	switch {
	case limit < 0 || len(parts) <= limit+1:
	case fromEnd:
		cut := len(parts) - limit
		parts = append([]string{strings.Join(parts[:cut], sep)}, parts[cut:]...)
	default:
		parts = append(parts[:limit:limit], strings.Join(parts[limit:], sep))
	}
	return texts(m, parts)
}

// Replace is str.replace.
func Replace(m *Meter, s string, a Args) (any, error) {
	x, _ := a.At(0, "old")
	y, _ := a.At(1, "new")
	before, ok := x.(string)
	after, both := y.(string)
	if !ok || !both {
		return nil, errors.New("replace takes two texts")
	}
	n := -1
	if v, ok := a.At(2, "count"); ok && v != nil {
		c, isInt := v.(int64)
		if !isInt {
			return nil, errors.New("count must be a whole number")
		}
		n = int(max(min(c, 1<<30), -1))
	}
	times := strings.Count(s, before)
	if n >= 0 {
		times = min(times, n)
	}
	if err := m.Bytes(len(s)); err != nil {
		return nil, err
	}
	if times > 0 && len(after) > MaxBytes/times {
		return nil, m.Bytes(MaxBytes + 1)
	}
	if err := m.Bytes(times * len(after)); err != nil {
		return nil, err
	}
	return strings.Replace(s, before, after, n), nil
}

// Join is str.join, of anything that has a text.
func Join(m *Meter, v any, sep string) (string, error) {
	items, err := Items(m, v)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, item := range items {
		s, err := Str(m, item)
		if err != nil {
			return "", err
		}
		if i > 0 {
			s = sep + s
		}
		if err := m.Bytes(len(s)); err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}
