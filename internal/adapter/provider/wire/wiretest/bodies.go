package wiretest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Client is what a provider's client has in common with the others.
type Client interface {
	Body(req llm.Request) ([]byte, error)
	Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error]
}

// CheckBodies checks with random conversations that a client sends exactly
// what its pure Body returns: while they grow, are rewritten, are taken up
// with other adjustments, and alternate. The models are ones the client takes;
// open returns a client without a history.
func CheckBodies(t *testing.T, provider string, models []string, open func(*http.Client) Client) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		sent := &recorder{}
		c := open(&http.Client{Transport: sent})
		talks := []*talk{newTalk(t, provider, models), newTalk(t, provider, models)}
		for range rapid.IntRange(1, 12).Draw(t, "requests") {
			talk := rapid.SampledFrom(talks).Draw(t, "talk")
			talk.change(t)
			want, err := open(nil).Body(deepCopy(talk.req))
			got := sent.stream(c, talk.req)
			if err != nil {
				want = nil
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("sent\n%s\nwant\n%s", got, want)
			}
		}
		if err := sent.problem; err != nil {
			t.Fatal(err)
		}
	})
}

// CheckBodiesAtOnce does the same with requests of one conversation that run
// at the same time, which the race detector should watch.
func CheckBodiesAtOnce(t *testing.T, model string, open func(*http.Client) Client) {
	t.Helper()
	c := open(&http.Client{Transport: &recorder{}})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			own := &recorder{}
			req := llm.Request{Model: model, SessionID: "s", Messages: []llm.Message{{Role: llm.User, Text: "go"}}}
			for n := range 40 {
				id := fmt.Sprintf("call_%d", n)
				req.Messages = append(req.Messages, llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: id, Name: "bash", Arguments: "{}"}}},
					llm.Message{Role: llm.ToolRole, ToolCallID: id, Text: strings.Repeat(fmt.Sprint(n*i/20), 200)})
				want, err := c.Body(req)
				if got := own.stream(c, req); err != nil || !bytes.Equal(got, want) {
					t.Errorf("sent\n%s\nwant\n%s, %v", got, want, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// recorder is a transport that keeps the last body and answers nothing.
type recorder struct {
	body    []byte
	problem error
}

var errRecorded = errors.New("recorded")

type recorderKey struct{}

// RoundTrip records the body, with the recorder that the request names.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if own, ok := req.Context().Value(recorderKey{}).(*recorder); ok {
		r = own
	}
	var err error
	if r.body, err = io.ReadAll(req.Body); err != nil {
		r.problem = err
	}
	if req.ContentLength != int64(len(r.body)) {
		r.problem = fmt.Errorf("length %d announced, %d sent", req.ContentLength, len(r.body))
	}
	again, err := req.GetBody()
	if err != nil {
		r.problem = err
	} else if second, err := io.ReadAll(again); err != nil || !bytes.Equal(second, r.body) {
		r.problem = fmt.Errorf("the second body is %q, %w", second, err)
	}
	return nil, errRecorded
}

// stream makes a call and returns its body, nil when nothing was sent.
func (r *recorder) stream(c Client, req llm.Request) []byte {
	r.body = nil
	for range c.Stream(context.WithValue(context.Background(), recorderKey{}, r), req) {
		continue // to its end
	}
	return r.body
}

// talk is a conversation and what is asked with it.
type talk struct {
	provider string
	models   []string
	req      llm.Request
}

func newTalk(t *rapid.T, provider string, models []string) *talk {
	w := &talk{provider: provider, models: models}
	w.req = llm.Request{
		Model: models[0], SessionID: rapid.SampledFrom([]string{"s1", "s1", "s2", ""}).Draw(t, "session"),
		Tools: []llm.ToolSpec{{Name: "bash"}, {Name: "mcp.server/find", Description: "Find."}},
	}
	if rapid.Bool().Draw(t, "system") {
		w.req.Messages = []llm.Message{{Role: llm.System, Text: "You are.\n[Session context: here]"}}
	}
	return w
}

// change makes the next request out of the last one.
func (w *talk) change(t *rapid.T) {
	n := len(w.req.Messages)
	switch rapid.SampledFrom([]string{"grow", "grow", "grow", "grow", "same", "undo", "rewrite", "ask", "knobs"}).Draw(t, "change") {
	case "grow":
		for range rapid.IntRange(1, 6).Draw(t, "more") {
			w.req.Messages = append(w.req.Messages, w.message(t))
		}
	case "undo":
		w.req.Messages = w.req.Messages[:rapid.IntRange(0, n).Draw(t, "left")]
	case "rewrite":
		if n > 0 {
			w.rewrite(t, &w.req.Messages[rapid.IntRange(0, n-1).Draw(t, "which")])
		}
	case "ask":
		w.req.Messages = append(w.req.Messages, llm.Message{Role: llm.User, Text: "and now?"})
	case "knobs":
		w.knobs(t)
	}
}

