package agent_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// asking is a tool whose every call asks.
func asking(name string) *fake {
	f := newFake(name, nil)
	f.risk = func(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Once, Gate: tool.Ask} }
	return f
}

// What a message says about its turn holds for that turn and no longer: the
// model, and rules that permit. The journal tells it; the session keeps its own.
func TestTermsHoldForOneTurn(t *testing.T) {
	m := &script{steps: []step{
		use(call("a", "push", `{}`)), say("one"),
		use(call("b", "push", `{}`)),
	}}
	r := start(t, m, func(s *setup) { s.tools = []tool.Tool{asking("push")} })
	terms := &event.Terms{Model: "other/model", Allow: []string{"push"}}
	r.submit(event.UserInput{Text: "first", Terms: terms})
	events := r.ending()
	if gates := find[event.ApprovalRequired](t, events); len(gates) > 0 {
		t.Errorf("it asked: %+v", gates)
	}
	if diff := cmp.Diff(terms, one[event.TurnStarted](t, events).Terms); diff != "" {
		t.Error(diff)
	}
	if in := one[event.InputAccepted](t, events); in.Model != testModel || in.Terms == nil {
		t.Errorf("accepted: %+v", in)
	}
	if told := one[event.TurnStarted](t, events).Model; told != "other/model" {
		t.Errorf("the turn began with %s", told)
	}
	back := one[event.Settings](t, r.until(event.TypeSettings))
	if back.Model != testModel {
		t.Errorf("behind it the model is %s", back.Model)
	}
	if s := r.state(); s.Model != testModel {
		t.Errorf("the session's model has become %s", s.Model)
	}
	r.input("second")
	if got := r.ending(); got[len(got)-1].Type != event.TypeApprovalRequired {
		t.Errorf("the rule still holds: %v", names(got))
	}
	for i, want := range []string{"other/model", "other/model", testModel} {
		if got := m.request(t, i).Model; got != want {
			t.Errorf("request %d went to %s, want %s", i, got, want)
		}
	}
}

// Terms take no prohibition away, and a rule that cannot be read permits nothing.
func TestTermsPermitNoMore(t *testing.T) {
	for name, test := range map[string]struct {
		allow []string
		set   func(*setup)
		want  event.Type
		said  string
	}{
		"denied":      {[]string{"push"}, func(s *setup) { s.policy.Deny = []string{"push"} }, event.TypeToolOutput, "denies it"},
		"plan mode":   {[]string{"push"}, func(s *setup) { s.policy.Mode = policy.ModePlan }, event.TypeToolOutput, "plan mode"},
		"an ask rule": {[]string{"push"}, func(s *setup) { s.policy.Ask = []string{"push"} }, event.TypeApprovalRequired, "asks"},
		"no rule":     {[]string{"push", "pu sh("}, func(*setup) {}, event.TypeApprovalRequired, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := &script{steps: []step{use(call("a", "push", `{}`)), say("done")}}
			r := start(t, m, func(s *setup) { s.tools = []tool.Tool{asking("push")}; test.set(s) })
			r.submit(event.UserInput{Text: "go", Terms: &event.Terms{Allow: test.allow}})
			events := r.until(test.want)
			if last := string(events[len(events)-1].Data); !strings.Contains(last, test.said) {
				t.Error(last)
			}
			logs := find[event.ToolLog](t, events)
			if told := len(logs) == 1 && strings.Contains(logs[0].Log, `"pu sh("`); told != (name == "no rule") {
				t.Errorf("told: %+v", logs)
			}
		})
	}
}

// A turn that a crash cut short, or whose text had not begun one, has its terms
// after a restart too.
func TestTermsSurviveARestart(t *testing.T) {
	terms := &event.Terms{Model: "other/model", Allow: []string{"push"}}
	for name, opening := range map[string][]event.Payload{
		"waiting": {event.InputAccepted{SubmissionID: "s", Text: "go", Terms: terms}},
		"begun": {
			event.InputAccepted{SubmissionID: "s", Text: "go", Terms: terms},
			event.TurnStarted{TurnID: "turn_1", Attempt: 1, SubmissionID: "s", Model: "other/model", Terms: terms},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &script{steps: []step{use(call("a", "push", `{}`)), say("done"), say("later")}}
			r := start(t, m, func(s *setup) {
				s.tools, s.opening, s.resume = []tool.Tool{asking("push")}, opening, true
			})
			if got := r.ending(); got[len(got)-1].Type != event.TypeTurnComplete {
				t.Fatalf("it ended with %v", names(got))
			}
			r.turn("more")
			if a, b := m.request(t, 1).Model, m.request(t, 2).Model; a != "other/model" || b != testModel {
				t.Errorf("it went to %s, then to %s", a, b)
			}
		})
	}
}

// A turn that is interrupted, or abandoned at its gate, leaves nothing behind.
func TestTermsEndWithTheirTurn(t *testing.T) {
	m := &script{steps: []step{use(call("a", "ask", `{}`)), use(call("b", "push", `{}`))}}
	r := start(t, m, func(s *setup) { s.tools = []tool.Tool{asking("push"), asking("ask")} })
	r.submit(event.UserInput{Text: "go", Terms: &event.Terms{Model: "other/model", Allow: []string{"push"}}})
	r.ending()
	r.input("something else")
	events := r.ending()
	if gate := one[event.ApprovalRequired](t, events); gate.Tools[0].Tool != "push" || m.request(t, 1).Model != testModel {
		t.Errorf("%+v by %s", gate, m.request(t, 1).Model)
	}
	if err := r.agent.Submit(context.Background(), event.Submission{Operation: event.Interrupt{}}); err != nil {
		t.Fatal(err)
	}
	r.until(event.TypeInterrupted)
}
