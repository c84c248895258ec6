package transcript_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// log is a journal in the making: each event is a second later.
type log struct {
	t      testing.TB
	events []event.Event
	state  history.State
}

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (l *log) tell(ps ...event.Payload) {
	l.t.Helper()
	for _, p := range ps {
		ev, err := event.New("s-1", "turn_1", begin.Add(time.Duration(len(l.events))*time.Second), p)
		if err != nil {
			l.t.Fatal(err)
		}
		ev.Seq = int64(len(l.events) + 1)
		l.events = append(l.events, ev)
		if err := l.state.Apply(ev); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *log) say(m llm.Message) {
	l.t.Helper()
	l.tell(event.HistoryMessage{MessageID: fmt.Sprintf("msg_%d", len(l.events)), Message: m})
}

func (l *log) rewrite(reason string, messages ...llm.Message) {
	l.t.Helper()
	l.tell(event.HistoryRewritten{Reason: reason, Messages: messages})
}

func (l *log) transcript() transcript.Transcript {
	l.t.Helper()
	s, err := history.Load(l.events)
	if err != nil {
		l.t.Fatal(err)
	}
	return transcript.Of(document.Build(s, l.events, document.About{AppVersion: "now"}))
}

func (l *log) force() []llm.Message { return slices.Clone(l.state.Messages) }

func system(text string) llm.Message { return llm.Message{Role: llm.System, Text: text} }
func user(text string) llm.Message   { return llm.Message{Role: llm.User, Text: text} }
func answer(text string, calls ...string) llm.Message {
	m := llm.Message{Role: llm.Assistant, Text: text}
	for _, id := range calls {
		m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: id, Name: "bash", Arguments: `{"command":"` + id + `"}`})
	}
	return m
}

func result(id, text string, ok bool) event.ToolOutput {
	return event.ToolOutput{Tool: "bash", ToolCallID: id, Output: text, Success: ok}
}

// texts are what a conversation says, one entry a message.
func texts(entries []transcript.Entry) []string {
	var out []string
	for i, e := range entries {
		text := string(e.Role) + ":" + e.Content()
		for _, c := range e.ToolCalls {
			text += "+" + c.ID
		}
		if e.Condensed {
			text += " (condensed)"
		}
		if e.Place != i {
			text += fmt.Sprint(" at ", e.Place)
		}
		out = append(out, text)
	}
	return out
}

