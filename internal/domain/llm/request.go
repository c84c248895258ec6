package llm

import "encoding/json"

// Kind says what a model call is for; it is part of the llm_call event.
type Kind string

// The kinds of model call.
const (
	KindMain        Kind = "main"
	KindResearch    Kind = "research"
	KindCompaction  Kind = "compaction"
	KindEffortProbe Kind = "effort_probe"
	KindRestore     Kind = "restore"
)

// Effort is a level of reasoning effort; the empty string means off.
type Effort string

// The levels a user may ask for, lowest first.
const (
	EffortOff     Effort = ""
	EffortMinimal Effort = "minimal"
	EffortLow     Effort = "low"
	EffortMedium  Effort = "medium"
	EffortHigh    Effort = "high"
	EffortXHigh   Effort = "xhigh"
	EffortMax     Effort = "max"
)

// Efforts lists the levels from lowest to highest, without off.
func Efforts() []Effort {
	return []Effort{EffortMinimal, EffortLow, EffortMedium, EffortHigh, EffortXHigh, EffortMax}
}

// ToolSpec is a tool as the model sees it. Parameters is a JSON schema whose
// bytes are sent unchanged, so that the prompt prefix stays cacheable.
type ToolSpec struct {
	Name        string
	Description string
	Parameters  json.RawMessage
}

// ToolChoice says whether the model may call tools.
type ToolChoice string

// The two choices the engine uses.
const (
	ToolAuto ToolChoice = "auto"
	ToolNone ToolChoice = "none"
)

// Request is one model call. The messages, starting with the system message,
// are never modified by whoever serves it.
type Request struct {
	Model     string // the user's model id, e.g. "anthropic/claude-opus-4-8"
	Kind      Kind
	SessionID string // billing window or session id; empty for none
	Messages  []Message
	Tools     []ToolSpec
	Choice    ToolChoice // empty means ToolAuto
	Effort    Effort
	// Strict makes a level the provider cannot express an
	// ClassInvalidEffort error, without a network call, instead of leaving it out.
	Strict bool
	// MaxTokens limits the output; 0 leaves it to the provider's default.
	MaxTokens int
	// LongWaits asks for the long prompt cache lifetime where the provider has
	// one: a tool has kept the model waiting for more than five minutes.
	LongWaits bool
	Adjust    Adjust
}

// Adjust tells a provider what to do differently after a failure it reported:
// the engine decides and remembers, the provider obeys.
type Adjust struct {
	// NoThinking removes all reasoning from the wire copy.
	NoThinking bool
	// FillReasoning puts non-empty reasoning_content on every assistant
	// tool-call message.
	FillReasoning bool
	// Rebuild builds the wire messages from plain text and calls only, without
	// provider items.
	Rebuild bool
	// Shrink drops images and shortens tool outputs of old turns.
	Shrink bool
	// OtherThinking switches between the adaptive and the budget style.
	OtherThinking bool
	// Drop names request parameters to leave out, or to swap for their twin
	// (max_tokens and max_completion_tokens).
	Drop []string
}

// Finish is why the model stopped, in our words.
type Finish string

// The finish reasons.
const (
	FinishStop     Finish = "stop"
	FinishTools    Finish = "tool_calls"
	FinishLength   Finish = "length"
	FinishFiltered Finish = "content_filter"
	FinishPause    Finish = "pause"
	FinishError    Finish = "error"
)

// Chunk is one piece of a model's streamed answer: Text, Thinking, Begun,
// Restart or Done. A stream ends with exactly one Done, or with an error.
type Chunk interface{ chunk() }

// Begun says the provider has opened the stream; Usage is what it reported so
// far (some bill the prompt at once), or nil.
type Begun struct {
	Model     string // the provider's own name of the model
	RequestID string
	Usage     *Usage
}

// Text is a non-empty piece of the visible answer.
type Text struct{ Delta string }

// Thinking is a non-empty piece of the model's reasoning.
type Thinking struct{ Delta string }

// Restart says that everything streamed so far is void: a gateway has begun
// the answer anew.
type Restart struct{}

// Done carries the finished answer.
type Done struct {
	// Message is the assistant message with its origin, complete tool calls
	// and opaque reasoning. Arguments are as the model wrote them.
	Message Message
	Finish  Finish
	// RawFinish is the provider's own word.
	RawFinish string
	// Cut names tools whose calls were cut off before they were complete.
	Cut []string
	// Explanation is the provider's reason for a refusal, if it gave one.
	Explanation string
	// Usage is nil when the provider reported none.
	Usage *Usage
	// CostUSD is the price the provider itself reported, or nil.
	CostUSD *float64
	// Overflow says that the answer is empty because the context is full.
	Overflow  bool
	RequestID string
}

func (Begun) chunk()    {}
func (Text) chunk()     {}
func (Thinking) chunk() {}
func (Restart) chunk()  {}
func (Done) chunk()     {}

// Usage counts tokens. Prompt counts all input: uncached, cache reads and
// cache writes; Reasoning is a part of Completion.
type Usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
	CacheRead  int `json:"cache_read_tokens"`
	CacheWrite int `json:"cache_creation_tokens"`
	Reasoning  int `json:"reasoning_tokens"`
}

// Prices are US dollars per million tokens.
type Prices struct {
	Input      float64 `json:"input"`
	Output     float64 `json:"output"`
	CacheRead  float64 `json:"cache_read"`
	CacheWrite float64 `json:"cache_write"`
	// Long replaces these prices for a call whose prompt is long; nil for none.
	Long *LongPrices `json:"long,omitempty"`
}

// LongPrices apply to a whole call whose prompt has more than Above tokens.
type LongPrices struct {
	Above int `json:"above"`
	Prices
}

// Cost returns what u costs in millionths of a dollar. Tokens times dollars
// per million tokens is exactly that unit.
func (p Prices) Cost(u Usage) float64 {
	if p.Long != nil && u.Prompt > p.Long.Above {
		p = p.Long.Prices
	}
	plain := max(0, u.Prompt-u.CacheRead-u.CacheWrite)
	return float64(plain)*p.Input + float64(u.CacheRead)*p.CacheRead +
		float64(u.CacheWrite)*p.CacheWrite + float64(u.Completion)*p.Output
}

// PriceSource says where a cost comes from.
type PriceSource string

// The sources of a cost, as the llm_call event names them.
const (
	PriceProvider PriceSource = "provider"
	PriceCatalog  PriceSource = "catalog"
	PriceTable    PriceSource = "table"
	PriceLocal    PriceSource = "local" // runs on the user's machine or is replayed: free
	PriceUnknown  PriceSource = "unknown"
)

// Info is what is known about a model.
type Info struct {
	ID       string
	Provider string // "anthropic", "openai", "hf-router", "ollama", …
	Label    string // how people are told: "Anthropic API", "HF router"
	Local    bool
	// Window is the input window in tokens; WindowKnown is false when it is an
	// assumption.
	Window      int
	WindowKnown bool
	// MaxOutput is the largest answer in tokens, 0 when unknown.
	MaxOutput int
	// Prices is nil when unknown.
	Prices      *Prices
	PriceSource PriceSource
	// TokenFactor is the first guess of actual over estimated prompt tokens.
	TokenFactor float64
	// Warnings are lines a person should see once.
	Warnings []string
}
