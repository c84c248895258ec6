package remote

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

const (
	// startLimit is how long a command may take to start.
	startLimit = 60 * time.Second
	// farewell is how long a cancelled call waits for the last words of its
	// command, which is ended in any case.
	farewell = 700 * time.Millisecond
	// killLimit is how long a command that is to end may take to do so.
	killLimit = 20 * time.Second
	// remembered is how much output is kept for the case that the server's own
	// account of it does not arrive, in bytes.
	remembered = 64 << 10
)

// command is a command in the sandbox.
type command struct {
	c    *Client
	spec workspace.Command
	boot string // of the server that was to run it

	began chan struct{} // closed when it has started
	over  chan struct{} // closed when outcome and err count

	mu      sync.Mutex
	started bool
	status  workspace.Status
	total   int64
	file    string
	seen    []byte // the end of the output
	skipped int64
	outcome workspace.Outcome
	err     error
}

// Start starts a command.
func (c *Client) Start(ctx context.Context, spec workspace.Command) (workspace.Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if spec.ID == "" {
		spec.ID = rand.Text()
	}
	if err := wire.CheckID("id", spec.ID); err != nil {
		return nil, err
	}
	boot, err := c.known(ctx)
	if err != nil {
		return nil, err
	}
	p := &command{c: c, spec: spec, boot: boot, began: make(chan struct{}), over: make(chan struct{})}
	if !c.spawn(p.follow) {
		return nil, &workspace.Fault{Kind: workspace.Closed, Reason: "run a command: the session has ended"}
	}
	select {
	case <-p.began:
		return p, nil
	case <-p.over:
	case <-ctx.Done():
		p.Stop()
		return nil, ctx.Err()
	}
	select {
	case <-p.began: // and ended at once
		return p, nil
	default:
	}
	if p.err == nil {
		return nil, &workspace.Fault{Kind: workspace.Failed, Reason: "the sandbox tells how a command has ended that it has not begun"}
	}
	return nil, p.err
}

// follow sees the command to its end.
func (p *command) follow() {
	defer close(p.over)
	ctx, stop := context.WithTimeout(p.c.life, p.limit())
	defer stop()
	began := time.Now()
	out, err := p.pursue(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && !p.spec.Background {
		p.Stop() // nobody knows whether the server's own limit has ended it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		out = workspace.Outcome{Duration: time.Since(began), Output: p.known()}
	}
	p.outcome, p.err = out, err
}

// limit is how long following may take.
func (p *command) limit() time.Duration {
	switch {
	case p.spec.Background:
		return startLimit
	case p.spec.Limit > 0:
		return p.spec.Limit + p.c.margin
	}
	return 1 << 62 // as long as it takes
}

// errDone is the end of a background command's stream.
var errDone = errors.New("the command runs in the background")

// pursue sends the command once and comes back to it as often as the connection
// breaks off.
func (p *command) pursue(ctx context.Context) (workspace.Outcome, error) {
	q := call{method: http.MethodPost, path: wire.Exec, kind: jsonType, id: p.spec.ID}
	for a := (again{c: p.c}); ; {
		before := p.progress()
		out, err := p.attend(ctx, q)
		var failed *exchangeError
		var fault *workspace.Fault
		switch {
		case err == nil, errors.Is(err, errDone):
			return out, nil
		case errors.As(err, &failed):
			q.replay = q.replay || failed.sent
		case q.replay && errors.As(err, &fault) && fault.Kind == workspace.Unknown:
			if p.c.Boot() != p.boot {
				return out, errLost("the command")
			}
			q.replay = false // it never came
			continue
		default:
			return out, err
		}
		if ctx.Err() != nil {
			return out, fmt.Errorf("the sandbox has not said how the command ended: %w", err)
		}
		if p.progress() > before {
			a.tries = 0
		}
		if err := a.next(ctx, err); err != nil {
			return out, err
		}
	}
}

// progress is a number that grows with everything heard of the command.
func (p *command) progress() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.total
	if p.started {
		n++
	}
	return n
}

