package mcpserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

// What a client sees of a tool is what the model sees, byte for byte.
func TestList(t *testing.T) {
	schema := `{"type":"object","properties":{"b":{"type":"string","description":"a \u00e9"},"a":{"type":"integer","minimum":0}},"required":["b"],"additionalProperties":false}`
	f := fake{tool.Spec{Name: "look", Description: "Looks.\n\nAt <things> & more.", Parameters: json.RawMessage(schema)}, always(tool.Risk{Effect: event.Read})}
	s := newServer(t, mcpserver.Options{Instructions: "what it is for", Tools: []mcpserver.Tool{
		mcpserver.Offer(f, false, says("")),
		{Name: "run", Title: "Run it", Description: "d", Parameters: json.RawMessage(noArguments), Output: json.RawMessage(`{"type":"object"}`), Hints: mcpserver.Hints{Destructive: true, OpenWorld: true}, Call: says("")},
	}})
	c := connect(t, s)
	list, err := c.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(list.Tools)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	wanted := fmt.Sprintf(`[
		{"name":"look","description":"Looks.\n\nAt <things> & more.","inputSchema":%s,"annotations":{"readOnlyHint":true,"idempotentHint":true,"destructiveHint":false,"openWorldHint":true}},
		{"name":"run","title":"Run it","description":"d","inputSchema":%s,"outputSchema":{"type":"object"},"annotations":{"title":"Run it","readOnlyHint":false,"idempotentHint":false,"destructiveHint":true,"openWorldHint":true}}]`, schema, noArguments)
	if err := errors.Join(json.Unmarshal(raw, &got), json.Unmarshal([]byte(wanted), &want)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	init := c.InitializeResult()
	if init.ServerInfo.Name != "ml-intern" || init.ServerInfo.Version != "1.2.3" || init.Instructions != "what it is for" {
		t.Errorf("%+v", init)
	}
	if raw, err := json.Marshal(init.Capabilities); err != nil || string(raw) != `{"tools":{}}` {
		t.Errorf("capabilities %s, %v", raw, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]mcpserver.Options{
		"no name":    {Version: "1"},
		"no version": {Name: "x"},
		"a schema that is none": {Name: "x", Version: "1", Tools: []mcpserver.Tool{
			{Name: "bad", Parameters: json.RawMessage(`{"type":"array"}`), Call: says("")},
		}},
		"no schema": {Name: "x", Version: "1", Tools: []mcpserver.Tool{{Name: "bad", Call: says("")}}},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := mcpserver.New(o); err == nil {
				s.Close()
				t.Error("it was made")
			}
		})
	}
}

func TestCall(t *testing.T) {
	var seen []string
	remember := func(_ context.Context, args json.RawMessage, _ func(string)) (mcpserver.Result, error) {
		seen = append(seen, string(args))
		return mcpserver.Result{Text: "seen"}, nil
	}
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{
		offer("good", says("it is good")),
		offer("remember", remember),
		offer("structured", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			return mcpserver.Result{Text: "t", Structured: json.RawMessage(`{"n":1}`)}, nil
		}),
		offer("fails", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			return mcpserver.Fail("refused", "not here"), nil
		}),
		offer("breaks", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			return mcpserver.Result{}, errors.New("it is broken")
		}),
		offer("panics", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			panic("a secret of the program")
		}),
	}})
	c := connect(t, s)
	if r := c.call(t, "good", nil, nil); r.IsError || text(t, r) != "it is good" || r.StructuredContent != nil {
		t.Errorf("%+v", r)
	}
	if r := c.call(t, "structured", nil, nil); fmt.Sprint(r.StructuredContent) != "map[n:1]" {
		t.Errorf("%v", r.StructuredContent)
	}
	if r := c.call(t, "fails", nil, nil); code(t, r) != "refused" || text(t, r) != "not here" {
		t.Errorf("%+v", r)
	}
	if r := c.call(t, "breaks", nil, nil); code(t, r) != "internal" || text(t, r) != "breaks could not run: it is broken" {
		t.Errorf("%+v", r)
	}
	if r := c.call(t, "panics", nil, nil); code(t, r) != "internal" || strings.Contains(text(t, r), "secret") {
		t.Errorf("%+v", r)
	}
	for _, args := range []any{nil, map[string]any{}, map[string]any{"a": 1}} {
		c.call(t, "remember", args, nil)
	}
	if diff := cmp.Diff([]string{"{}", "{}", `{"a":1}`}, seen); diff != "" {
		t.Error(diff)
	}
	if _, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "nothing"}); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("an unknown tool: %v", err)
	}
}

