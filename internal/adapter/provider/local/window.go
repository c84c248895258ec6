package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
)

const (
	// AssumedWindow is reckoned with when a server tells nothing, in tokens.
	AssumedWindow = 32_768
	// askLimit bounds one question to a server.
	askLimit = 2 * time.Second
	// maxAnswer bounds what is read of an answer: /api/show holds licences.
	maxAnswer = 8 << 20
	// maxWindow refuses nonsense.
	maxWindow = 1 << 30
)

// Window is the input window of a model on a local server.
type Window struct {
	Tokens int
	// Known is false when Tokens is an assumption.
	Known bool
	// Warnings are lines a person should see once.
	Warnings []string
}

// Window asks the server how much context model has. It always returns a
// usable number; what could not be learned is a warning.
func (e Endpoint) Window(ctx context.Context, client *http.Client, model string, env func(string) string) Window {
	q := asker{Endpoint: e, client: client}
	if e.Provider == modelid.Ollama {
		return q.ollama(ctx, model, env)
	}
	var tokens int
	var err error
	switch e.Provider {
	case modelid.VLLM:
		tokens, err = q.vllm(ctx, model)
	case modelid.LlamaCPP:
		tokens, err = q.llamacpp(ctx)
	case modelid.LMStudio:
		tokens, err = q.lmstudio(ctx, model)
	default:
		err = errors.New("this kind of server cannot be asked")
	}
	if err == nil && plausible(tokens) {
		return Window{Tokens: tokens, Known: true}
	}
	return Window{Tokens: AssumedWindow, Warnings: []string{assumed(e.Provider, model, AssumedWindow)}}
}

func assumed(provider, model string, tokens int) string {
	id := provider + "/" + model
	return fmt.Sprintf("the context window of %s is unknown, %d tokens are assumed; set model_context_tokens[%q] to its true size",
		id, tokens, id)
}

func plausible(tokens int) bool { return tokens > 0 && tokens < maxWindow }

// asker puts questions to one server.
type asker struct {
	Endpoint
	client *http.Client
}

func (q asker) vllm(ctx context.Context, model string) (int, error) {
	var in struct {
		Data []struct {
			ID  string `json:"id"`
			Max int    `json:"max_model_len"`
		} `json:"data"`
	}
	if err := q.ask(ctx, http.MethodGet, q.Base+"/models", nil, &in); err != nil {
		return 0, err
	}
	for _, m := range in.Data {
		if m.ID == model {
			return m.Max, nil
		}
	}
	return 0, fmt.Errorf("the server does not list %s", model)
}

func (q asker) llamacpp(ctx context.Context) (int, error) {
	var in struct {
		Settings struct {
			Context int `json:"n_ctx"`
		} `json:"default_generation_settings"`
	}
	err := q.ask(ctx, http.MethodGet, q.Root+"/props", nil, &in)
	return in.Settings.Context, err
}

func (q asker) lmstudio(ctx context.Context, model string) (int, error) {
	var in struct {
		Data []struct {
			ID     string `json:"id"`
			Loaded int    `json:"loaded_context_length"`
		} `json:"data"`
	}
	if err := q.ask(ctx, http.MethodGet, q.Root+"/api/v0/models", nil, &in); err != nil {
		return 0, err
	}
	for _, m := range in.Data {
		if m.ID == model {
			return m.Loaded, nil
		}
	}
	return 0, fmt.Errorf("the server does not list %s", model)
}

// ollama asks what the loaded model has; a model that is not loaded gets what
// its own settings or the server's variable say, never its trained maximum,
// which Ollama does not use by itself.
func (q asker) ollama(ctx context.Context, model string, env func(string) string) Window {
	if tokens := q.ollamaLoaded(ctx, model); plausible(tokens) {
		return Window{Tokens: tokens, Known: true}
	}
	trained, set := q.ollamaShow(ctx, model)
	if !plausible(set) {
		set, _ = strconv.Atoi(strings.TrimSpace(env("OLLAMA_CONTEXT_LENGTH")))
	}
	if plausible(set) {
		return Window{Tokens: atMost(set, trained), Known: true}
	}
	tokens := atMost(AssumedWindow, trained)
	return Window{Tokens: tokens, Warnings: []string{
		assumed(modelid.Ollama, model, tokens) +
			", or OLLAMA_CONTEXT_LENGTH for the server and ml-intern: Ollama cuts longer prompts without saying so",
	}}
}

func atMost(tokens, limit int) int {
	if plausible(limit) {
		return min(tokens, limit)
	}
	return tokens
}

func (q asker) ollamaLoaded(ctx context.Context, model string) int {
	var in struct {
		Models []struct {
			Name    string `json:"name"`
			Model   string `json:"model"`
			Context int    `json:"context_length"`
		} `json:"models"`
	}
	if q.ask(ctx, http.MethodGet, q.Root+"/api/ps", nil, &in) != nil {
		return 0
	}
	full := model
	if !strings.Contains(model, ":") {
		full += ":latest"
	}
	for _, m := range in.Models {
		if m.Name == full || m.Model == full || m.Name == model {
			return m.Context
		}
	}
	return 0
}

var numCtx = regexp.MustCompile(`(?m)^\s*num_ctx\s+(\d+)\s*$`)

// ollamaShow returns the context a model was trained for and the one its
// settings ask for, 0 where unknown.
func (q asker) ollamaShow(ctx context.Context, model string) (trained, set int) {
	var in struct {
		Parameters string                     `json:"parameters"`
		Info       map[string]json.RawMessage `json:"model_info"`
	}
	body, err := json.Marshal(map[string]string{"model": model})
	if err != nil || q.ask(ctx, http.MethodPost, q.Root+"/api/show", body, &in) != nil {
		return 0, 0
	}
	for name, raw := range in.Info {
		var n int
		if strings.HasSuffix(name, ".context_length") && json.Unmarshal(raw, &n) == nil {
			trained = max(trained, n)
		}
	}
	if m := numCtx.FindStringSubmatch(in.Parameters); m != nil {
		set, _ = strconv.Atoi(m[1])
	}
	return trained, set
}

// ask sends one question and decodes its answer into out.
func (q asker) ask(ctx context.Context, method, address string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	req.Header.Set("Authorization", "Bearer "+q.Key)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := q.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, clean(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: HTTP %d", address, resp.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("ask %s: decode the answer: %w", address, err)
	}
	return nil
}

// clean drops the URL that net/http repeats in its errors.
func clean(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
