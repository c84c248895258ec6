// Package tell puts the events of a session into the updates that an editor is
// shown: words, thoughts, calls of tools with what they change, the plan, what
// it costs. It is a pure fold, once for what happens now and once for what has
// happened before; it asks nobody and knows no connection.
package tell

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/status"
)

// Options say what is told, and how.
type Options struct {
	// Dir is where relative paths of tools begin.
	Dir string
	// Remote says that tools work on files of another machine.
	Remote bool
	// Mine reports whether the text of a submission came from the editor, which
	// shows it by itself; nil says no.
	Mine func(submissionID string) bool
	// Difference is what has changed between two checkpoints, as a unified diff;
	// nil knows none.
	Difference func(before, after string) (string, error)
	// Notices and Compactions say that the editor can show those.
	Notices, Compactions bool
}

// Teller folds the events of one session. Its methods belong to one goroutine.
type Teller struct {
	o Options

	past  bool      // what is told has happened before
	at    time.Time // of the newest event
	calls map[string]*call
	board status.Board
	usage protocol.Usage
	title string
	first string // what was said first: the title of a session that has none

	waiting map[string]event.InputAccepted // texts whose turn has not begun
	entered bool                           // the text that the turn began with is in the history
	message string                         // id of the message that is open, empty for none
	thought string                         // of the thoughts
	shown   bool                           // the text of the message that enters the history next has been told
	told    string                         // a text that came from the history first
}

// New returns a Teller that has seen nothing.
func New(o Options) *Teller {
	return &Teller{o: o, calls: map[string]*call{}, waiting: map[string]event.InputAccepted{}}
}

// Settings takes over the values that a session runs with when it is opened.
func (t *Teller) Settings(in event.Settings) { t.board.Settings(in) }

// Past returns what a session's earlier events tell, without the turns that were
// taken back.
func (t *Teller) Past(events []event.Event) ([]protocol.Update, error) {
	state, err := history.Load(events)
	if err != nil {
		return nil, err
	}
	stands := map[string]bool{"": true}
	for _, turn := range state.InForce {
		stands[turn.TurnID] = true
	}
	var all []protocol.Update
	t.past = true
	for _, ev := range events {
		t.take(ev)
		if stands[ev.TurnID] {
			all = append(all, t.words(ev)...)
		}
	}
	t.past = false
	if state.Turn == nil {
		t.calls = map[string]*call{}
	}
	if plan := planOf(state.Plan); len(plan.Entries) > 0 {
		all = append(all, plan)
	}
	return append(all, t.sums()...), nil
}

// Next returns what the next event tells.
func (t *Teller) Next(ev event.Event) []protocol.Update {
	t.take(ev)
	return append(t.words(ev), t.sums()...)
}

func (t *Teller) take(ev event.Event) {
	t.at = ev.Time
	t.board.Apply(ev, ev.Time)
}

// with decodes ev and hands it on. An event that is not what its type promises
// tells nothing.
func with[P event.Payload](ev event.Event, do func(P) []protocol.Update) []protocol.Update {
	in, err := event.Decode[P](ev)
	if err != nil {
		return nil
	}
	return do(in)
}

// words is what an event says.
func (t *Teller) words(ev event.Event) []protocol.Update {
	switch ev.Type {
	case event.TypeAssistantChunk:
		return with(ev, func(in event.AssistantChunk) []protocol.Update { return t.chunk(ev, in.Content) })
	case event.TypeReasoningChunk:
		return with(ev, func(in event.ReasoningChunk) []protocol.Update { return t.thinks(ev, in.Content) })
	case event.TypeStreamEnd:
		return with(ev, t.streamEnd)
	case event.TypeAssistantMessage:
		return with(ev, func(in event.AssistantMessage) []protocol.Update { return t.announced(ev, in.Content) })
	case event.TypeHistoryMessage:
		return with(ev, func(in event.HistoryMessage) []protocol.Update { return t.remembered(ev, in) })
	case event.TypeHistoryRewritten:
		return with(ev, func(in event.HistoryRewritten) []protocol.Update { return t.rewritten(ev, in) })
	case event.TypeInputAccepted:
		return with(ev, t.accepted)
	case event.TypeTurnStarted:
		return with(ev, t.begin)
	case event.TypePlanUpdate:
		return with(ev, func(in event.PlanUpdate) []protocol.Update {
			if t.past {
				return nil // the last one is told at the end
			}
			return []protocol.Update{planOf(in.Plan)}
		})
	}
	if updates, ok := t.ofCall(ev); ok {
		return updates
	}
	return t.passing(ev)
}

