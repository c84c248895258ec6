package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/fault"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// seen is what a table row says about a fault.
type seen struct {
	Class       llm.Class
	Used, Limit int
	Retryable   bool
}

func look(f *llm.Fault) seen { return seen{f.Class, f.Used, f.Limit, f.Retryable()} }

func errorBody(message string) string {
	text, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"error":{"message":%s,"type":"invalid_request_error"}}`, text)
}

// Part of acceptance check 2 of the model layer: every class by status, type,
// code and text, from bodies in the shapes providers send.
func TestCheck02_Classes(t *testing.T) {
	transient := true
	tests := []struct {
		name   string
		status int
		body   string
		want   seen
	}{
		{"billing by status", 402, `{"error":"pay"}`, seen{Class: llm.ClassBilling}},
		{"billing by type", 400, `{"type":"error","error":{"type":"billing_error","message":"x"}}`, seen{Class: llm.ClassBilling}},
		{"billing by code on 429", 429, `{"error":{"message":"x","code":"insufficient_quota"}}`, seen{Class: llm.ClassBilling}},
		{"anthropic balance", 400, errorBody("Your credit balance is too low to access the Anthropic API."), seen{Class: llm.ClassBilling}},
		{"hub credits", 403, errorBody("You have depleted your monthly included credits"), seen{Class: llm.ClassBilling}},
		{"credits used up", 403, errorBody("Monthly credits have been used up"), seen{Class: llm.ClassBilling}},
		{"add credits", 429, errorBody("Please add more credits to continue"), seen{Class: llm.ClassBilling}},
		{"out of credits", 400, errorBody("You are out of credits"), seen{Class: llm.ClassBilling}},
		{"spend limit", 429, errorBody("Workspace spend limit reached"), seen{Class: llm.ClassBilling}},

		{"rate by status", 429, `{"error":{"message":"slow"}}`, seen{Class: llm.ClassRateLimit, Retryable: transient}},
		{"rate by type", 400, `{"error":{"message":"x","type":"rate_limit_error"}}`, seen{Class: llm.ClassRateLimit, Retryable: transient}},
		{"rate by code", 500, `{"error":{"message":"x","code":"rate_limit_exceeded"}}`, seen{Class: llm.ClassRateLimit, Retryable: transient}},
		{"throttled", 400, errorBody("Request was throttled"), seen{Class: llm.ClassRateLimit, Retryable: transient}},
		{"gemini quota with retry info", 429, `[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota, please check your plan and billing details.","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"36.5s"}]}}]`, seen{Class: llm.ClassRateLimit, Retryable: transient}},

		{"openai overflow", 400, `{"error":{"message":"Your input exceeds the context window of this model.","code":"context_length_exceeded"}}`, seen{Class: llm.ClassOverflow}},
		{"vllm overflow", 400, `{"object":"error","message":"This model's maximum context length is 32768 tokens. However, you requested 40000 tokens in the messages, Please reduce the length of the messages.","type":"BadRequestError","code":400}`, seen{Class: llm.ClassOverflow, Used: 40000, Limit: 32768}},
		{"gemini overflow", 400, errorBody("The input token count (1,048,577) exceeds the maximum number of tokens allowed (1048575)."), seen{Class: llm.ClassOverflow, Used: 1048577, Limit: 1048575}},
		{"xai overflow", 400, `{"code":"x","error":"This model's maximum prompt length is 131072 but the request contains 140000 tokens."}`, seen{Class: llm.ClassOverflow, Used: 140000, Limit: 131072}},
		{"mistral overflow", 400, `{"object":"error","message":"Prompt contains 50000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error"}`, seen{Class: llm.ClassOverflow, Used: 50000, Limit: 32768}},
		{"kimi overflow", 400, errorBody("Invalid request: Your request exceeded model token limit: 262144 (requested: 300000)"), seen{Class: llm.ClassOverflow, Used: 300000, Limit: 262144}},
		{"llama.cpp overflow", 400, `{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}`, seen{Class: llm.ClassOverflow, Used: 9000, Limit: 4096}},
		{"lm studio overflow", 400, `{"error":"Trying to keep the first 9000 tokens when the number of tokens to keep is greater than the context length"}`, seen{Class: llm.ClassOverflow}},
		{"ollama overflow", 500, `{"error":"prompt too long; exceeded max context length by 500 tokens"}`, seen{Class: llm.ClassOverflow}},
		{"overflow text under 413", 413, errorBody("prompt is too long: 250000 tokens > 200000 maximum"), seen{Class: llm.ClassOverflow, Used: 250000, Limit: 200000}},
		{"tokens per minute can never fit", 413, `{"error":{"message":"Request too large for model x in organization o service tier on_demand on tokens per minute (TPM): Limit 6000, Requested 9017, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}`, seen{Class: llm.ClassOverflow, Used: 9017, Limit: 6000}},

		{"input and answer", 400, errorBody("input length and `max_tokens` exceed context limit: 199211 + 20000 > 200000, decrease input length or `max_tokens` and try again"), seen{Class: llm.ClassMaxTokensTooLarge, Used: 199211, Limit: 200000}},
		{"answer alone", 400, errorBody("max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for claude-x"), seen{Class: llm.ClassMaxTokensTooLarge, Limit: 64000}},
		{"bytes", 413, `<html><body>Request Entity Too Large</body></html>`, seen{Class: llm.ClassRequestTooLarge}},

		{"overloaded by status", 529, ``, seen{Class: llm.ClassOverloaded, Retryable: transient}},
		{"no capacity", 503, errorBody("No available workers"), seen{Class: llm.ClassOverloaded, Retryable: transient}},
		{"503 otherwise", 503, errorBody("Service unavailable"), seen{Class: llm.ClassServer, Retryable: transient}},
		{"auth", 401, `{"detail":"Invalid username or password."}`, seen{Class: llm.ClassAuth}},
		{"auth by text", 400, errorBody("invalid x-api-key"), seen{Class: llm.ClassAuth}},
		{"no such model", 404, `404 page not found`, seen{Class: llm.ClassModelNotFound}},
		{"no such model, by code", 400, `{"error":{"message":"x","code":"model_not_found"}}`, seen{Class: llm.ClassModelNotFound}},
		{"ollama model", 400, `{"error":"model 'llama9' not found, try pulling it first"}`, seen{Class: llm.ClassModelNotFound}},
		{"not serving", 400, errorBody("The requested model is not supported by provider x"), seen{Class: llm.ClassNotServing}},
		{"permission", 403, errorBody("This token may not call Inference Providers"), seen{Class: llm.ClassPermission}},

		{"signature", 400, errorBody("messages.1.content.0: Invalid `signature` in `thinking` block"), seen{Class: llm.ClassThinkingSignature}},
		{"modified thinking", 400, errorBody("messages.3: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were."), seen{Class: llm.ClassThinkingSignature}},
		{"reasoning missing", 400, errorBody("The `reasoning_content` in the thinking mode must be passed back to the API."), seen{Class: llm.ClassReasoningMissing}},
		{"thinking unsupported", 400, errorBody("Thinking is not supported for this model"), seen{Class: llm.ClassNoThinking}},
		{"orphaned reasoning", 400, errorBody("Item 'rs_1' of type 'reasoning' was provided without its required following item."), seen{Class: llm.ClassToolHistory}},
		{"unanswered calls", 400, errorBody("`tool_use` ids were found without `tool_result` blocks immediately after: toolu_1"), seen{Class: llm.ClassToolHistory}},
		{"unanswered chat calls", 400, errorBody("An assistant message with 'tool_calls' must be followed by tool messages"), seen{Class: llm.ClassToolHistory}},
		{"pinned server", 400, `{"detail":"Server is pinned to 'tiny-trainer'; requested 'nosuch'."}`, seen{Class: llm.ClassModelNotFound}},
		{"groq tool", 400, `{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<function=ls>"}}`, seen{Class: llm.ClassToolGeneration, Retryable: transient}},

		{"408", 408, ``, seen{Class: llm.ClassTimeout, Retryable: transient}},
		{"504", 504, `<html><title>Gateway Timeout</title></html>`, seen{Class: llm.ClassTimeout, Retryable: transient}},
		{"500", 500, ``, seen{Class: llm.ClassServer, Retryable: transient}},
		{"409", 409, ``, seen{Class: llm.ClassServer, Retryable: transient}},
		{"the rest", 400, errorBody("temperature must be below 2"), seen{Class: llm.ClassInvalidRequest}},
		{"422", 422, `{"detail":[{"loc":["body","messages"],"msg":"field required"}]}`, seen{Class: llm.ClassInvalidRequest}},

		// Acceptance check 33.
		{"check 33 wait", 400, errorBody("Too many tokens, please wait before trying again."), seen{Class: llm.ClassRateLimit, Retryable: transient}},
		{"check 33 overflow", 400, errorBody("The prompt is too long: 365407, model maximum context length: 262143"), seen{Class: llm.ClassOverflow, Used: 365407, Limit: 262143}},
		{"check 33 typeof", 400, errorBody("typeof is not supported, limit 4500"), seen{Class: llm.ClassInvalidRequest}},
		{"numbers are no status", 400, errorBody("value 500 at byte 429, capacity 503, eof"), seen{Class: llm.ClassInvalidRequest}},

		{"gateway nesting", 400, errorBody(`{"error":{"message":"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"}}`), seen{Class: llm.ClassOverloaded, Retryable: transient}},
		{"gateway prefix", 400, errorBody(`BadRequest: {"error":{"message":"prompt is too long: 12 tokens > 10 maximum"}}`), seen{Class: llm.ClassOverflow, Used: 12, Limit: 10}},
		{"error under a good status", 200, `{"error":{"code":502,"message":"Bad gateway"}}`, seen{Class: llm.ClassServer, Retryable: transient}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := fault.FromResponse("p", "o/m", tt.status, nil, []byte(tt.body))
			if d := cmp.Diff(tt.want, look(f)); d != "" {
				t.Errorf("%s\n%+v", d, f)
			}
			if f.Status != tt.status || f.Provider != "p" || f.Model != "o/m" {
				t.Errorf("status %d, provider %q, model %q", f.Status, f.Provider, f.Model)
			}
		})
	}
}

