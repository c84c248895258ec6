package tell

import (
	"cmp"
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/meaning"
)

const (
	// planTool's calls are shown as the plan.
	planTool = "plan_tool"
	// outputMost is the most characters of a result that an editor is shown.
	outputMost = 20_000
	// logLines is how many of the newest lines of a running call are shown, of
	// at most logMost characters in all.
	logLines = 30
	logMost  = 4000
	// titleMost is the most characters of a call's title.
	titleMost = 200
)

// call is a call that has been announced.
type call struct {
	tool    string
	log     []string
	changed []protocol.Content // what it changes, or has changed
	running bool
}

// ofCall folds the life of calls; ok is false for other events.
func (t *Teller) ofCall(ev event.Event) (updates []protocol.Update, ok bool) {
	switch ev.Type {
	case event.TypeToolCall:
		return with(ev, func(in event.ToolCall) []protocol.Update {
			if in.AgentID != "" {
				return nil
			}
			return t.announce(in.ToolCallID, in.Tool, in.Arguments)
		}), true
	case event.TypeToolStarted:
		return with(ev, func(in event.ToolStarted) []protocol.Update {
			if in.AgentID != "" {
				return nil
			}
			return t.running(in.ToolCallID)
		}), true
	case event.TypeApprovalRequired:
		return with(ev, t.asks), true
	case event.TypeToolStateChange:
		return with(ev, t.changes), true
	case event.TypeToolLog:
		in, err := event.Decode[event.ToolLog](ev)
		id := cmp.Or(in.AgentID, in.ToolCallID)
		if err != nil || id == "" || t.calls[id] == nil {
			return nil, err != nil || in.AgentID != ""
		}
		return t.logged(id, in.Log), true
	case event.TypeCheckpoint:
		return with(ev, t.checkpoint), true
	case event.TypeToolOutput:
		return with(ev, t.result), true
	}
	return nil, false
}

// announce tells a call the first time it is heard of.
func (t *Teller) announce(id, tool string, args json.RawMessage) []protocol.Update {
	if t.calls[id] != nil {
		return nil
	}
	t.message, t.thought = "", ""
	c := &call{tool: tool, changed: t.intended(tool, args)}
	t.calls[id] = c
	if tool == planTool {
		return nil
	}
	return []protocol.Update{protocol.Call{Kind: "tool_call", CallFields: protocol.CallFields{
		ID: id, Title: Title(tool, args), Name: tool, ToolKind: kind(tool, args), Status: protocol.Pending,
		Content: c.changed, Locations: t.locations(tool, args), RawInput: raw(args),
	}}}
}

// change is what becomes of a call that an editor shows.
func (t *Teller) change(id string, f protocol.CallFields) []protocol.Update {
	c := t.calls[id]
	if c == nil || c.tool == planTool {
		return nil
	}
	f.ID = id
	return []protocol.Update{protocol.CallChange{Kind: "tool_call_update", CallFields: f}}
}

func (t *Teller) running(id string) []protocol.Update {
	c := t.calls[id]
	if c == nil || c.running {
		return nil
	}
	c.running = true
	return t.change(id, protocol.CallFields{Status: protocol.InProgress})
}

// asks announces the calls that a gate is about.
func (t *Teller) asks(in event.ApprovalRequired) []protocol.Update {
	if in.UsageThreshold || in.YoloBudget {
		return nil
	}
	var all []protocol.Update
	for _, g := range in.Tools {
		all = append(all, t.announce(g.ToolCallID, g.Tool, g.Arguments)...)
	}
	return all
}

// changes folds a step in the life of a call.
func (t *Teller) changes(in event.ToolStateChange) []protocol.Update {
	switch in.State {
	case "running":
		return t.running(in.ToolCallID)
	case "approved":
		if c := t.calls[in.ToolCallID]; c != nil && len(in.EditedArguments) > 0 && string(in.EditedArguments) != "null" {
			c.changed = t.intended(c.tool, in.EditedArguments)
			return t.change(in.ToolCallID, protocol.CallFields{
				Title: Title(c.tool, in.EditedArguments), Content: c.changed, RawInput: raw(in.EditedArguments),
			})
		}
	case "rejected", "abandoned", "interrupted":
		why := map[string]string{"rejected": "not allowed", "abandoned": "not answered", "interrupted": "interrupted"}[in.State]
		if in.Feedback != "" {
			why += ": " + in.Feedback
		}
		return t.change(in.ToolCallID, protocol.CallFields{
			Status: protocol.Failed, Content: []protocol.Content{protocol.Shown(plain.ForTerminal(why))},
		})
	}
	return nil
}

// logged shows the newest lines of a running call.
func (t *Teller) logged(id, log string) []protocol.Update {
	c := t.calls[id]
	if t.past {
		return nil // its result tells more
	}
	for line := range strings.Lines(plain.ForTerminal(excerpt.Tail(log, logMost))) {
		if line = strings.TrimRight(line, "\n"); strings.TrimSpace(line) != "" {
			c.log = append(c.log, line)
		}
	}
	c.log = c.log[max(0, len(c.log)-logLines):]
	shown := append(c.changed[:len(c.changed):len(c.changed)], fenced(excerpt.Tail(strings.Join(c.log, "\n"), logMost)))
	return t.change(id, protocol.CallFields{Status: protocol.InProgress, Content: shown})
}

// checkpoint tells which files a call has changed, and how.
func (t *Teller) checkpoint(in event.Checkpoint) []protocol.Update {
	c := t.calls[in.ToolCallID]
	if c == nil || len(in.Files) == 0 {
		return nil
	}
	var places []protocol.Location
	for i, f := range in.Files {
		if i == filesMost {
			break
		}
		places = append(places, protocol.Location{Path: t.path(f.Path)})
	}
	if t.o.Difference != nil && !t.past {
		if text, err := t.o.Difference(in.Before, in.After); err == nil {
			if parts := t.parts(text, in.Files); len(parts) > 0 {
				c.changed = parts
			}
		}
	}
	return t.change(in.ToolCallID, protocol.CallFields{Content: c.changed, Locations: places})
}

