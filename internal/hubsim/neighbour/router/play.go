package router

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// Measures of a played answer.
const (
	chunkLength   = 24 // characters a piece of a stream
	charsPerToken = 4  // for answers whose script names no usage
)

// pick finds the line that answers req: the first whose pattern fits, else the
// one whose turn it is; after the last of those that again. Lines that call
// tools the request does not offer are left out.
func pick(script []Line, req *request) (Line, bool) {
	last, turn := message{}, 0
	for _, m := range req.Messages {
		last = m
		if m.Role == "assistant" {
			turn++
		}
	}
	text := last.text()
	var plain []Line
	for _, l := range script {
		switch {
		case !req.offers(l.ToolCalls):
		case l.pattern == nil:
			plain = append(plain, l)
		case (l.Role == "" || l.Role == last.Role) && l.pattern.MatchString(text):
			return l, true
		}
	}
	if len(plain) == 0 {
		return Line{}, false
	}
	return plain[min(turn, len(plain)-1)], true
}

// offers reports whether the request lets the model call all these tools.
func (req *request) offers(calls []ToolCall) bool {
	for _, c := range calls {
		known := slices.ContainsFunc(req.Tools, func(t offer) bool { return t.Function.Name == c.Name })
		if !known || req.ToolChoice == "none" {
			return false
		}
	}
	return true
}

// play answers from the model's script.
func (s *Router) play(w http.ResponseWriter, r *http.Request, m Model, req *request) error {
	if strings.HasSuffix(r.URL.Path, "/responses") {
		return refuse(w, http.StatusNotFound, "invalid_request_error", "not_found", "The scripted model speaks chat completions only")
	}
	script, ok := s.o.Content.Scripts[m.ID]
	if !ok {
		return refuse(w, http.StatusBadRequest, "invalid_request_error", "model_not_supported", fmt.Sprintf("The model '%s' has no script: it is listed, and answers nothing", m.ID))
	}
	line, ok := pick(script, req)
	if !ok {
		return refuse(w, http.StatusBadRequest, "invalid_request_error", "script_end", "No line of the script answers this request")
	}
	a := s.reply(m, line, req)
	if req.Stream {
		return a.stream(w, req.StreamOptions.IncludeUsage)
	}
	answer.JSON(w, http.StatusOK, a.whole())
	return nil
}

// reply is a played answer.
type reply struct {
	id, model string
	created   int64
	line      Line
	calls     []map[string]any
	usage     map[string]any
	finish    string
}

func (s *Router) reply(m Model, line Line, req *request) reply {
	a := reply{id: "chatcmpl-" + s.o.Clock.ID(), model: m.ID, created: s.o.Clock.Now().Truncate(time.Second).Unix(), line: line, finish: "stop"}
	for _, c := range line.ToolCalls {
		a.calls = append(a.calls, map[string]any{
			"id": "call_" + s.o.Clock.ID(), "type": "function",
			"function": map[string]any{"name": c.Name, "arguments": string(c.Arguments)},
		})
		a.finish = "tool_calls"
	}
	u := line.Usage
	if u == nil {
		u = &Usage{CompletionTokens: 1 + len(line.Content)/charsPerToken}
		for _, msg := range req.Messages {
			u.PromptTokens += 4 + len(msg.Content)/charsPerToken
		}
		for _, c := range line.ToolCalls {
			u.CompletionTokens += (len(c.Name) + len(c.Arguments)) / charsPerToken
		}
	}
	a.usage = map[string]any{
		"prompt_tokens": u.PromptTokens, "completion_tokens": u.CompletionTokens, "total_tokens": u.PromptTokens + u.CompletionTokens,
	}
	return a
}

func (a reply) head(object string) map[string]any {
	return map[string]any{"id": a.id, "object": object, "created": a.created, "model": a.model}
}

func (a reply) whole() map[string]any {
	msg := map[string]any{"role": "assistant", "content": a.line.Content}
	if len(a.calls) > 0 {
		msg["tool_calls"] = a.calls
		if a.line.Content == "" {
			msg["content"] = nil
		}
	}
	out := a.head("chat.completion")
	out["choices"] = []any{map[string]any{"index": 0, "message": msg, "finish_reason": a.finish}}
	out["usage"] = a.usage
	return out
}

// stream writes the answer in pieces, the last of them with the usage when it
// was asked for.
func (a reply) stream(w http.ResponseWriter, usage bool) error {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	a.chunk(w, map[string]any{"role": "assistant", "content": ""}, nil)
	for text := []rune(a.line.Content); len(text) > 0; {
		n := min(chunkLength, len(text))
		a.chunk(w, map[string]any{"content": string(text[:n])}, nil)
		text = text[n:]
	}
	for i, c := range a.calls {
		f, _ := c["function"].(map[string]any)
		args, _ := f["arguments"].(string)
		first := map[string]any{"index": i, "id": c["id"], "type": "function", "function": map[string]any{"name": f["name"], "arguments": ""}}
		a.chunk(w, map[string]any{"tool_calls": []any{first}}, nil)
		for len(args) > 0 {
			n := min(chunkLength, len(args))
			for n < len(args) && args[n]&0xC0 == 0x80 { // never inside a character
				n++
			}
			a.chunk(w, map[string]any{"tool_calls": []any{map[string]any{"index": i, "function": map[string]any{"arguments": args[:n]}}}}, nil)
			args = args[n:]
		}
	}
	a.chunk(w, map[string]any{}, a.finish)
	// A client that did not ask for the usage does not see it; it is booked in
	// any case.
	if last := a.head("chat.completion.chunk"); usage {
		last["choices"], last["usage"] = []any{}, a.usage
		event(w, last)
	} else if c, ok := w.(*counter); ok {
		raw, _ := json.Marshal(map[string]any{"usage": a.usage}) // plain numbers
		c.read(raw)
	}
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
	return nil
}

func (a reply) chunk(w http.ResponseWriter, delta map[string]any, finish any) {
	c := a.head("chat.completion.chunk")
	c["choices"] = []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}
	event(w, c)
}

func event(w http.ResponseWriter, v any) {
	raw, _ := json.Marshal(v) // made of strings and numbers
	_, _ = fmt.Fprintf(w, "data: %s\n\n", raw)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}
