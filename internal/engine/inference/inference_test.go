package inference_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers call after call; the last step for ever.
type script struct {
	steps    []step
	requests []llm.Request
	info     llm.Info
}

type step func(ctx context.Context, yield func(llm.Chunk, error) bool)

func (s *script) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		st := s.steps[min(len(s.requests), len(s.steps)-1)]
		s.requests = append(s.requests, req)
		st(ctx, yield)
	}
}

func (s *script) caller(retries int) *inference.Caller {
	if s.info.ID == "" {
		s.info = llm.Info{ID: "m", Provider: "test", Label: "Test", Window: 100_000}
	}
	return inference.New(inference.Options{
		Model: s, Describe: func(context.Context, string) (llm.Info, error) { return s.info, nil },
		Estimate: func(text string) int { return len(text) }, MaxRetries: retries,
	})
}

func fail(f llm.Fault) step {
	return func(_ context.Context, yield func(llm.Chunk, error) bool) {
		again := f
		yield(nil, &again)
	}
}

func say(text string) step {
	return done(llm.Done{Message: llm.Message{Role: llm.Assistant, Text: text}, Finish: llm.FinishStop, Usage: &llm.Usage{Prompt: 10, Completion: 2, Total: 12}})
}

func done(d llm.Done) step {
	return func(_ context.Context, yield func(llm.Chunk, error) bool) {
		if d.Message.Text != "" && !yield(llm.Text{Delta: d.Message.Text}, nil) {
			return
		}
		yield(d, nil)
	}
}

func hang(ctx context.Context, yield func(llm.Chunk, error) bool) {
	<-ctx.Done()
	yield(nil, ctx.Err())
}

// watch keeps what an observer is told.
type watch struct {
	text, thinking string
	discards, logs []string
	billed         []inference.Reply
}

func (w *watch) Text(s string)            { w.text += s }
func (w *watch) Thinking(s string)        { w.thinking += s }
func (w *watch) Discard(r string)         { w.discards = append(w.discards, r); w.text, w.thinking = "", "" }
func (w *watch) Log(s string)             { w.logs = append(w.logs, s) }
func (w *watch) Prompt() int              { return 0 }
func (w *watch) Billed(r inference.Reply) { w.billed = append(w.billed, r) }

var ask = llm.Request{Model: "m", Kind: llm.KindMain, Messages: []llm.Message{{Role: llm.User, Text: "hello"}}}

func effort(supported ...llm.Effort) llm.Fault {
	return llm.Fault{Class: llm.ClassInvalidEffort, Message: "effort must be one of", Supported: supported}
}

// Model check 14: the highest listed level not above the wish, in two requests.
func TestModelCheck14_ProbeTakesTheListedLevel(t *testing.T) {
	s := &script{steps: []step{fail(effort(llm.EffortLow, llm.EffortMedium, llm.EffortHigh, llm.EffortMax)), say("pong")}}
	c, w := s.caller(-1), &watch{}
	p, err := c.Probe(t.Context(), "m", "session", llm.EffortXHigh, w)
	if err != nil || p.Effort != llm.EffortHigh || p.Note == "" {
		t.Errorf("%+v, %v", p, err)
	}
	if len(s.requests) != 2 || s.requests[1].Effort != llm.EffortHigh {
		t.Fatalf("requests %+v", s.requests)
	}
	if r := s.requests[0]; r.MaxTokens != 64 || !r.Strict || r.Kind != llm.KindEffortProbe || r.SessionID != "session" || len(r.Tools) != 0 || r.Messages[0].Text != "ping" {
		t.Errorf("the probe is %+v", r)
	}
	if level, known := c.Effort("m"); !known || level != llm.EffortHigh {
		t.Errorf("remembered %q, %v", level, known)
	}
	if len(w.billed) != 1 || w.billed[0].Kind != llm.KindEffortProbe {
		t.Errorf("billed %+v", w.billed)
	}
}

// A provider that lists a level and refuses it all the same is not asked for
// ever.
func TestProbeEnds(t *testing.T) {
	for _, listed := range []llm.Effort{llm.EffortHigh, llm.EffortLow} {
		s := &script{steps: []step{fail(effort(listed))}}
		c := s.caller(-1)
		p, err := c.Probe(t.Context(), "m", "", llm.EffortHigh, &watch{})
		if err != nil || p.Effort != llm.EffortOff || len(s.requests) > 4 {
			t.Errorf("%+v, %v after %d requests", p, err, len(s.requests))
		}
		if level, known := c.Effort("m"); !known || level != llm.EffortOff {
			t.Errorf("remembered %q, %v", level, known)
		}
	}
}

