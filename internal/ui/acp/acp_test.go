package acp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/acp"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
)

func TestInitialize(t *testing.T) {
	e := connect(t, &house{})
	e.lax = true // what is said too early lacks what it needs
	for _, method := range []string{"session/new", "session/prompt", "authenticate", "nonsense"} {
		if f := e.ask(method, m{}); f.Error == nil || f.Error.Code != wire.Invalid || !strings.Contains(f.Error.Message, "initialize comes first") {
			t.Errorf("%s: %+v", method, f.Error)
		}
	}
	e.lax = false
	e.begin(m{"auth": m{"terminal": true}, "session": m{"notices": m{}}})
	if f := e.ask("nonsense", m{}); f.Error == nil || f.Error.Code != wire.Unknown {
		t.Errorf("%+v", f)
	}
	e.say(`{"jsonrpc":"2.0","method":"session/unheard","params":{}}`) // means nothing
	f := e.ask("initialize", m{"protocolVersion": 99, "clientCapabilities": m{}})
	var r protocol.InitializeResponse
	if err := json.Unmarshal(f.Result, &r); err != nil || r.ProtocolVersion != 1 || r.Agent.Version != "1.2.3" || len(r.AuthMethods) != 1 {
		t.Errorf("%s %v", f.Result, err)
	}
	e.lax = true
	if f := e.ask("initialize", m{"protocolVersion": "new"}); f.Error == nil || f.Error.Code != wire.Arguments {
		t.Errorf("%+v", f)
	}
}

func TestAuthenticate(t *testing.T) {
	h := &house{}
	e := connect(t, h)
	e.begin(m{"auth": m{"terminal": true}})
	if f := e.ask("authenticate", m{"methodId": "environment"}); f.Error != nil {
		t.Error(f.Error)
	}
	if f := e.ask("authenticate", m{"methodId": "magic"}); f.Error == nil || f.Error.Code != wire.Arguments {
		t.Error(f.Error)
	}
	h.err = errTest
	if f := e.ask("authenticate", m{"methodId": "terminal"}); f.Error == nil || f.Error.Code != protocol.AuthRequired || !strings.Contains(f.Error.Message, "Do this.") {
		t.Error(f.Error)
	}
	if f := e.ask("logout", m{}); f.Error != nil {
		t.Error(f.Error)
	}
}

// A prompt is answered behind all that its turn has told, and the turn of
// another is none of it.
func TestPrompt(t *testing.T) {
	s := newStage("s1")
	s.on = scripted
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	id := e.open()
	if id != "s1" {
		t.Error(id)
	}
	s.tell("", event.InputAccepted{SubmissionID: "other", Text: "from a terminal"})
	reply := "not yours"
	s.tell("turn_0", event.TurnStarted{TurnID: "turn_0", SubmissionID: "other"}, event.TurnComplete{FinalResponse: &reply, StopReason: "answer"})
	call := e.prompt(id, "hello")
	if why := e.stopped(call); why != protocol.EndTurn {
		t.Error(why)
	}
	if got := e.words("agent_message_chunk"); got != "you said hello" {
		t.Error(got)
	}
	if got := e.words("user_message_chunk"); got != "from a terminal" {
		t.Errorf("%q: what the editor has sent it shows by itself, what another has said it does not know", got)
	}
	// The last frame is the answer.
	e.mu.Lock()
	last := e.frames[len(e.frames)-1]
	e.mu.Unlock()
	if string(last.ID) != call {
		t.Errorf("behind the answer came %s %s", last.Method, last.Params)
	}
}

func TestStopReasons(t *testing.T) {
	for why, want := range map[string]string{
		"answer": protocol.EndTurn, "max_iterations": protocol.MaxTurnRequests, "truncated": protocol.MaxTokens, "doom_loop": protocol.EndTurn,
		"empty_response": protocol.EndTurn, "interrupted": protocol.Cancelled,
		"error": "error: the key is wrong Set another.",
	} {
		s := newStage("s")
		s.on = func(s *stage, sub event.Submission) {
			s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: sub.ID})
			switch why {
			case "interrupted":
				s.tell("turn_1", event.Interrupted{})
			case "error":
				s.tell("", event.Error{Error: "of an operation"}) // ends no turn
				s.tell("turn_1", event.Error{Error: "the key is wrong", Hint: "Set another.", Code: "auth"})
			default:
				s.tell("turn_1", event.TurnComplete{StopReason: why})
			}
		}
		e := connect(t, &house{stages: []*stage{s}})
		e.begin(nil)
		call := e.prompt(e.open(), "x")
		if got := e.stopped(call); got != want {
			t.Errorf("%s: %s", why, got)
		}
		if f := e.answer(call); why == "error" && f.Error.Code != protocol.AuthRequired {
			t.Error(f.Error.Code)
		}
	}
}

