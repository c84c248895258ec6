package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/provider"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const chatAnswer = `data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"hello"}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}

data: [DONE]

`

const anthropicAnswer = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{"input_tokens":3,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}

event: message_stop
data: {"type":"message_stop"}

`

const responsesAnswer = `event: response.output_text.delta
data: {"type":"response.output_text.delta","output_index":0,"delta":"hello"}

event: response.completed
data: {"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"hello"}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}

`

const routerModels = `{"data":[
 {"id":"moonshotai/Kimi-K2.6","providers":[
  {"provider":"novita","status":"live","context_length":262144,"pricing":{"input":0.6,"output":2.5},"supports_tools":true},
  {"provider":"together","status":"error","context_length":131072,"pricing":{"input":1,"output":3},"supports_tools":true}]},
 {"id":"some/plain","providers":[{"provider":"x","status":"live"}]},
 {"id":"some/gone","providers":[{"provider":"x","status":"error"}]}]}`

// hit is a request that reached the fake services.
type hit struct {
	method, path string
	header       http.Header
	body         map[string]any
}

// world is a set of fake services on one loopback server, one prefix each, and
// the variables that point at them.
type world struct {
	t      *testing.T
	server *httptest.Server
	vars   map[string]string
	token  string
	opts   provider.Options
	answer map[string]http.HandlerFunc // by method and path, before the usual ones

	mu   sync.Mutex
	hits []hit
}

func newWorld(t *testing.T, vars map[string]string) *world {
	t.Helper()
	w := &world{t: t, vars: map[string]string{}, answer: map[string]http.HandlerFunc{}}
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	for variable, prefix := range map[string]string{
		"HF_ROUTER_BASE_URL": "/router/v1", "ANTHROPIC_BASE_URL": "/anthropic", "OPENAI_BASE_URL": "/openai/v1",
		"OPENROUTER_BASE_URL": "/openrouter/v1", "LOCAL_LLM_BASE_URL": "/local",
	} {
		w.vars[variable] = w.server.URL + prefix
	}
	for k, v := range vars {
		w.vars[k] = v
	}
	w.opts = provider.Options{
		HTTP: w.server.Client(), Env: func(name string) string { return w.vars[name] }, Version: "test",
		Token:   func(context.Context) string { return w.token },
		Scripts: fstest.MapFS{"demo.json": {Data: []byte(`{"messages":[{"role":"assistant","content":"hello"}]}`)}},
	}
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	h := hit{method: r.Method, path: r.URL.Path, header: r.Header.Clone()}
	_ = json.NewDecoder(r.Body).Decode(&h.body)
	w.mu.Lock()
	w.hits = append(w.hits, h)
	w.mu.Unlock()
	if f, ok := w.answer[r.Method+" "+r.URL.Path]; ok {
		f(rw, r)
		return
	}
	answers := map[string]string{
		"/chat/completions": chatAnswer, "/v1/messages": anthropicAnswer, "/responses": responsesAnswer,
	}
	for suffix, body := range answers {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, suffix) {
			rw.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(rw, body)
			return
		}
	}
	if r.URL.Path == "/router/v1/models" {
		_, _ = io.WriteString(rw, routerModels)
		return
	}
	http.NotFound(rw, r)
}

// seen returns and forgets the requests so far, but for those for the router's
// list, which come in the background.
func (w *world) seen() []hit {
	w.mu.Lock()
	defer w.mu.Unlock()
	hits := slices.DeleteFunc(w.hits, func(h hit) bool { return h.path == "/router/v1/models" })
	w.hits = nil
	return hits
}

func (w *world) open() *provider.Provider {
	w.t.Helper()
	p, err := provider.New(w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		p.Close()
		w.server.Client().CloseIdleConnections()
	})
	return p
}

