package data_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/data"
)

// plant answers for a data set with one split from two texts.
func plant(s *lookuptest.Server, info, rows string) {
	s.Answer("/viewer/is-valid", 200, `{"preview":true,"viewer":true,"search":true,"filter":true,"statistics":true}`)
	s.Answer("/viewer/splits", 200, `{"splits":[{"config":"default","split":"train"}],"pending":[],"failed":[]}`)
	s.Answer("/hub/api/datasets/acme/d", 200, `{"id":"acme/d","gated":false,"tags":["license:mit"],"cardData":{"license":"mit"}}`)
	s.Answer("/viewer/parquet", 200, `{"parquet_files":[],"pending":[],"failed":[],"partial":false}`)
	s.Answer("/viewer/size", 200, `{"size":{"dataset":{"num_rows":3},"splits":[{"config":"default","split":"train","num_rows":3,"num_bytes_memory":900}]}}`)
	s.Answer("/viewer/statistics", 200, `{"num_examples":3,"statistics":[]}`)
	s.Answer("/viewer/info", 200, info)
	s.Answer("/viewer/first-rows", 200, rows)
}

const noInfo = `{"dataset_info":{}}`

func TestCheck24OldAndNestedTypes(t *testing.T) {
	for file, want := range map[string]string{
		"dv-info-legacy-list.json": "| messages | List<{content: string, role: string}> |",
		"dv-info-squad.json":       "| answers | {text: List<string>, answer_start: List<int32>} |",
	} {
		t.Run(file, func(t *testing.T) {
			s := lookuptest.New(t)
			plant(s, lookuptest.Fixture(t, file), lookuptest.Fixture(t, "dv-first-rows-squad-nested.json"))
			s.File("/viewer/splits", 200, "dv-splits-squad.json")
			s.File("/viewer/size", 200, "dv-size-squad.json")
			s.File("/viewer/parquet", 200, "dv-parquet-squad.json")
			r := run(t, inspector(t, s), `{"dataset":"acme/d"}`)
			contains(t, r.Output, want, "!**Warnings:**", "| plain_text | train | 87,599 |", "- plain_text/train: 1 file(s) (14.5 MB)",
				`- answers: {"text": ["Saint Bernadette Soubirous"], "answer_start": [515]}`)
		})
	}
}

// TestCheck24OnOurOwn is the same without recorded answers.
func TestCheck24OnOurOwn(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, own(t, "info-old.json"), own(t, "rows.json"))
	r := run(t, inspector(t, s), `{"dataset":"acme/d"}`)
	contains(t, r.Output, "| messages | List<{content: string, role: string}> |", "| answers | {text: List<string>, answer_start: List<int32>} |",
		"| a¦b | ClassLabel(2: no, yes) |", "!**Warnings:**")
}

// direct answers requests without a network, so that time can be synthetic.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// ready serves acme/d; /info says that it is not ready for the first n times.
func ready(n int) (http.Handler, *int) {
	asked := 0
	mux := http.NewServeMux()
	fixed := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
	}
	fixed("/api/datasets/acme/d", `{"id":"acme/d","tags":["license:mit"]}`)
	fixed("/is-valid", `{"preview":true,"viewer":true}`)
	fixed("/splits", `{"splits":[{"config":"default","split":"train"}]}`)
	fixed("/parquet", `{"parquet_files":[]}`)
	fixed("/size", `{"size":{"splits":[{"config":"default","split":"train","num_rows":3}]}}`)
	fixed("/statistics", `{"num_examples":3,"statistics":[]}`)
	fixed("/first-rows", `{"features":[{"name":"shown","type":{"dtype":"string","_type":"Value"}}],"rows":[{"row_idx":0,"row":{"shown":"x"}}]}`)
	mux.HandleFunc("/info", func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked <= n {
			w.Header().Set("X-Error-Code", "ResponseNotReady")
			http.Error(w, `{"error":"The server is busier than usual and the response is not ready yet. Please retry later."}`, 500)
			return
		}
		_, _ = w.Write([]byte(`{"dataset_info":{"features":{"computed":{"dtype":"string","_type":"Value"}}}}`))
	})
	return mux, &asked
}

