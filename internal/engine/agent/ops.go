package agent

import (
	"context"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/budget"
	"github.com/ml-intern/ml-intern/internal/engine/agent/conversation"
	"github.com/ml-intern/ml-intern/internal/engine/agent/record"
	"github.com/ml-intern/ml-intern/internal/engine/agent/sources"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

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
			kept, removed := window.Undo(a.conversation.Messages())
			return kept, event.UndoComplete{Removed: removed}, true
		})
	case event.Truncate:
		a.rewind(ctx, "truncate", func() (kept []llm.Message, done event.Payload, ok bool) {
			kept, removed, found := window.Truncate(a.conversation.Messages(), op.UserMessageIndex)
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
	a.abandon(ctx)
	a.leaveUnfinished(ctx)
	if a.dead {
		a.opError(ctx, "this session has ended because its context cannot shrink any further", "Start a new one.")
		return
	}
	a.beginTurn(ctx, sub, text)
}

func (a *Agent) opError(ctx context.Context, text, hint string) {
	a.emit(ctx, event.Error{Error: text, Code: "internal", Class: string(llm.ClassInvalidRequest), Hint: hint})
}

// rewind shortens the history by whole turns.
func (a *Agent) rewind(ctx context.Context, reason string, cut func() ([]llm.Message, event.Payload, bool)) {
	a.abandon(ctx)
	kept, done, ok := cut()
	if !ok {
		a.opError(ctx, "there is no user message with that index", "")
		return
	}
	if len(kept) != a.conversation.Len() {
		plan := append([]event.PlanItem{}, window.PlanAt(kept)...)
		changed := !slices.Equal(plan, a.plan.Items())
		a.plan.Set(plan)
		a.rewrite(ctx, reason, kept)
		if changed {
			a.emit(ctx, event.PlanUpdate{Plan: plan})
		}
	}
	a.emit(ctx, done)
}

// rewrite replaces the history and tells the new one in full.
func (a *Agent) rewrite(ctx context.Context, reason string, messages []llm.Message) {
	a.conversation.Replace(messages)
	a.tellHistory(ctx, reason)
}

// tellHistory tells the whole history.
func (a *Agent) tellHistory(ctx context.Context, reason string) {
	a.emit(ctx, event.HistoryRewritten{Reason: reason, Messages: a.conversation.Messages(), Plan: a.plan.Items()})
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
	a.abandon(ctx)
	a.emit(ctx, event.NewComplete{
		SessionID: opened.SessionID, PreviousSessionID: a.sessionID(), PreviousTurnCount: a.turns,
		PreviousMessageCount: a.conversation.Len(), ClearScreen: op.ClearScreen,
	})
	a.swap(ctx, opened)
}

// resume goes on in a saved session. What was unfinished in it is closed when
// the next text comes.
func (a *Agent) resume(ctx context.Context, op event.Resume) {
	if strings.TrimSpace(op.Path) == "" {
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
	a.abandon(ctx)
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
	s := o.State
	if s == nil {
		s = &history.State{}
	}
	messages := slices.Clone(s.Messages)
	a.freshSystem = !keepSystem && len(messages) > 0 && messages[0].Role == llm.System
	if a.freshSystem {
		messages[0] = llm.Message{Role: llm.System, Text: a.opts.System()}
	}
	a.mu.Lock()
	a.id, a.record = o.SessionID, record.New(o.Journal, a.inbox.Close, s.Repos)
	a.mu.Unlock()
	a.plan.Set(s.Plan)
	a.conversation = conversation.New(a.toolbox.Specs(), messages, s.MessageIDs)
	a.budget, a.sources = budget.New(s.Spend), sources.New(s)
	a.turns, a.gates, a.warned = s.Turns, s.Gates, map[string]bool{}
	a.turn, a.gate, a.restored, a.facts = nil, nil, s, nil
	a.dead, a.longWait, a.lastCall, a.attached = s.Terminated, false, "", false
	a.inbox.Restore(s.Queue)
}