func want(t testing.TB, got []transcript.Entry, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, texts(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhoSaidWhatWhen(t *testing.T) {
	l := &log{t: t}
	l.tell(event.TurnStarted{TurnID: "turn_1", Model: "m/one", Cwd: "/home/ann/proj/", Version: "1.2"})
	l.say(system("sys"))
	l.say(user("go"))
	l.tell(event.LLMCall{Model: "m/one", Kind: llm.KindMain, FinishReason: "error"})
	l.tell(event.LLMCall{Model: "m/two", Kind: llm.KindMain, FinishReason: "tool_calls", Prompt: 9})
	both := answer("both", "a", "b")
	both.Timestamp = "2026-01-02T03:04:10Z"
	l.say(both)
	l.tell(result("b", "B", false), result("a", "A", true))
	l.tell(event.LLMCall{Model: "m/one", Kind: llm.KindCompaction, FinishReason: "stop"})
	l.tell(event.TurnStarted{TurnID: "turn_2", Model: "m/three", Cwd: `C:\Users\ann\win`, Version: "1.3"})
	l.say(answer("done"))
	got := l.transcript()
	want(t, got.Main, "system:sys", "user:go", "assistant:both+a+b", "tool:A", "tool:B", "assistant:done")
	if got.SessionID != "s-1" || got.Title != "go" || got.Start != "2026-01-02T03:04:05.000Z" || len(got.Agents) != 0 || !got.Answered() {
		t.Errorf("%+v", got)
	}
	first, failed, done := got.Main[2], got.Main[4], got.Main[5]
	if both := first; both.Model != "m/two" || both.Call == nil || both.Call.Prompt != 9 || both.Version != "1.2" || both.Folder != "proj" || both.Timestamp != "2026-01-02T03:04:10.000Z" {
		t.Errorf("%+v", both)
	}
	if !failed.Failed || got.Main[3].Failed || failed.Timestamp != "2026-01-02T03:04:11.000Z" {
		t.Errorf("%+v", failed)
	}
	if done.Model != "m/three" || done.Call != nil || done.Version != "1.3" || done.Folder != "win" {
		t.Errorf("%+v", done)
	}
}

func TestSubAgentsStandBeside(t *testing.T) {
	l := &log{t: t}
	l.tell(event.TurnStarted{TurnID: "turn_1", Model: "m/main", Cwd: "/a/proj", Version: "1.2"})
	l.say(user("look it up"))
	l.say(answer("", "r1"))
	l.tell(
		event.HistoryMessage{MessageID: "r1.msg_1", AgentID: "r1", Message: system("you research")},
		event.HistoryMessage{MessageID: "r1.msg_2", AgentID: "r1", Message: user("find x")},
		event.LLMCall{Model: "m/small", Kind: llm.KindResearch, FinishReason: "tool_calls", AgentID: "r1"},
		event.HistoryMessage{MessageID: "r1.msg_3", AgentID: "r1", Message: answer("", "q")},
		event.HistoryMessage{MessageID: "r2.msg_1", AgentID: "r2", Message: user("find y")},
		event.ToolOutput{Tool: "web", ToolCallID: "q", Output: "page", AgentID: "r1"},
		event.HistoryMessage{MessageID: "r1.msg_4", AgentID: "r1", Message: answer("x is here")},
	)
	l.tell(result("r1", "report", true))
	got := l.transcript()
	want(t, got.Main, "user:look it up", "assistant:+r1", "tool:report")
	if len(got.Agents) != 2 || got.Agents[0].ID != "r1" || got.Agents[1].ID != "r2" {
		t.Fatalf("%+v", got.Agents)
	}
	r1 := got.Agents[0].Entries
	want(t, r1, "system:you research", "user:find x", "assistant:+q", "tool:page", "assistant:x is here")
	if r1[2].Model != "m/small" || r1[2].Call == nil || !r1[3].Failed || r1[1].Version != "1.2" || r1[1].Folder != "proj" {
		t.Errorf("%+v", r1)
	}
}

func TestCondensedIsKept(t *testing.T) {
	l := &log{t: t}
	long := strings.Repeat("a long output ", 100)
	big := user("big " + strings.Repeat("text ", 50) + "which ends in these words, that are more than fifty characters long")
	l.say(system("sys"))
	l.say(big)
	l.say(answer("one", "a"))
	l.tell(result("a", "A", true))
	l.say(user("second"))
	l.say(answer("two", "b"))
	l.tell(result("b", long, true))
	cut := big
	cut.Text = "[This message was about 9 tokens long and was removed to make room.]\nbig … " + big.Text[len(big.Text)-60:]
	l.rewrite("compaction", system("sys"), cut, answer("# Summary"), llm.Message{Role: llm.User, Text: "[SYSTEM: CONDENSED]", Synthetic: true},
		answer("two", "b"), llm.Message{Role: llm.ToolRole, ToolCallID: "b", Name: "bash", Text: "a … put"})
	l.say(answer("three"))
	all := []string{
		"system:sys", "user:" + big.Text, "assistant:one+a", "tool:A", "user:second", "assistant:two+b", "tool:" + long,
		"assistant:# Summary (condensed)", "user:[SYSTEM: CONDENSED] (condensed)", "assistant:three",
	}
	want(t, l.transcript().Main, all...)

	// What is taken back behind the summary is gone; then the summary itself, and
	// with it what it stands for.
	force := l.force()
	l.rewrite(history.ReasonUndo, force[:6]...)
	want(t, l.transcript().Main, all[:9]...)
	l.rewrite(history.ReasonTruncate, force[:2]...)
	want(t, l.transcript().Main, all[:2]...)
}

func TestWhatWasTakenBackIsGone(t *testing.T) {
	l := &log{t: t}
	l.say(system("sys"))
	l.say(user("one"))
	l.say(answer("1"))
	l.say(user("my password is x"))
	l.say(answer("2"))
	all := l.force()
	l.rewrite(history.ReasonUndo, all[:3]...)
	want(t, l.transcript().Main, "system:sys", "user:one", "assistant:1")
	l.rewrite(history.ReasonRedo, all...)
	want(t, l.transcript().Main, "system:sys", "user:one", "assistant:1", "user:my password is x", "assistant:2")
	l.rewrite(history.ReasonUndo, all[:3]...)
	l.say(user("other"))
	want(t, l.transcript().Main, "system:sys", "user:one", "assistant:1", "user:other")
}

func TestRedoneAnswersKnowWhatTheyTook(t *testing.T) {
	l := &log{t: t}
	l.say(user("one"))
	l.tell(event.LLMCall{Model: "m/x", Kind: llm.KindMain, FinishReason: "stop", Prompt: 3})
	l.say(answer("1"))
	l.say(user("two"))
	l.tell(event.LLMCall{Model: "m/y", Kind: llm.KindMain, FinishReason: "stop", Prompt: 4})
	l.say(answer("2"))
	all := l.force()
	l.rewrite(history.ReasonUndo, all[:2]...)
	l.rewrite(history.ReasonUndo)
	l.rewrite(history.ReasonRedo, all[:2]...)
	if e := l.transcript().Main[1]; e.Call == nil || e.Call.Prompt != 3 || e.Model != "m/x" {
		t.Errorf("%+v", e)
	}
	l.rewrite(history.ReasonRedo, all...)
	if e := l.transcript().Main[3]; e.Call == nil || e.Call.Prompt != 4 || e.Model != "m/y" {
		t.Errorf("%+v", e)
	}
}

func TestOtherRewrites(t *testing.T) {
	l := &log{t: t}
	// An imported session, then a system prompt of our own, then a repair.
	old := user("from before")
	old.Timestamp = "2025-05-05T05:05:05Z"
	l.tell(event.ResumedFrom{Path: "x", SessionStartTime: "2025-05-05T00:00:00Z"})
	l.rewrite("resume", old, answer("yes", "a"))
	l.rewrite("system_prompt", system("sys"), old, answer("yes", "a"))
	l.rewrite("repair", system("sys"), old, answer("yes", "a"), llm.Message{Role: llm.ToolRole, ToolCallID: "a", Text: "[no result]"})
	l.say(user("go on"))
	l.rewrite("system_prompt", append([]llm.Message{system("new")}, l.force()[1:]...)...)
	got := l.transcript()
	want(t, got.Main, "system:new", "user:from before", "assistant:yes+a", "tool:[no result]", "user:go on")
	if got.Start != "2025-05-05T00:00:00Z" || got.Main[1].Timestamp != old.Timestamp {
		t.Errorf("%+v", got)
	}
}

func TestFromAFileAlone(t *testing.T) {
	d := document.Document{
		SessionID: "s", Model: "m/d", StartTime: "2026-01-01T00:00:00", Cwd: "/a/b", AppVersion: "7",
		Messages: []llm.Message{system("s"), user("q"), answer("", "a"), {Role: llm.ToolRole, ToolCallID: "a", Text: "no"}, answer("end")},
	}
	for _, p := range []event.Payload{
		event.LLMCall{Model: "m/1", Kind: llm.KindMain, FinishReason: "tool_calls"},
		event.ToolOutput{ToolCallID: "a", Output: "no"},
		event.ToolOutput{ToolCallID: "a", Output: "fine", Success: true, AgentID: "r"},
		event.LLMCall{Model: "m/2", Kind: llm.KindMain, FinishReason: "stop"},
	} {
		ev, err := event.New("s", "", begin, p)
		if err != nil {
			t.Fatal(err)
		}
		d.Events = append(d.Events, ev)
	}
	got := transcript.Of(d)
	want(t, got.Main, "system:s", "user:q", "assistant:+a", "tool:no", "assistant:end")
	if e := got.Main; e[2].Model != "m/1" || e[4].Model != "m/2" || !e[3].Failed || e[4].Timestamp != d.StartTime || e[4].Folder != "b" || e[4].Version != "7" {
		t.Errorf("%+v", e)
	}
	d.Messages = d.Messages[:4] // an answer was taken back: nobody knows whose call is whose
	if e := transcript.Of(d).Main[2]; e.Model != "m/d" || e.Call != nil {
		t.Errorf("%+v", e)
	}
}

func TestAnswered(t *testing.T) {
	l := &log{t: t}
	l.say(user("hi"))
	l.say(answer(""))
	if l.transcript().Answered() {
		t.Error("an empty answer is one")
	}
	l.rewrite("compaction", user("hi"), answer("# Summary"))
	if l.transcript().Answered() {
		t.Error("a summary is an answer")
	}
	l.say(answer("", "a"))
	if !l.transcript().Answered() {
		t.Error("a call is no answer")
	}
}

func TestContentAndReasoning(t *testing.T) {
	e := transcript.Entry{Message: llm.Message{Role: llm.User, Parts: []json.RawMessage{
		json.RawMessage(`{"type":"text","text":"one"}`), json.RawMessage(`"two"`), json.RawMessage(`{"type":"image"}`),
	}}}
	if e.Content() != "one\ntwo\n"+`{"type":"image"}` {
		t.Errorf("%q", e.Content())
	}
	e = transcript.Entry{Message: llm.Message{ReasoningContent: "r"}}
	if e.Reasoning() != "r" {
		t.Errorf("%q", e.Reasoning())
	}
	e.ThinkingBlocks = []json.RawMessage{json.RawMessage(`{"type":"thinking","thinking":"t"}`), json.RawMessage(`{"type":"redacted_thinking","data":"x"}`)}
	if e.Reasoning() != "t" {
		t.Errorf("%q", e.Reasoning())
	}
}

// Whatever happens to a conversation, what is in force is in its transcript, in
// order; and without a condensation nothing else is.
func TestWhatIsInForceIsThere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := &log{t: t}
		l.say(system("sys"))
		n, condensed := 0, false
		name := func() string { n++; return fmt.Sprint("m", n) }
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 7).Draw(rt, "step") {
			case 0, 1:
				l.say(user(rapid.SampledFrom([]string{"again", name()}).Draw(rt, "text")))
			case 2, 3:
				a, b := name(), name()
				l.say(answer("", a, b))
				for _, id := range rapid.Permutation([]string{a, b}).Draw(rt, "order") {
					l.tell(result(id, "out of "+id, true))
				}
			case 4:
				l.say(answer(name()))
			case 5:
				force := l.force()
				left := rapid.IntRange(1, len(force)).Draw(rt, "left")
				l.rewrite(history.ReasonUndo, force[:left]...)
				l.tell(event.UndoComplete{Removed: len(force) - left, Turns: 1})
			case 6:
				if n := len(l.state.Undone); n > 0 {
					l.rewrite(history.ReasonRedo, append(l.force(), l.state.Undone[n-1].Messages...)...)
				}
			case 7:
				force := l.force()
				from := rapid.IntRange(1, len(force)).Draw(rt, "from")
				l.rewrite("compaction", slices.Concat(force[:1], []llm.Message{answer("# " + name())}, force[from:])...)
				condensed = true
			}
		}
		got := l.transcript().Main
		at := 0
		for _, m := range l.state.Messages {
			for at < len(got) && (got[at].Role != m.Role || got[at].Text != m.Text || got[at].ToolCallID != m.ToolCallID) {
				at++
			}
			if at == len(got) && !condensed { // a summary stands behind what is left of the past
				rt.Fatalf("%v is not in, or not behind the others of, %v", m, texts(got))
			}
		}
		if !condensed && len(got) != len(l.state.Messages) {
			rt.Fatalf("%d entries for %d messages: %v", len(got), len(l.state.Messages), texts(got))
		}
		for _, m := range l.state.Messages {
			if !slices.ContainsFunc(got, func(e transcript.Entry) bool {
				return e.Role == m.Role && e.Text == m.Text && e.ToolCallID == m.ToolCallID
			}) {
				rt.Fatalf("%v is missing in %v", m, texts(got))
			}
		}
	})
}
