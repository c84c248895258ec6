package record_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/lab/record"
)

func TestParseKeepsOrderAndRawValues(t *testing.T) {
	cells, err := record.Parse([]byte(` {"b": "x\"y", "a":[1, {"k":"}"}] ,"n":null,"é":-1.5e3, "" : {} } `))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cells {
		got = append(got, c.Column+"="+string(c.Value))
	}
	want := []string{`b="x\"y"`, `a=[1, {"k":"}"}]`, "n=null", "é=-1.5e3", "={}"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if v := (record.Row{Cells: cells}).Value("n"); string(v) != "null" {
		t.Errorf("Value(n) = %s", v)
	}
	if v := (record.Row{Cells: cells}).Value("absent"); v != nil {
		t.Errorf("Value(absent) = %s", v)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		"", "[]", "null", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{a:1}`, `{"a":"`, `{"a":"\`, `{"a":1}{}`, `{"a" 1}`,
		`{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "{\"a\":\"\n\"}",
	} {
		if cells, err := record.Parse([]byte(in)); err == nil {
			t.Errorf("Parse(%q) = %v", in, cells)
		}
	}
}

func TestTexts(t *testing.T) {
	for in, want := range map[string][]string{
		`"one"`:             {"one"},
		`"a\nb \u00e9"`:     {"a\nb é"},
		`null`:              nil,
		``:                  nil,
		`12`:                {"12"},
		`true`:              {"true"},
		`["a", "b"]`:        {"a", "b"},
		`[]`:                nil,
		`{"a":1}`:           nil,
		`[{"a":"no role"}]`: nil,
		`[{"role":"user","content":"hi"},{"role":"assistant","content":"ho","tool_calls":[]}]`:                 {"hi", "ho"},
		`[{"from":"human","value":"hi"},{"from":"gpt","value":"ho"}]`:                                          {"hi", "ho"},
		`[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}]`: {"a\nb"},
		`[{"role":"assistant","content":null}]`:                                                                {""},
	} {
		if got := record.Texts(json.RawMessage(in)); !slices.Equal(got, want) {
			t.Errorf("Texts(%s) = %q, want %q", in, got, want)
		}
	}
}

func TestKindOf(t *testing.T) {
	for in, want := range map[string]record.Kind{
		`"x"`: record.String, ` 1`: record.Number, `-1`: record.Number, `false`: record.Bool, `null`: record.Null,
		`NaN`: record.Null, ``: record.Null, `["a"]`: record.Strings, `[1]`: record.Other, `[]`: record.Other,
		`[{"role":"user","content":"x"}]`: record.Messages, `[{"x":1}]`: record.Other, `{}`: record.Other,
	} {
		if got := record.KindOf(json.RawMessage(in)); got != want {
			t.Errorf("KindOf(%s) = %d, want %d", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":"b"}`, `{"m":[{"role":"user","content":"x"}]}`, `{"a":{"b":[1,2,{}]},"c":null}`, `{"a":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cells, err := record.Parse(data)
		var truth map[string]json.RawMessage
		if json.Unmarshal(data, &truth) == nil && truth != nil && strings.Count(string(data), "{")+strings.Count(string(data), "[") <= record.MaxDepth {
			if err != nil {
				t.Fatalf("refused what is an object: %v", err)
			}
			seen := map[string]string{}
			for _, c := range cells {
				seen[c.Column] = strings.TrimSpace(string(c.Value))
			}
			for name, v := range truth {
				if got, ok := seen[name]; !ok || got != strings.TrimSpace(string(v)) {
					t.Fatalf("%q: %s, want %s", name, got, v)
				}
				var s string
				if json.Unmarshal(v, &s) == nil && v[0] == '"' && record.Text(v) != s {
					t.Fatalf("Text(%s) = %q, want %q", v, record.Text(v), s)
				}
			}
		}
		for _, c := range cells {
			record.KindOf(c.Value)
			record.Texts(c.Value)
		}
	})
}
