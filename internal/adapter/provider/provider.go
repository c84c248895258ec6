// Package provider is the model: it finds out at every call which service an
// id means, with which key and at which address, hands the call to the client
// that speaks its language, and words failures for a person. It knows what a
// model costs and how much it can hold. It does not retry or heal, all that it
// remembers of a conversation is the text it has sent, and it reads variables
// only through the function it is given.
package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/fault"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/price"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/replay"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Options are the settings and sources of a Provider. Nothing in them belongs
// to one session, except what the functions read from their context.
type Options struct {
	// HTTP makes all requests. It must neither limit the time of a whole call
	// nor follow redirects of a POST.
	HTTP *http.Client
	// Env returns a variable, "" when it is not set. It is asked at every call.
	Env func(name string) string
	// Token returns the Hub token for the router, "" for none; nil means none.
	// It decides alone which of the user's and the server's tokens is used.
	Token func(ctx context.Context) string
	// BillTo returns who pays for a call to the router, "" for the token's
	// owner. Nil takes HFBillTo, then the variable HF_BILL_TO; on a server nil
	// means nobody else ever pays.
	BillTo func(ctx context.Context) string
	// Plan returns the user's Hugging Face plan ("free", "pro"), "" when it is
	// unknown; nil means unknown.
	Plan func(ctx context.Context) string

	// HFBillTo is the setting hf_bill_to.
	HFBillTo string
	// Routing is the setting model_routing; empty takes the variable
	// ML_INTERN_MODEL_ROUTING, then auto.
	Routing string
	// ContextTokens is the setting model_context_tokens, by model id.
	ContextTokens map[string]int
	// Prices is the setting model_prices, by model id.
	Prices map[string]price.Override
	// CacheTTL is the setting prompt_cache_ttl: "5m", "1h" or empty.
	CacheTTL string
	// AnthropicBetas is the setting anthropic_betas.
	AnthropicBetas []string

	// CacheDir holds router-models.json; empty keeps it in memory only.
	CacheDir string
	// Version is the program's own.
	Version string
	// Scripts and ReadFile are the recordings of replay/; both may be nil.
	Scripts  fs.FS
	ReadFile func(path string) ([]byte, error)
	// Server refuses recordings, and local models unless the operator allows
	// them: their address is reachable from the server, not from the user.
	Server bool
}

// Provider is safe for concurrent use. Close it to end background requests.
type Provider struct {
	opts    Options
	catalog *catalog.Catalog
	replay  *replay.Model // nil when there are no recordings
	threads transcript.Threads

	wg     sync.WaitGroup
	closed chan struct{}
	once   sync.Once

	mu      sync.Mutex
	windows map[string]windowEntry // of local models, by endpoint and model
	facts   map[string]factEntry   // of direct models, by endpoint and model
}

// New checks the options and returns a Provider that has asked nothing yet.
func New(opts Options) (*Provider, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	p := &Provider{
		opts: opts, closed: make(chan struct{}),
		windows: map[string]windowEntry{}, facts: map[string]factEntry{},
	}
	path := ""
	if opts.CacheDir != "" {
		path = filepath.Join(opts.CacheDir, "router-models.json")
	}
	var err error
	p.catalog, err = catalog.New(catalog.Options{
		HTTP: opts.HTTP, BaseURL: p.routerBase, Path: path, UserAgent: "ml-intern/" + opts.Version,
	})
	if err != nil {
		return nil, err
	}
	if _, err := p.anthropicClient(target{}); err != nil {
		return nil, err // a bad cache lifetime or beta feature
	}
	if opts.Scripts != nil || opts.ReadFile != nil {
		p.replay, err = replay.New(replay.Options{Scripts: opts.Scripts, ReadFile: opts.ReadFile})
	}
	return p, err
}