// call makes one call and returns the text of the answer.
func call(p *provider.Provider, model string, edit ...func(*llm.Request)) (string, error) {
	req := llm.Request{Model: model, Kind: llm.KindMain, SessionID: "session-1", Messages: []llm.Message{{Role: llm.User, Text: "hi"}}}
	for _, f := range edit {
		f(&req)
	}
	text := ""
	for chunk, err := range p.Stream(context.Background(), req) {
		if err != nil {
			return text, err
		}
		if done, ok := chunk.(llm.Done); ok {
			text = done.Message.Text
		}
	}
	return text, nil
}

// one makes a call that must succeed with exactly one request.
func (w *world) one(p *provider.Provider, model string) hit {
	w.t.Helper()
	w.seen()
	text, err := call(p, model)
	if err != nil || text != "hello" {
		w.t.Fatalf("%s: %q, %v", model, text, err)
	}
	hits := w.seen()
	if len(hits) != 1 {
		w.t.Fatalf("%s: %d requests, want 1", model, len(hits))
	}
	return hits[0]
}

// refused makes a call that must fail without any request.
func (w *world) refused(p *provider.Provider, model string) *llm.Fault {
	w.t.Helper()
	w.seen()
	_, err := call(p, model)
	var f *llm.Fault
	if !errors.As(err, &f) {
		w.t.Fatalf("%s: %v, want a fault", model, err)
	}
	if hits := w.seen(); len(hits) != 0 {
		w.t.Fatalf("%s: %d requests, want none", model, len(hits))
	}
	if f.Retryable() || f.Text == "" {
		w.t.Errorf("%s: %+v", model, f)
	}
	return f
}

func names(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(text, s) {
			t.Errorf("%q does not name %q", text, s)
		}
	}
}

// Acceptance check 3.
func TestCheck3_Ollama(t *testing.T) {
	w := newWorld(t, nil)
	w.vars["OLLAMA_BASE_URL"] = w.server.URL + "/"
	p := w.open()
	w.seen()
	if _, err := call(p, "ollama/llama3.1:8b", func(r *llm.Request) { r.Effort = llm.EffortHigh }); err != nil {
		t.Fatal(err)
	}
	h := w.seen()[0]
	if h.path != "/v1/chat/completions" || h.body["model"] != "llama3.1:8b" || h.header.Get("Authorization") != "Bearer sk-local-no-key-required" {
		t.Errorf("%s %v %v", h.path, h.body["model"], h.header)
	}
	if _, ok := h.body["reasoning_effort"]; ok {
		t.Error("reasoning_effort was sent")
	}
	w.vars["LOCAL_LLM_REASONING_EFFORT"] = "1"
	if _, err := call(p, "ollama/llama3.1:8b", func(r *llm.Request) { r.Effort = llm.EffortHigh }); err != nil {
		t.Fatal(err)
	}
	if h := w.seen()[0]; h.body["reasoning_effort"] != "high" {
		t.Errorf("reasoning_effort = %v", h.body["reasoning_effort"])
	}
}

// Acceptance check 4.
func TestCheck4_LocalVariables(t *testing.T) {
	w := newWorld(t, map[string]string{"LOCAL_LLM_API_KEY": "shared"})
	p := w.open()
	if h := w.one(p, "vllm/org/m"); h.path != "/local/v1/chat/completions" || h.header.Get("Authorization") != "Bearer shared" || h.body["model"] != "org/m" {
		t.Errorf("shared: %s %v", h.path, h.header)
	}
	w.vars["VLLM_BASE_URL"], w.vars["VLLM_API_KEY"] = w.server.URL+"/own/v1/", "own"
	if h := w.one(p, "vllm/org/m"); h.path != "/own/v1/chat/completions" || h.header.Get("Authorization") != "Bearer own" {
		t.Errorf("specific: %s %v", h.path, h.header)
	}
	w.vars["VLLM_BASE_URL"] = "ftp://x"
	names(t, w.refused(p, "vllm/org/m").Text, "VLLM_BASE_URL")
}