func TestProbeCascade(t *testing.T) {
	s := &script{steps: []step{fail(effort()), fail(effort()), done(llm.Done{Finish: llm.FinishLength, Usage: &llm.Usage{Prompt: 1}})}}
	p, err := s.caller(-1).Probe(t.Context(), "m", "", llm.EffortMax, &watch{})
	if err != nil || p.Effort != llm.EffortHigh { // max, xhigh, high; a cut answer is one
		t.Errorf("%+v, %v", p, err)
	}
	s = &script{steps: []step{fail(llm.Fault{Class: llm.ClassNoThinking, Message: "thinking is not supported"})}}
	c := s.caller(-1)
	if p, err := c.Probe(t.Context(), "m", "", llm.EffortMax, &watch{}); err != nil || p.Effort != llm.EffortOff || len(s.requests) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := c.Probe(t.Context(), "m", "", llm.EffortOff, &watch{}); err != nil || p != (inference.Probe{}) || len(s.requests) != 1 {
		t.Errorf("off asks: %+v, %v", p, err)
	}
}

// Model check 15: no answer leaves nothing behind, a refused key is an error.
func TestModelCheck15_ProbeInconclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{hang}}
		c := s.caller(-1)
		c.SetEffort("m", llm.EffortLow)
		begun := time.Now()
		p, err := c.Probe(t.Context(), "m", "", llm.EffortHigh, &watch{})
		if err != nil || !p.Inconclusive || time.Since(begun) != 15*time.Second {
			t.Errorf("%+v, %v after %s", p, err, time.Since(begun))
		}
		if _, known := c.Effort("m"); known {
			t.Error("an inconclusive probe left an entry")
		}
		s.steps = []step{fail(llm.Fault{Class: llm.ClassAuth, Status: 401})}
		var f *llm.Fault
		if _, err := c.Probe(t.Context(), "m", "", llm.EffortHigh, &watch{}); !errors.As(err, &f) || f.Class != llm.ClassAuth {
			t.Errorf("error %v", err)
		}
	})
}

// Each complaint is healed once, and a heal is no attempt: retries are off.
func TestHeals(t *testing.T) {
	tests := []struct {
		name  string
		fault llm.Fault
		check func(r llm.Request) bool
		// lasting says that later calls do it at once.
		lasting bool
	}{
		{"signature", llm.Fault{Class: llm.ClassThinkingSignature}, func(r llm.Request) bool { return r.Adjust.NoThinking }, false},
		{"reasoning missing", llm.Fault{Class: llm.ClassReasoningMissing}, func(r llm.Request) bool { return r.Adjust.FillReasoning }, true},
		{"tool history", llm.Fault{Class: llm.ClassToolHistory}, func(r llm.Request) bool { return r.Adjust.Rebuild }, true},
		{"bytes", llm.Fault{Class: llm.ClassRequestTooLarge}, func(r llm.Request) bool { return r.Adjust.Shrink }, false},
		{"output limit", llm.Fault{Class: llm.ClassMaxTokensTooLarge, Used: 1000, Limit: 5000}, func(r llm.Request) bool { return r.MaxTokens == 3744 }, false},
		{"parameter", llm.Fault{Class: llm.ClassInvalidRequest, Param: "temperature"}, func(r llm.Request) bool { return strings.Join(r.Adjust.Drop, " ") == "temperature" }, true},
		{"thinking style", llm.Fault{Class: llm.ClassNoThinking, Message: "thinking.type.enabled is not supported, use adaptive"}, func(r llm.Request) bool { return r.Adjust.OtherThinking && r.Effort == llm.EffortHigh }, true},
		{"no thinking", llm.Fault{Class: llm.ClassNoThinking, Message: "thinking is not supported"}, func(r llm.Request) bool { return r.Effort == llm.EffortOff }, true},
		{"effort", effort(llm.EffortLow), func(r llm.Request) bool { return r.Effort == llm.EffortLow }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{steps: []step{fail(tt.fault), say("ok"), say("ok"), fail(tt.fault)}}
			c := s.caller(0)
			req := ask
			req.Effort = llm.EffortHigh
			r, err := c.Do(t.Context(), req, &watch{})
			if err != nil || r.Message.Text != "ok" || !tt.check(s.requests[1]) || tt.check(s.requests[0]) {
				t.Fatalf("%+v, %v; requests %+v", r, err, s.requests)
			}
			if _, err := c.Do(t.Context(), req, &watch{}); err != nil || tt.check(s.requests[2]) != tt.lasting {
				t.Errorf("the next call: %v, %+v", err, s.requests[2])
			}
			// A complaint that stays is an error, not a loop.
			if _, err := c.Do(t.Context(), req, &watch{}); err == nil || len(s.requests) > 6 {
				t.Errorf("no error after %d requests", len(s.requests))
			}
		})
	}
}

