package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// firstWarning is the spending, in USD, at which the first warning comes.
const firstWarning = 5.0

// handle performs one operation to its end.
func (a *Agent) handle(ctx context.Context, sub event.Submission) {
	switch op := sub.Operation.(type) {
	case event.UserInput:
		a.userInput(ctx, sub, op.Text)
	case event.Steer:
		a.userInput(ctx, sub, op.Text)
	case event.ExecApproval:
		a.resolve(ctx, op)
	case event.Undo:
		a.rewind(ctx, "undo", func() (kept []llm.Message, done event.Payload, ok bool) {
			kept, removed := window.Undo(a.messages)
			return kept, event.UndoComplete{Removed: removed}, true
		})
	case event.Truncate:
		a.rewind(ctx, "truncate", func() (kept []llm.Message, done event.Payload, ok bool) {
			kept, removed, found := window.Truncate(a.messages, op.UserMessageIndex)
			return kept, event.TruncateComplete{Removed: removed}, found
		})
	case event.Compact:
		a.compactNow(ctx)
	case event.NewChat:
		a.newChat(ctx, op)
	case event.Resume:
		a.resume(ctx, op)
	case event.Interrupt:
		if a.gate != nil {
			a.interrupted(ctx)
		}
	}
}

// userInput begins a turn with a person's text.
func (a *Agent) userInput(ctx context.Context, sub event.Submission, text string) {
	if a.dead {
		a.opError(ctx, "this session has ended because its context cannot shrink any further", "Start a new one.")
		return
	}
	a.abandon(ctx)
	a.beginTurn(ctx, sub, text)
}

func (a *Agent) opError(ctx context.Context, text, hint string) {
	a.emit(ctx, event.Error{Error: text, Code: "internal", Class: string(llm.ClassInvalidRequest), Hint: hint})
}

// settleGate leaves a waiting turn behind before the history changes.
func (a *Agent) settleGate(ctx context.Context) {
	a.abandon(ctx)
	a.turn = nil
}

// rewind shortens the history by whole turns.
func (a *Agent) rewind(ctx context.Context, reason string, cut func() ([]llm.Message, event.Payload, bool)) {
	a.settleGate(ctx)
	kept, done, ok := cut()
	if !ok {
		a.opError(ctx, "there is no user message with that index", "")
		return
	}
	if len(kept) != len(a.messages) {
		a.setPlan(window.PlanAt(kept))
		a.rewrite(ctx, reason, kept)
	}
	a.emit(ctx, done)
}

// rewrite replaces the history and tells the new one in full.
func (a *Agent) rewrite(ctx context.Context, reason string, messages []llm.Message) {
	a.messages = messages
	a.meter.Recount(messages)
	a.emit(ctx, event.HistoryRewritten{Reason: reason, Messages: messages, Plan: a.currentPlan()})
}

// repair mends the history before a model call.
func (a *Agent) repair(ctx context.Context) {
	mended, changed := window.NormaliseFrom(a.messages, a.clean, nil)
	if changed {
		a.rewrite(ctx, "repair", mended)
	}
	a.clean = len(a.messages)
}

// newChat goes on in a fresh session of the same runtime.
func (a *Agent) newChat(ctx context.Context, op event.NewChat) {
	if a.opts.Sessions == nil {
		a.opError(ctx, "new chat failed: this front end keeps a single session", "")
		return
	}
	opened, err := a.opts.Sessions.New(ctx)
	if err != nil {
		a.opError(ctx, "new chat failed: "+err.Error(), "The conversation is unchanged.")
		return
	}
	a.settleGate(ctx)
	a.emit(ctx, event.NewComplete{
		SessionID: opened.SessionID, PreviousSessionID: a.sessionID(), PreviousTurnCount: a.turns,
		PreviousMessageCount: len(a.messages), ClearScreen: op.ClearScreen,
	})
	a.swap(ctx, opened)
}

// resume goes on in a saved session.
func (a *Agent) resume(ctx context.Context, op event.Resume) {
	if blank(op.Path) {
		a.opError(ctx, "resume failed: a path is required", "")
		return
	}
	if a.opts.Sessions == nil {
		a.opError(ctx, "resume failed: this front end keeps a single session", "")
		return
	}
	opened, err := a.opts.Sessions.Resume(ctx, op.Path)
	if err != nil {
		a.opError(ctx, "resume failed: "+err.Error(), "The conversation is unchanged.")
		return
	}
	a.settleGate(ctx)
	done := event.ResumeComplete{Path: op.Path}
	if opened.Complete != nil {
		done = *opened.Complete
		if done.InvalidSavedModel == nil && done.ModelName != "" {
			a.Change(func(s *Settings) { s.Model = done.ModelName })
		}
	}
	a.swap(ctx, opened)
	a.emit(ctx, done)
}

// swap leaves the old journal and goes over to another session.
func (a *Agent) swap(ctx context.Context, opened Opened) {
	a.adopt(opened, false)
	if opened.Close == nil {
		return
	}
	if err := opened.Close(); err != nil {
		a.note(ctx, "close the previous session: "+err.Error())
	}
}

// adopt takes over a session: its journal and, when it goes on, what its
// journal says.
func (a *Agent) adopt(o Opened, keepSystem bool) {
	set := a.Settings()
	a.mu.Lock()
	a.id, a.journal = o.SessionID, o.Journal
	a.mu.Unlock()
	a.messages, a.turns, a.gates, a.calls, a.nextMsg, a.clean = nil, 0, 0, 0, 0, 0
	a.turn, a.gate, a.restored, a.facts, a.dead, a.longWait = nil, nil, nil, nil, false, false
	a.ledger, a.soft = &policy.Ledger{}, firstWarning
	a.warned = map[string]bool{}
	a.setPlan(nil)
	a.meter = window.NewMeter(set.Model, 0)
	a.meter.SetTools(a.specs)
	if o.State != nil {
		a.restore(o.State, keepSystem)
	}
}

// restore fills the agent from a folded journal.
func (a *Agent) restore(s *history.State, keepSystem bool) {
	a.messages = slices.Clone(s.Messages)
	if !keepSystem && len(a.messages) > 0 && a.messages[0].Role == llm.System {
		a.messages[0] = llm.Message{Role: llm.System, Text: a.opts.System()}
		a.freshSystem = true
	}
	a.turns, a.gates, a.nextMsg = s.Turns, s.Gates, s.MessageIDs
	for id, entry := range s.Spend {
		a.ledger.Apply(entry)
		if entry.Kind == event.SpendLLM && strings.HasPrefix(id, "llm_") {
			a.calls++
		}
	}
	a.soft = policy.NextThreshold(a.spentUSD(), firstWarning)
	a.dead = s.Terminated
	a.setPlan(s.Plan)
	a.meter.Recount(a.messages)
	a.restored = s
	for _, in := range s.Queue {
		var op event.Operation = event.UserInput{Text: in.Text}
		if in.Steer {
			op = event.Steer{Text: in.Text}
		}
		a.queue.push(item{sub: event.Submission{ID: in.SubmissionID, Operation: op}, input: true})
	}
}

// compactNow is the compact operation.
func (a *Agent) compactNow(ctx context.Context) {
	a.settleGate(ctx)
	res, err := a.condense(ctx, true)
	if err != nil {
		a.opError(ctx, fmt.Sprintf("compaction failed: %v", err), "The conversation is unchanged.")
		return
	}
	a.emit(ctx, event.Compacted{OldTokens: res.OldTokens, NewTokens: res.NewTokens})
}