// Acceptance check 5.
func TestCheck5_InvalidIDs(t *testing.T) {
	w := newWorld(t, map[string]string{"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o"})
	w.token = "hf"
	p := w.open()
	for _, id := range []string{"", "gpt-5.5", "ollama/", "ollama/a b", "openai-compat/x", "a//b", "a/b:"} {
		if f := w.refused(p, id); f.Class != llm.ClassInvalidRequest {
			t.Errorf("%q: class %s", id, f.Class)
		}
		if p.Validate(id) == nil {
			t.Errorf("Validate(%q) passed", id)
		}
	}
	for _, id := range []string{"bedrock/x", "azure/x", "gemini/x", "vertex_ai/x"} {
		names(t, w.refused(p, id).Text, "is not available in this build")
	}
	if err := p.Validate("moonshotai/Kimi-K2.6:novita"); err != nil {
		t.Error(err)
	}
}

// Acceptance check 6.
func TestCheck6_Anthropic(t *testing.T) {
	w := newWorld(t, map[string]string{"ANTHROPIC_API_KEY": " a-key\n"})
	p := w.open()
	h := w.one(p, "anthropic/claude-opus-4-6")
	if h.path != "/anthropic/v1/messages" || h.header.Get("X-Api-Key") != "a-key" || h.header.Get("Anthropic-Version") == "" ||
		h.header.Get("Authorization") != "" || h.body["model"] != "claude-opus-4-6" {
		t.Errorf("%s %v", h.path, h.header)
	}
	delete(w.vars, "ANTHROPIC_API_KEY")
	w.vars["ANTHROPIC_AUTH_TOKEN"] = "bearer"
	if h := w.one(p, "anthropic/claude-opus-4-6"); h.header.Get("X-Api-Key") != "" || h.header.Get("Authorization") != "Bearer bearer" {
		t.Errorf("auth token: %v", h.header)
	}
	w.vars["ANTHROPIC_BASE_URL"] = w.server.URL + "/anthropic/v1/"
	if h := w.one(p, "anthropic/claude-opus-4-6"); h.path != "/anthropic/v1/messages" {
		t.Errorf("base with /v1: %s", h.path)
	}
}

// Acceptance check 7.
func TestCheck7_AnthropicWithoutKey(t *testing.T) {
	w := newWorld(t, nil)
	w.token = "hf_secret"
	p := w.open()
	f := w.refused(p, "anthropic/claude-opus-4-6")
	if f.Class != llm.ClassMissingKey {
		t.Errorf("class %s", f.Class)
	}
	names(t, f.Text, "anthropic/claude-opus-4-6", "ANTHROPIC_API_KEY", "anthropic/claude-opus-4.8:fal-ai", "/model")
	if h := w.one(p, "anthropic/claude-opus-4.8:fal-ai"); h.path != "/router/v1/chat/completions" || h.body["model"] != "anthropic/claude-opus-4.8:fal-ai" {
		t.Errorf("%s %v", h.path, h.body["model"])
	}
}

