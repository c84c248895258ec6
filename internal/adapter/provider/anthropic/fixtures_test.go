package anthropic_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/anthropic"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

// long is a text that expected.json gives whole, or by its ends and hash.
type long struct {
	Value, Prefix, Suffix, SHA256 string
	Chars                         int
}

func (l long) check(t *testing.T, what, got string) {
	t.Helper()
	sum := sha256.Sum256([]byte(got))
	if utf8.RuneCountInString(got) != l.Chars || l.Value != "" && got != l.Value ||
		!strings.HasPrefix(got, l.Prefix) || !strings.HasSuffix(got, l.Suffix) ||
		l.SHA256 != "" && hex.EncodeToString(sum[:]) != l.SHA256 {
		t.Errorf("%s is %q, want %+v", what, got, l)
	}
}

type fixture struct {
	File   string
	Mode   string
	HTTP   struct{ Headers map[string]string }
	Expect struct {
		Text, Thinking long
		Model          string
		Finish         llm.Finish
		RawFinish      string `json:"raw_finish"`
		ToolCalls      []struct {
			ID, Name string
			Args     map[string]any
		} `json:"tool_calls"`
		Incomplete []struct{ Name string } `json:"tool_calls_incomplete"`
		Usage      *llm.Usage
		Partial    *llm.Usage `json:"usage_partial"`
		Signatures []string   `json:"signatures_sha256"`
		Redacted   int        `json:"redacted_thinking_blocks"`
		Error      *struct {
			Class     llm.Class
			Retryable bool
			Contains  string `json:"message_contains"`
			After     bool   `json:"after_output"`
		}
	}
}

// pieces serves a body n bytes at a time.
type pieces struct {
	body string
	n    int
	head http.Header
}

func (p pieces) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: p.head, Body: io.NopCloser(&slow{strings.NewReader(p.body), p.n})}, nil
}

type slow struct {
	r io.Reader
	n int
}

func (s *slow) Read(b []byte) (int, error) { return s.r.Read(b[:min(s.n, len(b))]) }

// heard is everything a stream said.
type heard struct {
	begun          []llm.Begun
	text, thinking string
	restarts       int
	done           *llm.Done
	err            error
}

func listen(t *testing.T, client *http.Client, base string, req llm.Request) heard {
	t.Helper()
	c := newClient(t, anthropic.Options{HTTP: client, BaseURL: func() string { return base }})
	var h heard
	for chunk, err := range c.Stream(t.Context(), req) {
		if h.done != nil || h.err != nil {
			t.Error("something follows the end")
		}
		if err != nil {
			h.err = err
			continue
		}
		switch v := chunk.(type) {
		case llm.Begun:
			h.begun = append(h.begun, v)
		case llm.Text:
			h.text += v.Delta
		case llm.Thinking:
			h.thinking += v.Delta
		case llm.Restart:
			h.restarts++
			h.text, h.thinking = "", ""
		case llm.Done:
			h.done = &v
		}
	}
	return h
}

func newClient(t *testing.T, o anthropic.Options) *anthropic.Client {
	t.Helper()
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	if o.APIKey == nil {
		o.APIKey = func() string { return "key" }
	}
	c, err := anthropic.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hello(model string) llm.Request {
	return llm.Request{Model: model, Messages: []llm.Message{{Role: llm.User, Text: "hi"}}}
}

// Acceptance checks 1, 20 (what is kept) and 38 (usage) of the model layer:
// every recorded stream, whole, in pieces and from a real server.
func TestCheck01_RecordedStreams(t *testing.T) {
	dir := fixturetest.Dir(t, "llm")
	raw, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []fixture
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, fx := range all {
		if fx.Mode != "stream" || !strings.HasPrefix(fx.File, "anthropic/") {
			continue
		}
		tested++
		t.Run(fx.File, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(dir, fx.File))
			if err != nil {
				t.Fatal(err)
			}
			head := http.Header{}
			for k, v := range fx.HTTP.Headers {
				head.Set(k, v)
			}
			for _, n := range []int{1, 7, 1 << 20} {
				rt := pieces{string(body), n, head}
				fx.check(t, listen(t, &http.Client{Transport: rt}, "http://x", hello("anthropic/claude-opus-4-8")))
			}
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k := range head {
					w.Header().Set(k, head.Get(k))
				}
				_, _ = w.Write(body)
			}))
			defer srv.Close()
			fx.check(t, listen(t, srv.Client(), srv.URL, hello("anthropic/claude-opus-4-8")))
		})
	}
	if tested < 9 {
		t.Errorf("only %d recorded streams found", tested)
	}
}

