package event

type (
	// JobSubmit is the telemetry of a submitted Hub job.
	JobSubmit struct {
		JobID     string `json:"job_id"`
		JobURL    string `json:"job_url"`
		Flavor    string `json:"flavor"`
		Timeout   string `json:"timeout"`
		JobType   string `json:"job_type"`
		Image     string `json:"image"`
		Namespace string `json:"namespace"`
		PushToHub bool   `json:"push_to_hub"`
	}
	// JobComplete is the telemetry of a finished Hub job. Null prices are
	// unknown.
	JobComplete struct {
		JobID              string   `json:"job_id"`
		Flavor             string   `json:"flavor"`
		FinalStatus        string   `json:"final_status"`
		WallTimeS          float64  `json:"wall_time_s"`
		BillableSeconds    float64  `json:"billable_seconds_estimate"`
		PriceUSDPerHour    *float64 `json:"price_usd_per_hour"`
		EstimatedCostUSD   *float64 `json:"estimated_cost_usd"`
		CostEstimateSource string   `json:"cost_estimate_source"`
	}
	// SandboxCreate is the telemetry of a new sandbox.
	SandboxCreate struct {
		SandboxID      string  `json:"sandbox_id"`
		Hardware       string  `json:"hardware"`
		CreateLatencyS float64 `json:"create_latency_s"`
	}
	// SandboxDestroy is the telemetry of a removed sandbox.
	SandboxDestroy struct {
		SandboxID        string   `json:"sandbox_id"`
		Hardware         string   `json:"hardware"`
		LifetimeS        *float64 `json:"lifetime_s"`
		EstimatedCostUSD *float64 `json:"estimated_cost_usd"`
	}
	// Feedback is a person's judgement of an answer; comment at most 500
	// characters.
	Feedback struct {
		Rating    string `json:"rating"`
		TurnIndex int    `json:"turn_index"`
		MessageID string `json:"message_id"`
		Comment   string `json:"comment"`
	}
	// CTAClick, Conversion and CreditsTopUp are web counters.
	CTAClick struct {
		Source string `json:"source"`
		Target string `json:"target"`
	}
	// Conversion says when an account was first seen on a paid plan.
	Conversion struct {
		FirstSeenAt string `json:"first_seen_at"`
	}
	// JobsBlocked says that the Hub refused a job for lack of credits.
	JobsBlocked struct {
		Namespace string `json:"namespace"`
	}
	// CreditsTopUp says that a job ran after a refusal for lack of credits.
	CreditsTopUp struct {
		Namespace string `json:"namespace"`
	}
)

// The type of each payload.
func (Ready) Type() Type             { return TypeReady }
func (Processing) Type() Type        { return TypeProcessing }
func (AssistantChunk) Type() Type    { return TypeAssistantChunk }
func (ReasoningChunk) Type() Type    { return TypeReasoningChunk }
func (StreamEnd) Type() Type         { return TypeStreamEnd }
func (AssistantMessage) Type() Type  { return TypeAssistantMessage }
func (LLMCall) Type() Type           { return TypeLLMCall }
func (ToolCall) Type() Type          { return TypeToolCall }
func (ToolOutput) Type() Type        { return TypeToolOutput }
func (ToolLog) Type() Type           { return TypeToolLog }
func (ToolStateChange) Type() Type   { return TypeToolStateChange }
func (ApprovalRequired) Type() Type  { return TypeApprovalRequired }
func (PlanUpdate) Type() Type        { return TypePlanUpdate }
func (TurnComplete) Type() Type      { return TypeTurnComplete }
func (Error) Type() Type             { return TypeError }
func (Interrupted) Type() Type       { return TypeInterrupted }
func (Compacted) Type() Type         { return TypeCompacted }
func (SessionTerminated) Type() Type { return TypeSessionTerminated }
func (UndoComplete) Type() Type      { return TypeUndoComplete }
func (TruncateComplete) Type() Type  { return TypeTruncateComplete }
func (RedoComplete) Type() Type      { return TypeRedoComplete }
func (Settings) Type() Type          { return TypeSettings }
func (Checkpoint) Type() Type        { return TypeCheckpoint }
func (Finding) Type() Type           { return TypeFinding }
func (Renamed) Type() Type           { return TypeRenamed }
func (ServerStates) Type() Type      { return TypeServers }
func (ServerPrompt) Type() Type      { return TypeServerPrompt }
func (Hook) Type() Type              { return TypeHook }
func (CommandEnded) Type() Type      { return TypeCommandEnded }
func (NewComplete) Type() Type       { return TypeNewComplete }
func (ResumeComplete) Type() Type    { return TypeResumeComplete }
func (ResumedFrom) Type() Type       { return TypeResumedFrom }
func (SessionUpdate) Type() Type     { return TypeSessionUpdate }
func (Shutdown) Type() Type          { return TypeShutdown }
func (InputAccepted) Type() Type     { return TypeInputAccepted }
func (TurnStarted) Type() Type       { return TypeTurnStarted }
func (TurnResumed) Type() Type       { return TypeTurnResumed }
func (HistoryMessage) Type() Type    { return TypeHistoryMessage }
func (HistoryRewritten) Type() Type  { return TypeHistoryRewritten }
func (ToolStarted) Type() Type       { return TypeToolStarted }
func (ToolEffect) Type() Type        { return TypeToolEffect }
func (Spend) Type() Type             { return TypeSpend }
func (Evidence) Type() Type          { return TypeEvidence }
func (JobSubmit) Type() Type         { return TypeJobSubmit }
func (JobComplete) Type() Type       { return TypeJobComplete }
func (SandboxCreate) Type() Type     { return TypeSandboxCreate }
func (SandboxDestroy) Type() Type    { return TypeSandboxDestroy }
func (Feedback) Type() Type          { return TypeFeedback }
func (CTAClick) Type() Type          { return TypeCTAClick }
func (Conversion) Type() Type        { return TypeConversion }
func (JobsBlocked) Type() Type       { return TypeJobsBlocked }
func (CreditsTopUp) Type() Type      { return TypeCreditsTopUp }

// What an estimate of a job's cost rests on.
const (
	PriceCatalog = "runtime_price_catalog"
	PriceUnknown = "unknown_price"
)
