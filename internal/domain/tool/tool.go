// Package tool holds the words for what an agent can do: a tool, how risky one
// of its calls is, the surroundings it runs in and its result. It knows no
// tool and does no I/O.
package tool

import (
	"context"
	"encoding/json"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Tool is something the model can call. Implementations are safe for
// concurrent calls.
type Tool interface {
	// Spec is constant for the life of the tool.
	Spec() Spec
	// Risk judges one call. Arguments have passed the schema; it may look at
	// the file system but changes nothing.
	Risk(args json.RawMessage) Risk
	// Run does the work. The tool's own failure is a Result that is not OK; an
	// error means that the call did not happen. It returns within a second
	// after ctx is done.
	Run(ctx context.Context, env Env, args json.RawMessage) (Result, error)
}

// Spec describes a tool to the model.
type Spec struct {
	Name        string
	Description string
	// Parameters is the JSON schema of the arguments, sent byte for byte.
	Parameters json.RawMessage
	// MaxOutput is the most characters a result has; the tool cuts by itself.
	// 0 lets the engine cut at 30,000, keeping head and tail.
	MaxOutput int
	// Synonyms are not told to the model.
	Synonyms Synonyms
	// Example are good arguments, shown with a refusal of bad ones; nil for
	// none.
	Example json.RawMessage
}

// Synonyms are other names and values that a tool takes at its top level. They
// are replaced before anything is checked.
type Synonyms struct {
	// Names maps another name to the argument's own.
	Names map[string]string
	// Values maps, for an argument, another value to its own; letter case and
	// blanks do not matter.
	Values map[string]map[string]string
}

// Gate says whether a call asks before any mode or rule is considered.
type Gate int

// The gates.
const (
	// Open calls run without asking.
	Open Gate = iota
	// Ask calls need an approval that the mode may give.
	Ask
	// Always calls need a person's approval in every mode.
	Always
)

// Risk is what one call could do.
type Risk struct {
	// Effect says what repeating it would do; calls with effect Pure or Read
	// are the read-only ones.
	Effect event.Effect
	Gate   Gate
	// Reason tells a person why it asks, in a few words.
	Reason string
	// Alias is another name by which permission rules know the tool:
	// "mcp__<server>__<tool>" for one of another server; empty for none.
	Alias string
	// Operation is the named operation within the tool, for rules and people.
	Operation string
	// Command is the shell command a call runs on the user's machine.
	Command string
	// Dir is the directory Command runs in.
	Dir string
	// Writes are the real absolute paths of files a call changes.
	Writes []string
	// Reads are the real absolute paths of files a call shows to the model.
	Reads []string
	// Outward marks acts that others can see or that send data out.
	Outward bool
	// Outside marks calls whose result is text that others have written: files
	// of repositories, what a foreign server answers. A call that notes no
	// evidence itself is noted by the engine.
	Outside bool
	// Own marks calls whose result may be nobody's but the user's although it
	// has a source, such as a file of a private repository.
	Own bool
	// Cost is what the call may spend at worst; nil for calls that cost nothing.
	Cost *Cost
	// Lane orders calls: those that share a non-empty lane run in call order.
	Lane string
	// Poll marks a call that only waits for something to change.
	Poll bool
}

// ReadOnly reports whether the call changes nothing.
func (r Risk) ReadOnly() bool { return r.Effect == event.Pure || r.Effect == event.Read }

// Cost is a worst-case estimate.
type Cost struct {
	Kind event.SpendKind
	// MicroUSD is millionths of a dollar; Known is false when there is no
	// estimate, and Reason then says why.
	MicroUSD   int64
	Known      bool
	Reason     string
	USDPerHour float64
	Source     string // live, static, measured or unknown
}

// Result is what a call gives back to the model.
type Result struct {
	Output string
	OK     bool
	// Heard is the address whose own words a failure repeats, if it does: they
	// are text from outside, as much as a page is.
	Heard string
	// ActualMicroUSD replaces the reservation of a call with a cost; nil keeps
	// the estimate as what was spent.
	ActualMicroUSD *int64
	// Holding names the outside thing, such as "job:acme/66aa…", that goes on
	// costing after the call: the reservation stays open under the call's id,
	// and the tool settles it through its Session.
	Holding string
}

// Failed returns a failed result.
func Failed(output string) Result { return Result{Output: output} }

// Success returns a good result.
func Success(output string) Result { return Result{Output: output, OK: true} }

// Env is what a running call may use of its session.
type Env interface {
	SessionID() string
	// TurnID is the turn of the call, unique in the session; empty outside of
	// conversations.
	TurnID() string
	// Model is the session's model; empty where none is at work.
	Model() string
	CallID() string
	// Log emits one progress line.
	Log(line string)
	// State emits a step in the call's life; only State and the extra fields
	// of change are used.
	State(change event.ToolStateChange)
	// Effect records, durably, the outside thing the call has made.
	Effect(ref string) error
	// Emit appends a telemetry event.
	Emit(p event.Payload)
	Plan() []event.PlanItem
	// SetPlan replaces the plan and announces it.
	SetPlan(items []event.PlanItem)
	// Evidence notes, durably, what the call has looked up, and returns its mark
	// ("S12"): the session numbers it. The ledger holds 5,000 entries; behind
	// them the mark is empty. What a call reports so is text from outside: from
	// then on, until the user's next message, outward acts ask.
	Evidence(e event.Evidence) string
	// Room is how many characters the call's output may have: the tool's own
	// limit in a session, less in a sub-agent.
	Room() int
	// Delegate lets an agent with a history of its own do a task and returns
	// what it found, also when it had to stop early.
	Delegate(ctx context.Context, d Delegation) Report
	// Steered is closed when a person has said something that waits for the
	// turn's next model call: a call that only waits ends then. A nil channel
	// never is.
	Steered() <-chan struct{}
	// Abandoned reports, to Recover, that the turn of the call is not taken up
	// again: what has become of the call is told without waiting for its end.
	Abandoned() bool
}

// Outcome is what a keyed tool finds out about an earlier call.
type Outcome int

// The outcomes.
const (
	// Unknown: it cannot be told; the call is not repeated.
	Unknown Outcome = iota
	// Happened: the effect is there; Result tells of it.
	Happened
	// NotHappened: the effect is not there; the call may run.
	NotHappened
)

// KeyedTool is a tool with calls of effect Keyed: its effect can be found again
// after a crash.
type KeyedTool interface {
	Tool
	// Intent returns what Recover will need. It is journalled before Run.
	Intent(ctx context.Context, env Env, args json.RawMessage) (json.RawMessage, error)
	// Recover looks for the effect of an earlier, interrupted Run.
	Recover(ctx context.Context, env Env, args, intent json.RawMessage) (Outcome, Result, error)
}

// Resolver is a tool whose arguments may name something that changes, such as
// the path of a script. Resolve replaces the name by what it means now: what
// it returns is shown, judged and run. Arguments it has resolved before come
// back as they are.
type Resolver interface {
	Tool
	Resolve(ctx context.Context, args json.RawMessage) (json.RawMessage, error)
}

// Closer is a tool that holds something (processes, connections) which ends
// with its session.
type Closer interface {
	Close(ctx context.Context) error
}

// NeedsApproval is the feedback of a tool_state_change "rejected" that no
// person gave: the run has nobody who could approve.
const NeedsApproval = "approval_required"
