package source_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/lab/audit"
	"github.com/ml-intern/ml-intern/internal/tools/audit/source"
)

// What a name means: decision 91.
func TestPlace(t *testing.T) {
	exists := func(path string) bool { return path == "data/train" || path == "corpus" || path == "my data" }
	for _, c := range []struct{ name, target, local, err string }{
		{"./x", "./x", "yes", ""},
		{"../x", "../x", "yes", ""},
		{"/data/x", "/data/x", "yes", ""},
		{"~/x", "~/x", "yes", ""},
		{".", ".", "yes", ""},
		{`C:\data`, `C:\data`, "yes", ""},
		{"rows.jsonl", "rows.jsonl", "yes", ""},
		{"acme/rows.parquet", "acme/rows.parquet", "yes", ""},
		{"acme/chat-sft", "acme/chat-sft", "no", ""},
		{" imdb ", "imdb", "no", ""},
		{"hf:data/train", "data/train", "no", ""},
		{"hf://datasets/data/train", "data/train", "no", ""},
		{"https://huggingface.co/datasets/acme/chat-sft/", "acme/chat-sft", "no", ""},
		{"my data", "my data", "yes", ""},
		{"data/train", "", "", "write ./data/train for the path, or hf:data/train for the data set on the Hub"},
		{"corpus", "", "", "write ./corpus"},
		{"other data", "", "", "is no data file and no data set"},
		{"hf:../../x", "", "", "../../x"},
	} {
		target, local, err := source.Place(c.name, exists)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || target != c.target || local != (c.local == "yes") {
			t.Errorf("%q: %q, local %v, %v", c.name, target, local, err)
		}
	}
}

// indexes are the numbers of a split's rows.
func indexes(t *testing.T, s audit.Split) []int64 {
	t.Helper()
	var out []int64
	for r, err := range s.Rows {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Index)
	}
	return out
}

func TestLocalFiles(t *testing.T) {
	dir := t.TempDir()
	var train strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&train, "{\"id\":%d}\n", i)
	}
	for name, text := range map[string]string{
		"train.jsonl": train.String(), "test.jsonl": "{\"id\":1}\n", "extra.jsonl": "{\"id\":2}\n",
		"README.md": "---\nlicense: [mit, cc-by-4.0]\n---\n# Card\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func(w source.Wanted) *source.Data {
		t.Helper()
		w.Name, w.Local = dir, true
		d, err := source.New(source.Options{}).Open(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := open(source.Wanted{})
	if d.Origin != "local files" || len(d.Splits) != 3 || d.Splits[0].Name != "train" || d.Splits[0].Compared || !d.Splits[1].Compared {
		t.Errorf("splits %+v", d.Splits)
	}
	for range 2 { // as often as one likes
		if n := len(indexes(t, d.Splits[0])); n != 1000 {
			t.Errorf("%d rows", n)
		}
	}
	if d.Licence == nil || !cmp.Equal(d.Licence.Card, []string{"mit", "cc-by-4.0"}) {
		t.Errorf("licence %+v", d.Licence)
	}
	a, b := open(source.Wanted{Sample: 100, Seed: 3}), open(source.Wanted{Sample: 100, Seed: 3})
	other := open(source.Wanted{Sample: 100, Seed: 4})
	first := indexes(t, a.Splits[0])
	if len(first) != 100 || a.Splits[0].Total != 1000 || !cmp.Equal(first, indexes(t, b.Splits[0])) || cmp.Equal(first, indexes(t, other.Splits[0])) {
		t.Errorf("a sample of %d of %d rows, the same again: %v", len(first), a.Splits[0].Total, cmp.Equal(first, indexes(t, b.Splits[0])))
	}
	d = open(source.Wanted{Split: "test", Compare: []string{"train"}})
	if len(d.Splits) != 2 || d.Splits[0].Name != "train" || !d.Splits[0].Compared || d.Splits[1].Compared {
		t.Errorf("splits %+v", d.Splits)
	}
	for _, w := range []source.Wanted{{Split: "none"}, {Compare: []string{"none"}}, {Config: "x"}} {
		w.Name, w.Local = dir, true
		if _, err := source.New(source.Options{}).Open(t.Context(), w); err == nil {
			t.Errorf("%+v was taken", w)
		}
	}
}

// plant has the server answer for a data set of one configuration.
func plant(s *lookuptest.Server, total int, fail func(offset int) int) {
	s.Answer("/viewer/splits", 200, `{"splits":[{"dataset":"a/b","config":"default","split":"train"}],"pending":[],"failed":[]}`)
	s.Answer("/viewer/size", 200, fmt.Sprintf(`{"size":{"dataset":{"dataset":"a/b","num_rows":%d},"configs":[],"splits":[{"dataset":"a/b","config":"default","split":"train","num_rows":%d}]},"pending":[],"failed":[],"partial":false}`, total, total))
	s.Answer("/hub/api/datasets/a/b", 200, `{"id":"a/b","gated":false,"tags":["license:mit"],"cardData":{"license":"mit"}}`)
	s.Handle("/viewer/rows", func(w http.ResponseWriter, r *http.Request) {
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		if status := fail(offset); status != 0 {
			w.Header().Set("Retry-After", "60")
			http.Error(w, `{"error":"slow down"}`, status)
			return
		}
		var rows []map[string]any
		for i := offset; i < min(offset+100, total); i++ {
			rows = append(rows, map[string]any{"row_idx": i, "row": map[string]any{"text": fmt.Sprint("row ", i), "label": i % 2}, "truncated_cells": []string{}})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"features": []any{
				map[string]any{"feature_idx": 0, "name": "text", "type": map[string]any{"dtype": "string", "_type": "Value"}},
				map[string]any{"feature_idx": 1, "name": "label", "type": map[string]any{"names": []string{"no", "yes"}, "_type": "ClassLabel"}},
			},
			"rows": rows, "num_rows_total": total, "num_rows_per_page": 100, "partial": false,
		})
	})
}

