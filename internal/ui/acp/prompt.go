package acp

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/acp/content"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// stopWait is how long a turn may take to end after it was cancelled.
const stopWait = 15 * time.Second

// prompt is a message of the editor that has no answer yet.
type prompt struct {
	ctx     context.Context // ends when it is cancelled
	cancel  context.CancelFunc
	ready   chan struct{} // closed when it is its turn
	outcome chan outcome  // has room for one

	id string // of its submission; guarded by the session
}

// outcome is how a turn has ended.
type outcome struct {
	stop string
	err  error
}

func (p *prompt) tell(o outcome) {
	select {
	case p.outcome <- o:
	default: // it has been told
	}
}

func (p *prompt) cancelled() bool { return p.ctx.Err() != nil }

// prompt takes a message: its place is given now, so that a cancellation behind
// it finds it.
func (s *Server) prompt(in protocol.PromptRequest) wire.Work {
	one, err := s.session(in.SessionID)
	if err != nil {
		return answer(nil, err)
	}
	p := one.enqueue()
	return func(ctx context.Context) (wire.Answer, error) {
		stop, err := one.say(ctx, p, in.Prompt)
		if err != nil {
			return wire.Answer{}, err
		}
		return wire.Answer{Result: protocol.PromptResponse{StopReason: stop}}, nil
	}
}

func (one *session) enqueue() *prompt {
	one.mu.Lock()
	defer one.mu.Unlock()
	p := &prompt{ready: make(chan struct{}), outcome: make(chan outcome, 1)}
	p.ctx, p.cancel = context.WithCancel(one.server.ctx)
	if one.line = append(one.line, p); len(one.line) == 1 {
		close(p.ready)
	}
	return p
}

// step takes a prompt out of the line and lets the next one begin, unless the
// editor, whose call ctx was, has gone: the others end like this one then.
func (one *session) step(ctx context.Context, p *prompt) {
	p.cancel()
	gone := ctx.Err() != nil && !errors.Is(context.Cause(ctx), wire.ErrGivenUp)
	one.mu.Lock()
	defer one.mu.Unlock()
	at := slices.Index(one.line, p)
	one.line = slices.Delete(one.line, at, at+1)
	if at == 0 && len(one.line) > 0 && !gone {
		close(one.line[0].ready)
	}
}

// cancel ends what the session does and drops the prompts that wait.
func (one *session) cancel() {
	one.mu.Lock()
	busy := one.open
	for _, p := range one.line {
		p.cancel()
		busy = busy || p.id != ""
	}
	if one.gate != nil {
		one.gate.stop()
	}
	one.mu.Unlock()
	if busy {
		one.opened.Session.Interrupt()
	}
}

// say does what a prompt asks for and returns why that ended. Ctx is that of its
// call: an answer that is not wanted any more cancels it, an editor that has gone
// leaves it to the session.
func (one *session) say(ctx context.Context, p *prompt, blocks []protocol.Block) (string, error) {
	defer one.step(ctx, p)
	one.act()
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), wire.ErrGivenUp) {
			p.cancel()
		}
	})
	defer stop()
	select {
	case <-p.ready:
	case <-p.ctx.Done():
		return protocol.Cancelled, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if one.over() {
		return one.anew(ctx, p, blocks)
	}
	reader := content.Reader{Dir: one.request.Dir, Expand: one.opened.Expand}
	text, err := reader.Read(blocks)
	if err != nil {
		return "", err
	}
	if c, args := one.command(text.Typed); c != nil {
		return one.run(ctx, p, c, args)
	}
	in, notes, err := reader.Compose(p.ctx, text)
	switch {
	case p.cancelled():
		return protocol.Cancelled, nil
	case err != nil:
		return "", err
	}
	for _, note := range notes {
		one.notice("info", note)
	}
	if err := one.submit(p, in); err != nil {
		if one.over() {
			return one.anew(ctx, p, blocks)
		}
		return "", err
	}
	return one.await(ctx, p)
}

// over reports whether the session has ended by itself.
func (one *session) over() bool {
	select {
	case <-one.ended:
		return true
	case <-one.opened.Session.Done():
		<-one.ended // what it has told is told
		return true
	default:
		return false
	}
}

// anew says a prompt in the session that goes on where this one has ended.
func (one *session) anew(ctx context.Context, p *prompt, blocks []protocol.Block) (string, error) {
	again, err := one.server.revive(one)
	if err != nil || p.cancelled() {
		return protocol.Cancelled, err
	}
	return again.say(ctx, again.enqueue(), blocks)
}

// submit hands the message over. Its outcome is told under its id.
func (one *session) submit(p *prompt, in event.UserInput) error {
	id := one.newID()
	one.mu.Lock()
	p.id = id
	one.said = true
	one.mu.Unlock()
	return one.opened.Session.Submit(one.ctx, event.Submission{ID: id, Operation: in})
}