// Part of acceptance check 14: what levels a refusal offers.
func TestCheck14_SupportedEfforts(t *testing.T) {
	tests := []struct {
		text string
		want []llm.Effort
	}{
		{"This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.", []llm.Effort{"high", "low", "max", "medium"}},
		{"Unsupported value: 'reasoning.effort' does not support 'minimal' with this model. Supported values are: 'low', 'medium', 'high', and 'xhigh'.", []llm.Effort{"low", "medium", "high", "xhigh"}},
		{"`reasoning_effort` must be one of `low`, `medium`, or `high`", []llm.Effort{"low", "medium", "high"}},
		{"output_config.effort: unknown value", nil},
		{"Invalid value: reasoning_effort: Input should be 'low' or 'high'", []llm.Effort{"low", "high"}},
	}
	for _, tt := range tests {
		f := fault.FromResponse("p", "o/m", 400, nil, []byte(errorBody(tt.text)))
		if f.Class != llm.ClassInvalidEffort {
			t.Errorf("%q: class %s", tt.text, f.Class)
		}
		if d := cmp.Diff(tt.want, f.Supported); d != "" {
			t.Errorf("%q: %s", tt.text, d)
		}
	}
}

func TestThinkingStyle(t *testing.T) {
	for _, text := range []string{
		"\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior.",
		"thinking.type.adaptive is not supported for this model",
	} {
		f := fault.FromResponse("anthropic", "m", 400, nil, []byte(errorBody(text)))
		if f.Class != llm.ClassNoThinking || f.Param != fault.ParamThinkingStyle {
			t.Errorf("%q: class %s, param %q", text, f.Class, f.Param)
		}
	}
	f := fault.FromResponse("anthropic", "m", 400, nil, []byte(errorBody("thinking is not supported")))
	if f.Class != llm.ClassNoThinking || f.Param != "" {
		t.Errorf("class %s, param %q", f.Class, f.Param)
	}
}