func (o *Options) check() error {
	switch {
	case o.HTTP == nil:
		return errors.New("provider: Options.HTTP is missing")
	case o.Env == nil:
		return errors.New("provider: Options.Env is missing")
	}
	if err := modelid.ValidRouting(o.Routing); err != nil {
		return err
	}
	if v := strings.TrimSpace(o.Env("ML_INTERN_MODEL_ROUTING")); o.Routing == "" && modelid.ValidRouting(v) != nil {
		return fmt.Errorf("ML_INTERN_MODEL_ROUTING: %w", modelid.ValidRouting(v))
	}
	switch mode := strings.ToLower(strings.TrimSpace(o.Env("OPENAI_API_MODE"))); mode {
	case "", "auto", "chat", "responses":
	default:
		return fmt.Errorf("OPENAI_API_MODE is %q, want auto, chat or responses", mode)
	}
	if strings.ContainsFunc(o.HFBillTo, unicode.IsControl) {
		return errors.New("hf_bill_to contains a control character")
	}
	if strings.ContainsFunc(strings.TrimSpace(o.Env("HF_BILL_TO")), unicode.IsControl) {
		return errors.New("HF_BILL_TO contains a control character")
	}
	for model, tokens := range o.ContextTokens {
		if tokens <= 0 {
			return fmt.Errorf("model_context_tokens[%q] is %d, want a number of tokens", model, tokens)
		}
	}
	for model, override := range o.Prices {
		if err := override.Check(model); err != nil {
			return err
		}
	}
	return nil
}

// Close ends background requests and waits for them.
func (p *Provider) Close() {
	p.once.Do(func() { close(p.closed) })
	p.catalog.Close()
	p.wg.Wait()
}

// Validate checks the form of an id, and that this program speaks to the
// provider it names. Keys and networks are not asked.
func (p *Provider) Validate(id string) error {
	parsed, err := p.parse(id)
	if err != nil {
		return err
	}
	every := modelid.Keys{Anthropic: true, OpenAI: true, HF: true, OpenRouter: true}
	_, err = modelid.Resolve(parsed, every, p.routing())
	return err
}

// Resolve says who serves id now. A missing key is an *[llm.Fault] of class
// missing_key.
func (p *Provider) Resolve(ctx context.Context, id string) (modelid.Route, error) {
	t, err := p.target(ctx, id)
	return t.route, err
}

// Address is where calls to id go: the base URL of a hosted service or a local
// server, "" for recordings.
func (p *Provider) Address(ctx context.Context, id string) (string, error) {
	t, err := p.target(ctx, id)
	return t.base, err
}

// Stream makes one model call. The sequence ends with [llm.Done], an
// *[llm.Fault] with words for a person, or the context's error.
func (p *Provider) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		req.Model = strings.TrimSpace(req.Model)
		t, err := p.target(ctx, req.Model)
		if err != nil {
			yield(nil, err)
			return
		}
		if done, err := p.probe(ctx, t, req); done != nil || err != nil {
			if err != nil {
				yield(nil, p.worded(ctx, t, err))
				return
			}
			yield(*done, nil)
			return
		}
		client, err := p.client(t)
		if err != nil {
			yield(nil, err)
			return
		}
		for chunk, err := range client.Stream(ctx, req) {
			if err != nil {
				yield(nil, p.worded(ctx, t, err))
				return
			}
			if !yield(chunk, nil) {
				return
			}
		}
	}
}

// Explain words a fault of a call to f.Model anew, for example to tell how
// long was tried.
func (p *Provider) Explain(ctx context.Context, f *llm.Fault, tried time.Duration) {
	t, err := p.target(ctx, f.Model)
	if err != nil || f.Class == llm.ClassMissingKey || t.route.Provider == modelid.Replay {
		return // its own words are better
	}
	p.explain(ctx, t, f, tried)
}

// worded adds words for a person to a fault that has none.
func (p *Provider) worded(ctx context.Context, t target, err error) error {
	var f *llm.Fault
	if errors.As(err, &f) && f.Text == "" {
		p.explain(ctx, t, f, 0)
	}
	return err
}

func (p *Provider) explain(ctx context.Context, t target, f *llm.Fault, tried time.Duration) {
	c := fault.Context{
		Label: t.route.Label, BaseURL: t.base, KeyVariable: t.keyVariable, URLVariable: t.urlVariable, Tried: tried,
	}
	if t.route.Provider == modelid.Router {
		switch f.Class {
		case llm.ClassBilling:
			if p.opts.Plan != nil {
				c.Plan = p.opts.Plan(ctx)
			}
		case llm.ClassModelNotFound:
			c.Close = p.catalog.Similar(t.route.Wire, closeIDs)
		}
	}
	fault.Explain(f, c)
}

// closeIDs is how many similar ids are offered for one that is not known.
const closeIDs = 3

// background runs f until it ends or the Provider is closed.
func (p *Provider) background(f func(ctx context.Context)) {
	select {
	case <-p.closed:
		return
	default:
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.wg.Go(func() {
		defer cancel()
		f(ctx)
	})
	p.wg.Go(func() {
		defer cancel()
		select {
		case <-p.closed:
		case <-ctx.Done():
		}
	})
}
