package event

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Payload is the data of an event; each type has one struct below.
type Payload interface{ Type() Type }

// None is embedded where an event carries no data.
type None struct{}

type (
	// Ready comes once, when the tools are registered.
	Ready struct {
		Message   string `json:"message"`
		ToolCount int    `json:"tool_count"`
	}
	// Processing opens every segment of a turn.
	Processing struct {
		Message string `json:"message"`
	}
	// AssistantChunk is one piece of streamed answer.
	AssistantChunk struct {
		Content string `json:"content"`
	}
	// ReasoningChunk is one piece of streamed reasoning.
	ReasoningChunk struct {
		Content string `json:"content"`
	}
	// StreamEnd closes a streamed answer. Discarded voids its text; Reason is
	// then "retry" or "restart".
	StreamEnd struct {
		Discarded bool   `json:"discarded,omitempty"`
		Reason    string `json:"reason,omitempty"`
	}
	// AssistantMessage is a whole answer, when streaming is off.
	AssistantMessage struct {
		Content string `json:"content"`
	}
	// LLMCall is the telemetry of one model call. CostUSD is null when the
	// price is unknown.
	LLMCall struct {
		Model          string          `json:"model"`
		LatencyMS      int64           `json:"latency_ms"`
		FinishReason   string          `json:"finish_reason"`
		CostUSD        *float64        `json:"cost_usd"`
		Kind           llm.Kind        `json:"kind"`
		Prompt         int             `json:"prompt_tokens"`
		Completion     int             `json:"completion_tokens"`
		Total          int             `json:"total_tokens"`
		CacheRead      int             `json:"cache_read_tokens"`
		CacheWrite     int             `json:"cache_creation_tokens"`
		Provider       string          `json:"provider"`
		Reasoning      int             `json:"reasoning_tokens"`
		TTFTMS         int64           `json:"ttft_ms"`
		Attempts       int             `json:"attempts"`
		CostSource     llm.PriceSource `json:"cost_source"`
		UsageEstimated bool            `json:"usage_estimated,omitempty"`
		RequestID      string          `json:"request_id,omitempty"`
		AgentID        string          `json:"agent_id,omitempty"`
	}
	// ToolCall announces a call that runs without asking.
	ToolCall struct {
		Tool       string          `json:"tool"`
		Arguments  json.RawMessage `json:"arguments"`
		ToolCallID string          `json:"tool_call_id"`
		AgentID    string          `json:"agent_id,omitempty"`
	}
	// ToolOutput is the result of a call, exactly as it enters the history.
	ToolOutput struct {
		Tool       string `json:"tool"`
		ToolCallID string `json:"tool_call_id"`
		Output     string `json:"output"`
		Success    bool   `json:"success"`
		AgentID    string `json:"agent_id,omitempty"`
	}
	// ToolLog is one progress line; Tool is "system" for the engine's own.
	ToolLog struct {
		Tool       string `json:"tool"`
		Log        string `json:"log"`
		ToolCallID string `json:"tool_call_id,omitempty"`
		AgentID    string `json:"agent_id,omitempty"`
		Label      string `json:"label,omitempty"`
	}
	// ToolStateChange is a step in the life of one call. Feedback and
	// EditedArguments record a person's answer to a gate.
	ToolStateChange struct {
		ToolCallID      string          `json:"tool_call_id"`
		Tool            string          `json:"tool"`
		State           string          `json:"state"`
		JobURL          string          `json:"jobUrl,omitempty"`
		TrackioSpaceID  string          `json:"trackioSpaceId,omitempty"`
		TrackioProject  string          `json:"trackioProject,omitempty"`
		Namespace       string          `json:"namespace,omitempty"`
		Feedback        string          `json:"feedback,omitempty"`
		EditedArguments json.RawMessage `json:"edited_arguments,omitempty"`
	}
	// Block says why a call was not approved automatically. Null amounts are
	// unknown or unlimited.
	Block struct {
		AutoApprovalBlocked bool     `json:"auto_approval_blocked"`
		BlockReason         string   `json:"block_reason"`
		EstimatedCostUSD    *float64 `json:"estimated_cost_usd"`
		RemainingCapUSD     *float64 `json:"remaining_cap_usd"`
	}
	// GatedCall is one call that waits for an answer.
	GatedCall struct {
		Tool       string          `json:"tool"`
		ToolCallID string          `json:"tool_call_id"`
		Arguments  json.RawMessage `json:"arguments"`
		Reason     string          `json:"reason,omitempty"` // why it asks
		// Origin lists the outside text read since the user's last message:
		// what the call does may have been asked for there.
		Origin []Origin `json:"origin,omitempty"`
		// Cost is what the call may spend; nil for one that spends nothing.
		Cost *WorstCase `json:"cost,omitempty"`
		// Rules are the narrowest ones that would let this call run without
		// asking; none where no rule can.
		Rules []string `json:"rules,omitempty"`
		*Block
	}
	// WorstCase is the most that a call may spend. USD is null when that is
	// unknown, and Reason then says why.
	WorstCase struct {
		USD         *float64 `json:"usd"`
		USDPerHour  float64  `json:"usd_per_hour,omitempty"`
		PriceSource string   `json:"price_source,omitempty"`
		Reason      string   `json:"reason,omitempty"`
	}
	// ApprovalRequired opens a gate.
	ApprovalRequired struct {
		Count          int         `json:"count"`
		Tools          []GatedCall `json:"tools"`
		UsageThreshold bool        `json:"usage_threshold,omitempty"`
		YoloBudget     bool        `json:"yolo_budget,omitempty"`
		ApprovalID     string      `json:"approval_id"`
		// Continuation is "continue_agent" or "complete_turn" for the gates the
		// engine opens itself.
		Continuation  string  `json:"continuation,omitempty"`
		FinalResponse *string `json:"final_response,omitempty"`
		*Block
	}
	// PlanUpdate carries the whole new plan.
	PlanUpdate struct {
		Plan []PlanItem `json:"plan"`
	}
	// PlanItem is one step of the agent's plan.
	PlanItem struct {
		ID      string `json:"id"`
		Content string `json:"content"`
		Status  string `json:"status"` // pending, in_progress or completed
	}
	// TurnComplete ends a turn normally.
	TurnComplete struct {
		HistorySize   int     `json:"history_size"`
		FinalResponse *string `json:"final_response"`
		StopReason    string  `json:"stop_reason"`
		// Unverified lists the references of the final answer that nothing the
		// session has looked up stands behind.
		Unverified []string `json:"unverified,omitempty"`
	}
	// Error ends a failed turn or operation.
	Error struct {
		Error       string  `json:"error"`
		Code        string  `json:"code,omitempty"`
		Class       string  `json:"class,omitempty"`
		Hint        string  `json:"hint,omitempty"`
		HTTPStatus  int     `json:"http_status,omitempty"`
		Retryable   bool    `json:"retryable"`
		RetryAfterS float64 `json:"retry_after_s,omitempty"`
		RequestID   string  `json:"request_id,omitempty"`
	}
	// Interrupted ends a cancelled turn.
	Interrupted struct{ None }
	// Compacted says that the history was shortened; sizes are token estimates.
	Compacted struct {
		OldTokens int `json:"old_tokens"`
		NewTokens int `json:"new_tokens"`
	}
	// SessionTerminated says that nothing can make the context fit.
	SessionTerminated struct {
		Reason           string `json:"reason"`
		ContextUsage     int    `json:"context_usage"`
		ContextThreshold int    `json:"context_threshold"`
		Error            string `json:"error"`
		UserMessage      string `json:"user_message"`
	}
	// UndoComplete ends an undo or a rewind; Removed counts messages, Turns the
	// turns they belong to.
	UndoComplete struct {
		Removed int `json:"removed"`
		Turns   int `json:"turns,omitempty"`
		Restored
	}
	// RedoComplete ends a redo; Added counts messages.
	RedoComplete struct {
		Added int `json:"added"`
		Turns int `json:"turns,omitempty"`
		Restored
	}
	// Restored tells what was put back in the workspace. Paths are relative to
	// it. Conflicts were changed by somebody else meanwhile and left alone.
	Restored struct {
		Files     []string `json:"files,omitempty"`
		Conflicts []string `json:"conflicts,omitempty"`
		// Problem says why files could not be put back at all; empty for none.
		Problem string `json:"problem,omitempty"`
	}
	// Settings are the values a session runs with, told when they change.
	Settings struct {
		Model        string   `json:"model"`
		Effort       string   `json:"effort"` // "off" for none
		ApprovalMode string   `json:"approval_mode"`
		MaxCostUSD   *float64 `json:"max_cost_usd"` // null is unlimited
		ToolRuntime  string   `json:"tool_runtime"`
		Cwd          string   `json:"cwd"`
		// Window is the model's context in tokens, 0 when unknown.
		Window int `json:"context_window,omitempty"`
	}
	// Checkpoint says what a call has changed in the workspace, and that it can
	// be undone. Before and After name the states in the checkpoint store.
	Checkpoint struct {
		ToolCallID string        `json:"tool_call_id"`
		Tool       string        `json:"tool"`
		Before     string        `json:"before"`
		After      string        `json:"after"`
		Files      []FileChanged `json:"files"`
	}
	// FileChanged is one file of a checkpoint; the line counts are 0 for what
	// is no text.
	FileChanged struct {
		Path    string `json:"path"`   // relative to the workspace
		Change  string `json:"change"` // added, modified or deleted
		Added   int    `json:"added"`
		Removed int    `json:"removed"`
	}
	// Finding is something a rule has noticed in the numbers or the silence of
	// a run. Source is "job:NS/ID", "process:ID" or "file:PATH".
	Finding struct {
		Source   string   `json:"source"`
		Rule     string   `json:"rule"`     // nan, divergence, plateau, overfitting, silence
		Severity string   `json:"severity"` // info, warning or error
		Text     string   `json:"text"`     // one sentence for a person
		Metric   string   `json:"metric,omitempty"`
		Step     *float64 `json:"step,omitempty"`
		Value    *float64 `json:"value,omitempty"` // null for NaN too
	}
	// Renamed gives the session a title. By is "user" or "auto".
	Renamed struct {
		Title string `json:"title"`
		By    string `json:"by"`
	}
	// Hook is what the commands beside a moment have decided. Where they decide
	// nothing there is none.
	Hook struct {
		Hook         string          `json:"hook"`               // the moment, such as PreToolUse
		Decision     string          `json:"decision,omitempty"` // allow, ask or deny
		Reason       string          `json:"reason,omitempty"`
		By           string          `json:"by,omitempty"`      // the command that decided
		Context      string          `json:"context,omitempty"` // what the model is told
		UpdatedInput json.RawMessage `json:"updated_input,omitempty"`
		Tool         string          `json:"tool,omitempty"`
		ToolCallID   string          `json:"tool_call_id,omitempty"`
		// SubmissionID is the message that does not join the running turn.
		SubmissionID string `json:"submission_id,omitempty"`
		AgentID      string `json:"agent_id,omitempty"`
	}
	// CommandEnded says that a command in the background is over. ExitCode is null
	// where nobody has seen it, and Signal the name of the one that ended it.
	CommandEnded struct {
		ID        string  `json:"id"`
		Command   string  `json:"command,omitempty"`
		ExitCode  *int    `json:"exit_code"`
		Signal    string  `json:"signal,omitempty"`
		WallTimeS float64 `json:"wall_time_s,omitempty"`
		Log       string  `json:"log,omitempty"` // the file with its output
	}
	// TruncateComplete ends a truncate; Removed counts messages.
	TruncateComplete struct {
		Removed int `json:"removed"`
	}
	// NewComplete ends a session's journal: the conversation goes on in another.
	NewComplete struct {
		SessionID            string  `json:"session_id"`
		PreviousSessionID    string  `json:"previous_session_id"`
		PreviousTurnCount    int     `json:"previous_turn_count"`
		PreviousMessageCount int     `json:"previous_message_count"`
		SavedPath            *string `json:"saved_path"`
		ClearScreen          bool    `json:"clear_screen"`
	}
	// ResumeComplete ends a resume. It stands in the journal of the session that
	// goes on, and once more, with that session's id, at the end of the journal
	// that the conversation has left.
	ResumeComplete struct {
		Path               string  `json:"path"`
		SessionID          string  `json:"session_id,omitempty"`
		RestoredCount      int     `json:"restored_count"`
		DroppedCount       int     `json:"dropped_count"`
		ModelName          string  `json:"model_name"`
		InvalidSavedModel  *string `json:"invalid_saved_model"`
		Forked             bool    `json:"forked"`
		HadRedactedContent bool    `json:"had_redacted_content"`
	}
	// ResumedFrom opens the journal of an imported session.
	ResumedFrom struct {
		Path               string  `json:"path"`
		OriginalSessionID  *string `json:"original_session_id"`
		OriginalEventCount int     `json:"original_event_count"`
		Forked             bool    `json:"forked"`
		// SessionStartTime is the start that a continued session keeps; empty
		// when it was forked.
		SessionStartTime string `json:"session_start_time,omitempty"`
		// Cwd is the working directory that the imported session had; empty
		// where it is unknown.
		Cwd string `json:"cwd,omitempty"`
	}
	// SessionUpdate says that the spend ledger moved.
	SessionUpdate struct {
		SessionID    string       `json:"session_id"`
		AutoApproval AutoApproval `json:"auto_approval"`
	}
	// AutoApproval is the state of the spending cap.
	AutoApproval struct {
		Enabled           bool     `json:"enabled"`
		CostCapUSD        *float64 `json:"cost_cap_usd"`
		EstimatedSpendUSD float64  `json:"estimated_spend_usd"`
		RemainingUSD      *float64 `json:"remaining_usd"`
	}
	// Shutdown ends a session.
	Shutdown struct{ None }
)

