package event

type (
	// ServerStates tells how things stand with the MCP servers of the session.
	ServerStates struct {
		Servers []ServerState `json:"servers"`
	}
	// ServerState is how things stand with one of them. Its texts are in part the
	// server's own.
	ServerState struct {
		Name      string        `json:"name"`
		Where     string        `json:"where,omitempty"`
		State     string        `json:"state"`
		Problem   string        `json:"problem,omitempty"` // why it is not ready
		Title     string        `json:"title,omitempty"`
		Version   string        `json:"version,omitempty"`
		Protocol  string        `json:"protocol,omitempty"`
		Tools     []ServerTool  `json:"tools,omitempty"`
		Resources int           `json:"resources,omitempty"`
		Prompts   []ServerOffer `json:"prompts,omitempty"`
		Notes     []string      `json:"notes,omitempty"` // what was left out
	}
	// ServerTool is a tool of a server: its own name, and the one the model knows
	// where that is another.
	ServerTool struct {
		Name  string `json:"name"`
		Alias string `json:"alias,omitempty"`
	}
	// ServerOffer is a prompt that a server offers.
	ServerOffer struct {
		Name        string   `json:"name"`
		Description string   `json:"description,omitempty"`
		Arguments   []string `json:"arguments,omitempty"`
		Required    []string `json:"required,omitempty"` // of the arguments
	}
	// ServerPrompt is the text of a prompt of a server.
	ServerPrompt struct {
		Server string `json:"server"`
		Name   string `json:"name"`
		Text   string `json:"text"`
	}
)
