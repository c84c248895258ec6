// Package delegate runs sub-agents: a task, given away by a tool call, is done
// by an agent with a history of its own. It may only look: every call is judged
// by what it declares, and what is not read-only, asks, costs money or reaches
// others is refused in words. Whatever ends a task, what was found comes back.
// The package knows neither the main conversation nor what a task is about.
package delegate

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/budget"
	"github.com/ml-intern/ml-intern/internal/engine/agent/conversation"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/agent/hooking"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
	"github.com/ml-intern/ml-intern/internal/engine/agent/sources"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Host is a session as its sub-agents see it. Run may be called from several
// goroutines.
type Host struct {
	Options *setup.Options
	// Settings are the values in force.
	Settings func() setup.Settings
	// Session is what the delegating call sees of its session.
	Session *execution.Session
	Money   *budget.Budget
	Sources *sources.Sources
	Hooks   *hooking.Hooks
	// Running is told every goroutine.
	Running *sync.WaitGroup
}

// What a delegation is bound by where it does not say so itself, and the bounds
// it cannot change.
const (
	defaultRounds   = 60
	defaultParallel = 6
	defaultTime     = 15 * time.Minute
	defaultRoom     = 20_000 // characters of one call's output
	// grace is how long calls may take to end after an interrupt: what was found
	// is reported within a second.
	grace = 500 * time.Millisecond
	// fewest is the least room that a call's output has, in characters.
	fewest = 2000
)

var errTime = errors.New("the time for the task is over")

// subagent is one sub-agent at work.
type subagent struct {
	host    Host
	task    tool.Delegation
	id      string
	box     *execution.Toolbox
	talk    *conversation.Conversation
	turn    *progress.Progress
	model   string
	window  int // tokens, 0 when unknown
	warned  bool
	retried bool // the context was refused once

	mu     sync.Mutex // guards report while calls run
	report tool.Report
}

// Run does a task for the call callID. Its events carry the call's id. It
// returns within a second after ctx is done.
func (h Host) Run(ctx context.Context, callID string, d tool.Delegation) tool.Report {
	d.Rounds, d.Parallel = cmp.Or(max(d.Rounds, 0), defaultRounds), cmp.Or(max(d.Parallel, 0), defaultParallel)
	d.Room = cmp.Or(max(d.Room, 0), defaultRoom)
	d.Time, d.Kind = cmp.Or(max(d.Time, 0), defaultTime), cmp.Or(d.Kind, llm.KindResearch)
	a := &subagent{host: h, task: d, id: cmp.Or(callID, randomID()), turn: progress.New("", 1)}
	a.model = cmp.Or(d.Model, h.Settings().Model)
	ctx, cancel := context.WithTimeoutCause(ctx, d.Time, errTime)
	defer cancel()
	a.log("Starting " + d.Tool + " sub-agent...")
	defer func() {
		if a.report.Reason != "" {
			a.log(a.report.Reason)
		}
		a.log(strings.ToUpper(d.Tool[:min(1, len(d.Tool))]) + d.Tool[min(1, len(d.Tool)):] + " complete.")
	}()
	if err := a.begin(ctx); err != nil {
		a.report.Reason = err.Error()
		return a.finished()
	}
	a.loop(ctx)
	return a.finished()
}

func randomID() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// begin lays out the tools and the conversation.
func (a *subagent) begin(ctx context.Context) (err error) {
	if a.box, err = execution.New(a.task.Tools); err != nil {
		return err
	}
	a.talk = conversation.New(a.box.Specs(), nil, nil, 0)
	info, err := a.host.Options.Describe(ctx, a.model)
	if err != nil {
		return fmt.Errorf("the model %s cannot be used: %w", a.model, err)
	}
	a.window = info.Window
	a.talk.Follow(a.model, info.TokenFactor)
	a.tell(
		a.talk.Add(llm.Message{Role: llm.System, Text: a.task.System}),
		a.talk.Add(llm.Message{Role: llm.User, Text: a.task.Task}),
	)
	return nil
}

// finished is the report; calls that were given up add nothing to it any more.
func (a *subagent) finished() tool.Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.report
	r.Evidence = slices.Clone(r.Evidence)
	return r
}

// loop goes on until there is an answer or a reason to stop.
func (a *subagent) loop(ctx context.Context) {
	for !a.stopped(ctx) {
		if reason := a.full(); reason != "" {
			a.conclude(ctx, reason)
			return
		}
		says, _, end := a.turn.Before(a.talk.Messages())
		if end != "" {
			a.conclude(ctx, "it repeated the same calls without getting further")
			return
		}
		for _, text := range append(says, a.hint()) {
			a.say(text)
		}
		if !a.round(ctx) {
			return
		}
	}
}

// stopped reports whether nothing may be done any more, and notes why.
func (a *subagent) stopped(ctx context.Context) bool {
	if ctx.Err() == nil {
		return false
	}
	switch {
	case tool.Interrupted(ctx):
		a.report.Reason = "interrupted by the user"
	case errors.Is(context.Cause(ctx), errTime):
		a.report.Reason = fmt.Sprintf("the time limit of %s was reached", a.task.Time)
	default:
		a.report.Reason = "the program is ending"
	}
	return true
}

