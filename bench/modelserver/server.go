// Package modelserver is a scripted model on a loopback port that speaks the
// three wires (Anthropic Messages, OpenAI Chat Completions, OpenAI Responses)
// and notes when each request came and was read and each answer ended. It answers as many
// turns with tool calls as it is told, then with a text.
package modelserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Wire is the API that is spoken.
type Wire string

// The wires.
const (
	Anthropic Wire = "anthropic"
	Chat      Wire = "chat"
	Responses Wire = "responses"
)

// Call is one tool call of an answer.
type Call struct {
	Name string
	Args map[string]any
}

// Exchange is one request and its answer.
type Exchange struct {
	Came  time.Time // the request's headers arrived
	Read  time.Time // its body had arrived
	Ended time.Time // the last byte of the answer was handed over
	Size  int       // of the body in bytes
	// Lost is the end of the body before this one that this one does not begin
	// with: what a prompt cache cannot find again.
	Lost []byte
	// Body is the request's body; [Start] keeps that of the newest only.
	Body []byte
}

// Server is a scripted model.
type Server struct {
	URL string

	wire  Wire
	calls func(turn int) []Call
	turns int
	http  *httptest.Server

	mu   sync.Mutex
	seen []Exchange
}

// Start serves: the first turns answers call tools, the next one ends.
func Start(wire Wire, turns int, calls func(turn int) []Call) *Server {
	s := &Server{wire: wire, calls: calls, turns: turns}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL
	return s
}

// Close stops the server.
func (s *Server) Close() { s.http.Close() }

