package acp

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
)

// joined adds the MCP servers that an editor brings to settings from the command
// line: they stand beside the configured ones, and nothing in them is taken for a
// variable. One that is configured already is not there twice.
func joined(settings map[string][]string, brought []protocol.Server, configured map[string]schema.MCPServer) (map[string][]string, error) {
	all := map[string]map[string]any{}
	for _, s := range brought {
		if known(s, configured) {
			continue
		}
		name := free(s.Name, func(name string) bool { return configured[name].Transport == "" && all[name] == nil })
		entry := map[string]any{}
		switch s.Type {
		case "":
			entry["command"], entry["args"], entry["env"] = s.Command, append([]string{}, s.Args...), named(s.Env)
		case "http", "sse":
			entry["transport"], entry["url"], entry["headers"] = s.Type, s.URL, named(s.Headers)
		default:
			return nil, fmt.Errorf("the MCP server %q is of type %q: there are stdio, http and sse", s.Name, s.Type)
		}
		all[name] = entry
	}
	if len(all) == 0 {
		return settings, nil
	}
	raw, err := event.Encode(all)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(settings)
	out["mcpServers"] = []string{string(raw)}
	return out, nil
}

// known reports whether a server is configured already, under whatever name.
func known(s protocol.Server, configured map[string]schema.MCPServer) bool {
	for _, c := range configured {
		if s.Type != "" && c.URL == s.URL && c.URL != "" || s.Type == "" && c.Command == s.Command && slices.Equal(c.Args, s.Args) && c.Command != "" {
			return true
		}
	}
	return false
}

// free is a name that is not taken, made of an editor's.
func free(name string, isFree func(string) bool) string {
	if name = strings.TrimSpace(name); name == "" {
		name = "editor"
	}
	for next, n := name, 2; ; n++ {
		if isFree(next) {
			return next
		}
		next = fmt.Sprintf("%s-%d", name, n)
	}
}

func named(list []protocol.Named) map[string]string {
	all := map[string]string{}
	for _, n := range list {
		all[n.Name] = n.Value
	}
	return all
}
