package answer

import "encoding/json"

// event is the union of the stream's events.
type event struct {
	Type    string   `json:"type"`
	Index   int      `json:"index"`
	Message *message `json:"message"`
	Block   *block   `json:"content_block"`
	Delta   delta    `json:"delta"`
	Usage   *usage   `json:"usage"`
}

// message is the answer as a whole: empty at the start of a stream, complete
// where a server does not stream.
type message struct {
	Type        string            `json:"type"`
	Model       string            `json:"model"`
	Usage       *usage            `json:"usage"`
	Content     []json.RawMessage `json:"content"`
	StopReason  string            `json:"stop_reason"`
	StopDetails *stopDetails      `json:"stop_details"`
}

// block is a content block. Thinking and its signature stay in the form in
// which they came, quotes and escapes included.
type block struct {
	raw       json.RawMessage
	Type      string          `json:"type"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Text      string          `json:"text"`
	Input     json.RawMessage `json:"input"`
	Thinking  json.RawMessage `json:"thinking"`
	Signature json.RawMessage `json:"signature"`
}

// UnmarshalJSON keeps the bytes of the block besides what is read from it.
func (b *block) UnmarshalJSON(data []byte) error {
	type plain block
	if err := json.Unmarshal(data, (*plain)(b)); err != nil {
		return err
	}
	b.raw = append(json.RawMessage(nil), data...)
	return nil
}

type delta struct {
	Type        string          `json:"type"`
	Text        string          `json:"text"`
	Thinking    json.RawMessage `json:"thinking"`
	Signature   json.RawMessage `json:"signature"`
	PartialJSON string          `json:"partial_json"`
	StopReason  string          `json:"stop_reason"`
	StopDetails *stopDetails    `json:"stop_details"`
}

type stopDetails struct {
	Category    string `json:"category"`
	Explanation string `json:"explanation"`
}

// usage is cumulative: a later report of a field replaces the earlier one,
// and null or missing leaves it.
type usage struct {
	Input      *int `json:"input_tokens"`
	Output     *int `json:"output_tokens"`
	CacheRead  *int `json:"cache_read_input_tokens"`
	CacheWrite *int `json:"cache_creation_input_tokens"`
	Details    *struct {
		Thinking *int `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
}

func (u *usage) merge(v *usage) {
	for _, f := range []struct {
		dst **int
		src *int
	}{{&u.Input, v.Input}, {&u.Output, v.Output}, {&u.CacheRead, v.CacheRead}, {&u.CacheWrite, v.CacheWrite}} {
		if f.src != nil {
			*f.dst = f.src
		}
	}
	if v.Details != nil && v.Details.Thinking != nil {
		u.Details = v.Details
	}
}
