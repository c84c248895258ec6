package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/audit"
	"github.com/ml-intern/ml-intern/internal/tools/audit/source"
)

// words counts words.
type words struct{}

func (words) Count(text string) int { return len(strings.Fields(text)) }

// auditor makes the tool on a client; local files are those of dir.
func auditor(t testing.TB, f fetch.Getter, dir string) *audit.Tool {
	t.Helper()
	v, err := viewer.New(viewer.Options{Fetch: f, Pauses: []time.Duration{}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := audit.New(audit.Options{
		Source: source.New(source.Options{Viewer: v}),
		Tokenizer: func(_ context.Context, model string) (audit.Counter, *fetch.Response, error) {
			if model != "acme/words" {
				return nil, nil, errors.New("read tokenizer.json: it has no model")
			}
			return words{}, &fetch.Response{URL: "https://huggingface.co/acme/words/resolve/main/tokenizer.json", SHA256: "ab"}, nil
		},
		Local: func(path string) (string, error) {
			if dir == "" || strings.Contains(path, "..") {
				return "", fmt.Errorf("%s lies outside the workspace", path)
			}
			return filepath.Join(dir, path), nil
		},
		Exists: func(path string) bool { _, err := os.Stat(filepath.Join(dir, path)); return dir != "" && err == nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	tl, err := audit.NewTool(a)
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

func run(t testing.TB, tl tool.Tool, env *tooltest.Env, args string) tool.Result {
	t.Helper()
	r, err := tl.Run(t.Context(), env, json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Output, lookuptest.HubToken) {
		t.Error("the token is in the output")
	}
	if n := len([]rune(r.Output)); n > env.Room() {
		t.Errorf("%d characters, room for %d", n, env.Room())
	}
	return r
}

// contains checks that the output has every text, and none of those behind "!".
func contains(t testing.TB, output string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if not, forbidden := strings.CutPrefix(want, "!"); forbidden {
			if strings.Contains(output, not) {
				t.Errorf("%q is in:\n%s", not, output)
			}
		} else if !strings.Contains(output, want) {
			t.Errorf("%q is missing in:\n%s", want, output)
		}
	}
}

// own is a text that no other row has a part of.
func own(name string, i int) string {
	var b strings.Builder
	for k := range 12 {
		fmt.Fprintf(&b, "%s%d ", name, i*1000+k)
	}
	return b.String()
}

// split is one that plant makes: so many rows, or a refusal.
type split struct {
	name   string
	rows   int
	row    func(i int) map[string]any
	status func(offset int) int
	hang   bool
}

// plant returns a server that answers for data sets.
func plant(t testing.TB, sets map[string][]split) *lookuptest.Server {
	s := lookuptest.New(t)
	send := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	about := func(path string, answer func(w http.ResponseWriter, r *http.Request, id string, splits []split)) {
		s.Handle("/viewer/"+path, func(w http.ResponseWriter, r *http.Request) {
			id := r.URL.Query().Get("dataset")
			if sets[id] == nil {
				w.Header().Set("X-Error-Code", "ExternalAuthenticatedError")
				http.Error(w, `{"error":"The dataset does not exist, or is not accessible."}`, http.StatusNotFound)
				return
			}
			answer(w, r, id, sets[id])
		})
	}
	list := func(id string, splits []split) (out []map[string]any) {
		for _, one := range splits {
			out = append(out, map[string]any{"dataset": id, "config": "default", "split": one.name, "num_rows": one.rows})
		}
		return out
	}
	about("splits", func(w http.ResponseWriter, _ *http.Request, id string, splits []split) {
		send(w, map[string]any{"splits": list(id, splits)})
	})
	about("size", func(w http.ResponseWriter, _ *http.Request, id string, splits []split) {
		send(w, map[string]any{"size": map[string]any{"splits": list(id, splits)}})
	})
	about("rows", func(w http.ResponseWriter, r *http.Request, _ string, splits []split) {
		one := splits[slices.IndexFunc(splits, func(x split) bool { return x.name == r.URL.Query().Get("split") })]
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		if one.hang {
			<-r.Context().Done()
			return
		}
		if one.status != nil && one.status(offset) != 0 {
			w.Header().Set("Retry-After", "60")
			http.Error(w, `{"error":"no more for now"}`, one.status(offset))
			return
		}
		rows := []map[string]any{}
		for i := offset; i < min(offset+100, one.rows); i++ {
			row := map[string]any{"text": own(one.name, i)}
			if one.row != nil {
				row = one.row(i)
			}
			rows = append(rows, map[string]any{"row_idx": i, "row": row, "truncated_cells": []string{}})
		}
		send(w, map[string]any{"features": []any{}, "rows": rows, "num_rows_total": one.rows})
	})
	for id := range sets {
		s.Answer("/hub/api/datasets/"+id, 200, `{"id":"`+id+`","gated":false,"tags":["license:mit"],"cardData":{"license":"mit"}}`)
	}
	return s
}

func TestTool(t *testing.T) {
	s := plant(t, map[string][]split{
		"acme/d": {{name: "train", rows: 120}, {name: "test", rows: 30}},
		// Columns without end: more than a result has room for.
		"acme/wide": {{name: "train", rows: 100, row: func(i int) map[string]any {
			row := map[string]any{"text": fmt.Sprint("row ", i)}
			for c := range 300 {
				row[fmt.Sprintf("column_%d", c)] = fmt.Sprintf("class %d", i%20)
			}
			return row
		}}},
		"acme/slow": {{name: "train", rows: 120, hang: true}},
	})
	dir := t.TempDir()
	for name, text := range map[string]string{"broken.jsonl": "{\"text\":\"a b\"}\n{\"text\":\n", "words.csv": "text\na b c\n", "clash/here/x.csv": "a\nb\n"} {
		path := filepath.Join(dir, name)
		_ = os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tooltest.Run(t, tooltest.Case{
		New:    func(t *testing.T) (tool.Tool, *tooltest.Env) { return auditor(t, s.Client(), dir), &tooltest.Env{} },
		Params: audit.Params{},
		Good:   `{"dataset":"acme/d","tokenizer":"acme/words","max_length":64,"sample":100,"seed":3}`,
		Bad: map[string]string{
			`{"dataset":"not a name"}`:                                    "no data file and no data set",
			`{"dataset":"a/b/c"}`:                                         "no data file and no data set",
			`{"dataset":"clash/here"}`:                                    "write ./clash/here for the path, or hf:clash/here",
			`{"dataset":"acme/d","config":"nope"}`:                        "there are default",
			`{"dataset":"acme/d","split":"nope"}`:                         "there are train, test",
			`{"dataset":"acme/d","compare_splits":["nope"]}`:              "compare_splits",
			`{"dataset":"acme/d","sample":99}`:                            "100 to 20000",
			`{"dataset":"acme/d","sample":20001}`:                         "100 to 20000",
			`{"dataset":"acme/d","checks":["nope"]}`:                      "nope",
			`{"dataset":"acme/d","text_columns":["nope"]}`:                "only text",
			`{"dataset":"acme/d","max_length":-1}`:                        "max_length",
			`{"dataset":"./none.jsonl"}`:                                  "no such file",
			`{"dataset":"../outside.jsonl"}`:                              "outside the workspace",
			`{"dataset":"./broken.jsonl"}`:                                "line 2",
			`{"dataset":"./broken.jsonl","sample":100}`:                   "line 2",
			`{"dataset":"./words.csv","config":"x"}`:                      "no configurations",
			`{"dataset":"acme/missing"}`:                                  "not_found",
			`{"dataset":"acme/missing","benchmarks":["acme/d"]}`:          "not_found",
			`{"dataset":"https://example.com/rows.txt","checks":["pii"]}`: "no data file and no data set",
		},
		Slow: `{"dataset":"acme/slow"}`, Large: `{"dataset":"acme/wide"}`,
	})
}

func TestDescriptionIsShort(t *testing.T) {
	spec := auditor(t, lookuptest.New(t).Client(), "").Spec()
	if n := len(spec.Description) + len(spec.Parameters); n > 800 {
		t.Errorf("%d bytes, more than 800", n)
	}
	if spec.MaxOutput != lookup.MaxOutput {
		t.Errorf("max output %d", spec.MaxOutput)
	}
}

// A report that is too long for the call is cut before the marks of its sources.
func TestRoomOfASubAgent(t *testing.T) {
	s := plant(t, map[string][]split{"acme/d": {{name: "train", rows: 250}, {name: "test", rows: 30}}})
	r := run(t, auditor(t, s.Client(), ""), &tooltest.Env{Chars: 900}, `{"dataset":"acme/d"}`)
	if !r.OK {
		t.Error(r.Output)
	}
	contains(t, r.Output, "# Audit of acme/d", "## Verdict", "[S1] https://huggingface.co/datasets/acme/d")
}

// Each page that people can look at is a source, the token of the tokenizer too.
func TestSources(t *testing.T) {
	s := plant(t, map[string][]split{"acme/d": {{name: "train", rows: 120}, {name: "test", rows: 30}}, "acme/bench": {{name: "test", rows: 10}}})
	env := &tooltest.Env{}
	r := run(t, auditor(t, s.Client(), ""), env, `{"dataset":"acme/d","tokenizer":"acme/words","benchmarks":["acme/bench"]}`)
	if !r.OK {
		t.Fatal(r.Output)
	}
	contains(t, r.Output, "Tokens of acme/words", "acme/bench (test): 0 items of 10", "!datasets-server", "!estimate")
	var pages []string
	for _, e := range env.Sources() {
		if e.Tool != "hf_dataset_audit" || e.Operation == "" || e.Object != "acme/d" || e.SHA256 == "" {
			t.Errorf("evidence %+v", e)
		}
		pages = append(pages, strings.TrimPrefix(e.URL, "https://huggingface.co/"))
	}
	if got := strings.Join(pages, " "); got != "datasets/acme/d datasets/acme/d/viewer/default/train datasets/acme/d/viewer/default/test acme/words datasets/acme/bench/viewer/default/test" {
		t.Errorf("sources %s", got)
	}
}

// A limit in the middle: what was read is audited and marked.
func TestLimitInTheMiddle(t *testing.T) {
	limit := func(offset int) int {
		if offset >= 300 {
			return http.StatusTooManyRequests
		}
		return 0
	}
	s := plant(t, map[string][]split{"acme/d": {{name: "train", rows: 450, status: limit}, {name: "test", rows: 30, status: func(int) int { return 429 }}}})
	r := run(t, auditor(t, s.Client(), ""), &tooltest.Env{}, `{"dataset":"acme/d"}`)
	if !r.OK {
		t.Fatal(r.Output)
	}
	contains(t, r.Output, "of 450 rows", "**Warnings:**", "train is incomplete", "rate_limited", "leakage: split test could not be read", "## Duplicates", "## How to fix")
	// At once: there is nothing to audit.
	s = plant(t, map[string][]split{"acme/d": {{name: "train", rows: 450, status: func(int) int { return 429 }}}})
	r = run(t, auditor(t, s.Client(), ""), &tooltest.Env{}, `{"dataset":"acme/d"}`)
	contains(t, r.Output, "failed (rate_limited)", "Try again in 60 s")
	if r.OK {
		t.Error("an audit of nothing is no success")
	}
}

// What fails beside the rows costs only itself.
func TestFailuresBeside(t *testing.T) {
	s := plant(t, map[string][]split{"acme/d": {{name: "train", rows: 120}}, "acme/bench": {{name: "test", rows: 10, row: func(i int) map[string]any {
		return map[string]any{"question": own("train", i)}
	}}}})
	s.Answer("/hub/api/datasets/acme/d", 500, `{"error":"boom"}`)
	s.Answer("/viewer/statistics", 500, `{"error":"boom"}`)
	s.Answer("/viewer/presidio-entities", 501, `{"error":"boom"}`)
	s.Answer("/viewer/size", 500, `{"error":"boom"}`)
	r := run(t, auditor(t, s.Client(), ""), &tooltest.Env{}, `{"dataset":"acme/d","tokenizer":"acme/none","benchmarks":["acme/missing","not a name","acme/bench","acme/bench"]}`)
	if !r.OK {
		t.Fatal(r.Output)
	}
	contains(t, r.Output,
		"the tokenizer of acme/none could not be had", "characters / 4", "benchmark acme/missing could not be read", "benchmark not a name could not be read",
		"the sizes of the splits are not known", "licence: ", "sample: 120 of 120 rows", "acme/bench (test): 10 items of 10 in 10 rows", "BLOCKER contamination",
		"!## Licence",
	)
	if strings.Count(r.Output, "acme/bench (test): ") != 1 {
		t.Error("a benchmark that is named twice is told twice")
	}
	// A benchmark is only one where it is looked for.
	r = run(t, auditor(t, s.Client(), ""), &tooltest.Env{}, `{"dataset":"acme/d","checks":["pii"],"benchmarks":["acme/bench"]}`)
	contains(t, r.Output, "## Contamination", "## Personal data", "!## Quality")
}

// Splits without rows, and answers that do not say how many there are.
func TestOddSplits(t *testing.T) {
	s := plant(t, map[string][]split{"acme/none": {{name: "train"}, {name: "test", rows: 5}}})
	r := run(t, auditor(t, s.Client(), ""), &tooltest.Env{}, `{"dataset":"acme/none"}`)
	if r.OK {
		t.Error("no rows are no audit")
	}
	contains(t, r.Output, "no rows")
	r = run(t, auditor(t, s.Client(), ""), &tooltest.Env{}, `{"dataset":"acme/none","split":"test"}`)
	contains(t, r.Output, "sample: 5 of 5 rows", "split train has no rows")
	s.Answer("/viewer/size", 500, `{"error":"boom"}`)
	s.Answer("/viewer/rows", 200, `{"features":[],"rows":[{"row_idx":0,"row":{"text":"one two three"}},{"row_idx":1,"row":{"text":"four five six seven"}}]}`)
	r = run(t, auditor(t, s.Client(), ""), &tooltest.Env{}, `{"dataset":"acme/none","split":"test"}`)
	contains(t, r.Output, "sample: 2 of 2 rows")
	// More splits than are compared.
	var many []split
	for i := range 100 {
		many = append(many, split{name: fmt.Sprint("part", i), rows: 1})
	}
	s = plant(t, map[string][]split{"acme/many": many})
	r = run(t, auditor(t, s.Client(), ""), &tooltest.Env{}, `{"dataset":"acme/many","sample":100}`)
	contains(t, r.Output, "leakage: 67 of 99 other splits were not looked at")
	if n := len(s.Requests("/viewer/rows")); n > 50 {
		t.Errorf("%d pages were read", n)
	}
}

func TestGatedPrivateMissing(t *testing.T) {
	for name, c := range map[string]struct {
		code, record string
		status       int
		want         []string
	}{
		"gated":   {"ExternalAuthenticatedError", `{"id":"acme/chat","gated":"auto"}`, 200, []string{"(gated)", "https://huggingface.co/datasets/acme/chat", "accept the terms"}},
		"private": {"ExternalAuthenticatedError", `{"id":"acme/chat","private":true}`, 200, []string{"(unauthorized)", "PRO"}},
		"missing": {"ExternalAuthenticatedError", `{"error":"Repository not found"}`, 404, []string{"(not_found)", "acme/chat-sft"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := lookuptest.New(t)
			s.Answer("/viewer/splits", 404, `{"error":"The dataset does not exist, or is not accessible."}`, "X-Error-Code", c.code)
			s.Answer("/hub/api/datasets/acme/chat", c.status, c.record)
			s.Answer("/hub/api/datasets", 200, `[{"id":"acme/chat-sft"}]`)
			r := run(t, auditor(t, s.Client(), ""), &tooltest.Env{}, `{"dataset":"acme/chat"}`)
			if r.OK {
				t.Error("it is shown")
			}
			contains(t, r.Output, c.want...)
		})
	}
}
