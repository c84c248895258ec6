package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/link"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
)

// until waits for a state of the server.
func until(t *testing.T, s *server.Server, what string, ok func(server.Status) bool) server.Status {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		st := s.Status()
		if ok(st) {
			return st
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: it is %s: %v", what, st.State, st.Err)
		}
	}
}

// A program that ends says why; what it says is a text.
func TestProgramsThatEnd(t *testing.T) {
	s := start(t, self(t, "ends"))
	st := s.Status()
	if st.State != server.Waiting || st.Err == nil || !strings.Contains(st.Err.Error(), "exit status 3") || !strings.Contains(st.Err.Error(), "the licence") {
		t.Errorf("%s: %v", st.State, st.Err)
	}
	if st := start(t, server.Options{Argv: []string{"no-such-program-here"}, Dir: t.TempDir(), Env: []string{"PATH=/usr/bin:/bin"}}).Status(); st.State != server.Failed || !strings.Contains(st.Err.Error(), "there is no program no-such-program-here on the PATH") {
		t.Errorf("%s: %v", st.State, st.Err)
	}
}

// A program that ends over a question of a newer revision is asked in the older one.
func TestOlderPrograms(t *testing.T) {
	if st := ready(t, start(t, self(t, "refuses"))); st.Protocol != "2024-11-05" || st.Title != "old" {
		t.Errorf("%+v", st)
	}
}

// One that answers nothing is given up in time.
func TestSilence(t *testing.T) {
	o := self(t, "silent")
	o.Connect = 300 * time.Millisecond
	began := time.Now()
	st := start(t, o).Status()
	if took := time.Since(began); st.State != server.Waiting || !strings.Contains(st.Err.Error(), "did not answer within 300ms") || took > 3*time.Second {
		t.Errorf("%s after %s: %v", st.State, took, st.Err)
	}
}

// Lines that are no messages are passed over, and told.
func TestNoise(t *testing.T) {
	o, notes := self(t, "chatty"), &seen{}
	o.Log = notes.log
	s := start(t, o)
	if st := ready(t, s); len(st.Catalog.Tools) != 1 {
		t.Errorf("%+v", st.Catalog)
	}
	if got, err := s.Call(t.Context(), "tool_0", nil, nil); err != nil || got.Text != "fine" {
		t.Errorf("%+v, %v", got, err)
	}
	notes.mu.Lock()
	defer notes.mu.Unlock()
	for _, line := range []string{"Starting up…", "{not json}", "a line about tools/call"} {
		if !slices.Contains(notes.logged, line) {
			t.Errorf("%q was not told: %q", line, notes.logged)
		}
	}
}

// What an answer may hold is bounded, and so is the message it comes in.
func TestHugeAnswers(t *testing.T) {
	s := start(t, self(t, "huge", "SIZE=3000000"))
	ready(t, s)
	got, err := s.Call(t.Context(), "tool_0", nil, nil)
	if err != nil || len(got.Text) > catalog.MaxAnswer+100 || !strings.HasSuffix(got.Text, "more bytes are left out]") {
		t.Errorf("%d bytes, %v", len(got.Text), err)
	}
	s = start(t, self(t, "huge", "SIZE="+strconv.Itoa(link.MaxMessage+1)))
	ready(t, s)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := s.Call(t.Context(), "tool_0", nil, nil); !errors.Is(err, link.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 40<<20 {
		t.Errorf("%d MB were used", grown>>20)
	}
	until(t, s, "it is there again", func(st server.Status) bool { return st.State == server.Ready })
}

// However many tools there are, so many are taken, and it is said.
func TestManyTools(t *testing.T) {
	st := ready(t, start(t, self(t, "many")))
	if len(st.Catalog.Tools) != catalog.MaxTools || len(st.Catalog.Notes) != 1 || !strings.Contains(st.Catalog.Notes[0], "more than 200 tools") {
		t.Errorf("%d tools, %q", len(st.Catalog.Tools), st.Catalog.Notes)
	}
	o := self(t, "many")
	o.Only = []string{"tool_3"}
	if st := ready(t, start(t, o)); len(st.Catalog.Tools) != 1 || len(st.Catalog.Notes) != 0 {
		t.Errorf("%d tools, %q", len(st.Catalog.Tools), st.Catalog.Notes)
	}
	if st := start(t, self(t, "all")).Status(); st.State != server.Failed || !errors.Is(st.Err, link.ErrTooLarge) {
		t.Errorf("%s: %v", st.State, st.Err)
	}
	if st := ready(t, start(t, self(t, "pages"))); len(st.Catalog.Tools) != 0 {
		t.Errorf("%+v", st.Catalog)
	}
}

// A stream that never ends does not keep a call for ever, and costs no memory.
func TestEndlessStream(t *testing.T) {
	o, notes := self(t, "stream"), &seen{}
	o.Silence, o.Log = time.Second, notes.log
	s := start(t, o)
	ready(t, s)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	_, err := s.Call(t.Context(), "tool_0", nil, nil)
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "did not answer for 1s") || took > 5*time.Second {
		t.Errorf("%v after %s", err, took)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("%d MB are held", grown>>20)
	}
	notes.mu.Lock()
	defer notes.mu.Unlock()
	if n := len(notes.logged); n < 100 || n > 2000+10 || !slices.Contains(notes.logged, "it says more than is kept") {
		t.Errorf("%d lines are kept", n)
	}
}

