package arguments_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/arguments"
)

const schema = `{"type":"object","additionalProperties":false,"required":["path"],"properties":{
 "path":{"type":"string"},
 "limit":{"type":"integer","minimum":1,"maximum":100},
 "ratio":{"type":"number"},
 "deep":{"type":"boolean"},
 "mode":{"type":"string","enum":["replace","append after","false"]},
 "tags":{"type":"array","items":{"type":"string"}},
 "sizes":{"type":"array","items":{"type":"integer"}},
 "either":{"anyOf":[{"type":"integer"},{"type":"null"}]},
 "maybe":{"type":["string","null"]},
 "mixed":{"type":["string","integer"]},
 "env":{"type":"object"},
 "secrets":{"type":"object","additionalProperties":{"type":"string"}},
 "files":{"type":"array","items":{"$ref":"#/$defs/file"}},
 "level":{"enum":[1,2,"max"]},
 "id":{"type":"string","pattern":"^[a-z]+$"}},
 "$defs":{"file":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"size":{"type":"integer"}}}}}`

func compile(t testing.TB, schema string, s ...tool.Synonyms) *arguments.Checker {
	t.Helper()
	c, err := arguments.Compile(json.RawMessage(schema), s...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNormalForm(t *testing.T) {
	c := compile(t, schema)
	for _, test := range []struct{ in, want string }{
		{`{"path":"a"}`, ``},
		{`{ "limit" : 5, "path" : "a<b>&\u00e9" }`, `{"limit":5,"path":"a<b>&é"}`}, // the order stays
		{`{"path":"a","limit":"5"}`, `{"path":"a","limit":5}`},
		{`{"path":"a","limit":" 5 "}`, `{"path":"a","limit":5}`},
		{`{"path":"a","limit":5.0}`, `{"path":"a","limit":5}`},
		{`{"path":"a","limit":"5.0"}`, `{"path":"a","limit":5}`},
		{`{"path":"a","limit":5e1}`, `{"path":"a","limit":50}`},
		{`{"path":"a","ratio":"1e-4"}`, `{"path":"a","ratio":1e-4}`},
		{`{"path":"a","ratio":2}`, ``},
		{`{"path":5}`, `{"path":"5"}`},
		{`{"path":1e-4}`, `{"path":"1e-4"}`},
		{`{"path":"a","deep":"true"}`, `{"path":"a","deep":true}`},
		{`{"path":"a","deep":"False"}`, `{"path":"a","deep":false}`},
		{`{"path":"a","mode":" Replace "}`, `{"path":"a","mode":"replace"}`},
		{`{"path":"a","mode":"append   After"}`, `{"path":"a","mode":"append after"}`},
		{`{"path":"a","mode":false}`, `{"path":"a","mode":"false"}`},
		{`{"path":"a","mode":null}`, `{"path":"a"}`},
		{`{"path":"a","tags":"x"}`, `{"path":"a","tags":["x"]}`},
		{`{"path":"a","tags":"[\"x\",\"y\"]"}`, `{"path":"a","tags":["x","y"]}`},
		{`{"path":"a","tags":"[x"}`, `{"path":"a","tags":["[x"]}`},
		{`{"path":"a","tags":[1,"y"]}`, `{"path":"a","tags":["1","y"]}`},
		{`{"path":"a","sizes":"[1,2.0]"}`, `{"path":"a","sizes":[1,2]}`},
		{`{"path":"a","sizes":"7"}`, `{"path":"a","sizes":[7]}`},
		{`{"path":"a","either":null}`, ``},
		{`{"path":"a","either":"3"}`, `{"path":"a","either":3}`},
		{`{"path":"a","maybe":null}`, ``},
		{`{"path":"a","maybe":3}`, `{"path":"a","maybe":"3"}`},
		{`{"path":"a","mixed":3}`, ``},
		{`{"path":"a","mixed":"3"}`, ``},
		{`{"path":"a","mixed":1.5}`, `{"path":"a","mixed":"1.5"}`},
		{`{"path":"a","env":{"B":1,"A":null}}`, ``},
		{`{"path":"a","secrets":{"B":1}}`, `{"path":"a","secrets":{"B":"1"}}`},
		{`{"path":"a","files":[{"size":"3","name":7}]}`, `{"path":"a","files":[{"size":3,"name":"7"}]}`},
		{`{"path":"a","level":2}`, ``},
		{`{"path":"a","level":"MAX"}`, `{"path":"a","level":"max"}`},
		{`{"path":"a","path":"b"}`, `{"path":"b"}`},
		{`{"path":"a","id":"abc"}`, ``},
	} {
		if test.want == "" {
			test.want = test.in
		}
		got, notes, err := c.Check(test.in)
		if err != nil || string(got) != test.want || len(notes) > 0 {
			t.Errorf("%s\n got %s %q %v\nwant %s", test.in, got, notes, err, test.want)
		}
	}
}

func TestInvalid(t *testing.T) {
	c := compile(t, schema)
	for _, test := range []struct {
		in    string
		wants []string // field, value, what is allowed
	}{
		{`{}`, []string{`"path"`, "missing", "a string"}},
		{`{"path":null}`, []string{`"path"`, "null", "a string"}},
		{`{"path":["a"]}`, []string{`"path"`, `["a"]`, "a string"}},
		{`{"path":true}`, []string{`"path"`, `true`, "a string"}},
		{`{"path":"a","limit":"soon"}`, []string{`"limit"`, `"soon"`, "an integer"}},
		{`{"path":"a","limit":5.5}`, []string{`"limit"`, `5.5`, "an integer"}},
		{`{"path":"a","limit":1.00000000000000000000000001}`, []string{`"limit"`, "an integer"}},
		{`{"path":"a","limit":0}`, []string{`"limit"`, `0`, "at least 1"}},
		{`{"path":"a","limit":"101"}`, []string{`"limit"`, `101`, "at most 100"}},
		{`{"path":"a","limit":1e999999999}`, []string{`"limit"`}},
		{`{"path":"a","ratio":1e400}`, []string{`"ratio"`}},
		{`{"path":"a","limit":"0x10"}`, []string{`"limit"`}},
		{`{"path":"a","limit":""}`, []string{`"limit"`}},
		{`{"path":"a","deep":1}`, []string{`"deep"`, "1", "a boolean"}},
		{`{"path":"a","deep":"yes"}`, []string{`"deep"`, `"yes"`, "a boolean"}},
		{`{"path":"a","mode":"delete"}`, []string{`"mode"`, `"delete"`, `"replace", "append after", "false"`}},
		{`{"path":"a","mode":true}`, []string{`"mode"`, `true`, `"replace"`}},
		{`{"path":"a","env":"{\"A\":\"b\"}"}`, []string{`"env"`, "an object"}},
		{`{"path":"a","tags":3}`, []string{`"tags"`, "3", "an array"}},
		{`{"path":"a","sizes":"x"}`, []string{`"sizes[0]"`, `"x"`, "an integer"}},
		{`{"path":"a","files":[{"size":1}]}`, []string{`"files[0].name"`, "missing"}},
		{`{"path":"a","files":"x"}`, []string{`"files"`, "an array"}},
		{`{"path":"a","level":3}`, []string{`"level"`, "3", `1, 2, "max"`}},
		{`{"path":"a","id":"ABC"}`, []string{`"id"`, `"ABC"`, "^[a-z]+$"}},
		{`{"limit":"soon","deep":3}`, []string{`"path"`, `"limit"`, `"deep"`}}, // all at once
	} {
		_, _, err := c.Check(test.in)
		var invalid *arguments.Invalid
		if !errors.As(err, &invalid) || errors.Is(err, arguments.ErrMalformed) {
			t.Errorf("%s: %v, want *Invalid", test.in, err)
			continue
		}
		for _, want := range test.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %s", test.in, err, want)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	c := compile(t, schema)
	for _, in := range []string{
		`[]`, `null`, `"x"`, `5`, `true`, `{`, `{"path":"a"`, `{"path":}`, `path`, `{"path":"a",}`, `{'path':'a'}`, `{"path":"a` + "\n" + `"}`,
		strings.Repeat(`{"a":`, 5000), strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300),
	} {
		if _, _, err := c.Check(in); !errors.Is(err, arguments.ErrMalformed) {
			t.Errorf("%.40s: %v, want malformed", in, err)
		}
	}
	open := compile(t, ``)
	for in, want := range map[string]string{"": "{}", " \n": "{}", `{"b":1,"a":[ ]}`: `{"b":1,"a":[]}`} {
		if got, _, err := open.Check(in); err != nil || string(got) != want {
			t.Errorf("%q: %s %v, want %s", in, got, err, want)
		}
	}
}

func TestRepairs(t *testing.T) {
	c := compile(t, schema)
	for in, note := range map[string]string{
		`{"path":"a"}}`:              "after the end",
		`{"path":"a"}{"path":"b"}`:   "after the end",
		"{\"path\":\"a\"}\n</call>":  "after the end",
		`{"path":"a","pth":1}`:       `"pth", did you mean "path"?`,
		`{"path":"a","whatever":{}}`: `"whatever"`,
	} {
		got, notes, err := c.Check(in)
		if err != nil || string(got) != `{"path":"a"}` || len(notes) != 1 || !strings.Contains(notes[0], note) {
			t.Errorf("%s: %s %q %v", in, got, notes, err)
		}
	}
	got, notes, err := c.Check(`{"path":"a","files":[{"name":"x","extra":1}]}`)
	if err != nil || string(got) != `{"path":"a","files":[{"name":"x"}]}` || len(notes) != 1 || !strings.Contains(notes[0], "files[0].extra") {
		t.Errorf("nested: %s %q %v", got, notes, err)
	}
}

func TestWrapped(t *testing.T) {
	c := compile(t, schema)
	for _, in := range []string{`{"args":"{\"path\":\"a\"}"}`, `{"args":["a"]}`, `{"args":5,"path":"a"}`, `{"args":true}`} {
		if _, _, err := c.Check(in); !errors.Is(err, arguments.ErrWrapped) {
			t.Errorf("%s: %v, want wrapped", in, err)
		}
	}
	for _, in := range []string{`{"args":{},"path":"a"}`, `{"args":null,"path":"a"}`} {
		if got, notes, err := c.Check(in); err != nil || string(got) != `{"path":"a"}` || len(notes) != 1 {
			t.Errorf("%s: %s %q %v", in, got, notes, err)
		}
	}
	own := compile(t, `{"type":"object","properties":{"args":{"type":"array","items":{"type":"string"}}}}`)
	if got, _, err := own.Check(`{"args":"x"}`); err != nil || string(got) != `{"args":["x"]}` {
		t.Errorf("a declared args: %s %v", got, err)
	}
}

func TestSynonyms(t *testing.T) {
	c := compile(t, `{"type":"object","properties":{"operation":{"type":"string","enum":["run","scheduled run"]},"hardware_flavor":{"type":"string"}}}`,
		tool.Synonyms{
			Names:  map[string]string{"flavor": "hardware_flavor", "hardware": "hardware_flavor"},
			Values: map[string]map[string]string{"operation": {"uv": "run", "scheduled uv": "scheduled run"}},
		})
	for in, want := range map[string]string{
		`{"operation":"uv","flavor":"t4-small"}`:          `{"operation":"run","hardware_flavor":"t4-small"}`,
		`{"operation":"Scheduled  UV"}`:                   `{"operation":"scheduled run"}`,
		`{"operation":" scheduled  run "}`:                `{"operation":"scheduled run"}`,
		`{"hardware_flavor":"","hardware":"a100-large"}`:  `{"hardware_flavor":"a100-large"}`,
		`{"hardware":"a10g-large","hardware_flavor":"x"}`: `{"hardware_flavor":"x"}`,
		`{"flavor":"","hardware":"a100-large"}`:           `{"hardware_flavor":"a100-large"}`,
	} {
		if got, _, err := c.Check(in); err != nil || string(got) != want {
			t.Errorf("%s: %s %v, want %s", in, got, err, want)
		}
	}
	// Of two that differ one counts, and that the other does not is said.
	for in, loser := range map[string]string{
		`{"flavor":"cpu-basic","hardware":"t4-small"}`:        "hardware",
		`{"flavor":"cpu-basic","hardware_flavor":"t4-small"}`: "flavor",
	} {
		if _, notes, err := c.Check(in); err != nil || len(notes) != 1 || !strings.Contains(notes[0], `"`+loser+`"`) {
			t.Errorf("%s: notes %q, %v", in, notes, err)
		}
	}
	if _, notes, err := c.Check(`{"flavor":"t4-small","hardware":"t4-small"}`); err != nil || len(notes) != 0 {
		t.Errorf("equal ones: notes %q, %v", notes, err)
	}
}

func TestForeignSchemas(t *testing.T) {
	for _, test := range []struct{ schema, in, want string }{
		{`{"type":"object","properties":{}}`, `{"a":1}`, `{}`},
		{`{"type":"object"}`, `{"a":1}`, `{"a":1}`},
		{`{"type":"object","properties":{"a":{}},"additionalProperties":true}`, `{"b":1}`, `{"b":1}`},
		{`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"a":{"type":"integer"}}}`, `{"a":"1"}`, `{"a":1}`},
		{`{"type":"object","properties":{"a":{"type":"string","pattern":"(?!x)"}}}`, `{"a":"x"}`, `{"a":"x"}`},
		{`{"allOf":[{"properties":{"a":{"type":"integer"}}},{"properties":{"b":{"type":"integer"}}}]}`, `{"a":"1","b":"2","c":3}`, `{"a":1,"b":2}`},
		{`{"type":"object","properties":{"kind":{"type":"string"}},"anyOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"integer"}},"required":["b"]}]}`, `{"kind":"x","b":"2"}`, `{"kind":"x","b":2}`},
		{`{"type":"object","properties":{"x":{"oneOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}}}`, `{"x":["a"]}`, `{"x":["a"]}`},
		{`{"$ref":"#/$defs/in","$defs":{"in":{"type":"object","properties":{"a":{"type":"integer"}}}}}`, `{"a":"4","z":1}`, `{"a":4}`},
		{`{"type":"object","patternProperties":{"^x_":{"type":"integer"}},"additionalProperties":false}`, `{"x_a":"1","b":2}`, `{"x_a":1}`},
		{`{"type":"object","properties":{"t":{"$ref":"#"},"n":{"type":"integer"}}}`, `{"t":{"t":{"n":"1"}}}`, `{"t":{"t":{"n":1}}}`},
	} {
		got, _, err := compile(t, test.schema).Check(test.in)
		if err != nil || string(got) != test.want {
			t.Errorf("%s with %s: %s %v, want %s", test.in, test.schema, got, err, test.want)
		}
	}
	for _, bad := range []string{`{"type":"string"}`, `[`, `{"$ref":"http://x/y"}`} {
		if _, err := arguments.Compile(json.RawMessage(bad)); err == nil {
			t.Errorf("%s compiles", bad)
		}
	}
	c := compile(t, `{"type":"object","properties":{"a":{"type":"integer"}},"if":{"required":["a"]},"then":{"required":["b"]}}`)
	var invalid *arguments.Invalid
	if _, _, err := c.Check(`{"a":1}`); !errors.As(err, &invalid) {
		t.Errorf("a condition of the schema: %v", err)
	}
}

// TestOnceIsEnough: the normal form is its own normal form, valid, and says
// nothing new.
func TestOnceIsEnough(t *testing.T) {
	c := compile(t, schema)
	fields := []string{"path", "limit", "ratio", "deep", "mode", "tags", "sizes", "either", "maybe", "mixed", "env", "secrets", "files", "level", "zzz"}
	scalars := []string{`"a"`, `"5"`, `5`, `5.0`, `1e1`, `"true"`, `true`, `false`, `null`, `"replace"`, `" REPLACE"`, `"[1]"`, `["x"]`, `[1,"2"]`, `{"A":"b"}`, `[{"name":1}]`, `""`, `-0`, `"max"`}
	rapid.Check(t, func(rt *rapid.T) {
		var parts []string
		for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom(fields), 0, 6, rapid.ID).Draw(rt, "fields") {
			parts = append(parts, fmt.Sprintf("%q:%s", f, rapid.SampledFrom(scalars).Draw(rt, "value")))
		}
		once, _, err := c.Check("{" + strings.Join(parts, ",") + "}")
		if err != nil {
			return
		}
		twice, notes, err := c.Check(string(once))
		if err != nil || string(twice) != string(once) || len(notes) > 0 {
			rt.Fatalf("%s becomes %s %q %v", once, twice, notes, err)
		}
	})
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"path":"a","limit":"5"}`, `{"path":1e309}`, `[`, `{"args":"x"}`, `{"path":"\ud800"}`, `{"files":[{"name":{}}]}`} {
		f.Add(s)
	}
	c := compile(f, schema)
	f.Fuzz(func(t *testing.T, in string) {
		out, _, err := c.Check(in)
		if err != nil {
			var invalid *arguments.Invalid
			if !errors.Is(err, arguments.ErrMalformed) && !errors.Is(err, arguments.ErrWrapped) && !errors.As(err, &invalid) {
				t.Fatalf("%q: unknown error %v", in, err)
			}
			return
		}
		var object map[string]any
		if json.Unmarshal(out, &object) != nil {
			t.Fatalf("%q becomes %s", in, out)
		}
		twice, notes, err := c.Check(string(out))
		if err != nil || string(twice) != string(out) || len(notes) > 0 {
			t.Fatalf("%q: %s becomes %s %q %v", in, out, twice, notes, err)
		}
	})
}

func TestClosest(t *testing.T) {
	known := []string{"bash", "read", "write", "edit", "hf_jobs", "hf_repo_files", "hf_repo_git", "web_search", "plan_tool"}
	for name, want := range map[string]string{
		"Bash": "bash", "reed": "read", "hf-jobs": "hf_jobs", "websearch": "web_search", "plan": "plan_tool", "hf_repo_file": "hf_repo_files", "job": "hf_jobs",
	} {
		if got := arguments.Closest(name, known, 3); len(got) != 3 || got[0] != want {
			t.Errorf("closest to %q: %q, want %s first", name, got, want)
		}
	}
	if got := arguments.Closest("x", known, 100); len(got) != len(known) {
		t.Errorf("%d names, want all", len(got))
	}
	if got := arguments.Closest("x", nil, 3); len(got) != 0 {
		t.Errorf("%q from nothing", got)
	}
	if got := arguments.Closest("", []string{"a"}, -1); !slices.Equal(got, []string{}) {
		t.Errorf("%q for a negative count", got)
	}
}
