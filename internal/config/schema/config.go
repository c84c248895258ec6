// Package schema is the table of settings: their names, types, ranges, defaults
// and effects, and the value they make together. It reads a merged tree into
// that value and reports every fault. It reads no file and no variable.
package schema

import (
	"encoding/json"
	"fmt"
)

// Config holds the effective settings. A field's meaning, default and range
// stand in its row of Keys.
type Config struct {
	ModelName       string
	ModelRouting    string
	ReasoningEffort string // "" = off
	ResearchModel   string // "" = the session's model

	ModelContextTokens map[string]int
	ModelPrices        map[string]Price
	PromptCacheTTL     string // "5m" or "1h"
	LLMMaxRetries      *int   // nil = the built-in schedule
	AnthropicBetas     []string
	HFBillTo           string
	ShowThinking       bool

	MaxIterations    int // -1 = unlimited
	MaxParallelTools int
	MaxCostUSD       *float64 // nil = unset, 0 = unlimited
	UsageWarnings    bool

	Permissions     Permissions
	YoloMode        bool
	ConfirmCPUJobs  bool
	AutoFileUpload  bool
	JobsOnInterrupt string // "" = by surface, see InterruptJobs

	ToolRuntime        string
	ToolsDisabled      []string
	WorkspaceRoot      string // absolute, "" = the repository or working directory
	Checkpoints        string
	ConfineFiles       string
	BashSandbox        string
	BashSandboxRead    []string // absolute
	BashSandboxWrite   []string // absolute
	BashEnvAllow       []string
	BashForwardHFToken bool

	ResearchBash           bool
	ResearchMaxIterations  int
	ResearchTimeoutMinutes int
	WebSearchProviders     []string // empty = every configured one
	WebFetchDomains        []string // empty = all

	ForwardHFToken  bool
	JobSecretAllow  []string
	SandboxBackend  string
	SandboxPrefetch string
	SandboxResync   bool
	ArtifactHooks   bool
	ArtifactCard    bool
	TrackioPrivate  bool

	MCPServers map[string]MCPServer
	Hooks      map[string][]Hook

	SaveSessions              bool
	SessionLogDir             string // absolute
	SessionRetentionDays      int    // 0 = keep
	SessionDatasetRepo        string
	ShareTraces               bool
	PersonalTraceRepoTemplate string
	TraceFormat               string // claude_code or sts
	AutoSaveInterval          int    // user turns, <= 0 = off
	HeartbeatIntervalS        int    // seconds, <= 0 = off
	TelemetryShared           bool
	DetachOnHangup            bool

	Messaging        Messaging
	NotifyMinSeconds int
	UI               UI
}

// Permissions are the approval rules; Mode "" means by surface.
type Permissions struct {
	Mode  string
	Allow []string
	Ask   []string
	Deny  []string
}

// UI is how the terminal looks and calls.
type UI struct {
	Banner       string
	Notify       string
	Theme        string
	ScreenReader bool
}

// Price is what a model costs in USD per million tokens. A nil cache price is
// unknown.
type Price struct {
	Input      float64  `json:"input"`
	Output     float64  `json:"output"`
	CacheRead  *float64 `json:"cache_read,omitempty"`
	CacheWrite *float64 `json:"cache_write,omitempty"`
}

// MCPServer is one server of the model context protocol: a command with its
// standard streams, or an address.
type MCPServer struct {
	Transport string            `json:"transport"` // "stdio", "http", "streamable-http" or "sse"
	Command   string            `json:"command,omitempty"`
	Args      []string          `json:"args,omitempty"`
	Env       map[string]Secret `json:"env,omitempty"`
	Cwd       string            `json:"cwd,omitempty"` // absolute
	URL       string            `json:"url,omitempty"`
	Headers   map[string]Secret `json:"headers,omitempty"`
	Auth      Secret            `json:"auth,omitempty"` // "oauth" or a bearer token
	// ClientID and ClientSecret are what the program is called at the server's
	// login, where it cannot register itself; an id that is a web address is that
	// of a document about the program.
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret Secret `json:"client_secret,omitempty"`
	// Trust says what the server's own word about its tools counts.
	Trust string `json:"trust"`
	// Tools are the names of those that are offered to the model; empty is all.
	Tools []string `json:"tools,omitempty"`
	// Roots tells the server the folder that is worked in.
	Roots bool `json:"roots,omitempty"`
	// Timeout is how many seconds a call may go on without a word.
	Timeout int `json:"timeout"`
	// Layer is the newest layer that has said something about the server:
	// "default", "user", "project" or "flag".
	Layer string `json:"-"`
}

