package neighbour_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const viewer = "/datasets-server/"

func TestTheViewerHasTheServicesForm(t *testing.T) {
	w := acme(t, nil)
	const audit = "?dataset=acme/audit-mini"
	train := audit + "&config=default&split=train"
	w.Equal(w.get("", viewer+"is-valid"+audit).Body, recorded(t, "research", "dv-is-valid-all.json"))
	w.Equal(w.get("", viewer+"splits"+audit).Body, recorded(t, "research", "dv-splits-audit.json"))
	for name, target := range map[string]string{
		"dv-size-audit.json": "size" + audit, "dv-statistics-audit.json": "statistics" + train,
		"dv-rows-audit-train-0.json": "rows" + train, "dv-info-chat.json": "info" + audit + "&config=default",
		"dv-parquet-chat.json": "parquet" + audit, "dv-search-imdb.json": "search" + train + "&query=schedule",
		"dv-filter-titanic.json": "filter" + train + "&where=%22source%22%3D'forum'",
	} {
		without := []string{}
		if strings.Contains(name, "info") {
			without = append(without, "messages")
		}
		if strings.Contains(name, "imdb") || strings.Contains(name, "titanic") {
			without = append(without, "row")
		}
		got := w.get("", viewer+target).Body
		covers(t, name, got, recorded(t, "research", name), without...)
		simtest.SameKeys(t, got, recorded(t, "research", name))
	}
	first := w.get(simtest.BobWrite, viewer+"first-rows?dataset=acme/chat-sft&config=default&split=train")
	covers(t, "first rows", first.Body, recorded(t, "research", "dv-first-rows-chat-messages.json"))
	simtest.SameKeys(t, first.Body, recorded(t, "research", "dv-first-rows-chat-messages.json"))
	w.Equal(first.At("features", 1, "type"), recorded(t, "research", "dv-first-rows-chat-messages.json", "features", 1, "type"))
	w.Equal(first.At("features", 2, "type"), recorded(t, "research", "dv-first-rows-chat-messages.json", "features", 2, "type"))
	all := w.get("", viewer+"info"+audit)
	covers(t, "all configs", all.At("dataset_info", "default"), recorded(t, "research", "dv-info-chat.json", "dataset_info"), "messages")
	covers(t, "Hub's Parquet", w.get("", "/api/datasets/acme/audit-mini/parquet").At("default", "train"), []any{"x"})
}

func TestChatSFTHasTheExpectedNumbers(t *testing.T) {
	w := acme(t, nil)
	size := w.get(simtest.BobWrite, viewer+"size?dataset=acme/chat-sft")
	w.Equal(simtest.Each(size.At("size", "splits"), "num_rows"), []any{1200.0, 100.0})
	stats := w.get(simtest.BobWrite, viewer+"statistics?dataset=acme/chat-sft&config=default&split=train")
	w.Equal(stats.At("statistics", 2, "column_statistics", "frequencies"), map[string]any{"web": 1068.0, "forum": 36.0, "synthetic": 96.0})
	w.Equal(simtest.Each(stats.At("statistics"), "column_type"), []any{"string_text", "list", "class_label"})
}

// rows reads a whole split.
func (w *world) rows(token, dataset, split string) []map[string]any {
	w.Helper()
	var all []map[string]any
	for {
		page := w.get(token, fmt.Sprintf("%srows?dataset=%s&config=default&split=%s&offset=%d&length=100", viewer, dataset, split, len(all)))
		for _, r := range simtest.Each(page.At("rows"), "row") {
			all = append(all, r.(map[string]any))
		}
		if total, _ := page.At("num_rows_total").(float64); len(all) >= int(total) {
			return all
		}
	}
}