func (fx fixture) check(t *testing.T, h heard) {
	t.Helper()
	want := fx.Expect
	want.Text.check(t, "text", h.text)
	want.Thinking.check(t, "thinking", h.thinking)
	if len(h.begun) != 1 || h.begun[0].Model != want.Model || h.begun[0].RequestID != fx.HTTP.Headers["request-id"] {
		t.Errorf("begun %+v, want model %s", h.begun, want.Model)
	}
	if want.Error != nil {
		var f *llm.Fault
		if !errors.As(h.err, &f) || h.done != nil {
			t.Fatalf("error %v, done %v, want a fault", h.err, h.done)
		}
		if f.Class != want.Error.Class || f.Retryable() != want.Error.Retryable || f.AfterOutput != want.Error.After ||
			!strings.Contains(f.Message, want.Error.Contains) || f.Model != "anthropic/claude-opus-4-8" {
			t.Errorf("fault %+v, want %+v", f, want.Error)
		}
		if d := cmp.Diff(want.Partial, h.begun[0].Usage); d != "" {
			t.Errorf("usage so far: %s", d)
		}
		return
	}
	if h.err != nil || h.done == nil {
		t.Fatalf("error %v, done %v", h.err, h.done)
	}
	d := h.done
	if d.Finish != want.Finish || d.RawFinish != want.RawFinish || d.Message.Text != h.text {
		t.Errorf("finish %s (%s), text %q", d.Finish, d.RawFinish, d.Message.Text)
	}
	if diff := cmp.Diff(want.Usage, d.Usage); diff != "" {
		t.Errorf("usage: %s", diff)
	}
	fx.checkCalls(t, d)
	fx.checkThinking(t, d.Message)
}

func (fx fixture) checkCalls(t *testing.T, d *llm.Done) {
	t.Helper()
	want := fx.Expect
	if len(d.Message.ToolCalls) != len(want.ToolCalls) {
		t.Fatalf("calls %+v, want %+v", d.Message.ToolCalls, want.ToolCalls)
	}
	for i, call := range d.Message.ToolCalls {
		var args map[string]any
		if err := json.Unmarshal([]byte(call.Arguments), &args); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.ToolCalls[i].Args, args); diff != "" || call.ID != want.ToolCalls[i].ID || call.Name != want.ToolCalls[i].Name {
			t.Errorf("call %+v: %s", call, diff)
		}
	}
	// Acceptance check 34: what was cut is named.
	var cut []string
	for _, c := range want.Incomplete {
		cut = append(cut, c.Name)
	}
	if diff := cmp.Diff(cut, d.Cut, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("cut: %s", diff)
	}
}

func (fx fixture) checkThinking(t *testing.T, m llm.Message) {
	t.Helper()
	var signatures []string
	redacted := 0
	for _, raw := range m.ThinkingBlocks {
		var b struct{ Type, Thinking, Signature, Data string }
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		switch b.Type {
		case "redacted_thinking":
			redacted++
			if b.Data == "" {
				t.Error("redacted block without data")
			}
		case "thinking":
			sum := sha256.Sum256([]byte(b.Signature))
			signatures = append(signatures, hex.EncodeToString(sum[:]))
			fx.Expect.Thinking.check(t, "stored thinking", b.Thinking)
		}
	}
	if diff := cmp.Diff(fx.Expect.Signatures, signatures, cmpopts.EquateEmpty()); diff != "" || redacted != fx.Expect.Redacted {
		t.Errorf("%d redacted blocks, signatures: %s", redacted, diff)
	}
}

// Acceptance check 20 of the model layer: the recorded answer goes back as the
// recorded request shows, and not at all to another model.
func TestCheck20_RecordedReplay(t *testing.T) {
	dir := filepath.Join(fixturetest.Dir(t, "llm"), "anthropic")
	stream, err := os.ReadFile(filepath.Join(dir, "thinking_tool.sse"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "thinking_tool.replay.request.json"))
	if err != nil {
		t.Fatal(err)
	}
	req := llm.Request{Model: "anthropic/claude-sonnet-4-20250514", Messages: []llm.Message{
		{Role: llm.System, Text: "You are a helpful assistant"},
		{Role: llm.User, Text: "What's the weather in Florence, Italy?"},
	}}
	h := listen(t, &http.Client{Transport: pieces{string(stream), 7, nil}}, "http://x", req)
	if h.err != nil {
		t.Fatal(h.err)
	}
	saved, err := json.Marshal(h.done.Message) // through a session file
	if err != nil {
		t.Fatal(err)
	}
	var answer llm.Message
	if err := json.Unmarshal(saved, &answer); err != nil {
		t.Fatal(err)
	}
	req.Messages = append(req.Messages, answer, llm.Message{Role: llm.ToolRole, ToolCallID: answer.ToolCalls[0].ID, Text: "40 C"})
	body, err := newClient(t, anthropic.Options{}).Body(req)
	if err != nil {
		t.Fatal(err)
	}
	got, recorded := messages(t, body), messages(t, want)
	if diff := cmp.Diff(recorded[:2], got[:2]); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(body), string(answer.ThinkingBlocks[0])) {
		t.Error("the thinking block was changed")
	}
	req.Model = "anthropic/claude-opus-4-8"
	other, err := newClient(t, anthropic.Options{}).Body(req)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(other), `"thinking"`) || len(answer.ThinkingBlocks) != 1 {
		t.Errorf("another model: %s", other)
	}
}

func messages(t *testing.T, body []byte) []any {
	t.Helper()
	var in struct{ Messages []any }
	if err := json.Unmarshal(body, &in); err != nil {
		t.Fatal(err)
	}
	return in.Messages
}
