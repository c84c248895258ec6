package terminal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// clock is the time on the stage: the machine's, or one that stands still until
// a scene lets time pass.
type clock struct {
	mu    sync.Mutex
	still time.Time // zero for the machine's
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.still.IsZero() {
		return time.Now()
	}
	return c.still
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.still.IsZero() {
		c.still = c.still.Add(d)
	}
}

// stamped gives events the time of the stage.
type stamped struct {
	journal.Store
	clock *clock
}

func (s stamped) Append(ctx context.Context, session string, fence int64, events []event.Event) error {
	for i := range events {
		events[i].Time = s.clock.now()
	}
	return s.Store.Append(ctx, session, fence, events)
}

// host is the other side of a scripted session.
type host struct {
	journal *journal.Journal
	clock   *clock
	mu      sync.Mutex
	turns   int
	stop    chan struct{} // closed by an interrupt
	busy    bool
	gate    bool
	queue   []event.UserInput
	ended   chan struct{}
	over    sync.Once
	past    int64 // events that were there at the start
	wait    sync.WaitGroup
}

func newHost(c *clock) *host {
	j, err := journal.Open(context.Background(), journal.Options{Store: stamped{journal.NewMemory(), c}, SessionID: "3f2b8c1e-5d0a-4c7e-9a61-0d4e8f7b2a95"})
	if err != nil {
		panic(err)
	}
	h := &host{journal: j, clock: c, stop: make(chan struct{}), ended: make(chan struct{})}
	h.tell(event.Ready{Message: "Agent initialized", ToolCount: 3})
	return h
}

// live plays the events of a long session: turns with thoughts, streamed text,
// tools with output, plans.
func (h *host) live(n int) {
	long := strings.Repeat("a line of output that somebody may want to see\n", 40)
	for i := 0; i < n; {
		h.turns++
		h.busy = true
		ps := []event.Payload{
			event.InputAccepted{SubmissionID: fmt.Sprint("s", h.turns), Text: fmt.Sprintf("question %d", h.turns)},
			event.TurnStarted{TurnID: fmt.Sprintf("turn_%d", h.turns), SubmissionID: fmt.Sprint("s", h.turns)},
			event.Processing{},
			event.ReasoningChunk{Content: "let me think about this for a while"},
		}
		for k := range 30 {
			ps = append(ps, event.AssistantChunk{Content: fmt.Sprintf("sentence **%d** of the answer with `code` in it.\n\n", k)})
		}
		ps = append(ps, event.StreamEnd{})
		for k := range 5 {
			id := fmt.Sprintf("call_%d_%d", h.turns, k)
			ps = append(ps, event.ToolCall{Tool: "bash", ToolCallID: id, Arguments: json.RawMessage(`{"command":"python train.py"}`)},
				event.ToolStarted{ToolCallID: id, Tool: "bash", Effect: event.Once}, event.ToolLog{Tool: "bash", ToolCallID: id, Log: "{'loss': 0.5}"},
				event.ToolOutput{ToolCallID: id, Tool: "bash", Output: long, Success: k != 3})
		}
		cost := 0.001
		ps = append(ps, event.LLMCall{Model: "test/model", Kind: llm.KindMain, CostUSD: &cost, Prompt: 1000, Completion: 100, Total: 1100},
			event.TurnComplete{StopReason: "answer"})
		h.tell(ps...)
		i += len(ps)
	}
	h.busy = false
}

func (h *host) tell(ps ...event.Payload) {
	turn := ""
	if h.busy {
		turn = fmt.Sprintf("turn_%d", h.turns)
	}
	_, _ = h.journal.Append(context.Background(), turn, ps...)
}

func (h *host) Err() error { return nil }

func (h *host) Ended() <-chan struct{} { return h.ended }

func (h *host) Info(chapter int) (attach.Info, bool) {
	return attach.Info{SessionID: h.journal.SessionID(), LastSeq: h.past, Settings: event.Settings{Model: "test/model", Effort: "high", ApprovalMode: "ask", ToolRuntime: "local", Window: 100_000}}, chapter <= 0
}

func (h *host) Follow(ctx context.Context, _ int, after int64) iter.Seq2[event.Event, error] {
	return h.journal.Follow(ctx, after)
}

func (h *host) Shutdown(context.Context) error {
	h.Interrupt()
	h.wait.Wait()
	h.tell(event.Shutdown{})
	h.journal.Close()
	h.over.Do(func() { close(h.ended) })
	return nil
}

func (h *host) Interrupt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gate {
		h.gate, h.busy = false, false
		h.tell(event.Interrupted{})
		return
	}
	if h.busy {
		select {
		case <-h.stop:
		default:
			close(h.stop)
		}
	}
}

