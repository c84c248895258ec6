package hubsim_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim"
)

// A client of the same process reaches both hosts without a network.
func TestInsideNeedsNoNetwork(t *testing.T) {
	h, err := hubsim.New(hubsim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Inside(t.Context(), "127.0.0.1:1"); err == nil {
		t.Error("there is a way before the start")
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) { return h.Inside(ctx, address) },
	}}
	for base, want := range map[string]int{h.URL() + "/api/models": http.StatusOK, h.CDNURL() + "/nothing": http.StatusForbidden} {
		resp, err := client.Get(base)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", base, resp.StatusCode, want)
		}
	}
	address := strings.TrimPrefix(h.URL(), "http://")
	client.CloseIdleConnections()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{address, "127.0.0.1:1"} {
		if conn, err := h.Inside(t.Context(), where); err == nil {
			conn.Close()
			t.Errorf("%s is still there", where)
		}
	}
}
