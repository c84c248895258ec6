package anthropic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/fault"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const (
	// maxAnswer bounds an answer that is no stream, in bytes.
	maxAnswer = 1 << 20
	// modelAge is how long what the API said of a model is believed.
	modelAge = 24 * time.Hour
)

// Model is what the API says of a model. A count of 0 and a nil list mean
// that it did not say.
type Model struct {
	Window    int          // the largest prompt in tokens
	MaxOutput int          // the largest answer in tokens
	Efforts   []llm.Effort // the levels it takes, lowest first; empty but not nil for none
	Adaptive  *bool        // whether it decides itself how much to think
	Budget    *bool        // whether its thinking can be given a budget
}

type modelJSON struct {
	MaxInput     *int `json:"max_input_tokens"`
	MaxTokens    *int `json:"max_tokens"`
	Capabilities *struct {
		Effort   map[string]json.RawMessage `json:"effort"`
		Thinking *struct {
			Types map[string]json.RawMessage `json:"types"`
		} `json:"thinking"`
	} `json:"capabilities"`
}

// Model asks what the model with the user's id can do. Answers are kept for a
// day.
func (c *Client) Model(ctx context.Context, model string) (Model, error) {
	c.mu.Lock()
	known, ok := c.models[model]
	c.mu.Unlock()
	if ok && time.Since(known.at) < modelAge {
		return known.model, nil
	}
	raw, err := c.call(ctx, http.MethodGet, "/v1/models/"+url.PathEscape(wireName(model)), model, nil)
	if err != nil {
		return Model{}, err
	}
	m, err := readModel(raw)
	if err != nil {
		return Model{}, fmt.Errorf("read what anthropic says of %s: %w", model, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.models[model] = knownModel{m, time.Now()}
	return m, nil
}

func readModel(raw []byte) (Model, error) {
	var in modelJSON
	if err := json.Unmarshal(raw, &in); err != nil {
		return Model{}, err
	}
	var m Model
	if in.MaxInput != nil {
		m.Window = max(0, *in.MaxInput)
	}
	if in.MaxTokens != nil {
		m.MaxOutput = max(0, *in.MaxTokens)
	}
	if in.Capabilities == nil {
		return m, nil
	}
	if t := in.Capabilities.Thinking; t != nil {
		m.Adaptive, m.Budget = supported(t.Types["adaptive"]), supported(t.Types["enabled"])
	}
	for _, effort := range llm.Efforts() {
		if s := supported(in.Capabilities.Effort[string(effort)]); s != nil {
			if m.Efforts == nil {
				m.Efforts = []llm.Effort{}
			}
			if *s {
				m.Efforts = append(m.Efforts, effort)
			}
		}
	}
	return m, nil
}

// supported reads {"supported":true}; nil when it does not say.
func supported(raw json.RawMessage) *bool {
	var in struct {
		Supported *bool `json:"supported"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &in) != nil {
		return nil
	}
	return in.Supported
}

// CountTokens asks how many tokens the prompt of req has. It is free.
func (c *Client) CountTokens(ctx context.Context, req llm.Request) (int, error) {
	body, err := c.body(req, &transcript.Thread{}, true)
	if err != nil {
		return 0, err
	}
	raw, err := c.call(ctx, http.MethodPost, "/v1/messages/count_tokens", req.Model, body.Bytes())
	if err != nil {
		return 0, err
	}
	var out struct {
		Tokens *int `json:"input_tokens"`
	}
	if err := json.Unmarshal(raw, &out); err != nil || out.Tokens == nil {
		return 0, fault.FromStream(Provider, req.Model, raw, false)
	}
	return *out.Tokens, nil
}

// call sends a request whose answer is one JSON document. Its error is the
// context's when ctx was cancelled, else an *llm.Fault.
func (c *Client) call(ctx context.Context, method, path, model string, body []byte) ([]byte, error) {
	header, missing := c.header(model)
	if missing != nil {
		return nil, missing
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url(path), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask anthropic: %w", err)
	}
	req.Header = header
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.opts.HTTP.Do(req)
	if err != nil {
		return nil, lost(ctx, model, err)
	}
	defer func() { _ = resp.Body.Close() }() // everything wanted was read
	raw, err := httpx.ReadAll(io.Reader(resp.Body), maxAnswer)
	if resp.StatusCode != http.StatusOK {
		return nil, fault.FromResponse(Provider, model, resp.StatusCode, resp.Header, raw)
	}
	if err != nil {
		return nil, lost(ctx, model, err)
	}
	return raw, nil
}

func lost(ctx context.Context, model string, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return fault.FromTransport(Provider, model, err, false)
}