// TestCheck28PlantedFaults: the faults of acme/audit-mini are in the rows that
// the audit of acceptance check 28 has to name, and nowhere else.
func TestCheck28PlantedFaults(t *testing.T) {
	w := acme(t, nil)
	train, test := w.rows("", "acme/audit-mini", "train"), w.rows("", "acme/audit-mini", "test")
	if len(train) != 120 || len(test) != 30 {
		t.Fatalf("%d and %d rows", len(train), len(test))
	}
	str := func(r map[string]any, key string) string { s, _ := r[key].(string); return s }
	blanks := regexp.MustCompile(`\s+`)
	text := func(r map[string]any) string {
		return strings.ToLower(strings.TrimSpace(blanks.ReplaceAllString(str(r, "prompt")+" "+str(r, "completion"), " ")))
	}
	if str(train[40], "prompt") == str(train[41], "prompt") {
		t.Error("40 and 41 are equal before blanks are normalized")
	}
	shingles := func(s string) map[string]bool {
		words := strings.Fields(s)
		out := map[string]bool{}
		for i := 0; i+5 <= len(words); i++ {
			out[strings.Join(words[i:i+5], " ")] = true
		}
		return out
	}
	var texts []string
	for _, r := range slices.Concat(train, test) {
		texts = append(texts, text(r))
	}
	var exact, near []string
	name := func(i int) string {
		if i < len(train) {
			return fmt.Sprint(i)
		}
		return fmt.Sprintf("test %d", i-len(train))
	}
	for i := range texts {
		a := shingles(texts[i])
		for j := i + 1; j < len(texts); j++ {
			if texts[i] == texts[j] {
				exact = append(exact, name(i)+"/"+name(j))
				continue
			}
			b, both := shingles(texts[j]), 0
			for s := range a {
				if b[s] {
					both++
				}
			}
			if jaccard := float64(both) / float64(len(a)+len(b)-both); jaccard >= 0.8 {
				near = append(near, name(i)+"/"+name(j))
			} else if jaccard > 0.6 {
				t.Errorf("rows %s and %s are too much alike: %.2f", name(i), name(j), jaccard)
			}
		}
	}
	w.Equal(exact, []string{"10/test 5", "40/41"})
	w.Equal(near, []string{"60/61", "60/test 9", "61/test 9"})

	mail, phone := regexp.MustCompile(`\S+@\S+\.\S+`), regexp.MustCompile(`\+\d[\d ]{9,}`)
	key := regexp.MustCompile(`hf_[A-Za-z0-9]{30,}`)
	sources := map[any]int{}
	for i, r := range train {
		c := str(r, "completion")
		for what, here := range map[string]struct {
			is   bool
			rows []int
		}{
			"empty": {r["completion"] == "", []int{70}}, "null": {r["completion"] == nil, []int{110}},
			"echo": {c != "" && c == str(r, "prompt"), []int{71}}, "mail": {mail.MatchString(c), []int{80}},
			"phone": {phone.MatchString(c), []int{80}}, "key": {key.MatchString(c), []int{81}},
			// The usual estimate is four characters a token.
			"length": {len(c)/4 > 2*1024, []int{90}},
		} {
			if here.is != slices.Contains(here.rows, i) {
				t.Errorf("row %d: %s is %v", i, what, here.is)
			}
		}
		sources[r["source"]]++
	}
	w.Equal(sources, map[any]int{0.0: 108, 1.0: 3, 2.0: 9})
}

func TestTheViewerSearchesAndFilters(t *testing.T) {
	w := acme(t, nil)
	at := viewer + "filter?dataset=acme/audit-mini&config=default&split=train&where="
	ids := func(where, more string) []any {
		return simtest.Each(w.get("", at+url.QueryEscape(where)+more).At("rows"), "row_idx")
	}
	w.Equal(ids(`"source"='forum'`, ""), []any{17.0, 52.0, 99.0})
	w.Equal(ids(`"source"=1 AND "id">'train-0020'`, ""), []any{52.0, 99.0})
	w.Equal(ids(`"completion" IS NULL OR "completion"=''`, ""), []any{70.0, 110.0})
	w.Equal(ids(`"id"<'train-0002' AND NOT ("id"='train-0001')`, ""), []any{0.0})
	w.Equal(ids(`"source">0 AND "id">='train-0090'`, `&orderby="id"+DESC&length=2`), []any{107.0, 99.0})
	w.Equal(ids(`"id"='it''s'`, ""), []any{})
	for _, bad := range []string{`"colour"=1`, `"id"=`, `"id" LIKE 'x'`, `("id"='x'`, `"id"='x' "id"`, `drop table`} {
		e := w.Must(http.StatusUnprocessableEntity, "", "GET", at+url.QueryEscape(bad), nil)
		w.Equal(e.Header.Get("X-Error-Code"), "InvalidParameter")
	}
	found := w.get("", viewer+"search?dataset=acme/audit-mini&config=default&split=train&query=repeatable+training+run&length=2")
	got := simtest.Each(found.At("rows"), "row_idx")
	w.Equal(got, []any{40.0, 41.0})
	w.Equal(w.get("", viewer+"search?dataset=acme/toy-chat&config=default&split=train&query=zebra").At("num_rows_total"), 0.0)
}

