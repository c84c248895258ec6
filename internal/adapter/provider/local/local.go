// Package local finds model servers on the user's machine: base URL, key and
// context window of Ollama, vLLM, LM Studio and llama.cpp. It knows nothing of
// model calls; it reads variables through a function it is given.
package local

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
)

// NoKey is sent where no key is set: servers that want none ignore it.
const NoKey = "sk-local-no-key-required"

const (
	sharedBase = "LOCAL_LLM_BASE_URL"
	sharedKey  = "LOCAL_LLM_API_KEY"
	ollamaHost = "OLLAMA_HOST"
)

// server is what is known by heart about one kind.
type server struct {
	base, key string // names of variables
	standard  string // the URL it listens on by itself
	start     string // how a person starts it
}

var servers = map[string]server{
	modelid.Ollama:   {"OLLAMA_BASE_URL", "OLLAMA_API_KEY", "http://localhost:11434", "ollama serve"},
	modelid.VLLM:     {"VLLM_BASE_URL", "VLLM_API_KEY", "http://localhost:8000", "vllm serve <model>"},
	modelid.LMStudio: {"LMSTUDIO_BASE_URL", "LMSTUDIO_API_KEY", "http://127.0.0.1:1234", "lms server start"},
	modelid.LlamaCPP: {"LLAMACPP_BASE_URL", "LLAMACPP_API_KEY", "http://localhost:8080", "llama-server -m <file>"},
}

// Endpoint is where a local server is and how it is addressed.
type Endpoint struct {
	Provider string
	// Base ends in /v1, Root does not: it holds the server's own API.
	Base, Root string
	Key        string
	// Variable is the one that changes the URL, KeyVariable the key.
	Variable, KeyVariable string
	// Start is the command that starts such a server.
	Start string
}

// Find returns the endpoint of a local provider. Its error names the variable
// whose value is no http or https URL.
func Find(provider string, env func(string) string) (Endpoint, error) {
	s, ok := servers[provider]
	if !ok {
		return Endpoint{}, fmt.Errorf("%s is not a local provider", provider)
	}
	e := Endpoint{Provider: provider, Variable: s.base, KeyVariable: s.key, Start: s.start, Key: NoKey}
	raw := s.standard
	for _, name := range baseVariables(provider, s) {
		if v := strings.TrimSpace(env(name)); v != "" {
			raw, e.Variable = v, name
			break
		}
	}
	if e.Variable == ollamaHost {
		raw = dialable(raw)
	}
	base, err := normalize(raw)
	if err != nil {
		return Endpoint{}, fmt.Errorf("%s is %q: %w", e.Variable, raw, err)
	}
	e.Base = base
	e.Root = strings.TrimSuffix(base, "/v1")
	for _, name := range []string{s.key, sharedKey} {
		if v := strings.TrimSpace(env(name)); v != "" {
			e.Key = v
			break
		}
	}
	return e, nil
}

func baseVariables(provider string, s server) []string {
	if provider == modelid.Ollama {
		return []string{s.base, ollamaHost, sharedBase}
	}
	return []string{s.base, sharedBase}
}

// dialable turns the address Ollama listens on into one to dial: the port may
// be missing, and 0.0.0.0 means every address of this machine.
func dialable(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		scheme, rest = "http", raw
	}
	if strings.HasPrefix(rest, ":") {
		rest = "localhost" + rest
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil || u.Host == "" {
		return raw
	}
	host, port := u.Hostname(), u.Port()
	if host == "0.0.0.0" || host == "::" || host == "" {
		host = "localhost"
	}
	if port == "" && scheme == "http" {
		port = "11434"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u.Host = host
	if port != "" {
		u.Host = host + ":" + port
	}
	return u.String()
}

// normalize adds what people leave out: the scheme and /v1.
func normalize(raw string) (string, error) {
	text := strings.TrimSpace(raw)
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("it is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("its scheme must be http or https")
	case u.Hostname() == "":
		return "", fmt.Errorf("it has no host")
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("it must have no query and no fragment")
	}
	text = strings.TrimRight(u.String(), "/")
	if !strings.HasSuffix(text, "/v1") {
		text += "/v1"
	}
	return text, nil
}