// Acceptance check 8: each key goes to its own service only.
func TestCheck8_BothKeys(t *testing.T) {
	w := newWorld(t, map[string]string{"OPENAI_API_KEY": "sk-openai", "OPENAI_ORG_ID": "org", "OPENAI_PROJECT_ID": "proj", "OPENROUTER_API_KEY": "or-key"})
	w.token = "hf_secret"
	p := w.open()
	for model, want := range map[string]struct{ path, auth, wire string }{
		"openai/gpt-5.5":               {"/openai/v1/chat/completions", "Bearer sk-openai", "gpt-5.5"},
		"openai/gpt-5.5:fal-ai":        {"/router/v1/chat/completions", "Bearer hf_secret", "openai/gpt-5.5:fal-ai"},
		"huggingface/openai/gpt-5.5":   {"/router/v1/chat/completions", "Bearer hf_secret", "openai/gpt-5.5"},
		"openai/gpt-oss-120b":          {"/router/v1/chat/completions", "Bearer hf_secret", "openai/gpt-oss-120b"},
		"openrouter/deepseek/r1:free":  {"/openrouter/v1/chat/completions", "Bearer or-key", "deepseek/r1:free"},
		" moonshotai/Kimi-K2.6:novita": {"/router/v1/chat/completions", "Bearer hf_secret", "moonshotai/Kimi-K2.6:novita"},
		"lm_studio/m":                  {"/local/v1/chat/completions", "Bearer sk-local-no-key-required", "m"},
	} {
		h := w.one(p, model)
		if h.path != want.path || h.header.Get("Authorization") != want.auth || h.body["model"] != want.wire {
			t.Errorf("%s: %s %v as %v", model, h.path, h.header, h.body["model"])
		}
		if org := h.header.Get("Openai-Organization") + h.header.Get("Openai-Project"); (org == "orgproj") != strings.HasPrefix(want.path, "/openai/") {
			t.Errorf("%s: organisation and project %q", model, org)
		}
	}
	w.vars["OPENAI_API_MODE"] = "responses"
	if h := w.one(p, "openai/gpt-5.5"); h.path != "/openai/v1/responses" || h.header.Get("Authorization") != "Bearer sk-openai" || h.body["model"] != "gpt-5.5" {
		t.Errorf("responses: %s %v", h.path, h.header)
	}
}

// Acceptance check 9.
func TestCheck9_OpenAIWithoutKey(t *testing.T) {
	w := newWorld(t, nil)
	p := w.open()
	f := w.refused(p, "openai/gpt-5.5")
	if f.Class != llm.ClassMissingKey {
		t.Errorf("class %s", f.Class)
	}
	names(t, f.Text, "OPENAI_API_KEY", "HF_TOKEN")
	if _, err := p.Describe(context.Background(), "openai/gpt-5.5"); err == nil {
		t.Error("Describe without a key passed")
	}
	w.token = "hf"
	if h := w.one(p, "openai/gpt-5.5"); h.path != "/router/v1/chat/completions" {
		t.Errorf("path %s", h.path)
	}
	w.vars["OPENAI_API_KEY"] = "  "
	if h := w.one(p, "openai/gpt-5.5"); h.path != "/router/v1/chat/completions" {
		t.Errorf("a blank key counts: %s", h.path)
	}
	w.vars["OPENAI_API_KEY"] = "o" // a changed variable counts at once
	if h := w.one(p, "openai/gpt-5.5"); h.path != "/openai/v1/chat/completions" {
		t.Errorf("path %s", h.path)
	}
}

// Acceptance check 10.
func TestCheck10_BillTo(t *testing.T) {
	w := newWorld(t, map[string]string{"HF_BILL_TO": "acme", "ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o", "OPENROUTER_API_KEY": "r"})
	w.token = "hf"
	p := w.open()
	if h := w.one(p, "moonshotai/Kimi-K2.6"); h.header.Get("X-Hf-Bill-To") != "acme" || h.header.Get("X-Hf-Session-Id") != "session-1" {
		t.Errorf("router: %v", h.header)
	}
	for _, model := range []string{"anthropic/claude-opus-4-6", "openai/gpt-5.5", "ollama/m", "openrouter/a/b"} {
		if h := w.one(p, model); h.header.Get("X-Hf-Bill-To") != "" || h.header.Get("X-Hf-Session-Id") != "" {
			t.Errorf("%s: %v", model, h.header)
		}
	}
	delete(w.vars, "HF_BILL_TO")
	if h := w.one(p, "moonshotai/Kimi-K2.6"); len(h.header.Values("X-Hf-Bill-To")) != 0 {
		t.Errorf("unset: %v", h.header)
	}
	w.opts.HFBillTo = "setting"
	if h := w.one(w.open(), "moonshotai/Kimi-K2.6"); h.header.Get("X-Hf-Bill-To") != "setting" {
		t.Errorf("setting: %v", h.header)
	}
	w.opts.Server = true
	if h := w.one(w.open(), "moonshotai/Kimi-K2.6"); h.header.Get("X-Hf-Bill-To") != "" {
		t.Errorf("a user's token on a server: %v", h.header)
	}
	w.opts.BillTo = func(context.Context) string { return "server" }
	if h := w.one(w.open(), "moonshotai/Kimi-K2.6"); h.header.Get("X-Hf-Bill-To") != "server" {
		t.Errorf("the server's token: %v", h.header)
	}
}

