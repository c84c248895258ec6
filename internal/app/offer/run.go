package offer

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/arguments"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

//go:embed run.json
var runSchema []byte

const (
	// atOnce is how many runs there are at once.
	atOnce = 4
	// endWait is how long the end of the program waits for runs to be left.
	endWait = 15 * time.Second
)

// runs is the tool run: each call is a session in a process of its own, which a
// person can attach to and which outlives this program where the user wants so.
type runs struct {
	opts    Options
	spec    spec
	checker *arguments.Checker
	places  chan struct{}
	pending sync.WaitGroup
	told    sync.Map // ids of sessions whose result has been given
}

// spec is run.json.
type spec struct {
	Name        string          `json:"name"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Output      json.RawMessage `json:"output"`
}

func newRuns(o Options) (*runs, error) {
	r := &runs{opts: o, places: make(chan struct{}, atOnce)}
	if err := json.Unmarshal(runSchema, &r.spec); err != nil {
		return nil, fmt.Errorf("read the description of run: %w", err)
	}
	var err error
	if r.checker, err = arguments.Compile(r.spec.Parameters); err != nil {
		return nil, fmt.Errorf("read the parameters of run: %w", err)
	}
	return r, nil
}

func (r *runs) tool() mcpserver.Tool {
	return mcpserver.Tool{
		Name: r.spec.Name, Title: r.spec.Title, Description: r.spec.Description, Parameters: r.spec.Parameters, Output: r.spec.Output,
		Hints: mcpserver.Hints{Destructive: true, OpenWorld: true}, Call: r.call,
	}
}

// call does one run.
func (r *runs) call(ctx context.Context, raw json.RawMessage, report func(string)) (mcpserver.Result, error) {
	checked, _, err := r.checker.Check(string(raw))
	var args Arguments
	if err == nil {
		err = json.Unmarshal(checked, &args)
	}
	if err != nil {
		return mcpserver.Fail("invalid_arguments", fmt.Sprintf("Invalid arguments for run: %v. Nothing was run.", err)), nil
	}
	p, err := r.permit(ctx, args)
	if err != nil {
		return *refusal(err), nil
	}
	if p.past != nil {
		return account(ctx, p.past, headless.Options{Init: headless.Init{SessionID: args.SessionID}, Stop: context.Background()}), nil
	}
	select {
	case r.places <- struct{}{}:
	default:
		return mcpserver.Fail("busy", fmt.Sprintf("%d runs are at work, and no more go at once: call run again when one has ended.", atOnce)), nil
	}
	a := &assignment{runs: r, args: args, report: report}
	if failure := a.begin(ctx, p); failure != nil {
		<-r.places
		return *failure, nil
	}
	// A run that is cancelled takes its time to end; whoever called does not wait.
	done := make(chan mcpserver.Result, 1)
	r.pending.Go(func() {
		defer func() { <-r.places }()
		done <- a.follow(ctx)
	})
	select {
	case result := <-done:
		return result, nil
	case <-ctx.Done():
		return mcpserver.Result{}, context.Cause(ctx)
	}
}

// wait waits until no run is followed any more.
func (r *runs) wait() {
	ended := make(chan struct{})
	go func() { r.pending.Wait(); close(ended) }()
	late := time.NewTimer(endWait)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C: // the sessions are processes of their own and go on to their end
	}
}

// assignment is one run while it goes.
type assignment struct {
	runs    *runs
	args    Arguments
	report  func(string)
	session *attach.Client
}

// begin starts or finds the session. What it returns says why there is none.
func (a *assignment) begin(ctx context.Context, p permitted) *mcpserver.Result {
	socket := p.socket
	if socket == "" {
		started, err := detach.Start(ctx, detach.Command{
			Environ: a.runs.opts.Environ, Dir: p.dir, Log: a.runs.opts.App.Loaded.Places.DebugLog(),
		}, detach.Request{
			Session: app.SessionRequest{Resume: a.args.SessionID, Prompt: a.args.Prompt != ""}, Settings: p.settings, Headless: true,
		})
		var failed *detach.FailedError
		if errors.As(err, &failed) {
			f := mcpserver.Fail("failed", fmt.Sprintf("The run did not begin: %s (exit code %d)", failed.Text, failed.Code))
			return &f
		}
		if err != nil {
			return refusal(err)
		}
		for _, line := range started.Warnings {
			a.report("warning: " + line)
		}
		socket = started.Socket
	}
	var err error
	if a.session, err = attach.Dial(ctx, socket, app.Version()); err != nil {
		return refusal(err)
	}
	a.session.Seen(0, 0, false) // a program, and nobody who looks
	id := a.session.Info().SessionID
	a.report(fmt.Sprintf("session %s (ml-intern attach %s shows it)", id, id[:min(8, len(id))]))
	return nil
}

// refusal is the result of a run that did not begin.
func refusal(err error) *mcpserver.Result {
	code := "failed"
	var no *deniedError
	if errors.As(err, &no) {
		code = no.code
	}
	f := mcpserver.Fail(code, "The run did not begin: "+err.Error())
	return &f
}

// follow submits the prompt and follows the session to the end of its turn. A
// cancelled call interrupts it. When the client or this program goes, it is left
// like by a terminal that was closed.
func (a *assignment) follow(ctx context.Context) mcpserver.Result {
	alone, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	stop, interrupt := context.WithCancelCause(context.Background())
	defer interrupt(nil)
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), context.Canceled) {
			interrupt(headless.ErrInterrupted)
			return
		}
		leave()
	})()
	defer a.session.Close()
	info := a.session.Info()
	a.runs.told.Delete(info.SessionID)
	end := account(alone, &watched{Client: a.session, told: newTold(a.report)}, headless.Options{
		Prompt: a.args.Prompt, After: info.After, Stop: stop, Init: headless.Init{SessionID: info.SessionID},
	})
	if alone.Err() == nil {
		a.runs.told.Store(info.SessionID, true)
	}
	return end
}

// account follows a session to the end of its turn and gives account of it.
func account(ctx context.Context, s headless.Session, o headless.Options) mcpserver.Result {
	var out bytes.Buffer
	o.Stdout, o.Stderr, o.Format = &out, io.Discard, headless.JSON
	headless.Run(ctx, s, o)
	return result(out.Bytes())
}

// watched is a session that tells what it does while it is followed.
type watched struct {
	*attach.Client
	told *told
}

func (w *watched) Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for ev, err := range w.Client.Follow(ctx, after) {
			if err == nil {
				w.told.event(ev)
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}
