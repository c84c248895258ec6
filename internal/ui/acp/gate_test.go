package acp_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/acp"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
)

// gated is a session that asks for approvals when it is told anything.
func gated(calls ...event.GatedCall) *stage {
	s := newStage("s1")
	s.on = func(s *stage, sub event.Submission) {
		switch op := sub.Operation.(type) {
		case event.UserInput:
			s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: sub.ID},
				event.ApprovalRequired{ApprovalID: "g", Count: len(calls), Tools: calls})
		case event.ExecApproval:
			for _, a := range op.Approvals {
				state := "rejected"
				if a.Approved {
					state = "approved"
				}
				s.tell("turn_1", event.ToolStateChange{ToolCallID: a.ToolCallID, Tool: "bash", State: state})
			}
			s.tell("turn_1", event.TurnComplete{StopReason: "answer"})
		case event.Configure:
			s.tell("", s.Info().Settings)
		}
	}
	return s
}

func command(id, text string, rules ...string) event.GatedCall {
	args, _ := event.Encode(map[string]string{"command": text})
	return event.GatedCall{Tool: "bash", ToolCallID: id, Arguments: args, Reason: "it deletes", Rules: rules}
}

func kinds(r protocol.PermissionRequest) []string {
	var all []string
	for _, o := range r.Options {
		all = append(all, o.ID+" "+o.Kind)
	}
	return all
}

// Each call of a gate is asked about in turn; the answers go together, behind the
// rules that they keep.
func TestApprovals(t *testing.T) {
	usd := 1.25
	paid := event.GatedCall{
		Tool: "hf_jobs", ToolCallID: "b", Arguments: json.RawMessage(`{"operation":"run","hardware_flavor":"a10g-small","script":"x = 1"}`),
		Cost: &event.WorstCase{USD: &usd, USDPerHour: 1, PriceSource: "live"}, Origin: []event.Origin{{Source: "S3", URL: "https://e.example/x"}},
	}
	s := gated(command("a", "rm -rf `x`", "bash(rm *)"), paid, command("c", "rm y"))
	var kept []string
	e := connect(t, &house{stages: []*stage{s}, change: func(o *acp.Opened) {
		o.Rule = func(rule string) error { kept = append(kept, rule); return nil }
	}})
	e.begin(nil)
	call := e.prompt(e.open(), "go")

	f, r := e.asked(1)
	if diff := cmp.Diff([]string{"allow allow_once", "allow_session allow_always", "allow_project allow_always", "reject reject_once"}, kinds(r)); diff != "" {
		t.Error(diff)
	}
	if r.Options[1].Name != "Allow bash(rm *) in this session" || r.Call.Title != "`rm -rf 'x'`" {
		t.Errorf("%+v", r)
	}
	shown := *r.Call.Content[0].Block.Text
	if !strings.HasPrefix(shown, "```\n") || !strings.Contains(shown, "Why: it deletes") || !strings.Contains(shown, "  rm -rf `x`") {
		t.Errorf("shown:\n%s", shown)
	}
	if len(operations[event.UserInput](t, s, 1)) != 1 || len(e.updates("tool_call")) != 3 {
		t.Error("all calls are announced before the first question")
	}
	e.choose(f, "allow_project")

	f, r = e.asked(2)
	if diff := cmp.Diff([]string{"allow allow_once", "reject reject_once"}, kinds(r)); diff != "" {
		t.Error(diff)
	}
	shown = *r.Call.Content[0].Block.Text
	if !strings.HasSuffix(r.Call.Title, "(at most $1.25)") || !strings.Contains(shown, "! asked for after reading: S3 https://e.example/x") || !strings.Contains(shown, "Cost: at most $1.25") {
		t.Errorf("%s\n%s", r.Call.Title, shown)
	}
	e.choose(f, "reject")
	f, _ = e.asked(3)
	e.choose(f, "allow")

	if why := e.stopped(call); why != protocol.EndTurn {
		t.Error(why)
	}
	answer := operations[event.ExecApproval](t, s, 1)[0]
	if diff := cmp.Diff([]event.Approval{{ToolCallID: "a", Approved: true}, {ToolCallID: "b"}, {ToolCallID: "c", Approved: true}}, answer.Approvals); diff != "" {
		t.Error(diff)
	}
	if set := operations[event.Configure](t, s, 1)[0]; len(set.Allow) != 1 || set.Allow[0] != "bash(rm *)" {
		t.Errorf("%+v", set)
	}
	if diff := cmp.Diff([]string{"bash(rm *)"}, kept); diff != "" {
		t.Error(diff)
	}
}

