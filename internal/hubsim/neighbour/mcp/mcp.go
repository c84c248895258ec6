// Package mcp is a small Model Context Protocol server in the manner of the
// Hub's: one address that takes JSON-RPC by POST and keeps no session. Its tools
// are given to it.
package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// versions of the protocol that the server speaks, newest first.
var versions = []string{"2025-06-18", "2025-03-26", "2024-11-05"}

// maxBody is how large a request may be, in bytes.
const maxBody = 4 << 20

// Tool is something a client may call.
type Tool struct {
	Name        string
	Title       string
	Description string
	// Schema is a JSON schema of the arguments.
	Schema map[string]any
	// Call does it for the caller in ctx and returns text for the model; an
	// error is told to the model, it does not end anything.
	Call func(ctx context.Context, args map[string]any) (string, error)
}

// Server answers MCP clients.
type Server struct{ tools []Tool }

// New returns a server of tools.
func New(tools []Tool) *Server { return &Server{tools: tools} }

// Pages adds /mcp.
func (s *Server) Pages(mux *http.ServeMux) {
	mux.HandleFunc("POST /mcp", s.post)
	mux.HandleFunc("GET /mcp", s.welcome)
	mux.HandleFunc("DELETE /mcp", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) })
	mux.HandleFunc("GET /mcp/server-card", s.card)
}

// message is a JSON-RPC request or notification.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params,omitempty"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Codes of JSON-RPC.
const (
	parseError     = -32700
	invalidRequest = -32600
	unknownMethod  = -32601
	invalidParams  = -32602
)

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("login") && r.Header.Get("Authorization") == "" {
		w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+answer.Base(r)+`/.well-known/oauth-protected-resource/mcp"`)
		answer.JSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token", "error_description": "log in first"})
		return
	}
	if accept := r.Header.Get("Accept"); accept != "" && !strings.Contains(accept, "application/json") && !strings.Contains(accept, "*/*") {
		reply(w, http.StatusNotAcceptable, nil, nil, &rpcError{invalidRequest, "Not Acceptable: Client must accept both application/json and text/event-stream"})
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var m message
	if err != nil || json.Unmarshal(raw, &m) != nil {
		reply(w, http.StatusBadRequest, nil, nil, &rpcError{parseError, "Parse error"})
		return
	}
	if m.Version != "2.0" || m.Method == "" {
		reply(w, http.StatusBadRequest, m.ID, nil, &rpcError{invalidRequest, "Invalid Request"})
		return
	}
	if len(m.ID) == 0 || string(m.ID) == "null" { // a notification has no answer
		w.WriteHeader(http.StatusAccepted)
		return
	}
	result, fault := s.handle(r.Context(), m)
	reply(w, http.StatusOK, m.ID, result, fault)
}

func reply(w http.ResponseWriter, status int, id json.RawMessage, result any, fault *rpcError) {
	if id == nil {
		id = json.RawMessage("null")
	}
	out := map[string]any{"jsonrpc": "2.0", "id": id}
	if fault != nil {
		out["error"] = fault
	} else {
		out["result"] = result
	}
	answer.JSON(w, status, out)
}

func (s *Server) handle(ctx context.Context, m message) (any, *rpcError) {
	switch m.Method {
	case "initialize":
		return initialize(m.Params), nil
	case "ping":
		return map[string]any{}, nil
	case "tools/list":
		return map[string]any{"tools": s.list()}, nil
	case "tools/call":
		return s.call(ctx, m.Params)
	case "prompts/list":
		return map[string]any{"prompts": []any{}}, nil
	case "resources/list":
		return map[string]any{"resources": []any{}}, nil
	}
	return nil, &rpcError{unknownMethod, "Method not found: " + m.Method}
}

func initialize(raw json.RawMessage) map[string]any {
	var params struct {
		Version string `json:"protocolVersion"`
	}
	_ = json.Unmarshal(raw, &params) // without a version the newest is offered
	version := versions[0]
	if slices.Contains(versions, params.Version) {
		version = params.Version
	}
	return map[string]any{
		"protocolVersion": version, "capabilities": map[string]any{"tools": map[string]any{}},
		"serverInfo":   map[string]any{"name": "hubsim-mcp", "title": "Simulated Hugging Face Hub", "version": "1.0.0"},
		"instructions": "Tools of a simulated Hub: what they tell is invented.",
	}
}

func (s *Server) list() []map[string]any {
	list := []map[string]any{}
	for _, t := range s.tools {
		list = append(list, map[string]any{
			"name": t.Name, "title": t.Title, "description": t.Description, "inputSchema": t.Schema,
			"annotations": map[string]any{"title": t.Title, "readOnlyHint": true, "destructiveHint": false, "openWorldHint": false},
		})
	}
	return list
}

func (s *Server) call(ctx context.Context, raw json.RawMessage) (any, *rpcError) {
	var params struct {
		Name      string         `json:"name"`
		Arguments map[string]any `json:"arguments"`
	}
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, &rpcError{invalidParams, "Invalid params: " + err.Error()}
	}
	i := slices.IndexFunc(s.tools, func(t Tool) bool { return t.Name == params.Name })
	if i < 0 {
		return nil, &rpcError{invalidParams, "Unknown tool: " + params.Name}
	}
	text, err := s.tools[i].Call(ctx, params.Arguments)
	if err != nil {
		text = err.Error()
	}
	return map[string]any{"content": []any{map[string]any{"type": "text", "text": text}}, "isError": err != nil}, nil
}

func (s *Server) welcome(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprint(w, "<!doctype html><html><head><title>MCP server</title></head><body><h1>The simulated Hub's MCP server</h1><p>Clients POST JSON-RPC to this address.</p></body></html>\n")
}

func (s *Server) card(w http.ResponseWriter, r *http.Request) {
	answer.JSON(w, http.StatusOK, map[string]any{
		"name": "hubsim-mcp", "version": "1.0.0", "protocolVersions": versions,
		"transport": map[string]any{"type": "streamable-http", "url": answer.Base(r) + "/mcp"}, "tools": s.list(),
	})
}
