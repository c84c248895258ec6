// Package mcpserver offers tools to other agents over the Model Context
// Protocol, on standard input and output or over HTTP. It knows what a tool says
// of itself; what a call does, and whether it may, is the business of whoever
// hands the tools over.
package mcpserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Tool is something that another agent may call.
type Tool struct {
	Name, Title, Description string
	// Parameters is the JSON schema of the arguments, an object's. Output is that
	// of Result.Structured, which a Problem must fit too; nil promises none.
	Parameters, Output json.RawMessage
	Hints              Hints
	// Call does the work. It may be called from many goroutines, and returns
	// within a second after ctx is done.
	Call Call
}

// Call runs a tool. Args is a JSON object, which nobody has checked yet. Report
// takes a line about what is going on; it does not wait for the client. An error
// means that the call did not happen.
type Call func(ctx context.Context, args json.RawMessage, report func(line string)) (Result, error)

// Result is what a call gives back.
type Result struct {
	Text string
	// Failed says that the call did not do what it should; Text says why.
	Failed bool
	// Structured is the same for programs: a JSON object, or nil.
	Structured json.RawMessage
}

// Offer makes a Tool of one of the agent's own: name, description and schema are
// those that the model sees. ReadOnly says that calls which change something are
// refused.
func Offer(t tool.Tool, readOnly bool, call Call) Tool {
	spec := t.Spec()
	return Tool{
		Name: spec.Name, Description: spec.Description, Parameters: spec.Parameters, Hints: HintsOf(t, readOnly), Call: call,
	}
}

// Prompt is a text that a person can bring into a conversation with the other
// agent.
type Prompt struct {
	Name, Description string
	// Hint shows what it takes, such as "[dataset]"; what was given goes to Text.
	Hint string
	Text func(given string) (string, error)
}

// Options make a Server.
type Options struct {
	Name, Title, Version string
	// Instructions tell the other agent what all this is for.
	Instructions string
	Tools        []Tool
	Prompts      []Prompt
	// Parallel bounds the calls that run at once; 0 is 64. What comes beyond is
	// refused, not queued.
	Parallel int
	// SDK are more options of the library, for servers that offer more than
	// tools; nil for none.
	SDK *mcp.ServerOptions
	// Log is for operators; nil drops everything. No arguments, results or tokens
	// are logged.
	Log *slog.Logger
}

// Server serves a fixed list of tools to any number of clients.
type Server struct {
	opts   Options
	sdk    *mcp.Server
	slots  chan struct{} // a place for each call
	closed sync.Once

	life context.Context // of everything that is served
	end  context.CancelCauseFunc
}

// ErrStopped is the cause that ends a call when the server stops. The end of a
// connection has another one; a call that the client has cancelled has none but
// context.Canceled.
var ErrStopped = errors.New("the server stops")

const (
	// parallel is how many calls run at once where nothing else is said.
	parallel = 64
	// stopWait is how long the end of the server waits for its calls.
	stopWait = 5 * time.Second
)

// New returns a Server. Serve or ServeHTTP make it work, Close ends it.
func New(o Options) (*Server, error) {
	if o.Name == "" || o.Version == "" {
		return nil, errors.New("make the MCP server: Name and Version are required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	sdk := mcp.ServerOptions{Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}}} // lists stay as they are
	if len(o.Prompts) > 0 {
		sdk.Capabilities.Prompts = &mcp.PromptCapabilities{}
	}
	if o.SDK != nil {
		sdk = *o.SDK
	}
	sdk.Instructions = cmp.Or(sdk.Instructions, o.Instructions)
	sdk.Logger = o.Log
	s := &Server{
		opts: o, slots: make(chan struct{}, cmp.Or(max(o.Parallel, 0), parallel)),
		sdk: mcp.NewServer(&mcp.Implementation{Name: o.Name, Title: o.Title, Version: o.Version}, &sdk),
	}
	s.life, s.end = context.WithCancelCause(context.Background())
	for _, t := range o.Tools {
		if err := s.add(t); err != nil {
			return nil, err
		}
	}
	for _, p := range o.Prompts {
		s.prompt(p)
	}
	return s, nil
}

// SDK is the library's server, for those who offer more than tools.
func (s *Server) SDK() *mcp.Server { return s.sdk }

// add registers a tool. The library panics at schemas that it cannot use.
func (s *Server) add(t Tool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("offer the tool %s: %v", t.Name, p)
		}
	}()
	d := &mcp.Tool{
		Name: t.Name, Title: t.Title, Description: t.Description, InputSchema: t.Parameters, Annotations: t.Hints.annotations(t.Title),
	}
	if t.Output != nil {
		d.OutputSchema = t.Output
	}
	s.sdk.AddTool(d, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return s.call(ctx, t, req), nil
	})
	return nil
}

