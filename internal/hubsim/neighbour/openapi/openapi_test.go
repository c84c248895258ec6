package openapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/openapi"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func get(t *testing.T, path string) []byte {
	t.Helper()
	mux := http.NewServeMux()
	openapi.Routes(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d", path, w.Code)
	}
	return w.Body.Bytes()
}

func TestTheTableIsWhole(t *testing.T) {
	ids, routes := map[string]bool{}, map[string]bool{}
	for _, o := range openapi.Operations() {
		if o.Tag == "" || o.ID == "" || o.Summary == "" || o.Returns == "" || !strings.HasPrefix(o.Path, "/api/") {
			t.Errorf("incomplete: %+v", o)
		}
		if ids[o.ID] || routes[o.Method+o.Path] {
			t.Errorf("%s %s (%s) is there twice", o.Method, o.Path, o.ID)
		}
		ids[o.ID], routes[o.Method+o.Path] = true, true
	}
	if len(ids) < 120 {
		t.Errorf("only %d operations", len(ids))
	}
}

func TestTheDocumentHasTheFormOfTheHubs(t *testing.T) {
	var doc, want map[string]any
	if err := json.Unmarshal(get(t, "/.well-known/openapi.json"), &doc); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "research"), "hub-openapi-mini.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for k := range want {
		if doc[k] == nil {
			t.Errorf("no %s", k)
		}
	}
	at := func(v any, keys ...string) any {
		for _, k := range keys {
			m, _ := v.(map[string]any)
			v = m[k]
		}
		return v
	}
	for k := range at(want, "paths", "/api/papers/search", "get").(map[string]any) {
		if at(doc, "paths", "/api/papers/search", "get", k) == nil {
			t.Errorf("an operation has no %s", k)
		}
	}
	for _, path := range doc["paths"].(map[string]any) {
		for _, o := range path.(map[string]any) {
			for _, p := range at(o, "parameters").([]any) {
				if at(p, "description") == "" {
					t.Errorf("%v: %v is not explained", at(o, "operationId"), at(p, "name"))
				}
			}
		}
	}
	create := at(doc, "paths", "/api/repos/create", "post", "requestBody", "content", "application/json", "schema")
	if at(create, "properties", "name", "type") != "string" || at(create, "properties", "type", "enum") == nil || at(create, "required") == nil {
		t.Errorf("%v", create)
	}
}

func TestTheMarkdownNamesParameters(t *testing.T) {
	text := string(get(t, "/.well-known/openapi.md"))
	for _, want := range []string{"### POST /api/jobs/{namespace}", "- `flavor` (body, string, required)", "- `q` (query, string, required)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}

// TestEveryOperationIsServed: what the description promises, the simulator has a
// route for, whatever it answers to made-up arguments.
func TestEveryOperationIsServed(t *testing.T) {
	hub, err := hubsim.New(hubsim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := hub.Close(); err != nil {
			t.Error(err)
		}
	}()
	values := strings.NewReplacer(
		"{namespace}", "acme", "{repo}", "none", "{rev}", "main", "{path}", "x", "{num}", "1", "{jobId}", strings.Repeat("0", 24),
		"{paperId}", "2509.99001", "{slug}", "none-"+strings.Repeat("0", 24), "{name}", "acme", "{compare}", "main..main",
		"{status}", "pending", "{logType}", "run", "{webhookId}", strings.Repeat("0", 24),
	)
	for _, o := range openapi.Operations() {
		path := values.Replace(o.Path)
		if strings.Contains(path, "{") {
			t.Errorf("%s: a name in the path is not explained", o.Path)
		}
		r := httptest.NewRequest(o.Method, path, nil)
		r.Header.Set("Authorization", "Bearer hf_bob_fine")
		hub.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
	if missing := hub.Unserved(); len(missing) > 0 {
		t.Errorf("no route for\n%s", strings.Join(missing, "\n"))
	}
}
