package slash_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

func ptr[T any](v T) *T { return &v }

// obeys is a session that takes every change.
func obeys(c *dialogtest.Conversation) {
	c.Answers = func(op event.Operation) (event.Payload, error) {
		in, ok := op.(event.Configure)
		if !ok {
			return nil, errors.New("it was asked for something else")
		}
		for _, p := range [...]struct{ from, to *string }{{in.Model, &c.Set.Model}, {in.Effort, &c.Set.Effort}, {in.ApprovalMode, &c.Set.ApprovalMode}} {
			if p.from != nil {
				*p.to = *p.from
			}
		}
		if in.MaxCostUSD != nil {
			if c.Set.MaxCostUSD = in.MaxCostUSD; *in.MaxCostUSD == 0 {
				c.Set.MaxCostUSD = nil
			}
		}
		return c.Set, nil
	}
}

func TestSettings(t *testing.T) {
	all := slash.Commands(&slash.Desk{})
	const levels = "minimal, low, medium, high, xhigh, max, off"
	for _, test := range []struct {
		line string
		now  event.Settings
		want event.Operation // nil: nothing is asked of the session
		said string          // a part of it
	}{
		{"/effort", event.Settings{Effort: "high"}, nil, "Effort: high. The levels are " + levels},
		{"/effort OFF", event.Settings{Effort: "high"}, event.Configure{Effort: ptr("off")}, ""},
		{"/effort low", event.Settings{Effort: "off"}, event.Configure{Effort: ptr("low")}, ""},
		{"/effort high", event.Settings{Effort: "high"}, nil, "The effort is high already."},
		{"/effort hard", event.Settings{Effort: "high"}, nil, "error: /effort hard: the levels are " + levels},

		{"/permissions", event.Settings{ApprovalMode: "ask"}, nil, "The approval mode is ask. There are:"},
		{"/permissions Plan", event.Settings{ApprovalMode: "ask"}, event.Configure{ApprovalMode: ptr("plan")}, ""},
		{"/permissions ask", event.Settings{ApprovalMode: "ask"}, nil, "The approval mode is ask already."},
		{"/permissions never", event.Settings{ApprovalMode: "ask"}, nil, "error: /permissions never: the modes are plan, ask, auto-edit, upstream, yolo"},
		{"/permissions plan now", event.Settings{ApprovalMode: "ask"}, nil, "error: /permissions plan now: the modes are"},
		{"/permissions allow 'bash(git status*)'", event.Settings{}, event.Configure{Allow: []string{"bash(git status*)"}}, "What matches bash(git status*) passes without a question"},
		{"/permissions allow", event.Settings{}, nil, "error: /permissions allow: give a rule"},

		{"/yolo", event.Settings{ApprovalMode: "ask"}, event.Configure{ApprovalMode: ptr("yolo")}, "YOLO mode: ON, without a cap"},
		{"/yolo", event.Settings{ApprovalMode: "yolo"}, event.Configure{ApprovalMode: ptr("ask")}, "YOLO mode: OFF"},
		{"/yolo on", event.Settings{ApprovalMode: "yolo", MaxCostUSD: ptr(25.0)}, event.Configure{ApprovalMode: ptr("yolo")}, "YOLO mode: ON, up to $25.00 in all"},
		{"/yolo --cap 5", event.Settings{ApprovalMode: "ask"}, event.Configure{ApprovalMode: ptr("yolo"), MaxCostUSD: ptr(5.0)}, "YOLO mode: ON, up to $5.00 in all"},
		{"/yolo --cap=$5", event.Settings{ApprovalMode: "yolo"}, event.Configure{ApprovalMode: ptr("yolo"), MaxCostUSD: ptr(5.0)}, "YOLO mode: ON, up to $5.00 in all"},
		{"/yolo on --cap 0", event.Settings{ApprovalMode: "ask"}, event.Configure{ApprovalMode: ptr("yolo"), MaxCostUSD: ptr(0.0)}, "YOLO mode: ON, without a cap"},
		{"/yolo off --cap 5", event.Settings{ApprovalMode: "yolo"}, event.Configure{ApprovalMode: ptr("ask"), MaxCostUSD: ptr(5.0)}, "YOLO mode: OFF"},
		{"/yolo --cap 5 off", event.Settings{ApprovalMode: "yolo"}, event.Configure{ApprovalMode: ptr("ask"), MaxCostUSD: ptr(5.0)}, "YOLO mode: OFF"},
		{"/yolo maybe", event.Settings{ApprovalMode: "ask"}, nil, "error: /yolo maybe: say on, off, or --cap and an amount"},
		{"/yolo --cap", event.Settings{ApprovalMode: "ask"}, nil, "error: /yolo --cap: say on, off, or --cap and an amount"},
		{"/yolo --cap many", event.Settings{ApprovalMode: "ask"}, nil, `error: /yolo --cap: "many" is no amount in dollars, such as 20`},

		{"/budget", event.Settings{}, nil, "There is no cap on what this session spends. So far: $0.42."},
		{"/budget", event.Settings{MaxCostUSD: ptr(20.0)}, nil, "This session may spend $20.00 in all, over models, jobs and sandboxes. So far: $0.42."},
		{"/budget 20", event.Settings{}, event.Configure{MaxCostUSD: ptr(20.0)}, ""},
		{"/budget 0", event.Settings{}, event.Configure{MaxCostUSD: ptr(0.0)}, "That is what held before."},
		{"/budget -1", event.Settings{}, nil, `error: /budget: "-1" is no amount in dollars, such as 20`},
		{"/budget NaN", event.Settings{}, nil, `error: /budget: "NaN" is no amount`},
		{"/budget 1e9", event.Settings{}, nil, "error: /budget:"},
	} {
		talk := dialogtest.New(t)
		talk.Session.Set, talk.Session.State = test.now, transcript.Status{CostMicroUSD: 420_000}
		obeys(talk.Session)
		name, args, _ := dialog.Slash(test.line)
		said, err := talk.Run(t.Context(), find(t, all, name), args)
		if err != nil {
			said += "error: " + err.Error()
		}
		if !strings.Contains(said, test.said) || test.said == "" && said != "" {
			t.Errorf("%s in %+v: %s", test.line, test.now, said)
		}
		var want []event.Operation
		if test.want != nil {
			want = []event.Operation{test.want}
		}
		if diff := cmp.Diff(want, talk.Session.Asked()); diff != "" {
			t.Errorf("%s in %+v (-want +got):\n%s", test.line, test.now, diff)
		}
	}
}

