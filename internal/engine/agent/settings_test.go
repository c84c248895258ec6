package agent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Settings are told when one that is shown has changed, with the mode in force,
// and when somebody has changed the mode; the fold knows the newest.
func TestSettingsAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{say("ok")}}
		r := start(t, m, nil)
		r.until(event.TypeReady)
		r.agent.Change(func(s *agent.Settings) { s.MaxIterations, s.MaxParallel = 7, 0 })
		r.agent.Change(func(s *agent.Settings) { s.Model, s.Effort, s.CapMicroUSD = "other/model", llm.EffortHigh, 2_500_000 })
		r.agent.Change(func(s *agent.Settings) { s.Effort, s.CapMicroUSD = llm.EffortOff, 0 })
		if err := r.policy.SetMode(policy.ModeYolo); err != nil {
			t.Fatal(err)
		}
		r.agent.Announce(t.Context())
		usd := 2.5
		want := []event.Settings{
			{Model: "other/model", Effort: "high", ApprovalMode: "upstream", MaxCostUSD: &usd, ToolRuntime: "local", Cwd: "/w", Window: 200_000},
			{Model: "other/model", Effort: "off", ApprovalMode: "upstream", ToolRuntime: "local", Cwd: "/w", Window: 200_000},
			{Model: "other/model", Effort: "off", ApprovalMode: "yolo", ToolRuntime: "local", Cwd: "/w", Window: 200_000},
		}
		got := find[event.Settings](t, r.all())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		s := r.state()
		if s.Model != "other/model" || cmp.Diff(&want[2], s.Settings) != "" || r.agent.Settings().MaxParallel == 0 {
			t.Errorf("model %s, settings %+v", s.Model, s.Settings)
		}
	})
}

// The window of a local model is told where it is known already; nobody is
// asked for it.
func TestSettingsDoNotWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{info: llm.Info{ID: "ollama/x", Local: true, Window: 32_768}}
		r := start(t, m, nil)
		r.agent.Announce(t.Context())
		m.mu.Lock()
		m.info.WindowKnown = true
		m.mu.Unlock()
		r.agent.Announce(t.Context())
		got := find[event.Settings](t, r.all())
		if got[0].Window != 0 || got[1].Window != 32_768 {
			t.Errorf("told %+v", got)
		}
		m.mu.Lock()
		m.wait = true
		m.mu.Unlock()
		begun := time.Now()
		r.agent.Announce(t.Context())
		if time.Since(begun) > 0 {
			t.Errorf("it took %s", time.Since(begun))
		}
	})
}

// Changes from many goroutines are told in the order they were made: the last
// one told is in force.
func TestSettingsAreToldInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, &script{}, nil)
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				r.agent.Change(func(s *agent.Settings) { s.Model = fmt.Sprint("model/", i) })
			})
		}
		wait.Wait()
		got := find[event.Settings](t, r.all())
		if len(got) != 20 || got[19].Model != r.agent.Settings().Model {
			t.Errorf("%d told, the last %+v; in force is %s", len(got), got[len(got)-1], r.agent.Settings().Model)
		}
	})
}

// A title is one line of at most 120 characters, given at once; a session
// without one is called by what was typed first.
func TestTitles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hold := make(chan struct{})
		m := &script{steps: []step{func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
			<-hold
			say("ok")(ctx, req, yield)
		}}}
		r := start(t, m, nil)
		if name := r.state().Name(); name != "" {
			t.Errorf("an empty session is called %q", name)
		}
		long := "Fine-tune the small\nmodel on our own data and tell me how it does against the others"
		r.input(long)
		after(time.Second, func() {})
		if name := r.state().Name(); name != "Fine-tune the small model on our own data and tell me how…" || len([]rune(name)) > 60 {
			t.Errorf("called %q", name)
		}
		r.submit(event.Rename{Title: "  A\tgood\x07\n title "}) // the turn runs
		if e := one[event.Renamed](t, r.until(event.TypeRenamed)); e.Title != "A good title" || e.By != "user" {
			t.Errorf("%+v", e)
		}
		close(hold)
		r.ending()
		r.submit(event.Rename{Title: strings.Repeat("é", 200)})
		if e := one[event.Renamed](t, r.until(event.TypeRenamed)); len([]rune(e.Title)) != history.MaxTitle {
			t.Errorf("%d characters: %q", len([]rune(e.Title)), e.Title)
		}
		if e := r.refused(event.Rename{Title: " \n\x1b "}); !strings.Contains(e.Error, "title is required") {
			t.Errorf("%+v", e)
		}
		r = again(t, r, m, nil)
		if name := r.state().Name(); !strings.HasPrefix(name, "éé") {
			t.Errorf("called %q", name)
		}
		if e := r.refused(event.Configure{}); !strings.Contains(e.Error, "settings") {
			t.Errorf("%+v", e)
		}
	})
}

// A person's wishes go into the request for the summary; whatever there is to
// do, the end is one compacted.
func TestCompactWithInstructions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		long := strings.Repeat("word ", 3000)
		m := &script{steps: []step{say(long), say(long), say("a"), say("the summary"), say("b"), say("another summary")}}
		r := start(t, m, nil)
		compacted := func(op event.Compact) event.Compacted {
			t.Helper()
			r.submit(op)
			return one[event.Compacted](t, r.until(event.TypeCompacted, event.TypeError))
		}
		if c := compacted(event.Compact{Instructions: "keep all"}); c.OldTokens != c.NewTokens {
			t.Errorf("an empty conversation: %+v", c)
		}
		r.turn("one")
		if c := compacted(event.Compact{Instructions: "keep all"}); m.calls() > 2 || c.NewTokens > c.OldTokens {
			t.Errorf("one turn: %+v, %d calls", c, m.calls())
		}
		r.turn("two")
		r.turn("three")
		calls := m.calls()
		if c := compacted(event.Compact{Instructions: "keep the learning rates"}); c.NewTokens >= c.OldTokens {
			t.Errorf("%+v", c)
		}
		req := m.request(t, calls)
		if req.Kind != llm.KindCompaction || having(req, "keep the learning rates") != 1 || !last(req).Synthetic {
			t.Errorf("the summary was asked for with %q", last(req).Text)
		}
		compacted(event.Compact{})
		if m.calls() > calls+1 && having(m.request(t, calls+1), "these words") != 0 {
			t.Error("the wishes of an earlier summary were repeated")
		}
	})
}

// A model that cannot be described ends a compaction with one error.
func TestCompactOfAnUnknownModel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{say("a")}}
		r := start(t, m, nil)
		r.turn("one")
		m.mu.Lock()
		m.failure = errors.New("no such model")
		m.mu.Unlock()
		if e := r.refused(event.Compact{}); !strings.Contains(e.Error, "compaction failed") {
			t.Errorf("%+v", e)
		}
	})
}
