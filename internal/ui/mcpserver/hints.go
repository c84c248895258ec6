package mcpserver

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Hints say what a tool may do at worst. Clients use them to decide what to ask
// about.
type Hints struct {
	// ReadOnly tools change nothing, Idempotent ones nothing more when they are
	// called again.
	ReadOnly, Idempotent bool
	// Destructive tools may overwrite or delete, or cause what cannot be undone.
	Destructive bool
	// OpenWorld tools reach beyond this machine, or run what may.
	OpenWorld bool
}

func (h Hints) annotations(title string) *mcp.ToolAnnotations {
	return &mcp.ToolAnnotations{
		Title: title, ReadOnlyHint: h.ReadOnly, IdempotentHint: h.Idempotent, DestructiveHint: &h.Destructive, OpenWorldHint: &h.OpenWorld,
	}
}

// HintsOf derives hints from what a tool says about its risk, over all its
// operations: the worst of them counts. Where readOnly is set only those that
// look are permitted, and count.
func HintsOf(t tool.Tool, readOnly bool) Hints {
	h := Hints{ReadOnly: true}
	for _, r := range risks(t) {
		if readOnly && !reads(r) {
			continue
		}
		if !reads(r) {
			h.ReadOnly = false
			h.Destructive = h.Destructive || r.Effect == event.Once || r.Gate != tool.Open || len(r.Writes) > 0
		}
		here := r.Effect == event.Pure || r.Command == "" && len(r.Reads)+len(r.Writes) > 0
		h.OpenWorld = h.OpenWorld || !here
	}
	h.Idempotent = h.ReadOnly
	return h
}

// Reads reports whether a tool has an operation that only looks.
func Reads(t tool.Tool) bool { return slices.ContainsFunc(risks(t), reads) }

// reads reports whether a call changes nothing. What a command does is not known.
func reads(r tool.Risk) bool { return r.ReadOnly() && r.Command == "" }

// risks are those of a call of each operation.
func risks(t tool.Tool) []tool.Risk {
	var all []tool.Risk
	for _, args := range specimens(t.Spec().Parameters) {
		all = append(all, t.Risk(args))
	}
	return all
}

// specimens are arguments that stand for all calls: one for each operation, or
// one where a tool has no operations. Only what is required is in them.
func specimens(parameters json.RawMessage) []json.RawMessage {
	var schema struct {
		Properties map[string]property `json:"properties"`
		Required   []string            `json:"required"`
	}
	_ = json.Unmarshal(parameters, &schema) // tools are tested to have one
	args := map[string]any{}
	for _, name := range schema.Required {
		args[name] = schema.Properties[name].specimen()
	}
	operations := schema.Properties["operation"].Enum
	if len(operations) == 0 {
		return []json.RawMessage{encode(args)}
	}
	var all []json.RawMessage
	for _, operation := range operations {
		one := maps.Clone(args)
		one["operation"] = operation
		all = append(all, encode(one))
	}
	return all
}

func encode(args map[string]any) json.RawMessage {
	raw, err := json.Marshal(args)
	if err != nil { // they were read from JSON
		return json.RawMessage("{}")
	}
	return raw
}

// property is what a schema says of one argument.
type property struct {
	Type any   `json:"type"`
	Enum []any `json:"enum"`
}

func (p property) specimen() any {
	if len(p.Enum) > 0 {
		return p.Enum[0]
	}
	kind := p.Type
	if several, ok := kind.([]any); ok && len(several) > 0 {
		kind = several[0]
	}
	switch kind {
	case "integer", "number":
		return 1
	case "boolean":
		return false
	case "array":
		return []any{}
	case "object":
		return map[string]any{}
	}
	return "x"
}