// Progress comes in order, before the result, and only where it is wanted.
func TestProgress(t *testing.T) {
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{
		offer("tells", func(_ context.Context, _ json.RawMessage, report func(string)) (mcpserver.Result, error) {
			for i := range 5 {
				report(fmt.Sprintf("line %d", i))
			}
			report("")
			report("red \x1b[31malert\x1b[0m\x07")
			report(long(5000))
			return mcpserver.Result{Text: "done"}, nil
		}),
	}})
	c := connect(t, s)
	c.call(t, "tells", nil, nil)
	if len(c.told) > 0 {
		t.Errorf("nobody asked, and was told %+v", <-c.told)
	}
	c.call(t, "tells", nil, "token")
	// The client handles what came before the result beside it.
	eventually(t, "seven lines", func() bool { return len(c.told) == 7 })
	for i := range 5 {
		if p := <-c.told; p.n != float64(i+1) || p.line != fmt.Sprintf("line %d", i) {
			t.Errorf("%d: %+v", i, p)
		}
	}
	if p := <-c.told; p.line != "red alert" {
		t.Errorf("%q", p.line)
	}
	if p := <-c.told; len(p.line) > 2003 || !utf8.ValidString(p.line) || !strings.HasSuffix(p.line, "é…") {
		t.Errorf("%d bytes, …%q", len(p.line), p.line[len(p.line)-10:])
	}
}

// slow is a pair of streams whose reading side the test opens.
type slow struct {
	io.Writer
	gate chan struct{}
}

func (s slow) Write(p []byte) (int, error) {
	<-s.gate
	return s.Writer.Write(p)
}