// What is asked about every time, and what shows a secret, gets no rule.
func TestNoLastingRule(t *testing.T) {
	s := gated(
		event.GatedCall{Tool: "hf_repo_git", ToolCallID: "a", Arguments: json.RawMessage(`{"operation":"delete_repo","repo_id":"a/b"}`), Rules: []string{"hf_repo_git"}},
		command("b", "x", "bash(x [REDACTED])"),
	)
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	e.prompt(e.open(), "go")
	for n := 1; n <= 2; n++ {
		f, r := e.asked(n)
		if diff := cmp.Diff([]string{"allow allow_once", "reject reject_once"}, kinds(r)); diff != "" {
			t.Error(diff)
		}
		e.choose(f, "allow")
	}
}

// The difference that a call would make is shown, with the file as it is.
func TestApprovalOfEdit(t *testing.T) {
	s := gated(event.GatedCall{Tool: "edit", ToolCallID: "a", Arguments: json.RawMessage(`{"path":"a.py","old_str":"x = 1","new_str":"x = 2"}`)})
	e := connect(t, &house{stages: []*stage{s}, change: func(o *acp.Opened) {
		o.Sheet.File = func(path string) (string, bool) { return "# top\nx = 1\n", path == "a.py" }
		o.Sheet.Dir = "/work"
	}})
	e.begin(nil)
	e.prompt(e.open(), "go")
	f, r := e.asked(1)
	var d *protocol.Diff
	for _, c := range r.Call.Content {
		if c.Diff != nil {
			d = c.Diff
		}
	}
	if d == nil || *d.OldText != "# top\nx = 1\n" || d.NewText != "# top\nx = 2\n" || d.Path != "/work/a.py" {
		t.Errorf("%s", f.Params)
	}
	e.choose(f, "reject")
}

// A gate about money offers what is possible.
func TestMoney(t *testing.T) {
	for _, c := range []struct {
		args    string
		options []string
		choose  string
		limit   float64
	}{
		{`{"cap_usd":2,"current_spend_usd":2.5,"remaining_cap_usd":0,"estimated_next_usd":1}`, []string{"raise allow_once", "reject reject_once"}, "raise", 4},
		{`{"cap_usd":20,"current_spend_usd":1,"remaining_cap_usd":19,"estimated_next_usd":1}`, []string{"allow allow_once", "raise allow_once", "reject reject_once"}, "allow", 0},
	} {
		s := newStage("s1")
		s.on = func(s *stage, sub event.Submission) {
			switch sub.Operation.(type) {
			case event.UserInput:
				s.tell("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: sub.ID}, event.ApprovalRequired{
					YoloBudget: true, Count: 1, Tools: []event.GatedCall{{Tool: "yolo_budget", ToolCallID: "yolo-budget-1", Arguments: json.RawMessage(c.args)}},
				})
			case event.ExecApproval:
				s.tell("turn_1", event.ToolStateChange{ToolCallID: "yolo-budget-1", State: "approved"}, event.TurnComplete{StopReason: "answer"})
			case event.Configure:
				s.tell("", s.Info().Settings)
			}
		}
		e := connect(t, &house{stages: []*stage{s}})
		e.begin(nil)
		call := e.prompt(e.open(), "go")
		f, r := e.asked(1)
		if diff := cmp.Diff(c.options, kinds(r)); diff != "" {
			t.Error(diff)
		}
		e.choose(f, c.choose)
		e.stopped(call)
		if got := operations[event.ExecApproval](t, s, 1)[0].Approvals; len(got) != 1 || !got[0].Approved || got[0].ToolCallID != "yolo-budget-1" {
			t.Errorf("%+v", got)
		}
		s.mu.Lock()
		for _, sub := range s.ops {
			if set, ok := sub.Operation.(event.Configure); ok && (c.limit == 0 || *set.MaxCostUSD != c.limit) {
				t.Errorf("%v", *set.MaxCostUSD)
			}
		}
		s.mu.Unlock()
		if n := len(e.updates("tool_call")); n != 0 {
			t.Errorf("a question about money is told as %d calls", n)
		}
	}
}

