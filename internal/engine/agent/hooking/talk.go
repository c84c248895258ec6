package hooking

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

const (
	// maxSent is how often in a row Stop may send the agent on.
	maxSent = 5
	// endLimit bounds what a session's end waits for.
	endLimit = 5 * time.Second
)

// Start asks what stands beside the beginning of a session, while the session gets
// ready; the first model call waits for it. running is told the goroutine.
func (h *Hooks) Start(ctx context.Context, tell Teller, kind string, running *sync.WaitGroup) {
	if h.none() {
		return
	}
	ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	answer := make(chan hook.Answer, 1)
	h.starting = answer
	running.Go(func() { answer <- h.ask(ctx, tell, hook.Input{Moment: hook.SessionStart, Kind: kind}) })
}

// End asks what stands beside the end of a session, for five seconds at most.
func (h *Hooks) End(ctx context.Context, kind string) {
	if h.none() {
		return
	}
	h.cancel()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	h.ask(ctx, func(ps ...event.Payload) error { return nil }, hook.Input{Moment: hook.SessionEnd, Kind: kind})
}

// Prompt asks about a person's message and reports whether it may enter the
// conversation. One that begins a turn and is kept back ends the turn with an
// error. A message that was not decided about when the program ends is kept for
// the next run, without a word.
func (h *Hooks) Prompt(ctx context.Context, tell Teller, submission, text string, begins bool) (enters bool) {
	if h.none() {
		return true
	}
	h.sent = 0
	in := hook.Input{Moment: hook.UserPromptSubmit, Prompt: text}
	a := h.ask(ctx, tell, in)
	if ctx.Err() != nil && !tool.Interrupted(ctx) {
		return false
	}
	if a.Decision != hook.Deny {
		h.keep(in.Moment, a)
		return true
	}
	ev := told(in, a)
	if !begins {
		ev.SubmissionID = submission
		_ = tell(ev) // the session knows and ends
		return false
	}
	_ = tell(ev, event.Error{
		Error: "a hook of yours keeps the message back: " + a.Reason, Code: "hook", Class: string(llm.ClassInvalidRequest),
		Hint: "Nothing of it has entered the conversation. /hooks, or ml-intern hooks, lists what runs beside messages.",
	})
	return false
}

func (h *Hooks) keep(moment hook.Moment, a hook.Answer) {
	if a.Decided() {
		h.waiting, h.moments = append(h.waiting, a), append(h.moments, moment)
	}
}

// Take returns what the model is to be told, empty for nothing, and the events
// that tell it. It waits for the hooks of the session's start.
func (h *Hooks) Take(ctx context.Context) (text string, ps []event.Payload) {
	if h.starting != nil {
		select {
		case a := <-h.starting:
			h.starting = nil
			h.keep(hook.SessionStart, a)
		case <-ctx.Done():
			return "", nil
		}
	}
	var lines []string
	for i, a := range h.waiting {
		ps = append(ps, told(hook.Input{Moment: h.moments[i]}, a))
		if a.Context != "" {
			lines = append(lines, string(h.moments[i])+": "+a.Context)
		}
	}
	h.waiting, h.moments = nil, nil
	if len(lines) > 0 {
		text = "[SYSTEM: HOOK] " + strings.Join(lines, "\n")
	}
	return text, ps
}

// Stop asks about an answer that would end the turn, and reports whether the turn
// is over; say sends the agent on. A turn that was not decided about when the
// program ends goes on in the next run.
func (h *Hooks) Stop(ctx context.Context, tell Teller, answer string) (say string, over bool) {
	if h.none() {
		return "", true
	}
	in := hook.Input{Moment: hook.Stop, Text: answer, Again: h.sent > 0}
	a := h.ask(ctx, tell, in)
	if a.Decision != hook.Deny {
		return "", ctx.Err() == nil || tool.Interrupted(ctx)
	}
	if h.sent == maxSent {
		_ = tell(event.ToolLog{Tool: "system", Log: fmt.Sprintf("a Stop hook has sent the agent on %d times in a row: the turn ends", maxSent)})
		return "", true
	}
	h.sent++
	_ = tell(told(in, a)) // the session knows and ends
	return "[SYSTEM: HOOK] A hook of the user's wants you to go on: " + words(a), false
}

// Compact asks what stands beside the condensing of the conversation and returns
// what the summary must keep. A person's request may be refused; what must be done
// for want of room is not.
func (h *Hooks) Compact(ctx context.Context, tell Teller, manual bool, wishes string) (string, error) {
	if h.none() {
		return wishes, nil
	}
	in := hook.Input{Moment: hook.PreCompact, Kind: hook.Auto, Instructions: wishes}
	if manual {
		in.Kind = hook.Manual
	}
	a := h.ask(ctx, tell, in)
	if !a.Decided() {
		return wishes, nil
	}
	_ = tell(told(in, a)) // the session knows and ends
	if a.Decision == hook.Deny && manual {
		return "", errors.New("a hook of yours forbids it: " + a.Reason)
	}
	return strings.TrimSpace(wishes + "\n" + a.Context), nil
}