// rewrite changes a message in place, as a history may.
func (w *talk) rewrite(t *rapid.T, m *llm.Message) {
	switch what := rapid.IntRange(0, 4).Draw(t, "what"); {
	case what == 0 && len(m.ToolCalls) > 0:
		m.ToolCalls[0].Arguments = `{"changed":1}`
	case what == 1 && len(m.Parts) > 0:
		m.Parts[0] = json.RawMessage(`{"type":"text","text":"changed"}`)
	case what == 2 && len(m.ThinkingBlocks) > 0:
		m.ThinkingBlocks = nil
	case what == 3 && len(m.ProviderFields) > 0:
		clear(m.ProviderFields)
	default:
		*m = w.message(t)
	}
}

func (w *talk) knobs(t *rapid.T) {
	flag := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
	w.req.Adjust = llm.Adjust{
		NoThinking: flag("no thinking"), FillReasoning: flag("fill"), Rebuild: flag("rebuild"),
		Shrink: flag("shrink"), OtherThinking: flag("other"),
	}
	for _, name := range []string{"image_url", "cache_control", "reasoning_content"} {
		if flag(name) {
			w.req.Adjust.Drop = append(w.req.Adjust.Drop, name)
		}
	}
	w.req.Model = rapid.SampledFrom(w.models).Draw(t, "model")
	w.req.Effort = rapid.SampledFrom([]llm.Effort{llm.EffortOff, llm.EffortHigh}).Draw(t, "effort")
	w.req.LongWaits, w.req.Kind = flag("long waits"), rapid.SampledFrom([]llm.Kind{llm.KindMain, llm.KindResearch}).Draw(t, "kind")
	if flag("tools") {
		w.req.Tools = append(slices.Clip(w.req.Tools), llm.ToolSpec{Name: rapid.SampledFrom([]string{"mcp_server_find", "late"}).Draw(t, "tool")})
	}
}

func (w *talk) message(t *rapid.T) llm.Message {
	switch rapid.SampledFrom([]llm.Role{llm.Assistant, llm.Assistant, llm.Assistant, llm.ToolRole, llm.ToolRole, llm.ToolRole, llm.User, llm.System}).Draw(t, "role") {
	case llm.Assistant:
		return w.answer(t)
	case llm.ToolRole:
		m := llm.Message{Role: llm.ToolRole, ToolCallID: w.id(t), Name: "bash"}
		w.content(t, &m)
		return m
	case llm.User:
		m := llm.Message{Role: llm.User, Synthetic: rapid.Bool().Draw(t, "synthetic")}
		w.content(t, &m)
		return m
	}
	return llm.Message{Role: llm.System, Text: "A rule of later."}
}

func (w *talk) id(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "a", "a:b", "a_b", "call_0", "call_1", strings.Repeat("x", 70)}).Draw(t, "id")
}

func (w *talk) content(t *rapid.T, m *llm.Message) {
	if rapid.IntRange(0, 3).Draw(t, "array") > 0 {
		m.Text = rapid.SampledFrom([]string{"", " \n", "words <&> \"\x00é", strings.Repeat("long ", 600)}).Draw(t, "text")
		return
	}
	m.Parts = rapid.SliceOfN(rapid.Map(rapid.SampledFrom([]string{
		`{"type":"text","text":"t"}`, `{"type":"text","text":" "}`, `{"type":"thinking","thinking":"x"}`,
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}`, `{"type":"image_url","image_url":{"url":"https://x.example/y.png","detail":"low"}}`,
	}), func(s string) json.RawMessage { return json.RawMessage(s) }), 0, 3).Draw(t, "parts")
}

func (w *talk) answer(t *rapid.T) llm.Message {
	m := llm.Message{Role: llm.Assistant}
	w.content(t, &m)
	for range rapid.IntRange(0, 3).Draw(t, "calls") {
		m.ToolCalls = append(m.ToolCalls, llm.ToolCall{
			ID: w.id(t), Name: rapid.SampledFrom([]string{"bash", "mcp.server/find", "gone.tool"}).Draw(t, "name"), Arguments: `{"n": 1}`,
		})
	}
	if rapid.Bool().Draw(t, "own") {
		m.SetOrigin(llm.Origin{Provider: w.provider, Model: rapid.SampledFrom(w.models).Draw(t, "origin")})
	}
	switch rapid.IntRange(0, 4).Draw(t, "reasoning") {
	case 0:
		m.ThinkingBlocks = []json.RawMessage{json.RawMessage(`{"type":"thinking","thinking":"hm","signature":"E=="}`)}
	case 1:
		m.ReasoningContent = "I think."
	case 2:
		m.SetItems([]json.RawMessage{
			json.RawMessage(`{"type":"reasoning","encrypted_content":"e"}`), json.RawMessage(`{"type":"function_call","call_id":"a","name":"bash","arguments":"{}"}`),
		})
	case 3:
		if m.ProviderFields != nil {
			m.ProviderFields[llm.FieldReasoningDetails] = json.RawMessage(`[{"type":"x"}]`)
			m.ProviderFields["paused"] = json.RawMessage(`true`)
		}
	}
	return m
}

// deepCopy shares nothing with req that is ever written to.
func deepCopy(req llm.Request) llm.Request {
	req.Messages = slices.Clone(req.Messages)
	for i, m := range req.Messages {
		req.Messages[i] = m.Clone()
	}
	return req
}
