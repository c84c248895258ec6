package line_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/line"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// session is one whose turns do what their text says.
type session struct {
	journal *journal.Journal
	past    int64

	mu      sync.Mutex
	ops     []event.Operation
	queue   []event.Submission
	busy    bool
	over    bool
	stop    chan struct{}
	answers chan event.ExecApproval // has room for one
	turns   int
	err     error
	quit    int
	closed  int
	left    int
	chapter int
	wait    sync.WaitGroup
}

func newSession(t testing.TB) *session {
	j, err := journal.Open(context.Background(), journal.Options{Store: journal.NewMemory(), SessionID: "11111111-2222-4333-8444-555555555555"})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{journal: j, stop: make(chan struct{}), answers: make(chan event.ExecApproval, 1)}
	t.Cleanup(func() { s.end(nil); s.wait.Wait() })
	return s
}

func (s *session) tell(turn string, ps ...event.Payload) {
	_, _ = s.journal.Append(context.Background(), turn, ps...) // a closed journal takes nothing
}

func (s *session) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.over, s.queue = true, nil
	s.interruptLocked()
	s.journal.Close()
}

func (s *session) interruptLocked() {
	if s.busy {
		close(s.stop)
		s.stop = make(chan struct{})
	}
}

func (s *session) Interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interruptLocked()
}

func (s *session) Submit(_ context.Context, sub event.Submission) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errors.New("the session is over")
	}
	s.ops = append(s.ops, sub.Operation)
	switch op := sub.Operation.(type) {
	case event.UserInput:
		if op.Text == "refuse" {
			return errors.New("the session does not take this")
		}
		s.tell("", event.InputAccepted{SubmissionID: sub.ID, Text: op.Text, Shown: op.Shown, Queued: s.busy})
		s.queue = append(s.queue, sub)
		if !s.busy {
			s.busy = true
			s.wait.Go(s.work)
		}
	case event.ExecApproval:
		select {
		case s.answers <- op:
		default: // answers to a gate that is gone
		}
	case event.Configure:
		mode := ""
		if op.ApprovalMode != nil {
			mode = *op.ApprovalMode
		}
		s.tell("", event.Settings{Model: "acme/large", ApprovalMode: mode})
	case event.Undo:
		s.tell("", event.UndoComplete{Turns: 1, Removed: 2})
	case event.Rename:
		s.tell("", event.ToolLog{Tool: "system", Log: "renaming"}) // and never ends
	case event.Redo:
		s.tell("", event.Error{Error: "there is nothing to take back", Hint: "/undo first"})
	}
	return nil
}

// work runs the turns that wait. It is at rest when the end of the last is told.
func (s *session) work() {
	for more := true; more; {
		s.mu.Lock()
		if s.over {
			s.mu.Unlock()
			return
		}
		sub := s.queue[0]
		s.queue = s.queue[1:]
		s.turns++
		turn := fmt.Sprintf("turn_%d", s.turns)
		stop := s.stop
		s.mu.Unlock()
		text := sub.Operation.(event.UserInput).Text
		s.tell(turn, event.TurnStarted{TurnID: turn, SubmissionID: sub.ID}, event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: text}}, event.Processing{})
		end := s.act(turn, text, stop)
		s.mu.Lock()
		more = len(s.queue) > 0
		s.busy = more
		s.tell(turn, end...)
		s.mu.Unlock()
	}
}

// act does what a text asks for and returns how its turn ends.
func (s *session) act(turn, text string, stop <-chan struct{}) []event.Payload {
	complete := func(answer string) []event.Payload {
		return []event.Payload{event.TurnComplete{FinalResponse: &answer, StopReason: "answer"}}
	}
	switch {
	case strings.HasPrefix(text, "tool"):
		s.tell(turn, event.ToolCall{Tool: "bash", ToolCallID: "c", Arguments: []byte(`{"command":"ls"}`)}, event.ToolOutput{Tool: "bash", ToolCallID: "c", Output: "x", Success: true})
	case strings.HasPrefix(text, "slow"):
		s.tell(turn, event.ToolCall{Tool: "bash", ToolCallID: "c", Arguments: []byte(`{"command":"sleep"}`)})
		<-stop
		return []event.Payload{event.ToolOutput{Tool: "bash", ToolCallID: "c", Output: "cut short"}, event.Interrupted{}}
	case strings.HasPrefix(text, "gate"):
		select {
		case <-s.answers: // to an earlier one
		default:
		}
		s.tell(turn, event.ApprovalRequired{Count: 2, ApprovalID: "gate_1", Tools: []event.GatedCall{
			{Tool: "bash", ToolCallID: "a", Arguments: []byte(`{"command":"git push"}`), Reason: "sends data out", Rules: []string{"bash(git push)"}},
			{Tool: "write", ToolCallID: "b", Arguments: []byte(`{"path":"/etc/x","content":"y"}`)},
		}})
		select {
		case op := <-s.answers:
			for _, a := range op.Approvals {
				state := "rejected"
				if a.Approved {
					state = "approved"
				}
				s.tell(turn, event.ToolStateChange{ToolCallID: a.ToolCallID, Tool: "bash", State: state, Feedback: a.Feedback})
			}
			return complete("answered")
		case <-stop:
			return []event.Payload{event.Interrupted{}}
		}
	case text == "die":
		s.tell(turn, event.AssistantChunk{Content: "last words"})
		s.end(errors.New("the disk is full"))
		return nil
	case text == "fail":
		return []event.Payload{event.Error{Error: "no key", Hint: "/login"}}
	}
	answer := "you said " + text
	s.tell(turn, event.AssistantChunk{Content: answer}, event.StreamEnd{})
	return complete(answer)
}

