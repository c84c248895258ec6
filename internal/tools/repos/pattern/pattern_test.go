package pattern_test

import (
	"testing"

	"github.com/ml-intern/ml-intern/internal/tools/repos/pattern"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"*.tmp", "a.tmp", true},
		{"*.tmp", "d/b.tmp", true},
		{"*.tmp", "a.TMP", false},
		{"*.tmp", "a.tmpx", false},
		{"d/", "d/x/y.bin", true},
		{"d/", "dd/x", false},
		{"./d/", "d/x", true},
		{"?.bin", "a.bin", true},
		{"?.bin", "ab.bin", false},
		{"ckpt-[0-9].bin", "ckpt-7.bin", true},
		{"ckpt-[!0-9].bin", "ckpt-7.bin", false},
		{"ckpt-[!0-9].bin", "ckpt-x.bin", true},
		{"a[", "a[", true},
		{"a.b", "axb", false},
		{"[]]", "]", true},
		{"a\nb", "a\nb", true},
		{"*", "ü/ö", true},
		{"größe?", "größe1", true},
	} {
		s, err := pattern.Compile([]string{c.pattern})
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if got := s.Match(c.path); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.path, got)
		}
	}
	if _, err := pattern.Compile([]string{""}); err == nil {
		t.Error("an empty pattern is taken")
	}
}

func FuzzLiteral(f *testing.F) {
	for _, s := range []string{"a*b", "x?", "[a]", "[!b]", "]", "ü", "a/b.bin"} {
		f.Add(s, "other")
	}
	f.Fuzz(func(t *testing.T, path, other string) {
		if path == "" || path[len(path)-1] == '/' || len(path) > 1 && path[:2] == "./" {
			return
		}
		s, err := pattern.Compile([]string{pattern.Literal(path)})
		if err != nil {
			return // not valid UTF-8
		}
		if !s.Match(path) && other != path {
			t.Errorf("%q does not match itself", path)
		}
		if other != path && s.Match(other) {
			t.Errorf("the literal of %q matches %q", path, other)
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add("[a-", "x")
	f.Add("[!", "x")
	f.Add("[z-a]", "x")
	f.Fuzz(func(_ *testing.T, p, path string) {
		if s, err := pattern.Compile([]string{p}); err == nil {
			s.Match(path)
		}
	})
}
