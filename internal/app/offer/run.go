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
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
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
	// resultLength bounds the final message, in characters, and sourcesShown what
	// it cites.
	resultLength = 100_000
	sourcesShown = 100
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
	select {
	case r.places <- struct{}{}:
	default:
		return mcpserver.Fail("busy", fmt.Sprintf("%d runs are at work, and no more go at once: call run again when one has ended.", atOnce)), nil
	}
	a := &assignment{runs: r, args: args, report: report}
	if failure := a.begin(ctx); failure != nil {
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
func (a *assignment) begin(ctx context.Context) *mcpserver.Result {
	p, err := a.runs.permit(ctx, a.args)
	if err != nil {
		return refusal(err)
	}
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
	if a.session, err = attach.Dial(ctx, socket, app.Version()); err != nil {
		return refusal(err)
	}
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
	var out bytes.Buffer
	info := a.session.Info()
	headless.Run(alone, &watched{Client: a.session, told: newTold(a.report)}, headless.Options{
		Stdout: &out, Stderr: io.Discard, Format: headless.JSON, Prompt: a.args.Prompt, After: info.After, Stop: stop,
		Init: headless.Init{SessionID: info.SessionID, Model: info.Settings.Model, Workdir: info.Cwd, Tools: info.Tools, Version: info.Version},
	})
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

// account is what programs are told of a run: of the result of a headless run,
// what another agent can use.
type account struct {
	SessionID      string          `json:"session_id"`
	ExitCode       int             `json:"exit_code"`
	Status         string          `json:"status"`
	Result         string          `json:"result"`
	CostUSD        float64         `json:"total_cost_usd"`
	CostIncomplete bool            `json:"cost_incomplete"`
	ModelCalls     int             `json:"model_calls"`
	DurationMS     int64           `json:"duration_ms"`
	Jobs           json.RawMessage `json:"jobs"`
	Artifacts      json.RawMessage `json:"artifacts"`
	Sources        []source        `json:"sources"`
	Unverified     []string        `json:"unverified,omitempty"`
	Error          json.RawMessage `json:"error,omitempty"`
}

// source is one thing that the result cites.
type source struct {
	ID    string `json:"id"`
	URL   string `json:"url"`
	Title string `json:"title,omitempty"`
}

// result is what a headless run has printed, for another agent.
func result(raw []byte) mcpserver.Result {
	var in struct {
		account
		Subtype string           `json:"subtype"`
		Calls   int              `json:"num_iterations"`
		Sources []event.Evidence `json:"sources"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return mcpserver.Fail("internal", "the end of the run cannot be read: "+err.Error())
	}
	out := in.account
	out.Status, out.ModelCalls, out.Sources = in.Subtype, in.Calls, []source{}
	for _, e := range evidence.Cited(out.Result, in.Sources) {
		if len(out.Sources) < sourcesShown {
			out.Sources = append(out.Sources, source{e.ID, e.URL, e.Title})
		}
	}
	if head := excerpt.Head(out.Result, resultLength); head != out.Result {
		out.Result = head + "\n… (cut; ml-intern sessions show " + out.SessionID + " has all of it)"
	}
	structured, err := event.Encode(out)
	if err != nil {
		return mcpserver.Fail("internal", "the end of the run cannot be told: "+err.Error())
	}
	return mcpserver.Result{Text: out.text(), Failed: out.ExitCode != headless.ExitOK, Structured: structured}
}

// text is the account for models and people.
func (r account) text() string {
	var parts []string
	if r.Result != "" {
		parts = append(parts, r.Result)
	}
	var failure struct{ Message, Hint string }
	if json.Unmarshal(r.Error, &failure) == nil && failure.Message != "" {
		parts = append(parts, strings.TrimSpace("Error: "+failure.Message+"\n"+failure.Hint))
	}
	cost := strconv.FormatFloat(r.CostUSD, 'f', 4, 64) + " USD"
	if r.CostIncomplete {
		cost += " and what has no known price"
	}
	parts = append(parts, fmt.Sprintf("[session %s: %s, exit code %d, %d model calls, %s; run with this session_id goes on]",
		r.SessionID, r.Status, r.ExitCode, r.ModelCalls, cost))
	return strings.Join(parts, "\n\n")
}
