package schema

import "math"

// Kind is the type of a setting.
type Kind int

// The types. A string that comes from a file is read as the key's type.
const (
	String Kind = iota
	Bool
	Int
	Number
	Strings // an array, or one string with commas
	Path    // "~" is expanded; relative to the working directory
	Paths
	Object
)

func (k Kind) String() string {
	return [...]string{"string", "boolean", "integer", "number", "list of strings", "path", "list of paths", "object"}[k]
}

// Key is one row of the table of settings.
type Key struct {
	Name    string // dots separate nested objects
	Kind    Kind
	Default string   // JSON; "null" = unset
	Null    bool     // null may be given
	Allowed []string // the values, or the members of a list
	Min     float64  // Min and Max bound a number when Max is not 0
	Max     float64
	Effect  string
	// Open keys may come from a project's file in a folder that is not trusted.
	Open     bool
	Flag     string // the command line flag that sets it
	Variable string // the environment variable that sets it, over all files

	at     func(*Config) any            // the field
	object func(*Reader, string, any)   // reads an Object
	check  func(c *Config) (bad string) // looks at the value once it is read
}

const unbounded = math.MaxInt32

// Keys are all settings, in the order of the documentation.
var Keys = []Key{
	{
		Name: "model_name", Kind: String, Default: `"anthropic/claude-opus-4.8:fal-ai"`, Flag: "--model",
		Effect: "the model; a leading `huggingface/` means the HF router, whatever keys there are",
		at:     func(c *Config) any { return &c.ModelName }, check: checkModel,
	},
	{
		Name: "model_routing", Kind: String, Default: `"auto"`, Allowed: []string{"auto", "direct", "router"}, Variable: "ML_INTERN_MODEL_ROUTING",
		Effect: "who serves untagged `anthropic/` and `openai/` ids: `direct` the vendor, `router` the router, `auto` the vendor when its key is set",
		at:     func(c *Config) any { return &c.ModelRouting },
	},
	{
		Name: "reasoning_effort", Kind: String, Default: `"high"`, Null: true, Allowed: []string{"minimal", "low", "medium", "high", "xhigh", "max", "off"}, Open: true, Flag: "--effort",
		Effect: "how long the model thinks; null = off",
		at:     func(c *Config) any { return &c.ReasoningEffort }, check: effortOff,
	},
	{
		Name: "model_context_tokens", Kind: Object, Default: `{}`, Effect: "context window by model id, in tokens",
		at: func(c *Config) any { return &c.ModelContextTokens }, object: readWindows,
	},
	{
		Name: "model_prices", Kind: Object, Default: `{}`, Effect: "prices by model id, USD per million tokens: `input`, `output`, `cache_read`, `cache_write`",
		at: func(c *Config) any { return &c.ModelPrices }, object: readPrices,
	},
	{
		Name: "prompt_cache_ttl", Kind: String, Default: `"5m"`, Allowed: []string{"5m", "1h"}, Open: true, Effect: "how long the provider keeps the cached prompt",
		at: func(c *Config) any { return &c.PromptCacheTTL },
	},
	{
		Name: "llm_max_retries", Kind: Int, Default: `null`, Null: true, Min: 0, Max: 20, Open: true, Effect: "repeats of a failed model call; null = the built-in schedule",
		at: func(c *Config) any { return &c.LLMMaxRetries },
	},
	{
		Name: "anthropic_betas", Kind: Strings, Default: `[]`, Effect: "sent to Anthropic as `anthropic-beta`",
		at: func(c *Config) any { return &c.AnthropicBetas },
	},
	{
		Name: "hf_bill_to", Kind: String, Default: `""`, Variable: "HF_BILL_TO", Effect: "organisation or resource group billed for router calls",
		at: func(c *Config) any { return &c.HFBillTo }, check: checkBillTo,
	},
	{
		Name: "show_thinking", Kind: Bool, Default: `true`, Open: true, Effect: "draw the model's thinking",
		at: func(c *Config) any { return &c.ShowThinking },
	},
	{
		Name: "max_iterations", Kind: Int, Default: `300`, Min: -unbounded, Max: 1_000_000, Open: true, Flag: "--max-iterations",
		Effect: "model calls a turn; any negative number = unlimited, 0 = none",
		at:     func(c *Config) any { return &c.MaxIterations }, check: clampIterations,
	},
	{
		Name: "max_parallel_tools", Kind: Int, Default: `16`, Min: 1, Max: 64, Open: true, Effect: "tool calls of one answer that run at once",
		at: func(c *Config) any { return &c.MaxParallelTools },
	},
	{
		Name: "max_cost_usd", Kind: Number, Default: `null`, Null: true, Min: 0, Max: 1_000_000, Flag: "--max-cost",
		Effect: "spending cap of a session over inference, jobs and sandboxes; 0 = unlimited; unset = none interactively, 25 headless and in mode `yolo`",
		at:     func(c *Config) any { return &c.MaxCostUSD },
	},
	{
		Name: "usage_warnings", Kind: Bool, Default: `true`, Effect: "say when 5 USD and each doubling of it are spent",
		at: func(c *Config) any { return &c.UsageWarnings },
	},
	{
		Name: "permissions.mode", Kind: String, Default: `null`, Null: true, Allowed: []string{"ask", "auto-edit", "upstream", "yolo", "plan"}, Flag: "--approval-mode",
		Effect: "what is asked about; unset = `ask`, headless `yolo`",
		at:     func(c *Config) any { return &c.Permissions.Mode },
	},
	{
		Name: "permissions.allow", Kind: Strings, Default: `[]`, Flag: "--allow", Effect: "rules for calls that are not asked about",
		at: func(c *Config) any { return &c.Permissions.Allow },
	},
	{
		Name: "permissions.ask", Kind: Strings, Default: `[]`, Effect: "rules for calls that are asked about",
		at: func(c *Config) any { return &c.Permissions.Ask },
	},
	{
		Name: "permissions.deny", Kind: Strings, Default: `[]`, Flag: "--deny", Effect: "rules for calls that are refused in every mode",
		at: func(c *Config) any { return &c.Permissions.Deny },
	},
	{
		Name: "yolo_mode", Kind: Bool, Default: `false`, Effect: "mode `yolo`, unless `permissions.mode` is set",
		at: func(c *Config) any { return &c.YoloMode },
	},
	{
		Name: "confirm_cpu_jobs", Kind: Bool, Default: `true`, Effect: "jobs without a GPU are asked about too",
		at: func(c *Config) any { return &c.ConfirmCPUJobs },
	},
	{
		Name: "auto_file_upload", Kind: Bool, Default: `false`, Effect: "uploads into the user's own namespace are not asked about",
		at: func(c *Config) any { return &c.AutoFileUpload },
	},
	{
		Name: "jobs_on_interrupt", Kind: String, Default: `null`, Null: true, Allowed: []string{"ask", "cancel", "leave"},
		Effect: "what an interrupt does to running jobs; unset = `ask`, headless `cancel`",
		at:     func(c *Config) any { return &c.JobsOnInterrupt },
	},
	{
		Name: "tool_runtime", Kind: String, Default: `"local"`, Allowed: []string{"local", "sandbox"}, Flag: "--sandbox-tools",
		Effect: "where `bash`, `read`, `write` and `edit` run",
		at:     func(c *Config) any { return &c.ToolRuntime },
	},
	{
		Name: "tools.disabled", Kind: Strings, Default: `[]`, Effect: "tools the agent does not get, by name",
		at: func(c *Config) any { return &c.ToolsDisabled },
	},
	{
		Name: "checkpoints", Kind: String, Default: `"auto"`, Allowed: []string{"auto", "on", "off"}, Effect: "keep the workspace's files as they were before each change, for undo; `auto` = where somebody watches",
		at: func(c *Config) any { return &c.Checkpoints },
	},
	{
		Name: "workspace_root", Kind: Path, Default: `""`, Effect: "the workspace; empty = the git repository, else the working directory",
		at: func(c *Config) any { return &c.WorkspaceRoot },
	},
	{
		Name: "confine_files", Kind: String, Default: `"off"`, Allowed: []string{"off", "write", "all"}, Effect: "keep `write` and `edit`, or `read` too, inside the workspace",
		at: func(c *Config) any { return &c.ConfineFiles },
	},
	{
		Name: "bash_sandbox", Kind: String, Default: `"off"`, Allowed: []string{"off", "auto", "landlock", "bwrap"}, Effect: "fence around commands; asked for and not available is an error",
		at: func(c *Config) any { return &c.BashSandbox },
	},
	{
		Name: "bash_sandbox_read", Kind: Paths, Default: `[]`, Effect: "folders of the home folder that fenced commands may read",
		at: func(c *Config) any { return &c.BashSandboxRead },
	},
	{
		Name: "bash_sandbox_write", Kind: Paths, Default: `[]`, Effect: "folders beside the workspace that fenced commands may write",
		at: func(c *Config) any { return &c.BashSandboxWrite },
	},
	{
		Name: "bash_env_allow", Kind: Strings, Default: `[]`, Effect: "variables that commands get although their names look like secrets",
		at: func(c *Config) any { return &c.BashEnvAllow },
	},
	{
		Name: "bash_forward_hf_token", Kind: Bool, Default: `true`, Effect: "commands get the Hub token",
		at: func(c *Config) any { return &c.BashForwardHFToken },
	},
	{
		Name: "research_model", Kind: String, Default: `null`, Null: true, Effect: "model of research sub-agents; unset = the session's",
		at: func(c *Config) any { return &c.ResearchModel },
	},
	{
		Name: "research_bash", Kind: Bool, Default: `false`, Effect: "research sub-agents may run commands, without credentials",
		at: func(c *Config) any { return &c.ResearchBash },
	},
	{
		Name: "research_max_iterations", Kind: Int, Default: `60`, Min: 1, Max: 1000, Open: true, Effect: "model calls of one research sub-agent",
		at: func(c *Config) any { return &c.ResearchMaxIterations },
	},
	{
		Name: "research_timeout_minutes", Kind: Int, Default: `15`, Min: 1, Max: 1440, Open: true, Effect: "minutes one research sub-agent may take",
		at: func(c *Config) any { return &c.ResearchTimeoutMinutes },
	},
	{
		Name: "web_search.provider", Kind: Strings, Default: `[]`, Allowed: []string{"searxng", "brave", "tavily", "duckduckgo"}, Effect: "search services in the order they are tried; empty = every configured one, then DuckDuckGo",
		at: func(c *Config) any { return &c.WebSearchProviders },
	},
	{
		Name: "web_fetch.allowed_domains", Kind: Strings, Default: `[]`, Effect: "the only domains, with their subdomains, that `web_fetch` reads; empty = every public one",
		at: func(c *Config) any { return &c.WebFetchDomains },
	},
	{
		Name: "forward_hf_token", Kind: Bool, Default: `true`, Effect: "jobs and sandboxes get the Hub token",
		at: func(c *Config) any { return &c.ForwardHFToken },
	},
	{
		Name: "job_secret_allow", Kind: Strings, Default: `[]`, Effect: "variables that may be passed to jobs as secrets",
		at: func(c *Config) any { return &c.JobSecretAllow },
	},
	{
		Name: "sandbox_backend", Kind: String, Default: `"auto"`, Allowed: []string{"auto", "space", "jobs"}, Effect: "what a sandbox runs on",
		at: func(c *Config) any { return &c.SandboxBackend },
	},
	{
		Name: "sandbox_prefetch", Kind: String, Default: `"on_message"`, Allowed: []string{"off", "on_message", "on_create"}, Effect: "when a free sandbox is started ahead of need",
		at: func(c *Config) any { return &c.SandboxPrefetch },
	},
	{
		Name: "sandbox_resync", Kind: Bool, Default: `false`, Effect: "send saved files again to a sandbox that lost its disk",
		at: func(c *Config) any { return &c.SandboxResync },
	},
	{
		Name: "artifact_hooks", Kind: Bool, Default: `true`, Effect: "notice what Python runs push to the Hub",
		at: func(c *Config) any { return &c.ArtifactHooks },
	},
	{
		Name: "artifact_card", Kind: Bool, Default: `true`, Effect: "write a card for what was pushed",
		at: func(c *Config) any { return &c.ArtifactCard },
	},
	{
		Name: "trackio_private", Kind: Bool, Default: `false`, Effect: "new Trackio dashboards are private",
		at: func(c *Config) any { return &c.TrackioPrivate },
	},
	{
		Name: "mcpServers", Kind: Object, Default: `{"hf-mcp-server":{"transport":"http","url":"$HF_ENDPOINT/mcp"}}`,
		Effect: "MCP servers by name: `command`, `args`, `env`, `cwd`, or `url`, `transport`, `headers`, `auth`, `client_id`, `client_secret`; also `trust`, `tools`, `roots`, `timeout`; null removes one",
		at:     func(c *Config) any { return &c.MCPServers }, object: readServers,
	},
	{
		Name: "hooks", Kind: Object, Default: `{}`, Effect: "commands beside moments of a session: a list of `matcher`, `command`, `timeout`, `async` for each ([extending.md](extending.md))",
		at: func(c *Config) any { return &c.Hooks }, object: readHooks,
	},
	{
		Name: "save_sessions", Kind: Bool, Default: `true`, Effect: "keep sessions on disk; false = nothing is written or uploaded",
		at: func(c *Config) any { return &c.SaveSessions },
	},
	{
		Name: "session_log_dir", Kind: Path, Default: `""`, Effect: "folder of the session JSON files; empty = `sessions` in the state folder",
		at: func(c *Config) any { return &c.SessionLogDir },
	},
	{
		Name: "session_retention_days", Kind: Int, Default: `90`, Min: 0, Max: 36_500, Effect: "days a session is kept; 0 = for ever",
		at: func(c *Config) any { return &c.SessionRetentionDays },
	},
	{
		Name: "session_dataset_repo", Kind: String, Default: `"smolagents/ml-intern-sessions"`, Effect: "shared telemetry dataset, used only with `telemetry.shared`",
		at: func(c *Config) any { return &c.SessionDatasetRepo },
	},
	{
		Name: "share_traces", Kind: Bool, Default: `true`, Effect: "upload traces to the user's own private dataset",
		at: func(c *Config) any { return &c.ShareTraces },
	},
	{
		Name: "personal_trace_repo_template", Kind: String, Default: `"{hf_user}/ml-intern-sessions"`, Effect: "that dataset; the only placeholder is `{hf_user}`, another one means no upload",
		at: func(c *Config) any { return &c.PersonalTraceRepoTemplate },
	},
	{
		Name: "trace_format", Kind: String, Default: `"claude_code"`, Allowed: []string{"claude_code", "sts"},
		Effect: "form of the traces in that dataset: `claude_code` or `sts` (Session Trace Simple Format)",
		at:     func(c *Config) any { return &c.TraceFormat },
	},
	{
		Name: "auto_save_interval", Kind: Int, Default: `1`, Min: -unbounded, Max: unbounded, Effect: "save and upload every so many user turns; 0 or less = off",
		at: func(c *Config) any { return &c.AutoSaveInterval },
	},
	{
		Name: "heartbeat_interval_s", Kind: Int, Default: `60`, Min: -unbounded, Max: unbounded, Effect: "save and upload within a turn at most every so many seconds; 0 or less = off",
		at: func(c *Config) any { return &c.HeartbeatIntervalS },
	},
	{
		Name: "telemetry.shared", Kind: Bool, Default: `false`, Effect: "send counters to `session_dataset_repo`; `DO_NOT_TRACK=1` wins",
		at: func(c *Config) any { return &c.TelemetryShared },
	},
	{
		Name: "detach_on_hangup", Kind: Bool, Default: `true`, Effect: "a closed terminal detaches the run instead of ending it",
		at: func(c *Config) any { return &c.DetachOnHangup },
	},
	{
		Name: "messaging.enabled", Kind: Bool, Default: `false`, Effect: "send notifications",
		at: func(c *Config) any { return &c.Messaging.Enabled },
	},
	{
		Name: "messaging.auto_event_types", Kind: Strings, Default: `["approval_required","error","turn_complete"]`,
		Allowed: []string{"approval_required", "error", "turn_complete", "job_started", "job_finished", "job_failed", "budget_warning", "interrupted", "turn_started_long"},
		Effect:  "events that are sent by themselves",
		at:      func(c *Config) any { return &c.Messaging.AutoEventTypes },
	},
	{
		Name: "messaging.long_turn_minutes", Kind: Int, Default: `10`, Min: 1, Max: 1440, Effect: "minutes without an answer after which `turn_started_long` is sent",
		at: func(c *Config) any { return &c.Messaging.LongTurnMinutes },
	},
	{
		Name: "messaging.destinations", Kind: Object, Default: `{}`, Effect: "receivers by name: `provider` and its `token`, `channel`, `url`, …; `allow_agent_tool`, `allow_auto_events`, `allow_mentions`, `thread`, `full_reply` (see notifications.md)",
		at: func(c *Config) any { return &c.Messaging.Destinations }, object: readDestinations,
	},
	{
		Name: "notify_min_seconds", Kind: Int, Default: `20`, Min: 0, Max: 86_400, Open: true, Effect: "work shorter than so many seconds is not announced while the terminal is watched",
		at: func(c *Config) any { return &c.NotifyMinSeconds },
	},
	{
		Name: "ui.banner", Kind: String, Default: `"static"`, Allowed: []string{"static", "animated", "off"}, Open: true, Effect: "the first lines of an interactive session",
		at: func(c *Config) any { return &c.UI.Banner },
	},
	{
		Name: "ui.notify", Kind: String, Default: `"auto"`, Allowed: []string{"auto", "osc", "bell", "native", "off"}, Open: true, Effect: "how the terminal calls for attention",
		at: func(c *Config) any { return &c.UI.Notify },
	},
	{
		Name: "ui.theme", Kind: String, Default: `"auto"`, Allowed: []string{"auto", "dark", "light"}, Open: true, Effect: "colours for a dark or a light background; `auto` asks the terminal",
		at: func(c *Config) any { return &c.UI.Theme },
	},
	{
		Name: "ui.screen_reader", Kind: Bool, Default: `false`, Open: true, Effect: "linear text without redrawing, for screen readers",
		at: func(c *Config) any { return &c.UI.ScreenReader },
	},
}
