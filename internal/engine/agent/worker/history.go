package worker

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/conversation"
)

// hear appends what a person has said, and reports whether a hook lets it. begins
// says that the turn begins with it.
func (w *Worker) hear(ctx context.Context, submission string, in event.UserInput, begins bool) bool {
	if !w.hooks.Prompt(ctx, w.teller(), submission, in.Text, begins) {
		return false
	}
	w.sources.Asked()
	heard := w.conversation.Hear(conversation.Person(in), event.Said{TurnID: w.turnID(), Shown: in.Shown})
	w.Tell(ctx, append([]event.Payload{heard}, w.hooked(ctx)...)...)
	return true
}

// hooked takes what hooks have for the model into the conversation and returns the
// events that tell it.
func (w *Worker) hooked(ctx context.Context) []event.Payload {
	text, ps := w.hooks.Take(ctx)
	if text != "" {
		ps = append(ps, w.conversation.Add(llm.Message{Role: llm.User, Text: text, Synthetic: true}))
	}
	return ps
}

// remember appends m to the history and tells it.
func (w *Worker) remember(ctx context.Context, m llm.Message) {
	w.Tell(ctx, w.conversation.Add(m))
}

// rememberSynthetic appends a message of the engine's own, in the user's role.
func (w *Worker) rememberSynthetic(ctx context.Context, text string) {
	w.remember(ctx, llm.Message{Role: llm.User, Text: text, Synthetic: true})
}

// ensureSystem puts the system prompt in front of the history, and tells one
// that was rendered anew.
func (w *Worker) ensureSystem(ctx context.Context) {
	switch messages := w.conversation.Messages(); {
	case len(messages) == 0:
		w.remember(ctx, llm.Message{Role: llm.System, Text: w.opts.System()})
	case messages[0].Role != llm.System:
		w.rewrite(ctx, "system_prompt", append([]llm.Message{{Role: llm.System, Text: w.opts.System()}}, messages...))
	case w.freshSystem:
		w.Tell(ctx, w.wholeHistory("system_prompt"))
	}
	w.freshSystem = false
}

// rewrite replaces the history and tells the new one in full.
func (w *Worker) rewrite(ctx context.Context, reason string, messages []llm.Message) {
	w.conversation.Replace(messages)
	w.Tell(ctx, w.wholeHistory(reason))
}

// wholeHistory tells the whole history.
func (w *Worker) wholeHistory(reason string) event.HistoryRewritten {
	return w.conversation.Rewritten(reason, w.plan.Items())
}