func TestTheViewersErrors(t *testing.T) {
	w := acme(t, nil)
	for _, c := range []struct {
		token, target string
		status        int
		code          string
		fixture       string
	}{
		{"", "splits?dataset=acme/none", 401, "ExternalUnauthenticatedError", "dv-error-401-404-missing-or-gated.json"},
		{simtest.AliceRead, "splits?dataset=acme/none", 404, "ExternalAuthenticatedError", ""},
		{"", "splits?dataset=acme/chat-sft", 401, "ExternalUnauthenticatedError", "dv-error-401-404-missing-or-gated.json"},
		{"", "splits", 422, "MissingRequiredParameter", ""},
		{"", "rows?dataset=acme/audit-mini", 422, "MissingRequiredParameter", "dv-error-422-missing-params.json"},
		{"", "rows?dataset=acme/audit-mini&config=nope&split=train", 404, "ResponseNotFound", "dv-error-404-config-or-split.json"},
		{"", "rows?dataset=acme/audit-mini&config=default&split=nope", 404, "ResponseNotFound", "dv-error-404-config-or-split.json"},
		{"", "rows?dataset=acme/audit-mini&config=default&split=train&length=101", 422, "InvalidParameter", ""},
		{"", "rows?dataset=acme/audit-mini&config=default&split=train&offset=-1", 422, "InvalidParameter", ""},
		{"", "info?dataset=acme/audit-mini&config=nope", 404, "ResponseNotFound", "dv-error-404-config-or-split.json"},
		{"", "presidio-entities?dataset=acme/audit-mini&config=default&split=train", 404, "ResponseNotFound", ""},
	} {
		r := w.Must(c.status, c.token, "GET", viewer+c.target, nil)
		w.Equal(r.Header.Get("X-Error-Code"), c.code)
		if c.fixture != "" {
			w.Equal(r.Body, recorded(t, "research", c.fixture))
		}
	}
}

// push makes a dataset of bob's with the given files.
func (w *world) push(name string, private bool, files map[string]string) *repo.Repo {
	w.Helper()
	spec := repo.CreateSpec{Type: repo.Dataset, ID: name, Trusted: true, Visibility: repo.Public}
	if private {
		spec.Visibility = repo.Private
	}
	r, err := w.store.Create(w.Context(), spec)
	if err != nil {
		w.Fatal(err)
	}
	w.commit(r, files)
	return r
}

func (w *world) commit(r *repo.Repo, files map[string]string) {
	w.Helper()
	spec := repo.CommitSpec{Title: "x", Author: "bob"}
	for path, text := range files {
		spec.Changes = append(spec.Changes, repo.Change{Op: repo.PutAuto, Path: path, Content: []byte(text)})
	}
	if _, err := r.Commit(w.Context(), spec); err != nil {
		w.Fatal(err)
	}
}

func TestWhatWasPushedIsSeenAtOnce(t *testing.T) {
	w := acme(t, nil)
	r := w.push("bob/new", false, map[string]string{
		"data/train-0.jsonl": `{"b":1,"a":"x"}` + "\n" + `{"b":2.5,"c":[{"k":null},{"k":"v","n":1}]}` + "\n", "README.md": "no front matter",
	})
	rows := viewer + "rows?dataset=bob/new&config=default&split=train"
	got := w.get("", rows)
	w.Equal(simtest.Each(got.At("features"), "name"), []any{"b", "a", "c"})
	w.Equal(got.At("features", 0, "type", "dtype"), "float64")
	w.Equal(got.At("rows", 0, "row", "c"), nil)
	if !strings.Contains(string(got.Raw), `"row":{"b":2.5,"a":null,"c":[{"k":null,"n":null},{"k":"v","n":1}]}`) {
		t.Errorf("%s", got.Raw)
	}
	w.commit(r, map[string]string{"data/train-0.jsonl": "", "data/test.csv": "n,ok,s\n1,True,a\n2,false,\n"})
	w.commit(r, map[string]string{"data/train-0.jsonl": `{"b":9}`})
	w.Equal(w.get("", rows).At("rows", 0, "row"), map[string]any{"b": 9.0})

	csv := w.push("bob/table", false, map[string]string{"test.csv": "n,ok,s,f\n1,True,a,1.5\n2,false,,2\n"})
	table := w.get("", viewer+"rows?dataset="+csv.ID()+"&config=default&split=test")
	w.Equal(table.At("rows", 1, "row"), map[string]any{"n": 2.0, "ok": false, "s": nil, "f": 2.0})
	w.Equal(simtest.Each(table.At("features"), "type", "dtype"), []any{"int64", "bool", "string", "float64"})
	stats := w.get("", viewer+"statistics?dataset="+csv.ID()+"&config=default&split=test")
	w.Equal(simtest.Each(stats.At("statistics"), "column_type"), []any{"int", "bool", "string_label", "float"})
}

