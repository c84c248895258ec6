package modelid

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Keys says which credentials exist. Empty and blank values count as absent.
type Keys struct {
	Anthropic  bool // ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN
	OpenAI     bool // OPENAI_API_KEY
	HF         bool // a Hub token that may go to the router
	OpenRouter bool // OPENROUTER_API_KEY
}

// The values of the setting model_routing.
const (
	RoutingAuto   = "auto"
	RoutingDirect = "direct"
	RoutingRouter = "router"
)

// ValidRouting checks a value of the setting model_routing; empty means auto.
func ValidRouting(routing string) error {
	switch routing {
	case "", RoutingAuto, RoutingDirect, RoutingRouter:
		return nil
	}
	return fmt.Errorf("model_routing is %q, want auto, direct or router", routing)
}

// Route says who serves a model.
type Route struct {
	ID       ID
	Provider string // one of the names of this package
	Label    string // how people are told, as in "via HF router"
	Wire     string // the model name the provider knows
}

// unbuilt are providers whose ids are reserved and whose API is not spoken.
var unbuilt = map[string][]string{
	"bedrock":   {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"},
	"azure":     {"AZURE_API_KEY", "AZURE_API_BASE"},
	"gemini":    {"GEMINI_API_KEY", "GOOGLE_API_KEY"},
	"vertex_ai": {"GOOGLE_APPLICATION_CREDENTIALS"},
}

// Label returns how people are told about a provider.
func Label(provider string) string {
	switch provider {
	case Anthropic:
		return "Anthropic API"
	case OpenAI:
		return "OpenAI API"
	case Router:
		return "HF router"
	case OpenRouter:
		return "OpenRouter"
	case Ollama:
		return "Ollama"
	case VLLM:
		return "vLLM"
	case LMStudio:
		return "LM Studio"
	case LlamaCPP:
		return "llama.cpp"
	case Replay:
		return "recorded session"
	}
	return provider
}

// Variables returns the variables that may hold a provider's key, the usual
// one first.
func Variables(provider string) []string {
	switch provider {
	case Anthropic:
		return []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"}
	case OpenAI:
		return []string{"OPENAI_API_KEY"}
	case Router:
		return []string{"HF_TOKEN"}
	case OpenRouter:
		return []string{"OPENROUTER_API_KEY"}
	}
	return slices.Clone(unbuilt[provider])
}

// Resolve says which provider serves id. A missing key and a provider that is
// not in this program are *[llm.Fault] errors; a bad routing value is a plain
// error. Nothing is sent.
func Resolve(id ID, keys Keys, routing string) (Route, error) {
	if err := ValidRouting(routing); err != nil {
		return Route{}, err
	}
	provider := providerOf(id, keys, routing)
	route := Route{ID: id, Provider: provider, Label: Label(provider), Wire: id.Text}
	switch provider {
	case Router:
	case OpenRouter, Anthropic, OpenAI:
		route.Wire = id.Name
	default:
		if _, reserved := unbuilt[provider]; reserved {
			return Route{}, notBuilt(id, provider)
		}
		route.Wire = id.Name // local servers and recordings need no key
		return route, nil
	}
	if !keys.has(provider) {
		return Route{}, missingKey(id, provider, keys, routing)
	}
	return route, nil
}

// providerOf is the table of rules; the first that matches wins. Reserved
// providers come before tags: openrouter/x/y:free and bedrock/x-v2:0 have a
// colon in their names and must never reach the router silently.
func providerOf(id ID, keys Keys, routing string) string {
	_, reserved := unbuilt[id.Prefix]
	reserved = reserved || id.Prefix == OpenRouter
	finetuned := id.Prefix == OpenAI && strings.HasPrefix(id.Name, "ft:")
	switch {
	case id.Local(), id.Replay():
		return id.Prefix
	case id.Router:
		return Router
	case reserved:
		return id.Prefix
	case id.Tag != "" && !finetuned:
		return Router
	case id.Prefix == Anthropic:
		return anthropicRoute(id, routing)
	case id.Prefix == OpenAI:
		return openaiRoute(id, keys, routing)
	}
	return Router
}

func anthropicRoute(id ID, routing string) string {
	switch {
	case routing == RoutingDirect:
		return Anthropic
	case routing == RoutingRouter, versionDot.MatchString(id.Name):
		return Router
	}
	return Anthropic
}

func openaiRoute(id ID, keys Keys, routing string) string {
	switch {
	case routing == RoutingDirect:
		return OpenAI
	case routing == RoutingRouter:
		return Router
	case strings.HasPrefix(id.Name, "gpt-oss"):
		return Router // open weights, which the OpenAI API does not serve
	case keys.OpenAI || !keys.HF:
		return OpenAI
	}
	return Router
}

func (k Keys) has(provider string) bool {
	switch provider {
	case Anthropic:
		return k.Anthropic
	case OpenAI:
		return k.OpenAI
	case Router:
		return k.HF
	case OpenRouter:
		return k.OpenRouter
	}
	return true
}

func notBuilt(id ID, provider string) error {
	return &llm.Fault{
		Class: llm.ClassInvalidRequest, Provider: provider, Model: id.Text,
		Message: "provider not built in",
		Text:    fmt.Sprintf("provider %s is not available in this build (model %s)", provider, id.Text),
		Hint:    "--model or /model chooses another one; the built-in providers are Anthropic, OpenAI, the HF router, OpenRouter and local servers",
	}
}

func missingKey(id ID, provider string, keys Keys, routing string) error {
	vars := strings.Join(Variables(provider), " or ")
	if provider == Router {
		vars = "HF_TOKEN (or log in with `hf auth login`)"
	}
	var other string
	switch {
	case provider == Anthropic && keys.HF:
		other = "or use the HF router with /model anthropic/claude-opus-4.8:fal-ai"
	case provider == Anthropic:
		other = "or set HF_TOKEN and use anthropic/claude-opus-4.8:fal-ai through the HF router"
	case provider == OpenAI && routing == RoutingDirect:
		other = "or set HF_TOKEN and model_routing to auto to use the HF router"
	case provider == OpenAI:
		other = "or set HF_TOKEN to use the HF router"
	case provider == Router && keys.Anthropic:
		other = "or use the Anthropic API with /model anthropic/claude-opus-4-8"
	case provider == Router && keys.OpenAI:
		other = "or use the OpenAI API with /model openai/gpt-5.5"
	case provider == Router:
		other = "or run a local model such as ollama/llama3.1:8b"
	default:
		other = "or use the HF router with HF_TOKEN"
	}
	return &llm.Fault{
		Class: llm.ClassMissingKey, Provider: provider, Model: id.Text,
		Message: "no key for " + Label(provider),
		Text: fmt.Sprintf("model %s is served by the %s and needs %s, which is not set; %s; --model or /model chooses another one",
			id.Text, Label(provider), vars, other),
		Hint: "set the variable in the environment or in .env, or switch with /model",
	}
}