// messageID names a message by the event that began it.
func messageID(kind string, ev event.Event) string { return fmt.Sprintf("%s_%d", kind, ev.Seq) }

func text(kind, id, s string) protocol.Update {
	return protocol.Chunk{Kind: kind, Content: protocol.Text(plain.ForTerminal(s)), MessageID: id}
}

// chunk tells a piece of the answer.
func (t *Teller) chunk(ev event.Event, piece string) []protocol.Update {
	t.thought = ""
	if t.past || piece == "" {
		return nil // the history tells the whole text
	}
	if t.message == "" {
		t.message = messageID("answer", ev)
	}
	t.shown = true
	return []protocol.Update{text(protocol.AgentChunk, t.message, piece)}
}

// thinks tells a piece of the model's reasoning.
func (t *Teller) thinks(ev event.Event, piece string) []protocol.Update {
	if t.past || piece == "" {
		return nil
	}
	if t.thought == "" {
		t.thought = messageID("thought", ev)
	}
	return []protocol.Update{text(protocol.ThoughtChunk, t.thought, piece)}
}

// streamEnd closes a streamed text. What was told cannot be taken back: it is
// said that it does not count.
func (t *Teller) streamEnd(in event.StreamEnd) []protocol.Update {
	open := t.message
	t.message, t.thought = "", ""
	if !in.Discarded {
		return nil
	}
	t.shown = false
	if open == "" || t.past {
		return nil
	}
	note := "\n\n*(that answer was cut off and is asked again)*\n\n"
	if in.Reason == "error" {
		note = "\n\n*(the answer breaks off here)*\n\n"
	}
	return []protocol.Update{text(protocol.AgentChunk, open, note)}
}

// announced tells a whole text.
func (t *Teller) announced(ev event.Event, whole string) []protocol.Update {
	t.message = ""
	if whole == t.told && whole != "" {
		t.told = "" // the history has brought it already
		return nil
	}
	t.shown = true
	return t.whole(ev, protocol.AgentChunk, whole)
}

func (t *Teller) whole(ev event.Event, kind, whole string) []protocol.Update {
	if strings.TrimSpace(whole) == "" {
		return nil
	}
	return []protocol.Update{text(kind, messageID("message", ev), whole)}
}

// remembered tells a message that enters the history: an answer that was not
// streamed, and a text that has joined the running turn.
func (t *Teller) remembered(ev event.Event, in event.HistoryMessage) []protocol.Update {
	m := in.Message
	switch {
	case in.AgentID != "":
	case m.Role == llm.Assistant && !m.Synthetic:
		shown := t.shown && !t.past
		t.shown, t.told = false, ""
		if !shown {
			t.told = m.PlainText()
			return t.whole(ev, protocol.AgentChunk, t.told)
		}
	case history.FromPerson(m):
		return t.joined(ev, m.PlainText())
	}
	return nil
}

// accepted notes a text; it is told when its turn begins.
func (t *Teller) accepted(in event.InputAccepted) []protocol.Update {
	for i := range in.Images {
		in.Images[i].Data = "" // what was sent is not sent back
	}
	t.waiting[in.SubmissionID] = in
	return nil
}

