package headless

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/headless/lines"
)

// dialogue is a run of as many turns as another program asks for, one result
// object each. What is asked for is handed over as it comes: the session keeps
// the order, and ends behind the last.
type dialogue struct {
	run   *run
	leave func() // ends the run at once

	turns   int
	code    int // of the last turn
	open    bool
	gate    *event.Event // that waits for an answer
	stopped bool         // the last result is that of a turn that was stopped

	mu      sync.Mutex // guards what follows
	names   map[string]string
	asked   int
	eof     bool
	bad     bool // a line could not be read
	working bool // a turn is open
	left    bool // the run was stopped while nothing ran
}

func newDialogue(r *run) *dialogue {
	r.mine = true
	r.opts.Stdout = &wholeLines{w: r.opts.Stdout}
	return &dialogue{run: r, names: map[string]string{}}
}

// wholeLines is a writer for several goroutines; each writes whole lines.
type wholeLines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *wholeLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// read hands over what is asked for until there is no more, and then asks for
// the end: the session takes it behind everything else.
func (d *dialogue) read(ctx context.Context) {
	for ctx.Err() == nil {
		l, err := d.run.opts.Input()
		var wrong *lines.Error
		switch {
		case errors.Is(err, io.EOF):
			d.mu.Lock()
			d.eof = true
			d.mu.Unlock()
			d.submit(ctx, "sub_shutdown", event.ShutdownOp{})
			return
		case errors.As(err, &wrong):
			d.refuse(wrong.Number, wrong.Why)
		case err != nil:
			d.refuse(0, "standard input cannot be read: "+err.Error())
			d.mu.Lock()
			d.eof = true
			d.mu.Unlock()
			d.submit(ctx, "sub_shutdown", event.ShutdownOp{})
			return
		default:
			d.submit(ctx, d.name(l.ID), l.Operation)
		}
	}
}

// name makes the id of a submission and remembers what the other program calls
// it.
func (d *dialogue) name(theirs string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	id := fmt.Sprintf("line_%d_%d", d.run.opts.After, d.asked)
	if theirs != "" {
		d.names[id] = theirs
	}
	return id
}

func (d *dialogue) submit(ctx context.Context, id string, op event.Operation) {
	if err := d.run.session.Submit(ctx, event.Submission{ID: id, Operation: op}); err != nil && ctx.Err() == nil {
		d.refuse(0, err.Error())
	}
}

// refuse says that something was not done.
func (d *dialogue) refuse(number int, why string) {
	d.mu.Lock()
	d.bad = true
	d.mu.Unlock()
	d.run.out.refused(number, why)
}

// leaves reports whether a run that is stopped has nothing to wait for.
func (d *dialogue) leaves() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = !d.working
	return d.left
}

// gone reports whether the run was left while nothing ran.
func (d *dialogue) gone() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left
}

func (d *dialogue) works(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.working = on
}

// takes looks at an event first; what it does not take, the run does.
func (d *dialogue) takes(ctx context.Context, ev event.Event) bool {
	r := d.run
	switch ev.Type {
	case event.TypeTurnStarted:
		if d.open { // somebody has spoken at its gate
			r.res.ending = "interrupted"
			d.turnOver(ExitInterrupt)
		}
		d.begin()
		if t, err := event.Decode[event.TurnStarted](ev); err == nil {
			d.mu.Lock()
			r.res.ID = d.names[t.SubmissionID]
			delete(d.names, t.SubmissionID)
			d.mu.Unlock()
		}
	case event.TypeTurnResumed:
		d.begin()
	case event.TypeError:
		return ev.TurnID == "" // of an operation: it has been told, and ends nothing
	case event.TypeApprovalRequired:
		d.begin() // a gate that an earlier run has left open
		d.gate = &ev
		d.mu.Lock()
		defer d.mu.Unlock()
		return !d.eof // there is somebody to answer
	case event.TypeToolStateChange, event.TypeProcessing:
		d.gate = nil
	case event.TypeShutdown:
		if d.open && d.gate != nil {
			r.unanswered(ctx, *d.gate)
		}
	}
	return false
}

func (d *dialogue) begin() {
	if !d.open {
		d.open, d.run.begun = true, time.Now()
		d.works(true)
	}
}

// turnOver tells how a turn has ended.
func (d *dialogue) turnOver(code int) {
	r := d.run
	if r.opts.Stop.Err() != nil && code != ExitOK {
		code = r.stopCode()
	}
	d.open, d.gate, d.code = false, nil, code
	d.turns++
	d.works(false)
	r.res.ExitCode, r.res.DurationMS = code, time.Since(r.begun).Milliseconds()
	r.out.final(&r.res)
	if r.opts.Final != nil && r.res.ending == "turn_complete" {
		r.opts.Final(r.res.Result)
	}
	earlier := append(r.res.earlier, r.res.Sources...)
	r.res.seal()
	r.out.result(&r.res)
	r.res = result{SessionID: r.res.SessionID, earlier: earlier, history: r.res.history}
	r.refused, r.cause = false, ""
	if r.opts.Stop.Err() != nil {
		d.stopped, r.ended = true, true
		d.leave()
	}
}

// told reports whether the last result says all there is to say.
func (d *dialogue) told() bool {
	r := d.run
	switch {
	case r.opts.Stop.Err() != nil:
		return d.stopped
	case r.res.Error != nil || d.open:
		return false
	case d.turns == 0:
		r.fail("usage", "standard input has ended and nothing was asked for")
		r.res.ExitCode = ExitUsage
		return false
	}
	return true
}

// close returns the exit code: that of the last turn, or 2 where something could
// not be read or done.
func (d *dialogue) close() int {
	r := d.run
	if r.opts.Saved != nil {
		r.opts.Saved()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.code == ExitOK && d.bad {
		return ExitUsage
	}
	return d.code
}
