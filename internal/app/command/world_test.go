package command_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// goodToken is the token the world's Hub knows; it belongs to ada.
const goodToken = "hf_goodgoodgoodgoodgoodgoodgoodgoodgood"

// world is everything outside the program: a Hub, its router, a vLLM server and
// Anthropic, all on one loopback port. The models answer from a script, one
// line an answer; the last line answers all that follow.
type world struct {
	*httptest.Server
	script string // file that is read at every request

	mu       sync.Mutex
	turns    int
	requests [][]byte // bodies of model calls
	asked    []string // paths of all requests
}

// turn is one answer of the script.
type turn struct {
	Text   string `json:"text"`
	Pieces int    `json:"pieces"` // the text is streamed in so many
	Calls  []struct {
		Name string         `json:"name"`
		Args map[string]any `json:"args"`
	} `json:"calls"`
	Status int    `json:"status"` // an error instead
	Body   string `json:"body"`
	Hang   bool   `json:"hang"` // after the text the stream stays open
}

func newWorld(t testing.TB, script string) *world {
	t.Helper()
	w := &world{script: script}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/whoami-v2", w.whoami)
	mux.HandleFunc("GET /router/v1/models", w.routerModels)
	mux.HandleFunc("POST /router/v1/chat/completions", func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+goodToken {
			w.note(r)
			http.Error(rw, `{"error":{"message":"Invalid username or password."}}`, http.StatusUnauthorized)
			return
		}
		w.chat(rw, r)
	})
	mux.HandleFunc("GET /v1/models", func(rw http.ResponseWriter, r *http.Request) {
		w.note(r)
		io.WriteString(rw, `{"data":[{"id":"m","max_model_len":400000}]}`)
	})
	mux.HandleFunc("POST /v1/chat/completions", w.chat)
	mux.HandleFunc("POST /v1/messages", w.messages)
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		w.note(r)
		http.NotFound(rw, r)
	})
	w.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		w.CloseClientConnections()
		w.Close()
	})
	return w
}

func (w *world) note(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r.Method+" "+r.URL.Path)
}

func (w *world) calls() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests
}

func (w *world) whoami(rw http.ResponseWriter, r *http.Request) {
	w.note(r)
	if r.Header.Get("Authorization") != "Bearer "+goodToken {
		http.Error(rw, `{"error":"Invalid user token."}`, http.StatusUnauthorized)
		return
	}
	io.WriteString(rw, `{"type":"user","name":"ada","isPro":true,"orgs":[{"name":"lab"}],"auth":{"accessToken":{"displayName":"laptop","role":"write"}}}`)
}

func (w *world) routerModels(rw http.ResponseWriter, r *http.Request) {
	w.note(r)
	io.WriteString(rw, `{"object":"list","data":[{"id":"acme/tiny","object":"model","architecture":{"input_modalities":["text"]},
	 "providers":[{"provider":"fast","status":"live","context_length":32000,"pricing":{"input":0.5,"output":1.5},"supports_tools":true},
	              {"provider":"gone","status":"offline"},{"provider":"dim","status":"live"}]}]}`)
}

// next reads the answer to a model call.
func (w *world) next(rw http.ResponseWriter, r *http.Request) (turn, []byte, bool) {
	w.note(r)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return turn{}, nil, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, body)
	raw, err := os.ReadFile(w.script)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusTeapot)
		return turn{}, nil, false
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	line := lines[min(w.turns, len(lines)-1)]
	w.turns++
	out := turn{Pieces: 3}
	if err := json.Unmarshal([]byte(line), &out); err != nil {
		http.Error(rw, err.Error(), http.StatusTeapot)
		return turn{}, nil, false
	}
	if out.Status != 0 {
		rw.WriteHeader(out.Status)
		io.WriteString(rw, out.Body)
		return turn{}, nil, false
	}
	return out, body, true
}

func pieces(text string, n int) []string {
	if text == "" {
		return nil
	}
	runes := []rune(text)
	n = max(1, min(n, len(runes)))
	var out []string
	for i := range n {
		out = append(out, string(runes[i*len(runes)/n:(i+1)*len(runes)/n]))
	}
	return out
}

