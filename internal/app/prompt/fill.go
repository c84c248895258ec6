package prompt

import (
	"errors"
	"strings"
)

// fill replaces the marks of a text: {{name}} by a value, {{if condition}} …
// {{else}} … {{end}} by what holds. A dash behind the opening braces takes away the
// blanks before them. Values are not looked into.
//
// The library's templates can do this and much more; they look methods up by name,
// for which the linker keeps every method of every type in the program: six
// megabytes.
func fill(text string, holds func(condition string) (bool, error), value func(name string) (string, error)) (string, error) {
	var out strings.Builder
	var open []bool // what is inside of conditions, the innermost last
	shown := func() bool {
		for _, on := range open {
			if !on {
				return false
			}
		}
		return true
	}
	for {
		before, rest, found := strings.Cut(text, "{{")
		mark, after, closed := strings.Cut(rest, "}}")
		if trimmed, ok := strings.CutPrefix(mark, "-"); ok {
			before, mark = strings.TrimRight(before, " \n"), trimmed
		}
		if shown() {
			out.WriteString(before)
		}
		switch mark = strings.TrimSpace(mark); {
		case !found && len(open) > 0:
			return "", errors.New("a condition has no end")
		case !found:
			return out.String(), nil
		case !closed:
			return "", errors.New("a mark has no end")
		case (mark == "else" || mark == "end") && len(open) == 0:
			return "", errors.New("a condition ends that has not begun")
		case mark == "else":
			open[len(open)-1] = !open[len(open)-1]
		case mark == "end":
			open = open[:len(open)-1]
		case strings.HasPrefix(mark, "if "):
			on, err := holds(strings.TrimSpace(mark[3:]))
			if err != nil {
				return "", err
			}
			open = append(open, on)
		case shown():
			v, err := value(mark)
			if err != nil {
				return "", err
			}
			out.WriteString(v)
		}
		text = after
	}
}