// attend follows the command on one connection.
func (p *command) attend(ctx context.Context, q call) (workspace.Outcome, error) {
	p.mu.Lock()
	after := p.total
	p.mu.Unlock()
	var err error
	if q.body, err = encoded(wire.ExecRequest{
		Session: p.spec.Session, Command: p.spec.Line, WorkDir: p.spec.Dir, Timeout: p.spec.Limit.Seconds(),
		Background: p.spec.Background, Keep: p.spec.Keep, After: after,
	}); err != nil {
		return workspace.Outcome{}, err
	}
	res, err := p.c.open(ctx, q)
	if err != nil {
		return workspace.Outcome{}, err
	}
	defer res.Body.Close()
	in := bufio.NewScanner(res.Body)
	in.Buffer(nil, wire.MaxLine)
	for in.Scan() {
		var e wire.Event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			return workspace.Outcome{}, &exchangeError{fmt.Errorf("read the sandbox's answer: %w", err), true}
		}
		if e.Event == wire.Exit && e.ExitEvent != nil {
			return harmless(e.ExitEvent.Outcome()), nil
		}
		p.take(e)
		if e.Event == wire.Start && p.spec.Background {
			return workspace.Outcome{}, errDone
		}
	}
	if err = in.Err(); err == nil {
		err = io.ErrUnexpectedEOF
	}
	return workspace.Outcome{}, &exchangeError{fmt.Errorf("follow the command in the sandbox: %w", err), true}
}

// take notes an event.
func (p *command) take(e wire.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Event {
	case wire.Start:
		if e.Status != nil && !p.started {
			p.status, p.started = *e.Status, true
			close(p.began)
		}
	case wire.Output:
		p.total = e.Total
		if e.File != "" {
			p.file = e.File
		}
		p.show(e.Skipped, e.Data)
	}
}

// show gives output to who looks at it, and remembers its end.
func (p *command) show(skipped int64, text string) {
	text = plain.String(text)
	if skipped > 0 {
		text = fmt.Sprintf("\n[%d bytes not shown]\n%s", skipped, text)
	}
	p.seen = append(p.seen, text...)
	if n := len(p.seen) - remembered; n > 0 {
		p.skipped += int64(n)
		p.seen = append(p.seen[:0], p.seen[n:]...)
	}
	if p.spec.Output != nil {
		p.spec.Output([]byte(text))
	}
}

// harmless is an outcome whose texts do not steer a terminal: what is in the
// sandbox may have put another server in the place of ours.
func harmless(o workspace.Outcome) workspace.Outcome {
	for _, text := range []*string{&o.Output.First, &o.Output.Last, &o.Output.File, &o.Output.Problem, &o.Exit.Signal} {
		*text = plain.String(*text)
	}
	return o
}

// known is the output as far as it has arrived.
func (p *command) known() workspace.Output {
	text := string(p.seen)
	if p.skipped > 0 {
		text = excerpt.TrimStart(text)
	}
	if short := excerpt.Tail(text, workspace.ShownChars-100); len(short) < len(text) || p.skipped > 0 {
		text = "[what came before is not shown]\n" + short
	}
	return workspace.Output{Bytes: p.total, Chars: int64(utf8.RuneCountInString(text)), First: text}
}

// Status is how the command was at its start.
func (p *command) Status() workspace.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Ref names the command. It is no process of this machine.
func (p *command) Ref() string { return "sandbox:" + p.boot + "/" + p.spec.ID }

// Progress is how far the output is.
func (p *command) Progress() (int64, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == "" {
		return p.total, "the sandbox, until the command has ended"
	}
	return p.total, p.file
}

// Stop ends the command.
func (p *command) Stop() {
	p.c.spawn(func() {
		ctx, stop := context.WithTimeout(p.c.life, killLimit)
		defer stop()
		_, _ = p.c.Kill(ctx, p.spec.Session, p.spec.ID) // its own limit ends it otherwise
	})
}

// Wait waits for the command's end, for its limit, which the sandbox keeps, or
// for ctx.
func (p *command) Wait(ctx context.Context) (workspace.Outcome, error) {
	select {
	case <-p.over:
		return p.outcome, p.err
	case <-ctx.Done():
	}
	p.Stop()
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-p.over:
		if p.err == nil {
			p.outcome.Ending = workspace.Cancelled
			return p.outcome, nil
		}
	case <-timer.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return workspace.Outcome{Ending: workspace.Cancelled, Output: p.known()}, nil
}
