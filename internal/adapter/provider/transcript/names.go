package transcript

import "github.com/ml-intern/ml-intern/internal/domain/llm"

// maxName is the longest tool name that every provider takes, in bytes.
const maxName = 64

// Names maps tool names to what providers accept, and back. Tools of outside
// servers may have any name; providers want letters, digits, "_" and "-", at
// most 64.
type Names struct{ wire, own map[string]string }

// NewNames maps the names of tools, the earlier ones first where two clash.
func NewNames(tools []llm.ToolSpec) Names {
	n := Names{wire: make(map[string]string, len(tools)), own: make(map[string]string, len(tools))}
	taken := make(map[string]bool, len(tools))
	for _, t := range tools {
		if _, known := n.wire[t.Name]; known {
			continue
		}
		wire := free(fitID(t.Name, PlainID, maxName), t.Name, maxName, taken)
		n.wire[t.Name], n.own[wire] = wire, t.Name
	}
	return n
}

// Wire returns the name to send for a tool; tools of the past, which are no
// longer in the list, are mapped as well.
func (n Names) Wire(name string) string {
	if wire, ok := n.wire[name]; ok {
		return wire
	}
	if name == "" {
		return "_"
	}
	return fitID(name, PlainID, maxName)
}

// Own returns the tool that a model means by a name, or the name itself.
func (n Names) Own(wire string) string {
	if own, ok := n.own[wire]; ok {
		return own
	}
	return wire
}
