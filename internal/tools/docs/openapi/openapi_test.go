package openapi_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/tools/docs/openapi"
)

func parse(t testing.TB, spec string) *openapi.Spec {
	t.Helper()
	s, err := openapi.Parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRecorded(t *testing.T) {
	s := parse(t, lookuptest.Fixture(t, "hub-openapi-mini.json"))
	if diff := cmp.Diff([]string{"models", "papers", "webhooks"}, s.Tags); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for query, want := range map[string]string{
		"create webhook": "/api/settings/webhooks", "listing models": "/api/models", "search for papers": "/api/papers/search", "namespace and repo of a model": "/api/models/{namespace}/{repo}",
	} {
		if hits := s.Search(query, ""); len(hits) == 0 || hits[0].Path != want {
			t.Errorf("%q finds %v", query, hits)
		}
	}
	if hits := s.At("GET /api/models/acme/tiny"); len(hits) != 1 || hits[0].Path != "/api/models/{namespace}/{repo}" {
		t.Errorf("%v", hits)
	}
}

const circles = `{"components":{"schemas":{
 "A":{"allOf":[{"$ref":"#/components/schemas/A"},{"$ref":"#/components/schemas/A"},{"$ref":"#/components/schemas/B"}]},
 "B":{"type":"object","required":["a","b","c"],"properties":{"a":{"$ref":"#/components/schemas/B"},"b":{"$ref":"#/components/schemas/B"},"c":{"oneOf":[{"$ref":"#/components/schemas/A"},{"$ref":"#/components/schemas/C"}]}}},
 "C":{"$ref":"#/components/schemas/C"}}},
 "paths":{"/x":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}},"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}}}}}}}`

func TestCirclesEnd(t *testing.T) {
	begun := time.Now()
	s := parse(t, circles)
	out := s.Render(openapi.Hit{Operation: s.Operations[0]}, openapi.Detail{Base: "https://huggingface.co", Text: 300, Lines: 50})
	if !strings.Contains(out, "curl -X POST") || time.Since(begun) > 10*time.Second {
		t.Errorf("%v: %s", time.Since(begun), out)
	}
}

const hostile = `{"paths":{"/api/$(touch x)/\"; rm -rf /;\"/{a}":{"post":{"summary":"x","parameters":[{"in":"path","name":"a","schema":{"type":"string"},"example":"$(id)` + "`id`" + `\"'\\"},{"in":"query","name":"q\"$(id)","required":true,"schema":{"type":"string"}}],
 "requestBody":{"content":{"application/json":{"schema":{"type":"object"},"example":{"it's":"'; id; '$(id)\n"}}}}}}}}`

// A shell takes the command for what it is: the words of one call of curl.
func TestCommandsMeanOneCall(t *testing.T) {
	s := parse(t, hostile)
	command := s.Curl(s.Operations[0], "https://huggingface.co")
	out, err := exec.Command("sh", "-c", "HF_TOKEN=token\ncurl() { for a in \"$@\"; do printf '[%s]\\n' \"$a\"; done; }\n"+command).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 9 || lines[0] != "[-X]" || lines[1] != "[POST]" || !strings.HasPrefix(lines[2], "[https://huggingface.co/api/%24%28touch") || lines[4] != "[Authorization: Bearer token]" {
		t.Errorf("%s\n%s", command, out)
	}
	var body map[string]string
	if err := json.Unmarshal([]byte(strings.Trim(lines[len(lines)-1], "[]")), &body); err != nil || body["it's"] != "'; id; '$(id)\n" {
		t.Errorf("%v %v", body, err)
	}
}

func TestTypes(t *testing.T) {
	s := parse(t, `{"paths":{"/x":{"get":{}}},"components":{"schemas":{"N":{"type":["string","null"]}}}}`)
	for schema, want := range map[string]string{
		`{"type":"array","items":{"type":"integer"}}`: "array of integer", `{"$ref":"#/components/schemas/N"}`: "string or null",
		`{"enum":["a",1]}`: `"a" | 1`, `{"const":true}`: "true", `{"anyOf":[{"type":"null"},{"type":"number"}]}`: "number",
		`{"properties":{}}`: "object", `{}`: "any", `7`: "any", `{"$ref":"https://evil.test/x"}`: "any",
		`{"allOf":[{"type":"object"},{"properties":{"a":{}}}]}`: "object",
	} {
		var v any
		if err := json.Unmarshal([]byte(schema), &v); err != nil {
			t.Fatal(err)
		}
		if got := s.Type(v); got != want {
			t.Errorf("%s is %s, want %s", schema, got, want)
		}
	}
}

func TestExamples(t *testing.T) {
	s := parse(t, `{"paths":{"/x":{"get":{}}}}`)
	schema := `{"type":"object","required":["name","n","on","list","kind","sub","gone"],"properties":{"name":{"type":"string"},"n":{"type":"integer","minimum":3},"on":{"type":"boolean"},
	 "list":{"type":"array","items":{"type":"string","examples":["x"]}},"kind":{"enum":["model","space"]},"sub":{"type":"object","required":["a"],"properties":{"a":{"default":5},"b":{}}},"optional":{"type":"string"}}}`
	var v any
	if err := json.Unmarshal([]byte(schema), &v); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(s.Example(v))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"kind":"model","list":["x"],"n":3,"name":"\u003cname\u003e","on":true,"sub":{"a":5}}`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzSpec(f *testing.F) {
	f.Add(circles, "x")
	f.Add(hostile, "/api/x/y/z")
	f.Add(`{"paths":{"/a/{b":{"get":{"parameters":[{"$ref":"#/components/parameters/p"}],"responses":{"200":{"$ref":"#/components/responses/r"}}}}},"components":{"parameters":{"p":{"in":"query","name":"n","required":true,"examples":{"e":{"value":1}}}}}}`, "get a")
	f.Fuzz(func(t *testing.T, spec, query string) {
		s, err := openapi.Parse([]byte(spec))
		if err != nil {
			return
		}
		s.Search(query, "")
		s.At(query)
		for _, o := range s.Operations[:min(len(s.Operations), 20)] {
			s.Render(openapi.Hit{Operation: o, Score: 1}, openapi.Detail{Base: "https://huggingface.co", Text: 50, Lines: 5})
		}
	})
}
