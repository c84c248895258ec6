package command_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Keys of the services; none is a part of another.
const (
	anthropicKey = "sk-ant-anthropickeyanthropickey"
	openaiKey    = "sk-openaikeyopenaikeyopenaikey"
	otherToken   = "hf_otherotherotherotherotherotherother"
)

// services are a Hub, its router, Anthropic, OpenAI and two local servers, each
// at an address of its own, so that a key that goes astray is seen.
type services struct {
	t    *testing.T
	url  map[string]string
	home string

	mu   sync.Mutex
	seen []request
}

// request is one that reached a service.
type request struct {
	service, method, path string
	header                http.Header
	body                  string
}

func newServices(t *testing.T) *services {
	t.Helper()
	s := &services{t: t, url: map[string]string{}, home: filepath.Join(t.TempDir(), "home")}
	if err := os.MkdirAll(s.home, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hub", "router", "anthropic", "openai", "ollama", "local"} {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { s.answer(name, rw, r) }))
		t.Cleanup(server.Close)
		s.url[name] = server.URL
	}
	return s
}

func (s *services) answer(name string, rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.seen = append(s.seen, request{service: name, method: r.Method, path: r.URL.RequestURI(), header: r.Header.Clone(), body: string(body)})
	s.mu.Unlock()
	stream := func(text string) {
		rw.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(rw, text)
	}
	switch {
	case name == "hub" && r.URL.Path == "/api/whoami-v2":
		_, _ = io.WriteString(rw, `{"type":"user","name":"ada"}`)
	case strings.HasSuffix(r.URL.Path, "/chat/completions"):
		stream(`data: {"model":"m","choices":[{"index":0,"delta":{"content":"hello"}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}

data: [DONE]

`)
	case strings.HasSuffix(r.URL.Path, "/responses"):
		stream(`event: response.output_text.delta
data: {"type":"response.output_text.delta","output_index":0,"delta":"hello"}

event: response.completed
data: {"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"hello"}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}

`)
	case strings.HasSuffix(r.URL.Path, "/v1/messages"):
		stream(`event: message_start
data: {"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{"input_tokens":3,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}

event: message_stop
data: {"type":"message_stop"}

`)
	default:
		http.NotFound(rw, r)
	}
}

// outcome is what a run came to.
type outcome struct {
	code           int
	stdout, stderr string
	calls          []request // model calls
	all            []request
}

// run runs the program with the addresses of the services and env.
func (s *services) run(env []string, args ...string) outcome {
	s.t.Helper()
	s.mu.Lock()
	s.seen = nil
	s.mu.Unlock()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = filepath.Dir(s.home)
	cmd.Env = append([]string{
		asProgram + "=1", "HOME=" + s.home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(),
		"HF_ENDPOINT=" + s.url["hub"], "HF_ROUTER_BASE_URL=" + s.url["router"] + "/v1",
		"ANTHROPIC_BASE_URL=" + s.url["anthropic"], "OPENAI_BASE_URL=" + s.url["openai"] + "/v1",
		"OLLAMA_BASE_URL=" + s.url["ollama"] + "/",
	}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		s.t.Fatal(err)
	}
	o := outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	s.mu.Lock()
	defer s.mu.Unlock()
	o.all = slices.Clone(s.seen)
	for _, r := range o.all {
		if strings.HasSuffix(r.path, "/chat/completions") || strings.HasSuffix(r.path, "/responses") || strings.HasSuffix(r.path, "/v1/messages") {
			o.calls = append(o.calls, r)
		}
	}
	s.contained(o)
	return o
}

// owners says which services may see a key.
var owners = map[string][]string{
	anthropicKey: {"anthropic"}, openaiKey: {"openai"}, goodToken: {"hub", "router"}, otherToken: {"hub", "router"},
}

// contained checks that no key went to a service that is not its own, in
// whatever part of a request, nor into the output.
func (s *services) contained(o outcome) {
	s.t.Helper()
	for key, allowed := range owners {
		for _, r := range o.all {
			var text strings.Builder
			_ = r.header.Write(&text)
			text.WriteString(r.path + "\n" + r.body)
			if strings.Contains(text.String(), key) && !slices.Contains(allowed, r.service) {
				s.t.Errorf("%.12s… reached %s: %s %s", key, r.service, r.method, r.path)
			}
		}
		if strings.Contains(o.stdout+o.stderr, key) {
			s.t.Errorf("%.12s… was printed", key)
		}
	}
}

