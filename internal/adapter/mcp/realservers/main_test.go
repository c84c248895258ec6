// Package realservers proves the client of MCP servers by what others have written:
// the official conformance suite judges it, and official servers are driven end to
// end. There is nothing in it but tests.
package realservers_test

import (
	"os"
	"testing"
)

// The suite starts this binary as the client that it judges, with the address of its
// server as the last argument.
func TestMain(m *testing.M) {
	if os.Getenv("MCP_CONFORMANCE_SCENARIO") != "" {
		os.Exit(client(os.Args[len(os.Args)-1]))
	}
	os.Exit(m.Run())
}