// A client that does not read holds up no call: what waits is bounded, and the
// oldest is dropped.
func TestProgressNeverWaits(t *testing.T) {
	reported := make(chan struct{})
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{
		offer("tells", func(_ context.Context, _ json.RawMessage, report func(string)) (mcpserver.Result, error) {
			for i := range 1000 {
				report(fmt.Sprintf("line %d", i))
			}
			close(reported)
			return mcpserver.Result{Text: "done"}, nil
		}),
	}})
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	gate := make(chan struct{})
	var served sync.WaitGroup
	served.Go(func() {
		if err := s.Serve(t.Context(), in, slow{out, gate}); err != nil {
			t.Error(err)
		}
	})
	fmt.Fprint(toServer, hello)
	fmt.Fprintln(toServer, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"tells","_meta":{"progressToken":1}}}`)
	gate <- struct{}{} // the answer to initialize
	dec := json.NewDecoder(fromServer)
	var first map[string]any
	if err := dec.Decode(&first); err != nil {
		t.Fatal(err)
	}
	<-reported // although nobody has read a line
	close(gate)
	lines, last := 0, ""
	for {
		var m struct {
			ID     int
			Params struct{ Message string }
		}
		if err := dec.Decode(&m); err != nil {
			t.Fatal(err)
		}
		if m.ID == 2 {
			break
		}
		lines, last = lines+1, m.Params.Message
	}
	if lines > 110 || last != "line 999" {
		t.Errorf("%d lines, the last %q", lines, last)
	}
	_ = toServer.Close()
	served.Wait()
}

// waiting is a tool that waits for its end, and tells its cause.
func waiting() (t mcpserver.Tool, begun chan struct{}, causes chan error) {
	begun, causes = make(chan struct{}, 1), make(chan error, 1)
	return offer("waits", func(ctx context.Context, _ json.RawMessage, _ func(string)) (mcpserver.Result, error) {
		begun <- struct{}{}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return mcpserver.Result{}, ctx.Err()
	}), begun, causes
}

// A cancelled call ends within a second. The client's cancelling is told apart
// from the end of the server.
func TestCancel(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(s *mcpserver.Server, cancel func())
		want error
	}{
		"by the client": {func(_ *mcpserver.Server, cancel func()) { cancel() }, context.Canceled},
		"by the server": {func(s *mcpserver.Server, _ func()) { s.Close() }, mcpserver.ErrStopped},
	} {
		t.Run(name, func(t *testing.T) {
			waits, begun, causes := waiting()
			s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{waits}})
			c := connect(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = c.CallTool(ctx, &mcp.CallToolParams{Name: "waits"})
			}()
			<-begun
			at := time.Now()
			tt.end(s, cancel)
			if err := <-causes; !errors.Is(err, tt.want) {
				t.Errorf("the cause is %v", err)
			}
			<-ended
			if took := time.Since(at); took > time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

const (
	hello     = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}` + "\n"
	callWaits = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"waits"}}` + "\n"
)

// A client that goes ends its calls too, and has not cancelled them: it reads
// nothing any more.
func TestConnectionEnds(t *testing.T) {
	waits, begun, causes := waiting()
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{waits}})
	in, to := io.Pipe()
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), in, out) }()
	fmt.Fprint(to, hello+callWaits)
	<-begun
	at := time.Now()
	_ = to.Close()
	_ = from.Close()
	if err := <-causes; errors.Is(err, context.Canceled) || errors.Is(err, mcpserver.ErrStopped) {
		t.Errorf("the cause is %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if took := time.Since(at); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Who pipes messages in gets the answers to all of them, also behind the end of
// the input.
func TestPiped(t *testing.T) {
	gate := make(chan struct{})
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{
		offer("waits", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			<-gate
			return mcpserver.Result{Text: "done"}, nil
		}),
	}})
	input := hello + callWaits + `{"jsonrpc":"2.0","id":3,"method":"tools/list"}` + "\n"
	from, out := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(t.Context(), io.NopCloser(strings.NewReader(input)), out)
		_ = out.Close()
	}()
	seen := map[int]bool{}
	for dec := json.NewDecoder(from); ; {
		var m struct {
			ID     int
			Result json.RawMessage
		}
		if dec.Decode(&m) != nil {
			break
		}
		seen[m.ID] = m.Result != nil
		if seen[1] && seen[3] && !seen[2] {
			close(gate)
		}
	}
	if err := <-served; err != nil || !seen[1] || !seen[2] || !seen[3] {
		t.Errorf("%v, %v", seen, err)
	}
}

// A call that outlasts the end of the input for long is left.
func TestLingersNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits, begun, causes := waiting()
		s, err := mcpserver.New(mcpserver.Options{Name: "x", Version: "1", Tools: []mcpserver.Tool{waits}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		at := time.Now()
		served := make(chan error, 1)
		go func() {
			served <- s.Serve(context.Background(), io.NopCloser(strings.NewReader(hello+callWaits)), io.Discard)
		}()
		<-begun
		<-causes
		if err := <-served; err != nil {
			t.Error(err)
		}
		if took := time.Since(at); took < 10*time.Second || took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// What comes beyond the calls that run at once is refused and waits for nothing.
func TestBusy(t *testing.T) {
	begun, gate := make(chan struct{}), make(chan struct{})
	s := newServer(t, mcpserver.Options{Parallel: 2, Tools: []mcpserver.Tool{
		offer("waits", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			begun <- struct{}{}
			<-gate
			return mcpserver.Result{Text: "done"}, nil
		}),
	}})
	c := connect(t, s)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if r, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "waits"}); err != nil || r.IsError {
				t.Errorf("%+v, %v", r, err)
			}
		})
		<-begun
	}
	for range 20 {
		if r := c.call(t, "waits", nil, nil); code(t, r) != "busy" {
			t.Errorf("%+v", r)
		}
	}
	close(gate)
	both.Wait()
	go func() { <-begun }()
	if r := c.call(t, "waits", nil, nil); r.IsError {
		t.Errorf("%+v", r)
	}
}

// A closed server takes no calls, and closing it again does nothing.
func TestClosed(t *testing.T) {
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{offer("good", says("x"))}})
	c := connect(t, s)
	s.Close()
	s.Close()
	if r, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "good"}); err == nil && !r.IsError {
		t.Errorf("%+v", r)
	}
}

// Whatever stands on standard input, what goes out are messages, and the end of
// the input is the end.
func TestServe(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want int // messages
		fail bool
	}{
		"nothing":     {"", 0, false},
		"hello":       {hello + `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n", 1, false},
		"too early":   {`{"jsonrpc":"2.0","id":1,"method":"tools/list"}` + "\n", 1, false},
		"no JSON":     {"hello\n", 0, true},
		"too long":    {`{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("x", 5<<20) + `"}` + "\n", 0, true},
		"torn in two": {`{"jsonrpc":"2.0","id":1`, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{offer("good", says("x"))}})
			in, to := io.Pipe()
			from, out := io.Pipe()
			var err error
			var wait sync.WaitGroup
			wait.Go(func() {
				err = s.Serve(t.Context(), in, out)
				_ = out.Close()
				_ = in.Close()
			})
			wait.Go(func() {
				_, _ = io.WriteString(to, tt.in) // it may not want all of it
				if tt.want > 0 {
					return
				}
				_ = to.Close()
			})
			n := 0
			for dec := json.NewDecoder(from); ; n++ {
				var m struct{ JSONRPC string }
				if dec.Decode(&m) != nil {
					break
				}
				if m.JSONRPC != "2.0" {
					t.Errorf("%+v", m)
				}
				if n+1 == tt.want {
					_ = to.Close()
				}
			}
			wait.Wait()
			if n != tt.want || (err != nil) != tt.fail {
				t.Errorf("%d messages, %v", n, err)
			}
		})
	}
}