// A cancellation ends the turn that runs and drops the prompts behind it, also
// one whose turn has not begun.
func TestCancel(t *testing.T) {
	s := newStage("s1")
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	id := e.open()
	first, second := e.prompt(id, "one"), e.prompt(id, "two")
	operations[event.UserInput](t, s, 1)
	cancel := func() {
		e.say(fmt.Sprintf(`{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":%q}}`, id))
	}
	cancel()
	if why := e.stopped(second); why != protocol.Cancelled {
		t.Error(why)
	}
	// Another turn is what the first interrupt ended: ours begins, and is
	// interrupted then.
	s.until(t, "an interrupt", func() bool { return s.interrupted > 0 })
	s.mu.Lock()
	before, sub := s.interrupted, s.ops[0].ID
	s.mu.Unlock()
	s.tell("turn_2", event.TurnStarted{TurnID: "turn_2", SubmissionID: sub})
	s.until(t, "another interrupt", func() bool { return s.interrupted > before })
	s.tell("turn_2", event.Interrupted{})
	if why := e.stopped(first); why != protocol.Cancelled {
		t.Error(why)
	}
	if n := len(operations[event.UserInput](t, s, 1)); n != 1 {
		t.Errorf("%d texts were submitted", n)
	}
	// Nothing to cancel is nothing, and a session that is not open neither.
	cancel()
	e.say(`{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"none"}}`)
	s.mu.Lock()
	s.on = scripted
	s.mu.Unlock()
	if why := e.stopped(e.prompt(id, "three")); why != protocol.EndTurn {
		t.Error(why)
	}
}

// A call that is given up cancels its prompt.
func TestGivenUpPrompt(t *testing.T) {
	s := newStage("s1")
	s.on = func(s *stage, sub event.Submission) {
		if _, ok := sub.Operation.(event.UserInput); ok {
			s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: sub.ID})
		}
	}
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	call := e.prompt(e.open(), "one")
	operations[event.UserInput](t, s, 1)
	e.say(`{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":` + call + `}}`)
	s.until(t, "an interrupt", func() bool { return s.interrupted > 0 })
	s.tell("turn_1", event.Interrupted{})
	if why := e.stopped(call); why != protocol.Cancelled {
		t.Error(why)
	}
}

func TestBadCalls(t *testing.T) {
	s := newStage("s1")
	s.on = scripted
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	id := e.open()
	e.lax = true
	for _, c := range []struct {
		method string
		params any
		code   int
	}{
		{"session/new", m{"cwd": "here"}, wire.Arguments},
		{"session/new", m{"cwd": "/nowhere/at/all"}, wire.Arguments},
		{"session/new", m{"cwd": 7}, wire.Arguments},
		{"session/load", m{"cwd": "/tmp"}, wire.Arguments},
		{"session/load", m{"cwd": "/tmp", "sessionId": "none"}, protocol.NotFound},
		{"session/prompt", m{"sessionId": "none", "prompt": []any{}}, protocol.NotFound},
		{"session/prompt", m{"sessionId": id, "prompt": []any{}}, wire.Arguments},
		{"session/prompt", m{"sessionId": id, "prompt": "text"}, wire.Arguments},
		{"session/prompt", m{"sessionId": id, "prompt": []any{m{"type": "smell"}}}, wire.Arguments},
		{"session/close", m{"sessionId": "none"}, protocol.NotFound},
		{"session/set_mode", m{"sessionId": "none", "modeId": "ask"}, protocol.NotFound},
		{"session/set_mode", m{"sessionId": id, "modeId": "nonsense"}, wire.Internal},
		{"session/set_config_option", m{"sessionId": id, "configId": "colour", "value": "red"}, wire.Arguments},
		{"session/set_config_option", m{"sessionId": id, "configId": "model", "value": true}, wire.Arguments},
		{"session/list", m{"cursor": "nonsense"}, wire.Arguments},
		{"session/list", m{"cursor": "from--1"}, wire.Arguments},
	} {
		if f := e.ask(c.method, c.params); f.Error == nil || f.Error.Code != c.code {
			t.Errorf("%s %v: %+v", c.method, c.params, f.Error)
		}
	}
}

