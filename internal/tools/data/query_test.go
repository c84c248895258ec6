package data_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/engine/arguments"
	"github.com/ml-intern/ml-intern/internal/tools/data"
)

func querier(t testing.TB, s *lookuptest.Server) *data.Query {
	t.Helper()
	tl, err := data.NewQuery(data.Options{Fetch: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

const at = `"dataset":"acme/d","config":"default","split":"train"`

func TestQueryRecordedPages(t *testing.T) {
	for _, c := range []struct {
		path, file, args string
		want             []string
	}{
		{"rows", "dv-rows-imdb.json", `"operation":"rows","offset":234,"length":3`, []string{
			"num_rows_total: 25000, partial: false · acme/d default/train, rows, offset 234\n", `{"row_idx":234,"text":"Well, you know`, `"label":"0 \"neg\""`,
			`24,763 more rows follow; go on with hf_dataset_query {"operation":"rows","dataset":"acme/d","config":"default","split":"train","offset":237,"length":3}`,
		}},
		{"rows", "dv-rows-image-horse2zebra.json", `"operation":"rows"`, []string{`"imageA":"<image 256x256>"`, "!Signature", "!datasets-server"}},
		{"rows", "dv-rows-chat-test.json", `"operation":"rows","columns":["source"]`, []string{"{\"row_idx\":0,\"source\":\"0 \\\"web\\\"\"}\n", "!messages"}},
		{"rows", "dv-rows-audit-train-0.json", `"operation":"rows","columns":["id"],"length":100`, []string{`{"row_idx":99,"id":"a-0099"}`, "20 more rows follow"}},
		{"rows", "dv-rows-audit-train-100.json", `"operation":"rows","columns":["id"],"offset":100`, []string{`{"row_idx":119,"id":"a-0119"}`, "!more rows"}},
		{"rows", "dv-rows-audit-test.json", `"operation":"rows","columns":["id"],"length":30`, []string{"num_rows_total: 30", `"row_idx":29`}},
		{"search", "dv-search-imdb.json", `"operation":"search","query":"dog"`, []string{"num_rows_total: 624", `{"row_idx":27,`, `"query":"dog"`}},
		{"filter", "dv-filter-titanic.json", `"operation":"filter","where":"\"Age\"<18","orderby":"\"Age\" DESC"`, []string{`"Name":"Mrs. Nicholas (Adele Achem) Nasser"`, `"Fare":30.0708`}},
		{"statistics", "dv-statistics-audit.json", `"operation":"statistics"`, []string{"num_rows_total: 120, partial: false", "- completion (string_text): 1 null (0.8 %), characters min/median/mean/max 0/155/237.4/10079"}},
		{"size", "dv-size-audit.json", `"operation":"size"`, []string{"num_rows_total: 150, partial: false · acme/d\n", "| default | train | 120 | 4 | 30 kB | 52 kB |"}},
		{"size", "dv-size-failed.json", `"operation":"size"`, []string{"failed: atomic"}},
		{"statistics", "dv-statistics-numeric.json", `"operation":"statistics","columns":["alcohol"]`, []string{"- alcohol (float): 0 null, min/median/max/std 8/10.3/14.9/1.193", "!chlorides"}},
		{"statistics", "dv-statistics-class-label.json", `"operation":"statistics"`, []string{"1 6,742 (11 %)", "!⚠"}},
		{"statistics", "dv-statistics-datetime.json", `"operation":"statistics"`, []string{"partial: true", "- charttime (datetime): 0 null, from 2110-01-13 09:39:00 to 2214-07-26 08:00:00", "only the first 5 GB"}},
		{"statistics", "dv-statistics-string-text.json", `"operation":"statistics"`, []string{"1,104 without a label", "characters min/median/mean/max 11/88/97.47/296"}},
		{"statistics", "dv-statistics-string-label.json", `"operation":"statistics"`, []string{"string_label): 0 null, "}},
		{"statistics", "dv-statistics-bool.json", `"operation":"statistics"`, []string{"- answer (bool): 0 null, True 5,874 (62 %), False 3,553 (38 %)"}},
		{"statistics", "dv-statistics-audio.json", `"operation":"statistics"`, []string{"- audio (audio): 0 null, seconds min/median/max 0.653/4.881/106"}},
		{"statistics", "dv-statistics-image.json", `"operation":"statistics"`, []string{"- image (image): 0 null, width min/median/max 256/341/873", "and 10 more values"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			s := lookuptest.New(t)
			s.File("/viewer/"+c.path, 200, c.file)
			env := &tooltest.Env{}
			r, err := querier(t, s).Run(t.Context(), env, json.RawMessage(`{`+at+`,`+c.args+`}`))
			if err != nil || !r.OK {
				t.Fatal(err, r.Output)
			}
			contains(t, r.Output, c.want...)
			if n := len(env.Sources()); n != 1 || len(s.Requests("/viewer")) != 1 {
				t.Errorf("%d sources, %d requests", n, len(s.Requests("/viewer")))
			}
		})
	}
}

// TestQueryOnOurOwn works on answers that lie beside the tests.
func TestQueryOnOurOwn(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, own(t, "info-old.json"), own(t, "rows.json"))
	for _, path := range []string{"rows", "search", "filter"} {
		s.Answer("/viewer/"+path, 200, strings.Replace(own(t, "rows.json"), `"truncated": false`, `"num_rows_total": 3, "partial": true`, 1))
	}
	s.Answer("/viewer/statistics", 200, own(t, "statistics.json"))
	tl := querier(t, s)
	for args, want := range map[string][]string{
		`"operation":"rows"`:                                      {"num_rows_total: 3, partial: true · acme/d default/train, rows, offset 0\n" + `{"row_idx":0,"id":"r-0","score":0.0}` + "\n"},
		`"operation":"search","query":"r"`:                        {`"id":"r-2","score":1.0}`},
		`"operation":"filter","orderby":"\"score\" DESC"`:         {"!more rows"},
		`"operation":"statistics","columns":["label","when","n"]`: {"label (class_label): 1 null (1 %), 2 without a label, a 90 (91 %), b 9 (9 %) ⚠ 91 % of the rows are a", "from 2020-01-01 to 2021-01-01", "n (float): 0 null, min/median/max/std -1.5/0/1000/2.346", "!text"},
		`"operation":"size"`:                                      {"num_rows_total: 3", "900 B"},
	} {
		r := run(t, tl, `{"dataset":"acme/d",`+args+`}`)
		if !r.OK {
			t.Error(args, r.Output)
		}
		contains(t, r.Output, want...)
	}
	if got := s.Requests("/viewer/filter")[0].Query; got.Get("orderby") != `"score" DESC` || got.Has("where") || got.Get("length") != "10" {
		t.Errorf("asked with %v", got)
	}
	for args, want := range map[string][]string{
		`"operation":"search"`:                          {"bad_argument", "query is required"},
		`"operation":"filter"`:                          {"bad_argument", "where or orderby is required"},
		`"operation":"rows","where":"x"`:                {"bad_argument", "belong to operation filter"},
		`"operation":"rows","query":"x"`:                {"bad_argument", "belongs to operation search"},
		`"operation":"rows","length":0`:                 {"bad_argument", "length must be 1 to 100"},
		`"operation":"rows","offset":-1`:                {"bad_argument", "offset must not be negative"},
		`"operation":"statistics","columns":["colour"]`: {"bad_argument", `no statistics of a column "colour"`},
		`"operation":"drop"`:                            {"bad_argument", "rows, search, filter, statistics, size"},
		`"operation":"rows","config":"nope"`:            {"bad_argument", "there are default"},
		`"operation":"rows","columns":["id","colour"]`:  {"bad_argument", `column "colour" does not exist; there are id, score`},
		`"operation":"rows","config":"x\n","split":"y"`: {"not_found"},
	} {
		if strings.Contains(args, `"y"`) {
			s.Answer("/viewer/rows", 404, `{"error":"Not found."}`, "X-Error-Code", "ResponseNotFound")
			want = []string{"bad_argument", "there are default"}
		}
		r := run(t, tl, `{"dataset":"acme/d",`+args+`}`)
		if r.OK {
			t.Error(args, "was accepted")
		}
		contains(t, r.Output, want...)
	}
}

func TestAMalformedConditionTellsTheRule(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, own(t, "info-old.json"), own(t, "rows.json"))
	s.Answer("/viewer/filter", 422, `{"error":"Parameter 'where' contains invalid symbols"}`, "X-Error-Code", "InvalidParameter")
	want := []string{"bad_argument", "contains invalid symbols", "column names in double quotes", "texts in single quotes", "messages, answers, a¦b, matrix"}
	r := run(t, querier(t, s), `{`+at+`,"operation":"filter","where":"age > 'x"}`)
	contains(t, r.Output, want...)
	if r.OK {
		t.Error("the query worked")
	}
	r = run(t, inspector(t, s), `{"dataset":"acme/d","where":"age > 'x"}`)
	contains(t, r.Output, want...)
	if r.OK {
		t.Error("inspecting worked")
	}
}

func TestSearchThatIsNotBuilt(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, own(t, "info-old.json"), own(t, "rows.json"))
	s.Answer("/viewer/search", 400, `{"error":"The dataset does not support search."}`, "X-Error-Code", "SearchFeatureNotAvailableError")
	s.Answer("/viewer/filter", 500, `{"error":"Could not build the index."}`, "X-Error-Code", "SplitDuckdbIndexError")
	for _, args := range []string{`"operation":"search","query":"x"`, `"operation":"filter","where":"\"a\"=1"`} {
		r := run(t, querier(t, s), `{`+at+`,`+args+`}`)
		if r.OK {
			t.Error("it worked")
		}
		contains(t, r.Output, "read it with operation rows")
	}
	// Inspecting goes on without the rows.
	r := run(t, inspector(t, s), `{"dataset":"acme/d","where":"\"a\"=1"}`)
	if !r.OK {
		t.Error("inspecting failed")
	}
	contains(t, r.Output, "rows: upstream_error", "Could not build the index", "## Schema")
}

