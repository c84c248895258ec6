// Package setup says what an agent is made of: its settings, its ports, and how
// it comes by other sessions. It makes nothing itself.
package setup

import (
	"cmp"
	"context"
	"errors"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/observer"
	"github.com/ml-intern/ml-intern/internal/engine/agent/record"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Sessions opens other sessions for the operations new and resume.
type Sessions interface {
	// New opens an empty session.
	New(ctx context.Context) (Opened, error)
	// Resume opens a saved session by path, id or number.
	Resume(ctx context.Context, path string) (Opened, error)
}

// Opened is a session that is ready to go on.
type Opened struct {
	SessionID string
	Journal   record.Journal
	State     *history.State
	// Complete is what resume_complete tells; nil for a new session.
	Complete *event.ResumeComplete
	// Checkpoints are those of the session; nil for none.
	Checkpoints Checkpoints
	// SavedPath is the file of the session that is left; nil for none.
	SavedPath *string
	// Close releases the journal that was open before. It is called once the
	// conversation goes on in this session and the old journal holds its last
	// event (new_complete, or resume_complete with this session's id), so that
	// whoever follows it reads that event and then its end.
	Close func() error
}

// Checkpoints remembers what calls change in the workspace. It is called by one
// session; its methods may be called from any goroutine. Turn ids are unique in
// a session: the turns behind an undo get new ones.
type Checkpoints interface {
	// Begin notes the workspace before a call that may change it and returns
	// what to call after it. What that returns is told; it is nil when nothing
	// has changed. Errors are the checkpoints' own to tell: a call never fails
	// for want of a checkpoint. The end is called once for every begin, also when
	// the call has failed, was interrupted or has outlived its turn; calls run
	// side by side.
	Begin(ctx context.Context, turnID string, call tool.Risk, callID string) (end func(ctx context.Context, toolName string) *event.Checkpoint)
	// Undo puts back what the calls of these turns have changed, newest first.
	// Files that somebody else has changed since are conflicts and stay. Turns
	// that have changed nothing, or were undone before, are passed over.
	Undo(ctx context.Context, turnIDs []string) event.Restored
	// Redo takes the newest Undo of exactly these turns back, if it holds: one of
	// an earlier run of the program too. There may be none, where nothing was put
	// back.
	Redo(ctx context.Context, turnIDs []string) event.Restored
}

// Hooks runs the commands that people have put beside the moments of a session.
// It may be called from any goroutine.
type Hooks interface {
	// Ask runs what stands beside a moment and returns what was decided. It comes
	// back at once when ctx is done, then without a decision. Failures of a
	// command are warnings and decide nothing.
	Ask(ctx context.Context, in hook.Input) hook.Answer
}

// Settings are the values a session runs with.
type Settings struct {
	Model  string
	Effort llm.Effort
	// Stream emits text as it arrives; otherwise whole messages.
	Stream bool
	// MaxIterations bounds the model calls of a turn that may use tools; a
	// negative value is unlimited, 0 makes no call at all.
	MaxIterations int
	// MaxParallel bounds the tools that run at once.
	MaxParallel int
	// CapMicroUSD is the spending cap of the session in millionths of a dollar,
	// 0 for none. CapByUser says that a person set it: then an unknown price
	// refuses the call.
	CapMicroUSD int64
	CapByUser   bool
	// UsageGates opens a gate at each usage threshold; otherwise a log line.
	UsageGates bool
	// Headless means that nobody can answer.
	Headless bool
	Workdir  string
	Version  string
	Runtime  string // local or sandbox
}

// Told are the settings that a settings event holds.
type Told struct {
	Model       string
	Effort      llm.Effort
	CapMicroUSD int64
	Workdir     string
	Runtime     string
}

// Told are those of s.
func (s Settings) Told() Told {
	return Told{s.Model, s.Effort, s.CapMicroUSD, s.Workdir, s.Runtime}
}

// Options make an Agent.
type Options struct {
	SessionID string
	Journal   record.Journal
	// State is the folded journal of a session that goes on; nil for a new one.
	State    *history.State
	Caller   *inference.Caller
	Describe func(ctx context.Context, id string) (llm.Info, error)
	// Count asks the provider how many tokens a request has, where that is
	// free; ok is false where it cannot tell. It may be nil.
	Count func(ctx context.Context, req llm.Request) (tokens int, ok bool)
	Tools []tool.Tool
	// Joining returns all tools beside Tools as they are now, such as those of
	// other servers. It is asked at the beginning of each turn and may wait a
	// little for some that are about to come; what it makes is closed by whoever
	// made it. It may be nil.
	Joining  func(ctx context.Context) []tool.Tool
	Policy   *policy.Policy
	Settings Settings
	// System renders the system prompt; it is called once a session.
	System func() string
	// KeepSystem keeps the stored system prompt of State.
	KeepSystem bool
	// ScrubStream returns a filter for one streamed answer; nil passes all.
	ScrubStream func() observer.Filter
	Sessions    Sessions
	// Checkpoints may be nil: then no change of a file can be undone.
	Checkpoints Checkpoints
	// Hooks may be nil: then nothing stands beside any moment.
	Hooks Hooks
	// Debug receives what only an operator should see, such as stack traces;
	// nil drops it.
	Debug func(text string)
}

// defaultParallel is how many tools run at once where nothing else is set.
const defaultParallel = 16

// Check names what is missing, and fills in defaults.
func (o *Options) Check() error {
	if o.Journal == nil || o.Caller == nil || o.Describe == nil || o.Policy == nil || o.System == nil {
		return errors.New("make agent: Journal, Caller, Describe, Policy and System are required")
	}
	if o.Debug == nil {
		o.Debug = func(string) {}
	}
	if o.Settings.MaxParallel <= 0 {
		o.Settings.MaxParallel = defaultParallel
	}
	return nil
}

// Event tells settings with the approval mode in force. The window of a local
// model that was never asked for it is left out: nobody waits here.
func (o *Options) Event(ctx context.Context, s Settings) event.Settings {
	ev := event.Settings{
		Model: s.Model, Effort: cmp.Or(string(s.Effort), "off"), ApprovalMode: string(o.Policy.Mode()),
		ToolRuntime: s.Runtime, Cwd: s.Workdir,
	}
	if s.CapMicroUSD > 0 {
		usd := policy.USD(s.CapMicroUSD)
		ev.MaxCostUSD = &usd
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if info, err := o.Describe(ctx, s.Model); err == nil && (info.WindowKnown || !info.Local) {
		ev.Window = info.Window
	}
	return ev
}