func TestSettings(t *testing.T) {
	s := newStage("s1")
	s.on = scripted
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	id := e.open()
	if f := e.ask("session/set_mode", m{"sessionId": id, "modeId": "yolo"}); f.Error != nil {
		t.Fatal(f.Error)
	}
	f := e.ask("session/set_config_option", m{"sessionId": id, "configId": "model", "value": "elsewhere/x"})
	var r protocol.SetOptionResponse
	_ = json.Unmarshal(f.Result, &r)
	var now []string
	for _, o := range r.Config {
		now = append(now, o.ID+" "+o.Current)
		if !slices.ContainsFunc(o.Options, func(c protocol.Choice) bool { return c.Value == o.Current }) {
			t.Errorf("%s is %s, which cannot be chosen", o.ID, o.Current)
		}
	}
	if diff := cmp.Diff([]string{"mode yolo", "model elsewhere/x", "effort high"}, now); diff != "" {
		t.Error(diff)
	}
	if n := len(e.updates("current_mode_update")); n != 2 {
		t.Errorf("%d modes were told", n)
	}
	if n := len(e.updates("config_option_update")); n != 2 {
		t.Errorf("settings were told %d times", n)
	}
}

func TestList(t *testing.T) {
	h := &house{}
	for i := range 120 {
		h.saved = append(h.saved, protocol.SessionInfo{SessionID: fmt.Sprint(i), Cwd: fmt.Sprintf("/%d", i%2), Title: "t"})
	}
	e := connect(t, h)
	e.begin(nil)
	var got []string
	params := m{}
	for pages := 1; ; pages++ {
		f := e.ask("session/list", params)
		var r protocol.ListResponse
		_ = json.Unmarshal(f.Result, &r)
		for _, s := range r.Sessions {
			got = append(got, s.SessionID)
		}
		if r.NextCursor == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		params = m{"cursor": r.NextCursor}
	}
	if len(got) != 120 || got[119] != "119" {
		t.Error(got)
	}
	f := e.ask("session/list", m{"cwd": "/none", "cursor": "from-50"})
	if !strings.Contains(string(f.Result), `"sessions":[]`) {
		t.Error(string(f.Result))
	}
	if f := e.ask("session/delete", m{"sessionId": "7"}); f.Error != nil || !slices.Equal(h.deleted, []string{"7"}) {
		t.Error(f.Error, h.deleted)
	}
}

// history is a session in which something was said.
func history(id string) *stage {
	s := newStage(id)
	user := llm.Message{Role: llm.User, Text: "first"}
	s.tell("", event.InputAccepted{SubmissionID: "a", Text: "first in full", Shown: "first"})
	s.tell("turn_1",
		event.TurnStarted{TurnID: "turn_1", SubmissionID: "a"}, event.HistoryMessage{Message: user},
		event.AssistantChunk{Content: "I l"}, event.AssistantChunk{Content: "ook"}, event.StreamEnd{},
		event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "I look", ToolCalls: []llm.ToolCall{{ID: "c", Name: "bash", Arguments: `{"command":"ls"}`}}}},
		event.ToolCall{Tool: "bash", ToolCallID: "c", Arguments: json.RawMessage(`{"command":"ls"}`)}, event.ToolStarted{Tool: "bash", ToolCallID: "c"},
		event.ToolLog{Tool: "bash", ToolCallID: "c", Log: "a.py"}, event.ToolOutput{Tool: "bash", ToolCallID: "c", Output: "a.py\n", Success: true},
		event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "There is a.py"}}, event.TurnComplete{StopReason: "answer"},
	)
	return s
}