// What the session refuses is told by it.
func TestRefusedSetting(t *testing.T) {
	talk := dialogtest.New(t)
	talk.Session.Answers = func(event.Operation) (event.Payload, error) { return nil, &dialog.ToldError{Text: "no"} }
	if _, err := talk.Run(t.Context(), find(t, slash.Commands(&slash.Desk{}), "budget"), "3"); !dialog.Told(err) {
		t.Errorf("got %v", err)
	}
}

func TestModel(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		line    string
		answers []dialogtest.Answer
		want    event.Operation
		said    string
	}{
		{"/model", []dialogtest.Answer{dialogtest.Pick("sim/scripted")}, event.Configure{Model: ptr("sim/scripted")}, ""},
		{"/model", []dialogtest.Answer{dialogtest.Cancel()}, nil, "error: cancelled"},
		{"/model ollama/x", nil, event.Configure{Model: ptr("ollama/x")}, ""},
		{"/model huggingface/a/b:fal-ai", nil, event.Configure{Model: ptr("a/b:fal-ai")}, ""},
		{"/model a/now", nil, nil, "The model is a/now already."},
		{"/model not an id", nil, nil, "error: /model not an id: "},
		{"/model noslash", nil, nil, "error: /model noslash: "},
	} {
		talk := dialogtest.New(t, test.answers...)
		talk.Session.Set = event.Settings{Model: "a/now"}
		obeys(talk.Session)
		said := w.run(talk, test.line)
		if !strings.Contains(said, test.said) || test.said == "" && said != "" || strings.Contains(said, "\n") {
			t.Errorf("%s: %s", test.line, said)
		}
		var want []event.Operation
		if test.want != nil {
			want = []event.Operation{test.want}
		}
		if diff := cmp.Diff(want, talk.Session.Asked()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.line, diff)
		}
	}
}
