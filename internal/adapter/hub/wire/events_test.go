package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

func collect(ctx context.Context, c *wire.Conn) (events []wire.Event, err error) {
	for ev, e := range c.Events(ctx, wire.Request{Op: "read the logs", Path: "/api/jobs/acme/1/logs"}) {
		if e != nil {
			return events, e
		}
		events = append(events, ev)
	}
	return events, nil
}

// Acceptance check 25, the wire's half: a data line that is no JSON goes
// through as it is, and a line of 2 MiB is cut and marked.
func TestCheck25_Events(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "text/event-stream" {
			w.WriteHeader(406)
			return
		}
		fmt.Fprint(w, "data: {\"data\":\"a\"}\n\n: keep-alive\n\nevent: metric\ndata: garbage\n\ndata: ")
		io.WriteString(w, strings.Repeat("x", 2<<20))
		fmt.Fprint(w, "\n\n:"+strings.Repeat("c", 2<<20)+"\ndata: last\n\n")
	})
	got, err := collect(t.Context(), connect(t, n))
	if err != nil || len(got) != 4 {
		t.Fatalf("%d events, %v", len(got), err)
	}
	if string(got[0].Data) != `{"data":"a"}` || got[1].Name != "metric" || string(got[1].Data) != "garbage" || got[1].Cut {
		t.Errorf("%q %q", got[0].Data, got[1].Data)
	}
	if n := len(got[2].Data); !got[2].Cut || n < 1<<20-16 || n > 1<<20 {
		t.Errorf("the long line has %d bytes, cut %v", n, got[2].Cut)
	}
	if string(got[3].Data) != "last" || got[3].Cut {
		t.Errorf("after it: %q, cut %v", got[3].Data, got[3].Cut)
	}
}

// Comments are a sign of life; 120 s without any end the stream.
func TestEventsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := hubtest.New(t)
		n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
			flush := w.(http.Flusher).Flush
			w.Header().Set("Content-Type", "text/event-stream")
			flush()
			for range 10 {
				time.Sleep(100 * time.Second)
				fmt.Fprint(w, ": keep-alive\n\n")
				flush()
			}
			fmt.Fprint(w, "data: 1\n\n")
			flush()
			<-r.Context().Done()
		})
		start := time.Now()
		got, err := collect(t.Context(), connect(t, n))
		if len(got) != 1 || !errors.Is(err, wire.Unreachable) || time.Since(start) != 1120*time.Second {
			t.Errorf("%d events, %v after %s", len(got), err, time.Since(start))
		}
		if e := fault(t, err); !e.Retryable {
			t.Error("not said to be worth another try")
		}
	})
}

func TestEventsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := hubtest.New(t)
		n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		got, err := collect(ctx, connect(t, n))
		if len(got) != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d events, %v", len(got), err)
		}
		for range connect(t, n).Events(t.Context(), wire.Request{Op: "x", Path: "/api/x"}) {
			break
		}
	})
}
