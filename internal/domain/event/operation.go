package event

import (
	"encoding/json"
	"fmt"
)

// Submission is one operation with an id that only serves logs.
type Submission struct {
	ID        string
	Operation Operation
}

// Operation is what can be asked of a session.
type Operation interface{ opType() string }

type (
	// UserInput is a person's message; during a turn it waits for the next one.
	// Shown is what the person typed, where Text holds more (files that were
	// mentioned, a command that was spelled out); empty when the two are the
	// same. Terms hold for the turn that it begins.
	UserInput struct {
		Text   string  `json:"text"`
		Shown  string  `json:"shown,omitempty"`
		Images []Image `json:"images,omitempty"`
		Terms  *Terms  `json:"terms,omitempty"`
	}
	// Steer is a message that joins a running turn before its next model call;
	// that turn keeps its own terms.
	Steer struct {
		Text   string  `json:"text"`
		Shown  string  `json:"shown,omitempty"`
		Images []Image `json:"images,omitempty"`
		Terms  *Terms  `json:"terms,omitempty"`
	}
	// ExecApproval answers the open gate.
	ExecApproval struct {
		Approvals []Approval `json:"approvals"`
	}
	// Undo removes the last turns (0 is 1) and takes back what their calls have
	// changed in the workspace.
	Undo struct {
		Turns int `json:"turns,omitempty"`
	}
	// Rewind is Undo for a choice of the two: the conversation, the files.
	Rewind struct {
		Turns        int  `json:"turns"`
		Conversation bool `json:"conversation"`
		Files        bool `json:"files"`
	}
	// Redo takes the last Undo or Rewind back, as long as nothing was said since.
	Redo struct{}
	// Truncate removes the n-th (0-based) user message and what follows.
	Truncate struct {
		UserMessageIndex int `json:"user_message_index"`
	}
	// Compact shortens the history now. Instructions say what the summary must
	// keep; they may be empty.
	Compact struct {
		Instructions string `json:"instructions,omitempty"`
	}
	// Configure changes the session's settings at once, outside the queue: the
	// fields that are not nil, and rules that permit. It is answered by a
	// settings event, or by an error that says why nothing was changed.
	Configure struct {
		Model        *string  `json:"model,omitempty"`
		Effort       *string  `json:"effort,omitempty"`
		ApprovalMode *string  `json:"approval_mode,omitempty"`
		MaxCostUSD   *float64 `json:"max_cost_usd,omitempty"` // 0 is unlimited
		Allow        []string `json:"allow,omitempty"`
	}
	// Servers asks how things stand with the MCP servers of the session, outside the
	// queue; Retry connects first to the one it names, to all that are away for "*".
	// It is answered by a servers event, or by an error.
	Servers struct {
		Retry string `json:"retry,omitempty"`
	}
	// Prompt asks an MCP server for one of its prompts, outside the queue. It is
	// answered by its text, which nobody has said then, or by an error.
	Prompt struct {
		Server    string            `json:"server"`
		Name      string            `json:"name"`
		Arguments map[string]string `json:"arguments,omitempty"`
	}
	// Rename gives the session a title.
	Rename struct {
		Title string `json:"title"`
	}
	// NewChat begins a fresh conversation in the same runtime.
	NewChat struct {
		ClearScreen bool `json:"clear_screen"`
	}
	// Resume loads a saved session.
	Resume struct {
		Path string `json:"path"`
	}
	// Interrupt ends the running turn; it overtakes the queue.
	Interrupt struct{}
	// ShutdownOp saves and ends the session.
	ShutdownOp struct{}
)

// Terms are what holds for one turn and no longer.
type Terms struct {
	// Model makes its calls; empty is the session's.
	Model string `json:"model,omitempty"`
	// Allow are rules that permit, beside the session's own.
	Allow []string `json:"allow,omitempty"`
}

