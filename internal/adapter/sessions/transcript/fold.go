package transcript

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// told folds a journal into its conversations.
func told(events []event.Event) (main []Entry, agents []Agent) {
	f := &fold{}
	var ids []string
	subs := map[string]*fold{}
	for _, ev := range events {
		id := ev.AgentID()
		if id == "" {
			f.take(ev)
			continue
		}
		own, ok := ownEvent(ev)
		if !ok {
			continue
		}
		if subs[id] == nil {
			ids, subs[id] = append(ids, id), &fold{}
		}
		subs[id].setting = f.setting
		subs[id].take(own)
	}
	for _, id := range ids {
		if entries := subs[id].entries(); len(entries) > 0 {
			agents = append(agents, Agent{id, entries})
		}
	}
	return f.entries(), agents
}

// ownEvent is a sub-agent's event as if the conversation were the main one.
func ownEvent(ev event.Event) (event.Event, bool) {
	var p event.Payload
	var err error
	switch ev.Type {
	case event.TypeHistoryMessage:
		var in event.HistoryMessage
		in, err = event.Decode[event.HistoryMessage](ev)
		in.AgentID = ""
		p = in
	case event.TypeToolOutput:
		var in event.ToolOutput
		in, err = event.Decode[event.ToolOutput](ev)
		in.AgentID = ""
		p = in
	case event.TypeLLMCall:
		var in event.LLMCall
		in, err = event.Decode[event.LLMCall](ev)
		in.AgentID = ""
		p = in
	default:
		return event.Event{}, false
	}
	if err != nil {
		return event.Event{}, false
	}
	own, err := event.New(ev.SessionID, "", ev.Time, p)
	return own, err == nil
}

// setting is what holds for a message beside itself.
type setting struct{ model, version, folder string }

// said is an entry while the conversation goes on.
type said struct {
	Entry
	into *said // what it was condensed into, nil for nothing
}

// fold is one conversation in the making.
type fold struct {
	state   history.State
	all     []*said // what was said, in order
	force   []*said // one a message of the state
	removed []*said // taken back, and what may come again
	call    *event.LLMCall
	setting setting
}

