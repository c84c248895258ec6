package modelserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// Message is one message of a request on the Chat wire.
type Message struct {
	Role       string     `json:"role"`
	Content    any        `json:"content"`
	ToolCalls  []ToolCall `json:"tool_calls"`
	ToolCallID string     `json:"tool_call_id"`
}

// Text is the message's content, where that is text.
func (m Message) Text() string {
	switch c := m.Content.(type) {
	case string:
		return c
	case []any:
		var b strings.Builder
		for _, part := range c {
			if p, ok := part.(map[string]any); ok {
				if s, ok := p["text"].(string); ok {
					b.WriteString(s)
				}
			}
		}
		return b.String()
	}
	return ""
}

// ToolCall is one call in a request.
type ToolCall struct {
	ID       string `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// Request is what an answer is made from.
type Request struct {
	// Base is the path in front of /v1: it tells the users of one server apart.
	Base     string
	Path     string
	Header   http.Header
	Body     []byte
	Messages []Message
}

// Answer is what the server says to one request.
type Answer struct {
	// Status other than 0 and 200 makes Body the whole answer; Location is the
	// header of that name.
	Status   int
	Body     string
	Location string

	// Text is streamed in these pieces, then come the calls.
	Text  []string
	Calls []IDCall
	// PromptTokens and CompletionTokens are the usage; 0 is 1000 and 20.
	PromptTokens, CompletionTokens int
	// Pause is waited before the first and between two pieces.
	Pause time.Duration
}

// IDCall is a tool call with the id it shall have.
type IDCall struct {
	ID string
	Call
}

// Reply starts a server of the Chat wire whose answers follow from the
// requests alone, so that it serves programs that come back after a crash.
// Every POST to any path is a model call; answer is called from many
// goroutines.
func Reply(answer func(Request) Answer) *Server {
	s := &Server{wire: Chat}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.reply(w, r, answer) }))
	s.URL = s.http.URL
	return s
}

func (s *Server) reply(w http.ResponseWriter, r *http.Request, answer func(Request) Answer) {
	if r.Method != http.MethodPost {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"data":[{"id":"m","max_model_len":4000000}]}`)
		return
	}
	body, err := io.ReadAll(r.Body)
	var in struct {
		Messages []Message `json:"messages"`
	}
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	base, _, _ := strings.Cut(r.URL.Path, "/v1/")
	came := time.Now()
	a := answer(Request{Base: base, Path: r.URL.Path, Header: r.Header.Clone(), Body: body, Messages: in.Messages})
	if a.Status != 0 && a.Status != http.StatusOK {
		if a.Location != "" {
			w.Header().Set("Location", a.Location)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.Status)
		fmt.Fprint(w, a.Body)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	a.stream(w)
	s.mu.Lock()
	s.seen = append(s.seen, Exchange{Came: came, Ended: time.Now(), Body: body})
	s.mu.Unlock()
}

// stream writes the answer piece by piece. A client that has left is not told
// apart: its side of the run shows why.
func (a Answer) stream(w http.ResponseWriter) {
	event := func(v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			return // maps of plain values always marshal
		}
		if a.Pause > 0 {
			time.Sleep(a.Pause)
		}
		fmt.Fprintf(w, "data: %s\n\n", raw)
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
	for _, piece := range a.Text {
		event(m{"choices": []m{{"index": 0, "delta": m{"content": piece}}}})
	}
	finish := "stop"
	for i, c := range a.Calls {
		finish = "tool_calls"
		event(m{"choices": []m{{"index": 0, "delta": m{"tool_calls": []m{{
			"index": i, "id": c.ID, "type": "function", "function": m{"name": c.Name, "arguments": arguments(c.Call)},
		}}}}}})
	}
	prompt, completion := a.PromptTokens, a.CompletionTokens
	if prompt == 0 {
		prompt = 1000
	}
	if completion == 0 {
		completion = 20
	}
	event(m{
		"choices": []m{{"index": 0, "delta": m{}, "finish_reason": finish}},
		"usage":   m{"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
	})
	fmt.Fprint(w, "data: [DONE]\n\n")
}