// HubServer is the name of the server that the settings have by themselves.
const HubServer = "hf-mcp-server"

// What a server's annotations count: nothing, so that every call asks; a call that
// only reads, or that destroys nothing, asks no more; nothing asks.
const (
	TrustNone        = "none"
	TrustAnnotations = "annotations"
	TrustAll         = "all"
)

// Hook is a command that runs beside an event.
type Hook struct {
	Matcher string `json:"matcher,omitempty"`
	Command string `json:"command"`
	Timeout int    `json:"timeout"`         // seconds
	Async   bool   `json:"async,omitempty"` // nobody waits for it
	Layer   string `json:"-"`               // the one it comes from: "user", "project", …
}

// Messaging is where one-way notifications go.
type Messaging struct {
	Enabled         bool
	AutoEventTypes  []string
	LongTurnMinutes int
	Destinations    map[string]Destination
}

// Destination is one receiver of notifications. Which fields count follows from
// the provider.
type Destination struct {
	Provider        string   `json:"provider"`
	Token           Secret   `json:"token,omitempty"`
	Channel         string   `json:"channel,omitempty"`
	ChatID          string   `json:"chat_id,omitempty"`
	URL             Secret   `json:"url,omitempty"` // a webhook's address is its password
	Secret          Secret   `json:"secret,omitempty"`
	Argv            []string `json:"argv,omitempty"`
	AllowAgentTool  bool     `json:"allow_agent_tool"`
	AllowAutoEvents bool     `json:"allow_auto_events"`
	AllowMentions   bool     `json:"allow_mentions,omitempty"`
	FullReply       bool     `json:"full_reply,omitempty"`
	Thread          bool     `json:"thread,omitempty"` // messages of a session follow its first
	Username        string   `json:"username,omitempty"`
	IconEmoji       string   `json:"icon_emoji,omitempty"`
}

// Secret is text that prints as a mark. Convert it to a string to use it.
type Secret string

// Redacted stands for a secret in everything that is shown.
const Redacted = "[REDACTED]"

// Format prints the mark with every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.mark())) }

// MarshalJSON writes the mark.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.mark()) }

func (s Secret) mark() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// DefaultCostCap is the spending cap in USD where nobody watches and none is set.
const DefaultCostCap = 25

// ApprovalMode is the mode in force: permissions.mode, else yolo_mode, else
// "ask", and "yolo" headless.
func (c *Config) ApprovalMode(headless bool) string {
	switch {
	case c.Permissions.Mode != "":
		return c.Permissions.Mode
	case c.YoloMode || headless:
		return "yolo"
	}
	return "ask"
}

// CostCap is the spending cap in USD, 0 = none, and whether the user set it.
func (c *Config) CostCap(headless bool) (usd float64, chosen bool) {
	switch {
	case c.MaxCostUSD != nil:
		return *c.MaxCostUSD, true
	case headless || c.ApprovalMode(headless) == "yolo":
		return DefaultCostCap, false
	}
	return 0, false
}

// InterruptJobs is what an interrupt does to running jobs: "ask", "cancel" or
// "leave".
func (c *Config) InterruptJobs(headless bool) string {
	switch {
	case c.JobsOnInterrupt != "":
		return c.JobsOnInterrupt
	case headless:
		return "cancel"
	}
	return "ask"
}
