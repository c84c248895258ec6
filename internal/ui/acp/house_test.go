package acp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/acp"
	"github.com/ml-intern/ml-intern/internal/ui/acp/front"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol/protocoltest"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a session whose events the test writes.
type stage struct {
	mu          sync.Mutex
	changed     *sync.Cond
	info        attach.Info
	chapters    [][]event.Event
	over        bool
	err         error
	ops         []event.Submission
	interrupted int
	left        string // how it was left
	seen        int64
	watched     bool
	done        chan struct{}
	// on answers an operation; it is called without the lock.
	on func(s *stage, sub event.Submission)
}

func newStage(id string) *stage {
	s := &stage{done: make(chan struct{}), chapters: make([][]event.Event, 1), info: attach.Info{
		SessionID: id, Cwd: "/work", Settings: event.Settings{Model: "m", Effort: "high", ApprovalMode: "ask", ToolRuntime: "local", Cwd: "/work", Window: 1000},
	}}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// tell writes events; one that begins a turn names it.
func (s *stage) tell(turn string, ps ...event.Payload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := len(s.chapters) - 1
	for _, p := range ps {
		ev, err := event.New(s.info.SessionID, turn, time.Unix(1000, 0), p)
		if err != nil {
			panic(err)
		}
		ev.Seq = int64(len(s.chapters[at]) + 1)
		s.chapters[at] = append(s.chapters[at], ev)
	}
	s.changed.Broadcast()
}

// opened is what was told so far when the session is opened.
func (s *stage) opened() *stage {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info.LastSeq = int64(len(s.chapters[0]))
	return s
}

// turnTo begins another chapter.
func (s *stage) turnTo(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chapters = append(s.chapters, nil)
	s.info.SessionID, s.info.Chapter, s.info.LastSeq = id, s.info.Chapter+1, 0
	s.changed.Broadcast()
}

// fail ends the session by itself.
func (s *stage) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over, s.err = true, err
	close(s.done)
	s.changed.Broadcast()
}

func (s *stage) Submit(_ context.Context, sub event.Submission) error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return errTest
	}
	s.ops = append(s.ops, sub)
	on := s.on
	s.changed.Broadcast()
	s.mu.Unlock()
	if on != nil {
		on(s, sub)
	}
	return nil
}

func (s *stage) Interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupted++
	s.changed.Broadcast()
}

func (s *stage) Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
	s.mu.Lock()
	chapter := s.info.Chapter
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { s.mu.Lock(); defer s.mu.Unlock(); s.changed.Broadcast() })
	return func(yield func(event.Event, error) bool) {
		defer stop()
		for {
			s.mu.Lock()
			for int64(len(s.chapters[chapter])) <= after && !s.over && ctx.Err() == nil && len(s.chapters) == chapter+1 {
				s.changed.Wait()
			}
			var ev event.Event
			more := int64(len(s.chapters[chapter])) > after
			if more {
				ev = s.chapters[chapter][after]
			}
			s.mu.Unlock()
			switch {
			case ctx.Err() != nil:
				yield(event.Event{}, ctx.Err())
				return
			case !more:
				return
			}
			if after++; !yield(ev, nil) {
				return
			}
		}
	}
}

func (s *stage) Err() error { s.mu.Lock(); defer s.mu.Unlock(); return s.err }

func (s *stage) Info() attach.Info { s.mu.Lock(); defer s.mu.Unlock(); return s.info }

func (s *stage) Done() <-chan struct{} { return s.done }

func (s *stage) Seen(_ int, seq int64, watched bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.watched = seq, watched
	s.changed.Broadcast()
}

func (s *stage) leave(how string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == "" {
		s.left = how
	}
	s.over = true
	s.changed.Broadcast()
	return nil
}

func (s *stage) Detach() error              { return s.leave("detached") }
func (s *stage) Quit(context.Context) error { return s.leave("quit") }
func (s *stage) Close() error               { return s.leave("closed") }

func (s *stage) how() string { s.mu.Lock(); defer s.mu.Unlock(); return s.left }

// until waits for a condition of the stage.
func (s *stage) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.AfterFunc(10*time.Second, func() { s.mu.Lock(); defer s.mu.Unlock(); s.over = true; s.changed.Broadcast() })
	defer late.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !holds() {
		if s.over && !late.Stop() {
			t.Fatalf("%s did not come; operations: %+v", what, s.ops)
		}
		s.changed.Wait()
	}
}