type object = map[string]any

func (w *world) chat(rw http.ResponseWriter, r *http.Request) {
	t, body, ok := w.next(rw, r)
	if !ok {
		return
	}
	var in struct {
		Stream bool `json:"stream"`
	}
	_ = json.Unmarshal(body, &in)
	usage := object{"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
	var calls []object
	for i, c := range t.Calls {
		args, _ := json.Marshal(c.Args)
		calls = append(calls, object{
			"index": i, "id": fmt.Sprintf("call_%d_%d", len(w.calls()), i), "type": "function",
			"function": object{"name": c.Name, "arguments": string(args)},
		})
	}
	finish := "stop"
	if len(calls) > 0 {
		finish = "tool_calls"
	}
	if !in.Stream {
		_ = json.NewEncoder(rw).Encode(object{
			"model": "m", "usage": usage,
			"choices": []object{{"index": 0, "finish_reason": finish, "message": object{"role": "assistant", "content": t.Text, "tool_calls": calls}}},
		})
		return
	}
	rw.Header().Set("Content-Type", "text/event-stream")
	send := func(v any) {
		raw, _ := json.Marshal(v)
		fmt.Fprintf(rw, "data: %s\n\n", raw)
		rw.(http.Flusher).Flush()
	}
	for _, piece := range pieces(t.Text, t.Pieces) {
		send(object{"model": "m", "choices": []object{{"index": 0, "delta": object{"content": piece}}}})
	}
	if t.Hang {
		<-r.Context().Done()
		return
	}
	if len(calls) > 0 {
		send(object{"choices": []object{{"index": 0, "delta": object{"tool_calls": calls}}}})
	}
	send(object{"choices": []object{{"index": 0, "delta": object{}, "finish_reason": finish}}, "usage": usage})
	io.WriteString(rw, "data: [DONE]\n\n")
}

// messages is Anthropic's wire.
func (w *world) messages(rw http.ResponseWriter, r *http.Request) {
	t, _, ok := w.next(rw, r)
	if !ok {
		return
	}
	rw.Header().Set("Content-Type", "text/event-stream")
	send := func(kind string, v object) {
		v["type"] = kind
		raw, _ := json.Marshal(v)
		fmt.Fprintf(rw, "event: %s\ndata: %s\n\n", kind, raw)
		rw.(http.Flusher).Flush()
	}
	send("message_start", object{"message": object{"id": "msg_1", "role": "assistant", "model": "claude", "usage": object{"input_tokens": 100, "output_tokens": 1}}})
	send("content_block_start", object{"index": 0, "content_block": object{"type": "text", "text": ""}})
	for _, piece := range pieces(t.Text, t.Pieces) {
		send("content_block_delta", object{"index": 0, "delta": object{"type": "text_delta", "text": piece}})
	}
	send("content_block_stop", object{"index": 0})
	send("message_delta", object{"delta": object{"stop_reason": "end_turn"}, "usage": object{"output_tokens": 10}})
	send("message_stop", object{})
}

// environment is what a program in this world gets: a home of its own, every
// address here, and no key.
func (w *world) environment(home string) []string {
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "LC_ALL=C.UTF-8", "TZ=UTC",
		"HF_ENDPOINT=" + w.URL, "HF_ROUTER_BASE_URL=" + w.URL + "/router/v1", "VLLM_BASE_URL=" + w.URL,
		"ANTHROPIC_BASE_URL=" + w.URL, "OPENAI_BASE_URL=" + w.URL + "/v1", "OLLAMA_BASE_URL=" + w.URL,
	}
}

// journal reads the events of the only session below home.
func journal(t testing.TB, home string) []map[string]any {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(home, ".local/state/ml-intern/sessions/*/journal.jsonl"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("journals: %v, %v", paths, err)
	}
	raw, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	var events []map[string]any
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		var ev map[string]any
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	return events
}

// eventually waits until a condition holds, for at most ten seconds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}