func TestOutputLimitWithoutRoomIsOverflow(t *testing.T) {
	s := &script{steps: []step{fail(llm.Fault{Class: llm.ClassMaxTokensTooLarge, Used: 4500, Limit: 5000})}}
	var f *llm.Fault
	if _, err := s.caller(-1).Do(t.Context(), ask, &watch{}); !errors.As(err, &f) || f.Class != llm.ClassOverflow || len(s.requests) != 1 {
		t.Errorf("%v after %d requests", err, len(s.requests))
	}
}

func TestRetryLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for retries, want := range map[int]int{0: 1, 2: 3, -1: 5} {
			s := &script{steps: []step{fail(llm.Fault{Class: llm.ClassNetwork})}}
			if _, err := s.caller(retries).Do(t.Context(), ask, &watch{}); err == nil || len(s.requests) != want {
				t.Errorf("%d retries: %d requests, want %d", retries, len(s.requests), want)
			}
		}
		// In all at most five minutes of waiting.
		s := &script{steps: []step{fail(llm.Fault{Class: llm.ClassRateLimit, Wait: 100 * time.Second})}}
		begun := time.Now()
		_, err := s.caller(50).Do(t.Context(), ask, &watch{})
		if err == nil || time.Since(begun) > 5*time.Minute || len(s.requests) != 3 {
			t.Errorf("%d requests in %s", len(s.requests), time.Since(begun))
		}
		no := false
		s = &script{steps: []step{fail(llm.Fault{Class: llm.ClassServer, Retry: &no})}}
		if _, err := s.caller(-1).Do(t.Context(), ask, &watch{}); err == nil || len(s.requests) != 1 {
			t.Error("a provider that says no to a retry was asked again")
		}
	})
}

// The whole call may take an hour.
func TestCallTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{hang}}
		begun := time.Now()
		_, err := s.caller(0).Do(t.Context(), ask, &watch{})
		var f *llm.Fault
		if !errors.As(err, &f) || f.Class != llm.ClassTimeout || time.Since(begun) != time.Hour {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}

// A stream that ends without a word is a network failure; thinking that was
// shown is void when it is tried again.
func TestEndWithoutMarker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{
			func(_ context.Context, yield func(llm.Chunk, error) bool) { yield(llm.Thinking{Delta: "hmm"}, nil) }, say("ok"),
		}}
		w := &watch{}
		r, err := s.caller(-1).Do(t.Context(), ask, w)
		if err != nil || r.Attempts != 2 || len(w.discards) != 1 || w.thinking != "" || w.text != "ok" {
			t.Errorf("%+v, %v, %+v", r, err, w)
		}
	})
}

// An answer whose whole allowance went into reasoning is asked for once more,
// with twice the limit; both are billed.
func TestOnlyThinking(t *testing.T) {
	cut := done(llm.Done{Finish: llm.FinishLength, Usage: &llm.Usage{Prompt: 10, Completion: 5000}})
	s := &script{steps: []step{cut, say("ok")}}
	w := &watch{}
	r, err := s.caller(-1).Do(t.Context(), ask, w)
	if err != nil || r.Message.Text != "ok" || s.requests[1].MaxTokens != 10_000 || len(w.billed) != 1 {
		t.Errorf("%+v, %v, limit %d, billed %d", r, err, s.requests[1].MaxTokens, len(w.billed))
	}
}

