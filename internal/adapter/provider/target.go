package provider

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/chat"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/local"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const (
	hubEndpoint    = "https://huggingface.co"
	routerVariable = "HF_ROUTER_BASE_URL"
)

// service is one row of the table of hosted services: a new service that
// speaks OpenAI's chat completions is a row here and a prefix in modelid.
type service struct {
	urlVariable, standard string
	keyVariable           string
	// dialect is nil for services with a client of their own.
	dialect func() chat.Dialect
	// header adds to the bearer token; nil adds nothing.
	header func(p *Provider, h http.Header)
}

var services = map[string]service{
	modelid.Router: {
		urlVariable: routerVariable, standard: "https://router.huggingface.co/v1", keyVariable: "HF_TOKEN",
		dialect: chat.Router,
	},
	modelid.OpenRouter: {
		urlVariable: "OPENROUTER_BASE_URL", standard: "https://openrouter.ai/api/v1", keyVariable: "OPENROUTER_API_KEY",
		dialect: chat.OpenRouter,
	},
	modelid.OpenAI: {
		urlVariable: "OPENAI_BASE_URL", standard: "https://api.openai.com/v1", keyVariable: "OPENAI_API_KEY",
		dialect: chat.OpenAI, header: openaiHeader,
	},
	modelid.Anthropic: {
		urlVariable: "ANTHROPIC_BASE_URL", standard: "https://api.anthropic.com", keyVariable: "ANTHROPIC_API_KEY",
	},
}

// openaiHeader names the organisation and project that pay.
func openaiHeader(p *Provider, h http.Header) {
	for header, variable := range map[string]string{
		"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID",
	} {
		if v := p.env(variable); v != "" {
			h.Set(header, v)
		}
	}
}

// target is one call's destination: everything is read once, so that the key
// that was checked is the key that is sent.
type target struct {
	route       modelid.Route
	base        string
	urlVariable string
	key         string
	keyVariable string
	billTo      string
	endpoint    local.Endpoint // of a local server
}

// streamer is a client that makes calls.
type streamer interface {
	Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error]
}

// parse reads an id and applies the rules of a server.
func (p *Provider) parse(text string) (modelid.ID, error) {
	id, err := modelid.Parse(text)
	if err != nil {
		return id, refuse("", text, err)
	}
	if p.opts.Server && id.Replay() {
		return id, refuse(id.Prefix, id.Text, errors.New("recordings cannot be played on a server"))
	}
	if p.opts.Server && id.Local() && p.env("ML_INTERN_ALLOW_LOCAL_MODELS") != "1" {
		return id, refuse(id.Prefix, id.Text, errors.New("local models are not enabled on this server (ML_INTERN_ALLOW_LOCAL_MODELS=1 enables them)"))
	}
	if id.Replay() && p.replay == nil {
		return id, refuse(id.Prefix, id.Text, errors.New("there are no recordings to play"))
	}
	return id, nil
}

// refuse is a fault that nothing but another id or setting mends.
func refuse(provider, model string, err error) error {
	never := false
	return &llm.Fault{
		Class: llm.ClassInvalidRequest, Provider: provider, Model: model, Retry: &never,
		Message: err.Error(), Text: err.Error(), Hint: "--model or /model chooses another one", Err: err,
	}
}

// target finds out who serves an id, where, and with which key.
func (p *Provider) target(ctx context.Context, text string) (target, error) {
	id, err := p.parse(text)
	if err != nil {
		return target{}, err
	}
	token := p.token(ctx)
	keys := p.keys(token)
	route, err := modelid.Resolve(id, keys, p.routing())
	if err != nil {
		return target{}, p.withheld(err, token)
	}
	t := target{route: route}
	if id.Replay() {
		return t, nil
	}
	if id.Local() {
		return p.localTarget(t)
	}
	s := services[route.Provider]
	t.urlVariable, t.keyVariable = s.urlVariable, s.keyVariable
	if t.base, err = p.base(s); err != nil {
		return target{}, refuse(route.Provider, id.Text, err)
	}
	switch route.Provider {
	case modelid.Router:
		t.key, t.billTo = token, p.billTo(ctx)
	case modelid.Anthropic:
		t.key = p.env("ANTHROPIC_API_KEY")
		if t.key == "" {
			t.keyVariable = "ANTHROPIC_AUTH_TOKEN"
			t.key = p.env(t.keyVariable)
		}
	default:
		t.key = p.env(s.keyVariable)
	}
	return t, nil
}

func (p *Provider) localTarget(t target) (target, error) {
	e, err := local.Find(t.route.Provider, p.opts.Env)
	if err != nil {
		return target{}, refuse(t.route.Provider, t.route.ID.Text, err)
	}
	t.endpoint, t.base, t.urlVariable, t.key, t.keyVariable = e, e.Base, e.Variable, e.Key, e.KeyVariable
	return t, nil
}

