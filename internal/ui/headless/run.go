// Package headless runs one prompt without a person: it submits it, follows
// the session's events, prints the answer on standard output and everything
// else on standard error, and turns the end into an exit code. It knows the
// session only as operations and events.
package headless

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/ui/headless/lines"
)

// Session is what a headless run needs of a session.
type Session interface {
	Submit(ctx context.Context, sub event.Submission) error
	Interrupt()
	// Follow yields every event after the given number; it ends when the
	// session has ended.
	Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error]
	// Err is why the session ended, nil for a shutdown.
	Err() error
}

// Format is how a run is told on standard output.
type Format string

// The formats.
const (
	Text       Format = "text"
	JSON       Format = "json"
	StreamJSON Format = "stream-json"
)

// Exit codes.
const (
	ExitOK         = 0
	ExitFailure    = 1
	ExitUsage      = 2
	ExitAuth       = 3
	ExitIterations = 4
	ExitBudget     = 5
	ExitApproval   = 6
	ExitTimeout    = 124
	ExitInterrupt  = 130
	ExitTerminated = 143
)

// Why a run is stopped from outside.
var (
	// ErrTimeout is the cause of a run that took longer than it may.
	ErrTimeout = errors.New("the time limit was reached")
	// ErrInterrupted is the cause of a run ended by SIGINT.
	ErrInterrupted = errors.New("interrupted")
	// ErrTerminated is the cause of a run ended by SIGTERM or SIGHUP.
	ErrTerminated = errors.New("terminated")
)

// Options of a run.
type Options struct {
	Stdout, Stderr io.Writer
	// TTY says that Stdout is a terminal: text is then printed as it arrives.
	TTY    bool
	Format Format
	// Quiet prints only the last message; Verbose adds tool outputs.
	Quiet, Verbose bool
	// Prompt is what to submit; empty takes up an unfinished turn.
	Prompt string
	// Input is what another program asks for while the run goes, one thing after
	// another; io.EOF ends it and, behind what was asked for, the run. A *lines.Error
	// is told and the next one is asked for. Nil is a run of one prompt.
	Input func() (lines.Line, error)
	// Typed is what the person typed, where Prompt holds more. Terms hold for the
	// run's turns; nil for none.
	Typed string
	Terms *event.Terms
	// Images are shown along with it.
	Images []event.Image
	// Shown is the prompt without secrets, for people to see.
	Shown string
	// After is the number of the newest event before this run.
	After int64
	// Evidence is what the session has looked up before this run.
	Evidence []event.Evidence
	// Check judges the final message against a schema and returns it in bare
	// form; nil accepts all. One repair turn is tried.
	Check func(text string) (string, error)
	// Final, when not nil, receives the final message of a turn that ended.
	Final func(text string)
	// Saved, when not nil, ends the session's bookkeeping and returns where its
	// log lies, empty for nowhere. It is called once, before the result is told.
	Saved func() string
	// Seen, when not nil, is told the number of an event that ends or suspends a
	// turn when all that it says is printed.
	Seen func(seq int64)
	// Once says that the session cannot be gone on with later.
	Once bool
	// Init is what the init line and the preamble tell.
	Init Init
	// Stop ends the run early when it is done; its cause is one of the errors
	// above.
	Stop context.Context
}

// Init describes the session at its start.
type Init struct {
	SessionID     string   `json:"session_id"`
	Model         string   `json:"model"`
	Workdir       string   `json:"cwd"`
	Runtime       string   `json:"tool_runtime"`
	Tools         []string `json:"tools"`
	Version       string   `json:"version"`
	TokenLoaded   bool     `json:"-"`
	MaxIterations int      `json:"-"`
	CapUSD        float64  `json:"-"` // 0 is unlimited
}

// run is one run while it goes.
type run struct {
	opts    Options
	session Session
	out     printer
	res     result
	begun   time.Time

	mine     bool // the turn of this run has begun; turns before it are not ours
	asked    string
	refused  bool // the last batch of calls held a refusal for want of approval
	repaired bool
	ended    bool
	cause    string // why the session cannot go on, from session_terminated
	silence  *time.Timer
	talk     *dialogue // nil for a run of one prompt
}

const (
	// stopWait is how long a session may take to end its turn after a stop.
	stopWait = 5 * time.Second
	// silentWait is how long a session may take to begin, and to tell its end
	// after it said that it cannot go on.
	silentWait = 10 * time.Second
)