// begin opens a turn with what was asked.
func (t *Teller) begin(in event.TurnStarted) []protocol.Update {
	t.entered, t.message, t.thought, t.shown = false, "", "", false
	asked, ok := t.waiting[in.SubmissionID]
	delete(t.waiting, in.SubmissionID)
	if !ok {
		return nil
	}
	return t.person(asked)
}

// person tells what a person has said, unless the editor shows it by itself.
func (t *Teller) person(in event.InputAccepted) []protocol.Update {
	t.first = cmp.Or(t.first, history.Cut(history.Line(plain.ForTerminal(cmp.Or(in.Shown, in.Text))), titleMost))
	if !t.past && t.o.Mine != nil && t.o.Mine(in.SubmissionID) {
		return nil
	}
	said := cmp.Or(in.Shown, in.Text)
	for _, image := range in.Images {
		said += "\n[" + image.MediaType + "]"
	}
	return []protocol.Update{text(protocol.UserChunk, "person_"+in.SubmissionID, said)}
}

// joined tells the text of a person that has joined the running turn.
func (t *Teller) joined(ev event.Event, said string) []protocol.Update {
	if !t.entered && ev.TurnID != "" {
		t.entered = true
		return nil // the text that the turn began with
	}
	for id, in := range t.waiting {
		if in.Steer && in.Text == said {
			delete(t.waiting, id)
			return t.person(in)
		}
	}
	return nil
}

// rewritten tells the messages of a session that was brought in from elsewhere.
func (t *Teller) rewritten(ev event.Event, in event.HistoryRewritten) []protocol.Update {
	if in.Reason != "resume" {
		return nil
	}
	var all []protocol.Update
	results := map[string]llm.Message{}
	for _, m := range in.Messages {
		if m.Role == llm.ToolRole {
			results[m.ToolCallID] = m
		}
	}
	for i, m := range in.Messages {
		at := ev
		at.Seq = ev.Seq*10_000 + int64(i) // an id of its own
		switch {
		case history.FromPerson(m):
			all = append(all, t.whole(at, protocol.UserChunk, m.PlainText())...)
		case m.Role == llm.Assistant && !m.Synthetic:
			all = append(all, t.whole(at, protocol.AgentChunk, m.PlainText())...)
			for _, c := range m.ToolCalls {
				all = append(all, t.finished(c, results[c.ID].PlainText())...)
			}
		}
	}
	return all
}

// passing tells in words what is neither an answer nor a call.
func (t *Teller) passing(ev event.Event) []protocol.Update {
	switch ev.Type {
	case event.TypeSettings:
		return with(ev, func(in event.Settings) []protocol.Update {
			return []protocol.Update{protocol.ModeChange{Kind: "current_mode_update", Current: in.ApprovalMode}}
		})
	case event.TypeTurnComplete:
		return with(ev, t.complete(ev))
	case event.TypeCompacted:
		if t.o.Compactions {
			return []protocol.Update{protocol.Compaction{Kind: "compaction_update", ID: messageID("compaction", ev), Status: protocol.Completed}}
		}
	case event.TypeToolLog:
		return with(ev, func(in event.ToolLog) []protocol.Update {
			said := in.Log
			if in.Tool != "system" && strings.TrimSpace(said) != "" {
				said = in.Tool + ": " + said
			}
			return t.notice(ev, "info", said)
		})
	case event.TypeShutdown, event.TypeInterrupted, event.TypeResumeComplete, event.TypeRenamed, event.TypeTurnResumed:
		return nil
	case event.TypeError:
		if ev.TurnID != "" {
			return nil // the prompt is answered with it
		}
	}
	said := sentence.Of(ev)
	if len(said) == 0 {
		return nil
	}
	severity := "info"
	var lines []string
	for _, l := range said {
		switch l.Tone {
		case sentence.Warning:
			severity = "warning"
		case sentence.Bad:
			severity = "error"
		}
		lines = append(lines, strings.Repeat("  ", l.Depth)+l.Text)
	}
	return t.notice(ev, severity, strings.Join(lines, "\n"))
}

