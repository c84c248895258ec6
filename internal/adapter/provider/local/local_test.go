package local_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/local"
)

func environ(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// Acceptance checks 3 and 4: base URLs and keys.
func TestFind(t *testing.T) {
	for _, c := range []struct {
		provider string
		vars     map[string]string
		base     string
		key      string
		variable string
	}{
		{"ollama", nil, "http://localhost:11434/v1", local.NoKey, "OLLAMA_BASE_URL"},
		{"vllm", nil, "http://localhost:8000/v1", local.NoKey, "VLLM_BASE_URL"},
		{"lm_studio", nil, "http://127.0.0.1:1234/v1", local.NoKey, "LMSTUDIO_BASE_URL"},
		{"llamacpp", nil, "http://localhost:8080/v1", local.NoKey, "LLAMACPP_BASE_URL"},
		{"ollama", map[string]string{"OLLAMA_BASE_URL": "http://h:1/"}, "http://h:1/v1", local.NoKey, "OLLAMA_BASE_URL"},
		{"vllm", map[string]string{"VLLM_BASE_URL": " http://h:2/v1/ ", "VLLM_API_KEY": "k"}, "http://h:2/v1", "k", "VLLM_BASE_URL"},
		{"vllm", map[string]string{"LOCAL_LLM_BASE_URL": "http://s", "LOCAL_LLM_API_KEY": "shared"}, "http://s/v1", "shared", "LOCAL_LLM_BASE_URL"},
		{"vllm", map[string]string{"LOCAL_LLM_BASE_URL": "http://s", "LOCAL_LLM_API_KEY": "shared", "VLLM_BASE_URL": "https://own/x", "VLLM_API_KEY": "own"}, "https://own/x/v1", "own", "VLLM_BASE_URL"},
		{"vllm", map[string]string{"VLLM_BASE_URL": "  ", "VLLM_API_KEY": " "}, "http://localhost:8000/v1", local.NoKey, "VLLM_BASE_URL"},
		{"vllm", map[string]string{"VLLM_BASE_URL": "localhost:8000"}, "http://localhost:8000/v1", local.NoKey, "VLLM_BASE_URL"},
		{"ollama", map[string]string{"OLLAMA_HOST": "0.0.0.0:1234"}, "http://localhost:1234/v1", local.NoKey, "OLLAMA_HOST"},
		{"ollama", map[string]string{"OLLAMA_HOST": "gpu-box"}, "http://gpu-box:11434/v1", local.NoKey, "OLLAMA_HOST"},
		{"ollama", map[string]string{"OLLAMA_HOST": ":99"}, "http://localhost:99/v1", local.NoKey, "OLLAMA_HOST"},
		{"ollama", map[string]string{"OLLAMA_HOST": "https://gpu-box"}, "https://gpu-box/v1", local.NoKey, "OLLAMA_HOST"},
		{"ollama", map[string]string{"OLLAMA_HOST": "a:1", "OLLAMA_BASE_URL": "http://b:2"}, "http://b:2/v1", local.NoKey, "OLLAMA_BASE_URL"},
		{"vllm", map[string]string{"OLLAMA_HOST": "a:1"}, "http://localhost:8000/v1", local.NoKey, "VLLM_BASE_URL"},
	} {
		e, err := local.Find(c.provider, environ(c.vars))
		if err != nil {
			t.Errorf("Find(%s, %v): %v", c.provider, c.vars, err)
			continue
		}
		if e.Base != c.base || e.Key != c.key || e.Variable != c.variable || e.Root+"/v1" != e.Base {
			t.Errorf("Find(%s, %v) = %+v", c.provider, c.vars, e)
		}
	}
}

func TestFindRefuses(t *testing.T) {
	for value, name := range map[string]string{
		"ftp://h": "VLLM_BASE_URL", "http://": "VLLM_BASE_URL", "http://a b": "VLLM_BASE_URL", "http://h?x=1": "VLLM_BASE_URL",
	} {
		if _, err := local.Find("vllm", environ(map[string]string{name: value})); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", value, err)
		}
	}
	if _, err := local.Find("openai", environ(nil)); err == nil {
		t.Error("openai is no local provider")
	}
}

