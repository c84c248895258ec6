package neighbour_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/router"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const completions = "/router/v1/chat/completions"

func user(text string) map[string]any { return map[string]any{"role": "user", "content": text} }

func call(model string, stream bool, messages ...map[string]any) map[string]any {
	body := map[string]any{"model": model, "messages": messages, "stream": stream}
	if stream {
		body["stream_options"] = map[string]any{"include_usage": true}
	}
	return body
}

func tool(name string) map[string]any {
	return map[string]any{"type": "function", "function": map[string]any{"name": name, "parameters": map[string]any{"type": "object"}}}
}

// send calls the router with further headers.
func (w *world) send(token string, body any, head map[string]string) *httptest.ResponseRecorder {
	w.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, completions, bytes.NewReader(raw))
	r.Header.Set("Authorization", "Bearer "+token)
	for k, v := range head {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

func TestRouterListsModels(t *testing.T) {
	w := acme(t, nil)
	covers(t, "models", w.get("", "/router/v1/models").Body, recorded(t, "hub", "router-models.json"))
	w.Equal(w.get("", "/router/v1/models/sim/scripted").At("data", "id"), "sim/scripted")
	w.Must(http.StatusNotFound, "", "GET", "/router/v1/models/sim/none", nil)
}

func TestRouterPlaysTheScript(t *testing.T) {
	w := acme(t, nil)
	hello := w.Must(http.StatusOK, simtest.BobWrite, "POST", completions, call("sim/scripted", false, user("Hello there")))
	if !strings.HasPrefix(hello.Text("choices", 0, "message", "content"), "Hello! I am the scripted model") {
		t.Errorf("%s", hello.Raw)
	}
	w.Equal(hello.At("choices", 0, "finish_reason"), "stop")
	w.Equal(hello.At("usage"), map[string]any{"prompt_tokens": 420.0, "completion_tokens": 21.0, "total_tokens": 441.0})

	ask := call("sim/scripted", false, user("Please look at acme/audit-mini"))
	w.Equal(w.Must(http.StatusOK, simtest.BobWrite, "POST", completions, ask).At("choices", 0, "finish_reason"), "stop") // no tools offered
	ask["tools"] = []any{tool("bash"), tool("hf_inspect_dataset")}
	called := w.Must(http.StatusOK, simtest.BobWrite, "POST", completions, ask)
	w.Equal(called.At("choices", 0, "message", "content"), nil)
	w.Equal(called.At("choices", 0, "message", "tool_calls", 0, "function", "name"), "hf_inspect_dataset")
	ask["messages"] = []any{user("Please look at acme/audit-mini"), called.At("choices", 0, "message"), map[string]any{"role": "tool", "content": []any{map[string]any{"type": "text", "text": "# acme/audit-mini"}}}}
	if text := w.Must(http.StatusOK, simtest.BobWrite, "POST", completions, ask).Text("choices", 0, "message", "content"); !strings.HasPrefix(text, "That is what the tool found") {
		t.Errorf("%s", text)
	}
}

func TestRouterStreams(t *testing.T) {
	w := acme(t, nil)
	ask := call("sim/scripted:simulated", true, user("papers, please"))
	ask["tools"] = []any{tool("hf_papers")}
	rec := w.send(simtest.BobWrite, ask, nil)
	if !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%v %s", rec.Header(), rec.Body)
	}
	args, name, finish, usage, done := "", "", "", any(nil), false
	for lines := bufio.NewScanner(rec.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if done = data == "[DONE]"; done {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		f := simtest.At(v, "choices", 0, "delta", "tool_calls", 0, "function")
		if s, ok := simtest.At(f, "name").(string); ok {
			name = s
		}
		if s, ok := simtest.At(f, "arguments").(string); ok {
			args += s
		}
		if s, ok := simtest.At(v, "choices", 0, "finish_reason").(string); ok {
			finish = s
		}
		if u := simtest.At(v, "usage"); u != nil {
			usage = u
		}
	}
	w.Equal([]any{name, args, finish, done}, []any{"hf_papers", `{"operation": "search", "query": "small language models"}`, "tool_calls", true})
	w.Equal(simtest.At(usage, "completion_tokens"), 30.0)
}

func TestRouterBooksTheCaller(t *testing.T) {
	w := acme(t, nil)
	before, _ := w.Book.Find("bob")
	for _, stream := range []bool{false, true} {
		body := call("sim/scripted", stream, user("hello"))
		delete(body, "stream_options") // booked though the client does not ask for the usage
		if rec := w.send(simtest.BobWrite, body, map[string]string{"X-HF-Session-Id": "s1"}); rec.Code != 200 {
			t.Fatal(rec.Body)
		}
	}
	w.send(simtest.BobWrite, call("sim/scripted", false, user("hello")), map[string]string{"X-HF-Session-Id": "s2", "X-HF-Bill-To": "acme"})
	// 420 tokens at one dollar a million and 21 at three, each time.
	const cost = 420*1000 + 21*3000
	charges := w.Book.Charges("bob")
	if len(charges) != 1 || charges[0].Ref != "s1" || charges[0].Product != "inference" || charges[0].NanoUSD != 2*cost || charges[0].Requests != 2 {
		t.Errorf("%+v", charges)
	}
	if c := w.Book.Charges("acme"); len(c) != 1 || c[0].NanoUSD != cost {
		t.Errorf("%+v", c)
	}
	if after, _ := w.Book.Find("bob"); before.CreditMicroUSD-after.CreditMicroUSD != 2*cost/1000 {
		t.Errorf("%d left of %d", after.CreditMicroUSD, before.CreditMicroUSD)
	}
}

func TestRouterBooksParallelCallsOnce(t *testing.T) {
	w := acme(t, nil)
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			w.send(simtest.BobWrite, call("sim/scripted", true, user("hello")), map[string]string{"X-HF-Session-Id": "s"})
		})
	}
	calls.Wait()
	if c := w.Book.Charges("bob"); len(c) != 1 || c[0].Requests != 20 {
		t.Errorf("%+v", c)
	}
}

