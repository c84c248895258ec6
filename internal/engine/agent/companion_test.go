package agent_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// companion is a fake that keeps the sessions it was given.
type companion struct {
	*fake
	sessions []tool.Session
}

func (c *companion) Attach(s tool.Session) { c.sessions = append(c.sessions, s) }

// What a call leaves running keeps its reservation; the tool settles it, and
// reserves more, after the call and in a later run of the program.
func TestReservationsOutliveTheirCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		detached := func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			return tool.Result{Output: "still running", OK: true, Holding: "job:acme/1"}, nil
		}
		job := &companion{fake: jobs(detached)}
		m := &script{steps: []step{use(call("j", "hf_jobs", `{"operation":"run","usd":2}`)), say("done"), say("again")}}
		r := start(t, m, func(s *setup) {
			s.settings.CapMicroUSD = 3_000_000
			s.policy.Mode = policy.ModeYolo
			s.tools = []tool.Tool{job}
		})
		if len(job.sessions) != 0 {
			t.Error("attached before there is a turn")
		}
		r.turn("hi")
		s := r.state()
		if held := s.Spend["j"]; held.State != event.SpendReserved || held.Ref != "job:acme/1" || held.ToolCallID != "j" {
			t.Fatalf("after the call: %+v", held)
		}
		if len(job.sessions) != 1 || job.sessions[0].ID() != testSession {
			t.Fatalf("attached %d times", len(job.sessions))
		}
		session := job.sessions[0]
		if open := session.Reserved(event.SpendJob); len(open) != 1 || open[0].ID != "j" {
			t.Errorf("open reservations: %+v", open)
		}
		window := tool.Cost{Kind: event.SpendSandbox, MicroUSD: 1_500_000, Known: true, Source: "live"}
		if err := session.Reserve("sandbox-renew-1", "space:acme/s", window); err == nil || !strings.Contains(err.Error(), "exceeds") {
			t.Errorf("over the cap: %v", err)
		}
		actual := int64(1_000_000)
		session.Settle("j", &actual)
		session.Settle("j", nil)
		session.Settle("nobody", &actual)
		if err := session.Reserve("sandbox-renew-1", "space:acme/s", window); err != nil {
			t.Error(err)
		}
		if s := r.state().Spend["sandbox-renew-1"]; s.Ref != "space:acme/s" || s.ToolCallID != "" {
			t.Errorf("renewed: %+v", s)
		}
		session.Release("sandbox-renew-1")
		if spent, _ := r.state().Spent(); spent != 1_000_000 {
			t.Errorf("spent %d", spent)
		}
		r.turn("more")
		if len(job.sessions) != 1 {
			t.Error("attached for every turn")
		}
	})
}

// A restart finds the reservations an earlier run has left open.
func TestReservationsAreFoundAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		micro := int64(700)
		job := &companion{fake: newFake("hf_jobs", nil)}
		r := start(t, &script{steps: []step{say("done")}}, func(s *setup) {
			s.tools = []tool.Tool{job}
			s.opening = []event.Payload{event.Spend{
				ID: "j", Kind: event.SpendJob, State: event.SpendReserved, MicroUSD: &micro, ToolCallID: "j", Ref: "job:acme/1", PriceSource: "live",
			}}
		})
		r.turn("hi")
		if open := job.sessions[0].Reserved(event.SpendJob); len(open) != 1 || open[0].Ref != "job:acme/1" {
			t.Errorf("open: %+v", open)
		}
	})
}

// What runs and costs, and what was made on the Hub, stands in a summary although
// the model's own words do not mention it, also after a restart.
func TestSummaryNamesJobsAndRepositories(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		working := func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
			for _, ref := range []string{"job:acme/77aa", "commit:model/bob/m@abc", "commit:model/bob/m@def", "repo:dataset/bob/d"} {
				if err := env.Effect(ref); err != nil {
					return tool.Result{}, err
				}
			}
			return tool.Result{Output: "still running", OK: true, Holding: "job:acme/77aa"}, nil
		}
		m := &script{steps: []step{
			use(call("j", "hf_jobs", `{"operation":"run","usd":2}`)), say(strings.Repeat("word ", 3000)), say("two"), say("three"),
		}}
		job := &companion{fake: jobs(working)}
		change := func(s *setup) { s.policy.Mode, s.tools = policy.ModeYolo, []tool.Tool{job} }
		r := start(t, m, change)
		for _, text := range []string{"one", "two", "three"} {
			r.turn(text)
		}
		r.stop()
		again := start(t, &script{steps: []step{say("four"), say("a summary that forgets"), say("five")}}, func(s *setup) {
			change(s)
			s.store, s.resume = r.store, true
		})
		again.turn("four")
		again.submit(event.Compact{})
		again.until(event.TypeCompacted)
		var summary string
		for _, h := range find[event.HistoryRewritten](t, again.all()) {
			for _, msg := range h.Messages {
				summary += msg.PlainText()
			}
		}
		for _, want := range []string{"- job acme/77aa", "model/bob/m", "dataset/bob/d"} {
			if strings.Count(summary, want) != 1 {
				t.Errorf("%q stands %d times in the summary:\n%.600s", want, strings.Count(summary, want), summary)
			}
		}
	})
}