// Part of acceptance check 25: how long to wait.
func TestCheck25_Waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
		tests := []struct {
			name   string
			status int
			header map[string]string
			text   string
			want   time.Duration
		}{
			{"milliseconds first", 429, map[string]string{"Retry-After-Ms": "1500", "Retry-After": "9"}, "", 1500 * time.Millisecond},
			{"seconds", 429, map[string]string{"Retry-After": "16"}, "try again in 3s", 16 * time.Second},
			{"fractional", 429, map[string]string{"Retry-After": "0.5"}, "", 500 * time.Millisecond},
			{"long", 429, map[string]string{"Retry-After": "600"}, "", 600 * time.Second},
			{"date", 429, map[string]string{"Retry-After": time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)}, "", 90 * time.Second},
			{"past date", 503, map[string]string{"Retry-After": "Wed, 21 Oct 1998 07:28:00 GMT"}, "", 0},
			{"bucket", 429, map[string]string{
				"Anthropic-Ratelimit-Requests-Remaining": "5", "Anthropic-Ratelimit-Requests-Reset": in(time.Hour),
				"Anthropic-Ratelimit-Input-Tokens-Remaining": "0", "Anthropic-Ratelimit-Input-Tokens-Reset": in(42 * time.Second),
			}, "", 42 * time.Second},
			{"text ms", 429, nil, "Please try again in 6ms.", 6 * time.Millisecond},
			{"text s", 429, nil, "Please try again in 1.5s. Visit us", 1500 * time.Millisecond},
			{"text m", 429, nil, "try again in 2m3s", 123 * time.Second},
			{"nonsense", 429, map[string]string{"Retry-After": "soon"}, "", 0},
			{"negative", 429, map[string]string{"Retry-After": "-5"}, "", 0},
			{"infinite", 429, map[string]string{"Retry-After": "1e300"}, "", 30 * 24 * time.Hour},
			{"good status", 200, map[string]string{"Retry-After": "30"}, "", 0},
		}
		for _, tt := range tests {
			h := http.Header{}
			for k, v := range tt.header {
				h.Set(k, v)
			}
			f := fault.FromResponse("p", "m", tt.status, h, []byte(errorBody("limit. "+tt.text)))
			if f.Wait != tt.want {
				t.Errorf("%s: wait %s, want %s", tt.name, f.Wait, tt.want)
			}
		}
		gemini := `{"error":{"message":"quota","details":[{"@type":"x/RetryInfo","retryDelay":"36s"}]}}`
		if f := fault.FromResponse("p", "m", 429, nil, []byte(gemini)); f.Wait != 36*time.Second {
			t.Errorf("RetryInfo: wait %s", f.Wait)
		}
	})
}

