package wire

import (
	"encoding/json"
	"math"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// ticksPerUSD is the unit in which xAI reports a price.
const ticksPerUSD = 1e10

// usageJSON has the names of both OpenAI APIs and the variants that servers
// with a compatible one are known to use.
type usageJSON struct {
	PromptTokens     count   `json:"prompt_tokens"`
	CompletionTokens count   `json:"completion_tokens"`
	InputTokens      count   `json:"input_tokens"`
	OutputTokens     count   `json:"output_tokens"`
	TotalTokens      count   `json:"total_tokens"`
	PromptDetails    details `json:"prompt_tokens_details"`
	InputDetails     details `json:"input_tokens_details"`
	OutputDetails    details `json:"output_tokens_details"`
	CompleteDetails  details `json:"completion_tokens_details"`

	CacheRead  count `json:"cache_read_input_tokens"`
	CacheWrite count `json:"cache_creation_input_tokens"`
	Cached     count `json:"cached_tokens"`           // Moonshot, Together
	CacheHit   count `json:"prompt_cache_hit_tokens"` // DeepSeek

	Cost  *float64 `json:"cost"`
	Ticks *float64 `json:"cost_in_usd_ticks"`
}

type details struct {
	Cached     count `json:"cached_tokens"`
	CacheWrite count `json:"cache_write_tokens"`
	Reasoning  count `json:"reasoning_tokens"`
}

// count is a number of tokens; null, negative and what is no number are 0.
type count int

// UnmarshalJSON never fails: a strange count is no reason to lose an answer.
func (c *count) UnmarshalJSON(data []byte) error {
	var f float64
	if json.Unmarshal(data, &f) == nil && f > 0 && f < math.MaxInt32 {
		*c = count(f)
	}
	return nil
}

// ParseUsage reads a usage object; usage is nil when it holds no counts, cost
// is nil when the provider names no price.
func ParseUsage(raw json.RawMessage) (usage *llm.Usage, costUSD *float64) {
	var in usageJSON
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil
	}
	_ = json.Unmarshal(raw, &in) // what has the wrong type stays 0
	u := llm.Usage{
		Prompt:     int(max(in.PromptTokens, in.InputTokens)),
		Completion: int(max(in.CompletionTokens, in.OutputTokens)),
		Total:      int(in.TotalTokens),
		CacheRead:  int(first(in.PromptDetails.Cached, in.InputDetails.Cached, in.CacheRead, in.Cached, in.CacheHit)),
		CacheWrite: int(first(in.PromptDetails.CacheWrite, in.InputDetails.CacheWrite, in.CacheWrite)),
		Reasoning:  int(first(in.CompleteDetails.Reasoning, in.OutputDetails.Reasoning)),
	}
	if u.Prompt+u.Completion+u.Total == 0 {
		return nil, nil
	}
	if u.Reasoning > 0 && u.Total == u.Prompt+u.Completion+u.Reasoning {
		u.Completion += u.Reasoning // xAI counts reasoning beside the completion
	}
	if u.Total == 0 {
		u.Total = u.Prompt + u.Completion
	}
	return &u, in.price()
}

func (in usageJSON) price() *float64 {
	switch {
	case in.Cost != nil && *in.Cost >= 0:
		return in.Cost
	case in.Ticks != nil && *in.Ticks >= 0:
		usd := *in.Ticks / ticksPerUSD
		return &usd
	}
	return nil
}

func first(counts ...count) count {
	for _, c := range counts {
		if c > 0 {
			return c
		}
	}
	return 0
}
