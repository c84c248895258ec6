package protocol

import "encoding/json"

// Notification is what a session tells.
type Notification struct {
	SessionID string `json:"sessionId"`
	Update    Update `json:"update"`
}

// Update is one thing a session tells.
type Update interface{ update() }

// The kinds of updates.
const (
	UserChunk    = "user_message_chunk"
	AgentChunk   = "agent_message_chunk"
	ThoughtChunk = "agent_thought_chunk"
)

type (
	// Chunk is a piece of a message; Kind is one of the three above. Pieces with
	// the same MessageID are one message.
	Chunk struct {
		Kind      string `json:"sessionUpdate"`
		Content   Block  `json:"content"`
		MessageID string `json:"messageId,omitempty"`
	}
	// Call announces a call of a tool, and CallChange what becomes of it.
	Call struct {
		Kind string `json:"sessionUpdate"` // tool_call
		CallFields
	}
	// CallChange replaces the fields that are not empty.
	CallChange struct {
		Kind string `json:"sessionUpdate"` // tool_call_update
		CallFields
	}
	// CallFields are what is known of a call.
	CallFields struct {
		ID        string          `json:"toolCallId"`
		Title     string          `json:"title,omitempty"`
		Name      string          `json:"name,omitempty"` // of the tool
		ToolKind  string          `json:"kind,omitempty"`
		Status    string          `json:"status,omitempty"`
		Content   []Content       `json:"content,omitempty"`
		Locations []Location      `json:"locations,omitempty"`
		RawInput  json.RawMessage `json:"rawInput,omitempty"`
		RawOutput any             `json:"rawOutput,omitempty"`
	}
	// Location is a place in a file.
	Location struct {
		Path string `json:"path"`           // absolute
		Line int    `json:"line,omitempty"` // from 1
	}
	// Content is a part of what a call shows: a Block, or a Diff.
	Content struct {
		Type  string `json:"type"` // content or diff
		Block *Block `json:"content,omitempty"`
		*Diff
	}
	// Diff is what becomes of a file. OldText is nil for a new one.
	Diff struct {
		Path    string  `json:"path"`
		OldText *string `json:"oldText"`
		NewText string  `json:"newText"`
	}
	// Plan is the whole plan.
	Plan struct {
		Kind    string      `json:"sessionUpdate"` // plan
		Entries []PlanEntry `json:"entries"`
	}
	// PlanEntry is one step of it.
	PlanEntry struct {
		Content  string `json:"content"`
		Priority string `json:"priority"` // high, medium or low
		Status   string `json:"status"`   // pending, in_progress or completed
	}
	// Commands are those that a prompt may begin with, behind a slash.
	Commands struct {
		Kind     string    `json:"sessionUpdate"` // available_commands_update
		Commands []Command `json:"availableCommands"`
	}
	// Command is one of them.
	Command struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Input       *Input `json:"input,omitempty"`
	}
	// Input is what a command takes.
	Input struct {
		Hint string `json:"hint"`
	}
	// ModeChange tells the mode in force.
	ModeChange struct {
		Kind    string `json:"sessionUpdate"` // current_mode_update
		Current string `json:"currentModeId"`
	}
	// OptionChange tells all options, as they are now.
	OptionChange struct {
		Kind   string   `json:"sessionUpdate"` // config_option_update
		Config []Option `json:"configOptions"`
	}
	// InfoChange tells the title of the session.
	InfoChange struct {
		Kind      string `json:"sessionUpdate"` // session_info_update
		Title     string `json:"title,omitempty"`
		UpdatedAt string `json:"updatedAt,omitempty"`
	}
	// Usage tells how full the context is, in tokens, and what the session has
	// cost.
	Usage struct {
		Kind string `json:"sessionUpdate"` // usage_update
		Used int    `json:"used"`
		Size int    `json:"size"`
		Cost *Cost  `json:"cost,omitempty"`
	}
	// Cost is an amount of money.
	Cost struct {
		Amount   float64 `json:"amount"`
		Currency string  `json:"currency"`
	}
	// Notice tells the person something in passing; only a client that says it
	// can show them gets them.
	Notice struct {
		Kind        string `json:"sessionUpdate"` // notice
		Severity    string `json:"severity"`      // info, warning or error
		Title       string `json:"title"`
		Description string `json:"description,omitempty"`
	}
	// Compaction tells that the conversation was condensed; only a client that
	// says it can show that gets it.
	Compaction struct {
		Kind   string `json:"sessionUpdate"` // compaction_update
		ID     string `json:"compactionId"`
		Status string `json:"status"` // completed
	}
)

func (Chunk) update()        {}
func (Call) update()         {}
func (CallChange) update()   {}
func (Plan) update()         {}
func (Commands) update()     {}
func (ModeChange) update()   {}
func (OptionChange) update() {}
func (InfoChange) update()   {}
func (Usage) update()        {}
func (Notice) update()       {}
func (Compaction) update()   {}

// The states of a call.
const (
	Pending    = "pending"
	InProgress = "in_progress"
	Completed  = "completed"
	Failed     = "failed"
)

// Shown is a Content of text.
func Shown(text string) Content {
	block := Text(text)
	return Content{Type: "content", Block: &block}
}

// Changed is a Content of a difference.
func Changed(d Diff) Content { return Content{Type: "diff", Diff: &d} }

type (
	// PermissionRequest asks a person about a call.
	PermissionRequest struct {
		SessionID string             `json:"sessionId"`
		Call      CallFields         `json:"toolCall"`
		Options   []PermissionOption `json:"options"`
	}
	// PermissionOption is an answer that can be given. Kind is allow_once,
	// allow_always, reject_once or reject_always.
	PermissionOption struct {
		ID   string `json:"optionId"`
		Name string `json:"name"`
		Kind string `json:"kind"`
	}
	// PermissionResponse is the answer that was given, or that there is none.
	PermissionResponse struct {
		Outcome struct {
			Outcome  string `json:"outcome"` // selected or cancelled
			OptionID string `json:"optionId"`
		} `json:"outcome"`
	}
)
