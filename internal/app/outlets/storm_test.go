package outlets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/app/outlets"
	"github.com/ml-intern/ml-intern/internal/app/traces"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
	"github.com/ml-intern/ml-intern/internal/sink/sessionlog"
)

// network is hosts in this process, by address: pipes instead of sockets, so that
// fake time goes on while they are waited for.
type network struct {
	mu    sync.Mutex
	hosts map[string]chan net.Conn
	wait  sync.WaitGroup
	ends  []func()
}

// doors is a listener of pipes.
type doors struct {
	address string
	in      chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (d *doors) Accept() (net.Conn, error) {
	select {
	case c := <-d.in:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *doors) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}
func (d *doors) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (n *network) serve(address string, h http.Handler) {
	d := &doors{address: address, in: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[address] = d.in
	n.wait.Go(func() { _ = server.Serve(d) })
	n.ends = append(n.ends, func() { _ = server.Close() })
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	in := n.hosts[address]
	n.mu.Unlock()
	if in == nil {
		return nil, fmt.Errorf("nobody listens at %s", address)
	}
	client, server := net.Pipe()
	select {
	case in <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) close() {
	for _, end := range n.ends {
		end()
	}
	n.wait.Wait()
	time.Sleep(time.Second) // connections that were cut end a moment later
}

// moody answers every third request with a fault of some kind, at random.
type moody struct {
	mu   sync.Mutex
	dice *rand.Rand
	next http.Handler
	bad  int
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	fault := m.dice.IntN(9)
	if fault < 3 {
		m.bad++
	}
	m.mu.Unlock()
	switch fault {
	case 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	case 1:
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusTooManyRequests)
	case 2:
		panic(http.ErrAbortHandler)
	default:
		m.next.ServeHTTP(w, r)
	}
}

// inbox is a receiver of messages: it keeps which answer each is about.
type inbox struct {
	mu    sync.Mutex
	about []string
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	_, rest, _ := strings.Cut(string(raw), "answer ")
	number, _, _ := strings.Cut(rest, " ")
	i.mu.Lock()
	i.about = append(i.about, number)
	i.mu.Unlock()
	_, _ = w.Write([]byte(`{"ok":true,"ts":"1.0"}`))
}

const (
	stormTurns = 625
	stormEvery = 16 // events a turn
)

// stormTurn is one turn: sixteen events, among them two model calls and a tool.
func stormTurn(i int) []event.Payload {
	id, call, cost := fmt.Sprintf("turn_%d", i), fmt.Sprintf("call_%d", i), 0.001
	answer := fmt.Sprintf("answer %d of the model, with some words behind it", i)
	spent := event.LLMCall{Model: "test/model", Provider: "hf-router", Kind: llm.KindMain, LatencyMS: 900, Prompt: 100, Completion: 20, CostUSD: &cost}
	return []event.Payload{
		event.InputAccepted{SubmissionID: id, Text: fmt.Sprintf("question %d", i)},
		event.TurnStarted{TurnID: id, Attempt: 1, Model: "test/model"},
		event.HistoryMessage{MessageID: fmt.Sprintf("msg_%da", i), Message: llm.Message{Role: llm.User, Text: fmt.Sprintf("question %d", i)}},
		event.Processing{},
		event.AssistantChunk{Content: "I "},
		event.AssistantChunk{Content: "look."},
		spent,
		event.HistoryMessage{MessageID: fmt.Sprintf("msg_%db", i), Message: llm.Message{Role: llm.Assistant, Text: "I look.", ToolCalls: []llm.ToolCall{{ID: call, Name: "bash", Arguments: `{"command":"ls"}`}}}},
		event.ToolCall{Tool: "bash", ToolCallID: call, Arguments: json.RawMessage(`{"command":"ls"}`)},
		event.ToolStarted{Tool: "bash", ToolCallID: call, Effect: event.Once},
		event.ToolLog{Tool: "bash", ToolCallID: call, Log: "a line"},
		event.ToolOutput{Tool: "bash", ToolCallID: call, Output: strings.Repeat("data.csv train.py\n", 20), Success: true},
		spent,
		event.HistoryMessage{MessageID: fmt.Sprintf("msg_%dc", i), Message: llm.Message{Role: llm.Assistant, Text: answer}},
		event.AssistantMessage{Content: answer},
		event.TurnComplete{FinalResponse: &answer, StopReason: "answer"},
	}
}

// Ten thousand events through all sinks at once, each of whose endpoints fails a
// third of the time: each delivers exactly what it is there for, once and in
// order, in bounded memory, and nobody who writes waits for them.
func TestStorm(t *testing.T) {
	synctest.Test(t, storm)
}

func storm(t *testing.T) {
	net := &network{hosts: map[string]chan net.Conn{}}
	sim := hubsimtest.New(t, hubsim.Options{Seed: "acme", StateDir: t.TempDir()})
	otel, slack, hook, ntfy := &collector{}, &inbox{}, &inbox{}, &inbox{}
	var moods []*moody
	for address, h := range map[string]http.Handler{
		"127.0.0.1:7001": sim.Handler(), "127.0.0.1:7002": otel, "127.0.0.1:7003": slack, "127.0.0.1:7004": hook, "127.0.0.1:7005": ntfy,
	} {
		m := &moody{dice: rand.New(rand.NewPCG(1, uint64(address[13]))), next: h}
		moods = append(moods, m)
		net.serve(address, m)
	}
	defer net.close()

	home := t.TempDir()
	settings := `{"messaging":{"enabled":true,"auto_event_types":["turn_complete"],"destinations":{
		"slack":{"provider":"slack","token":"xoxb-0123456789-abcdef","channel":"C1","allow_auto_events":true},
		"hook":{"provider":"webhook","url":"http://127.0.0.1:7004/x","secret":"0123456789abcdef","allow_auto_events":true},
		"ntfy":{"provider":"ntfy","url":"http://127.0.0.1:7005/topic","allow_auto_events":true}}},"notify_min_seconds":0,"auto_save_interval":200,"heartbeat_interval_s":0}`
	file := filepath.Join(home, "settings.json")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(t.Context(), config.Options{Dir: home, Environ: []string{
		"HOME=" + home, "ML_INTERN_HOME=" + filepath.Join(home, "mi"), "ML_INTERN_CLI_CONFIG=" + file,
		"HF_ENDPOINT=http://127.0.0.1:7001", "HF_TOKEN=hf_bob_write",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:7002", "ML_INTERN_SLACK_API_URL=http://127.0.0.1:7003",
	}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := httpx.New(httpx.Options{Dial: net.dial})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	kept, err := store.New(store.Options{Root: loaded.Places.Sessions()})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	scrubber := redact.New(redact.Options{})
	log := slog.New(slog.DiscardHandler)
	o := outlets.Options{
		Loaded: loaded, Version: "1.2.3", HTTP: client, Store: kept, Kept: true, Log: log, Warn: func(line string) { t.Log(line) },
		Scrubber: func() *redact.Scrubber { return scrubber }, User: func() string { return "bob" },
		Token: func(context.Context) string { return "hf_bob_write" },
		About: func() document.About { return document.About{} },
	}
	o.Traces = func() (*traces.Desk, error) {
		return traces.Open(traces.Options{
			Loaded: loaded, HTTP: client, Token: o.Token, User: o.User, Scrubber: o.Scrubber, Source: kept, Log: log,
		})
	}

	j, err := journal.Open(t.Context(), journal.Options{Store: kept, SessionID: session})
	if err != nil {
		t.Fatal(err)
	}
	file2, err := sessionlog.New(sessionlog.Options{Dir: filepath.Join(home, "logs"), SessionID: session, Interval: time.Minute, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	c := &live.Chapter{ID: session, Journal: j}
	followers := append(outlets.Followers(o), func(ctx context.Context, c *live.Chapter) error { return file2.Run(ctx, c.Journal.Follow) })
	if len(followers) < 4 {
		t.Fatalf("%d followers", len(followers))
	}
	var wait sync.WaitGroup
	for _, f := range followers {
		wait.Go(func() {
			if err := f(context.WithoutCancel(t.Context()), c); err != nil {
				t.Error(err)
			}
		})
	}

	before := heap()
	var most uint64
	written := 0
	for i := 1; i <= stormTurns; i++ {
		for k, p := range stormTurn(i) {
			turn := fmt.Sprintf("turn_%d", i)
			if k == 0 {
				turn = ""
			}
			begun := time.Now()
			if _, err := j.Append(t.Context(), turn, p); err != nil {
				t.Fatal(err)
			}
			// Fake time goes on only where somebody waits for a sink.
			if waited := time.Since(begun); waited > 0 {
				t.Fatalf("event %d had to wait for %s", written, waited)
			}
			written++
			time.Sleep(250 * time.Millisecond)
		}
		if i%100 == 0 {
			most = max(most, heap())
		}
	}
	if written != stormTurns*stormEvery {
		t.Fatalf("%d events", written)
	}
	time.Sleep(10 * time.Minute) // the last are delivered
	j.Close()
	wait.Wait()

	if grown := int64(most) - int64(before); grown > 20<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
	var want []string
	for i := range stormTurns {
		want = append(want, fmt.Sprint(i+1))
	}
	for name, got := range map[string]*inbox{"slack": slack, "webhook": hook, "ntfy": ntfy} {
		if !slices.Equal(got.about, want) {
			t.Errorf("%s got %d messages: %.400q", name, len(got.about), got.about)
		}
	}
	spans := slices.Repeat([]string{"chat test/model", "execute_tool bash", "chat test/model", "invoke_agent ml-intern"}, stormTurns)
	if !slices.Equal(otel.spans, spans) {
		t.Errorf("%d spans of %d", len(otel.spans), len(spans))
	}
	rows := uploaded(t, client, session)
	last := fmt.Sprintf("answer %d of the model", stormTurns)
	if users := bytes.Count(rows, []byte(`"content":"question `)); users != stormTurns || !bytes.Contains(rows, []byte(last)) {
		t.Errorf("the uploaded session has %d questions", users)
	}
	saved, err := os.ReadFile(file2.Path())
	if err != nil || !bytes.Contains(saved, []byte(last)) {
		t.Errorf("the session's file ends elsewhere: %v", err)
	}
	for _, m := range moods {
		if m.bad == 0 {
			t.Error("an endpoint never failed")
		}
	}
}

// uploaded is the session's file in the user's data set.
func uploaded(t *testing.T, client *http.Client, id string) []byte {
	t.Helper()
	day := time.Now().UTC()
	for range 3 { // of the day on which the session began
		path := fmt.Sprintf("http://127.0.0.1:7001/datasets/bob/ml-intern-sessions/resolve/main/sessions/%s/%s.jsonl", day.Format(time.DateOnly), id)
		for range 20 { // the Hub fails now and then
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer hf_bob_write")
			resp, err := client.Do(req)
			if err != nil {
				continue
			}
			raw, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK {
				return raw
			}
			if resp.StatusCode == http.StatusNotFound {
				break
			}
		}
		day = day.AddDate(0, 0, -1)
	}
	t.Error("the session was not uploaded")
	return nil
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
