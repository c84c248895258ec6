package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
)

// The test binary is its own servers: see programs_test.go.
func TestMain(m *testing.M) {
	if name := os.Getenv("TEST_MCP_PROGRAM"); name != "" {
		os.Exit(program(name))
	}
	// The library's server keeps the session of a question it has refused.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/modelcontextprotocol/go-sdk/mcp.(*streamableServerConn).Read"))
}

// notebook is a server with a bit of everything.
func notebook() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "notebook", Title: "A notebook", Version: "1.2.3"}, nil)
	type in struct {
		Text  string `json:"text"`
		Times int    `json:"times,omitempty"`
	}
	mcp.AddTool(s, &mcp.Tool{Name: "echo", Description: "Says it again.", Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true}},
		func(_ context.Context, _ *mcp.CallToolRequest, a in) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: a.Text}}}, nil, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "fail"}, func(context.Context, *mcp.CallToolRequest, in) (*mcp.CallToolResult, any, error) {
		return nil, nil, errors.New("no such page")
	})
	mcp.AddTool(s, &mcp.Tool{Name: "slow"}, func(ctx context.Context, r *mcp.CallToolRequest, a in) (*mcp.CallToolResult, any, error) {
		for i := range a.Times {
			if token := r.Params.GetProgressToken(); token != nil {
				_ = r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Message: fmt.Sprintf("page %d", i+1), Progress: float64(i + 1), Total: float64(a.Times)})
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(3 * time.Second): // a client that goes may take its word with it
		}
		return nil, nil, ctx.Err()
	})
	s.AddResource(&mcp.Resource{URI: "note://1", Name: "first"}, func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, Text: "the first note"}}}, nil
	})
	s.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "note://{n}", Name: "any"}, func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, MIMEType: "image/png", Blob: []byte{1, 2}}}}, nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "ask", Arguments: []*mcp.PromptArgument{{Name: "about", Required: true}}}, func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "What about " + r.Params.Arguments["about"] + "?"}}}}, nil
	})
	return s
}

// seen notes log lines.
type seen struct {
	mu     sync.Mutex
	logged []string
}

func (s *seen) log(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logged = append(s.logged, line)
}

func address(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// start starts a server and waits for its first try.
func start(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	if o.Name == "" {
		o.Name = "docs"
	}
	if o.URL != nil && o.HTTP == nil {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		o.HTTP = transport
	}
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Start()
	select {
	case <-s.Settled():
	case <-time.After(30 * time.Second):
		t.Fatal("it did not settle")
	}
	return s
}

// ready fails the test unless the server is ready.
func ready(t *testing.T, s *server.Server) server.Status {
	t.Helper()
	st := s.Status()
	if st.State != server.Ready {
		t.Fatalf("%s: %v", st.State, st.Err)
	}
	return st
}

// everywhere are the ways to reach a notebook.
func everywhere(t *testing.T) map[string]func(t *testing.T) server.Options {
	return map[string]func(t *testing.T) server.Options{
		"program": func(t *testing.T) server.Options { return self(t, "notebook") },
		"http": func(t *testing.T) server.Options {
			web := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return notebook() }, nil))
			t.Cleanup(web.Close)
			return server.Options{URL: address(t, web.URL)}
		},
		"stateless": func(t *testing.T) server.Options {
			web := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return notebook() }, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true}))
			t.Cleanup(web.Close)
			return server.Options{URL: address(t, web.URL)}
		},
		"sse": func(t *testing.T) server.Options {
			web := httptest.NewServer(mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return notebook() }, nil))
			t.Cleanup(web.Close)
			return server.Options{URL: address(t, web.URL), SSE: true}
		},
	}
}

func TestEverythingEverywhere(t *testing.T) {
	for name, options := range everywhere(t) {
		t.Run(name, func(t *testing.T) {
			s := start(t, options(t))
			st := ready(t, s)
			if st.Title != "A notebook" || st.Release != "1.2.3" {
				t.Errorf("it is %q %q, protocol %s", st.Title, st.Release, st.Protocol)
			}
			c := st.Catalog
			if len(c.Tools) != 3 || len(c.Resources) != 1 || len(c.Templates) != 1 || len(c.Prompts) != 1 || len(c.Notes) != 0 {
				t.Errorf("catalogue: %+v", c)
			}
			if got, err := s.Call(t.Context(), "echo", json.RawMessage(`{"text":"hello"}`), nil); err != nil || got.Text != "hello" || !got.OK {
				t.Errorf("echo: %+v, %v", got, err)
			}
			if got, err := s.Call(t.Context(), "fail", json.RawMessage(`{"text":""}`), nil); err != nil || got.Text != "no such page" || got.OK {
				t.Errorf("fail: %+v, %v", got, err)
			}
			var refused *server.RefusedError
			if _, err := s.Call(t.Context(), "none", nil, nil); !errors.As(err, &refused) || !strings.Contains(refused.Text, "none") {
				t.Errorf("an unknown tool: %v", err)
			}
			if got, err := s.Read(t.Context(), "note://1"); err != nil || got.Text != "the first note" {
				t.Errorf("read: %+v, %v", got, err)
			}
			if got, err := s.Read(t.Context(), "note://7"); err != nil || got.Text != "[Binary data: image/png]" {
				t.Errorf("read: %+v, %v", got, err)
			}
			if got, err := s.Prompt(t.Context(), "ask", map[string]string{"about": "it"}); err != nil || got != "What about it?" {
				t.Errorf("prompt: %q, %v", got, err)
			}
		})
	}
}

// The progress of a call is told; a call that is given up is given up by the server.
func TestProgressAndCancel(t *testing.T) {
	for name, options := range everywhere(t) {
		if name == "stateless" { // it answers with one message
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := start(t, options(t))
			ready(t, s)
			ctx, cancel := context.WithCancelCause(t.Context())
			lines := make(chan string, 100)
			why := errors.New("enough")
			go func() {
				for line := range lines {
					if line == "page 3 (3/3)" {
						cancel(why)
						return
					}
				}
			}()
			_, err := s.Call(ctx, "slow", json.RawMessage(`{"text":"","times":3}`), func(line string) { lines <- line })
			if !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
			if got, err := s.Call(t.Context(), "echo", json.RawMessage(`{"text":"still there"}`), nil); err != nil || got.Text != "still there" {
				t.Errorf("afterwards: %+v, %v", got, err)
			}
		})
	}
}