// The end of ctx ends what is served.
func TestServeStops(t *testing.T) {
	waits, begun, causes := waiting()
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{waits}})
	in, to := io.Pipe()
	defer to.Close()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, in, io.Discard) }()
	fmt.Fprint(to, hello+callWaits)
	<-begun
	cancel()
	if err := <-causes; !errors.Is(err, mcpserver.ErrStopped) {
		t.Errorf("the cause is %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestPrompts(t *testing.T) {
	s := newServer(t, mcpserver.Options{Prompts: []mcpserver.Prompt{
		{Name: "eval", Description: "Evaluate a model.", Hint: "[model]", Text: func(given string) (string, error) { return "Evaluate " + given, nil }},
		{Name: "gone", Description: "d", Text: func(string) (string, error) { return "", errors.New("the file is gone") }},
	}})
	c := connect(t, s)
	list, err := c.ListPrompts(t.Context(), nil)
	if err != nil || len(list.Prompts) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if p := list.Prompts[0]; p.Name != "eval" || p.Description != "Evaluate a model." || len(p.Arguments) != 1 || p.Arguments[0].Description != "[model]" || p.Arguments[0].Required {
		t.Errorf("%+v", p)
	}
	if p := c.InitializeResult().Capabilities.Prompts; p == nil || p.ListChanged {
		t.Errorf("%+v", p)
	}
	for _, given := range []map[string]string{nil, {"arguments": "acme/tiny"}} {
		r, err := c.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "eval", Arguments: given})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := r.Messages[0].Content.(*mcp.TextContent); !ok || len(r.Messages) != 1 || got.Text != "Evaluate "+given["arguments"] {
			t.Errorf("%+v", r.Messages[0])
		}
	}
	if _, err := c.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "gone"}); err == nil || !strings.Contains(err.Error(), "the file is gone") {
		t.Errorf("%v", err)
	}
}
