package openapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