func TestRowsOfTheInspection(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, own(t, "info-old.json"), own(t, "rows.json"))
	s.Answer("/viewer/rows", 200, own(t, "rows.json"))
	s.Answer("/viewer/filter", 200, own(t, "rows.json"))
	tl := inspector(t, s)
	run(t, tl, `{"dataset":"acme/d","offset":7}`)
	run(t, tl, `{"dataset":"acme/d","offset":7,"where":"\"score\">0"}`)
	rows, filter := s.Requests("/viewer/rows"), s.Requests("/viewer/filter")
	if len(rows) != 1 || rows[0].Query.Get("offset") != "7" || len(filter) != 1 || filter[0].Query.Get("where") != `"score">0` || len(s.Requests("/viewer/first-rows")) != 0 {
		t.Errorf("%+v %+v", rows, filter)
	}
}

// hostile plants a wide data set whose names and values try to break out.
func hostile(t testing.TB) *lookuptest.Server {
	s := lookuptest.New(t)
	var features, cells []string
	for i := range 300 {
		name, _ := json.Marshal(fmt.Sprintf("c%d|\n```\u001b[31m%s", i, strings.Repeat("x", 300)))
		features = append(features, fmt.Sprintf(`{"name":%s,"type":{"dtype":"string","_type":"Value"}}`, name))
		value, _ := json.Marshal(strings.Repeat("\u001b]0;x\u0007 word ```", 20))
		cells = append(cells, string(name)+":"+string(value))
	}
	var rows []string
	for i := range 100 {
		rows = append(rows, fmt.Sprintf(`{"row_idx":%d,"row":{%s}}`, i, strings.Join(cells[:30], ",")))
	}
	page := fmt.Sprintf(`{"features":[%s],"rows":[%s],"num_rows_total":100000}`, strings.Join(features, ","), strings.Join(rows, ","))
	plant(s, noInfo, page)
	s.Answer("/viewer/rows", 200, page)
	return s
}

