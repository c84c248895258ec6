// Package hubsimtest starts simulators for tests and watches over them: a
// request that no route serves fails the test at its end, and so does an answer
// of Close.
package hubsimtest

import (
	"context"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim"
)

// Start starts a simulator that ends with the test.
func Start(t testing.TB, o hubsim.Options) *hubsim.Hub {
	t.Helper()
	h := New(t, o)
	if err := h.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return h
}

// New makes a simulator that does not listen.
func New(t testing.TB, o hubsim.Options) *hubsim.Hub {
	t.Helper()
	h, err := hubsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close the simulator: %v", err)
		}
		Served(t, h)
	})
	return h
}

// Served reports requests that no route served.
func Served(t testing.TB, h *hubsim.Hub) {
	t.Helper()
	for _, request := range h.Unserved() {
		t.Errorf("the simulator has no route for %s", request)
	}
}
