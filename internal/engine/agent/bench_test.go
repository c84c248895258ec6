package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// roundTimes plays one turn of n tool rounds and returns the engine's own time
// for each: from the end of an answer to the next request, the tool being
// instant.
func roundTimes(tb testing.TB, n int) []time.Duration {
	tb.Helper()
	var times []time.Duration
	var ended time.Time
	rounds := 0
	m := &script{loop: true, info: llm.Info{ID: testModel, Window: 1 << 30, WindowKnown: true, Prices: &llm.Prices{Input: 1}, PriceSource: llm.PriceTable}}
	m.steps = []step{func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
		if !ended.IsZero() {
			times = append(times, time.Since(ended))
		}
		m.mu.Lock()
		m.requests = m.requests[:0]
		m.mu.Unlock()
		rounds++
		if rounds > n {
			say("done")(ctx, req, yield)
			return
		}
		ended = time.Now()
		use(call(fmt.Sprintf("c%d", rounds), "read", fmt.Sprintf(`{"path":"file_%d.txt"}`, rounds)))(ctx, req, yield)
	}}
	read := newFake("read", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
		return tool.Success(strings.Repeat("a line of the file\n", 20)), nil
	})
	read.spec.Parameters = json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}`)
	j, err := journal.Open(context.Background(), journal.Options{Store: journal.NewMemory(), SessionID: testSession})
	if err != nil {
		tb.Fatal(err)
	}
	p, err := policy.New(policy.Options{Mode: policy.ModeAsk, Workspace: []string{"/w"}})
	if err != nil {
		tb.Fatal(err)
	}
	a, err := agent.New(agent.Options{
		SessionID: testSession, Journal: j, Describe: m.Describe, Tools: []tool.Tool{read}, Policy: p,
		Caller:   inference.New(inference.Options{Model: m, Describe: m.Describe, Estimate: window.Text, MaxRetries: -1}),
		Settings: agent.Settings{Model: testModel, Stream: true, MaxIterations: -1, CapMicroUSD: 1e12},
		System:   func() string { return "you are a test" },
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, false) }()
	if err := a.Submit(ctx, event.Submission{Operation: event.UserInput{Text: "go"}}); err != nil {
		tb.Fatal(err)
	}
	for ev, err := range j.Follow(ctx, 0) {
		if err != nil || ev.Type == event.TypeTurnComplete {
			break
		}
	}
	cancel()
	<-done
	return times
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkRound reports the engine's own time for a tool round at the 10th and
// at the 1,000th.
func BenchmarkRound(b *testing.B) {
	for b.Loop() {
		times := roundTimes(b, 1000)
		b.ReportMetric(float64(median(times[5:55]).Microseconds()), "µs/round-10")
		b.ReportMetric(float64(median(times[950:]).Microseconds()), "µs/round-1000")
	}
}

// The engine's own work for a round does not grow with the history. The best
// of some runs counts: the machine has other work to do.
func TestRoundsDoNotSlowDown(t *testing.T) {
	if testing.Short() {
		t.Skip("times rounds: not in short mode")
	}
	best := 1e9
	for try := 0; try < 6 && best > 1.2; try++ {
		times := roundTimes(t, 1000)
		// The first rounds fill the guards' window of thirty messages.
		early, late := median(times[20:120]), median(times[900:])
		best = min(best, float64(late)/float64(early))
		t.Logf("round 100 takes %s, round 1,000 %s", early, late)
	}
	if best > 1.2 {
		t.Errorf("round 1,000 takes %.2f times round 100, want at most 1.2", best)
	}
}
