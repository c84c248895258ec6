// Package protocol is the Agent Client Protocol, version 1, as far as this
// program speaks it: the names of its methods and the forms of what they carry.
// It holds no behaviour. Tests hold every frame against the official schema.
package protocol

import "encoding/json"

// Version is the version of the protocol that is spoken.
const Version = 1

// The methods of the agent.
const (
	Initialize      = "initialize"
	Authenticate    = "authenticate"
	Logout          = "logout"
	SessionNew      = "session/new"
	SessionLoad     = "session/load"
	SessionResume   = "session/resume"
	SessionList     = "session/list"
	SessionDelete   = "session/delete"
	SessionClose    = "session/close"
	SessionPrompt   = "session/prompt"
	SessionCancel   = "session/cancel" // a notification
	SessionSetMode  = "session/set_mode"
	SessionSetOther = "session/set_config_option"
)

// The methods of the client.
const (
	SessionUpdate     = "session/update" // a notification
	RequestPermission = "session/request_permission"
)

// The codes of errors that are the protocol's own.
const (
	AuthRequired = -32000
	NotFound     = -32002
)

type (
	// Info names a program.
	Info struct {
		Name    string `json:"name"`
		Title   string `json:"title,omitempty"`
		Version string `json:"version"`
	}
	// InitializeRequest is the first thing a client says.
	InitializeRequest struct {
		ProtocolVersion int                `json:"protocolVersion"`
		Capabilities    ClientCapabilities `json:"clientCapabilities"`
		Client          *Info              `json:"clientInfo"`
	}
	// ClientCapabilities are what a client can do beside the necessary. What is
	// there counts, whatever it holds.
	ClientCapabilities struct {
		Session struct {
			Compaction json.RawMessage `json:"compaction"`
			Notices    json.RawMessage `json:"notices"`
		} `json:"session"`
		Auth struct {
			Terminal bool `json:"terminal"`
		} `json:"auth"`
	}
	// InitializeResponse says who answers and what it can do.
	InitializeResponse struct {
		ProtocolVersion int               `json:"protocolVersion"`
		Capabilities    AgentCapabilities `json:"agentCapabilities"`
		Agent           Info              `json:"agentInfo"`
		AuthMethods     []AuthMethod      `json:"authMethods"`
	}
	// AgentCapabilities are what the agent can do.
	AgentCapabilities struct {
		LoadSession bool                `json:"loadSession"`
		Prompt      PromptCapabilities  `json:"promptCapabilities"`
		MCP         MCPCapabilities     `json:"mcpCapabilities"`
		Session     SessionCapabilities `json:"sessionCapabilities"`
		Auth        AuthCapabilities    `json:"auth"`
	}
	// PromptCapabilities are what a prompt may hold beside text and links.
	PromptCapabilities struct {
		Image           bool `json:"image"`
		Audio           bool `json:"audio"`
		EmbeddedContext bool `json:"embeddedContext"`
	}
	// MCPCapabilities are the ways to MCP servers beside stdio.
	MCPCapabilities struct {
		HTTP bool `json:"http"`
		SSE  bool `json:"sse"`
	}
	// SessionCapabilities are the optional methods for sessions that are there.
	SessionCapabilities struct {
		List   *struct{} `json:"list,omitempty"`
		Delete *struct{} `json:"delete,omitempty"`
		Resume *struct{} `json:"resume,omitempty"`
		Close  *struct{} `json:"close,omitempty"`
	}
	// AuthCapabilities are the optional methods about logins that are there.
	AuthCapabilities struct {
		Logout *struct{} `json:"logout,omitempty"`
	}
	// AuthMethod is a way to log in. One of type terminal is done by the client,
	// which starts the agent with Args in a terminal.
	AuthMethod struct {
		Type        string   `json:"type,omitempty"`
		ID          string   `json:"id"`
		Name        string   `json:"name"`
		Description string   `json:"description,omitempty"`
		Args        []string `json:"args,omitempty"`
	}
	// AuthenticateRequest asks for a login by one of the methods.
	AuthenticateRequest struct {
		MethodID string `json:"methodId"`
	}
)