func (s *session) Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
	return s.journal.Follow(ctx, after)
}

func (s *session) Seen(int, int64, bool) {}

func (s *session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *session) Info() attach.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	return attach.Info{SessionID: s.journal.SessionID(), LastSeq: s.past, Chapter: s.chapter, Settings: event.Settings{Model: "acme/large", ApprovalMode: "ask"}}
}

func (s *session) Done() <-chan struct{} { return nil }

func (s *session) Detach() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left++
	return nil
}

func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func (s *session) Quit(context.Context) error {
	s.mu.Lock()
	s.quit++
	s.mu.Unlock()
	s.tell("", event.Shutdown{})
	s.end(nil)
	return nil
}

func (s *session) asked() []event.Operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event.Operation(nil), s.ops...)
}

// screen is what has been printed.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	seen    int
	changed chan struct{}
}

func (w *screen) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	close(w.changed)
	w.changed = make(chan struct{})
	return len(p), nil
}

func (w *screen) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// seat is a person in front of the line mode.
type seat struct {
	t          *testing.T
	session    *session
	keys       io.WriteCloser
	out        *screen
	interrupts chan os.Signal
	ended      chan terminal.Result
}

// sit begins a conversation over a pipe, or with a terminal.
func sit(t *testing.T, s *session, tty bool, change func(*line.Options)) *seat {
	t.Helper()
	p := &seat{t: t, session: s, out: &screen{changed: make(chan struct{})}, interrupts: make(chan os.Signal), ended: make(chan terminal.Result, 1)}
	o := line.Options{Options: terminal.Options{
		Theme: theme.New(theme.Options{}), Commands: commands(),
		Open: func(ctx context.Context, _ string, _ dialog.Talk) (*terminal.Opened, error) {
			context.AfterFunc(ctx, func() { s.end(errors.New("the session lost its context")) })
			return &terminal.Opened{Session: s, Detachable: true, Notes: []string{"a note"}}, nil
		},
	}, Interrupts: p.interrupts}
	if tty {
		p.terminal(&o)
	} else {
		r, w := io.Pipe()
		o.In, o.Out, p.keys = r, p.out, w
		t.Cleanup(func() { w.Close() })
	}
	if change != nil {
		change(&o)
	}
	go func() { p.ended <- line.Run(t.Context(), o) }()
	return p
}

// terminal puts a pseudo-terminal between the person and the conversation.
func (p *seat) terminal(o *line.Options) {
	keys, tty, err := pty.Open()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := pty.Setsize(keys, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
		p.t.Fatal(err)
	}
	o.In, o.Out, p.keys = tty, tty, keys
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(p.out, keys) // ends with the terminal
	}()
	p.t.Cleanup(func() { tty.Close(); keys.Close(); <-copied })
}

func (p *seat) types(lines ...string) {
	p.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(p.keys, l+"\n"); err != nil {
			p.t.Fatal(err)
		}
	}
}

const patience = 20 * time.Second

// sees waits for a text behind what was seen before.
func (p *seat) sees(texts ...string) {
	p.t.Helper()
	late := time.After(patience)
	for _, text := range texts {
		for {
			p.out.mu.Lock()
			all, changed := strings.ReplaceAll(p.out.text.String(), "\r\n", "\n"), p.out.changed
			at := strings.Index(all[min(p.out.seen, len(all)):], text)
			if at >= 0 {
				p.out.seen += at + len(text)
			}
			seen := all[min(p.out.seen, len(all)):]
			p.out.mu.Unlock()
			if at >= 0 {
				break
			}
			select {
			case <-changed:
			case <-late:
				p.t.Fatalf("%q does not come; behind what was seen stands %q", text, seen)
			}
		}
	}
}

