package slash_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

// library is an MCP server with a tool, a resource and a prompt.
func library() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "library", Title: "Library \x1b[31mred", Version: "2"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "find"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "found"}}}, nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "bash"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{}, nil, nil
	})
	s.AddResource(&mcp.Resource{URI: "book://1", Name: "one"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{}, nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "Review", Arguments: []*mcp.PromptArgument{{Name: "book", Required: true}, {Name: "tone"}}},
		func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			text := fmt.Sprintf("Review %s (%s).", r.Params.Arguments["book"], r.Params.Arguments["tone"])
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: text}}}}, nil
		})
	s.AddPrompt(&mcp.Prompt{Name: "say/this", Arguments: []*mcp.PromptArgument{{Name: "words", Required: true}}},
		func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: r.Params.Arguments["words"]}}}}, nil
		})
	return s
}

// withServers writes settings with a server that is there and one that is not, and
// opens a session; its conversation asks the session.
func (w *world) withServers() (ask func(answers ...dialogtest.Answer) *dialogtest.Talk) {
	w.Helper()
	web := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return library() }, &mcp.StreamableHTTPOptions{Stateless: true}))
	w.Cleanup(web.Close)
	config := filepath.Join(w.home, ".config", "ml-intern", "cli_agent_config.json")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{"model_name":"sim/scripted","mcpServers":{
		"books":{"url":%q},"gone":{"url":"http://127.0.0.1:9/mcp","headers":{"Authorization":"Bearer verysecretvalue"}}}}`, web.URL+"/?key=hidden"), 0o600); err != nil {
		w.Fatal(err)
	}
	w.app = w.open()
	s := w.session(app.SessionRequest{})
	w.Cleanup(func() { s.Close() })
	return func(answers ...dialogtest.Answer) *dialogtest.Talk {
		talk := w.talkTo(s, answers...)
		talk.Session.Answers = func(op event.Operation) (event.Payload, error) {
			end := event.TypeServers
			if _, ok := op.(event.Prompt); ok {
				end = event.TypeServerPrompt
			}
			switch ev := w.do(s, op, end); ev.Type {
			case event.TypeServers:
				return event.Decode[event.ServerStates](ev)
			case event.TypeServerPrompt:
				return event.Decode[event.ServerPrompt](ev)
			default:
				told, err := event.Decode[event.Error](ev)
				return nil, errors.Join(err, errors.New(told.Error))
			}
		}
		return talk
	}
}

func TestMCP(t *testing.T) {
	w := newWorld(t)
	ask := w.withServers()
	said := w.run(ask(), "/mcp retry")
	for _, part := range []string{
		"books          ready: 2 tools, 1 resources, 2 prompts\n", "hf-mcp-server  ready: ", "gone           failed, will be tried again: ", "Prompts of theirs: /books:Review, /books:say/this\n",
	} {
		if !strings.Contains(said, part) {
			t.Errorf("lacks %q:\n%s", part, said)
		}
	}
	if said := w.run(ask(), "/mcp retry nobody"); !strings.Contains(said, `there is no MCP server "nobody"`) {
		t.Error(said)
	}
	one := w.run(ask(), "/mcp Books")
	for _, part := range []string{"it says it is Library", "\ntool find\n", "\ntool bash (here: mcp__books__bash)\n", "\nprompt /books:Review book tone"} {
		if !strings.Contains(one, part) {
			t.Errorf("lacks %q:\n%s", part, one)
		}
	}
	for _, secret := range []string{"verysecretvalue", "hidden", "\x1b"} {
		if strings.Contains(said+one, secret) {
			t.Errorf("shows %q", secret)
		}
	}
	if said := w.run(ask(), "/mcp nothing"); !strings.Contains(said, "there is no such server") {
		t.Error(said)
	}
}

// A prompt of a server stands in the input line; nobody but the person sends it.
func TestMCPPrompts(t *testing.T) {
	w := newWorld(t)
	ask := w.withServers()
	w.run(ask(), "/mcp retry books")
	for _, test := range []struct{ line, want string }{
		{`/books:review "A Tale" dry and short`, "Review A Tale (dry and short)."},
		{`/books:Review tone=dry book=Emma`, "Review Emma (dry)."},
		{`/books:review`, "Review typed ()."},
	} {
		var answers []dialogtest.Answer
		if test.line == `/books:review` {
			answers = append(answers, dialogtest.Type("typed"))
		}
		talk := ask(answers...)
		said := w.run(talk, test.line)
		if talk.Filled() != test.want || !strings.Contains(said, "read it before you send it") {
			t.Errorf("%s: %q in the input line, %q", test.line, talk.Filled(), said)
		}
	}
	// What a server says is no command, whatever it looks like.
	for _, words := range []string{"/yolo", "  !rm -r x", "# remember", "QUIT", "?"} {
		talk := ask()
		w.run(talk, `/books:say/this "`+words+`"`)
		if want := "The MCP server books says:\n" + words; talk.Filled() != want {
			t.Errorf("%q in the input line, want %q", talk.Filled(), want)
		}
	}
	if said := w.run(ask(), "/gone:any"); !strings.Contains(said, "/gone:any: the server is not there: failed") {
		t.Error(said)
	}
	if said := w.run(ask(), "/books:nothing"); !strings.Contains(said, "there is no prompt /books:nothing here") {
		t.Error(said)
	}
}
