package modelid

import "slices"

// Suggestion is one row of the list that /model shows. It is no gate: any
// valid id may be used.
type Suggestion struct {
	ID    string
	Label string
	// Provider is how people are told who serves it now.
	Provider string
	// Needs is the variable to set first, empty when the key is there.
	Needs string
}

var suggested = []Suggestion{
	{ID: "anthropic/claude-opus-4.8:fal-ai", Label: "Claude Opus 4.8"},
	{ID: "openai/gpt-5.5:fal-ai", Label: "GPT-5.5"},
	{ID: "MiniMaxAI/MiniMax-M2.7:novita", Label: "MiniMax M2.7"},
	{ID: "moonshotai/Kimi-K2.6:novita", Label: "Kimi K2.6"},
	{ID: "zai-org/GLM-5.1:novita", Label: "GLM 5.1"},
	{ID: "deepseek-ai/DeepSeek-V4-Pro:novita", Label: "DeepSeek V4 Pro"},
	{ID: "anthropic/claude-opus-4-8", Label: "Claude Opus 4.8 (direct)"},
	{ID: "anthropic/claude-opus-4-7", Label: "Claude Opus 4.7 (direct)"},
	{ID: "anthropic/claude-opus-4-6", Label: "Claude Opus 4.6 (direct)"},
	{ID: "openai/gpt-5.5", Label: "GPT-5.5 (direct)"},
	{ID: "openai/gpt-5.4", Label: "GPT-5.4 (direct)"},
}

// The models used when the settings name none.
const (
	DefaultRouter    = "anthropic/claude-opus-4.8:fal-ai"
	DefaultAnthropic = "anthropic/claude-opus-4-8"
	DefaultOpenAI    = "openai/gpt-5.5"
)

// Default returns the model to use when the settings name none.
func Default(keys Keys) string {
	switch {
	case keys.HF:
		return DefaultRouter
	case keys.Anthropic:
		return DefaultAnthropic
	case keys.OpenAI:
		return DefaultOpenAI
	}
	return DefaultRouter
}

// Suggested returns the list for /model: rows whose key is missing come last
// and name the variable to set.
func Suggested(keys Keys, routing string) []Suggestion {
	var ready, waiting []Suggestion
	for _, row := range suggested {
		id, err := Parse(row.ID)
		if err != nil {
			continue // the table is checked by a test
		}
		provider := providerOf(id, keys, routing)
		if id.Tag == "" && routing != RoutingRouter {
			provider = id.Prefix // a direct row stays one when its key is missing
		}
		row.Provider = Label(provider)
		if keys.has(provider) {
			ready = append(ready, row)
			continue
		}
		row.Needs = Variables(provider)[0]
		waiting = append(waiting, row)
	}
	return slices.Concat(ready, waiting)
}

// WebModel is one row of the web page's list of models.
type WebModel struct {
	ID          string
	Label       string
	Recommended bool
}

// WebModels returns the models a web session may use, in the page's order.
func WebModels() []WebModel {
	order := []int{0, 1, 3, 2, 4, 5}
	out := make([]WebModel, 0, len(order))
	for _, i := range order {
		out = append(out, WebModel{suggested[i].ID, suggested[i].Label, i == 0})
	}
	return out
}
