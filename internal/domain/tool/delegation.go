package tool

import (
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Delegation is a task for an agent of its own. It sees only System and Task,
// and may make only calls that are read-only and need no approval; everything
// else is refused in words. Its events carry the id of the call that asked.
type Delegation struct {
	// Label names it to people, such as "research: batch size of…"; Tool is
	// the tool whose progress lines tell what it does.
	Tool, Label  string
	System, Task string
	Tools        []Tool
	// Model is the session's where empty; Effort max and xhigh become high.
	Model string
	Kind  llm.Kind
	// Rounds bounds the model calls that may use tools, Time the whole task,
	// Parallel the calls that run at once, and Room the characters of one
	// tool's output.
	Rounds, Parallel, Room int
	Time                   time.Duration
}

// Report is what a delegated task has come to.
type Report struct {
	// Text is the final answer; empty when there is none.
	Text string
	// Reason says why it ended early, in a few words; empty at a normal end.
	Reason string
	// Notes is the last text it wrote on the way, for an end without answer.
	Notes string
	// Evidence lists what it looked up, in order.
	Evidence []event.Evidence
	// Rounds are its model calls, Calls its tool calls, Tokens those of all
	// its model calls together.
	Rounds, Calls, Tokens int
}