type (
	// InputAccepted says that a person's text is on disk. Queued: a turn was
	// running, the text becomes the next one.
	InputAccepted struct {
		SubmissionID string `json:"submission_id"`
		Text         string `json:"text"`
		// Shown is what the person typed, where Text holds more.
		Shown  string  `json:"shown,omitempty"`
		Images []Image `json:"images,omitempty"`
		Terms  *Terms  `json:"terms,omitempty"`
		Queued bool    `json:"queued"`
		Steer  bool    `json:"steer,omitempty"`
		// AtGate: an approval was open, which this text abandons.
		AtGate bool `json:"at_gate,omitempty"`
		// Cwd and Model are those in force: a crash may come before the turn
		// that would tell them.
		Cwd   string `json:"cwd,omitempty"`
		Model string `json:"model,omitempty"`
	}
	// TurnStarted opens a turn. Settings are those in force, for a restart.
	TurnStarted struct {
		TurnID       string `json:"turn_id"`
		Attempt      int    `json:"attempt"`
		SubmissionID string `json:"submission_id,omitempty"`
		Model        string `json:"model,omitempty"`
		// Terms hold for this turn alone; where they name a model, Model is that
		// one and the session keeps its own.
		Terms *Terms `json:"terms,omitempty"`
		// Cwd is the real path of the working directory the turn runs in.
		Cwd string `json:"cwd,omitempty"`
		// Version and Runtime say for what the system prompt was rendered.
		Version string `json:"version,omitempty"`
		Runtime string `json:"runtime,omitempty"`
	}
	// TurnResumed says that a turn cut short by a crash goes on.
	TurnResumed struct {
		TurnID  string `json:"turn_id"`
		Attempt int    `json:"attempt"`
		Reason  string `json:"reason"`
	}
	// HistoryMessage is one message that entered the history.
	HistoryMessage struct {
		MessageID string      `json:"message_id"`
		Message   llm.Message `json:"message"`
		AgentID   string      `json:"agent_id,omitempty"`
	}
	// HistoryRewritten replaces the whole history: undo, truncate, redo,
	// compaction, resume, or the system prompt of a new program version.
	HistoryRewritten struct {
		Reason   string        `json:"reason"`
		Messages []llm.Message `json:"messages"`
		Plan     []PlanItem    `json:"plan,omitempty"`
		// Said has an entry for each message that a person wrote, in order;
		// empty where nothing is known about them.
		Said []Said `json:"said,omitempty"`
	}
	// Said tells of a person's message what the message itself does not: the
	// turn it was said in, and what was typed where the text holds more.
	Said struct {
		TurnID string `json:"turn_id,omitempty"`
		Shown  string `json:"shown,omitempty"`
	}
	// ToolStarted is written before a call's effect begins. Intent is what a
	// keyed tool needs to find its effect again.
	ToolStarted struct {
		ToolCallID string          `json:"tool_call_id"`
		Tool       string          `json:"tool"`
		Effect     Effect          `json:"effect"`
		Intent     json.RawMessage `json:"intent,omitempty"`
		AgentID    string          `json:"agent_id,omitempty"`
	}
	// ToolEffect names the outside thing a call has made or started.
	ToolEffect struct {
		ToolCallID  string `json:"tool_call_id"`
		ExternalRef string `json:"external_ref"`
	}
	// Evidence is one thing that a call has looked up: a page, a paper, rows of
	// a data set. ID is "S1", "S2", … in the session, sub-agents included. URL
	// is the public address without secrets, FetchedAt the time of the fetch
	// (an answer from the cache keeps its own) and SHA256 the hash of the bytes
	// received, after decompression. No contents are kept.
	Evidence struct {
		ID         string    `json:"id"`
		Tool       string    `json:"tool"`
		Operation  string    `json:"operation,omitempty"`
		Object     string    `json:"object,omitempty"`
		URL        string    `json:"url"`
		Title      string    `json:"title,omitempty"`
		FetchedAt  time.Time `json:"fetched_at"`
		SHA256     string    `json:"sha256"`
		ToolCallID string    `json:"tool_call_id,omitempty"`
		AgentID    string    `json:"agent_id,omitempty"`
	}
	// Origin names outside text that was read before a call asked: an entry of
	// the evidence. Source is empty where the ledger was full.
	Origin struct {
		Source string `json:"source"`
		URL    string `json:"url"`
	}
	// Spend is one entry of the ledger; the newest per ID counts. MicroUSD is
	// null when unknown.
	Spend struct {
		ID          string     `json:"id"`
		Kind        SpendKind  `json:"kind"`
		State       SpendState `json:"state"`
		MicroUSD    *int64     `json:"micro_usd"`
		ToolCallID  string     `json:"tool_call_id,omitempty"`
		Ref         string     `json:"ref,omitempty"`
		USDPerHour  *float64   `json:"usd_per_hour,omitempty"`
		PriceSource string     `json:"price_source"`
	}
)

