package jinja_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja"
	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/value"
)

func vars(t testing.TB, raw string) map[string]any {
	t.Helper()
	v, err := value.FromJSON([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for _, k := range v.(*value.Dict).Keys() {
		out[k.(string)], _ = v.(*value.Dict).Member(k.(string))
	}
	return out
}

func render(t testing.TB, src, raw string) (string, error) {
	t.Helper()
	tpl, err := jinja.Parse(src)
	if err != nil {
		return "", err
	}
	out, _, err := tpl.Render(t.Context(), vars(t, raw), jinja.Options{Now: time.Date(2026, 7, 4, 9, 5, 6, 0, time.UTC)})
	return out, err
}

func TestRender(t *testing.T) {
	const data = `{"n":3,"s":"Hello","l":[1,2,3],"d":{"b":1,"a":[true,null,1.5,"x'y"]},"m":[{"role":"user","content":" hi "},{"role":"tool","content":null}],"e":[]}`
	for src, want := range map[string]string{
		"a{{ s }}b":       "aHellob",
		"{{ 1 + 2 * 3 }}": "7", "{{ (1 + 2) * 3 }}": "9", "{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 }}": "-4 2 3.5 8",
		"{{ s ~ 1 ~ none }}": "Hello1None",
		"{{ s[1:3] }}{{ s[-1] }}{{ s[::-1] }}{{ l[:-1] }}":                     "elo" + "olleH" + "[1, 2]",
		"{{ l[5] is defined }} {{ d.zz is undefined }} {{ d['b'] }} {{ d.b }}": "False True 1 1",
		"{{ d }}":                                       `{'b': 1, 'a': [True, None, 1.5, "x'y"]}`,
		"{{ d | tojson }}":                              `{"b": 1, "a": [true, null, 1.5, "x'y"]}`,
		"{{ d | tojson(indent=2) }}":                    "{\n  \"b\": 1,\n  \"a\": [\n    true,\n    null,\n    1.5,\n    \"x'y\"\n  ]\n}",
		"{{ e | tojson }}{{ '<é>' | tojson }}":          `[]"<é>"`,
		"{{ 'a' if n > 5 else 'b' }}{{ 'c' if false }}": "b",
		"{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 2 in l }} {{ 'x' not in s }} {{ 'b' in d }}": "True False True True True",
		"{{ not l and s or 'z' }}": "z", "{{ -3 | abs }} {{ -n | abs }} {{ 1e3 }} {{ 2.5e-1 }}": "3 3 1000.0 0.25",
		"{{ s['upper']() }} {{ true is number }} {{ s.index('l') }} {{ 12345678901 * 1000 }} {{ -2 ** 2 }}":                              "HELLO True 2 12345678901000 4",
		"{% for x in l %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% endfor %}":                                                  "11,22,33",
		"{% for x in l if x > 1 %}{{ x }}{% else %}none{% endfor %}":                                                                     "23",
		"{% for x in e %}{{ x }}{% else %}none{% endfor %}":                                                                              "none",
		"{% for k, v in d.items() %}{{ k }}={{ v if v is number }};{% endfor %}":                                                         "b=1;a=;",
		"{% for x in l %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% if x == 3 %}{% break %}{% endif %}{% endfor %}":               "13",
		"{% set x = 1 %}{% for i in l %}{% set x = i %}{% endfor %}{{ x }}":                                                              "1",
		"{% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = i %}{% endfor %}{{ ns.x }}":                                          "3",
		"{% set a, b = 1, 2 %}{{ a }}{{ b }}":                                                                                            "12",
		"{% set x %}  {{ s }} {% endset %}[{{ x | trim }}]":                                                                              "[Hello]",
		"{% macro f(a, b='x') %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, b=2) }}{{ f(b=3, a=4) }}":                                  "1x1243",
		"{{ m[0].content.strip() }}{{ m[0]['content'] | trim | upper }}":                                                                 "hiHI",
		"{{ m | map(attribute='role') | join(', ') }}":                                                                                   "user, tool",
		"{{ m | selectattr('role', 'equalto', 'tool') | list | length }}{{ m | rejectattr('content') | map(attribute='role') | first }}": "1tool",
		"{{ l | reject('odd') | list }}{{ l | sum }}{{ l | max }}{{ l | reverse | list }}{{ ['b','a'] | sort | join }}":                  "[2]63[3, 2, 1]ab",
		"{{ 'a-b-c'.split('-')[1] }}{{ 'a-b-c'.split('-', 1)[-1] }}{{ ' a  b '.split() | length }}{{ 'a-b'.rsplit('-')[-1] }}":           "bb-c2b",
		"{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x','c')) }}{{ 'aXbX'.replace('X', '-', 1) }}{{ 'abc'.find('c') }}":              "TrueTruea-bX2",
		"{{ '' | default('x') }}|{{ '' | default('x', true) }}|{{ zz | default('x') }}|{{ zz }}":                                         "|x|x|",
		"{{ 'ab' * 2 }}{{ [1] + [2] }}{{ l is iterable }}{{ s is string }}{{ d is mapping }}{{ none is none }}":                          "abab[1, 2]TrueTrueTrueTrue",
		"{{ range(3) | list }}{{ range(5, 1, -2) | list }}{{ range(2, 2) | list }}":                                                      "[0, 1, 2][5, 3][]",
		"{{ strftime_now('%d %b %Y') }}{{ strftime_now('%-d %B, %H:%M') }}":                                                              "04 Jul 20264 July, 09:05",
		"{{ 'x' \"y\" }}{{ 'a\\n\\u00e9\\'' }}":                                                                                          "xya\né'",
		"{# note #}{{ '{{' }}{% raw %}{{ x }}{% endraw %}":                                                                               "{{{{ x }}",
		"a\n  {%- if true %}\n b\n  {%- endif %}\nc":                                                                                     "a b" + "c",
		"a\n  {% if true %}\n b\n  {% endif %}\nc\n":                                                                                     "a\n b\nc",
		"a  {{- s -}}  b": "aHellob",
		"{% filter upper %}a{{ s }}{% endfilter %}":                                                                          "AHELLO",
		"{{ {'a': 1, 'b': [1,]}['b'][0] }}{{ (1, 2)[1] }}{{ 3.0 }}{{ 10000 * 1.5 }}":                                         "123.015000.0",
		"{{ '%s' }}{{ 5 is divisibleby 5 }}{{ 5 is odd }}{{ 2 is in l }}":                                                    "%sTrueTrueTrue",
		"{{ d.get('b') }}{{ d.get('zz') }}{{ d.get('zz', 7) }}{{ d.keys() | list }}":                                         "1None7['b', 'a']",
		"{{ 'a\nb' | indent(2) }}|{{ 'x<y' | e }}|{{ ' 12 ' | int + 1 }}|{{ 2.567 | round(1) }}|{{ 'heLLo wOrld' | title }}": "a\n  b|x&lt;y|13|2.6|Hello World",
		"{{ loop is defined }}{% if zz is not defined %}x{% elif true %}y{% else %}z{% endif %}":                             "Falsex",
	} {
		got, err := render(t, src, data)
		if err != nil || got != want {
			t.Errorf("%s\n got %q, %v\nwant %q", src, got, err, want)
		}
	}
}

func TestWrongTemplates(t *testing.T) {
	for src, want := range map[string]string{
		"{{ x": "does not end", "{% if %}": "unexpected", "{% if x %}": "endif", "{% endfor %}": "without its beginning", "{{ 'a }}": "does not end",
		"{% include 'x' %}": "not supported", "{% import 'x' as y %}": "not supported", "{{ x | nothing }}": "not supported", "{{ 1 is nothing }}": "not supported",
		"{{ x.y }}": "undefined", "{{ x() }}": "undefined", "{{ x + 1 }}": "undefined", "{{ 1 / 0 }}": "zero", "{{ 'a' + 1 }}": "types",
		"{{ raise_exception('Roles must alternate') }}": "Roles must alternate", "{# x": "does not end", "{{ 1 2 }}": "missing", "{{ ~ }}": "unexpected",
		"{{ [].append(1) }}": "may not change", "{% set x.y = 1 %}": "namespace", "{% for a, b in [1] %}{% endfor %}": "names",
		"{{ ''.__class__.__mro__ }}": "undefined", "{{ `x` }}": "character", "{% break %}": "outside",
	} {
		if got, err := render(t, src, "{}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %q", src, got, err, want)
		}
	}
	var raised *jinja.Raised
	if _, err := render(t, "{{ raise_exception('no') }}", "{}"); !errors.As(err, &raised) || raised.Message != "no" {
		t.Error(err)
	}
}

func TestSpans(t *testing.T) {
	tpl, err := jinja.Parse("{% for x in l %}a{% generation %}{{ x }}{% endgeneration %}{% endfor %}{% set s %}{% generation %}q{% endgeneration %}{% endset %}")
	if err != nil {
		t.Fatal(err)
	}
	out, spans, err := tpl.Render(t.Context(), vars(t, `{"l":["xx","y"]}`), jinja.Options{})
	if err != nil || out != "axxay" || len(spans) != 2 || spans[0] != (jinja.Span{From: 1, To: 3}) || spans[1] != (jinja.Span{From: 4, To: 5}) {
		t.Errorf("%q %v %v", out, spans, err)
	}
}

// What a stranger's template tries ends soon, in bounded memory.
func TestHostileTemplates(t *testing.T) {
	deep := func(a, b string, n int) string { return strings.Repeat(a, n) + "1" + strings.Repeat(b, n) }
	loops := strings.Repeat("{% for x in range(100000) %}", 5) + "x" + strings.Repeat("{% endfor %}", 5)
	for name, src := range map[string]string{
		"loops": loops, "range": "{{ range(10000000000) }}", "huge range": "{{ range(-9223372036854775807, 9223372036854775807) }}",
		"doubling":   "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"tilde":      "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
		"lists":      "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"laughs":     "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
		"json":       "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson(indent=16) }}",
		"equal":      "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
		"nest":       "{% set ns = namespace(x=[1]) %}{% for i in range(50000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
		"repeat":     "{{ 'a' * 99999999999 }}",
		"replace":    "{% set a = 'a' * 1000000 %}{{ a.replace('a', a) }}",
		"empty":      "{% set a = 'a' * 1000000 %}{{ a.replace('', a) }}",
		"join":       "{% set a = 'a' * 1000000 %}{{ range(10000) | join(a) }}",
		"recursion":  "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
		"two macros": "{% macro f(x) %}{{ g(x) }}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}",
		"power":      "{{ 9 ** 9 ** 9 ** 9 }}{{ range(9 ** 99) }}",
		"brackets":   "{{ " + deep("(", ")", 100_000) + " }}", "lists in lists": "{{ " + deep("[", "]", 100_000) + " }}",
		"nots": "{{ " + strings.Repeat("not ", 100_000) + "1 }}", "minus": "{{ " + strings.Repeat("-", 100_000) + "1 }}",
		"ifs": strings.Repeat("{% if 1 %}", 20_000), "sum": "{{ 1" + strings.Repeat("+1", 100_000) + " }}",
		"dots": "{{ x" + strings.Repeat(".x", 100_000) + " }}", "pipes": "{{ 1" + strings.Repeat("|int", 100_000) + " }}",
		"ternaries": "{{ 1" + strings.Repeat(" if 1 else 1", 30_000) + " }}", "calls": "{{ x" + strings.Repeat("(", 100_000) + " }}",
		"indent": "{% set a = '\n' * 1000000 %}{% for i in range(1000) %}{% set b = a | indent(100) %}{% endfor %}",
		"upper":  "{% set a = 'a' * 10000000 %}{% for i in range(100000) %}{% set b = a | upper %}{% endfor %}",
		"in":     "{% set a = 'a' * 10000000 %}{% for i in range(100000) %}{% set b = 'b' in a %}{% endfor %}",
		"split":  "{% set a = 'a' * 1000000 %}{% for i in range(100000) %}{% set b = a.split('a') %}{% endfor %}",
		"unique": "{{ range(100000) | unique | list }}", "sort": "{% for i in range(100000) %}{{ range(100000) | sort(reverse=true) }}{% endfor %}",
		"large": strings.Repeat("x", 1<<20), "comment": strings.Repeat("{#", 200_000), "raw": "{% raw %}" + strings.Repeat("{% endraw", 20_000),
		"self": "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}{{ ns == ns }}{{ ns.x.x | tojson }}",
	} {
		begun := time.Now()
		out, err := render(t, src, `{"x":{}}`)
		if err == nil {
			t.Errorf("%s: it renders %d bytes", name, len(out))
		}
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("%s: it took %v", name, d)
		}
	}
}

func TestCancel(t *testing.T) {
	tpl, err := jinja.Parse("{% for x in range(100000) %}{% for y in range(100000) %}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := tpl.Render(ctx, nil, jinja.Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// No template makes it panic, hang or grow.
func FuzzRender(f *testing.F) {
	f.Add("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
	f.Add("{%- set ns = namespace(x=1) -%}{% macro f(a, b=[1,{'c': 2}]) %}{{ a ~ b | tojson(indent=2) }}{% endmacro %}{{ f(range(3), b=none) }}{% raw %}{% endraw %}")
	f.Add("{{ messages[::-1] | selectattr('role', 'in', ['user']) | map(attribute='content') | join('x') if 'a' not in messages[0].content.split(' ')[0] else -1 ** 2 // 3 % 4 }}")
	f.Fuzz(func(t *testing.T, src string) {
		begun := time.Now()
		_, _ = render(t, src, `{"messages":[{"role":"user","content":"a b"},{"role":"assistant","content":null}],"add_generation_prompt":true}`)
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}