// result tells how a call has ended.
func (t *Teller) result(in event.ToolOutput) []protocol.Update {
	if in.AgentID != "" || sentence.AboutMoney(in.Tool) {
		return nil
	}
	c := t.calls[in.ToolCallID]
	defer delete(t.calls, in.ToolCallID)
	status := protocol.Completed
	if !in.Success {
		status = protocol.Failed
	}
	if c == nil || c.tool == planTool {
		if c != nil && in.Success {
			return nil
		}
		return []protocol.Update{protocol.Call{Kind: "tool_call", CallFields: protocol.CallFields{
			ID: in.ToolCallID, Title: Title(in.Tool, nil), Name: in.Tool, ToolKind: kind(in.Tool, nil), Status: status, Content: output(in.Output),
		}}}
	}
	shown := output(in.Output)
	if len(c.changed) > 0 && in.Success {
		shown = c.changed
		if c.tool != "write" && c.tool != "edit" { // what they have changed is all they say
			shown = append(shown[:len(shown):len(shown)], output(in.Output)...)
		}
	}
	return t.change(in.ToolCallID, protocol.CallFields{Status: status, Content: shown})
}

// finished tells a call of a session that was brought in, with its result.
func (t *Teller) finished(c llm.ToolCall, result string) []protocol.Update {
	if c.Name == planTool {
		return nil
	}
	args := json.RawMessage(c.Arguments)
	return []protocol.Update{protocol.Call{Kind: "tool_call", CallFields: protocol.CallFields{
		ID: c.ID, Title: Title(c.Name, args), Name: c.Name, ToolKind: kind(c.Name, args), Status: protocol.Completed,
		Content: append(t.intended(c.Name, args), output(result)...), RawInput: raw(args),
	}}}
}

// output is a result as it is shown: its beginning and its end.
func output(text string) []protocol.Content {
	text = strings.TrimSpace(plain.ForTerminal(text))
	if text == "" {
		return nil
	}
	head := excerpt.Head(text, outputMost*2/3)
	if head != text {
		text = head + "\n…\n" + excerpt.Tail(text, outputMost/3)
	}
	return []protocol.Content{fenced(text)}
}

// fenced is text that is no Markdown.
func fenced(text string) protocol.Content {
	fence := markup.Fence(text)
	return protocol.Shown(fence + "\n" + text + "\n" + fence)
}

// Title says on one line what a call does.
func Title(tool string, args json.RawMessage) string {
	what := meaning.Of(tool, args)
	switch tool {
	case "bash":
		if command := argument(args, "command"); command != "" {
			what = command
		}
		if what != "" {
			return code(what)
		}
	case "read", "write", "edit":
		if path := argument(args, "path"); path != "" {
			return strings.ToUpper(tool[:1]) + tool[1:] + " " + code(path)
		}
	}
	return cmp.Or(oneLine(tool+" "+what), "a tool")
}

// code is text in the form of code, in Markdown, on one line.
func code(text string) string {
	return "`" + strings.ReplaceAll(oneLine(text), "`", "'") + "`"
}

func oneLine(text string) string {
	return history.Cut(strings.Join(strings.Fields(plain.ForTerminal(text)), " "), titleMost)
}

// argument is an argument that is a text; empty for none.
func argument(args json.RawMessage, name string) string {
	var all map[string]json.RawMessage
	var s string
	if json.Unmarshal(args, &all) != nil || json.Unmarshal(all[name], &s) != nil {
		return ""
	}
	return s
}

// kind says for an editor's symbols what a call is.
func kind(tool string, args json.RawMessage) string {
	switch tool {
	case "read", "hf_inspect_dataset", "hf_model_inspect", "github_read_file":
		return "read"
	case "write", "edit":
		return "edit"
	case "bash", "bash_jobs", "hf_jobs", "sandbox_create", "wait":
		return "execute"
	case "sandbox_delete":
		return "delete"
	case "web_fetch", "fetch_hf_docs":
		return "fetch"
	case "research", planTool:
		return "think"
	case "web_search", "hub_search", "explore_hf_docs", "hf_papers", "find_hf_api", "github_find_examples", "github_list_repos",
		"github_search", "hf_dataset_query", "hf_leaderboard":
		return "search"
	case "hf_repo_files":
		switch argument(args, "operation") {
		case "upload":
			return "edit"
		case "delete":
			return "delete"
		}
		return "read"
	}
	return "other"
}

// locations are the files that a call is about, for an editor that follows.
func (t *Teller) locations(tool string, args json.RawMessage) []protocol.Location {
	path := argument(args, "path")
	if t.o.Remote || path == "" || tool != "read" && tool != "write" && tool != "edit" {
		return nil
	}
	l := protocol.Location{Path: t.path(path)}
	var in struct{ Offset int }
	if tool == "read" && json.Unmarshal(args, &in) == nil && in.Offset > 0 {
		l.Line = in.Offset
	}
	return []protocol.Location{l}
}

// intended is what a call would make of a file, as far as its arguments tell.
func (t *Teller) intended(tool string, args json.RawMessage) []protocol.Content {
	return Intended(t.o.Dir, nil, tool, args)
}

// path is a path of a tool, absolute.
func (t *Teller) path(name string) string { return absolute(t.o.Dir, name) }

func absolute(dir, name string) string {
	if name = filepath.FromSlash(plain.ForTerminal(name)); filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
