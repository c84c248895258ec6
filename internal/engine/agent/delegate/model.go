package delegate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/observer"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// ask makes one model call, within the session's cap.
func (a *subagent) ask(ctx context.Context, choice llm.ToolChoice) (inference.Reply, error) {
	reserved, err := a.reserve(ctx)
	if err != nil {
		return inference.Reply{}, err
	}
	a.talk.Mend()
	r, err := a.host.Options.Caller.Do(ctx, llm.Request{
		Model: a.model, Kind: a.task.Kind, SessionID: a.host.Session.SessionID, Messages: a.talk.Messages(), Tools: a.box.Specs(),
		Choice: choice, Effort: lowered(a.host.Settings().Effort),
	}, watcher{a})
	a.report.Rounds++
	switch {
	case err == nil:
		a.book(reserved, r)
	case ctx.Err() != nil && r.Usage.Total > 0: // what it had said is paid for
		r.Finish = "interrupted"
		a.book(reserved, r)
	case reserved != "":
		a.tell(a.host.Money.Close(reserved, nil, true)...)
	}
	if err != nil {
		return r, err
	}
	if r.ThinkingVoid {
		a.talk.VoidThinking()
	}
	if r.Overflow {
		return r, &llm.Fault{Class: llm.ClassOverflow, Provider: r.Info.Provider, Model: a.model, Text: "the model's context window is full"}
	}
	return progress.WithoutCutCalls(r), nil
}

// lowered is the effort of a sub-agent: the highest levels are for the main
// conversation.
func lowered(e llm.Effort) llm.Effort {
	if e == llm.EffortMax || e == llm.EffortXHigh {
		return llm.EffortHigh
	}
	return e
}

// errPaused says that no more may be spent.
var errPaused = errors.New("paused: the session's spending cap is reached")

// reserve sets the worst case of the next call aside; the id is empty where
// nothing has to be.
func (a *subagent) reserve(ctx context.Context) (id string, err error) {
	set := a.host.Settings()
	if set.CapMicroUSD <= 0 {
		return "", nil
	}
	info, err := a.host.Options.Describe(ctx, a.model)
	if err != nil || info.Local {
		return "", nil // the call itself will report what is wrong
	}
	if a.host.Money.Exhausted(set.CapMicroUSD) {
		return "", errPaused
	}
	worst, known := policy.WorstCase(a.talk.Meter().Tokens(), info.MaxOutput, info.Prices)
	if !known {
		if set.CapByUser {
			return "", fmt.Errorf("paused: the price of %s is unknown, so the spending cap cannot be kept", a.model)
		}
		return "", nil
	}
	cost := tool.Cost{Kind: event.SpendLLM, MicroUSD: worst, Known: true, Source: string(info.PriceSource)}
	id, ps, block := a.host.Money.ReserveModel(a.id, cost, set.CapMicroUSD)
	if block != nil {
		return "", fmt.Errorf("%w: %s", errPaused, block.BlockReason)
	}
	a.tell(ps...)
	return id, nil
}

// book tells what a call used and cost; reserved is its reservation, if it has
// one.
func (a *subagent) book(reserved string, r inference.Reply) {
	ps := []event.Payload{observer.Account(r, a.model)}
	if reserved != "" {
		ps = append(ps, a.host.Money.SettleModel(reserved, r.MicroUSD, r.PriceSource)...)
	} else {
		ps = append(ps, a.host.Money.ModelCall(r.MicroUSD, r.PriceSource))
	}
	a.report.Tokens += r.Usage.Total
	a.tell(append(ps, a.line(fmt.Sprintf("tokens:%d", a.report.Tokens)))...)
}

// store takes an answer into the conversation.
func (a *subagent) store(r inference.Reply) llm.Message {
	if r.Message.Empty() {
		return r.Message
	}
	var usage *llm.Usage
	if !r.Estimated {
		usage = &r.Usage
	}
	m, ps := a.talk.Answer(r.Message, usage)
	a.tell(ps...)
	if m.Text != "" && len(m.ToolCalls) > 0 {
		a.report.Notes = m.Text
	}
	return m
}

// failed decides what follows from a model call that did not succeed; it
// reports whether to go on.
func (a *subagent) failed(ctx context.Context, err error) bool {
	if a.stopped(ctx) {
		return false
	}
	var f *llm.Fault
	if !errors.As(err, &f) {
		a.report.Reason = err.Error()
		return false
	}
	switch {
	case progress.Overflow(f) && !a.retried:
		a.retried = true
		if a.window = f.Limit; a.window <= 0 {
			a.window = a.talk.Meter().Tokens() * 3 / 4
		}
		a.conclude(ctx, "the model's window is full")
		return false
	case f.Class == llm.ClassToolGeneration && !a.turn.ToolRetry:
		a.turn.ToolRetry = true
		a.say(fmt.Sprintf("[SYSTEM: Your last tool call could not be read by the provider: %s. Write it again as valid JSON.]", f.Message))
		return true
	}
	a.report.Reason = "the model call failed: " + f.Error()
	return false
}

// shorten cuts the results of calls until the conversation fits the window with
// room for an answer. The journal keeps them whole.
func (a *subagent) shorten() {
	limit := a.window * 80 / 100
	for room := 8000; a.window > 0 && room >= 250 && a.talk.Meter().Tokens() > limit; room /= 2 {
		messages := slices.Clone(a.talk.Messages())
		for i, m := range messages {
			if m.Role == llm.ToolRole && len(m.Text) > room {
				messages[i].Text = excerpt.Head(m.Text, room) + "\n… (cut)"
			}
		}
		a.talk.Replace(messages)
	}
}

// watcher sees a model call while it runs: only its log is told.
type watcher struct{ a *subagent }

func (watcher) Text(string)                {}
func (watcher) Thinking(string)            {}
func (watcher) Discard(string)             {}
func (w watcher) Log(line string)          { w.a.log(line) }
func (w watcher) Prompt() int              { return w.a.talk.Meter().Tokens() }
func (w watcher) Billed(r inference.Reply) { w.a.book("", r) }
