package schema_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/lab/record"
	"github.com/ml-intern/ml-intern/internal/lab/schema"
)

// stream makes n rows from a pattern in which # is the row's number and % its
// remainder by three.
func stream(n int, pattern string) iter.Seq2[record.Row, error] {
	return func(yield func(record.Row, error) bool) {
		for i := range n {
			line := strings.ReplaceAll(strings.ReplaceAll(pattern, "#", fmt.Sprint(i)), "%", fmt.Sprint(i%3))
			cells, err := record.Parse([]byte(line))
			if !yield(record.Row{Index: int64(i), Cells: cells}, err) {
				return
			}
		}
	}
}

func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		pattern string
		known   []schema.Column
		wanted  []string
		texts   string
		labels  string
	}{
		"instructions": {pattern: `{"id":"a-#","instruction":"do thing # now","output":"it is done # times","source":"s%","ok":true}`, texts: "instruction output", labels: "source ok"},
		"chat":         {pattern: `{"messages":[{"role":"user","content":"hi #"}],"url":"https://example.org/#"}`, texts: "messages"},
		"classes":      {pattern: `{"text":"a review # of it","label":%}`, texts: "text", labels: "label"},
		"numbers":      {pattern: `{"text":"a review # of it","n":%}`, texts: "text"},
		"declared":     {pattern: `{"text":"a review # of it","n":%}`, known: []schema.Column{{Name: "n", Labels: []string{"x", "y"}}}, texts: "text", labels: "n"},
		"words":        {pattern: `{"word":"w"}`, texts: "word", labels: "word"},
		"one word":     {pattern: `{"text":"word#","text2":"a b #"}`, texts: "text2"},
		"nulls":        {pattern: `{"text":null,"body":"some text #"}`, texts: "body"},
		"wanted":       {pattern: `{"id":"a-#","a":"text # a","b":"text # b"}`, wanted: []string{"b", "id"}, texts: "b id"},
		"han":          {pattern: `{"id":"x#","text":"训练第#步"}`, texts: "text"},
	} {
		s, err := schema.Of([]iter.Seq2[record.Row, error]{stream(40, c.pattern)}, c.known, c.wanted)
		if err != nil {
			t.Fatal(err)
		}
		var labels []string
		for _, l := range s.Labels {
			labels = append(labels, l.Column)
		}
		if strings.Join(s.Texts, " ") != c.texts || strings.Join(labels, " ") != c.labels {
			t.Errorf("%s: texts %q, labels %q", name, s.Texts, labels)
		}
	}
}

func TestOfRefuses(t *testing.T) {
	if _, err := schema.Of([]iter.Seq2[record.Row, error]{stream(5, `{"n":#}`)}, nil, nil); err == nil {
		t.Error("no column has text")
	}
	if _, err := schema.Of([]iter.Seq2[record.Row, error]{stream(5, `{"a":"b # c"}`)}, nil, []string{"x"}); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("%v", err)
	}
	broken := func(yield func(record.Row, error) bool) { yield(record.Row{}, errors.New("broken")) }
	if s, err := schema.Of([]iter.Seq2[record.Row, error]{broken}, nil, []string{"x"}); err != nil || len(s.Names) != 0 {
		t.Errorf("an error is left for the reading: %v, %v", s, err)
	}
}

func TestFieldsAndClasses(t *testing.T) {
	cells, err := record.Parse([]byte(`{"m":[{"role":"user","content":"A  b"},{"from":"gpt","value":"C"}],"e":[],"l":["X","y"],"n":null,"c":1,"o":"Other"}`))
	if err != nil {
		t.Fatal(err)
	}
	row := record.Row{Cells: cells}
	s := schema.Schema{Texts: []string{"m", "e", "l", "n", "absent"}}
	var got []string
	for _, f := range s.Fields(row) {
		got = append(got, fmt.Sprintf("%s/%s/%s/%t", f.Column, f.Role, f.Normal, f.Null))
	}
	want := []string{"m/user/a b/false", "m/gpt/c/false", "e///false", "l//x y/false", "n///true", "absent///true"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if j := schema.Joined(s.Fields(row)); j != "a b c x y" {
		t.Errorf("joined %q", j)
	}
	var beside []string
	s.Beside(row, func(column, text string) { beside = append(beside, column+"="+text) })
	if !slices.Equal(beside, []string{"o=Other"}) {
		t.Errorf("%q", beside)
	}
	for value, want := range map[string]string{`1`: "y", `-1`: "", `7`: "7", `"z"`: "z", `null`: "", `1.5`: "1.5", `true`: "true"} {
		l := schema.Label{Column: "c", Names: []string{"x", "y"}}
		if got, _ := l.Class(record.Row{Cells: []record.Cell{{Column: "c", Value: []byte(value)}}}); got != want {
			t.Errorf("class of %s is %q, not %q", value, got, want)
		}
	}
}