func TestShouldRetryHeader(t *testing.T) {
	for _, tt := range []struct {
		status int
		header string
		want   bool
	}{{400, "true", true}, {529, "false", false}, {529, "", true}, {402, "true", false}, {200, "true", false}} {
		h := http.Header{"X-Should-Retry": {tt.header}}
		if got := fault.FromResponse("p", "m", tt.status, h, []byte(errorBody("x"))).Retryable(); got != tt.want {
			t.Errorf("status %d, x-should-retry %q: retryable %v", tt.status, tt.header, got)
		}
	}
}

func TestFromStream(t *testing.T) {
	tests := []struct {
		raw  string
		want llm.Class
	}{
		{`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, llm.ClassOverloaded},
		{`{"type":"error","error":{"type":"api_error","message":"x"}}`, llm.ClassServer},
		{`{"type":"error","code":"server_error","message":"x","param":null}`, llm.ClassServer},
		{`{"type":"error","code":"rate_limit_exceeded","message":"x"}`, llm.ClassRateLimit},
		{`{"type":"response.failed","response":{"error":{"code":"insufficient_quota","message":"x"}}}`, llm.ClassBilling},
		{`{"id":"gen","choices":[],"error":{"code":502,"message":"Provider returned error"}}`, llm.ClassServer},
		{`{"error":{"code":429,"message":"x"}}`, llm.ClassRateLimit},
		{`{"error":{"code":400,"message":"x"}}`, llm.ClassInvalidRequest},
		{`{"error":{"code":"server_error","message":"maximum context length is 10 tokens"}}`, llm.ClassOverflow},
		{`{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"input is too long\",\"code\":400}}"}}}`, llm.ClassOverflow},
		{`{"error":"the engine is overloaded"}`, llm.ClassOverloaded},
		{`not json`, llm.ClassServer},
		{``, llm.ClassServer},
	}
	for _, tt := range tests {
		f := fault.FromStream("p", "m", []byte(tt.raw), true)
		if f.Class != tt.want || !f.AfterOutput || f.Status != 0 {
			t.Errorf("%s: class %s, want %s; %+v", tt.raw, f.Class, tt.want, f)
		}
	}
	long := strings.Repeat("x,", 500)
	if f := fault.FromStream("p", "m", []byte(long), false); !strings.Contains(f.Message, strings.Repeat("x,", 75)) || len(f.Message) > 300 {
		t.Errorf("undecodable data: message %q", f.Message)
	}
}

func TestFromTransport(t *testing.T) {
	tests := []struct {
		err  error
		want llm.Class
	}{
		{fmt.Errorf("post: %w", context.DeadlineExceeded), llm.ClassTimeout},
		{&httpx.TimeoutError{Phase: "idle", After: time.Minute}, llm.ClassTimeout},
		{os.ErrDeadlineExceeded, llm.ClassTimeout},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, llm.ClassNetwork},
		{syscall.ECONNRESET, llm.ClassNetwork},
		{io.ErrUnexpectedEOF, llm.ClassNetwork},
		{errors.New("tls: bad certificate"), llm.ClassNetwork},
		{fmt.Errorf("post: %w", httpx.ErrRedirect), llm.ClassInvalidRequest},
	}
	for _, tt := range tests {
		f := fault.FromTransport("p", "m", tt.err, true)
		if f.Class != tt.want || !f.AfterOutput || !errors.Is(f, tt.err) || f.Message == "" {
			t.Errorf("%v: %+v, want class %s", tt.err, f, tt.want)
		}
	}
	if f := fault.FromTransport("p", "m", io.ErrUnexpectedEOF, false); f.Message != "stream ended early" {
		t.Errorf("message %q", f.Message)
	}
}

func TestMessageIsSafe(t *testing.T) {
	tests := []struct{ body, want string }{
		{errorBody("Incorrect API key provided: sk-proj-abc_123**xyz. See the page."), "Incorrect API key provided: [redacted] See the page."},
		{errorBody("token hf_abcdefghijklmnopqrstuv, hf_Ab12 refused"), "token [redacted], [redacted] refused"},
		{errorBody("tool hf_jobs and hf_papers; task-specific risk-free"), "tool hf_jobs and hf_papers; task-specific risk-free"},
		{errorBody("header Authorization: Bearer eyJ.abc_d refused"), "header Authorization: [redacted] refused"},
		{"<html><head><style>b{}</style><script>x()</script></head><body><h1>502 Bad&nbsp;Gateway</h1>\n<p>a &lt;b</p></body></html>", "502 Bad Gateway a <b"},
		{errorBody("a\x00b\nc\x1b[31m"), "a b c [31m"},
		{errorBody("use <think> tags if x < y"), "use <think> tags if x < y"},
	}
	for _, tt := range tests {
		if got := fault.FromResponse("p", "m", 400, nil, []byte(tt.body)).Message; got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	long := fault.FromResponse("p", "m", 400, nil, []byte(errorBody(strings.Repeat("漢", 2000)))).Message
	if n := utf8.RuneCountInString(long); n != 500 || !strings.HasSuffix(long, "…") {
		t.Errorf("long message has %d characters", n)
	}
	// What only the environment tells to be a secret must not be cut in two.
	held := strings.Repeat("aB3", 12)
	whole := fault.FromResponse("p", "m", 400, nil, []byte(errorBody(strings.Repeat(held+" ", 100)))).Message
	if n := utf8.RuneCountInString(whole); n > 500 || n < 450 || strings.Trim(strings.ReplaceAll(whole, held, ""), " ") != "…" {
		t.Errorf("a word is torn in %q", whole)
	}
}

func TestRequestID(t *testing.T) {
	f := fault.FromResponse("p", "m", 400, http.Header{"Request-Id": {"h"}}, []byte(`{"request_id":"b","error":{"message":"x"}}`))
	if f.RequestID != "b" {
		t.Errorf("got %q, want the body's", f.RequestID)
	}
	f = fault.FromResponse("p", "m", 400, http.Header{"X-Request-Id": {"h"}}, nil)
	if f.RequestID != "h" {
		t.Errorf("got %q, want the header's", f.RequestID)
	}
}

func FuzzFromResponse(f *testing.F) {
	f.Add(400, []byte(errorBody("maximum context length is 9999999999999999999999 tokens")))
	f.Add(200, []byte(`[[{"error":{"message":"{\"error\":\"{}\"}","details":[{}]}}]]`))
	f.Add(500, []byte("<html>\xff\xfe"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		x := fault.FromResponse("p", "m", status, http.Header{}, body)
		if x.Class == "" || utf8.RuneCountInString(x.Message) > 500 || !utf8.ValidString(x.Message) || x.Wait < 0 {
			t.Fatalf("%+v", x)
		}
		fault.Explain(x, fault.Context{})
		if x.Text == "" {
			t.Fatal("no text")
		}
	})
}
