package hubsearch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/tools/docs/hubsearch"
)

func TestSections(t *testing.T) {
	got, err := hubsearch.Sections([]byte(`[{"text":"<p>A &amp; <b>B</b></p>[[x.Y]] and [[not a marker]]","source_page_url":"https://huggingface.co/docs/x/a.md#ccxy","source_page_title":"Page","heading1":"Page","heading2":"C[[c.x.y]]"},
	 {"source_page_url":"https://elsewhere.test/z"},{}]`))
	want := []hubsearch.Hit{
		{Title: "Page › C", URL: "https://huggingface.co/docs/x/a#c.x.y", Text: "A & B and [[not a marker]]"},
		{Title: "https://elsewhere.test/z", URL: "https://elsewhere.test/z"},
		{Title: ""},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestFullText(t *testing.T) {
	got, err := hubsearch.FullText([]byte(`{"hits":[{"url":"/docs/x/a#b","content":"C","hierarchy_lvl0":"X","hierarchy_lvl1":"A","hierarchy_lvl2":null}]}`))
	if diff := cmp.Diff([]hubsearch.Hit{{Title: "A", URL: "https://huggingface.co/docs/x/a#b", Text: "C"}}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{``, `[]`, `{"hits":7}`} {
		if _, err := hubsearch.FullText([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzSections(f *testing.F) {
	f.Add([]byte(`[{"text":"<a","source_page_url":"//x#[[","heading1":"]][["}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = hubsearch.Sections(data)
		_, _ = hubsearch.FullText(data)
	})
}