// given is the name of a prompt's one argument.
const given = "arguments"

func (s *Server) prompt(p Prompt) {
	d := &mcp.Prompt{Name: p.Name, Description: p.Description, Arguments: []*mcp.PromptArgument{{Name: given, Description: p.Hint}}}
	s.sdk.AddPrompt(d, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		text, err := p.Text(req.Params.Arguments[given])
		if err != nil {
			return nil, err
		}
		return &mcp.GetPromptResult{
			Description: p.Description, Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: text}}},
		}, nil
	})
}

// call runs one call of a tool.
func (s *Server) call(ctx context.Context, t Tool, req *mcp.CallToolRequest) *mcp.CallToolResult {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return failed("busy", fmt.Sprintf("%d calls run at once here, and no more: call %s again when some have ended", cap(s.slots), t.Name))
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	told := newReporter(ctx, req)
	defer told.close()
	r, err := s.run(ctx, t, arguments(req.Params.Arguments), told.line)
	switch {
	case ctx.Err() != nil:
		return failed("cancelled", fmt.Sprintf("%s was stopped: %v", t.Name, context.Cause(ctx)))
	case err != nil:
		return failed("internal", fmt.Sprintf("%s could not run: %v", t.Name, err))
	}
	out := &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: r.Text}}, IsError: r.Failed}
	if r.Structured != nil {
		out.StructuredContent = r.Structured
	}
	return out
}

// within ends ctx with the server too, and keeps the cause of its end.
func (s *Server) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// run calls the tool; a panic in it is a failure of the call.
func (s *Server) run(ctx context.Context, t Tool, args json.RawMessage, report func(string)) (r Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.opts.Log.Error("tool failed inside", "tool", t.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errors.New("it failed inside")
		}
	}()
	return t.Call(ctx, args, report)
}

// arguments are those of a call; a client may leave them out.
func arguments(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage("{}")
	}
	return raw
}

// Problem is what programs are told of a call that failed.
type Problem struct {
	Error struct {
		// Code is a word: refused, invalid_arguments, busy, cancelled, failed or
		// internal.
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// Fail is the result of a call that failed.
func Fail(code, message string) Result {
	var p Problem
	p.Error.Code, p.Error.Message = code, message
	raw, err := json.Marshal(p)
	if err != nil { // two texts always encode
		raw = nil
	}
	return Result{Text: message, Failed: true, Structured: raw}
}

func failed(code, message string) *mcp.CallToolResult {
	r := Fail(code, message)
	return &mcp.CallToolResult{
		Content: []mcp.Content{&mcp.TextContent{Text: r.Text}}, IsError: true, StructuredContent: r.Structured,
	}
}

// Close ends what is served: calls are cancelled, sessions closed. It waits a few
// seconds for that.
func (s *Server) Close() {
	s.closed.Do(func() {
		s.end(ErrStopped)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range cap(s.slots) { // until no call has one, and none gets one
				s.slots <- struct{}{}
			}
			for session := range s.sdk.Sessions() {
				_ = session.Close() // it may be closed
			}
		}()
		late := time.NewTimer(stopWait)
		defer late.Stop()
		select {
		case <-ended:
		case <-late.C:
			s.opts.Log.Warn("the calls of the MCP server did not end in time")
		}
	})
}
