package viewer_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

func client(t testing.TB, s *lookuptest.Server) *viewer.Client {
	t.Helper()
	c, err := viewer.New(viewer.Options{Fetch: s.Client(), Pauses: []time.Duration{}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// served plants a file, recorded or our own, and returns a client.
func served(t testing.TB, route, file string) (*viewer.Client, *lookuptest.Server) {
	t.Helper()
	s := lookuptest.New(t)
	if own, err := os.ReadFile(filepath.Join("testdata", file)); err == nil {
		s.Answer(route, 200, string(own))
	} else {
		s.File(route, 200, file)
	}
	return client(t, s), s
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func types(fields []viewer.Field) map[string]string {
	all := map[string]string{}
	for _, f := range fields {
		all[f.Name] = f.Feature.String()
	}
	return all
}

func TestNewNeedsFetch(t *testing.T) {
	if _, err := viewer.New(viewer.Options{}); err == nil || !strings.Contains(err.Error(), "Fetch") {
		t.Error(err)
	}
}

func TestIDs(t *testing.T) {
	for text, want := range map[string]string{
		"acme/chat-sft": "acme/chat-sft", "squad": "squad", " acme/d ": "acme/d", "https://huggingface.co/datasets/acme/d/": "acme/d",
		"datasets/acme/d": "acme/d", "hf://datasets/acme/d": "acme/d", "huggingface.co/datasets/acme/d": "acme/d",
		"": "", "a/b/c": "", "../../x": "", "a/..": "", "a b": "", "a/b?c": "", "https://evil.test/a/b": "", strings.Repeat("x", 97): "", "a/b\n": "a/b",
	} {
		if got, err := viewer.ID(text); got != want || (err == nil) != (want != "") {
			t.Errorf("ID(%q) = %q, %v", text, got, err)
		}
	}
}

func TestSplits(t *testing.T) {
	c, s := served(t, "/viewer/splits", "dv-splits-duorc.json")
	got, err := c.Splits(t.Context(), "ibm/duorc")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got.Configs(), []string{"ParaphraseRC", "SelfRC"})
	same(t, got.Of("SelfRC"), []string{"train", "validation", "test"})
	if got.Response == nil || got.SHA256 == "" || !strings.Contains(got.URL, "dataset=ibm%2Fduorc") {
		t.Errorf("the answer is not kept: %+v", got.Source)
	}
	if a := s.Requests("/viewer")[0].Header.Get("Authorization"); a != "Bearer "+lookuptest.HubToken {
		t.Errorf("sent %q", a)
	}
}

func TestChoose(t *testing.T) {
	c, _ := served(t, "/viewer/splits", "splits.json")
	s, err := c.Splits(t.Context(), "acme/d")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ config, split, want, err string }{
		{"", "", "a/test", ""},
		{"b", "", "b/train", ""},
		{"b", "dev", "b/dev", ""},
		{"b", "test", "", "there are dev, train"},
		{"c", "", "", `config "c" does not exist; there are a, b; pending: c; failed: d/train`},
	} {
		at, err := s.Choose("acme/d", tt.config, tt.split)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if got := at.Config + "/" + at.Split; err != nil || got != tt.want {
			t.Errorf("%+v: %s, %v", tt, got, err)
		}
	}
	if _, err := (&viewer.Splits{}).Choose("x", "", ""); err == nil {
		t.Error("nothing was chosen from nothing")
	}
	same(t, viewer.At{Dataset: "a/b", Config: "c d/e", Split: "f"}.Page(), "https://huggingface.co/datasets/a/b/viewer/c%20d%2Fe/f")
}

func TestInfo(t *testing.T) {
	for file, want := range map[string]map[string]string{
		"dv-info-legacy-list.json":  {"prompt": "string", "messages": "List<{content: string, role: string}>"},
		"dv-info-chat.json":         {"id": "string", "messages": "List<{role: string, content: string}>", "source": "ClassLabel(3: web, forum, synthetic)"},
		"dv-info-squad.json":        {"id": "string", "title": "string", "context": "string", "question": "string", "answers": "{text: List<string>, answer_start: List<int32>}"},
		"dv-info-duorc-selfrc.json": {"plot_id": "string", "plot": "string", "title": "string", "question_id": "string", "question": "string", "answers": "List<string>", "no_answer": "bool"},
	} {
		t.Run(file, func(t *testing.T) {
			c, _ := served(t, "/viewer/info", file)
			got, err := c.Info(t.Context(), "a/b", "x")
			if err != nil {
				t.Fatal(err)
			}
			same(t, types(got.Configs[0].Features), want)
		})
	}
	t.Run("all configs", func(t *testing.T) {
		c, _ := served(t, "/viewer/info", "dv-info-mnist-all-configs.json")
		got, err := c.Info(t.Context(), "ylecun/mnist", "")
		if err != nil {
			t.Fatal(err)
		}
		same(t, got.Configs[0].Name, "ylecun/mnist")
		same(t, types(got.Configs[0].Features), map[string]string{"image": "Image", "label": "ClassLabel(10: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)"})
		same(t, got.Configs[0].Splits, []viewer.SplitInfo{{Name: "train", Rows: 60000, Bytes: 17471100}, {Name: "test", Rows: 10000, Bytes: 2916482}})
	})
	t.Run("failed", func(t *testing.T) {
		c, _ := served(t, "/viewer/info", "dv-info-failed-configs.json")
		got, err := c.Info(t.Context(), "allenai/atomic", "")
		if err != nil || len(got.Configs) != 0 || got.Progress.String() != "; failed: atomic" {
			t.Errorf("%+v %v", got, err)
		}
	})
}

func TestFeaturesInAllForms(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "features.json"))
	if err != nil {
		t.Fatal(err)
	}
	members, err := viewer.Members(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		// The name is the type that is wanted.
		if got := viewer.ReadFeature(m.Value).String(); got != m.Name {
			t.Errorf("%s instead of %s", got, m.Name)
		}
	}
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	if got := viewer.ReadFeature(json.RawMessage(deep)).String(); len(got) > 200 {
		t.Errorf("%d characters for a deep type", len(got))
	}
	label := viewer.Feature{Kind: viewer.ClassLabel, Names: []string{"a"}}
	if name, ok := label.Label(0); name != "a" || !ok {
		t.Error("label 0 has no name")
	}
	for _, n := range []int{-1, 1} {
		if _, ok := label.Label(n); ok {
			t.Errorf("label %d has a name", n)
		}
	}
}