type (
	// OpenRequest begins a session, loads or resumes one.
	OpenRequest struct {
		SessionID string   `json:"sessionId"` // of the one to load or to resume
		Cwd       string   `json:"cwd"`
		Servers   []Server `json:"mcpServers"`
	}
	// Server is an MCP server that the client brings. Type is empty for one that
	// is started as a command.
	Server struct {
		Type    string   `json:"type"` // http, sse or empty
		Name    string   `json:"name"`
		URL     string   `json:"url"`
		Headers []Named  `json:"headers"`
		Command string   `json:"command"`
		Args    []string `json:"args"`
		Env     []Named  `json:"env"`
	}
	// Named is a header or a variable.
	Named struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	// OpenResponse tells of a session that is open. The id is that of a new one.
	OpenResponse struct {
		SessionID string   `json:"sessionId,omitempty"`
		Modes     *Modes   `json:"modes,omitempty"`
		Config    []Option `json:"configOptions,omitempty"`
	}
	// Modes are the approval modes of a session.
	Modes struct {
		Current   string `json:"currentModeId"`
		Available []Mode `json:"availableModes"`
	}
	// Mode is one of them.
	Mode struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
	}
	// Option is a setting that the client may show and change.
	Option struct {
		Type        string   `json:"type"` // select
		ID          string   `json:"id"`
		Name        string   `json:"name"`
		Description string   `json:"description,omitempty"`
		Category    string   `json:"category,omitempty"`
		Current     string   `json:"currentValue"`
		Options     []Choice `json:"options"`
	}
	// Choice is a value of an Option.
	Choice struct {
		Value       string `json:"value"`
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
	}
	// SetModeRequest changes the mode.
	SetModeRequest struct {
		SessionID string `json:"sessionId"`
		ModeID    string `json:"modeId"`
	}
	// SetOptionRequest changes an Option. The value is a text for one of type
	// select.
	SetOptionRequest struct {
		SessionID string          `json:"sessionId"`
		ConfigID  string          `json:"configId"`
		Value     json.RawMessage `json:"value"`
	}
	// SetOptionResponse is all options, as they are now.
	SetOptionResponse struct {
		Config []Option `json:"configOptions"`
	}
	// ListRequest asks for saved sessions, of one working directory where there
	// is one.
	ListRequest struct {
		Cwd    string `json:"cwd"`
		Cursor string `json:"cursor"`
	}
	// ListResponse is a page of them.
	ListResponse struct {
		Sessions   []SessionInfo `json:"sessions"`
		NextCursor string        `json:"nextCursor,omitempty"`
	}
	// SessionInfo is a saved session.
	SessionInfo struct {
		SessionID string `json:"sessionId"`
		Cwd       string `json:"cwd"`
		Title     string `json:"title,omitempty"`
		UpdatedAt string `json:"updatedAt,omitempty"` // RFC 3339
	}
	// SessionRequest names a session.
	SessionRequest struct {
		SessionID string `json:"sessionId"`
	}
	// PromptRequest is a person's message.
	PromptRequest struct {
		SessionID string  `json:"sessionId"`
		Prompt    []Block `json:"prompt"`
	}
	// PromptResponse ends a turn.
	PromptResponse struct {
		StopReason string `json:"stopReason"`
	}
)

// Why a turn ended.
const (
	EndTurn         = "end_turn"
	MaxTokens       = "max_tokens"
	MaxTurnRequests = "max_turn_requests"
	Refusal         = "refusal"
	Cancelled       = "cancelled"
)

// Block is a piece of content. Which fields count depends on its type: text,
// image, audio, resource_link or resource.
type Block struct {
	Type     string    `json:"type"`
	Text     *string   `json:"text,omitempty"`
	Data     string    `json:"data,omitempty"` // base64
	MimeType string    `json:"mimeType,omitempty"`
	URI      string    `json:"uri,omitempty"`
	Name     string    `json:"name,omitempty"`
	Resource *Resource `json:"resource,omitempty"`
}

// Resource is a file that a message brings along: text, or bytes in base64.
type Resource struct {
	URI      string  `json:"uri"`
	MimeType string  `json:"mimeType,omitempty"`
	Text     *string `json:"text,omitempty"`
	Blob     *string `json:"blob,omitempty"`
}

// Text is a block of text.
func Text(s string) Block { return Block{Type: "text", Text: &s} }
