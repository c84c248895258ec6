package mcpserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a tool of the agent's own; only what it says of itself counts here.
type fake struct {
	spec tool.Spec
	risk func(args json.RawMessage) tool.Risk
}

func (f fake) Spec() tool.Spec                     { return f.spec }
func (f fake) Risk(args json.RawMessage) tool.Risk { return f.risk(args) }
func (f fake) Run(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
	panic("nobody runs it here")
}

func always(r tool.Risk) func(json.RawMessage) tool.Risk {
	return func(json.RawMessage) tool.Risk { return r }
}

const noArguments = `{"type":"object","properties":{}}`

func offer(name string, call mcpserver.Call) mcpserver.Tool {
	spec := tool.Spec{Name: name, Description: "what " + name + " does", Parameters: json.RawMessage(noArguments)}
	return mcpserver.Offer(fake{spec, always(tool.Risk{Effect: event.Read})}, false, call)
}

func says(text string) mcpserver.Call {
	return func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
		return mcpserver.Result{Text: text}, nil
	}
}

func newServer(t *testing.T, o mcpserver.Options) *mcpserver.Server {
	t.Helper()
	o.Name, o.Version = "ml-intern", "1.2.3"
	s, err := mcpserver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// progress is what a client was told while it waited.
type progress struct {
	n    float64
	line string
}

// client is connected to a server in this process.
type client struct {
	*mcp.ClientSession
	told chan progress
}

func connect(t *testing.T, s *mcpserver.Server) client {
	t.Helper()
	ours, theirs := mcp.NewInMemoryTransports()
	if _, err := s.SDK().Connect(t.Context(), ours, nil); err != nil {
		t.Fatal(err)
	}
	return dial(t, theirs)
}

func dial(t *testing.T, transport mcp.Transport) client {
	t.Helper()
	told := make(chan progress, 1000)
	c := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			told <- progress{req.Params.Progress, req.Params.Message}
		},
	})
	session, err := c.Connect(t.Context(), transport, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return client{session, told}
}

func (c client) call(t *testing.T, name string, args any, token any) *mcp.CallToolResult {
	t.Helper()
	params := &mcp.CallToolParams{Name: name, Arguments: args}
	if token != nil {
		params.SetProgressToken(token)
	}
	r, err := c.CallTool(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(t *testing.T, r *mcp.CallToolResult) string {
	t.Helper()
	if len(r.Content) != 1 {
		t.Fatalf("%d pieces of content", len(r.Content))
	}
	c, ok := r.Content[0].(*mcp.TextContent)
	if !ok {
		t.Fatalf("the content is a %T", r.Content[0])
	}
	return c.Text
}

// code is the word for programs of a failed call.
func code(t *testing.T, r *mcp.CallToolResult) string {
	t.Helper()
	raw, err := json.Marshal(r.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	var p mcpserver.Problem
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	if !r.IsError || p.Error.Message != text(t, r) {
		t.Errorf("error %v, %s and %q", r.IsError, raw, text(t, r))
	}
	return p.Error.Code
}

const token = "0123456789abcdef-secret"

// web serves s over HTTP.
func web(t *testing.T, s *mcpserver.Server, hosts ...string) *httptest.Server {
	t.Helper()
	h, err := s.Handler(mcpserver.HTTP{Token: token, Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// bearer adds the token to every request.
type bearer struct{ next http.RoundTripper }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return b.next.RoundTrip(r)
}

// overHTTP connects a client of the library over HTTP.
func overHTTP(t *testing.T, address string) client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return dial(t, &mcp.StreamableClientTransport{
		Endpoint: address + mcpserver.Path, HTTPClient: &http.Client{Transport: bearer{transport}}, DisableStandaloneSSE: true,
	})
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("it did not come to that: %s", what)
}

func long(n int) string { return strings.Repeat("é", n) }