func TestCheck25NotReady(t *testing.T) {
	for _, c := range []struct {
		times, asked int
		took         time.Duration
		want         []string
	}{
		{2, 3, 7 * time.Second, []string{"| computed | string |", "!not_ready"}},
		{1000, 3, 7 * time.Second, []string{"not_ready", "busier than usual", `- shown: "x"`, "| default | train | 3 |", "mit", "!| computed"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			handler, asked := ready(c.times)
			client, err := fetch.New(fetch.Options{
				HTTP:     &http.Client{Transport: direct{handler}},
				Services: lookup.Services(lookup.Places{Base: func(string) string { return "" }, Unhurried: true}),
			})
			if err != nil {
				t.Fatal(err)
			}
			tl, err := data.NewInspect(data.Options{Fetch: client})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			r := run(t, tl, `{"dataset":"acme/d"}`)
			if took := time.Since(start); took != c.took || !r.OK || *asked != c.asked {
				t.Errorf("took %v, asked %d times, %v", took, *asked, r.OK)
			}
			contains(t, r.Output, c.want...)
		})
	}
}

// TestSplitsNotReady: who has named the split sees its rows meanwhile.
func TestSplitsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, _ := ready(0)
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/splits" {
				inner.ServeHTTP(w, r)
				return
			}
			w.Header().Set("X-Error-Code", "ResponseNotReady")
			http.Error(w, `{"error":"not ready yet"}`, 500)
		})
		client, err := fetch.New(fetch.Options{
			HTTP:     &http.Client{Transport: direct{handler}},
			Services: lookup.Services(lookup.Places{Base: func(string) string { return "" }, Unhurried: true}),
		})
		if err != nil {
			t.Fatal(err)
		}
		tl, err := data.NewInspect(data.Options{Fetch: client})
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, tl, `{"dataset":"acme/d","config":"default","split":"train"}`)
		contains(t, r.Output, "not_ready", "not ready yet", `- shown: "x"`)
		if r = run(t, tl, `{"dataset":"acme/d"}`); !r.OK {
			t.Error("it failed")
		}
		contains(t, r.Output, "? The viewer cannot be asked now: not_ready", "mit", "!shown", "!may have issues")
	})
}

func TestCheck26MediaAndCutCells(t *testing.T) {
	for file, want := range map[string][]string{
		"dv-first-rows-image.json":           {"- imageA: <image 256x256>", "| imageA | Image |"},
		"dv-first-rows-audio.json":           {"- audio: <audio>", "| audio | Audio(16000) |", `- language: 8 "cs"`},
		"dv-first-rows-truncated-cells.json": {"(cut by the viewer)", "| feat_dynamic_real | List<List<float32>> |", "the viewer sent only the first"},
	} {
		t.Run(file, func(t *testing.T) {
			s := lookuptest.New(t)
			plant(s, noInfo, lookuptest.Fixture(t, file))
			unsigned(t, s, want)
		})
	}
}

// TestCheck26OnOurOwn is the same without recorded answers, with pictures where
// no type tells of them.
func TestCheck26OnOurOwn(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, noInfo, own(t, "rows-media.json"))
	unsigned(t, s, []string{
		"- image: <image 64x48>", "- pages: [<image 64x48>, <image 32x32>]", "- sound: <audio>", "- untyped: <image 64x48>",
		"- clip: <video>", "- torn: <image>", "- words: \"look at <file> twice\"", "- cut: [1.5,2.5 (cut by the viewer)",
	})
}

func unsigned(t *testing.T, s *lookuptest.Server, want []string) {
	t.Helper()
	r := run(t, inspector(t, s), `{"dataset":"acme/d"}`)
	if !r.OK {
		t.Error("it failed")
	}
	contains(t, r.Output, append(want, "!Signature=", "!https://datasets-server")...)
}