// full says why the sub-agent must come to an end: its rounds are used up, or
// its model's window nearly is.
func (a *subagent) full() string {
	tokens := a.talk.Meter().Tokens()
	switch {
	case a.report.Rounds >= a.task.Rounds:
		return fmt.Sprintf("the limit of %d rounds was reached", a.task.Rounds)
	case a.window > 0 && tokens*100 >= a.window*92:
		return fmt.Sprintf("the model's window of %d tokens is nearly full", a.window)
	case a.window > 0 && tokens*100 >= a.window*80 && !a.warned:
		a.warned = true
		a.log("80 % of the model's window is used: it is told to come to an end")
		a.say("[SYSTEM: Most of your context is used up. Look up only what the answer cannot do without, then write it.]")
	}
	return ""
}

// hint is what the model is told once the calls of a cut answer are done.
func (a *subagent) hint() string {
	text := a.turn.Hint
	a.turn.Hint = ""
	return text
}

// say adds a message of the engine's own.
func (a *subagent) say(text string) {
	if text != "" {
		a.tell(a.talk.Add(llm.Message{Role: llm.User, Text: text, Synthetic: true}))
	}
}

// round makes one model call and does what follows from it; it reports whether
// to go on.
func (a *subagent) round(ctx context.Context) bool {
	reply, err := a.ask(ctx, llm.ToolAuto)
	if err != nil {
		return a.failed(ctx, err)
	}
	next := a.turn.Read(reply)
	m := reply.Message
	if next.Store {
		m = a.store(reply)
	}
	switch {
	case next.Fault != nil:
		a.report.Reason = next.Fault.Error
		return false
	case next.Stop != "":
		a.conclude(ctx, "its answers were cut or empty ("+next.Stop+")")
		return false
	case next.Answer != nil:
		a.report.Text = *next.Answer
		return false
	case next.Calls, len(a.talk.Open()) > 0:
		if end := a.turn.Round(m.ToolCalls); end != "" {
			a.conclude(ctx, "it repeated the same calls without getting further")
			return false
		}
		a.batch(ctx)
	}
	a.say(next.Say)
	return true
}

// conclude asks for the answer as it can be given now, without tools.
func (a *subagent) conclude(ctx context.Context, reason string) {
	a.log(reason + ": writing down what was found")
	a.tell(a.talk.Stub(func(llm.ToolCall) string { return "Not executed: the task must come to an end." })...)
	a.say("[SYSTEM: You cannot call tools any more. Write the answer now from what you have found, in the form you were " +
		"asked for. Say what is missing; do not fill it in.]")
	a.shorten()
	reply, err := a.ask(ctx, llm.ToolNone)
	a.report.Reason = reason
	switch {
	case a.stopped(ctx):
	case err != nil:
		a.report.Reason = reason + "; " + err.Error()
	default:
		reply.Message.ToolCalls = nil
		a.report.Text = a.store(reply).Text
	}
}

// batch judges the open calls and runs those that only look.
func (a *subagent) batch(ctx context.Context) {
	open := a.talk.Open()
	calls := make([]*execution.Call, len(open))
	for i, c := range open {
		calls[i] = a.prepare(ctx, c)
	}
	if !a.host.Hooks.Before(ctx, a.box, a.append, a.id, calls) {
		return
	}
	for _, p := range calls {
		if a.refuse(p); p.Risk.Poll {
			a.turn.Polls(p.ID)
		}
	}
	results := execution.Run(ctx, a.session(len(calls)), calls, a.task.Parallel, a.host.Running)
	if a.host.Session.Leaving() {
		return
	}
	for i, c := range calls {
		a.talk.Result(c.ToolCall, results[i].Output)
	}
	a.talk.Order()
}

// prepare looks a call up and refuses it unless it only looks. Nothing of a
// call that is refused is looked up on the way.
func (a *subagent) prepare(ctx context.Context, c llm.ToolCall) *execution.Call {
	p := a.box.Shown(c, []byte(c.Arguments))
	if a.refuse(p); p.Failure != "" {
		return p
	}
	p = a.box.Prepare(ctx, c)
	a.refuse(p)
	return p
}

// refuse gives a call that is not for sub-agents its failed result.
func (a *subagent) refuse(p *execution.Call) {
	name := strings.TrimSpace(p.Name + " " + p.Risk.Operation)
	switch r := p.Risk; {
	case !p.Known():
		p.Failure = fmt.Sprintf("%s is not available for %s. The tools are: %s.", p.Name, a.task.Tool, strings.Join(a.names(), ", "))
	case p.Failure != "":
	case a.turn.Refused != "":
		p.Failure = fmt.Sprintf("%s was not run: you have called it again and again with the same result. Try something else.", name)
	case !r.ReadOnly(), r.Outward, r.Gate != tool.Open, r.Cost != nil:
		p.Failure = fmt.Sprintf("%s is not available for %s: a sub-agent may only look, and this would change, send or spend something. "+
			"Say in the answer what should be done.", name, a.task.Tool)
	case a.host.Sources.Carries(p.Name, p.Args) != "":
		p.Failure = fmt.Sprintf("%s was not run: the address would tell %s what was read here. Nothing but the page's own address is needed.",
			name, a.host.Sources.Carries(p.Name, p.Args))
	default:
		v := a.host.Options.Policy.JudgeSub(policy.Call{
			ID: p.ID, Name: p.Name, Args: p.Args, Risk: r, Outside: a.host.Sources.Outside(), Permitted: p.Permitted, Asks: p.Asks,
		})
		if v.Action != policy.Run {
			p.Failure = fmt.Sprintf("%s is not available for %s: %s.", name, a.task.Tool, v.Reason)
		}
	}
}

func (a *subagent) names() []string {
	var names []string
	for _, s := range a.box.Specs() {
		names = append(names, s.Name)
	}
	return names
}
