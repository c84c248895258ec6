package loose_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/loose"
)

type record struct {
	Name  string
	Count *int
	Inner *struct{ Text string }
	Tags  []string
}

func TestDecode(t *testing.T) {
	seven := 7
	for in, want := range map[string]record{
		`{}`: {}, `{"name":null,"count":null,"inner":null,"tags":null}`: {},
		`{"name":5,"count":7,"tags":"x"}`:                     {Count: &seven},
		`{"inner":"text","count":"7","name":"a"}`:             {Name: "a", Count: nil},
		`{"tags":["a",5,"b",null],"count":7.5,"name":["x"]} `: {Tags: []string{"a", "", "b", ""}},
	} {
		var got record
		if err := loose.Decode([]byte(in), &got); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got.Count != nil && *got.Count == 0 {
			got.Count = nil // a number that was none
		}
		if got.Inner != nil && got.Inner.Text == "" {
			got.Inner = nil
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", in, d)
		}
	}
	var list []record
	if err := loose.Decode([]byte(`[{"name":"a"},5,null,{"name":"b"}]`), &list); err != nil || len(list) != 4 || list[3].Name != "b" {
		t.Errorf("%v %+v", err, list)
	}
	for _, bad := range []string{``, `null`, `[]`, `"x"`, `{"a":`, `<html>`} {
		var r record
		if err := loose.Decode([]byte(bad), &r); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	if err := loose.Decode([]byte(`{"error":"x"}`), &list); err == nil {
		t.Error("an object was read as a list")
	}
}

func TestValue(t *testing.T) {
	type answer struct {
		Name  loose.Value[string]
		Likes loose.Value[float64]
		Inner loose.Value[struct{ Total int }]
		Tags  loose.Value[[]string]
	}
	read := func(in string) (a answer) {
		if err := json.Unmarshal([]byte(in), &a); err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		return a
	}
	if d := cmp.Diff(answer{
		Name: loose.Value[string]{V: "a", Set: true}, Likes: loose.Value[float64]{Set: true},
		Inner: loose.Value[struct{ Total int }]{V: struct{ Total int }{3}, Set: true},
	}, read(`{"name":"a","likes":0,"inner":{"total":3},"tags":null}`)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	for _, in := range []string{`{}`, `{"name":5,"likes":"many","inner":[1],"tags":[1]}`, `{"name":"a","name":{}}`} {
		if d := cmp.Diff(answer{}, read(in)); d != "" {
			t.Errorf("%s: -want +got\n%s", in, d)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"a","count":1,"inner":{"text":"x"},"tags":["a"]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var r record
		_ = loose.Decode(data, &r)
		var l []record
		_ = loose.Decode(data, &l)
	})
}
