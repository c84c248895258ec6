package chat

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// EffortField is how a service is told the reasoning effort.
type EffortField string

// The ways to ask for effort.
const (
	EffortNone   EffortField = ""
	EffortTop    EffortField = "reasoning_effort" // a string at the top level
	EffortObject EffortField = "reasoning"        // {"reasoning":{"effort":…}}
)

// CacheRule is which prompt cache fields a service gets.
type CacheRule string

// The rules for prompt caches.
const (
	CacheNone CacheRule = ""
	// CacheKey sends the session id as prompt_cache_key.
	CacheKey CacheRule = "key"
	// CacheFal sends markers or a key with models that the Hugging Face router
	// takes to fal, and nothing with others.
	CacheFal CacheRule = "fal"
)

// ReplayRule is how a model's reasoning returns to it.
type ReplayRule string

// The rules for returning reasoning.
const (
	ReplayNone ReplayRule = ""
	// ReplayText sends reasoning_content with the tool calls of the turn.
	ReplayText ReplayRule = "text"
	// ReplayDetails sends reasoning_details unchanged.
	ReplayDetails ReplayRule = "details"
)

// Dialect is what sets one OpenAI-compatible service apart from another.
type Dialect struct {
	Effort EffortField
	// Levels are the efforts every model may be asked for; models whose name
	// starts with one of WideModels take WideLevels instead.
	Levels     []llm.Effort
	WideModels []string
	WideLevels []llm.Effort
	// EffortByName asks only models for effort whose name is that of an OpenAI
	// reasoning model: the others refuse the field.
	EffortByName bool

	// ByName treats OpenAI reasoning models by their name: they want
	// max_completion_tokens in place of max_tokens.
	ByName bool
	// Developer gives the system message of such models the role developer.
	Developer bool

	Cache CacheRule
	// CacheBase restricts the cache fields to requests to exactly this base
	// URL; empty means any.
	CacheBase string

	Replay ReplayRule
	// Tagged says that model names may end in ":tag", which names the serving
	// provider and not another model.
	Tagged bool
	// MaxID is the longest tool call id in bytes, 0 for no limit.
	MaxID int
	// Extra is written into the body as it is: `"name":value`.
	Extra string
	// EmptyReply takes an answer without any body for an empty reply: LM
	// Studio sends it when the prompt is too long.
	EmptyReply bool
}

var (
	lowToHigh = []llm.Effort{llm.EffortLow, llm.EffortMedium, llm.EffortHigh}
	lowToMax  = []llm.Effort{llm.EffortLow, llm.EffortMedium, llm.EffortHigh, llm.EffortXHigh, llm.EffortMax}
)

// Router is the dialect of the Hugging Face router.
func Router() Dialect {
	return Dialect{
		Effort: EffortTop, Levels: lowToHigh,
		WideModels: []string{"anthropic/", "openai/gpt-"}, WideLevels: lowToMax,
		ByName: true, Cache: CacheFal, Replay: ReplayText, Tagged: true,
	}
}

// OpenAI is the dialect of OpenAI's own chat completions, and of services that
// copy them under OPENAI_BASE_URL.
func OpenAI() Dialect {
	return Dialect{
		Effort: EffortTop, Levels: llm.Efforts(), EffortByName: true,
		ByName: true, Developer: true, Cache: CacheKey, MaxID: 40,
	}
}

// OpenRouter is the dialect of openrouter.ai.
func OpenRouter() Dialect {
	return Dialect{
		Effort: EffortObject, Levels: []llm.Effort{
			llm.EffortMinimal, llm.EffortLow, llm.EffortMedium, llm.EffortHigh, llm.EffortXHigh,
		},
		Replay: ReplayDetails, Extra: `"usage":{"include":true}`,
	}
}

// Local is the dialect of Ollama, vLLM, LM Studio and llama.cpp. They are
// asked for effort only when the user has said that the model takes it.
func Local(effort bool) Dialect {
	d := Dialect{Replay: ReplayText, EmptyReply: true}
	if effort {
		d.Effort, d.Levels = EffortTop, append(slices.Clone(lowToHigh), llm.EffortMax)
	}
	return d
}

// effort returns the level to send, empty for none, and the levels that the
// model may be asked for.
func (d Dialect) effort(model string, want llm.Effort) (llm.Effort, []llm.Effort) {
	if d.Effort == EffortNone || d.EffortByName && !wire.Reasons(model) {
		return "", nil
	}
	levels := d.Levels
	if slices.ContainsFunc(d.WideModels, func(p string) bool { return strings.HasPrefix(model, p) }) {
		levels = d.WideLevels
	}
	if want == llm.EffortMinimal && !slices.Contains(levels, want) {
		want = llm.EffortLow
	}
	if !slices.Contains(levels, want) {
		want = ""
	}
	return want, levels
}

// limitField is the name of the output limit for a model; drop may ask for the
// twin, or for none.
func (d Dialect) limitField(model string, drop []string) string {
	field, twin := "max_tokens", "max_completion_tokens"
	if d.ByName && wire.Reasons(model) {
		field, twin = twin, field
	}
	switch {
	case !slices.Contains(drop, field):
		return field
	case !slices.Contains(drop, twin):
		return twin
	}
	return ""
}

func (d Dialect) systemRole(model string) string {
	if d.Developer && wire.Reasons(model) {
		return "developer"
	}
	return "system"
}

// keepsReasoning reports whether a model gets its reasoning back as text.
// Models of OpenAI and Anthropic never do, whoever serves them.
func (d Dialect) keepsReasoning(model string) bool {
	return d.Replay == ReplayText && !strings.HasPrefix(model, "openai/") && !strings.HasPrefix(model, "anthropic/")
}

// wantsReasoning reports whether a model refuses tool calls without reasoning
// in its own history, even where it gave none.
func wantsReasoning(model string) bool {
	model = strings.ToLower(model)
	return strings.Contains(model, "kimi") || strings.Contains(model, "deepseek")
}