// Run submits the prompt, follows the session to the end of its turn and
// returns the exit code. The session is shut down when it returns.
func Run(ctx context.Context, session Session, opts Options) int {
	r := &run{opts: opts, session: session, begun: time.Now(), mine: opts.Prompt == ""}
	if opts.Input != nil {
		r.talk = newDialogue(r)
	}
	r.res.SessionID, r.res.earlier = opts.Init.SessionID, opts.Evidence
	r.out = newPrinter(r.opts)
	r.out.start(opts)
	if opts.Prompt != "" {
		if err := r.submit(ctx, opts.Prompt); err != nil {
			r.fail("internal", err.Error())
			return r.close()
		}
	}
	followCtx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { r.obey(followCtx, cancel) })
	if r.talk != nil {
		r.talk.leave = cancel
		go r.talk.read(followCtx) // it ends with what it reads, or with the process
	}
	defer watch.Wait()
	defer cancel()
	r.silence = time.AfterFunc(silentWait, cancel)
	defer r.silence.Stop()
	r.follow(followCtx)
	return r.close()
}

// obey interrupts the session when the run is stopped from outside, and leaves
// one that does not end its turn then.
func (r *run) obey(ctx context.Context, leave func()) {
	select {
	case <-ctx.Done():
		return
	case <-r.opts.Stop.Done():
	}
	if r.talk != nil && r.talk.leaves() {
		leave()
		return
	}
	r.session.Interrupt()
	select {
	case <-ctx.Done():
	case <-time.After(stopWait):
		leave()
	}
}

// follow takes the session's events up to its end.
func (r *run) follow(ctx context.Context) {
	for ev, err := range r.session.Follow(ctx, r.opts.After) {
		switch {
		case err != nil && r.over():
			return
		case err != nil && ctx.Err() != nil:
			r.fail("internal", r.stuck())
			return
		case err != nil:
			r.fail("internal", "the session's events cannot be read: "+err.Error())
			return
		}
		r.out.event(ev)
		if r.opts.Seen != nil && ev.Type.Ends() {
			r.opts.Seen(ev.Seq)
		}
		r.take(context.WithoutCancel(ctx), ev)
		if ev.Type == event.TypeShutdown {
			return
		}
	}
	switch {
	case r.over():
	case ctx.Err() != nil:
		r.fail("internal", r.stuck())
	default:
		r.fail("internal", r.endedEarly())
	}
}

// over reports whether the run has ended as it should.
func (r *run) over() bool { return r.ended || r.talk != nil && r.talk.gone() }

// stuck is the reason of a session that was left because it did not answer.
func (r *run) stuck() string {
	switch {
	case r.opts.Stop.Err() != nil:
		return "the session did not stop in time"
	case r.cause != "":
		return r.cause
	}
	return "the session did not begin in time"
}

func (r *run) endedEarly() string {
	if err := r.session.Err(); err != nil {
		return "the session ended: " + err.Error()
	}
	return "the session ended before the turn did"
}

func (r *run) submit(ctx context.Context, text string) error {
	r.asked = fmt.Sprintf("sub_%d", r.opts.After+1) // a session that goes on has used the first numbers
	if r.repaired {
		r.asked += "_repair"
	}
	in := event.UserInput{Text: text, Terms: r.opts.Terms}
	if !r.repaired { // a request for repair was not typed and shows no pictures
		in.Shown, in.Images = r.opts.Typed, r.opts.Images
	}
	return r.session.Submit(ctx, event.Submission{ID: r.asked, Operation: in})
}

// take keeps the accounts of one event and ends the run at the end of its turn.
func (r *run) take(ctx context.Context, ev event.Event) {
	if r.talk != nil && r.talk.takes(ctx, ev) {
		return
	}
	r.res.count(ev)
	switch ev.Type {
	case event.TypeReady:
		r.silence.Stop()
	case event.TypeTurnStarted:
		if t, err := event.Decode[event.TurnStarted](ev); err == nil && t.SubmissionID == r.asked {
			r.mine = true
		}
		if r.opts.Stop.Err() != nil {
			r.session.Interrupt() // the first came before there was a turn
		}
	case event.TypeSessionTerminated:
		if t, err := event.Decode[event.SessionTerminated](ev); err == nil {
			r.cause = cmp.Or(t.UserMessage, t.Error, t.Reason)
		}
		r.silence.Reset(silentWait)
	case event.TypeLLMCall:
		if c, err := event.Decode[event.LLMCall](ev); err == nil && c.FinishReason == "tool_calls" && c.AgentID == "" {
			r.refused = false
		}
	case event.TypeToolStateChange:
		if c, err := event.Decode[event.ToolStateChange](ev); err == nil && c.State == "rejected" && c.Feedback == tool.NeedsApproval {
			r.refused = true
		}
	case event.TypeTurnComplete:
		if r.mine {
			r.turnComplete(ctx, ev)
		}
	case event.TypeInterrupted:
		if r.mine {
			r.res.ending = "interrupted"
			r.end(ctx, r.stopCode())
		}
	case event.TypeError:
		if !r.mine && ev.TurnID != "" {
			return // of a turn that was waiting before this run
		}
		if e, err := event.Decode[event.Error](ev); err == nil {
			r.failWith(e)
		}
		r.end(ctx, r.res.ExitCode)
	case event.TypeApprovalRequired:
		r.unanswered(ctx, ev)
	}
}