// Image is a picture in a person's message.
type Image struct {
	MediaType string `json:"media_type"` // image/png, image/jpeg, image/gif or image/webp
	Data      string `json:"data"`       // base64
}

// Approval is the answer to one gated call.
type Approval struct {
	ToolCallID      string          `json:"tool_call_id"`
	Approved        bool            `json:"approved"`
	Feedback        string          `json:"feedback,omitempty"`
	EditedScript    string          `json:"edited_script,omitempty"`
	EditedArguments json.RawMessage `json:"edited_arguments,omitempty"`
	Namespace       string          `json:"namespace,omitempty"`
}

func (UserInput) opType() string    { return "user_input" }
func (Steer) opType() string        { return "steer" }
func (ExecApproval) opType() string { return "exec_approval" }
func (Undo) opType() string         { return "undo" }
func (Truncate) opType() string     { return "truncate" }
func (Rewind) opType() string       { return "rewind" }
func (Redo) opType() string         { return "redo" }
func (Compact) opType() string      { return "compact" }
func (Configure) opType() string    { return "configure" }
func (Servers) opType() string      { return "mcp_servers" }
func (Prompt) opType() string       { return "mcp_prompt" }
func (Rename) opType() string       { return "rename" }
func (NewChat) opType() string      { return "new" }
func (Resume) opType() string       { return "resume" }
func (Interrupt) opType() string    { return "interrupt" }
func (ShutdownOp) opType() string   { return "shutdown" }

// decoders is the closed set of operations.
func decoders() map[string]func(json.RawMessage) (Operation, error) {
	return map[string]func(json.RawMessage) (Operation, error){
		"user_input":    decodeOp[UserInput],
		"steer":         decodeOp[Steer],
		"exec_approval": decodeOp[ExecApproval],
		"undo":          decodeOp[Undo],
		"truncate":      decodeOp[Truncate],
		"rewind":        decodeOp[Rewind],
		"redo":          decodeOp[Redo],
		"compact":       decodeOp[Compact],
		"configure":     decodeOp[Configure],
		"mcp_servers":   decodeOp[Servers],
		"mcp_prompt":    decodeOp[Prompt],
		"rename":        decodeOp[Rename],
		"new":           decodeOp[NewChat],
		"resume":        decodeOp[Resume],
		"interrupt":     decodeOp[Interrupt],
		"shutdown":      decodeOp[ShutdownOp],
	}
}

func decodeOp[O Operation](data json.RawMessage) (Operation, error) {
	var op O
	if len(data) == 0 || string(data) == "null" {
		return op, nil
	}
	if err := json.Unmarshal(data, &op); err != nil {
		return nil, fmt.Errorf("read the data of operation %s: %w", op.opType(), err)
	}
	return op, nil
}

// MarshalJSON writes {"id","operation":{"op_type","data"}}.
func (s Submission) MarshalJSON() ([]byte, error) {
	var out struct {
		ID        string `json:"id"`
		Operation struct {
			OpType string    `json:"op_type"`
			Data   Operation `json:"data"`
		} `json:"operation"`
	}
	out.ID, out.Operation.OpType, out.Operation.Data = s.ID, s.Operation.opType(), s.Operation
	return Encode(out)
}

// UnmarshalJSON reads {"id","operation":{"op_type","data"}}; an unknown
// op_type is an error that names it.
func (s *Submission) UnmarshalJSON(data []byte) error {
	var in struct {
		ID        string `json:"id"`
		Operation struct {
			OpType string          `json:"op_type"`
			Data   json.RawMessage `json:"data"`
		} `json:"operation"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("read submission: %w", err)
	}
	decode, ok := decoders()[in.Operation.OpType]
	if !ok {
		return fmt.Errorf("read submission: unknown op_type %q", in.Operation.OpType)
	}
	op, err := decode(in.Operation.Data)
	if err != nil {
		return err
	}
	s.ID, s.Operation = in.ID, op
	return nil
}