func TestCardsChooseConfigurations(t *testing.T) {
	w := acme(t, nil)
	w.push("bob/two", false, map[string]string{
		"README.md":     "---\nconfigs:\n- config_name: small\n  data_files:\n  - split: train\n    path: small/*.jsonl\n- config_name: large\n  data_files: large/**\n---\n",
		"small/a.jsonl": `{"x":1}`, "small/b.jsonl": `{"x":2}`, "large/deep/train.jsonl": `{"y":1}`, "large/test.jsonl": `{"y":2}`,
	})
	splits := w.get("", viewer+"splits?dataset=bob/two")
	var got []string
	for _, s := range splits.At("splits").([]any) {
		got = append(got, simtest.At(s, "config").(string)+"/"+simtest.At(s, "split").(string))
	}
	w.Equal(got, []string{"small/train", "large/train", "large/test"})
	w.Equal(w.get("", viewer+"size?dataset=bob/two&config=small").At("size", "config", "num_rows"), 2.0)
	w.Equal(w.get("", viewer+"info?dataset=bob/two").At("dataset_info", "large", "config_name"), "large")
}

func TestBrokenEmptyAndOtherDatasets(t *testing.T) {
	w := acme(t, nil)
	w.push("bob/broken", false, map[string]string{"train.jsonl": "{\"a\":1}\nnot json\n"})
	first := "first-rows?config=default&split=train&dataset="
	e := w.Must(http.StatusInternalServerError, "", "GET", viewer+first+"bob/broken", nil)
	covers(t, "error", e.Body, recorded(t, "research", "dv-error-500-dataset-error.json"))
	if !strings.Contains(e.Text("cause_message"), "train.jsonl: JSON parse error in row 1") {
		t.Errorf("%s", e.Raw)
	}
	w.Equal(w.get("", viewer+"is-valid?dataset=bob/broken").Body, recorded(t, "research", "dv-is-valid-none.json"))
	w.push("bob/empty", false, map[string]string{"README.md": "nothing"})
	w.Equal(w.Must(http.StatusInternalServerError, "", "GET", viewer+"splits?dataset=bob/empty", nil).Header.Get("X-Error-Code"), "EmptyDatasetError")
	w.push("bob/parquet", false, map[string]string{"data/train-00000-of-00001.parquet": "PAR1\x00PAR1"})
	w.Equal(w.Must(http.StatusNotImplemented, "", "GET", viewer+first+"bob/parquet", nil).Header.Get("X-Error-Code"), "NotSupportedFormatError")
	w.Equal(w.get("", viewer+"splits?dataset=bob/parquet").At("splits", 0, "split"), "train")
}

func TestPrivateDatasetsAreForTheirMembers(t *testing.T) {
	w := acme(t, nil)
	w.push("bob/secret", true, map[string]string{"train.jsonl": `{"a":1}`})
	w.get(simtest.BobWrite, viewer+"splits?dataset=bob/secret")
	w.get(simtest.BobFine, viewer+"splits?dataset=bob/secret")
	w.Must(http.StatusNotFound, simtest.AliceWrite, "GET", viewer+"splits?dataset=bob/secret", nil)
	w.Must(http.StatusUnauthorized, "", "GET", viewer+"splits?dataset=bob/secret", nil)
	w.push("alice/secret", true, map[string]string{"train.jsonl": `{"a":1}`})
	e := w.Must(http.StatusNotImplemented, simtest.AliceWrite, "GET", viewer+"splits?dataset=alice/secret", nil)
	w.Equal(e.Header.Get("X-Error-Code"), "NotSupportedPrivateRepositoryError")
}

func TestLongRowsAreCutInPreviews(t *testing.T) {
	w := acme(t, nil)
	var b strings.Builder
	for i := range 120 {
		raw, err := json.Marshal(map[string]any{"n": i, "text": strings.Repeat("é", 10_000)})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(raw, '\n'))
	}
	w.push("bob/long", false, map[string]string{"train.jsonl": b.String()})
	got := w.get("", viewer+"first-rows?dataset=bob/long&config=default&split=train")
	if len(got.Raw) > 1_100_000 {
		t.Errorf("%d bytes", len(got.Raw))
	}
	list, _ := got.At("rows").([]any)
	w.Equal(got.At("truncated"), true)
	w.Equal(simtest.At(list[0], "truncated_cells"), []any{})
	w.Equal(simtest.At(list[len(list)-1], "truncated_cells"), []any{"text"})
	covers(t, "truncated", got.Body, recorded(t, "research", "dv-first-rows-truncated-cells.json"), "row", "type")
}