// complete tells what is to be known about the answer that ended a turn.
func (t *Teller) complete(ev event.Event) func(event.TurnComplete) []protocol.Update {
	return func(in event.TurnComplete) []protocol.Update {
		t.calls = map[string]*call{}
		var lines []string
		for _, l := range sentence.Unverified(in.Unverified, "") {
			lines = append(lines, strings.Repeat("  ", l.Depth)+l.Text)
		}
		if why := sentence.Stopped(in.StopReason); why != "" {
			lines = append(lines, why)
		}
		if len(lines) == 0 {
			return nil
		}
		return t.notice(ev, "warning", strings.Join(lines, "\n"))
	}
}

// Notice tells the person something that no event tells.
func (t *Teller) Notice(severity, said string) []protocol.Update {
	return t.notice(event.Event{}, severity, said)
}

// notice tells something in passing: as a notice where the editor can show it,
// else as a message. Those of the past are gone.
func (t *Teller) notice(ev event.Event, severity, said string) []protocol.Update {
	said = strings.TrimSpace(plain.ForTerminal(said))
	if said == "" || t.past {
		return nil
	}
	if !t.o.Notices {
		id := ""
		if ev.Seq > 0 {
			id = messageID("notice", ev)
		}
		return []protocol.Update{text(protocol.AgentChunk, id, "*"+strings.ReplaceAll(emphasised(said), "\n", "*  \n*")+"*\n\n")}
	}
	title, more, _ := strings.Cut(said, "\n")
	return []protocol.Update{protocol.Notice{Kind: "notice", Severity: severity, Title: title, Description: strings.TrimSpace(more)}}
}

// emphasised makes lines fit to stand between two marks of emphasis: foreign
// words in them make neither links nor pictures.
func emphasised(said string) string {
	lines := strings.Split(strings.NewReplacer("*", "·", "[", `\[`, "<", `\<`).Replace(said), "\n")
	kept := lines[:0]
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// planOf is a plan as an editor knows it.
func planOf(items []event.PlanItem) protocol.Plan {
	p := protocol.Plan{Kind: "plan", Entries: []protocol.PlanEntry{}}
	for _, item := range items {
		e := protocol.PlanEntry{Content: plain.ForTerminal(item.Content), Priority: "medium", Status: item.Status}
		if e.Status != protocol.InProgress && e.Status != protocol.Completed {
			e.Status = protocol.Pending
		}
		p.Entries = append(p.Entries, e)
	}
	return p
}

// sums tells the title, and how full the context is and what the session has
// cost, where that has changed.
func (t *Teller) sums() []protocol.Update {
	now := t.board.Values(t.at)
	var all []protocol.Update
	if title := cmp.Or(plain.ForTerminal(now.Title), t.first); title != t.title {
		t.title = title
		all = append(all, protocol.InfoChange{Kind: "session_info_update", Title: title})
	}
	use := protocol.Usage{Kind: "usage_update", Used: now.ContextTokens, Size: now.Window}
	if use.Size == 0 || use.Used == 0 {
		return all // an unknown size is not told as a number
	}
	cost := protocol.Cost{Amount: float64(now.CostMicroUSD+now.JobsMicroUSD) / 1e6, Currency: "USD"}
	if before := t.usage; before.Used == use.Used && before.Size == use.Size && before.Cost != nil && *before.Cost == cost {
		return all
	}
	if !now.CostIncomplete && !now.JobsIncomplete {
		use.Cost = &cost // what is not known in full is not told as a sum
	}
	t.usage = use
	t.usage.Cost = &cost
	return append(all, use)
}

// raw is JSON that an editor may be shown; nil for none.
func raw(args json.RawMessage) json.RawMessage {
	if !json.Valid(args) {
		return nil
	}
	return args
}
