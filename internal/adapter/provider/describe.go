package provider

import (
	"context"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/local"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/price"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/replay"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const (
	// hostedWindow is assumed for a hosted model of unknown window, in tokens.
	hostedWindow = 200_000
	// A local server is asked again for a model's window after a while: an
	// answer holds until the model is loaded with other settings, and a server
	// that did not answer may have been started.
	windowFresh = 5 * time.Minute
	windowRetry = 30 * time.Second
)

// windowEntry is what a local server said about a model.
type windowEntry struct {
	window local.Window
	at     time.Time
}

// Describe tells what is known about a model now. For hosted models it never
// waits for the network: call [Provider.Refresh] where waiting is right. An
// old list of the router's models is renewed in the background. Local servers
// are asked, for 2 s a question at most. Its errors are those of
// [Provider.Resolve].
func (p *Provider) Describe(ctx context.Context, id string) (llm.Info, error) {
	t, err := p.target(ctx, id)
	if err != nil {
		return llm.Info{ID: strings.TrimSpace(id)}, err
	}
	return p.describe(ctx, id, t), nil
}

// Refresh asks the service what it knows about a model, then describes it. A
// service that does not answer before ctx ends changes nothing.
func (p *Provider) Refresh(ctx context.Context, id string) (llm.Info, error) {
	t, err := p.target(ctx, id)
	if err != nil {
		return llm.Info{ID: strings.TrimSpace(id)}, err
	}
	p.refresh(ctx, t)
	return p.describe(ctx, id, t), nil
}

// Prewarm starts in the background what [Provider.Refresh] does. Failures are
// silent.
func (p *Provider) Prewarm(ctx context.Context, id string) {
	t, err := p.target(ctx, id)
	if err != nil {
		return
	}
	if t.route.Provider == modelid.Router {
		p.catalog.Prewarm()
		return
	}
	p.background(func(ctx context.Context) { p.refresh(ctx, t) })
}

func (p *Provider) refresh(ctx context.Context, t target) {
	switch t.route.Provider {
	case modelid.Router:
		_, _, _ = p.catalog.Lookup(ctx, t.route.Wire) // what is at hand will do
	case modelid.Anthropic:
		_, _ = p.ask(ctx, t)
	}
}

func (p *Provider) describe(ctx context.Context, id string, t target) llm.Info {
	info := llm.Info{
		ID: strings.TrimSpace(id), Provider: t.route.Provider, Label: t.route.Label,
		Local: t.route.ID.Local() || t.route.ID.Replay(), TokenFactor: 1, PriceSource: llm.PriceUnknown,
	}
	switch {
	case t.route.ID.Replay():
		info.Window, info.WindowKnown = replay.Window, true
	case t.route.ID.Local():
		p.describeLocal(ctx, t, &info)
	case t.route.Provider == modelid.Router:
		p.describeRouter(t, &info)
	default:
		p.describeDirect(t, &info)
	}
	if info.Local {
		info.Prices, info.PriceSource = &llm.Prices{}, llm.PriceLocal
	}
	p.override(t, &info)
	return info
}

// override puts the user's settings before all else.
func (p *Provider) override(t target, info *llm.Info) {
	if tokens, ok := price.Find(p.opts.ContextTokens, t.route.ID.Text); ok {
		info.Window, info.WindowKnown, info.Warnings = tokens, true, nil
	}
	if own, ok := price.Find(p.opts.Prices, t.route.ID.Text); ok {
		prices := own.Prices(t.route.Wire)
		info.Prices, info.PriceSource = &prices, llm.PriceTable
	}
}

func (p *Provider) describeLocal(ctx context.Context, t target, info *llm.Info) {
	if _, set := price.Find(p.opts.ContextTokens, t.route.ID.Text); set {
		return // nobody needs to be asked
	}
	w := p.localWindow(ctx, t)
	info.Window, info.WindowKnown, info.Warnings = w.Tokens, w.Known, w.Warnings
}

func (p *Provider) localWindow(ctx context.Context, t target) local.Window {
	key := t.base + "\n" + t.route.ID.Text
	p.mu.Lock()
	entry, ok := p.windows[key]
	p.mu.Unlock()
	if ok {
		fresh := windowRetry
		if entry.window.Known {
			fresh = windowFresh
		}
		if time.Since(entry.at) < fresh {
			return entry.window
		}
	}
	w := t.endpoint.Window(ctx, p.opts.HTTP, t.route.Wire, p.opts.Env)
	if ctx.Err() != nil {
		return w // an asker who left says nothing about the server
	}
	p.mu.Lock()
	p.windows[key] = windowEntry{w, time.Now()}
	p.mu.Unlock()
	return w
}

// describeRouter takes the catalogue's word, and the table's for models it
// does not list.
func (p *Provider) describeRouter(t target, info *llm.Info) {
	p.describeDirect(t, info)
	p.catalog.Prewarm() // for the next time, if a fetch is due
	m, ok := p.catalog.Peek(t.route.Wire)
	if !ok {
		return
	}
	terms := m.Terms(t.route.ID.Tag)
	if terms.Window > 0 {
		info.Window, info.WindowKnown = terms.Window, terms.Certain
	}
	if terms.Input != nil && terms.Output != nil {
		prices := price.Complete(t.route.Wire, *terms.Input, *terms.Output)
		info.Prices, info.PriceSource = &prices, llm.PriceCatalog
	}
}

// describeDirect takes what a direct provider has said, then the table.
func (p *Provider) describeDirect(t target, info *llm.Info) {
	info.Window = hostedWindow
	info.TokenFactor = price.TokenFactor(t.route.Wire)
	info.MaxOutput = price.MaxOutput(t.route.Wire)
	if e, ok := price.Lookup(t.route.Wire); ok {
		info.Window, info.WindowKnown = e.Window, true
		info.Prices, info.PriceSource = &e.Prices, llm.PriceTable
		if t.route.Provider == modelid.Anthropic && p.opts.CacheTTL == "1h" {
			info.Prices.CacheWrite = info.Prices.Input * price.LongCacheWrite
		}
	}
	f, ok := p.known(t)
	if !ok {
		return
	}
	if f.window > 0 {
		info.Window, info.WindowKnown = f.window, true
	}
	if f.maxOutput > 0 {
		info.MaxOutput = f.maxOutput
	}
}