// operations waits for so many operations of a kind and returns them.
func operations[O event.Operation](t *testing.T, s *stage, n int) []O {
	t.Helper()
	var got []O
	s.until(t, fmt.Sprintf("%d operations", n), func() bool {
		got = nil
		for _, sub := range s.ops {
			if op, ok := sub.Operation.(O); ok {
				got = append(got, op)
			}
		}
		return len(got) >= n
	})
	return got
}

// house opens the stages in turn.
type house struct {
	mu       sync.Mutex
	stages   []*stage
	requests []acp.Request
	change   func(*acp.Opened)
	saved    []protocol.SessionInfo
	deleted  []string
	closed   int
	err      error
}

func (h *house) Open(_ context.Context, r acp.Request) (*acp.Opened, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, r)
	if h.err != nil {
		return nil, h.err
	}
	if len(h.stages) == 0 {
		return nil, wire.Errorf(protocol.NotFound, "no such session")
	}
	s := h.stages[0]
	h.stages = h.stages[1:]
	o := &acp.Opened{
		Session: s, Modes: []protocol.Mode{{ID: "ask", Name: "Ask"}, {ID: "yolo", Name: "Yolo"}},
		Models: []protocol.Choice{{Value: "m", Name: "m"}, {Value: "n", Name: "n"}}, Efforts: []protocol.Choice{{Value: "high", Name: "high"}},
		Done: func() { h.mu.Lock(); defer h.mu.Unlock(); h.closed++ },
	}
	if h.change != nil {
		h.change(o)
	}
	return o, nil
}

func (h *house) List(_ context.Context, dir string) ([]protocol.SessionInfo, error) {
	var all []protocol.SessionInfo
	for _, s := range h.saved {
		if dir == "" || s.Cwd == dir {
			all = append(all, s)
		}
	}
	return all, nil
}

func (h *house) Delete(_ context.Context, id string) error {
	h.deleted = append(h.deleted, id)
	return nil
}
func (h *house) Ready(context.Context) error  { return h.err }
func (h *house) Logout(context.Context) error { return nil }

// editor is the other side of the connection. Every frame is held against the
// official schema.
type editor struct {
	t     *testing.T
	watch protocoltest.Watch
	in    *io.PipeWriter
	ended chan error
	host  *house
	lax   bool // what it sends need not fit

	mu      sync.Mutex
	changed *sync.Cond
	frames  []frame
	gone    bool
	lastID  int
}

// frame is one of the agent's.
type frame struct {
	ID     json.RawMessage
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *wire.Error
}

func connect(t *testing.T, h *house) *editor {
	fromUs, toThem := io.Pipe()
	fromThem, toUs := io.Pipe()
	e := &editor{t: t, in: toUs, ended: make(chan error, 1), host: h}
	e.changed = sync.NewCond(&e.mu)
	go func() {
		e.ended <- acp.Serve(context.Background(), fromThem, toThem, acp.Options{
			Host: h, Desk: front.Desk{Version: "1.2.3", Login: []string{"--login"}, HowToLogIn: "Do this."},
		})
		_ = toThem.Close()
	}()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		e.hear(fromUs)
	}()
	t.Cleanup(func() {
		_ = toUs.Close()
		select {
		case <-e.ended:
		case <-time.After(10 * time.Second):
			t.Error("the server does not end")
		}
		<-heard
	})
	return e
}

func (e *editor) hear(r io.Reader) {
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			e.mu.Lock()
			e.gone = true
			e.changed.Broadcast()
			e.mu.Unlock()
			return
		}
		var f frame
		if err := json.Unmarshal(line, &f); err != nil {
			e.t.Errorf("%s: %v", line, err)
		}
		if err := e.watch.FromAgent(line); err != nil {
			e.t.Errorf("%.1000s\n%v", line, err)
		}
		e.mu.Lock()
		e.frames = append(e.frames, f)
		e.changed.Broadcast()
		e.mu.Unlock()
	}
}

func (e *editor) say(raw string) {
	e.t.Helper()
	if err := e.watch.FromClient([]byte(raw)); err != nil && !e.lax {
		e.t.Errorf("the test itself says what is no frame: %s: %v", raw, err)
	}
	if _, err := io.WriteString(e.in, raw+"\n"); err != nil {
		e.t.Fatal(err)
	}
}

func encode(v any) string {
	raw, err := event.Encode(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// call asks without waiting and returns the id.
func (e *editor) call(method string, params any) string {
	e.t.Helper()
	e.lastID++
	id := fmt.Sprint(e.lastID)
	e.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, encode(params)))
	return id
}