func hub(t *testing.T, s *lookuptest.Server, w source.Wanted) (*source.Data, error) {
	t.Helper()
	v, err := viewer.New(viewer.Options{Fetch: s.Client(), Pauses: []time.Duration{}})
	if err != nil {
		t.Fatal(err)
	}
	w.Name = "a/b"
	return source.New(source.Options{Viewer: v}).Open(t.Context(), w)
}

// A split of the Hub is read in whole pages that the seed chooses.
func TestHubSample(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, 12_345, func(int) int { return 0 })
	var before []int64
	for range 2 {
		d, err := hub(t, s, source.Wanted{Sample: 500, Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		got := indexes(t, d.Splits[0])
		if len(got) != 500 || d.Splits[0].Total != 12_345 || before != nil && !cmp.Equal(before, got) {
			t.Fatalf("%d rows of %d, the same again: %v", len(got), d.Splits[0].Total, cmp.Equal(before, got))
		}
		before = got
		if len(d.Columns) != 2 || !cmp.Equal(d.Columns[1].Labels, []string{"no", "yes"}) || d.Licence == nil || len(d.Answers) < 2 {
			t.Errorf("columns %+v, licence %+v, %d answers", d.Columns, d.Licence, len(d.Answers))
		}
	}
	pages := map[string]bool{}
	for _, r := range s.Requests("/viewer/rows") {
		pages[r.Query.Get("offset")] = true
	}
	if len(pages) < 5 || len(pages) > 6 { // one more may be the first
		t.Errorf("%d pages were asked for", len(pages))
	}
}

// A small split is read whole; a limit on the way leaves what was read, and says
// so.
func TestHubWholeAndCutShort(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, 450, func(int) int { return 0 })
	d, err := hub(t, s, source.Wanted{Sample: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if got := indexes(t, d.Splits[0]); len(got) != 450 || got[449] != 449 || len(d.Warnings) != 0 {
		t.Errorf("%d rows, warnings %q", len(got), d.Warnings)
	}
	s = lookuptest.New(t)
	plant(s, 450, func(offset int) int {
		if offset == 200 {
			return http.StatusTooManyRequests
		}
		return 0
	})
	d, err = hub(t, s, source.Wanted{Sample: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if got := indexes(t, d.Splits[0]); len(got) < 100 || len(got) > 350 || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "incomplete") || !strings.Contains(d.Warnings[0], "rate_limited") {
		t.Errorf("%d rows, warnings %q", len(got), d.Warnings)
	}
}