// asked answers by method and path and refuses what a test does not expect.
func asked(t *testing.T, key string, answers map[string]string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if got := r.Header.Get("Authorization"); got != "Bearer "+key {
			t.Errorf("%s: Authorization %q", r.URL.Path, got)
		}
		if r.Method == http.MethodPost {
			var in struct{ Model string }
			if json.NewDecoder(r.Body).Decode(&in) != nil || in.Model == "" {
				t.Errorf("%s: no model in the body", r.URL.Path)
			}
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestWindow(t *testing.T) {
	const show = `{"parameters":"stop \"x\"\nnum_ctx    8192\n","model_info":{"general.architecture":"llama","llama.context_length":131072}}`
	const plain = `{"parameters":"","model_info":{"llama.context_length":131072}}`
	const small = `{"model_info":{"llama.context_length":2048,"x.context_length":"y"}}`
	for name, c := range map[string]struct {
		provider, model string
		answers         map[string]string
		vars            map[string]string
		tokens          int
		warns           string
	}{
		"vllm": {"vllm", "org/m", map[string]string{"GET /v1/models": `{"data":[{"id":"x","max_model_len":1},{"id":"org/m","max_model_len":40960}]}`}, nil, 40960, ""},
		"vllm, other model": {
			"vllm", "org/m",
			map[string]string{"GET /v1/models": `{"data":[{"id":"x","max_model_len":1}]}`},
			nil, 32768,
			`model_context_tokens["vllm/org/m"]`,
		},
		"llama.cpp":         {"llamacpp", "m", map[string]string{"GET /props": `{"default_generation_settings":{"n_ctx":8192}}`}, nil, 8192, ""},
		"llama.cpp, absent": {"llamacpp", "m", nil, nil, 32768, "32768 tokens are assumed"},
		"lm studio":         {"lm_studio", "m", map[string]string{"GET /api/v0/models": `{"data":[{"id":"m","loaded_context_length":16384,"max_context_length":99999}]}`}, nil, 16384, ""},
		"lm studio, idle":   {"lm_studio", "m", map[string]string{"GET /api/v0/models": `{"data":[{"id":"m","max_context_length":99999}]}`}, nil, 32768, "model_context_tokens"},
		"ollama, loaded":    {"ollama", "llama3.1", map[string]string{"GET /api/ps": `{"models":[{"name":"llama3.1:latest","context_length":65536}]}`, "POST /api/show": show}, nil, 65536, ""},
		"ollama, num_ctx":   {"ollama", "llama3.1:8b", map[string]string{"GET /api/ps": `{"models":[]}`, "POST /api/show": show}, nil, 8192, ""},
		"ollama, variable":  {"ollama", "m", map[string]string{"POST /api/show": plain}, map[string]string{"OLLAMA_CONTEXT_LENGTH": "65536"}, 65536, ""},
		"ollama, too much":  {"ollama", "m", map[string]string{"POST /api/show": small}, map[string]string{"OLLAMA_CONTEXT_LENGTH": "65536"}, 2048, ""},
		"ollama, unstated":  {"ollama", "m", map[string]string{"POST /api/show": plain}, nil, 32768, "OLLAMA_CONTEXT_LENGTH"},
		"ollama, small":     {"ollama", "m", map[string]string{"POST /api/show": small}, nil, 2048, "model_context_tokens"},
		"ollama, dead":      {"ollama", "m", nil, nil, 32768, "model_context_tokens"},
		"nonsense":          {"llamacpp", "m", map[string]string{"GET /props": `{"default_generation_settings":{"n_ctx":-1}}`}, nil, 32768, "model_context_tokens"},
		"not json":          {"llamacpp", "m", map[string]string{"GET /props": `<html>`}, nil, 32768, "model_context_tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			server := asked(t, "k", c.answers)
			vars := map[string]string{"LOCAL_LLM_BASE_URL": server.URL, "LOCAL_LLM_API_KEY": "k"}
			for k, v := range c.vars {
				vars[k] = v
			}
			e, err := local.Find(c.provider, environ(vars))
			if err != nil {
				t.Fatal(err)
			}
			got := e.Window(context.Background(), server.Client(), c.model, environ(vars))
			if got.Tokens != c.tokens || got.Known != (c.warns == "") {
				t.Errorf("window = %+v, want %d", got, c.tokens)
			}
			if c.warns == "" && got.Warnings != nil || c.warns != "" && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], c.warns)) {
				t.Errorf("warnings = %q, want one with %q", got.Warnings, c.warns)
			}
		})
	}
}

type stuck struct{}

func (stuck) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestWindowWaitsTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := local.Find("llamacpp", environ(nil))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got := e.Window(context.Background(), &http.Client{Transport: stuck{}}, "m", environ(nil))
		if time.Since(start) != 2*time.Second {
			t.Errorf("waited %v", time.Since(start))
		}
		if diff := cmp.Diff(local.AssumedWindow, got.Tokens); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzFind(f *testing.F) {
	f.Add("localhost:8000")
	f.Add("http://[::1]:1/v1/")
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"OLLAMA_BASE_URL", "OLLAMA_HOST"} {
			e, err := local.Find("ollama", environ(map[string]string{name: value}))
			if err == nil && (!strings.HasPrefix(e.Base, "http") || !strings.HasSuffix(e.Base, "/v1")) {
				t.Fatalf("%s=%q gave %q", name, value, e.Base)
			}
		}
	})
}

// A server that answers is asked once, by the first kind that it can be; one
// that does not, or talks nonsense, has no models.
func TestNames(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path != "/v1/models" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, `{"data":[{"id":"llama3.1:8b"},{"id":""},{"id":"two words"},{"id":"org/m"}]}`)
	}))
	defer server.Close()
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }))
	defer bad.Close()
	got := local.Names(t.Context(), server.Client(), environ(map[string]string{
		"OLLAMA_BASE_URL": bad.URL, "LOCAL_LLM_BASE_URL": server.URL, "LLAMACPP_BASE_URL": "ftp://x",
	}))
	if diff := cmp.Diff([]string{"vllm/llama3.1:8b", "vllm/org/m"}, got); diff != "" || asked != 1 {
		t.Errorf("asked %d times: %s", asked, diff)
	}
}