// A person who turns away ends the turn; an editor that cannot ask must not
// leave it hanging.
func TestNoAnswer(t *testing.T) {
	s := gated(command("a", "x"))
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	id := e.open()
	call := e.prompt(id, "go")
	f, _ := e.asked(1)
	e.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"outcome":{"outcome":"cancelled"}}}`, f.ID))
	s.until(t, "an interrupt", func() bool { return s.interrupted == 1 })
	s.tell("turn_1", event.Interrupted{})
	if why := e.stopped(call); why != protocol.Cancelled {
		t.Error(why)
	}
	call = e.prompt(id, "go")
	f, _ = e.asked(2)
	e.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, f.ID))
	if why := e.stopped(call); why != protocol.EndTurn {
		t.Error(why)
	}
	if got := operations[event.ExecApproval](t, s, 1)[0].Approvals[0]; got.Approved || !strings.Contains(got.Feedback, "no such method") {
		t.Errorf("%+v", got)
	}
	e.prompt(id, "go")
	f, _ = e.asked(3)
	e.choose(f, "nonsense")
	e.until("a word about it", func(f frame) bool { return strings.Contains(string(f.Params), "was not offered") })
}

// Where somebody else answers, the editor is told that its answer is not wanted.
func TestAnsweredElsewhere(t *testing.T) {
	s := gated(command("a", "x"))
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	call := e.prompt(e.open(), "go")
	f, _ := e.asked(1)
	s.tell("turn_1", event.ToolStateChange{ToolCallID: "a", Tool: "bash", State: "approved"}, event.TurnComplete{StopReason: "answer"})
	if why := e.stopped(call); why != protocol.EndTurn {
		t.Error(why)
	}
	e.until("the withdrawal", func(g frame) bool {
		return g.Method == "$/cancel_request" && string(g.Params) == fmt.Sprintf(`{"requestId":%s}`, f.ID)
	})
	e.choose(f, "reject") // too late
	if n := len(operations[event.UserInput](t, s, 1)); n != 1 {
		t.Error(n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ops) != 1 {
		t.Errorf("%+v", s.ops)
	}
}

// Somebody who speaks at the gate, elsewhere, takes the turn with it: its prompt
// must not wait for ever.
func TestSpokenAtGate(t *testing.T) {
	s := gated(command("a", "x"))
	e := connect(t, &house{stages: []*stage{s}})
	e.begin(nil)
	call := e.prompt(e.open(), "go")
	e.asked(1)
	s.tell("", event.InputAccepted{SubmissionID: "other", Text: "forget it", AtGate: true})
	s.tell("turn_1", event.ToolStateChange{ToolCallID: "a", Tool: "bash", State: "abandoned"}, event.ToolOutput{Tool: "bash", ToolCallID: "a"})
	s.tell("turn_2", event.TurnStarted{TurnID: "turn_2", SubmissionID: "other"}, event.TurnComplete{StopReason: "answer"})
	if why := e.stopped(call); why != protocol.Cancelled {
		t.Error(why)
	}
	if got := e.words("user_message_chunk"); got != "forget it" {
		t.Error(got)
	}
	s.until(t, "a word about what was seen", func() bool { return s.seen == 7 && s.watched })
}

// A gate that was open when the session was left is asked about when it is
// loaded, behind the answer.
func TestOpenGateIsAskedAgain(t *testing.T) {
	s := history("s1")
	s.tell("turn_2", event.TurnStarted{TurnID: "turn_2", SubmissionID: "b"}, event.ApprovalRequired{Count: 1, Tools: []event.GatedCall{command("a", "x")}})
	e := connect(t, &house{stages: []*stage{s.opened()}})
	e.begin(nil)
	call := e.call("session/load", m{"sessionId": "s1", "cwd": t.TempDir(), "mcpServers": []any{}})
	f, _ := e.asked(1)
	e.mu.Lock()
	for _, g := range e.frames {
		if string(g.ID) == call && g.Method == "" {
			break
		}
		if g.Method == f.Method {
			t.Error("it was asked before the call was answered")
		}
	}
	e.mu.Unlock()
	e.choose(f, "allow")
	if got := operations[event.ExecApproval](t, s, 1)[0].Approvals; !got[0].Approved {
		t.Errorf("%+v", got)
	}
}

// An editor that goes answers nothing and interrupts nothing: the session goes on
// without it.
func TestGoneWhileWorking(t *testing.T) {
	for _, at := range []string{"turn", "gate", "line"} {
		s := gated(command("a", "x"))
		if at != "gate" {
			s.on = nil
		}
		e := connect(t, &house{stages: []*stage{s}})
		e.begin(nil)
		id := e.open()
		e.prompt(id, "go")
		operations[event.UserInput](t, s, 1)
		switch at {
		case "gate":
			e.asked(1)
		case "line":
			e.prompt(id, "more")
		}
		_ = e.in.Close()
		if err := <-e.ended; err != nil {
			t.Error(err)
		}
		e.ended <- nil
		s.mu.Lock()
		if s.interrupted != 0 || s.left != "closed" || len(s.ops) != 1 {
			t.Errorf("%s: interrupted %d times, left %q, %+v", at, s.interrupted, s.left, s.ops)
		}
		s.mu.Unlock()
	}
}
