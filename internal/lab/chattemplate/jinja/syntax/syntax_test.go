package syntax_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/syntax"
)

func TestParse(t *testing.T) {
	tree, err := syntax.Parse("a {%- if x.y[1:] is not none %}{{ -f(1, b=2) | trim }}{% endif %}{% generation %}{% endgeneration %}")
	if err != nil {
		t.Fatal(err)
	}
	want := []syntax.Stmt{
		syntax.Text{S: "a"},
		syntax.If{
			Conds: []syntax.Expr{syntax.Test{
				X:    syntax.Slice{X: syntax.Attribute{X: syntax.Variable{Name: "x"}, Name: "y"}, From: syntax.Literal{Value: int64(1)}},
				Name: "none", Negated: true,
			}},
			Bodies: [][]syntax.Stmt{{syntax.Output{X: syntax.Filter{
				X: syntax.Unary{Op: "-", X: syntax.Call{
					Fn: syntax.Variable{Name: "f"}, Args: syntax.Arguments{Places: []syntax.Expr{syntax.Literal{Value: int64(1)}}, Names: []string{"b"}, Values: []syntax.Expr{syntax.Literal{Value: int64(2)}}},
				}},
				Name: "trim",
			}}}},
		},
		syntax.Generation{},
	}
	if d := cmp.Diff(want, tree.Body); d != "" {
		t.Error(d)
	}
}

// Reading takes time in proportion to the text, whatever it says.
func TestLongTexts(t *testing.T) {
	begun := time.Now()
	for _, piece := range []string{"{{", "{%", "{#", "{% raw %}", "{% endraw", "\n  {% if x %}", "{{ 'a' }}", "{{ '", "\\", "((((", "}}", "{{-  -}}", " \n", "{% raw %}{% endraw %}", "{% set x %}"} {
		_, _ = syntax.Parse(strings.Repeat(piece, (512<<10)/len(piece)))
	}
	if d := time.Since(begun); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("{% for a, b in c.items() if a %}{{ a ~ b }}{% else %}{% endfor %}{% macro m(x, y=1) %}{% endmacro %}{% set n.x = [1, {'a': (1,)}] %}")
	f.Fuzz(func(_ *testing.T, src string) {
		_, _ = syntax.Parse(src) // must not panic
	})
}
