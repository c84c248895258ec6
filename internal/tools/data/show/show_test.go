package show_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/tools/data/show"
)

// page is a page of one row with one column.
func page(feature, value string, cut bool) *viewer.Page {
	return &viewer.Page{
		Features: []viewer.Field{{Name: "c", Feature: viewer.ReadFeature(json.RawMessage(feature))}},
		Rows:     []viewer.Row{{Names: []string{"c"}, Values: map[string]json.RawMessage{"c": json.RawMessage(value)}, Cut: map[string]bool{"c": cut}}},
	}
}

const (
	text   = `{"dtype":"string","_type":"Value"}`
	label  = `{"names":["no","yes"],"_type":"ClassLabel"}`
	image  = `{"_type":"Image"}`
	signed = `https://datasets-server.huggingface.co/assets/a/b/--/x.jpg?Expires=1&Signature=SIG`
)

func TestCells(t *testing.T) {
	for name, c := range map[string]struct {
		feature, value string
		cut            bool
		want           string
	}{
		"text":              {text, `"a \"b\" \u00e9\u001b[31m"`, false, `"a \"b\" é\u001b[31m"`},
		"null":              {text, `null`, false, `null`},
		"nothing":           {text, ``, false, `null`},
		"label":             {label, `1`, false, `1 "yes"`},
		"no label":          {label, `-1`, false, `-1`},
		"null label":        {label, `null`, false, `null`},
		"labels":            {`[` + label + `]`, `[0,1]`, false, `[0 "no", 1 "yes"]`},
		"in a struct":       {`{"a":` + label + `,"b":` + image + `}`, `{"b":{"src":"` + signed + `","height":2,"width":3},"a":0}`, false, `{"b": <image 3x2>, "a": 0 "no"}`},
		"image":             {image, `{"src":"` + signed + `"}`, false, `<image>`},
		"no image":          {image, `null`, false, `null`},
		"untyped sound":     {`{"_type":"Json"}`, `[{"src":"` + signed + `","type":"audio/wav"}]`, false, `[<audio>]`},
		"address in a text": {text, `"see ` + signed + `, or https://datasets-server.huggingface.co/splits"`, false, `"see <file> or https://datasets-server.huggingface.co/splits"`},
		"cut list":          {`[` + text + `]`, `"[\"a\",\"b"`, true, `["a","b (cut by the viewer)`},
		"cut text":          {text, `"abc"`, true, `"abc" (cut by the viewer)`},
		"cut image":         {`[` + image + `]`, `"[{\"src\":\"` + signed + `"`, true, `<image> (cut by the viewer)`},
		"long":              {text, `"` + strings.Repeat("ab ", 200) + `"`, false, `"` + strings.TrimSpace(strings.Repeat("ab ", 100)) + `… (602 characters)`},
		"line ends":         {`{"_type":"Json"}`, "{\n \"a\":\t1\n}", false, `{"a": 1}`},
		"wrong type":        {label, `{"a":[1]}`, false, `{"a":[1]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, n := show.Rows(page(c.feature, c.value, c.cut), 1, 10_000)
			if want := "**Row 0:**\n- c: " + c.want + "\n\n"; got != want || n != 1 {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestLinesAreJSON(t *testing.T) {
	for value, want := range map[string]string{
		`"a"`:                           `{"row_idx":0,"c":"a"}`,
		`{"a":[1,null]}`:                `{"row_idx":0,"c":{"a": [1, null]}}`,
		`null`:                          `{"row_idx":0,"c":null}`,
		`{"src":"` + signed + `"}`:      `{"row_idx":0,"c":"<file>"}`,
		`"0123456789012345678901234"`:   `{"row_idx":0,"c":"01234567890123456789… (25 characters)"}`,
		`["aaaaaaaaaa","bbbbbbbbbbbb"]`: `{"row_idx":0,"c":"[\"aaaaaaaaaa\", \"bbbb… (30 characters)"}`,
	} {
		got := show.Lines(page(`{"_type":"Json"}`, value, false), nil, 20)
		if len(got) != 1 || got[0] != want || !json.Valid([]byte(got[0])) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := show.Lines(page(text, `"a"`, false), []string{"other"}, 20); got[0] != `{"row_idx":0}` {
		t.Error(got)
	}
}

func TestAccess(t *testing.T) {
	for want, r := range map[string]*viewer.Record{
		"none stated":            {},
		"Licence conflict":       {Card: map[string]json.RawMessage{"license": json.RawMessage(`"mit"`)}, Tags: []string{"license:apache-2.0"}},
		"no commercial use":      {Tags: []string{"license:cc-by-nc-sa-4.0"}},
		"share alike":            {Tags: []string{"license:cc-by-sa-4.0"}},
		"other (acme-terms)":     {Card: map[string]json.RawMessage{"license": json.RawMessage(`["other"]`), "license_name": json.RawMessage(`"acme-terms"`)}},
		"private, gated: manual": {Private: true, Gated: "manual"},
		"has disabled it":        {Disabled: true},
	} {
		if got := show.Access(r); !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
}

func TestStructureKeepsTheChosenConfig(t *testing.T) {
	s := &viewer.Splits{}
	for i := range 30 {
		s.All = append(s.All, viewer.Place{Config: fmt.Sprint("c", i), Split: "train"})
	}
	got := show.Structure(s, nil, nil, "c25")
	if !strings.Contains(got, "| c25 | train | ? | ? |") || !strings.Contains(got, "20 more splits") || strings.Count(got, "\n") != 13 {
		t.Error(got)
	}
}

func FuzzRows(f *testing.F) {
	f.Add(text, `"a"`, false)
	f.Add(`[`+image+`]`, `[{"src":"`+signed+`","width":1,"height":-1}]`, true)
	f.Add(`{"a":`+label+`}`, `{"a":1,"b":"`+signed+`"}`, false)
	f.Add(`{"_type":"Json"}`, `"https:\/\/datasets-server.huggingface.co/assets/?Signature=x"`, false)
	f.Fuzz(func(t *testing.T, feature, value string, cut bool) {
		if !json.Valid([]byte(value)) {
			return
		}
		p := page(feature, value, cut)
		got, n := show.Rows(p, 1, 1000)
		if n == 1 && (utf8.RuneCountInString(got) > 1000 || strings.Count(got, "\n") != 3) || strings.Contains(got, "https://datasets-server.huggingface.co/assets/") || strings.ContainsRune(got, 0x1b) {
			t.Errorf("%q", got)
		}
		for _, line := range show.Lines(p, nil, 50) {
			if !json.Valid([]byte(line)) || strings.Contains(line, "https://datasets-server.huggingface.co/assets/") || strings.Contains(line, "\n") {
				t.Errorf("%q", line)
			}
		}
		_ = show.Messages(p)
	})
}