// A list that is another all the time is not looked at all the time.
func TestRestlessLists(t *testing.T) {
	s := start(t, self(t, "restless"))
	first := ready(t, s).Edition
	for range 3 {
		if _, err := s.Call(t.Context(), "tool_1", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	st := until(t, s, "the change is seen", func(st server.Status) bool { return st.Edition > first })
	if st.Edition > first+2 || st.Catalog.Tools[0].Name == "tool_1" {
		t.Errorf("edition %d after %d: %+v", st.Edition, first, st.Catalog.Tools)
	}
}

// A call to a program that reads nothing ends when it is given up.
func TestDeafness(t *testing.T) {
	s := start(t, self(t, "deaf"))
	ready(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	args, err := json.Marshal(map[string]string{"text": strings.Repeat("x", 1<<20)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Call(ctx, "tool_0", args, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// A program that dies in a call is started again; the call itself is not repeated.
func TestLoss(t *testing.T) {
	s := start(t, self(t, "mortal", "MARK="+t.TempDir()))
	ready(t, s)
	if _, err := s.Call(t.Context(), "tool_0", nil, nil); err == nil || !strings.Contains(err.Error(), "the server has ended") {
		t.Errorf("got %v", err)
	}
	// The next one does not wait for the pause.
	began := time.Now()
	if got, err := s.Call(t.Context(), "tool_0", nil, nil); err != nil || got.Text != "alive again" || time.Since(began) > 3*time.Second {
		t.Errorf("%+v, %v after %s", got, err, time.Since(began))
	}
}

// What a server asks of this program is answered, and nothing of it is done.
func TestWhatServersAsk(t *testing.T) {
	o := self(t, "asks")
	s := start(t, o)
	ready(t, s)
	got, err := s.Call(t.Context(), "tool_0", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got.Text, "\n")
	slices.Sort(lines)
	want := []string{`"w0" refused`, `"w1" refused`, `"w2" {"roots":[]}`, `"w3" {}`}
	if !slices.Equal(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
	o = self(t, "asks")
	o.Roots = []string{"/srv/my work"}
	s = start(t, o)
	ready(t, s)
	if got, err := s.Call(t.Context(), "tool_0", nil, nil); err != nil || !strings.Contains(got.Text, `"uri":"file:///srv/my%20work"`) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Nothing of a program is left, whatever it does.
func TestNothingIsLeft(t *testing.T) {
	for _, name := range []string{"parent", "stubborn"} {
		t.Run(name, func(t *testing.T) {
			o, notes := self(t, name), &seen{}
			o.Log = notes.log
			s := start(t, o)
			ready(t, s)
			pid := 0
			until(t, s, "it says who it is", func(server.Status) bool {
				notes.mu.Lock()
				defer notes.mu.Unlock()
				for _, line := range notes.logged {
					if m := regexp.MustCompile(`^child (\d+)$`).FindStringSubmatch(line); m != nil {
						pid, _ = strconv.Atoi(m[1])
					}
				}
				return pid > 0
			})
			s.Close()
			// One that nobody has waited for is still named, as a zombie.
			if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(state), ") Z ") {
				t.Errorf("it runs: %s", state)
			}
		})
	}
}

// away is a host that nothing may reach.
func away(t *testing.T) (address string, visits *atomic.Int64) {
	visits = new(atomic.Int64)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits.Add(1)
		fmt.Fprint(w, r.Header)
	}))
	t.Cleanup(elsewhere.Close)
	return elsewhere.URL, visits
}

// A server that sends us elsewhere is refused, and nothing goes there.
func TestElsewhere(t *testing.T) {
	address2, visits := away(t)
	for name, handler := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, address2, http.StatusTemporaryRedirect)
		},
		"endpoint": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "event: endpoint\ndata: %s/messages\n\n", address2)
			w.(http.Flusher).Flush()
			time.Sleep(200 * time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			web := httptest.NewServer(handler)
			t.Cleanup(web.Close)
			st := start(t, server.Options{URL: address(t, web.URL), SSE: name == "endpoint", Header: http.Header{"Authorization": {"Bearer own"}}, Connect: 2 * time.Second}).Status()
			if st.State != server.Failed || !errors.Is(st.Err, link.ErrElsewhere) {
				t.Errorf("%s: %v", st.State, st.Err)
			}
			if visits.Load() > 0 {
				t.Errorf("%d requests went elsewhere", visits.Load())
			}
		})
	}
}