// until waits for a frame.
func (e *editor) until(what string, fits func(frame) bool) frame {
	e.t.Helper()
	late := time.AfterFunc(10*time.Second, func() { e.mu.Lock(); defer e.mu.Unlock(); e.gone = true; e.changed.Broadcast() })
	defer late.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for at := 0; ; at++ {
		for at >= len(e.frames) && !e.gone {
			e.changed.Wait()
		}
		if at >= len(e.frames) {
			e.t.Fatalf("%s did not come, but %s", what, encode(e.frames))
		}
		if fits(e.frames[at]) {
			return e.frames[at]
		}
	}
}

// answer waits for the answer to a call.
func (e *editor) answer(id string) frame {
	e.t.Helper()
	return e.until("the answer to "+id, func(f frame) bool { return f.Method == "" && string(f.ID) == id })
}

// ask calls and waits.
func (e *editor) ask(method string, params any) frame {
	e.t.Helper()
	return e.answer(e.call(method, params))
}

type m = map[string]any

func (e *editor) begin(capabilities m) {
	e.t.Helper()
	if capabilities == nil {
		capabilities = m{}
	}
	if f := e.ask("initialize", m{"protocolVersion": 1, "clientCapabilities": capabilities}); f.Error != nil {
		e.t.Fatal(f.Error)
	}
}

// open begins a session and returns its id.
func (e *editor) open() string {
	e.t.Helper()
	f := e.ask("session/new", m{"cwd": e.t.TempDir(), "mcpServers": []any{}})
	if f.Error != nil {
		e.t.Fatal(f.Error)
	}
	var r protocol.OpenResponse
	_ = json.Unmarshal(f.Result, &r)
	return r.SessionID
}

func (e *editor) prompt(id string, text string) string {
	e.t.Helper()
	return e.call("session/prompt", m{"sessionId": id, "prompt": []any{m{"type": "text", "text": text}}})
}

// stopped waits for the end of a prompt and returns why it ended.
func (e *editor) stopped(id string) string {
	e.t.Helper()
	f := e.answer(id)
	if f.Error != nil {
		return "error: " + f.Error.Message
	}
	var r protocol.PromptResponse
	_ = json.Unmarshal(f.Result, &r)
	return r.StopReason
}

// update is one thing that was told.
type update struct {
	SessionUpdate string
	Content       json.RawMessage
	Raw           json.RawMessage `json:"-"`
}

// updates are what was told so far, of a kind.
func (e *editor) updates(kind string) []update {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []update
	for _, f := range e.frames {
		var in struct {
			Update json.RawMessage
		}
		if f.Method != "session/update" || json.Unmarshal(f.Params, &in) != nil {
			continue
		}
		u := update{Raw: in.Update}
		if json.Unmarshal(in.Update, &u) == nil && u.SessionUpdate == kind {
			all = append(all, u)
		}
	}
	return all
}

// words is the text of what was told of a kind.
func (e *editor) words(kind string) string {
	var b strings.Builder
	for _, u := range e.updates(kind) {
		var c struct{ Text string }
		_ = json.Unmarshal(u.Content, &c)
		b.WriteString(c.Text)
	}
	return b.String()
}

// asked waits for the n-th question, from 1.
func (e *editor) asked(n int) (frame, protocol.PermissionRequest) {
	e.t.Helper()
	f := e.until(fmt.Sprintf("question %d", n), func(f frame) bool {
		if f.Method == "session/request_permission" {
			n--
		}
		return n == 0
	})
	var r protocol.PermissionRequest
	if err := json.Unmarshal(f.Params, &r); err != nil {
		e.t.Fatal(err)
	}
	return f, r
}

func (e *editor) choose(f frame, option string) {
	e.t.Helper()
	e.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"outcome":{"outcome":"selected","optionId":%q}}}`, f.ID, option))
}

var errTest = errors.New("it broke")

// scripted answers texts with a turn that says them back.
func scripted(s *stage, sub event.Submission) {
	switch op := sub.Operation.(type) {
	case event.UserInput:
		reply := "you said " + op.Text
		s.tell("", event.InputAccepted{SubmissionID: sub.ID, Text: op.Text, Shown: op.Shown})
		s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: sub.ID}, event.AssistantChunk{Content: reply}, event.StreamEnd{},
			event.TurnComplete{FinalResponse: &reply, StopReason: "answer"})
	case event.Configure:
		set := s.Info().Settings
		if op.ApprovalMode != nil {
			if *op.ApprovalMode == "nonsense" {
				s.tell("", event.Error{Error: "there is no such mode", Code: "internal"})
				return
			}
			set.ApprovalMode = *op.ApprovalMode
		}
		if op.Model != nil {
			set.Model = *op.Model
		}
		s.mu.Lock()
		s.info.Settings = set
		s.mu.Unlock()
		s.tell("", set)
	}
}