// answered checks a run with one model call and returns it.
func (s *services) answered(o outcome) request {
	s.t.Helper()
	if o.code != 0 || o.stdout != "hello\n" || len(o.calls) != 1 {
		s.t.Fatalf("exit code %d, %d calls, stdout %q, stderr:\n%s", o.code, len(o.calls), o.stdout, o.stderr)
	}
	return o.calls[0]
}

func model(r request) string {
	_, rest, _ := strings.Cut(r.body, `"model":"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// Model checks 6 to 8: which service a model id means, with which key, and
// under which name, asked through the program with all the keys that are
// there.
func TestModelChecks6To8_KeysOnTheWire(t *testing.T) {
	t.Parallel()
	ant, oai, hf := "ANTHROPIC_API_KEY="+anthropicKey, "OPENAI_API_KEY="+openaiKey, "HF_TOKEN="+goodToken
	for _, tt := range []struct {
		name, model string
		env         []string
		service     string
		path        string
		auth        string // header and value
		wire        string
	}{
		{"6", "anthropic/claude-opus-4-6", []string{ant}, "anthropic", "/v1/messages", "X-Api-Key: " + anthropicKey, "claude-opus-4-6"},
		{"6, all keys", "anthropic/claude-opus-4-6", []string{ant, oai, hf}, "anthropic", "/v1/messages", "X-Api-Key: " + anthropicKey, "claude-opus-4-6"},
		{"7, tag", "anthropic/claude-opus-4.8:fal-ai", []string{hf}, "router", "/v1/chat/completions", "Authorization: Bearer " + goodToken, "anthropic/claude-opus-4.8:fal-ai"},
		{"7, tag beside a key", "anthropic/claude-opus-4.8:fal-ai", []string{hf, ant}, "router", "/v1/chat/completions", "Authorization: Bearer " + goodToken, "anthropic/claude-opus-4.8:fal-ai"},
		{"8, direct", "openai/gpt-5.5", []string{oai, hf}, "openai", "", "Authorization: Bearer " + openaiKey, "gpt-5.5"},
		{"8, direct, responses", "openai/gpt-5.5", []string{oai, hf, "OPENAI_API_MODE=responses"}, "openai", "/v1/responses", "Authorization: Bearer " + openaiKey, "gpt-5.5"},
		{"8, direct, chat", "openai/gpt-5.5", []string{oai, hf, "OPENAI_API_MODE=chat"}, "openai", "/v1/chat/completions", "Authorization: Bearer " + openaiKey, "gpt-5.5"},
		{"8, tag", "openai/gpt-5.5:fal-ai", []string{oai, hf}, "router", "/v1/chat/completions", "Authorization: Bearer " + goodToken, "openai/gpt-5.5:fal-ai"},
		{"8, prefix", "huggingface/openai/gpt-5.5", []string{oai, hf}, "router", "/v1/chat/completions", "Authorization: Bearer " + goodToken, "openai/gpt-5.5"},
		{"8, open weights", "openai/gpt-oss-120b", []string{oai, hf}, "router", "/v1/chat/completions", "Authorization: Bearer " + goodToken, "openai/gpt-oss-120b"},
		{"9, router alone", "openai/gpt-5.5", []string{hf}, "router", "/v1/chat/completions", "Authorization: Bearer " + goodToken, "openai/gpt-5.5"},
		{"3, local", "ollama/llama3.1:8b", []string{oai, hf, ant}, "ollama", "/v1/chat/completions", "Authorization: Bearer sk-local-no-key-required", "llama3.1:8b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServices(t)
			r := s.answered(s.run(tt.env, "-m", tt.model, "hi"))
			header, value, _ := strings.Cut(tt.auth, ": ")
			if r.service != tt.service || tt.path != "" && r.path != tt.path || r.header.Get(header) != value || model(r) != tt.wire {
				t.Errorf("%s %s as %q with %q", r.service, r.path, model(r), r.header)
			}
			if header == "X-Api-Key" && (r.header.Get("Anthropic-Version") == "" || r.header.Get("Authorization") != "") {
				t.Errorf("headers %q", r.header)
			}
			if tt.service == "ollama" && strings.Contains(r.body, "reasoning_effort") {
				t.Errorf("an effort went to a local server: %.300s", r.body)
			}
		})
	}
}

// Model checks 7 and 9: a missing key is told with its name and asks nobody.
func TestModelChecks7And9_MissingKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, model string
		env         []string
		says        []string
	}{
		{"7", "anthropic/claude-opus-4-6", []string{"HF_TOKEN=" + goodToken}, []string{"ANTHROPIC_API_KEY"}},
		{"9", "openai/gpt-5.5", nil, []string{"OPENAI_API_KEY", "HF_TOKEN"}},
		{"9, blank", "openai/gpt-5.5", []string{"OPENAI_API_KEY=  ", "HF_TOKEN= "}, []string{"OPENAI_API_KEY", "HF_TOKEN"}},
		{"11, unreadable file", "acme/m:x", []string{"HF_TOKEN_PATH=/"}, []string{"HF_TOKEN"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServices(t)
			o := s.run(tt.env, "-m", tt.model, "hi")
			if o.code != 3 || o.stdout != "" || len(o.calls) != 0 || strings.Contains(o.stderr, "goroutine") {
				t.Errorf("exit code %d, %d calls, stdout %q", o.code, len(o.calls), o.stdout)
			}
			for _, want := range tt.says {
				if !strings.Contains(o.stderr, want) {
					t.Errorf("stderr does not say %s:\n%s", want, o.stderr)
				}
			}
		})
	}
}

// Model check 5: what is no model id asks nobody.
func TestModelCheck5_NoRequest(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	for _, id := range []string{"gpt-5.5", "ollama/", "ollama/a b", "openai-compat/x", "a//b", "a/b:"} {
		o := s.run([]string{"ANTHROPIC_API_KEY=" + anthropicKey, "OPENAI_API_KEY=" + openaiKey, "HF_TOKEN=" + goodToken}, "-m", id, "hi")
		if o.code != 2 || len(o.all) != 0 || strings.Count(o.stderr, "\n") > 2 {
			t.Errorf("%q: exit code %d, requests %+v, stderr:\n%s", id, o.code, o.all, o.stderr)
		}
	}
}

// Model check 10: who pays is told to the router alone.
func TestModelCheck10_BillTo(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	env := []string{"HF_TOKEN=" + goodToken, "ANTHROPIC_API_KEY=" + anthropicKey, "OPENAI_API_KEY=" + openaiKey, "HF_BILL_TO=acme"}
	for id, want := range map[string]string{
		"acme/m:x": "acme", "anthropic/claude-opus-4-6": "", "openai/gpt-5.5": "", "ollama/m": "",
	} {
		r := s.answered(s.run(env, "-m", id, "hi"))
		if got := r.header.Values("X-Hf-Bill-To"); strings.Join(got, ",") != want || len(got) > 1 {
			t.Errorf("%s: bill to %q", id, got)
		}
		if (r.header.Get("X-Hf-Session-Id") != "") != (want != "") {
			t.Errorf("%s: session %q", id, r.header.Get("X-Hf-Session-Id"))
		}
	}
	if r := s.answered(s.run(env[:3], "-m", "acme/m:x", "hi")); len(r.header.Values("X-Hf-Bill-To")) != 0 {
		t.Errorf("unset: %q", r.header)
	}
}

// Model check 11: which token it is, and how it is cleaned.
func TestModelCheck11_Token(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	bearer := func(env ...string) string {
		t.Helper()
		return s.answered(s.run(env, "-m", "acme/m:x", "hi")).header.Get("Authorization")
	}
	if got := bearer("HF_TOKEN= " + goodToken + "\n"); got != "Bearer "+goodToken {
		t.Errorf("from the variable: %q", got)
	}
	file := filepath.Join(s.home, ".cache", "huggingface", "token")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(" "+otherToken+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := bearer(); got != "Bearer "+otherToken {
		t.Errorf("from the file: %q", got)
	}
	if got := bearer("HF_TOKEN=" + goodToken); got != "Bearer "+goodToken {
		t.Errorf("the variable does not beat the file: %q", got)
	}
}

// Model check 4: which variables name a local server.
func TestModelCheck4_LocalServers(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	shared := []string{"LOCAL_LLM_BASE_URL=" + s.url["local"], "LOCAL_LLM_API_KEY=shared-key"}
	r := s.answered(s.run(shared, "-m", "vllm/org/m", "hi"))
	if r.service != "local" || r.path != "/v1/chat/completions" || r.header.Get("Authorization") != "Bearer shared-key" || model(r) != "org/m" {
		t.Errorf("shared: %s %s, %q", r.service, r.path, r.header)
	}
	r = s.answered(s.run(append(shared, "VLLM_BASE_URL="+s.url["ollama"]+"/v1/", "VLLM_API_KEY=own-key"), "-m", "vllm/org/m", "hi"))
	if r.service != "ollama" || r.path != "/v1/chat/completions" || r.header.Get("Authorization") != "Bearer own-key" {
		t.Errorf("specific: %s %s, %q", r.service, r.path, r.header)
	}
}

// Acceptance check 39 of the agent: two sessions of one day have the same
// system prompt, the tools it counts are the tools that are sent, and what
// holds without a person stands in it.
func TestCheck39_SystemPrompt(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	type body struct {
		Messages []struct{ Role, Content string }
		Tools    []any
	}
	ask := func(args ...string) body {
		t.Helper()
		var b body
		if err := json.Unmarshal([]byte(s.answered(s.run(nil, append(args, "-m", "ollama/m", "hi")...)).body), &b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, b, plan := ask(), ask(), ask("--approval-mode", "plan")
	prompt := a.Messages[0].Content
	if a.Messages[0].Role != "system" || prompt != b.Messages[0].Content {
		t.Errorf("two prompts of one day differ:\n%s\n%s", prompt, b.Messages[0].Content)
	}
	if count := fmt.Sprintf("Tools=%d]", len(a.Tools)); len(a.Tools) == 0 || !strings.HasSuffix(prompt, count) || !strings.Contains(prompt, fmt.Sprintf("You have %d tools", len(a.Tools))) {
		t.Errorf("%d tools are sent; the prompt ends %q", len(a.Tools), prompt[max(0, len(prompt)-200):])
	}
	if !strings.Contains(prompt, "Mode=headless/yolo") || !strings.Contains(plan.Messages[0].Content, "Mode=headless/plan") {
		t.Errorf("the prompt ends %q and %q", prompt[max(0, len(prompt)-200):], plan.Messages[0].Content[max(0, len(plan.Messages[0].Content)-200):])
	}
}

// Acceptance check 9 of the command line: a folder that is not trusted cannot
// send requests elsewhere.
func TestCheck9_ForeignFolder(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	dir := filepath.Dir(s.home)
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("VLLM_BASE_URL="+s.url["local"]+"\nVLLM_API_KEY=x # c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.json")
	if err := os.WriteFile(config, []byte(`{"llm_max_retries":0}`), 0o600); err != nil {
		t.Fatal(err)
	}
	// The folder's variable is the more telling one: it would win.
	env := []string{"ML_INTERN_CLI_CONFIG=" + config, "LOCAL_LLM_BASE_URL=http://127.0.0.1:9"}
	if o := s.run(env, "-m", "vllm/m", "hi"); len(o.all) != 0 || o.code == 0 {
		t.Errorf("exit code %d, requests %+v", o.code, o.all)
	}
	if r := s.answered(s.run(env, "--trust", "-m", "vllm/m", "hi")); r.service != "local" || r.header.Get("Authorization") != "Bearer x" {
		t.Errorf("trusted: %s with %q", r.service, r.header)
	}
	if r := s.answered(s.run(append(env, "VLLM_API_KEY=mine", "VLLM_BASE_URL="+s.url["ollama"]), "--trust", "-m", "vllm/m", "hi")); r.service != "ollama" || r.header.Get("Authorization") != "Bearer mine" {
		t.Errorf("an exported variable does not win: %s with %q", r.service, r.header)
	}
}