// take takes in the next event. One that cannot be read says nothing.
func (f *fold) take(ev event.Event) {
	before := f.state.Messages
	if f.state.Apply(ev) != nil {
		return
	}
	f.setting = setting{
		first(f.state.Model, f.setting.model), first(f.state.Version, f.setting.version), first(folder(f.state.Cwd), f.setting.folder),
	}
	switch {
	case f.state.Edit.Replaced:
		in, err := event.Decode[event.HistoryRewritten](ev)
		if err == nil {
			f.rewrite(in.Reason, before)
		}
	case f.state.Edit.Added:
		f.insert(f.state.Edit.At, ev)
	case ev.Type == event.TypeLLMCall:
		if call, ok := answers(ev); ok && (call.Kind == llm.KindMain || call.Kind == llm.KindResearch) {
			f.call = call
		}
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (f *fold) entry(m llm.Message) *said {
	return &said{Entry: Entry{Message: m, Model: f.setting.model, Version: f.setting.version, Folder: f.setting.folder}}
}

// timeLayout is RFC 3339 with milliseconds, in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

// insert adds the message that the state has put at an index.
func (f *fold) insert(at int, ev event.Event) {
	e := f.entry(f.state.Messages[at])
	if !ev.Time.IsZero() { // to the millisecond, unlike what the message says
		e.Timestamp = ev.Time.UTC().Format(timeLayout)
	}
	switch e.Role {
	case llm.Assistant:
		if f.call != nil {
			e.Call, e.Model, f.call = f.call, f.call.Model, nil
		}
	case llm.ToolRole:
		if out, err := event.Decode[event.ToolOutput](ev); err == nil {
			e.Failed = !out.Success
		}
	}
	if at == len(f.force) { // the newest: a summary may stand last of what was said
		f.all = append(f.all, e)
	} else {
		f.behind(at, e)
	}
	f.force = slices.Insert(f.force, at, e)
	f.removed = nil
}

// behind puts an entry behind the one that is in force before index at.
func (f *fold) behind(at int, e *said) {
	place := 0
	if at > 0 {
		place = slices.Index(f.all, f.force[at-1]) + 1
	}
	f.all = slices.Insert(f.all, place, e)
}

// reasonCompaction is why a history is rewritten of which nothing was taken
// back. The others that are known take something back, or repair it.
const reasonCompaction = "compaction"

// rewrite takes in a new history.
func (f *fold) rewrite(reason string, before []llm.Message) {
	messages := f.state.Messages
	condense := reason == reasonCompaction
	if reason == history.ReasonUndo || reason == history.ReasonTruncate {
		if n := len(messages); n <= len(before) && n <= len(f.force) {
			f.removed = slices.Concat(f.force[n:], f.removed)
			f.force = f.force[:n:n]
			f.drop(f.removed)
			return
		}
	}
	old := slices.Concat(f.force, f.removed)
	next, fresh := make([]*said, len(messages)), []*said(nil)
	from := 0
	for i, m := range messages {
		if at := find(old[from:], m, condense); at >= 0 {
			from += at
			next[i] = old[from]
			from++
			continue
		}
		next[i] = f.entry(m)
		next[i].Condensed = condense
		fresh = append(fresh, next[i])
	}
	staying := set(next)
	if condense {
		for _, e := range f.force {
			if len(fresh) > 0 && !staying[e] {
				e.into = fresh[0]
			}
		}
		f.force, f.all = next, append(f.all, fresh...)
		return
	}
	f.removed = slices.DeleteFunc(old, func(e *said) bool { return staying[e] })
	f.drop(f.removed)
	there := set(f.all)
	f.force = nil
	for _, e := range next {
		if !there[e] {
			f.behind(len(f.force), e)
		}
		f.force = append(f.force, e)
	}
}

func set(entries []*said) map[*said]bool {
	out := make(map[*said]bool, len(entries))
	for _, e := range entries {
		out[e] = true
	}
	return out
}

// drop removes what was taken back, with what it stands for.
func (f *fold) drop(gone []*said) {
	out := set(gone)
	f.all = slices.DeleteFunc(f.all, func(e *said) bool { return out[e] || e.into != nil && out[e.into] })
}

// find returns the place of the entry that a message is, -1 for none. A
// condensed history may hold it shortened.
func find(old []*said, m llm.Message, shortened bool) int {
	if at := slices.IndexFunc(old, func(e *said) bool { return same(e.Message, m) }); at >= 0 || !shortened {
		return at
	}
	return slices.IndexFunc(old, func(e *said) bool { return short(e.Message, m) })
}

// same compares what two messages say, not when.
func same(a, b llm.Message) bool {
	return a.Role == b.Role && a.Text == b.Text && a.ToolCallID == b.ToolCallID && a.Synthetic == b.Synthetic &&
		slices.EqualFunc(a.Parts, b.Parts, func(x, y json.RawMessage) bool { return string(x) == string(y) }) &&
		slices.EqualFunc(a.ToolCalls, b.ToolCalls, func(x, y llm.ToolCall) bool {
			return x.ID == y.ID && x.Name == y.Name && x.Arguments == y.Arguments
		})
}

// room marks what was shortened, tail is how much of its end is left at least,
// in bytes.
const (
	room = "to make room"
	tail = 50
)

// short reports whether b is a with its inside cut out.
func short(a, b llm.Message) bool {
	switch {
	case a.Role != b.Role || a.Synthetic != b.Synthetic:
		return false
	case a.Role == llm.ToolRole:
		return a.ToolCallID == b.ToolCallID
	case len(a.ToolCalls) > 0 || len(b.ToolCalls) > 0:
		return slices.EqualFunc(a.ToolCalls, b.ToolCalls, func(x, y llm.ToolCall) bool { return x.ID == y.ID })
	}
	whole, cut := a.PlainText(), b.PlainText()
	return strings.Contains(cut, room) &&
		(whole != "" && strings.HasPrefix(cut, whole) || len(whole) > tail && strings.HasSuffix(cut, whole[len(whole)-tail:]))
}

// entries are the conversation as it stands.
func (f *fold) entries() []Entry {
	out := make([]Entry, len(f.all))
	for i, e := range f.all {
		out[i] = e.Entry
		out[i].Place = i
	}
	return out
}

// partText is the text of a part of a message, and of any other part its JSON.
func partText(raw json.RawMessage) string {
	var block struct {
		Text *string `json:"text"`
	}
	var plain string
	switch {
	case json.Unmarshal(raw, &block) == nil && block.Text != nil:
		return *block.Text
	case json.Unmarshal(raw, &plain) == nil:
		return plain
	}
	return string(raw)
}
