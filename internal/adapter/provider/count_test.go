package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Only a service that counts for free is asked.
func TestCount(t *testing.T) {
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path
		fmt.Fprint(w, `{"input_tokens":4321}`)
	}))
	defer server.Close()
	env := map[string]string{"ANTHROPIC_API_KEY": "sk-ant-x", "ANTHROPIC_BASE_URL": server.URL, "VLLM_BASE_URL": server.URL}
	p, err := provider.New(provider.Options{
		HTTP: server.Client(), Env: func(name string) string { return env[name] }, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	say := []llm.Message{{Role: llm.User, Text: "hi"}}
	if n, ok := p.Count(t.Context(), llm.Request{Model: "anthropic/claude-opus-4-8", Messages: say}); !ok || n != 4321 || asked != "/v1/messages/count_tokens" {
		t.Errorf("%d %v at %q", n, ok, asked)
	}
	asked = ""
	if _, ok := p.Count(t.Context(), llm.Request{Model: "vllm/m", Messages: say}); ok || asked != "" {
		t.Errorf("a local server was asked at %q", asked)
	}
}
