package hooks

import (
	"encoding/json"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
)

// told is what a command reads: one line of JSON. Some values stand in it twice,
// under the names that scripts written for Claude Code look for.
type told struct {
	Event      hook.Moment `json:"event"`
	Name       hook.Moment `json:"hook_event_name"`
	Session    string      `json:"session_id"`
	Transcript string      `json:"transcript_path"` // the session's journal, empty where none is kept
	Cwd        string      `json:"cwd"`
	Mode       string      `json:"permission_mode,omitempty"`
	Model      string      `json:"model,omitempty"`
	Agent      string      `json:"agent_id,omitempty"` // of a sub-agent's call

	Tool     string          `json:"tool_name,omitempty"`
	Alias    string          `json:"tool_alias,omitempty"`
	Input    json.RawMessage `json:"tool_input,omitempty"`
	Response *response       `json:"tool_response,omitempty"`
	Call     string          `json:"tool_call_id,omitempty"`
	Use      string          `json:"tool_use_id,omitempty"`

	Prompt  *string   `json:"prompt,omitempty"`
	Source  string    `json:"source,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Again   *bool     `json:"stop_hook_active,omitempty"`
	Answer  *string   `json:"last_assistant_message,omitempty"`
	Kind    string    `json:"notification_type,omitempty"`
	Text    *string   `json:"message,omitempty"`
	Trigger string    `json:"trigger,omitempty"`
	Wishes  *string   `json:"custom_instructions,omitempty"`
	Job     *hook.Job `json:"job,omitempty"`
}

// response is the result of a call.
type response struct {
	Output  string `json:"output"`
	Success bool   `json:"success"`
}

// message is what a command reads.
func message(in hook.Input, transcript string) ([]byte, error) {
	m := told{
		Event: in.Moment, Name: in.Moment, Session: in.SessionID, Transcript: transcript, Cwd: in.Cwd, Mode: in.Mode, Model: in.Model,
		Agent: in.AgentID,
	}
	switch in.Moment {
	case hook.PreToolUse, hook.PostToolUse:
		m.Tool, m.Alias, m.Input, m.Call, m.Use = in.Tool, in.Alias, in.Arguments, in.ToolCallID, in.ToolCallID
		if in.Moment == hook.PostToolUse {
			m.Response = &response{in.Output, in.OK}
		}
	case hook.UserPromptSubmit:
		m.Prompt = &in.Prompt
	case hook.SessionStart:
		m.Source = in.Kind
	case hook.SessionEnd:
		m.Reason = in.Kind
	case hook.Stop:
		m.Again, m.Answer = &in.Again, &in.Text
	case hook.Notification:
		m.Kind, m.Text = in.Kind, &in.Text
	case hook.PreCompact:
		m.Trigger, m.Wishes = in.Kind, &in.Instructions
	case hook.JobFinished:
		m.Job = in.Job
	}
	raw, err := event.Encode(m)
	if err != nil {
		return nil, fmt.Errorf("tell the %s hooks: %w", in.Moment, err)
	}
	return append(raw, '\n'), nil
}