func TestRouterRefuses(t *testing.T) {
	w := acme(t, nil)
	hello := call("sim/scripted", false, user("hello"))
	w.Must(http.StatusUnauthorized, "", "POST", completions, hello)
	w.Must(http.StatusOK, simtest.AliceRead, "POST", completions, hello)
	w.Must(http.StatusForbidden, simtest.BobFine, "POST", completions, hello) // no inference permission
	for model, code := range map[string]string{"sim/none": "model_not_found", "sim/scripted:other": "model_not_supported", "acme/tiny-gpt:driftwood": "model_not_supported"} {
		e := w.Must(http.StatusBadRequest, simtest.BobWrite, "POST", completions, call(model, false, user("x")))
		w.Equal(e.At("error", "code"), code)
	}
	w.Must(http.StatusBadRequest, simtest.BobWrite, "POST", completions, "{")
	if rec := w.send(simtest.AliceWrite, hello, map[string]string{"X-HF-Bill-To": "bob"}); rec.Code != http.StatusForbidden {
		t.Errorf("bills a stranger: %d", rec.Code)
	}
	if rec := w.send(simtest.AliceWrite, hello, map[string]string{"X-HF-Session-Id": strings.Repeat("x", 257)}); rec.Code != http.StatusBadRequest {
		t.Errorf("long session: %d", rec.Code)
	}
	w.Book.Charge(account.Charge{Entity: "alice", Product: "jobs", Ref: "j", NanoUSD: 6e9})
	e := w.Must(http.StatusPaymentRequired, simtest.AliceWrite, "POST", completions, hello)
	if !strings.HasPrefix(e.Text("error"), "You have exceeded your monthly included credits for Inference Providers.") {
		t.Errorf("%s", e.Raw)
	}
}

func TestRouterTakesAnotherModel(t *testing.T) {
	other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Model string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "data: {\"model\":%q,\"usage\":null}\n\ndata: {\"usage\":{\"prompt_tokens\":1000,", body.Model)
		_, _ = fmt.Fprint(w, "\"completion_tokens\":10}}\n\ndata: [DONE]\n\n")
	})
	w := acme(t, other)
	if rec := w.send(simtest.BobWrite, call("replay/demo", true, user("x")), nil); !strings.Contains(rec.Body.String(), `"replay/demo"`) {
		t.Errorf("%s", rec.Body)
	}
	w.send(simtest.BobWrite, call("sim/scripted", true, user("x")), map[string]string{"X-HF-Session-Id": "s"})
	c := w.Book.Charges("bob")
	if len(c) != 2 || c[0].NanoUSD != 0 || c[1].NanoUSD != 1000*1000+10*3000 {
		t.Errorf("%+v", c)
	}
}

func TestScriptsAnswerInTurn(t *testing.T) {
	content, err := router.Read(fstest.MapFS{
		"router/models.json": {Data: []byte(`[{"id":"a/b","providers":[{"provider":"p","status":"live"}]}]`)},
		"router/a--b.jsonl":  {Data: []byte(`{"content":"one"}` + "\n\n" + `{"content":"two"}` + "\n" + `{"match":"^stop","content":"stopped"}` + "\n")},
	}, "router")
	if err != nil {
		t.Fatal(err)
	}
	w := acme(t, nil)
	mux := http.NewServeMux()
	router.New(router.Options{Clock: w.clock, Accounts: w.Book, Content: content}).Pages(mux)
	w.Handler = mux
	said := map[string]any{"role": "assistant", "content": "…"}
	for want, messages := range map[string][]map[string]any{
		"one": {user("a")}, "two": {user("a"), said, user("b"), said, user("c")}, "stopped": {user("stop")},
	} {
		got := w.Must(http.StatusOK, simtest.BobWrite, "POST", completions, call("a/b", false, messages...))
		w.Equal(got.At("choices", 0, "message", "content"), want)
	}
}

func TestBadScriptsNameTheLine(t *testing.T) {
	models := `[{"id":"a/b","providers":[{"provider":"p","status":"live"}]}]`
	for script, want := range map[string]string{
		`{"content":"x"}` + "\n" + `{}`:                  "router/a--b.jsonl line 2: content, tool_calls:",
		`{"content":"x","match":"("}`:                    "match:",
		`{"content":"x","role":"system"}`:                "role:",
		`{"tool_calls":[{"name":"x","arguments":"no"}]}`: "tool_calls[0]:",
		`{"text":"x"}`:                                   "line 1: json: unknown field",
	} {
		_, err := router.Read(fstest.MapFS{"router/models.json": {Data: []byte(models)}, "router/a--b.jsonl": {Data: []byte(script)}}, "router")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", script, err, want)
		}
	}
	for name, fsys := range map[string]fstest.MapFS{
		"no model":   {"router/x--y.jsonl": {Data: []byte(`{"content":"x"}`)}},
		"providers:": {"router/models.json": {Data: []byte(`[{"id":"a/b"}]`)}},
	} {
		if _, err := router.Read(fsys, "router"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