// Repo is the repository that an effect has made or changed, as TYPE/NS/NAME:
// references have the forms repo:TYPE/NS/NAME and commit:TYPE/NS/NAME@SHA. ok is
// false for anything else.
func (e ToolEffect) Repo() (id string, ok bool) {
	form, rest, _ := strings.Cut(e.ExternalRef, ":")
	id, _, _ = strings.Cut(rest, "@")
	return id, (form == "repo" || form == "commit") && strings.Contains(id, "/")
}

// Effect says what a repeated call would do to the world.
type Effect string

// The effect classes.
const (
	// Pure touches nothing outside the session.
	Pure Effect = "pure"
	// Read only looks; repeating it is safe.
	Read Effect = "read"
	// Keyed changes something that can be found again by a key.
	Keyed Effect = "keyed"
	// Once must never be repeated blindly.
	Once Effect = "once"
)

// SpendKind says what the money is for.
type SpendKind string

// SpendState is the stage of a ledger entry.
type SpendState string

// Kinds and states of ledger entries.
const (
	SpendLLM     SpendKind = "llm"
	SpendJob     SpendKind = "job"
	SpendSandbox SpendKind = "sandbox"

	SpendReserved SpendState = "reserved"
	SpendSettled  SpendState = "settled"
	SpendReleased SpendState = "released"
)