// client returns what makes calls to t.
func (p *Provider) client(t target) (streamer, error) {
	switch {
	case t.route.Provider == modelid.Replay:
		return p.replay, nil
	case t.route.Provider == modelid.Anthropic:
		return p.anthropicClient(t)
	case t.route.Provider == modelid.OpenAI && p.useResponses(t):
		return p.responses(t), nil
	}
	opts := chat.Options{
		HTTP: p.opts.HTTP, Provider: t.route.Provider,
		BaseURL:   func() string { return t.base },
		WireModel: func(string) string { return t.route.Wire },
		Header:    func(req llm.Request) http.Header { return p.header(t, req) },
		Threads:   &p.threads,
	}
	if t.route.ID.Local() {
		opts.Dialect = chat.Local(p.env("LOCAL_LLM_REASONING_EFFORT") == "1")
	} else {
		opts.Dialect = services[t.route.Provider].dialect()
	}
	return chat.New(opts), nil
}

// header returns the credentials of a call in the style of OpenAI.
func (p *Provider) header(t target, req llm.Request) http.Header {
	if t.route.Provider == modelid.Router {
		return chat.RouterHeader(t.key, t.billTo, req.SessionID)
	}
	h := http.Header{}
	h.Set("Authorization", "Bearer "+t.key)
	if s, ok := services[t.route.Provider]; ok && s.header != nil {
		s.header(p, h)
	}
	return h
}

// env returns a variable without surrounding blanks: a blank one is not set.
func (p *Provider) env(name string) string { return strings.TrimSpace(p.opts.Env(name)) }

func (p *Provider) routing() string {
	if p.opts.Routing != "" {
		return p.opts.Routing
	}
	return p.env("ML_INTERN_MODEL_ROUTING")
}

// Keys says which credentials exist now.
func (p *Provider) Keys(ctx context.Context) modelid.Keys { return p.keys(p.token(ctx)) }

func (p *Provider) keys(token string) modelid.Keys {
	return modelid.Keys{
		Anthropic:  p.env("ANTHROPIC_API_KEY") != "" || p.env("ANTHROPIC_AUTH_TOKEN") != "",
		OpenAI:     p.env("OPENAI_API_KEY") != "",
		OpenRouter: p.env("OPENROUTER_API_KEY") != "",
		HF:         token != "" && p.routerTrusted(),
	}
}

// token returns the Hub token without the line ends that pasting adds.
func (p *Provider) token(ctx context.Context) string {
	if p.opts.Token == nil {
		return ""
	}
	return CleanToken(p.opts.Token(ctx))
}

// CleanToken removes all line ends and surrounding blanks from a token.
func CleanToken(token string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(token))
}

// routerTrusted reports whether the Hub token may go to the router: the token
// of a private Hub is not sent to the public router, unless the router's
// address was set by hand.
func (p *Provider) routerTrusted() bool {
	endpoint := strings.TrimRight(p.env("HF_ENDPOINT"), "/")
	return endpoint == "" || strings.EqualFold(endpoint, hubEndpoint) || p.env(routerVariable) != ""
}

// withheld tells why a token that exists is not used.
func (p *Provider) withheld(err error, token string) error {
	var f *llm.Fault
	if errors.As(err, &f) && f.Class == llm.ClassMissingKey && f.Provider == modelid.Router && token != "" {
		f.Text = fmt.Sprintf("model %s is served by the HF router, but HF_ENDPOINT is not %s, so its token (HF_TOKEN) is not sent to the public router; "+
			"set %s to the router that belongs to it, or switch with /model", f.Model, hubEndpoint, routerVariable)
		f.Hint = "set " + routerVariable + ", or switch with /model"
	}
	return err
}

func (p *Provider) billTo(ctx context.Context) string {
	switch {
	case p.opts.BillTo != nil:
		return headerValue(p.opts.BillTo(ctx))
	case p.opts.Server:
		return ""
	case strings.TrimSpace(p.opts.HFBillTo) != "":
		return strings.TrimSpace(p.opts.HFBillTo)
	}
	return headerValue(p.opts.Env("HF_BILL_TO"))
}

// headerValue drops a value that cannot be a header: it was changed after the
// check at the start.
func headerValue(v string) string {
	v = strings.TrimSpace(v)
	if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	return v
}

// base returns a hosted service's address without a final slash.
func (p *Provider) base(s service) (string, error) {
	raw := p.env(s.urlVariable)
	if raw == "" {
		return s.standard, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", fmt.Errorf("%s is not an http or https URL", s.urlVariable)
	}
	return strings.TrimRight(raw, "/"), nil
}

// routerBase is the address of the router's catalogue. A bad variable leads
// nowhere rather than to the public router.
func (p *Provider) routerBase() string {
	base, err := p.base(services[modelid.Router])
	if err != nil {
		return ""
	}
	return base
}
