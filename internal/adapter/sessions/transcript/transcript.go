// Package transcript is a session as it was held, message by message: with what
// was condensed since, and without what was taken back. It knows when each
// message was said, which model wrote it and what that took, and has the
// conversations of sub-agents beside it. What form it is written in, and where
// it goes, is not its concern.
package transcript

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Transcript is a session as it was held.
type Transcript struct {
	SessionID string
	Title     string
	Start     string // RFC 3339
	// Main is the conversation itself, Agents are those of the sub-agents that it
	// has sent out, in the order of their beginnings.
	Main   []Entry
	Agents []Agent
}

// Agent is the conversation of one sub-agent.
type Agent struct {
	// ID is the tool call that has sent it out.
	ID      string
	Entries []Entry
}

// Entry is one message.
type Entry struct {
	llm.Message
	// Place is its number among all messages of its conversation, the system
	// message counted. It stays the same when the conversation goes on.
	Place int
	// Model wrote it, or would have been asked next.
	Model string
	// Version is the program's, Folder the last part of the path it worked in;
	// empty where they are not known.
	Version, Folder string
	// Call is what an answer took, nil where that is not known.
	Call *event.LLMCall
	// Failed says that it is the result of a call that failed.
	Failed bool
	// Condensed says that it stands for what was said before: nobody said it.
	Condensed bool
}

// Answered reports whether a model has said something, or called a tool.
func (t Transcript) Answered() bool {
	for _, e := range t.Main {
		if e.Says() && e.Role == llm.Assistant && !e.Condensed {
			return true
		}
	}
	return false
}

// Says reports whether an entry holds anything: an answer may be empty.
func (e Entry) Says() bool {
	return e.Role != llm.Assistant || e.Content() != "" || len(e.ToolCalls) > 0
}

// Content is the message as one text: that of its parts, and the JSON of parts
// that are none.
func (e Entry) Content() string {
	if e.Parts == nil {
		return e.Text
	}
	texts := make([]string, len(e.Parts))
	for i, raw := range e.Parts {
		texts[i] = partText(raw)
	}
	return strings.Join(texts, "\n")
}

// Of makes the transcript of a session, from its journal where there is one,
// else from the messages that are left.
func Of(d document.Document) Transcript {
	t := Transcript{SessionID: d.SessionID, Title: d.Title, Start: d.StartTime}
	if t.Title == "" {
		t.Title = d.Name()
	}
	if len(d.Journal) > 0 {
		t.Main, t.Agents = told(d.Journal)
	} else {
		t.Main = kept(d)
	}
	for i := range t.Main {
		e := &t.Main[i]
		if e.Model == "" {
			e.Model = d.Model
		}
		if e.Version == "" {
			e.Version = d.AppVersion
		}
		if e.Folder == "" {
			e.Folder = folder(d.Cwd)
		}
		if e.Timestamp == "" {
			e.Timestamp = d.StartTime
		}
	}
	return t
}

// folder is the last part of a path of any system, empty for none: the rest of
// it names the user.
func folder(path string) string {
	path = strings.TrimRight(path, `/\`)
	if path == "" {
		return ""
	}
	base := filepath.Base(path)
	return base[strings.LastIndexByte(base, '\\')+1:]
}

// kept are the messages of a session that has no journal.
func kept(d document.Document) []Entry {
	failed, calls := map[string]bool{}, []*event.LLMCall(nil)
	for _, ev := range d.Events {
		switch {
		case ev.AgentID() != "":
		case ev.Type == event.TypeToolOutput:
			if out, err := event.Decode[event.ToolOutput](ev); err == nil {
				failed[out.ToolCallID] = !out.Success
			}
		case ev.Type == event.TypeLLMCall:
			if call, ok := answers(ev); ok && call.Kind == llm.KindMain {
				calls = append(calls, call)
			}
		}
	}
	var out []Entry
	for i, m := range d.Messages {
		out = append(out, Entry{Message: m, Place: d.Place(i), Failed: m.Role == llm.ToolRole && failed[m.ToolCallID]})
	}
	pair(out, calls)
	return out
}

// pair gives answers their calls, where there are as many of both: nothing was
// condensed or taken back then.
func pair(entries []Entry, calls []*event.LLMCall) {
	var answers []*Entry
	for i := range entries {
		if entries[i].Role == llm.Assistant {
			answers = append(answers, &entries[i])
		}
	}
	if len(answers) != len(calls) {
		return
	}
	for i, e := range answers {
		e.Call, e.Model = calls[i], calls[i].Model
	}
}

// answers returns the model call of an event that ended in an answer.
func answers(ev event.Event) (*event.LLMCall, bool) {
	call, err := event.Decode[event.LLMCall](ev)
	return &call, err == nil && call.FinishReason != string(llm.FinishError)
}

// Reasoning is what the model thought, as far as it is there to read.
func (e Entry) Reasoning() string {
	var texts []string
	for _, raw := range e.ThinkingBlocks {
		var block struct {
			Thinking string `json:"thinking"`
		}
		if json.Unmarshal(raw, &block) == nil && block.Thinking != "" {
			texts = append(texts, block.Thinking)
		}
	}
	if len(texts) == 0 {
		return e.ReasoningContent
	}
	return strings.Join(texts, "\n")
}