func TestLoad(t *testing.T) {
	s, again := history("s1").opened(), history("s1").opened()
	s.on, again.on = scripted, scripted
	h := &house{stages: []*stage{s, again}}
	e := connect(t, h)
	e.begin(nil)
	dir := t.TempDir()
	call := e.call("session/load", m{"sessionId": "s1", "cwd": dir, "mcpServers": []any{m{"name": "x", "command": "/x", "args": []any{}, "env": []any{}}}})
	if f := e.answer(call); f.Error != nil {
		t.Fatal(f.Error)
	}
	if got := e.words("user_message_chunk"); got != "first" {
		t.Errorf("the person said %q", got)
	}
	if got := e.words("agent_message_chunk"); got != "I lookThere is a.py" {
		t.Errorf("the agent said %q", got)
	}
	if n := len(e.updates("tool_call")); n != 1 {
		t.Errorf("%d calls", n)
	}
	if r := h.requests[0]; r.ID != "s1" || r.Dir != dir || len(r.Servers) != 1 || r.Servers[0].Name != "x" {
		t.Errorf("%+v", r)
	}
	// All of it came before the answer; what follows comes behind it.
	e.mu.Lock()
	for i, f := range e.frames {
		if string(f.ID) == call {
			for _, before := range e.frames[1:i] {
				if before.Method != "session/update" {
					t.Error(before.Method)
				}
			}
		}
	}
	e.mu.Unlock()
	if why := e.stopped(e.prompt("s1", "more")); why != protocol.EndTurn {
		t.Error(why)
	}
	// Loaded again, it is left running and told anew; resumed, it says nothing.
	e.mu.Lock()
	e.frames = nil
	e.mu.Unlock()
	if f := e.ask("session/resume", m{"sessionId": "s1", "cwd": dir}); f.Error != nil {
		t.Fatal(f.Error)
	}
	if how := s.how(); how != "detached" {
		t.Error(how)
	}
	if got := e.words("user_message_chunk") + e.words("agent_message_chunk"); got != "" {
		t.Error(got)
	}
	if why := e.stopped(e.prompt("s1", "more")); why != protocol.EndTurn {
		t.Error(why)
	}
}

// A session that cannot be read is not opened.
func TestUnreadable(t *testing.T) {
	s := history("s1").opened()
	s.chapters[0][2].Data = json.RawMessage(`{"message":7}`)
	h := &house{stages: []*stage{s}}
	e := connect(t, h)
	e.begin(nil)
	if f := e.ask("session/load", m{"sessionId": "s1", "cwd": t.TempDir(), "mcpServers": []any{}}); f.Error == nil {
		t.Error("it was opened")
	}
	if s.how() == "" || h.closed != 1 {
		t.Errorf("%q, %d", s.how(), h.closed)
	}
	lost := history("s2").opened()
	lost.info.LastSeq++ // an event that never comes
	lost.fail(errTest)
	h.stages = []*stage{lost}
	if f := e.ask("session/load", m{"sessionId": "s2", "cwd": t.TempDir(), "mcpServers": []any{}}); f.Error == nil || !strings.Contains(f.Error.Message, "it broke") {
		t.Error(f.Error)
	}
}

// When the editor goes, sessions are left as a terminal that was closed leaves
// them; those in which nothing was said end.
func TestEditorGoes(t *testing.T) {
	said, silent, open := newStage("said"), newStage("silent"), history("open").opened()
	said.on = scripted
	h := &house{stages: []*stage{said, silent, open}}
	e := connect(t, h)
	e.begin(nil)
	one := e.open()
	e.open()
	e.ask("session/load", m{"sessionId": "open", "cwd": t.TempDir(), "mcpServers": []any{}})
	e.stopped(e.prompt(one, "x"))
	_ = e.in.Close()
	if err := <-e.ended; err != nil {
		t.Error(err)
	}
	e.ended <- nil
	if diff := cmp.Diff([]string{"closed", "quit", "closed"}, []string{said.how(), silent.how(), open.how()}); diff != "" {
		t.Error(diff)
	}
	if h.closed != 3 {
		t.Errorf("%d of 3 were given back", h.closed)
	}
}

func TestClose(t *testing.T) {
	s := newStage("s1")
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	id := e.open()
	running := e.prompt(id, "one")
	operations[event.UserInput](t, s, 1)
	if f := e.ask("session/close", m{"sessionId": id}); f.Error != nil {
		t.Error(f.Error)
	}
	if why := e.stopped(running); why != protocol.Cancelled {
		t.Error(why)
	}
	if how := s.how(); how != "quit" {
		t.Error(how)
	}
	if f := e.ask("session/prompt", m{"sessionId": id, "prompt": []any{m{"type": "text", "text": "x"}}}); f.Error == nil || f.Error.Code != protocol.NotFound {
		t.Error(f.Error)
	}
}

