package event

// Type is the event_type of an event.
type Type string

// The event types, in the order of the catalogue. Names and meaning are those
// of the Python original; the last group is ours.
const (
	TypeReady             Type = "ready"
	TypeProcessing        Type = "processing"
	TypeAssistantChunk    Type = "assistant_chunk"
	TypeStreamEnd         Type = "assistant_stream_end"
	TypeAssistantMessage  Type = "assistant_message"
	TypeLLMCall           Type = "llm_call"
	TypeToolCall          Type = "tool_call"
	TypeToolOutput        Type = "tool_output"
	TypeToolLog           Type = "tool_log"
	TypeToolStateChange   Type = "tool_state_change"
	TypeApprovalRequired  Type = "approval_required"
	TypePlanUpdate        Type = "plan_update"
	TypeTurnComplete      Type = "turn_complete"
	TypeError             Type = "error"
	TypeInterrupted       Type = "interrupted"
	TypeCompacted         Type = "compacted"
	TypeSessionTerminated Type = "session_terminated"
	TypeUndoComplete      Type = "undo_complete"
	TypeNewComplete       Type = "new_complete"
	TypeResumeComplete    Type = "resume_complete"
	TypeSessionUpdate     Type = "session_update"
	TypeShutdown          Type = "shutdown"
	TypeResumedFrom       Type = "resumed_from"

	// Telemetry of jobs, sandboxes and people.
	TypeJobSubmit      Type = "hf_job_submit"
	TypeJobComplete    Type = "hf_job_complete"
	TypeSandboxCreate  Type = "sandbox_create"
	TypeSandboxDestroy Type = "sandbox_destroy"
	TypeFeedback       Type = "feedback"
	TypeCTAClick       Type = "pro_cta_click"
	TypeConversion     Type = "pro_conversion"
	TypeCreditsTopUp   Type = "credits_topped_up"
	TypeJobsBlocked    Type = "jobs_access_blocked"

	// Additive types: what a session needs to be rebuilt from its journal.
	TypeReasoningChunk   Type = "reasoning_chunk"
	TypeInputAccepted    Type = "input_accepted"
	TypeTurnStarted      Type = "turn_started"
	TypeTurnResumed      Type = "turn_resumed"
	TypeHistoryMessage   Type = "history_message"
	TypeHistoryRewritten Type = "history_rewritten"
	TypeToolStarted      Type = "tool_started"
	TypeToolEffect       Type = "tool_effect"
	TypeSpend            Type = "spend"
	TypeEvidence         Type = "evidence"
	TypeTruncateComplete Type = "truncate_complete"
	TypeRedoComplete     Type = "redo_complete"
	TypeSettings         Type = "settings"
	TypeCheckpoint       Type = "checkpoint"
	TypeFinding          Type = "finding"
	TypeRenamed          Type = "session_renamed"
	TypeHook             Type = "hook"
	TypeCommandEnded     Type = "command_ended"
	TypeServers          Type = "mcp_servers"
	TypeServerPrompt     Type = "mcp_prompt"
)

// Ends reports whether t ends or suspends a turn.
func (t Type) Ends() bool {
	switch t {
	case TypeTurnComplete, TypeInterrupted, TypeError, TypeApprovalRequired, TypeShutdown:
		return true
	}
	return false
}

// Durable reports whether an event of type t must be on disk, not only handed
// to the operating system, before anything goes on: accepted input, the
// intent and result of tools, gates, and the ends of turns.
func (t Type) Durable() bool {
	switch t {
	case TypeInputAccepted, TypeToolStarted, TypeToolEffect, TypeToolOutput, TypeToolStateChange:
		return true
	}
	return t.Ends()
}

// Bulk reports whether t repeats what a session's messages hold: such events
// are left out of the session JSON.
func (t Type) Bulk() bool {
	switch t {
	case TypeAssistantChunk, TypeReasoningChunk, TypeInputAccepted, TypeTurnStarted, TypeTurnResumed,
		TypeHistoryMessage, TypeHistoryRewritten, TypeToolStarted:
		return true
	}
	return false
}
