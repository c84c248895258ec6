package server_test

import (
	"context"
	"os"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
)

// self are the options of a server that is this test binary.
func self(t *testing.T, name string, env ...string) server.Options {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return server.Options{Argv: []string{path}, Dir: t.TempDir(), Env: append([]string{"TEST_MCP_PROGRAM=" + name, "PATH=" + os.Getenv("PATH")}, env...)}
}

// program is a server on standard streams.
func program(name string) int {
	switch name {
	case "notebook":
		if err := notebook().Run(context.Background(), &mcp.StdioTransport{}); err != nil {
			return 1
		}
	}
	return 0
}