// Acceptance check 11: cleaning; which token it is decides Options.Token.
func TestCheck11_Token(t *testing.T) {
	w := newWorld(t, nil)
	w.token = " tok\n"
	p := w.open()
	if h := w.one(p, "moonshotai/Kimi-K2.6"); h.header.Get("Authorization") != "Bearer tok" {
		t.Errorf("Authorization %q", h.header.Get("Authorization"))
	}
	w.token = " \r\n "
	if f := w.refused(p, "moonshotai/Kimi-K2.6"); f.Class != llm.ClassMissingKey {
		t.Errorf("class %s", f.Class)
	}
	if got := provider.CleanToken("\r\n a\nb \n"); got != "ab" {
		t.Errorf("CleanToken = %q", got)
	}
}

// The token of a private Hub does not go to the public router.
func TestTokenOfAPrivateHub(t *testing.T) {
	w := newWorld(t, map[string]string{"HF_ENDPOINT": "https://hub.example.org"})
	w.token = "hf"
	p := w.open()
	w.one(p, "moonshotai/Kimi-K2.6") // HF_ROUTER_BASE_URL was set by hand
	delete(w.vars, "HF_ROUTER_BASE_URL")
	names(t, w.refused(p, "moonshotai/Kimi-K2.6").Text, "HF_ENDPOINT", "HF_ROUTER_BASE_URL")
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		vars map[string]string
		edit func(*provider.Options)
		want string
	}{
		"no client":    {nil, func(o *provider.Options) { o.HTTP = nil }, "HTTP"},
		"no env":       {nil, func(o *provider.Options) { o.Env = nil }, "Env"},
		"routing":      {nil, func(o *provider.Options) { o.Routing = "best" }, "auto, direct or router"},
		"routing var":  {map[string]string{"ML_INTERN_MODEL_ROUTING": "best"}, nil, "ML_INTERN_MODEL_ROUTING"},
		"bill to":      {nil, func(o *provider.Options) { o.HFBillTo = "a\nb" }, "hf_bill_to"},
		"bill to var":  {map[string]string{"HF_BILL_TO": "a\x01b"}, nil, "HF_BILL_TO"},
		"api mode":     {map[string]string{"OPENAI_API_MODE": "x"}, nil, "OPENAI_API_MODE"},
		"window":       {nil, func(o *provider.Options) { o.ContextTokens = map[string]int{"a/b": 0} }, `model_context_tokens["a/b"]`},
		"price":        {nil, func(o *provider.Options) { o.Prices = badPrices() }, `model_prices["a/b"].output`},
		"cache ttl":    {nil, func(o *provider.Options) { o.CacheTTL = "2h" }, "2h"},
		"beta feature": {nil, func(o *provider.Options) { o.AnthropicBetas = []string{"a b"} }, "a b"},
	} {
		w := newWorld(t, c.vars)
		if c.edit != nil {
			c.edit(&w.opts)
		}
		p, err := provider.New(w.opts)
		if err == nil {
			p.Close()
			t.Errorf("%s passed", name)
			continue
		}
		names(t, err.Error(), c.want)
	}
}

func TestServerRules(t *testing.T) {
	w := newWorld(t, nil)
	w.opts.Server = true
	p := w.open()
	w.refused(p, "replay/demo")
	names(t, w.refused(p, "ollama/m").Text, "ML_INTERN_ALLOW_LOCAL_MODELS")
	w.vars["ML_INTERN_ALLOW_LOCAL_MODELS"] = "1"
	w.one(p, "ollama/m")
}