func TestOutputStaysWithinTheRoom(t *testing.T) {
	s := hostile(t)
	for _, chars := range []int{0, 20_000, 5_000, 3_000} {
		for args, tl := range map[string]tool.Tool{
			`{"dataset":"acme/d","sample_rows":10}`:                inspector(t, s),
			`{"dataset":"acme/d","operation":"rows","length":100}`: querier(t, s),
		} {
			env := &tooltest.Env{Chars: chars}
			r, err := tl.Run(t.Context(), env, json.RawMessage(args))
			if err != nil || !r.OK {
				t.Fatal(err, r.Output)
			}
			if n := utf8.RuneCountInString(r.Output); n > env.Room() {
				t.Errorf("%s: %d characters, room for %d", args, n, env.Room())
			}
			contains(t, r.Output, "hf_dataset_query", "[S1]", "!\u001b")
			if strings.Count(r.Output, "\n```")%2 != 0 {
				t.Errorf("a fence is open:\n%s", r.Output)
			}
		}
	}
}

func TestConformance(t *testing.T) {
	slow := func(t *testing.T) *lookuptest.Server {
		s := hostile(t)
		s.Handle("/viewer/splits", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("dataset") == "acme/slow" {
				<-r.Context().Done()
				return
			}
			_, _ = w.Write([]byte(`{"splits":[{"config":"default","split":"train"}]}`))
		})
		return s
	}
	t.Run("inspect", func(t *testing.T) {
		tooltest.Run(t, tooltest.Case{
			New:    func(t *testing.T) (tool.Tool, *tooltest.Env) { return inspector(t, slow(t)), &tooltest.Env{} },
			Params: data.InspectParams{},
			Good:   `{"dataset":"acme/d"}`,
			Bad: map[string]string{
				`{"dataset":"../../x"}`: "owner/name", `{"dataset":"a/b/c"}`: "owner/name", `{"dataset":"acme/d","sample_rows":0}`: "sample_rows",
				`{"dataset":"acme/d","sample_rows":11}`: "sample_rows", `{"dataset":"acme/d","offset":-1}`: "offset",
				`{"dataset":"acme/d","config":"nope"}`: "config",
			},
			Slow: `{"dataset":"acme/slow"}`, Large: `{"dataset":"acme/d","sample_rows":10}`,
		})
	})
	t.Run("query", func(t *testing.T) {
		tooltest.Run(t, tooltest.Case{
			New:    func(t *testing.T) (tool.Tool, *tooltest.Env) { return querier(t, slow(t)), &tooltest.Env{} },
			Params: data.QueryParams{},
			Good:   `{"operation":"rows","dataset":"acme/d"}`,
			Bad:    map[string]string{`{"operation":"rows","dataset":"x y"}`: "owner/name", `{"operation":"rows","dataset":"acme/d","length":101}`: "length"},
			Slow:   `{"operation":"rows","dataset":"acme/slow"}`, Large: `{"operation":"rows","dataset":"acme/d","length":100}`,
		})
	})
}

// TestDescriptionsAreShort: every request of a session carries them.
func TestDescriptionsAreShort(t *testing.T) {
	s := lookuptest.New(t)
	for most, tl := range map[int]tool.Tool{650: inspector(t, s), 560: querier(t, s)} {
		spec := tl.Spec()
		if n := len(spec.Description) + len(spec.Parameters); n > most {
			t.Errorf("%s: %d bytes, at most %d", spec.Name, n, most)
		}
		if r := tl.Risk(spec.Example); r.Effect != event.Read || r.Operation == "" || !r.ReadOnly() {
			t.Errorf("%s: %+v", spec.Name, r)
		}
		check, err := arguments.Compile(spec.Parameters, spec.Synonyms)
		if err != nil {
			t.Fatal(err)
		}
		if _, notes, err := check.Check(string(spec.Example)); err != nil || len(notes) > 0 {
			t.Errorf("%s: the example is refused: %v %v", spec.Name, err, notes)
		}
	}
}