func TestPages(t *testing.T) {
	t.Run("order and cuts", func(t *testing.T) {
		c, _ := served(t, "/viewer/first-rows", "page.json")
		page, err := c.FirstRows(t.Context(), viewer.At{Dataset: "a/b", Config: "c", Split: "d"})
		if err != nil {
			t.Fatal(err)
		}
		same(t, page.Rows[0].Names, []string{"z", "a", "m"})
		same(t, page.Rows[0].Cut, map[string]bool{"a": true})
		same(t, string(page.Rows[0].Values["m"]), `{"k":[1,2]}`)
		same(t, page.Rows[1].Index, 7)
		same(t, page.Rows[1].Names, []string(nil))
		same(t, []any{page.Total, page.Truncated, page.Partial}, []any{int64(-1), true, false})
	})
	for file, total := range map[string]int64{
		"dv-rows-audit-train-0.json": 120, "dv-rows-audit-train-100.json": 120, "dv-rows-audit-test.json": 30, "dv-rows-chat-test.json": 100,
		"dv-rows-imdb.json": 25000, "dv-rows-image-horse2zebra.json": 1334, "dv-first-rows-squad-nested.json": -1,
	} {
		t.Run(file, func(t *testing.T) {
			c, s := served(t, "/viewer/rows", file)
			page, err := c.Rows(t.Context(), viewer.At{Dataset: "a/b", Config: "c", Split: "d"}, -3, 1000)
			if err != nil || page.Total != total || len(page.Rows) == 0 {
				t.Fatalf("%v, %+v", err, page)
			}
			same(t, len(page.Rows[0].Names), len(page.Features))
			same(t, s.Requests("/viewer")[0].Query.Encode(), "config=c&dataset=a%2Fb&length=100&offset=0&split=d")
		})
	}
	t.Run("search and filter", func(t *testing.T) {
		c, s := served(t, "/viewer/search", "dv-search-imdb.json")
		s.File("/viewer/filter", 200, "dv-filter-titanic.json")
		at := viewer.At{Dataset: "a/b", Config: "c", Split: "d"}
		found, err := c.Search(t.Context(), at, "dog & cat", 10, 5)
		if err != nil || found.Total != 624 {
			t.Error(found, err)
		}
		rows, err := c.Filter(t.Context(), at, `"Age"<18`, `"Age" DESC`, 0, 5)
		if err != nil || len(rows.Rows) == 0 || rows.Rows[0].Index != 9 {
			t.Error(rows, err)
		}
		same(t, s.Requests("/viewer/search")[0].Query.Get("query"), "dog & cat")
		same(t, s.Requests("/viewer/filter")[0].Query.Get("where"), `"Age"<18`)
		same(t, s.Requests("/viewer/filter")[0].Query.Get("orderby"), `"Age" DESC`)
	})
}

