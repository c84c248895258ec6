// Package hook holds the words between a session and the commands that people
// put beside its moments: what a command is told, and what commands may decide.
// It runs nothing and knows no settings.
package hook

import "encoding/json"

// Moment is when a command runs.
type Moment string

// The moments.
const (
	// PreToolUse comes before a call is judged: it may be refused, permitted,
	// made to ask, or get other arguments.
	PreToolUse Moment = "PreToolUse"
	// PostToolUse comes when a call that ran has ended, before its result is told.
	PostToolUse Moment = "PostToolUse"
	// UserPromptSubmit comes before a person's message enters the conversation.
	UserPromptSubmit Moment = "UserPromptSubmit"
	// SessionStart comes when a session begins or goes on, SessionEnd when it is
	// left.
	SessionStart Moment = "SessionStart"
	SessionEnd   Moment = "SessionEnd"
	// Stop comes before an answer ends the turn: it may send the agent on.
	Stop Moment = "Stop"
	// Notification comes when a person should look.
	Notification Moment = "Notification"
	// PreCompact comes before the conversation is condensed.
	PreCompact Moment = "PreCompact"
	// JobFinished comes when a job on the Hub or a background command has ended.
	JobFinished Moment = "JobFinished"
)

// Moments lists them all.
func Moments() []Moment {
	return []Moment{
		PreToolUse, PostToolUse, UserPromptSubmit, SessionStart, SessionEnd, Stop, Notification, PreCompact, JobFinished,
	}
}

// Kinds of moments, beside which a matcher picks.
const (
	// Of SessionStart.
	Startup = "startup"
	Resume  = "resume"
	New     = "new"
	// Exit is the SessionEnd that no other session follows.
	Exit = "exit"
	// Of PreCompact.
	Manual = "manual"
	Auto   = "auto"
)

// Input is what is told of a moment. Fields that do not belong to it are empty.
type Input struct {
	Moment    Moment
	SessionID string
	// AgentID names the sub-agent whose call it is.
	AgentID string
	// Cwd is the working directory, Mode the approval mode.
	Cwd, Model, Mode string

	// Tool calls. Alias is another name of the tool, such as mcp__server__tool.
	Tool, Alias, ToolCallID string
	Arguments               json.RawMessage
	// Output and OK are the result, of PostToolUse.
	Output string
	OK     bool

	// Prompt is a person's message.
	Prompt string
	// Kind is what a matcher picks from where there is no tool: how a session
	// starts or ends, what condenses it, what a notification is about, how a job
	// has ended. Kinds are other names of the same.
	Kind  string
	Kinds []string
	// Text is the answer that would end the turn, or a notification.
	Text string
	// Again says that Stop has sent the agent on since the last message.
	Again bool
	// Instructions say what a person wants the summary to keep.
	Instructions string
	Job          *Job
}

// Job is work that has ended: on the Hub, or a command in the background.
type Job struct {
	ID     string   `json:"id"`
	Where  string   `json:"where"`  // "hub" or "local"
	Status string   `json:"status"` // the Hub's stage; COMPLETED or ERROR for a command
	Flavor string   `json:"flavor,omitempty"`
	WallS  float64  `json:"wall_time_s,omitempty"`
	USD    *float64 `json:"estimated_cost_usd,omitempty"`
	// Of a command: its line, its exit code, and the file with its output.
	Command string `json:"command,omitempty"`
	Exit    *int   `json:"exit_code,omitempty"`
	Log     string `json:"log,omitempty"`
}

// Decision is what commands decide about a moment; empty leaves it as it is.
type Decision string

// The decisions. Deny also keeps a message back, and sends the agent on at Stop.
const (
	Allow Decision = "allow"
	Ask   Decision = "ask"
	Deny  Decision = "deny"
)

// Answer is what the commands beside a moment have decided together.
type Answer struct {
	Decision Decision
	Reason   string
	// By names the command that the decision, else the new arguments, came from.
	By string
	// Context is for the model.
	Context string
	// UpdatedInput takes the place of a call's arguments; nil leaves them.
	UpdatedInput json.RawMessage
	// Warnings say what has gone wrong, for a person, each once a session.
	Warnings []string
}

// Decided reports whether there is anything to be told.
func (a Answer) Decided() bool {
	return a.Decision != "" || a.Context != "" || a.UpdatedInput != nil
}