func (p *seat) presses() {
	select {
	case p.interrupts <- os.Interrupt:
	case <-time.After(patience):
		p.t.Fatal("Ctrl-C is not taken")
	}
}

// leaves waits for the end.
func (p *seat) leaves(want terminal.Reason) terminal.Result {
	p.t.Helper()
	select {
	case r := <-p.ended:
		if r.Reason != want {
			p.t.Errorf("it ended with reason %d, error %v; want %d\n%s", r.Reason, r.Err, want, p.out)
		}
		return r
	case <-time.After(patience):
		p.t.Fatalf("it does not end:\n%s", p.out)
		return terminal.Result{}
	}
}

// commands are some of each kind.
func commands() []dialog.Command {
	run := func(name string, do func(ctx context.Context, talk dialog.Talk, args string) error) dialog.Command {
		return dialog.Command{Name: name, Run: do}
	}
	colours := dialog.Menu{Title: "Which?", Filter: true, At: 1, Items: []dialog.Option{{Value: "red", Hint: "warm"}, {Value: "blue", Label: "Blue \x1b[2J"}, {Value: "green"}}}
	withPreview := colours
	withPreview.Preview = func(i, _ int) []string { return []string{"more about " + colours.Items[i].Value} }
	return []dialog.Command{
		run("choose", func(ctx context.Context, talk dialog.Talk, _ string) error {
			i, err := talk.Choose(ctx, withPreview)
			if err == nil {
				talk.Print("chosen: " + colours.Items[i].Value)
			}
			return err
		}),
		run("ask", func(ctx context.Context, talk dialog.Talk, args string) error {
			text, err := talk.Ask(ctx, dialog.Question{Text: "Name?", Default: args})
			if err == nil {
				talk.Print("it is " + text)
			}
			return err
		}),
		run("secret", func(ctx context.Context, talk dialog.Talk, _ string) error {
			text, err := talk.Ask(ctx, dialog.Question{Text: "Token?", Secret: true})
			if err == nil {
				talk.Print(fmt.Sprintf("it has %d characters", len(text)))
			}
			return err
		}),
		run("fail", func(context.Context, dialog.Talk, string) error { return errors.New("the backend is\ndown") }),
		run("panic", func(context.Context, dialog.Talk, string) error { panic("inside") }),
		run("hang", func(ctx context.Context, talk dialog.Talk, _ string) error {
			talk.Print("hanging")
			<-ctx.Done()
			return ctx.Err()
		}),
		run("live", func(ctx context.Context, talk dialog.Talk, _ string) error {
			n := 0
			return talk.Live(ctx, time.Second, func(int, int) []string { n++; return []string{"always the same", fmt.Sprintf("step %d", n)} })
		}),
		run("page", func(ctx context.Context, talk dialog.Talk, _ string) error { return talk.Page(ctx, "Title", "a\nb") }),
		run("copy", func(_ context.Context, talk dialog.Talk, _ string) error { return talk.Copy("x") }),
		run("edit", func(ctx context.Context, talk dialog.Talk, _ string) error {
			text, err := talk.Edit(ctx, "x.txt", "before ")
			if err == nil {
				talk.Print("edited: " + text)
			}
			return err
		}),
		run(dialog.Shell, func(_ context.Context, talk dialog.Talk, args string) error {
			talk.Print("output of " + args)
			talk.Bring("I ran " + args)
			return nil
		}),
		run(dialog.Remember, func(_ context.Context, talk dialog.Talk, args string) error {
			talk.Print("remembered: " + args)
			return nil
		}),
		run("fill", func(_ context.Context, talk dialog.Talk, _ string) error { talk.Fill("filled text"); return nil }),
		run("detach", func(_ context.Context, talk dialog.Talk, _ string) error { talk.Leave(true); return nil }),
		run("undo", func(ctx context.Context, talk dialog.Talk, _ string) error {
			_, err := talk.Conversation().Do(ctx, event.Undo{}, event.TypeUndoComplete)
			return err
		}),
		run("redo", func(ctx context.Context, talk dialog.Talk, _ string) error {
			_, err := talk.Conversation().Do(ctx, event.Redo{}, event.TypeRedoComplete)
			return err
		}),
		run("never", func(ctx context.Context, talk dialog.Talk, _ string) error {
			_, err := talk.Conversation().Do(ctx, event.Rename{}, event.TypeRenamed)
			return err
		}),
		run("status", func(_ context.Context, talk dialog.Talk, _ string) error {
			c := talk.Conversation()
			columns, _ := talk.Size()
			talk.Print(fmt.Sprintf("%s %s %v %d turns %q %d tools %d columns", c.ID()[:4], c.Settings().Model, c.Busy(), len(c.Turns()), c.Reply(), len(c.Tools()), columns))
			return nil
		}),
	}
}
