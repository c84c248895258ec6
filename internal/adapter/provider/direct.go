package provider

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/anthropic"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/fault"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/openai"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const (
	// A direct provider's word on a model holds a day; its silence is believed
	// for a minute, so that a row of probes asks once.
	factsFresh = 24 * time.Hour
	factsRetry = time.Minute
	// askLimit bounds one question about a model.
	askLimit = 10 * time.Second
	// maxFacts bounds the answer in bytes.
	maxFacts = 1 << 20
)

// facts are what a direct provider says about one of its models. Zero is
// unknown.
type facts struct {
	window, maxOutput int
	// efforts are the levels it takes: nil for unknown, empty for none.
	efforts []llm.Effort
	// thoughtless says that it cannot think in any way.
	thoughtless bool
}

type factEntry struct {
	facts facts
	err   error
	key   string // the key that was used
	at    time.Time
}

func factsName(t target) string { return t.base + "\n" + t.route.Wire }

// known returns what was learned about t's model, without asking.
func (p *Provider) known(t target) (facts, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry, ok := p.facts[factsName(t)]
	if !ok || entry.err != nil || time.Since(entry.at) >= factsFresh {
		return facts{}, false
	}
	return entry.facts, true
}

// ask learns about t's model from its provider, at no charge. A failure is an
// *[llm.Fault].
func (p *Provider) ask(ctx context.Context, t target) (facts, error) {
	p.mu.Lock()
	entry, ok := p.facts[factsName(t)]
	p.mu.Unlock()
	fresh := factsFresh
	if entry.err != nil {
		fresh = factsRetry
	}
	if ok && entry.key == t.key && time.Since(entry.at) < fresh {
		return entry.facts, entry.err
	}
	askCtx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	entry = factEntry{key: t.key}
	if t.route.Provider == modelid.Anthropic {
		entry.facts, entry.err = p.askAnthropic(askCtx, t)
	} else {
		entry.err = p.askOpenAI(askCtx, t)
	}
	if ctx.Err() != nil {
		return facts{}, ctx.Err()
	}
	entry.at = time.Now()
	p.mu.Lock()
	p.facts[factsName(t)] = entry
	p.mu.Unlock()
	return entry.facts, entry.err
}

func (p *Provider) askAnthropic(ctx context.Context, t target) (facts, error) {
	client, err := p.anthropicClient(t)
	if err != nil {
		return facts{}, err
	}
	m, err := client.Model(ctx, t.route.ID.Text)
	if err != nil {
		return facts{}, err
	}
	no := func(b *bool) bool { return b != nil && !*b }
	return facts{
		window: m.Window, maxOutput: m.MaxOutput, efforts: m.Efforts,
		thoughtless: no(m.Adaptive) && no(m.Budget),
	}, nil
}

// askOpenAI asks whether the model exists; its limits are not told.
func (p *Provider) askOpenAI(ctx context.Context, t target) error {
	address := t.base + "/models/" + url.PathEscape(t.route.Wire)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return refuse(modelid.OpenAI, t.route.ID.Text, err)
	}
	req.Header = p.header(t, llm.Request{})
	req.Header.Set("Accept", "application/json")
	resp, err := p.opts.HTTP.Do(req)
	if err != nil {
		return fault.FromTransport(modelid.OpenAI, t.route.ID.Text, err, false)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFacts))
	if err != nil {
		return fault.FromTransport(modelid.OpenAI, t.route.ID.Text, err, false)
	}
	if resp.StatusCode != http.StatusOK || !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return fault.FromResponse(modelid.OpenAI, t.route.ID.Text, resp.StatusCode, resp.Header, body)
	}
	return nil
}

// probe answers an effort probe from what Anthropic says about the model, for
// which nothing is charged. It returns nothing where only a real call can tell.
func (p *Provider) probe(ctx context.Context, t target, req llm.Request) (*llm.Done, error) {
	if req.Kind != llm.KindEffortProbe || req.Effort == llm.EffortOff || t.route.Provider != modelid.Anthropic {
		return nil, nil
	}
	f, err := p.ask(ctx, t)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, nil
	case f.thoughtless:
		return nil, &llm.Fault{
			Class: llm.ClassNoThinking, Provider: t.route.Provider, Model: req.Model, Message: "thinking is not supported by this model",
		}
	case len(f.efforts) == 0:
		return nil, nil
	}
	level := req.Effort
	if level == llm.EffortMinimal {
		level = llm.EffortLow
	}
	if !slices.Contains(f.efforts, level) {
		return nil, &llm.Fault{
			Class: llm.ClassInvalidEffort, Provider: t.route.Provider, Model: req.Model, Supported: f.efforts,
			Message: "the model does not take this reasoning effort",
		}
	}
	free := 0.0
	return &llm.Done{
		Message: llm.Message{Role: llm.Assistant}, Finish: llm.FinishStop, RawFinish: string(llm.FinishStop),
		Usage: &llm.Usage{}, CostUSD: &free,
	}, nil
}

// Count asks how many tokens a request has, where a service tells that for
// free: Anthropic. ok is false everywhere else and when it does not answer.
func (p *Provider) Count(ctx context.Context, req llm.Request) (tokens int, ok bool) {
	t, err := p.target(ctx, req.Model)
	if err != nil || t.route.Provider != modelid.Anthropic {
		return 0, false
	}
	client, err := p.anthropicClient(t)
	if err != nil {
		return 0, false
	}
	tokens, err = client.CountTokens(ctx, req)
	return tokens, err == nil
}

// anthropicClient returns a client bound to what t was resolved to.
func (p *Provider) anthropicClient(t target) (*anthropic.Client, error) {
	key, token := t.key, ""
	if t.keyVariable != services[modelid.Anthropic].keyVariable {
		key, token = "", t.key
	}
	client, err := anthropic.New(anthropic.Options{
		HTTP: p.opts.HTTP,
		// The client adds the version itself.
		BaseURL:   func() string { return strings.TrimSuffix(t.base, "/v1") },
		APIKey:    func() string { return key },
		AuthToken: func() string { return token },
		Betas:     p.opts.AnthropicBetas,
		CacheTTL:  p.opts.CacheTTL,
		MaxOutput: func(string) int { return p.limits(t).MaxOutput },
		Window:    func(string) int { return p.limits(t).Window },
		Threads:   &p.threads,
	})
	if err != nil {
		return nil, refuse(modelid.Anthropic, t.route.ID.Text, err)
	}
	return client, nil
}

// limits are the window and the largest answer of a direct model.
func (p *Provider) limits(t target) llm.Info {
	var info llm.Info
	p.describeDirect(t, &info)
	p.override(t, &info)
	return info
}

func (p *Provider) useResponses(t target) bool {
	return openai.UseResponses(t.route.Wire, t.base, strings.ToLower(p.env("OPENAI_API_MODE")))
}

func (p *Provider) responses(t target) streamer {
	return openai.New(openai.Options{
		HTTP: p.opts.HTTP, Provider: modelid.OpenAI,
		BaseURL:   func() string { return t.base },
		WireModel: func(string) string { return t.route.Wire },
		Header:    func(req llm.Request) http.Header { return p.header(t, req) },
		Threads:   &p.threads,
	})
}
