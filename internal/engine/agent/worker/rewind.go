package worker

import (
	"context"
	"fmt"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// notRecorded is why files cannot be put back.
const notRecorded = "no changes of files are recorded in this session"

// Undo takes the last turns back: what was said, and what their calls have
// changed in the workspace.
func (w *Worker) Undo(ctx context.Context, op event.Undo) {
	w.Rewind(ctx, event.Rewind{Turns: op.Turns, Conversation: true, Files: w.checkpoints != nil})
}

// Rewind is Undo for a choice of the two. A crash between the files and the
// journal leaves the turns in the conversation: asked again, the rest is done.
func (w *Worker) Rewind(ctx context.Context, op event.Rewind) {
	if !op.Conversation && !op.Files {
		w.Refuse(ctx, "a rewind needs the conversation, the files or both", "")
		return
	}
	w.Abandon(ctx)
	w.LeaveUnfinished(ctx)
	n := max(op.Turns, 1)
	var done event.UndoComplete
	at, cut := w.conversation.Len(), w.inForce[max(0, len(w.inForce)-n):]
	done.Turns = len(cut)
	if op.Conversation {
		turns := window.Turns(w.conversation.Messages(), w.conversation.Said(), w.inForce)
		taken := window.Last(turns, n)
		if len(taken) == 0 && len(turns) > 0 {
			w.Refuse(ctx, fmt.Sprintf("the last %d turns were condensed into one summary and cannot be told apart any more", turns[len(turns)-1].Count()),
				"Take them all back, or begin a new conversation.")
			return
		}
		at, done.Turns = window.Start(w.conversation.Messages(), taken), 0
		for _, t := range taken {
			done.Turns += t.Count()
		}
		_, cut = history.CutTurns(w.inForce, w.conversation.Said(), w.conversation.People(at))
	}
	done.Removed = w.conversation.Len() - at
	switch {
	case !op.Files || len(cut) == 0:
	case w.checkpoints == nil:
		done.Problem = notRecorded
	default:
		done.Restored = w.checkpoints.Undo(ctx, history.TurnIDs(cut))
	}
	files := len(done.Files)+len(done.Conflicts) > 0
	w.cut(ctx, history.ReasonUndo, at, history.Undone{Begun: cut, Turns: done.Turns, Files: files}, done)
}

// Truncate removes the n-th message of a person and what follows.
func (w *Worker) Truncate(ctx context.Context, op event.Truncate) {
	w.Abandon(ctx)
	w.LeaveUnfinished(ctx)
	kept, removed, found := window.Truncate(w.conversation.Messages(), op.UserMessageIndex)
	if !found {
		w.Refuse(ctx, "there is no user message with that index", "")
		return
	}
	w.cut(ctx, history.ReasonTruncate, len(kept), history.Undone{}, event.TruncateComplete{Removed: removed})
}

// cut shortens the history to its first messages, keeps in undone what that
// takes away, for a redo, and tells everything in one write.
func (w *Worker) cut(ctx context.Context, reason string, at int, undone history.Undone, done event.Payload) {
	if at == w.conversation.Len() {
		if undone.Files {
			w.undone = append(w.undone, undone)
		}
		w.Tell(ctx, done)
		return
	}
	undone.Plan = w.plan.Items()
	w.inForce, undone.Begun = history.CutTurns(w.inForce, w.conversation.Said(), w.conversation.People(at))
	undone.Messages, undone.Said = w.conversation.Cut(at)
	w.undone = append(w.undone, undone)
	plan := window.PlanAt(w.conversation.Messages())
	if plan == nil && len(undone.Begun) > 0 { // its call may have been condensed
		plan = undone.Begun[0].Plan
	}
	ps := w.plan.Replace(plan)
	w.Tell(ctx, append(append([]event.Payload{w.wholeHistory(reason)}, ps...), done)...)
}

// Redo takes the newest undo back.
func (w *Worker) Redo(ctx context.Context) {
	n := len(w.undone)
	if n == 0 {
		w.Refuse(ctx, "there is nothing to redo", "Only what was undone since the last message can be brought back.")
		return
	}
	last := w.undone[n-1]
	w.undone = w.undone[:n-1]
	done := event.RedoComplete{Added: len(last.Messages), Turns: last.Turns}
	switch {
	case last.Files && w.checkpoints == nil:
		done.Problem = notRecorded
	case last.Files:
		done.Restored = w.checkpoints.Redo(ctx, history.TurnIDs(last.Begun))
	}
	var ps []event.Payload
	if len(last.Messages) > 0 {
		w.conversation.Restore(last.Messages, last.Said)
		w.inForce = slices.Concat(w.inForce, last.Begun)
		plan := w.plan.Replace(last.Plan)
		ps = append([]event.Payload{w.wholeHistory(history.ReasonRedo)}, plan...)
	}
	w.Tell(ctx, append(ps, done)...)
}
