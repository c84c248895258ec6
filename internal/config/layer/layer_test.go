package layer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/config/layer"
)

func lookup(name string) (string, bool) {
	v, ok := map[string]string{"A": "1", "E": ""}[name]
	return v, ok
}

// Acceptance check 6, the table of references.
func TestCheck6_References(t *testing.T) {
	tests := []struct{ in, want, unset string }{
		{"x-${A}-y", "x-1-y", ""},
		{"${B:-d}", "d", ""},
		{"${B:-}", "", ""},
		{"${B:-a:b/c}", "a:b/c", ""},
		{"${E:-d}", "", ""},
		{"${E}", "", ""},
		{"${B}", "", "B"},
		{"${B:foo}", "", "B"},
		{"${A:foo}", "1", ""},
		{"$A", "$A", ""},
		{"${}", "${}", ""},
		{"$${A}", "${A}", ""},
		{"$$${A}", "$${A}", ""},
		{"${A:-${B:-z}}", "1}", ""},
		{"${A", "${A", ""},
		{"${:-x}", "${:-x}", ""},
		{"${A}${B}${C}", "1", "B,C"},
		{"", "", ""},
	}
	for _, tt := range tests {
		got, unset := layer.Substitute(tt.in, lookup)
		if got != tt.want || strings.Join(unset, ",") != tt.unset {
			t.Errorf("%q: got %q, unset %q; want %q, %q", tt.in, got, unset, tt.want, tt.unset)
		}
	}
}

func FuzzSubstitute(f *testing.F) {
	for _, s := range []string{"x-${A}-y", "${B:-a:b}", "$${A}", "${A:-${B:-z}}", "${", "$", "${}", "$$$${A}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, unset := layer.Substitute(text, lookup)
		if !strings.Contains(text, "${") && (got != text || len(unset) > 0) {
			t.Errorf("%q without a reference became %q", text, got)
		}
		for _, name := range unset {
			if name == "" || strings.ContainsAny(name, "}:") || name == "A" || name == "E" {
				t.Errorf("%q: %q counts as unset", text, name)
			}
		}
		if back, unset := layer.Substitute(layer.Literal(text), lookup); back != text || len(unset) > 0 {
			t.Errorf("Literal(%q) gives %q back, unset %q", text, back, unset)
		}
	})
}

func TestMergeRemembersSources(t *testing.T) {
	tree := layer.New()
	a, b := layer.Source{Layer: "a"}, layer.Source{Layer: "b"}
	tree.Merge(map[string]any{"o": map[string]any{"x": "1", "y": []any{"2"}}, "n": "1"}, a)
	tree.Merge(map[string]any{"o": map[string]any{"y": nil, "z/~": map[string]any{"w": "3"}}}, b)
	want := map[string]any{"o": map[string]any{"x": "1", "y": nil, "z/~": map[string]any{"w": "3"}}, "n": "1"}
	if diff := cmp.Diff(want, tree.Root); diff != "" {
		t.Error(diff)
	}
	for pointer, layerName := range map[string]string{"/o/x": "a", "/o/y": "b", "/o/y/0": "b", "/o/z~1~0/w": "b", "/n": "a", "/gone": "default"} {
		if got := tree.Source(pointer).Layer; got != layerName {
			t.Errorf("%s comes from %q, want %q", pointer, got, layerName)
		}
	}
	tree.Merge(map[string]any{"o": "flat"}, a)
	if got := tree.Source("/o/z~1~0/w").Layer; got != "a" {
		t.Errorf("a replaced part still has its old source %q", got)
	}
}

func TestEditKeepsTheRest(t *testing.T) {
	const file = `{"z":1.50, "a":{"k":[1,2]}, "url":"a&b"}`
	tests := []struct {
		name, in, path, value, want string
	}{
		{"replace", file, "z", "2", `{"z": 2,"a": {"k": [1,2]},"url": "a&b"}`},
		{"append", file, "new", `"x"`, `{"z": 1.50,"a": {"k": [1,2]},"url": "a&b","new": "x"}`},
		{"nested", file, "a|m", `true`, `{"z": 1.50,"a": {"k": [1,2],"m": true},"url": "a&b"}`},
		{"make objects", "", "p|mode", `"ask"`, `{"p": {"mode": "ask"}}`},
		{"remove", file, "a", "", `{"z": 1.50,"url": "a&b"}`},
		{"remove what is not there", file, "b|c", "", `{"z": 1.50,"a": {"k": [1,2]},"url": "a&b"}`},
	}
	squeeze := strings.NewReplacer("\n", "", "  ", "")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var value []byte
			if tt.value != "" {
				value = []byte(tt.value)
			}
			got, err := layer.Edit([]byte(tt.in), strings.Split(tt.path, "|"), value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, squeeze.Replace(string(got))); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, bad := range []string{`[]`, `{`, `{} x`, `{"a":1,}`} {
		if _, err := layer.Edit([]byte(bad), []string{"a"}, []byte("1")); err == nil {
			t.Errorf("%s was edited", bad)
		}
	}
	if _, err := layer.Edit([]byte(`{"a":1}`), []string{"a", "b"}, []byte("1")); err == nil {
		t.Error("a member was put into a number")
	}
}