// unanswered ends the run at a gate that nobody answers.
func (r *run) unanswered(ctx context.Context, ev event.Event) {
	r.res.ending = "approval_required"
	code := ExitApproval
	if g, err := event.Decode[event.ApprovalRequired](ev); err == nil && g.YoloBudget {
		code = ExitBudget
		r.res.Error = &failure{Code: "credits", Message: "the spending cap was reached", Hint: "Go on with: ml-intern --continue --max-cost USD"}
	}
	r.end(ctx, code)
}

func (r *run) turnComplete(ctx context.Context, ev event.Event) {
	done, err := event.Decode[event.TurnComplete](ev)
	if err != nil {
		r.fail("internal", err.Error())
		r.end(ctx, ExitFailure)
		return
	}
	r.res.ending, r.res.history, r.res.Unverified = "turn_complete", done.HistorySize, done.Unverified
	if done.FinalResponse != nil {
		r.res.Result = *done.FinalResponse
	}
	code := ExitFailure
	switch {
	case done.StopReason == "max_iterations":
		code = ExitIterations
	case done.StopReason != "answer" && r.cause != "":
		r.res.Error = &failure{Code: "context", Class: done.StopReason, Message: r.cause}
	case done.StopReason != "answer":
		r.res.Error = &failure{Code: "internal", Class: done.StopReason, Message: "the turn ended without an answer: " + done.StopReason}
	case r.refused:
		code = ExitApproval
	default:
		code = ExitOK
	}
	if code == ExitOK && r.opts.Check != nil {
		code = r.checkAnswer(ctx)
		if code < 0 {
			return // a repair turn is running
		}
	}
	r.end(ctx, code)
}

// checkAnswer holds the final message against the schema; -1 means that the
// model was asked to repair it.
func (r *run) checkAnswer(ctx context.Context) int {
	bare, err := r.opts.Check(r.res.Result)
	if err == nil {
		r.res.Result = bare
		return ExitOK
	}
	if r.repaired {
		r.fail("internal", "the final message does not fit the output schema: "+err.Error())
		return ExitFailure
	}
	r.repaired = true
	text := fmt.Sprintf("Your final message does not fit the required JSON schema: %v. Answer again with only the JSON value, without any other text.", err)
	if err := r.submit(ctx, text); err != nil {
		r.fail("internal", err.Error())
		return ExitFailure
	}
	return -1
}

func (r *run) stopCode() int {
	switch cause := context.Cause(r.opts.Stop); {
	case errors.Is(cause, ErrTimeout):
		return ExitTimeout
	case errors.Is(cause, ErrTerminated):
		return ExitTerminated
	}
	return ExitInterrupt
}

// end fixes the exit code and shuts the session down.
func (r *run) end(ctx context.Context, code int) {
	if r.ended {
		return
	}
	if r.talk != nil {
		r.talk.turnOver(code)
		return
	}
	r.ended = true
	if r.opts.Stop.Err() != nil && code != ExitOK {
		code = r.stopCode()
	}
	r.res.ExitCode = code
	r.out.final(&r.res)
	if r.opts.Final != nil && r.res.ending == "turn_complete" {
		r.opts.Final(r.res.Result)
	}
	if err := r.session.Submit(ctx, event.Submission{ID: "sub_shutdown", Operation: event.ShutdownOp{}}); err != nil {
		r.out.line("shutdown: " + err.Error())
	}
}

func (r *run) fail(code, message string) {
	r.failWith(event.Error{Error: message, Code: code})
}

func (r *run) failWith(e event.Error) {
	r.res.ending = "error"
	r.res.Error = &failure{Code: e.Code, Class: e.Class, Message: e.Error, Hint: e.Hint}
	r.res.ExitCode = ExitFailure
	if e.Code == "auth" {
		r.res.ExitCode = ExitAuth
	}
}

// close prints the result and returns the exit code.
func (r *run) close() int {
	if r.talk != nil && r.talk.told() {
		return r.talk.close()
	}
	if r.res.ExitCode == 0 && r.res.Error != nil {
		r.res.ExitCode = ExitFailure
	}
	if !r.ended && r.opts.Stop.Err() != nil {
		r.res.ExitCode = r.stopCode()
	}
	r.res.DurationMS = time.Since(r.begun).Milliseconds()
	if r.opts.Stop.Err() != nil && r.res.ExitCode != ExitOK {
		r.res.stopped = context.Cause(r.opts.Stop).Error()
	}
	if r.opts.Saved != nil {
		r.res.log = r.opts.Saved()
	}
	r.res.seal()
	r.out.result(&r.res)
	return r.res.ExitCode
}
