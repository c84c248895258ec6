package execution

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// logLimit bounds the progress lines of one call, in bytes.
const logLimit = 256 << 10

// environment is what a running call sees of its session.
type environment struct {
	session *Session
	call    *Call

	mu     sync.Mutex
	logged int
	noted  bool // evidence was told
	// closed says that the call has its result: a tool that did not stop in
	// time changes nothing any more.
	closed bool
}

var _ tool.Env = (*environment)(nil)

func (e *environment) SessionID() string { return e.session.SessionID }
func (e *environment) TurnID() string    { return e.session.TurnID }
func (e *environment) Model() string     { return e.session.Model }
func (e *environment) CallID() string    { return e.call.ID }

func (e *environment) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
}

func (e *environment) Emit(p event.Payload) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		_ = e.session.Append(p) // the session knows and ends
	}
}

func (e *environment) Log(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.logged > logLimit {
		return
	}
	if e.logged += len(line); e.logged > logLimit {
		line = "more progress lines follow that are not shown"
	}
	_ = e.session.Append(event.ToolLog{Tool: e.call.Name, Log: line, ToolCallID: e.call.ID})
}

func (e *environment) State(change event.ToolStateChange) {
	change.ToolCallID, change.Tool = e.call.ID, e.call.Name
	e.Emit(change)
}

// Effect is told even by a call that was given up: what it has made is there.
func (e *environment) Effect(ref string) error {
	return e.session.Append(event.ToolEffect{ToolCallID: e.call.ID, ExternalRef: ref})
}

func (e *environment) Plan() []event.PlanItem { return e.session.Plan() }

// Steered is never closed where the session tells nobody.
func (e *environment) Steered() <-chan struct{} { return e.session.Steered }

func (e *environment) Abandoned() bool { return e.session.Abandoned }

func (e *environment) Evidence(entry event.Evidence) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.session.Evidence == nil {
		return ""
	}
	entry.ToolCallID = e.call.ID
	e.noted = true
	return e.session.Evidence(entry)
}

// outside notes the result of a call that is text from outside, where the tool
// has not said so itself.
func (e *environment) outside(output string) {
	e.mu.Lock()
	noted := e.noted
	e.mu.Unlock()
	if noted {
		return
	}
	sum := sha256.Sum256([]byte(output))
	e.Evidence(event.Evidence{
		Tool: e.call.Name, Operation: e.call.Risk.Operation, FetchedAt: time.Now().UTC(), SHA256: hex.EncodeToString(sum[:]),
	})
}

// keep hands on what may be nobody's but the user's: a result with no source
// outside, and what was read with the user's own rights.
func (e *environment) keep(output string) {
	e.mu.Lock()
	noted := e.noted
	e.mu.Unlock()
	if e.session.Keep != nil && (!noted || e.call.Risk.Own) {
		e.session.Keep(output)
	}
}

// heard notes an address whose words a failure repeats. It has no number: there
// is nothing to cite.
func (e *environment) heard(address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.noted = true
	if e.closed || e.session.Heard == nil {
		return
	}
	e.session.Heard(event.Evidence{
		Tool: e.call.Name, Operation: e.call.Risk.Operation, URL: address, FetchedAt: time.Now().UTC(), ToolCallID: e.call.ID,
	})
}

func (e *environment) Room() int {
	limit := e.call.tool.limit()
	if e.session.Room > 0 {
		limit = min(limit, e.session.Room)
	}
	return limit
}

func (e *environment) Delegate(ctx context.Context, d tool.Delegation) tool.Report {
	if e.session.Delegate == nil {
		return tool.Report{Reason: "this session has nobody to delegate to"}
	}
	r := e.session.Delegate(ctx, e.call.ID, d)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.noted = e.noted || len(r.Evidence) > 0 // what its text is made from is noted
	return r
}

func (e *environment) SetPlan(items []event.PlanItem) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.session.SetPlan(items)
	_ = e.session.Append(event.PlanUpdate{Plan: items})
}

// errJournal is why a call does not start when its intent cannot be told.
var errJournal = errors.New("the session's journal cannot be written")