// A session that ends by itself says so to the prompt that runs, and the next
// one goes on with it.
func TestSessionIsLost(t *testing.T) {
	first, second := newStage("s1"), history("s1")
	second.on = scripted
	h := &house{stages: []*stage{first, second.opened()}}
	e := connect(t, h)
	e.begin(nil)
	id := e.open()
	call := e.prompt(id, "one")
	operations[event.UserInput](t, first, 1)
	first.fail(errTest)
	if why := e.stopped(call); !strings.Contains(why, "it broke") || !strings.Contains(why, "the next message goes on") {
		t.Error(why)
	}
	if why := e.stopped(e.prompt(id, "two")); why != protocol.EndTurn {
		t.Error(why)
	}
	if got := e.words("agent_message_chunk"); got != "you said two" {
		t.Errorf("%q: what was said before is not said again", got)
	}
	if h.requests[1].ID != "s1" || h.closed != 1 {
		t.Errorf("%+v, %d", h.requests[1], h.closed)
	}
	h.mu.Lock()
	h.err = errTest
	h.mu.Unlock()
	second.fail(nil)
	if why := e.stopped(e.prompt(id, "three")); !strings.Contains(why, "it broke") {
		t.Error(why)
	}
}

// The conversation may go on in another session of the same host; for the editor
// it stays the same one.
func TestChapters(t *testing.T) {
	s := newStage("s1")
	s.on = scripted
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	id := e.open()
	e.stopped(e.prompt(id, "one"))
	s.turnTo("s2")
	if why := e.stopped(e.prompt(id, "two")); why != protocol.EndTurn {
		t.Error(why)
	}
	if got := e.words("agent_message_chunk"); got != "you said oneyou said two" {
		t.Error(got)
	}
}

func TestCommands(t *testing.T) {
	s := newStage("s1")
	s.on = scripted
	ran := ""
	h := &house{stages: []*stage{s}, change: func(o *acp.Opened) {
		command := func(name string, run func(ctx context.Context, v acp.Voice, args string) error) {
			o.Commands = append(o.Commands, acp.Command{Command: protocol.Command{Name: name, Description: "d", Input: &protocol.Input{Hint: "[x]"}}, Run: run})
		}
		command("say", func(_ context.Context, v acp.Voice, args string) error {
			ran = args
			v.Say("**" + args + "** \x1b[31m")
			v.Warn("careful")
			return nil
		})
		command("fail", func(context.Context, acp.Voice, string) error { return errTest })
		command("panic", func(context.Context, acp.Voice, string) error { panic("inside") })
		command("set", func(ctx context.Context, v acp.Voice, args string) error {
			ev, err := v.Do(ctx, event.Configure{ApprovalMode: &args}, event.TypeSettings)
			if err == nil {
				v.Say(string(ev.Type))
			}
			return err
		})
		command("send", func(ctx context.Context, v acp.Voice, args string) error {
			if err := v.Submit(ctx, event.UserInput{Text: args}); err != nil {
				return err
			}
			return v.Submit(ctx, event.UserInput{Text: "twice"})
		})
		command("wait", func(ctx context.Context, v acp.Voice, _ string) error {
			if v.Busy() || v.Session().Info().SessionID != "s1" {
				return errTest
			}
			v.Say("waiting")
			<-ctx.Done()
			return ctx.Err()
		})
	}}
	e := connect(t, h)
	e.begin(m{"session": m{"notices": m{}}})
	id := e.open()
	said := func(text string) string {
		e.mu.Lock()
		e.frames = nil
		e.mu.Unlock()
		if why := e.stopped(e.prompt(id, text)); why != protocol.EndTurn {
			t.Errorf("%s: %s", text, why)
		}
		return strings.TrimSpace(e.words("agent_message_chunk"))
	}
	for text, want := range map[string]string{
		"/say  a b": "**a b**", "/SAY a b": "**a b**", "/fail": "/fail: it broke", "/panic": "/panic: the command failed inside",
		"/set yolo": "settings", "/set nonsense": "/set: there is no such mode", "/send this": "you said this",
		"/unknown x": "you said /unknown x", "/etc/passwd": "you said /etc/passwd",
	} {
		if got := said(text); got != want && !strings.HasSuffix(got, want) {
			t.Errorf("%s: %q", text, got)
		}
	}
	if ran != "a b" {
		t.Error(ran)
	}
	call := e.prompt(id, "/wait")
	e.until("the command", func(f frame) bool { return strings.Contains(string(f.Params), "waiting") })
	e.say(`{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s1"}}`)
	if why := e.stopped(call); why != protocol.Cancelled {
		t.Error(why)
	}
}