// Within itself a server may move.
func TestMovedWithin(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/mcp/", mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return notebook() }, &mcp.StreamableHTTPOptions{Stateless: true}))
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/mcp/", http.StatusTemporaryRedirect)
	})
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	ready(t, start(t, server.Options{URL: address(t, web.URL+"/mcp")}))
}

// What does not end on the web is bounded as well.
func TestHugeOnTheWeb(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, id json.RawMessage){
		"json": func(w http.ResponseWriter, id json.RawMessage) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id, text(strings.Repeat("x", link.MaxMessage)))
		},
		"event": func(w http.ResponseWriter, id json.RawMessage) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n\n", id, text(strings.Repeat("x", link.MaxMessage)))
		},
		"endless": func(w http.ResponseWriter, _ json.RawMessage) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 200 {
				if _, err := fmt.Fprint(w, ": on and on\n\n"); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		},
		"error": func(w http.ResponseWriter, _ json.RawMessage) {
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, strings.Repeat("x", 2*link.MaxMessage))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			defer wg.Wait()
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				wg.Add(1)
				defer wg.Done()
				var m message
				if r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&m) != nil {
					w.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				switch m.Method {
				case "initialize":
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"w","version":"0"}}}`, m.ID)
				case "tools/list":
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, tools(0, 1, ""))
				case "tools/call":
					answer(w, m.ID)
				case "server/discover":
					w.WriteHeader(http.StatusNotFound)
				default:
					w.WriteHeader(http.StatusAccepted)
				}
			}))
			t.Cleanup(web.Close)
			s := start(t, server.Options{URL: address(t, web.URL), Silence: time.Second})
			ready(t, s)
			began := time.Now()
			if got, err := s.Call(t.Context(), "tool_0", nil, nil); err == nil || time.Since(began) > 3*time.Second {
				t.Errorf("%d bytes after %s", len(got.Text), time.Since(began))
			}
			s.Close()
		})
	}
}

// A server that has forgotten us is asked again over a new connection.
func TestForgotten(t *testing.T) {
	var mu sync.Mutex
	var forget func()
	handler := func() http.Handler {
		return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return notebook() }, nil)
	}
	current := handler()
	forget = func() {
		mu.Lock()
		defer mu.Unlock()
		current = handler()
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := current
		mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	s := start(t, server.Options{URL: address(t, web.URL)})
	ready(t, s)
	forget()
	if got, err := s.Call(t.Context(), "echo", json.RawMessage(`{"text":"again"}`), nil); err != nil || got.Text != "again" {
		t.Errorf("%+v, %v", got, err)
	}
	s.Close()
	web.CloseClientConnections()
}
