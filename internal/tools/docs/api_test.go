package docs_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// manyOperations is a description of an API with n operations.
func manyOperations(n int) string {
	var b strings.Builder
	b.WriteString(`{"openapi":"3.1.0","paths":{`)
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `"/api/things/%d":{"get":{"tags":["things"],"summary":"Thing %d","description":"%s"}}`, i, i, strings.Repeat("Words about it. ", 30))
	}
	return b.String() + "}}"
}

const ownSpec = `{"openapi":"3.1.0","servers":[{"url":"https://evil.test"}],"tags":[{"name":"spaces"}],
"components":{"schemas":{"Hardware":{"type":"object","required":["flavor"],"properties":{"flavor":{"type":"string","enum":["cpu-basic","t4-small"]},"sleepTimeSeconds":{"type":"integer"}}},
 "Runtime":{"type":"object","properties":{"stage":{"type":"string","description":"How far it is"},"hardware":{"type":"object","properties":{"current":{"type":"string"},"deep":{"type":"object","properties":{"never":{"type":"string"}}}}},"loop":{"$ref":"#/components/schemas/Runtime"}}}}},
"paths":{
 "/api/spaces/{namespace}/{repo}/hardware":{"parameters":[{"in":"path","name":"namespace","required":true,"schema":{"type":"string"}},{"in":"path","name":"repo","required":true,"schema":{"type":"string","examples":["my space"]}}],
  "post":{"tags":["spaces"],"operationId":"requestHardware","summary":"Request hardware","requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Hardware"}}}},
   "responses":{"200":{"description":"OK","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Runtime"}}}}}}},
 "/api/spaces/search":{"get":{"tags":["spaces"],"summary":"Search Spaces","parameters":[{"in":"query","name":"q","required":true,"schema":{"type":"string","example":"it's $HOME \"x\" & y"}},{"in":"query","name":"sdk","required":true,"schema":{"type":"array","items":{"type":"string"}}},{"in":"header","name":"X-Thing","schema":{"type":"boolean"}}]}},
 "/api/other":{"delete":{"tags":["other"],"summary":"Remove it"}}}}`

func TestCheck07FindAPI(t *testing.T) {
	w := newWorld(t)
	w.Answer("/hub/.well-known/openapi.json", 500, "down")
	if s := w.API.Spec(); s.Name != "find_hf_api" {
		t.Errorf("%+v", s)
	}
	w.wants(w.bad(w.API, `{"query":"webhook"}`), "find_hf_api failed")
	w.File("/hub/.well-known/openapi.json", 200, "hub-openapi-mini.json")
	out := w.good(w.API, `{"query":"creating webhooks"}`)
	w.wants(out, "# API Endpoints matching 'creating webhooks'", "Found 1 endpoint(s)", "## 1. POST /api/settings/webhooks",
		`-H "Authorization: Bearer $HF_TOKEN"`, `curl -X POST "https://huggingface.co/api/settings/webhooks"`,
		`-d '{"url":"https://example.com/hook"}'`, "**Writes:**", "- **200**: Created", "- **401**: No auth", "**Relevance:** ")
	w.lacks(out, "429", "'Authorization")
	out = w.good(w.API, `{"query":"search papers","tag":"PAPERS"}`)
	w.wants(out, "(tag: `papers`)", `https://huggingface.co/api/papers/search?q=vision%20language"`, "- `q` (string) (required)", "  Example: `vision language`", "- `limit` (integer) (optional)")
	w.lacks(out, "**Writes:**", "/api/models")
	out = w.good(w.API, `{"tag":"models"}`)
	w.wants(out, "# API Endpoints with tag `models`", "Found 2 endpoint(s)", "/api/models/<namespace>/<repo>")
	w.wants(w.good(w.API, `{"query":"zebra","tag":"models"}`), "no match for the query")
	w.wants(w.good(w.API, `{"query":"zebra"}`), "No API endpoints match 'zebra'", "webhooks")
	w.wants(w.bad(w.API, `{"tag":"model"}`), "nearest are models", "papers")
	for _, r := range w.Requests("/hub") {
		if r.Header.Get("Authorization") != "" {
			t.Error("a token was sent for the public description")
		}
	}
}

func TestAPIDetails(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	w.Handle("/hub/.well-known/openapi.json", func(out http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = out.Write([]byte(ownSpec))
	})
	for _, query := range []string{"/api/spaces/{namespace}/{repo}/hardware", "POST /api/spaces/acme/demo/hardware", "post /api/spaces/{namespace}/{repo}/hardware?x=1"} {
		out := w.good(w.API, fmt.Sprintf(`{"query":%q}`, query))
		w.wants(out, "Found 1 endpoint(s)", `-d '{"flavor":"cpu-basic"}'`, "- `flavor` (\"cpu-basic\" | \"t4-small\") always", "- `sleepTimeSeconds` (integer)",
			"https://huggingface.co/api/spaces/<namespace>/my%20space/hardware", "- `stage` (string): How far it is", "    - `current` (string)")
		w.lacks(out, "never", "evil.test")
	}
	out := w.good(w.API, `{"query":"spaces search"}`)
	w.wants(out, `?q=it%27s%20%24HOME%20%22x%22%20%26%20y&sdk=<sdk>"`, "**Header Parameters:**", "(array of string)")
	if n := asked.Load(); n != 1 {
		t.Errorf("the description was fetched %d times", n)
	}
}

func TestAPIManyResults(t *testing.T) {
	w := newWorld(t)
	w.Answer("/hub/.well-known/openapi.json", 200, manyOperations(300))
	w.wants(w.good(w.API, `{"query":"things"}`), "the best 20 of 300")
	w.wants(w.good(w.API, `{"tag":"things"}`), "Found 300 endpoint(s)", "further endpoint(s)", "\n- GET /api/things/")
	w.env.Chars = 4000
	w.wants(w.good(w.API, `{"query":"things"}`), "further endpoint(s)")
}

func TestAPIBroken(t *testing.T) {
	for _, body := range []string{`{}`, `[]`, `not json`, `{"paths":{"/x":{"get":7}}}`, `{"paths":{"/x":7}}`} {
		w := newWorld(t)
		w.Answer("/hub/.well-known/openapi.json", 200, body)
		r := w.run(w.API, `{"query":"x"}`)
		if r.OK && !strings.Contains(r.Output, "No API endpoints") {
			t.Errorf("%s: %s", body, r.Output)
		}
	}
}