// await waits for the end of a prompt's turn. A cancelled one ends soon.
func (one *session) await(ctx context.Context, p *prompt) (string, error) {
	cancelled := p.ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case o := <-p.outcome:
			if p.cancelled() {
				return protocol.Cancelled, nil
			}
			return o.stop, o.err
		case <-cancelled:
			cancelled = nil
			one.opened.Session.Interrupt()
			timer := time.NewTimer(stopWait)
			defer timer.Stop()
			late = timer.C
		case <-late:
			return protocol.Cancelled, nil
		case <-ctx.Done():
			if !p.cancelled() && !errors.Is(context.Cause(ctx), wire.ErrGivenUp) {
				return "", context.Cause(ctx) // the editor has gone, the turn goes on
			}
			ctx = context.Background()
		}
	}
}

// began tells a prompt whose turn has begun; a cancelled one is interrupted, for
// the first interrupt came before there was a turn.
func (one *session) began() {
	one.mu.Lock()
	p := one.owner()
	one.mu.Unlock()
	if p != nil && p.cancelled() {
		one.opened.Session.Interrupt()
	}
}

// owner is the prompt whose turn runs, or nil. It is called with the lock.
func (one *session) owner() *prompt {
	for _, p := range one.line {
		if p.id != "" && p.id == one.running {
			return p
		}
	}
	return nil
}

// turnOver tells a prompt how its turn has ended.
func (one *session) turnOver(ev event.Event) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if ev.Type == event.TypeError && (ev.TurnID == "" || one.gate != nil) {
		return // of an operation
	}
	o := outcome{stop: protocol.EndTurn}
	switch ev.Type {
	case event.TypeInterrupted:
		o.stop = protocol.Cancelled
	case event.TypeError:
		o.err = problem(ev)
	case event.TypeTurnComplete:
		if in, err := event.Decode[event.TurnComplete](ev); err == nil {
			o.stop = stopReason(in.StopReason)
		}
	}
	if p := one.owner(); p != nil {
		p.tell(o)
	}
	one.running = ""
}

// stopReason is why a turn ended, in the protocol's words.
func stopReason(why string) string {
	switch why {
	case "max_iterations":
		return protocol.MaxTurnRequests
	case "truncated":
		return protocol.MaxTokens
	}
	return protocol.EndTurn // what went wrong has been told
}

// command is the command that a text asks for, or nil.
func (one *session) command(typed string) (*Command, string) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(typed), "/")
	if !ok {
		return nil, ""
	}
	name, args := rest, ""
	if i := strings.IndexAny(rest, " \t\n"); i >= 0 {
		name, args = rest[:i], strings.TrimSpace(rest[i+1:])
	}
	at := slices.IndexFunc(one.opened.Commands, func(c Command) bool { return strings.EqualFold(c.Name, name) })
	if at < 0 || one.opened.Commands[at].Run == nil {
		return nil, ""
	}
	return &one.opened.Commands[at], args
}

// run runs a command. Where it submits a text, the prompt ends with that turn.
func (one *session) run(ctx context.Context, p *prompt, c *Command, args string) (string, error) {
	stop := context.AfterFunc(ctx, p.cancel) // nobody would see what it finds
	err := guarded(func() error { return c.Run(p.ctx, &voice{one: one, p: p}, args) })
	stop()
	one.mu.Lock()
	submitted := p.id != ""
	one.mu.Unlock()
	switch {
	case submitted:
		return one.await(ctx, p)
	case p.cancelled():
		return protocol.Cancelled, nil
	case err != nil:
		one.send(protocol.Chunk{Kind: protocol.AgentChunk, Content: protocol.Text("/" + c.Name + ": " + clean(err.Error()) + "\n\n")})
	}
	return protocol.EndTurn, nil
}

// guarded runs a command; a panic of it is its error.
func guarded(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the command failed inside")
		}
	}()
	return run()
}

// voice is the conversation for a running command.
type voice struct {
	one *session
	p   *prompt
}

func (v *voice) Say(markdown string) {
	if markdown = strings.TrimRight(markdown, "\n"); markdown != "" {
		v.one.send(protocol.Chunk{Kind: protocol.AgentChunk, Content: protocol.Text(clean(markdown) + "\n\n")})
	}
}

func (v *voice) Warn(text string) { v.one.notice("warning", text) }

func (v *voice) Session() attach.Session { return v.one.opened.Session }

func (v *voice) Submit(ctx context.Context, op event.Operation) error {
	in, ok := op.(event.UserInput)
	if !ok {
		return v.one.opened.Session.Submit(ctx, event.Submission{ID: v.one.newID(), Operation: op})
	}
	v.one.mu.Lock()
	twice := v.p.id != ""
	v.one.mu.Unlock()
	if twice {
		return errors.New("a command can send one message")
	}
	in.Shown = cmp.Or(in.Shown, in.Text)
	return v.one.submit(v.p, in)
}

func (v *voice) Do(ctx context.Context, op event.Operation, ends ...event.Type) (event.Event, error) {
	return v.one.do(ctx, op, ends...)
}

func (v *voice) Busy() bool { return v.one.busy() }

// clean takes out of a text what could steer a screen.
func clean(text string) string { return plain.ForTerminal(text) }