func TestReplay(t *testing.T) {
	w := newWorld(t, nil)
	p := w.open()
	if text, err := call(p, "replay/demo"); err != nil || text != "hello" {
		t.Errorf("%q, %v", text, err)
	}
	names(t, w.refused(p, "replay/demo").Text, "no answer to call 2")
	names(t, w.refused(p, "replay/none").Text, "no script named none")
	info, err := p.Describe(context.Background(), "replay/demo")
	if err != nil || !info.Local || info.PriceSource != llm.PriceLocal || info.Label != "recorded session" || !info.WindowKnown {
		t.Errorf("%+v, %v", info, err)
	}
}

// Failures are worded for the service in question.
func TestFaultsAreWorded(t *testing.T) {
	w := newWorld(t, map[string]string{"OPENAI_API_KEY": "o"})
	w.token = "hf"
	w.opts.Plan = func(context.Context) string { return "free" }
	p := w.open()
	reply := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status); _, _ = io.WriteString(rw, body) }
	}
	for _, c := range []struct {
		path   string
		status int
		body   string
		model  string
		class  llm.Class
		want   []string
	}{
		{"/router/v1/chat/completions", 401, `{"error":"Invalid username or password."}`, "moonshotai/Kimi-K2.6", llm.ClassAuth, []string{"HF router", "HF_TOKEN"}},
		{"/router/v1/chat/completions", 402, `{"error":"You have exceeded your monthly included credits"}`, "moonshotai/Kimi-K2.6", llm.ClassBilling, []string{"free"}},
		{"/router/v1/chat/completions", 404, `{"error":{"message":"model not found","code":"model_not_found"}}`, "moonshotai/Kimi-K2", llm.ClassModelNotFound, []string{"moonshotai/Kimi-K2"}},
		{"/openai/v1/chat/completions", 401, `{"error":{"message":"bad key"}}`, "openai/gpt-5.5", llm.ClassAuth, []string{"OpenAI API", "OPENAI_API_KEY"}},
	} {
		w.answer = map[string]http.HandlerFunc{"POST " + c.path: reply(c.status, c.body)}
		if c.class == llm.ClassModelNotFound {
			if _, err := p.Refresh(context.Background(), c.model); err != nil {
				t.Fatal(err)
			}
			c.want = append(c.want, "moonshotai/Kimi-K2.6")
		}
		_, err := call(p, c.model)
		var f *llm.Fault
		if !errors.As(err, &f) || f.Class != c.class {
			t.Errorf("%s %d: %v", c.path, c.status, err)
			continue
		}
		names(t, f.Text+" "+f.Hint, c.want...)
	}
	w.vars["OLLAMA_BASE_URL"] = "http://127.0.0.1:1"
	_, err := call(p, "ollama/m")
	var f *llm.Fault
	if !errors.As(err, &f) || f.Class != llm.ClassNetwork {
		t.Fatalf("dead server: %v", err)
	}
	names(t, f.Text+" "+f.Hint, "127.0.0.1:1", "OLLAMA_BASE_URL", "ollama serve")
}

func TestRoutes(t *testing.T) {
	w := newWorld(t, map[string]string{"ANTHROPIC_API_KEY": "a"})
	p := w.open()
	route, err := p.Resolve(context.Background(), "anthropic/claude-opus-4-8")
	if err != nil || route.Label != "Anthropic API" {
		t.Errorf("%+v, %v", route, err)
	}
	if got := p.DefaultModel(context.Background()); got != "anthropic/claude-opus-4-8" {
		t.Errorf("default %s", got)
	}
	rows := p.Suggested(context.Background())
	if rows[0].ID != "anthropic/claude-opus-4-8" || rows[len(rows)-1].Needs != "OPENAI_API_KEY" {
		t.Errorf("suggested %+v", rows)
	}
	if diff := cmp.Diff(11, len(p.Names(context.Background()))); diff != "" {
		t.Error(diff)
	}
}