func TestCheck27TrainingFormat(t *testing.T) {
	for _, c := range []struct {
		file, args string
		want       []string
	}{
		{"dv-first-rows-chat-messages.json", "", []string{"**language modeling**, conversational", "| SFT | yes |", "| DPO | no |"}},
		{"dv-first-rows-preference.json", "", []string{"**preference**, conversational", "| DPO | yes | TRL extracts the prompt anew from chosen and rejected"}},
		{"dv-first-rows-kto.json", "", []string{"**unpaired preference**, conversational", "| KTO | yes |", "| SFT | yes |"}},
		{"dv-first-rows-tool-calls.json", "", []string{
			"| SFT | yes |", "`tools` is recognised", "**Tool calls:** ✓ Present in 1 message(s); arguments: 1 object(s), 0 string(s)",
			"tool_calls ✓, tool_call_id ✓, name ✗", "**Tool results:** ✓ Present in 1 message(s)",
		}},
		{"dv-first-rows-imdb-classlabel.json", `,"trainer":"sft"`, []string{
			"**language modeling**, standard (`text`)", "| SFT | yes | ignores `label` |", "For SFT:", `ds = ds.remove_columns(["label"])`,
		}},
	} {
		t.Run(c.file, func(t *testing.T) {
			s := lookuptest.New(t)
			plant(s, noInfo, lookuptest.Fixture(t, c.file))
			r := run(t, inspector(t, s), `{"dataset":"acme/d"`+c.args+`}`)
			contains(t, r.Output, c.want...)
		})
	}
}

// TestCheck27OnOurOwn is the same without recorded answers.
func TestCheck27OnOurOwn(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, noInfo, own(t, "rows-tools.json"))
	r := run(t, inspector(t, s), `{"dataset":"acme/d"}`)
	contains(t, r.Output, "| SFT | yes |", "| DPO | no |", "`tools` is recognised", "**Tool calls:** ✓ Present in 1 message(s); arguments: 0 object(s), 1 string(s)",
		"tool_calls ✓", "1 message(s) whose content is null", "1 message(s) whose content is no string", "`messages` is an empty list in 1 row(s)")
}

// counter counts words.
type counter struct{}

func (counter) Count(text string) int { return len(strings.Fields(text)) }

func TestTokenizersAreUsedWhereThereAreSome(t *testing.T) {
	long := strings.Repeat("word ", 1100)
	rows := fmt.Sprintf(`{"features":[{"name":"text","type":{"dtype":"string","_type":"Value"}}],"rows":[{"row_idx":0,"row":{"text":%q}},{"row_idx":1,"row":{"text":"short"}}]}`, long)
	s := lookuptest.New(t)
	plant(s, noInfo, rows)
	for _, c := range []struct {
		tokenizer func(context.Context, string) (interface{ Count(string) int }, error)
		want      []string
	}{
		{nil, []string{"1 of 2 rows (50 %)", "estimate: 4 characters a token", "tokenizers cannot be read here"}},
		{
			func(_ context.Context, id string) (interface{ Count(string) int }, error) {
				if id != "acme/m" {
					return nil, errors.New("asked for another one")
				}
				return counter{}, nil
			},
			[]string{"1 of 2 rows (50 %) are longer than the default max_length of 1024 tokens", "!estimate", "!Warnings"},
		},
		{
			func(context.Context, string) (interface{ Count(string) int }, error) {
				return nil, errors.New("no such model")
			},
			[]string{"estimate", "the tokenizer of acme/m: no such model"},
		},
	} {
		tl, err := data.NewInspect(data.Options{Fetch: s.Client(), Tokenizer: c.tokenizer})
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, tl, `{"dataset":"acme/d","tokenizer":"acme/m"}`)
		contains(t, r.Output, c.want...)
	}
}
