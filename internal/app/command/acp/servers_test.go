package acp

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
)

func TestJoined(t *testing.T) {
	configured := map[string]schema.MCPServer{
		"docs": {Transport: "http", URL: "https://docs.example/mcp"}, "files": {Transport: "stdio", Command: "/bin/files", Args: []string{"."}},
	}
	got, err := joined(map[string][]string{"model_name": {"m"}}, []protocol.Server{
		{Type: "http", Name: "the same", URL: "https://docs.example/mcp"},
		{Name: "files", Command: "/bin/files", Args: []string{"."}},
		{Name: "files", Command: "/bin/files", Args: []string{"/"}, Env: []protocol.Named{{Name: "A", Value: "${B}"}}},
		{Type: "sse", Name: "files", URL: "https://e.example/sse", Headers: []protocol.Named{{Name: "X-Key", Value: "v"}}},
		{Name: " ", Command: "/bin/x"},
	}, configured)
	if err != nil {
		t.Fatal(err)
	}
	var servers any
	if err := json.Unmarshal([]byte(got["mcpServers"][0]), &servers); err != nil {
		t.Fatal(err)
	}
	type m = map[string]any
	if diff := cmp.Diff(m{
		"files-2": m{"command": "/bin/files", "args": []any{"/"}, "env": m{"A": "${B}"}},
		"files-3": m{"transport": "sse", "url": "https://e.example/sse", "headers": m{"X-Key": "v"}},
		"editor":  m{"command": "/bin/x", "args": []any{}, "env": m{}},
	}, servers); diff != "" {
		t.Error(diff)
	}
	if got["model_name"][0] != "m" {
		t.Error(got)
	}
	if got, err := joined(nil, nil, configured); err != nil || got != nil {
		t.Error(got, err)
	}
	if _, err := joined(nil, []protocol.Server{{Type: "acp", Name: "x"}}, nil); err == nil {
		t.Error("an unknown type is taken")
	}
}

// A folder that is not trusted is told of once, by the host or beside it.
func TestNotesStandOnce(t *testing.T) {
	got := once([]string{"a", "not trusted"}, []string{"not trusted", "b"})
	if want := []string{"a", "not trusted", "b"}; !slices.Equal(got, want) {
		t.Errorf("notes %q", got)
	}
}