func TestPausedTurnGoesOn(t *testing.T) {
	s := &script{steps: []step{done(llm.Done{Message: llm.Message{Role: llm.Assistant, Text: "one "}, Finish: llm.FinishPause, Usage: &llm.Usage{Prompt: 1}}), say("two")}}
	r, err := s.caller(-1).Do(t.Context(), ask, &watch{})
	if err != nil || r.Message.Text != "one two" || len(s.requests[1].Messages) != 2 || len(s.requests[0].Messages) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestSilentOverflow(t *testing.T) {
	for name, tt := range map[string]struct {
		done  llm.Done
		local bool
		want  bool
	}{
		"reported prompt":   {llm.Done{Finish: llm.FinishStop, Usage: &llm.Usage{Prompt: 100_001}}, false, true},
		"cut before a word": {llm.Done{Finish: llm.FinishLength, Usage: &llm.Usage{Prompt: 99_000}}, false, true},
		"empty and local":   {llm.Done{Finish: llm.FinishStop, Usage: &llm.Usage{Prompt: 90_000}}, true, true},
		"empty and hosted":  {llm.Done{Finish: llm.FinishStop, Usage: &llm.Usage{Prompt: 90_000}}, false, false},
	} {
		s := &script{steps: []step{done(tt.done)}, info: llm.Info{ID: "m", Window: 100_000, Local: tt.local}}
		if r, err := s.caller(-1).Do(t.Context(), ask, &watch{}); err != nil || r.Overflow != tt.want {
			t.Errorf("%s: %+v, %v", name, r.Overflow, err)
		}
	}
}

// Costs: what the provider says, else its prices, else unknown; usage that is
// missing is estimated and marked.
func TestAccounts(t *testing.T) {
	reported := 0.5
	for name, tt := range map[string]struct {
		done   llm.Done
		info   llm.Info
		micro  float64 // -1 for unknown
		source llm.PriceSource
	}{
		"reported": {llm.Done{Message: llm.Message{Text: "x"}, CostUSD: &reported, Usage: &llm.Usage{Prompt: 1}}, llm.Info{ID: "m"}, 500_000, llm.PriceProvider},
		"priced":   {llm.Done{Message: llm.Message{Text: "x"}, Usage: &llm.Usage{Prompt: 10, Completion: 2}}, llm.Info{ID: "m", Prices: &llm.Prices{Input: 1, Output: 5}, PriceSource: llm.PriceCatalog}, 20, llm.PriceCatalog},
		"local":    {llm.Done{Message: llm.Message{Text: "x"}, Usage: &llm.Usage{Prompt: 10}}, llm.Info{ID: "m", Local: true}, 0, llm.PriceLocal},
		"unknown":  {llm.Done{Message: llm.Message{Text: "x"}, Usage: &llm.Usage{Prompt: 10}}, llm.Info{ID: "m"}, -1, llm.PriceUnknown},
	} {
		s := &script{steps: []step{done(tt.done)}, info: tt.info}
		r, err := s.caller(-1).Do(t.Context(), ask, &watch{})
		if err != nil || r.PriceSource != tt.source || (r.MicroUSD == nil) != (tt.micro < 0) || r.MicroUSD != nil && *r.MicroUSD != tt.micro || r.Estimated {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	s := &script{steps: []step{done(llm.Done{Message: llm.Message{Text: "12345"}, Finish: llm.FinishStop})}}
	if r, err := s.caller(-1).Do(t.Context(), ask, &watch{}); err != nil || !r.Estimated || r.Usage.Completion != 5 || r.Usage.Prompt != 9 || r.Usage.Total != 14 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What a failed attempt was billed for is told, and an interrupt stops a wait.
func TestFailedAttemptIsBilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{func(_ context.Context, yield func(llm.Chunk, error) bool) {
			_ = yield(llm.Begun{Usage: &llm.Usage{Prompt: 500}}, nil) && yield(nil, &llm.Fault{Class: llm.ClassOverloaded})
		}}}
		w := &watch{}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun := time.Now()
		r, err := s.caller(-1).Do(ctx, ask, w)
		if !errors.Is(err, context.Canceled) || time.Since(begun) != time.Second || r.Message.Text != "" {
			t.Errorf("%+v, %v after %s", r, err, time.Since(begun))
		}
		if len(w.billed) != 1 || w.billed[0].Usage.Prompt != 500 || w.billed[0].Finish != llm.FinishError {
			t.Errorf("billed %+v", w.billed)
		}
	})
}

// A sub-agent thinks no more than it was asked to, whatever the model is known
// to take for the main conversation, and no more than the model takes.
func TestResearchKeepsItsLowerEffort(t *testing.T) {
	for _, c := range []struct{ known, want llm.Effort }{
		{llm.EffortMax, llm.EffortHigh}, {llm.EffortLow, llm.EffortLow}, {llm.EffortOff, llm.EffortOff},
	} {
		s := &script{steps: []step{say("x"), say("y")}}
		caller := s.caller(-1)
		caller.SetEffort("m", c.known)
		for _, kind := range []llm.Kind{llm.KindResearch, llm.KindMain} {
			if _, err := caller.Do(t.Context(), llm.Request{Model: "m", Kind: kind, Effort: llm.EffortHigh}, &watch{}); err != nil {
				t.Fatal(err)
			}
		}
		if s.requests[0].Effort != c.want || s.requests[1].Effort != c.known {
			t.Errorf("known %q: research asked with %q, main with %q", c.known, s.requests[0].Effort, s.requests[1].Effort)
		}
	}
}