// Exchanges are the exchanges so far.
func (s *Server) Exchanges() []Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Exchange(nil), s.seen...)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"data":[{"id":"m","max_model_len":4000000}],"max_input_tokens":4000000,"max_tokens":64000}`)
		return
	}
	turn, err := s.receive(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	var calls []Call
	if turn < s.turns {
		calls = s.calls(turn)
	}
	out := s.answer(turn, calls)
	// The clock is read before the write: the reader may be faster than we
	// come back from it.
	s.mu.Lock()
	s.seen[turn].Ended = time.Now()
	s.mu.Unlock()
	if _, err := io.WriteString(w, out); err != nil {
		return // the client left: its side of the run tells why
	}
}

// receive reads a request and returns its number. Bodies that are no longer
// needed are overwritten: a server short of memory would be what is measured.
func (s *Server) receive(r *http.Request) (turn int, err error) {
	ex := Exchange{Came: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	ex.Size = int(r.ContentLength)
	if ex.Size < 0 {
		return 0, errors.New("the request does not tell its length")
	}
	turn = len(s.seen)
	if turn >= 2 {
		ex.Body, s.seen[turn-2].Body = s.seen[turn-2].Body, nil
	}
	ex.Body = slices.Grow(ex.Body[:0], ex.Size)[:ex.Size]
	if _, err := io.ReadFull(r.Body, ex.Body); err != nil {
		return 0, fmt.Errorf("read the request: %w", err)
	}
	ex.Read = time.Now()
	if turn >= 1 {
		before := s.seen[turn-1].Body
		ex.Lost = slices.Clone(before[common(before, ex.Body):])
	}
	s.seen = append(s.seen, ex)
	return turn, nil
}

// common is the length of the common prefix.
func common(a, b []byte) int {
	const step = 4096 // in bytes: blocks are compared faster than bytes
	n, from := min(len(a), len(b)), 0
	for from+step <= n && bytes.Equal(a[from:from+step], b[from:from+step]) {
		from += step
	}
	for from < n && a[from] == b[from] {
		from++
	}
	return from
}

func (s *Server) answer(turn int, calls []Call) string {
	var b strings.Builder
	event := func(name string, v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			return // maps of plain values always marshal
		}
		if name != "" {
			b.WriteString("event: " + name + "\n")
		}
		b.WriteString("data: ")
		b.Write(raw)
		b.WriteString("\n\n")
	}
	switch s.wire {
	case Anthropic:
		anthropicAnswer(event, turn, calls)
	case Responses:
		responsesAnswer(event, turn, calls)
	default:
		chatAnswer(event, turn, calls)
		b.WriteString("data: [DONE]\n\n")
	}
	return b.String()
}

type m = map[string]any

func arguments(c Call) string {
	raw, err := json.Marshal(c.Args)
	if err != nil {
		return "{}"
	}
	return string(raw)
}

const farewell = "All done: every step was carried out."

func chatAnswer(event func(string, any), turn int, calls []Call) {
	finish := "stop"
	if len(calls) == 0 {
		event("", m{"choices": []m{{"index": 0, "delta": m{"content": farewell}}}})
	}
	for i, c := range calls {
		finish = "tool_calls"
		event("", m{"choices": []m{{"index": 0, "delta": m{"tool_calls": []m{{
			"index": i, "id": fmt.Sprintf("call_%d_%d", turn, i), "type": "function",
			"function": m{"name": c.Name, "arguments": arguments(c)},
		}}}}}})
	}
	event("", m{
		"choices": []m{{"index": 0, "delta": m{}, "finish_reason": finish}},
		"usage":   m{"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020},
	})
}

func anthropicAnswer(event func(string, any), turn int, calls []Call) {
	event("message_start", m{"type": "message_start", "message": m{
		"id": fmt.Sprintf("msg_%d", turn), "model": "claude-opus-4-8", "usage": m{"input_tokens": 1000, "output_tokens": 1},
	}})
	stop := "end_turn"
	if len(calls) == 0 {
		event("content_block_start", m{"type": "content_block_start", "index": 0, "content_block": m{"type": "text", "text": ""}})
		event("content_block_delta", m{"type": "content_block_delta", "index": 0, "delta": m{"type": "text_delta", "text": farewell}})
		event("content_block_stop", m{"type": "content_block_stop", "index": 0})
	}
	for i, c := range calls {
		stop = "tool_use"
		event("content_block_start", m{"type": "content_block_start", "index": i, "content_block": m{
			"type": "tool_use", "id": fmt.Sprintf("toolu_%d_%d", turn, i), "name": c.Name, "input": m{},
		}})
		event("content_block_delta", m{"type": "content_block_delta", "index": i, "delta": m{
			"type": "input_json_delta", "partial_json": arguments(c),
		}})
		event("content_block_stop", m{"type": "content_block_stop", "index": i})
	}
	event("message_delta", m{"type": "message_delta", "delta": m{"stop_reason": stop}, "usage": m{"output_tokens": 20}})
	event("message_stop", m{"type": "message_stop"})
}

func responsesAnswer(event func(string, any), turn int, calls []Call) {
	id := fmt.Sprintf("resp_%d", turn)
	event("response.created", m{"type": "response.created", "response": m{"id": id, "model": "gpt-5.5"}})
	var items []m
	if len(calls) == 0 {
		items = append(items, m{
			"type": "message", "id": "msg_" + id, "role": "assistant", "status": "completed",
			"content": []m{{"type": "output_text", "text": farewell, "annotations": []any{}}},
		})
		event("response.output_text.delta", m{"type": "response.output_text.delta", "item_id": "msg_" + id, "output_index": 0, "content_index": 0, "delta": farewell})
	}
	for i, c := range calls {
		items = append(items, m{
			"type": "function_call", "id": fmt.Sprintf("fc_%d_%d", turn, i), "call_id": fmt.Sprintf("call_%d_%d", turn, i),
			"name": c.Name, "arguments": arguments(c), "status": "completed",
		})
	}
	for i, item := range items {
		event("response.output_item.done", m{"type": "response.output_item.done", "output_index": i, "item": item})
	}
	event("response.completed", m{"type": "response.completed", "response": m{
		"id": id, "model": "gpt-5.5", "status": "completed", "output": items,
		"usage": m{"input_tokens": 1000, "output_tokens": 20, "total_tokens": 1020},
	}})
}