func TestStatistics(t *testing.T) {
	at := viewer.At{Dataset: "a/b", Config: "c", Split: "d"}
	for file, want := range map[string][]string{
		"dv-statistics-chat.json":         {"string_text", "list", "class_label"},
		"dv-statistics-audit.json":        {"string_text", "string_text", "string_text", "class_label"},
		"dv-statistics-class-label.json":  {"class_label"},
		"dv-statistics-image.json":        {"image", "class_label"},
		"dv-statistics-bool.json":         {"bool", "string_text", "string_text"},
		"dv-statistics-string-text.json":  {"string_text", "int", "class_label", "string_text"},
		"dv-statistics-string-label.json": nil, "dv-statistics-numeric.json": nil, "dv-statistics-audio.json": nil, "dv-statistics-datetime.json": nil,
	} {
		t.Run(file, func(t *testing.T) {
			c, _ := served(t, "/viewer/statistics", file)
			s, err := c.Statistics(t.Context(), at)
			if err != nil || s.Rows == 0 {
				t.Fatal(err)
			}
			var got []string
			for _, col := range s.Columns {
				got = append(got, col.Type)
				if len(col.Histogram) > 0 && col.Type != "datetime" && len(col.Edges) != len(col.Histogram)+1 && len(col.Histogram) > 1 {
					t.Errorf("%s: %d counts, %d edges", col.Name, len(col.Histogram), len(col.Edges))
				}
				if len(col.Values) == 0 && col.Min == nil && col.From == "" && col.NoLabel < s.Rows {
					t.Errorf("%s: nothing is known: %+v", col.Name, col)
				}
			}
			if want != nil {
				same(t, got, want)
			}
		})
	}
	t.Run("lenient", func(t *testing.T) {
		c, _ := served(t, "/viewer/statistics", "statistics.json")
		s, err := c.Statistics(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		same(t, s.Columns[0].Values, []viewer.Frequency{{Value: "b", Count: 5}, {Value: "a", Count: 2}})
		if s.Columns[1].Min != nil || s.Columns[1].From != "odd" || *s.Columns[1].Max != 2 {
			t.Errorf("%+v", s.Columns[1])
		}
	})
}

func TestSizes(t *testing.T) {
	for file, want := range map[string][2]int64{
		"dv-size-audit.json": {150, 2}, "dv-size-chat.json": {1300, 2}, "dv-size-duorc.json": {187213, 6}, "dv-size-squad.json": {98169, 2}, "dv-size-failed.json": {0, 0},
	} {
		t.Run(file, func(t *testing.T) {
			c, _ := served(t, "/viewer/size", file)
			s, err := c.Size(t.Context(), "a/b")
			if err != nil {
				t.Fatal(err)
			}
			same(t, [2]int64{s.Dataset.Rows, int64(len(s.Splits))}, want)
		})
	}
	c, _ := served(t, "/viewer/size", "size.json")
	s, err := c.Size(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	same(t, s.Of("c", "train"), &viewer.Amount{Config: "c", Split: "train", Rows: 10, Estimated: 100, Parquet: 5, Memory: 50, Columns: 3})
	same(t, s.Of("c", "nope"), (*viewer.Amount)(nil))
	same(t, len(s.Configs), 1)
	same(t, (*viewer.Size)(nil).Of("c", "train"), (*viewer.Amount)(nil))
}

func TestParquet(t *testing.T) {
	for file, want := range map[string]struct {
		partial bool
		failed  int
	}{
		"dv-parquet-chat.json": {}, "dv-parquet-duorc.json": {}, "dv-parquet-squad.json": {}, "dv-parquet-sharded.json": {},
		"dv-parquet-partial.json": {true, 0}, "dv-parquet-none.json": {false, 1},
	} {
		t.Run(file, func(t *testing.T) {
			c, _ := served(t, "/viewer/parquet", file)
			p, err := c.Parquet(t.Context(), "a/b")
			if err != nil || p.Partial != want.partial || len(p.Failed) != want.failed || (len(p.Files) == 0) != (want.failed > 0) {
				t.Fatalf("%+v %v", p, err)
			}
			for _, f := range p.Files {
				if f.Bytes == 0 || f.Config == "" || !strings.HasPrefix(f.URL, "https://huggingface.co/") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

func TestValidAndPresidio(t *testing.T) {
	for file, want := range map[string][5]bool{
		"dv-is-valid-all.json": {true, true, true, true, true}, "dv-is-valid-preview-only.json": {true}, "dv-is-valid-none.json": {},
	} {
		t.Run(file, func(t *testing.T) {
			c, _ := served(t, "/viewer/is-valid", file)
			v, err := c.IsValid(t.Context(), "a/b")
			if err != nil {
				t.Fatal(err)
			}
			same(t, [5]bool{v.Preview, v.Viewer, v.Search, v.Filter, v.Statistics}, want)
		})
	}
	c, _ := served(t, "/viewer/presidio-entities", "dv-presidio-entities.json")
	p, err := c.Presidio(t.Context(), viewer.At{Dataset: "a/b", Config: "c", Split: "d"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, p.Columns, []string{"fake_name", "fake_ssn"})
	same(t, p.Found, []viewer.Frequency{{Value: "person", Count: 3}, {Value: "phone_number"}, {Value: "email_address"}, {Value: "sensitive_pii", Count: 2}})
	same(t, []any{p.Rows, p.Full}, []any{int64(3), true})
}

func TestRecord(t *testing.T) {
	c, _ := served(t, "/hub/api/datasets/acme/chat-sft", "hub-dataset-info.json")
	r, err := c.Record(t.Context(), "acme/chat-sft")
	if err != nil {
		t.Fatal(err)
	}
	same(t, []any{r.ID, r.Gated, r.Private, r.Words("license"), r.Tagged("license"), r.Files, r.Downloads},
		[]any{"acme/chat-sft", "auto", false, []string{"cc-by-nc-4.0"}, []string{"cc-by-nc-4.0"}, []string{".gitattributes", "README.md", "train.jsonl", "test.jsonl"}, int64(321)})
}

func TestOddRecords(t *testing.T) {
	s := lookuptest.New(t)
	for body, gated := range map[string]string{
		`{"id":"acme/d","gated":false,"cardData":null,"tags":null}`:        "",
		`{"id":"acme/d","gated":"manual","cardData":[],"siblings":"none"}`: "manual",
		`{"id":"acme/d","gated":true,"tags":["license:mit",7]}`:            "manual",
	} {
		s.Answer("/hub/api/datasets/acme/d", 200, body)
		r, err := client(t, s).Record(t.Context(), "acme/d")
		if err != nil || r.Gated != gated || r.ID != "acme/d" {
			t.Errorf("%s: %+v %v", body, r, err)
		}
	}
	s.Answer("/hub/api/datasets/acme/d", 200, `<html>`)
	var f *fetch.Error
	if _, err := client(t, s).Record(t.Context(), "acme/d"); !errors.As(err, &f) || f.Kind != fetch.Parse {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		file   string
		status int
		code   string
		kind   fetch.Kind
		want   string
	}{
		{"dv-error-401-404-missing-or-gated.json", 401, viewer.Unauthenticated, fetch.Unauthorized, "does not exist, or is not accessible"},
		{"dv-error-401-404-missing-or-gated.json", 404, viewer.NoAccess, fetch.NotFound, "does not exist, or is not accessible"},
		{"dv-error-404-config-or-split.json", 404, viewer.NotFound, fetch.NotFound, "Not found."},
		{"dv-error-422-missing-params.json", 422, viewer.MissingArgument, fetch.BadArgument, "are required"},
		{"dv-error-500-not-ready.json", 500, viewer.NotReady, fetch.NotReady, "retry later"},
		{"dv-error-500-unexpected.json", 500, "UnexpectedError", fetch.Upstream, "Unexpected error."},
		{"dv-error-500-dataset-error.json", 500, "StreamingRowsError", fetch.Upstream, "FileNotFoundError: https://homes.cs.washington.edu"},
		{"dv-error-501-blocked.json", 501, viewer.Blocked, fetch.Blocked, "has been disabled"},
		{"dv-error-501-too-many-configs.json", 501, "DatasetWithTooManyConfigsError", fetch.Upstream, "3000"},
		{"error-cause.json", 500, "StreamingRowsError", fetch.Upstream, "OSError: the archive is torn"},
		{"error-odd.json", 500, "", fetch.Upstream, ""},
	} {
		t.Run(c.code+c.file, func(t *testing.T) {
			_, s := served(t, "/viewer/rows", c.file)
			body, err := http.Get(s.URL + "/viewer/rows")
			if err != nil {
				t.Fatal(err)
			}
			defer body.Body.Close()
			var raw strings.Builder
			if _, err := jsonCopy(&raw, body); err != nil {
				t.Fatal(err)
			}
			s.Answer("/viewer/rows", c.status, raw.String(), "X-Error-Code", c.code)
			_, err = client(t, s).Rows(t.Context(), viewer.At{Dataset: "a/b", Config: "c", Split: "d"}, 0, 1)
			var f *fetch.Error
			if !errors.As(err, &f) || f.Kind != c.kind || viewer.Code(err) != c.code || !strings.Contains(f.Message, c.want) {
				t.Errorf("%v (code %q)", err, viewer.Code(err))
			}
			if strings.Contains(err.Error(), "Traceback") || len(err.Error()) > 1000 {
				t.Errorf("too much: %v", err)
			}
		})
	}
}

func jsonCopy(b *strings.Builder, r *http.Response) (int64, error) {
	var v json.RawMessage
	err := json.NewDecoder(r.Body).Decode(&v)
	n, _ := b.Write(v)
	return int64(n), err
}

func TestWhatIsNoAnswer(t *testing.T) {
	for _, body := range []string{``, `null`, `[]`, `"x"`, `{`, `<html>`, `{"rows":`} {
		s := lookuptest.New(t)
		for _, path := range []string{"rows", "splits", "info", "size", "statistics", "parquet", "is-valid", "presidio-entities"} {
			s.Answer("/viewer/"+path, 200, body)
		}
		c := client(t, s)
		at := viewer.At{Dataset: "a/b", Config: "c", Split: "d"}
		for name, ask := range map[string]func(context.Context) error{
			"rows":       func(ctx context.Context) error { _, err := c.Rows(ctx, at, 0, 1); return err },
			"splits":     func(ctx context.Context) error { _, err := c.Splits(ctx, "a/b"); return err },
			"info":       func(ctx context.Context) error { _, err := c.Info(ctx, "a/b", ""); return err },
			"size":       func(ctx context.Context) error { _, err := c.Size(ctx, "a/b"); return err },
			"statistics": func(ctx context.Context) error { _, err := c.Statistics(ctx, at); return err },
			"parquet":    func(ctx context.Context) error { _, err := c.Parquet(ctx, "a/b"); return err },
			"valid":      func(ctx context.Context) error { _, err := c.IsValid(ctx, "a/b"); return err },
			"presidio":   func(ctx context.Context) error { _, err := c.Presidio(ctx, at); return err },
		} {
			var f *fetch.Error
			if err := ask(t.Context()); !errors.As(err, &f) || f.Kind != fetch.Parse {
				t.Errorf("%s of %q: %v", name, body, err)
			}
		}
	}
}

func TestNearNames(t *testing.T) {
	s := lookuptest.New(t)
	s.Handle("/hub/api/datasets", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("search") == "squadron" {
			_, _ = w.Write([]byte(`[{"id":"acme/squadron"},{"id":"../evil"},{"id":7},{"id":"b/squadron"}]`))
			return
		}
		_, _ = w.Write([]byte(`[]`))
	})
	names, err := client(t, s).Near(t.Context(), "acme/my-squadron_v2")
	if err != nil {
		t.Fatal(err)
	}
	same(t, names, []string{"acme/squadron", "b/squadron"})
}
