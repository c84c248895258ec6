package acp

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/question"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
)

// configureWait is how long a change of settings is waited for that an approval
// needs.
const configureWait = 15 * time.Second

// gate is an open approval request.
type gate struct {
	event.ApprovalRequired
	answered map[string]bool    // which of its calls
	ctx      context.Context    // ends when the gate is closed
	stop     context.CancelFunc // somebody has answered, or nobody will
	asking   bool
}

func newGate(ev event.ApprovalRequired) *gate {
	g := &gate{ApprovalRequired: ev, answered: map[string]bool{}}
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g
}

// settle notes the answer to a call and closes the gate with the last. It is
// called with the lock.
func (one *session) settle(c event.ToolStateChange) {
	if one.gate == nil || !slices.Contains([]string{"approved", "rejected", "abandoned"}, c.State) {
		return
	}
	one.gate.answered[c.ToolCallID] = true
	for _, asked := range one.gate.Tools {
		if !one.gate.answered[asked.ToolCallID] {
			return
		}
	}
	one.closeGate()
	if c.State == "abandoned" {
		one.open = false
	}
}

// closeGate is called with the lock.
func (one *session) closeGate() {
	if one.gate != nil {
		one.gate.stop()
		one.gate = nil
	}
}

// askOpen asks the editor's person about the open gate, once.
func (one *session) askOpen() {
	one.mu.Lock()
	defer one.mu.Unlock()
	g := one.gate
	if g == nil || g.asking {
		return
	}
	g.asking = true
	one.work.Go(func() {
		ctx, cancel := context.WithCancel(one.ctx)
		defer cancel()
		stop := context.AfterFunc(g.ctx, cancel)
		defer stop()
		if err := one.ask(ctx, g); err != nil && ctx.Err() == nil {
			one.notice("error", "the approval was not answered: "+err.Error())
		}
	})
}

// ask asks about each call and hands the answers over.
func (one *session) ask(ctx context.Context, g *gate) error {
	var answers []event.Approval
	var change event.Configure
	one.mu.Lock()
	o := question.Options{Options: one.opened.Sheet, Project: one.opened.Rule != nil}
	o.Money.Cap = one.settings.MaxCostUSD
	one.mu.Unlock()
	for _, q := range question.Of(g.ApprovalRequired, o) {
		w, err := one.askOne(ctx, q)
		if err != nil || w == nil {
			return err
		}
		answers = append(answers, w.Approval)
		change.Allow = append(change.Allow, w.Allow...)
		if w.Limit != nil {
			change.MaxCostUSD = w.Limit
		}
		if w.Project {
			one.keepRules(w.Allow)
		}
	}
	if len(change.Allow) > 0 || change.MaxCostUSD != nil {
		ctx, cancel := context.WithTimeout(ctx, configureWait)
		defer cancel()
		if _, err := one.do(ctx, change, event.TypeSettings); err != nil {
			one.notice("warning", err.Error())
		}
	}
	return one.opened.Session.Submit(ctx, event.Submission{ID: one.newID(), Operation: event.ExecApproval{Approvals: answers}})
}

// askOne asks about one call; nil is no answer: the turn is given up.
func (one *session) askOne(ctx context.Context, q question.Question) (*question.Answer, error) {
	r := protocol.PermissionRequest{SessionID: one.id, Call: q.Shown}
	for _, w := range q.Answers {
		r.Options = append(r.Options, w.PermissionOption)
	}
	var answer protocol.PermissionResponse
	err := one.server.conn.Call(ctx, protocol.RequestPermission, r, &answer)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, wire.ErrGone):
		return nil, nil // the gate stays open for whoever comes next
	case err != nil: // an editor that cannot ask must not leave the turn hanging
		no := q.Answers[len(q.Answers)-1]
		no.Approval.Feedback = "the editor could not ask: " + err.Error()
		one.notice("warning", no.Approval.Feedback)
		return &no, nil
	case answer.Outcome.Outcome != "selected":
		one.opened.Session.Interrupt()
		return nil, nil
	}
	one.act()
	at := slices.IndexFunc(q.Answers, func(w question.Answer) bool { return w.ID == answer.Outcome.OptionID })
	if at < 0 {
		return nil, errors.New("the editor has chosen an answer that was not offered")
	}
	return &q.Answers[at], nil
}

// keepRules keeps rules for the project.
func (one *session) keepRules(rules []string) {
	for _, rule := range rules {
		if err := one.opened.Rule(rule); err != nil {
			one.notice("warning", "the rule "+rule+" holds for this session only: "+err.Error())
		}
	}
}
