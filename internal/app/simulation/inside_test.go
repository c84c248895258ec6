package simulation

import (
	"context"
	"net"
	"testing"
)

// Where this machine does not even reach itself, the simulated Hub is reached
// inside the process, and nothing else is.
func TestGuardReachesTheHubWithoutANetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	l.Close()
	var asked []string
	g := &Guard{inside: func(_ context.Context, address string) (net.Conn, error) {
		asked = append(asked, address)
		if address != dead {
			return nil, net.ErrClosed
		}
		client, server := net.Pipe()
		t.Cleanup(func() { server.Close() })
		return client, nil
	}}
	conn, err := g.Dial(t.Context(), "tcp", dead)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	_, port, _ := net.SplitHostPort(dead)
	for _, address := range []string{"localhost:" + port, "192.0.2.1:80"} {
		if _, err := g.Dial(t.Context(), "tcp", address); err == nil {
			t.Errorf("%s was reached", address)
		}
	}
	if len(asked) != 2 {
		t.Errorf("asked for %q", asked)
	}
}