func (h *host) Submit(_ context.Context, sub event.Submission) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch op := sub.Operation.(type) {
	case event.UserInput:
		h.tell(event.InputAccepted{SubmissionID: sub.ID, Text: op.Text, Shown: op.Shown, Queued: h.busy})
		if h.busy {
			h.queue = append(h.queue, op)
			return nil
		}
		h.begin(sub.ID, op)
	case event.Steer:
		h.tell(event.InputAccepted{SubmissionID: sub.ID, Text: op.Text, Steer: true})
	case event.ExecApproval:
		if !h.gate {
			h.tell(event.Error{Error: "there is no pending approval"})
			return nil
		}
		h.gate = false
		for _, ap := range op.Approvals {
			state := "rejected"
			if ap.Approved {
				state = "approved"
			}
			h.tell(event.ToolStateChange{ToolCallID: ap.ToolCallID, Tool: "bash", State: state, Feedback: ap.Feedback, EditedArguments: ap.EditedArguments})
		}
		text := "answered: "
		for _, ap := range op.Approvals {
			text += fmt.Sprintf("%v %s %s;", ap.Approved, ap.Feedback, ap.EditedArguments)
		}
		h.finish(text)
	case event.Undo:
		h.tell(event.UndoComplete{})
	case event.Configure:
		set := event.Settings{Model: "test/model", Effort: "high", ApprovalMode: "ask", ToolRuntime: "local"}
		if op.ApprovalMode != nil {
			set.ApprovalMode = *op.ApprovalMode
		}
		h.tell(set)
	}
	return nil
}

// begin plays a turn. It is called with the lock.
func (h *host) begin(id string, in event.UserInput) {
	h.turns++
	h.busy, h.stop = true, make(chan struct{})
	stop := h.stop
	h.tell(event.TurnStarted{TurnID: fmt.Sprintf("turn_%d", h.turns), SubmissionID: id, Model: "test/model"}, event.Processing{})
	h.wait.Go(func() { h.play(in.Text, stop) })
}

func (h *host) play(text string, stop <-chan struct{}) {
	if play, ok := scenes()[text]; ok {
		play(h, stop)
		return
	}
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "stream": // stream N: N words
		var n int
		fmt.Sscan(rest, &n)
		for i := range n {
			select {
			case <-stop:
				h.end(event.StreamEnd{}, event.Interrupted{})
				return
			case <-time.After(5 * time.Millisecond):
			}
			h.tell(event.AssistantChunk{Content: fmt.Sprintf("word%d ", i)})
		}
		h.end(event.StreamEnd{}, event.TurnComplete{StopReason: "answer"})
	case "live": // live N: N events of a long session, as they happen
		var n int
		fmt.Sscan(rest, &n)
		h.mu.Lock()
		h.live(n)
		h.finish("that was long")
		h.mu.Unlock()
	case "hang":
		<-stop
		h.end(event.Interrupted{})
	case "gate":
		h.mu.Lock()
		h.gate = true
		h.tell(event.ApprovalRequired{ApprovalID: fmt.Sprintf("gate_%d", h.turns), Count: 1, Tools: []event.GatedCall{{
			Tool: "bash", ToolCallID: "c1", Arguments: json.RawMessage(`{"command":"rm -rf build"}`), Reason: "it deletes files",
		}}})
		h.mu.Unlock()
	case "error":
		h.end(event.Error{Error: rest})
	case "plan":
		h.tell(event.PlanUpdate{Plan: []event.PlanItem{{ID: "1", Content: "read [x] the data", Status: "completed"}, {ID: "2", Content: "train", Status: "in_progress"}}})
		h.end(event.TurnComplete{StopReason: "answer"})
	default:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.finish("You said: " + text)
	}
}

// finish ends a turn with an answer. It is called with the lock.
func (h *host) finish(text string) {
	cost := 0.01
	h.tell(event.AssistantChunk{Content: text}, event.LLMCall{Model: "test/model", Kind: llm.KindMain, CostUSD: &cost, Prompt: 1000, Completion: 100, Total: 1100},
		event.StreamEnd{}, event.TurnComplete{StopReason: "answer", FinalResponse: &text})
	h.rest()
}

func (h *host) end(ps ...event.Payload) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell(ps...)
	h.rest()
}

// rest goes on with what waits. It is called with the lock.
func (h *host) rest() {
	h.busy = false
	if len(h.queue) > 0 {
		next := h.queue[0]
		h.queue = h.queue[1:]
		h.begin("", next)
	}
}
