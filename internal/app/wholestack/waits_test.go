package wholestack

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// gaps are the times between requests.
func gaps(posts []sent) []time.Duration {
	var out []time.Duration
	for i := 1; i < len(posts); i++ {
		out = append(out, posts[i].at.Sub(posts[i-1].at))
	}
	return out
}

// Model check 24 and agent check 30: what waits for what, and what people are
// told meanwhile.
func TestChecks24And30_Waits(t *testing.T) {
	unavailable := reply{status: 503, body: `{"error":{"message":"upstream is starting"}}`}
	for name, tt := range map[string]struct {
		bad   reply
		waits []time.Duration
	}{
		"529": {recorded(t, "anthropic/error_529.json"), []time.Duration{5 * time.Second, 15 * time.Second}},
		"503": {unavailable, []time.Duration{2 * time.Second, 5 * time.Second}},
		"429": {reply{status: 429, body: recorded(t, "anthropic/error_429.json").body}, []time.Duration{30 * time.Second, 60 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				net := &network{script: []reply{tt.bad, tt.bad, recorded(t, "anthropic/text.sse")}}
				s := start(t, net, nil)
				got := s.turn("hello")
				s.answers(got)
				between := gaps(net.sent())
				if len(between) != len(tt.waits) {
					t.Fatalf("waits %v", between)
				}
				for i, want := range tt.waits {
					within(t, "a wait", between[i], want*9/10, want*11/10)
				}
				logs := find[event.ToolLog](t, got)
				if len(logs) != 2 {
					t.Fatalf("logs %+v", logs)
				}
				for _, l := range logs {
					if l.Tool != "system" || !strings.Contains(l.Log, "retrying in ") {
						t.Errorf("log %+v", l)
					}
				}
				if c := one[event.LLMCall](t, got); c.Attempts != 3 || c.Provider != "anthropic" {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// Model check 24: a service that stays overloaded is asked five times, and the
// error names it.
func TestModelCheck24_AlwaysOverloaded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "anthropic/error_529.json")}}
		s := start(t, net, nil)
		e := one[event.Error](t, s.turn("hello"))
		if n := len(net.sent()); n != 5 || !strings.Contains(e.Error, "Anthropic") || e.Class != "overloaded" || e.Code != "rate_limit" || e.HTTPStatus != 529 || e.RequestID != "req_011CZAau32QzxDkriovTaFCB" {
			t.Errorf("%d requests, %+v", n, e)
		}
	})
}

// Model check 25: the time a service asks for is the time it gets, unless it
// is too long.
func TestModelCheck25_StatedWaits(t *testing.T) {
	limited := recorded(t, "anthropic/error_429.json")
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{limited, recorded(t, "anthropic/text.sse"), limited.with("retry-after", "600")}}
		s := start(t, net, nil)
		s.answers(s.turn("hello"))
		within(t, "the wait", gaps(net.sent())[0], 16*time.Second, 17*time.Second)
		begun := time.Now()
		e := one[event.Error](t, s.turn("again"))
		if n := len(net.sent()); n != 3 || time.Since(begun) != 0 || !strings.Contains(e.Hint+e.Error, "600 s") || e.RetryAfterS != 600 {
			t.Errorf("%d requests, after %s: %+v", n, time.Since(begun), e)
		}
	})
	inBubble(t, func(t *testing.T) { // 120 s is the longest
		net := &network{script: []reply{limited.with("retry-after", "119"), claudeText("fine"), limited.with("retry-after", "121")}}
		s := start(t, net, nil)
		s.answers(s.turn("hello"))
		within(t, "the wait", gaps(net.sent())[0], 119*time.Second, 120*time.Second)
		one[event.Error](t, s.turn("again"))
		if n := len(net.sent()); n != 3 {
			t.Errorf("%d requests", n)
		}
	})
}

// Model checks 26 and 27, agent check 30: no waiting for money or keys, and
// words that help.
func TestChecks26And27_NoHope(t *testing.T) {
	const billing, pro = "https://huggingface.co/settings/billing", "https://huggingface.co/subscribe/pro"
	for name, tt := range map[string]struct {
		model, file, plan string
		class             string
		says, not         []string
	}{
		"quota":             {"openai/gpt-4.1-mini", "openai-chat/error_429_quota.json", "", "billing", []string{"OpenAI"}, nil},
		"quota in a stream": {"openai/gpt-5.5", "openai-responses/stream_error_quota.sse", "", "billing", []string{"OpenAI"}, nil},
		"Hub, free":         {"acme/m:x", "hf-router/error_402.json", "free", "billing", []string{billing, pro}, []string{"appear"}},
		"Hub, pro":          {"acme/m:x", "hf-router/error_402.json", "pro", "billing", []string{billing}, []string{pro}},
		"Hub, unknown":      {"acme/m:x", "hf-router/error_402.json", "", "billing", []string{billing, pro, "appear to be exhausted"}, nil},
		"key":               {claude, "anthropic/error_401.json", "", "auth", []string{"ANTHROPIC_API_KEY"}, []string{"HF_TOKEN", "goroutine", "sk-ant-key"}},
		"no such model":     {claude, "anthropic/error_404_model.json", "", "model_not_found", nil, nil},
		"not serving":       {"acme/m:x", "hf-router/error_400_model_not_supported.json", "", "provider_not_serving", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				net := &network{script: []reply{recorded(t, tt.file)}}
				s := start(t, net, func(set *setup) {
					set.settings.Model = tt.model
					set.models.Plan = func(context.Context) string { return tt.plan }
				})
				begun := time.Now()
				got := s.turn("hello")
				e := one[event.Error](t, got)
				if n := len(net.sent()); n != 1 || time.Since(begun) != 0 || e.Class != tt.class {
					t.Errorf("%d requests in %s: %+v", n, time.Since(begun), e)
				}
				text := e.Error + " " + e.Hint
				for _, want := range tt.says {
					if !strings.Contains(text, want) {
						t.Errorf("%q does not say %q", text, want)
					}
				}
				for _, word := range tt.not {
					if strings.Contains(text, word) {
						t.Errorf("%q says %q", text, word)
					}
				}
				if strings.Contains(e.Error, "\n") {
					t.Errorf("more than one line: %q", e.Error)
				}
			})
		})
	}
}

// Agent check 30: a token the router refuses.
func TestAgentCheck30_HubToken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{{status: 401, body: `{"error":"Invalid username or password."}`}}}
		s := start(t, net, func(set *setup) { set.settings.Model = "acme/m:x" })
		e := one[event.Error](t, s.turn("hello"))
		if n := len(net.sent()); n != 1 || !strings.Contains(e.Error+e.Hint, "HF_TOKEN") || e.Code != "auth" || strings.Contains(e.Error+e.Hint, hubKey) {
			t.Errorf("%d requests, %+v", n, e)
		}
	})
}

// Model check 28: what broke off is void, the second stream alone counts.
func TestModelCheck28_BrokenStream(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "anthropic/midstream_overloaded.sse"), recorded(t, "anthropic/text.sse")}}
		s := start(t, net, nil)
		got := s.turn("hello")
		if text := s.answers(got); !strings.HasPrefix(text, "Olá!") || strings.Contains(text, "Florence") {
			t.Errorf("%q", text)
		}
		ends := find[event.StreamEnd](t, got)
		if len(ends) != 2 || !ends[0].Discarded || ends[0].Reason != "retry" || ends[1].Discarded {
			t.Errorf("%+v", ends)
		}
		said := 0
		for _, m := range s.state().Messages {
			if m.Role == llm.Assistant {
				said++
			}
		}
		if said != 1 {
			t.Errorf("%d assistant messages", said)
		}
		within(t, "the wait", gaps(net.sent())[0], 4500*time.Millisecond, 5500*time.Millisecond)
	})
}

// upTo is a recorded answer whose connection is lost behind the n-th place
// where mark stands.
func upTo(t *testing.T, r reply, mark string, n int) reply {
	t.Helper()
	at := 0
	for range n {
		i := strings.Index(r.body[at:], mark)
		if i < 0 {
			t.Fatalf("no %q", mark)
		}
		at += i + len(mark)
	}
	end := strings.Index(r.body[at:], "\n\n")
	r.body, r.cut = r.body[:at+end+2], true
	return r
}

// Model check 29: a connection that is always lost is given up, nothing that
// was half said runs, and the session goes on.
func TestModelCheck29_AlwaysCut(t *testing.T) {
	for name, tt := range map[string]struct {
		cut   reply
		tries int
	}{
		"in the text":        {upTo(t, recorded(t, "anthropic/text.sse"), `"text_delta"`, 2), 3},
		"in the arguments":   {upTo(t, recorded(t, "anthropic/tool_use.sse"), `"input_json_delta"`, 2), 3},
		"before any text":    {upTo(t, recorded(t, "anthropic/text.sse"), `"message_start"`, 1), 5},
		"in the reasoning":   {upTo(t, recorded(t, "anthropic/thinking_tool.sse"), `"thinking_delta"`, 2), 5},
		"an ordinary ending": {reply{header: map[string]string{"Content-Type": "text/event-stream"}, body: "event: ping\ndata: {\"type\": \"ping\"}\n\n"}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				net := &network{}
				for range tt.tries {
					net.script = append(net.script, tt.cut)
				}
				net.script = append(net.script, recorded(t, "anthropic/text.sse"))
				w := weather()
				s := start(t, net, with(w))
				got := s.turn("hello")
				e := one[event.Error](t, got)
				if n := len(net.sent()); n != tt.tries || e.Code != "network" || w.calls() != 0 {
					t.Errorf("%d requests, %d tools, %+v", n, w.calls(), e)
				}
				for _, end := range find[event.StreamEnd](t, got) {
					if !end.Discarded {
						t.Error("a broken stream was kept")
					}
				}
				if text := s.answers(s.turn("again")); !strings.HasPrefix(text, "Olá!") {
					t.Errorf("%q", text)
				}
			})
		})
	}
}

// Model check 30: an interrupt ends a wait and a silent stream at once.
func TestModelCheck30_Interrupt(t *testing.T) {
	stalled := upTo(t, recorded(t, "anthropic/text.sse"), `"text_delta"`, 2)
	stalled.cut, stalled.stall = false, true
	calling := upTo(t, recorded(t, "anthropic/tool_use.sse"), `"input_json_delta"`, 2)
	calling.cut, calling.stall = false, true
	for name, first := range map[string]reply{
		"in a call":             calling,
		"in a wait":             {status: 429, body: recorded(t, "anthropic/error_429.json").body},
		"in a stream":           stalled,
		"before the first byte": {header: map[string]string{"Content-Type": "text/event-stream"}, stall: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				net := &network{script: []reply{first, claudeText("back")}}
				w := weather()
				s := start(t, net, with(w))
				s.input("hello")
				time.Sleep(20 * time.Second)
				begun := time.Now()
				s.agent.Interrupt()
				one[event.Interrupted](t, s.ending())
				within(t, "the interrupt", time.Since(begun), 0, time.Second)
				if n := len(net.sent()); n != 1 || w.calls() != 0 {
					t.Errorf("%d requests, %d tools", n, w.calls())
				}
				if text := s.answers(s.turn("again")); text != "back" {
					t.Errorf("%q", text)
				}
				if kept := strings.Contains(string(net.sent()[1].raw), "Olá"); kept != (name == "in a stream") {
					t.Errorf("partial text kept: %v", kept)
				}
			})
		})
	}
}

// Decision 31: silence of 300 s before the first byte, and of 180 s after it,
// is a lost connection; a slow tool or a slow stream is not.
func TestSilenceIsALostConnection(t *testing.T) {
	after := upTo(t, recorded(t, "anthropic/text.sse"), `"text_delta"`, 2)
	after.cut, after.stall = false, true
	for name, tt := range map[string]struct {
		bad  reply
		wait time.Duration
	}{
		"before the first byte": {reply{header: map[string]string{"Content-Type": "text/event-stream"}, stall: true}, 300 * time.Second},
		"after it":              {after, 180 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				net := &network{script: []reply{tt.bad, claudeText("back")}}
				s := start(t, net, nil)
				if text := s.answers(s.turn("hello")); text != "back" {
					t.Errorf("%q", text)
				}
				within(t, "the retry", gaps(net.sent())[0], tt.wait+1800*time.Millisecond, tt.wait+2200*time.Millisecond)
			})
		})
	}
}

// Model check 33: three texts that look alike and mean three things.
func TestModelCheck33_Texts(t *testing.T) {
	bad := func(text string) reply {
		return reply{status: 400, body: `{"type":"error","error":{"type":"invalid_request_error","message":"` + text + `"}}`}
	}
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{bad("typeof is not supported, limit 4500")}}
		e := one[event.Error](t, start(t, net, nil).turn("hello"))
		if n := len(net.sent()); n != 1 || e.Class != "invalid_request" || e.Retryable {
			t.Errorf("%d requests, %+v", n, e)
		}
	})
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{bad("Too many tokens, please wait before trying again."), claudeText("fine")}}
		s := start(t, net, nil)
		s.answers(s.turn("hello"))
		within(t, "the wait", gaps(net.sent())[0], 27*time.Second, 33*time.Second)
	})
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{bad("The prompt is too long: 365407, model maximum context length: 262143"), claudeText("fine")}}
		s := start(t, net, nil)
		if n := len(find[event.Compacted](t, s.turn("hello"))); n != 1 {
			t.Errorf("%d compactions", n)
		}
	})
}

// Agent check 3 with the whole stack: the engine runs the calls of one real
// answer together.
func TestAgentCheck3_CallsRunTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "anthropic/parallel_tools.sse"), claudeText("done")}}
		num := `{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}}}`
		slow := func() string { time.Sleep(time.Second); return "5" }
		tools := []tool.Tool{&fake{name: "add", schema: num, run: slow}, &fake{name: "multiply", schema: num, run: slow}}
		s := start(t, net, with(tools...))
		begun := time.Now()
		got := s.turn("2 and 3")
		s.answers(got)
		within(t, "the turn", time.Since(begun), time.Second, 1499*time.Millisecond)
		var order []string
		for _, ev := range got {
			if ev.Type == event.TypeToolCall || ev.Type == event.TypeToolOutput {
				order = append(order, string(ev.Type))
			}
		}
		if o := strings.Join(order, " "); o != "tool_call tool_call tool_output tool_output" {
			t.Error(o)
		}
	})
}

// Agent check 38: a plan that is refused changes nothing; one that is taken is
// told before the result of its call.
func TestAgentCheck38_Plan(t *testing.T) {
	planning := func(id, status string) reply {
		r := chatText("x")
		r.body = `data: {"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"` + id + `","type":"function","function":{"name":"plan_tool","arguments":"{\"todos\":[{\"id\":\"1\",\"content\":\"a\",\"status\":\"completed\"},{\"id\":\"2\",\"content\":\"b\",\"status\":\"` + status + `\"}]}"}}]}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}

data: [DONE]

`
		return r
	}
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{planning("a", "done"), planning("b", "pending"), chatText("planned"), chatText("planned"), chatText("planned")}}
		s := start(t, net, func(set *setup) { set.settings.Model = "acme/m:x" })
		got := s.turn("plan it")
		var order []string
		for _, ev := range got {
			if ev.Type == event.TypePlanUpdate || ev.Type == event.TypeToolOutput {
				order = append(order, string(ev.Type))
			}
		}
		if o := strings.Join(order, " "); o != "tool_output plan_update tool_output" {
			t.Error(o)
		}
		outs := find[event.ToolOutput](t, got)
		for _, word := range []string{"pending", "in_progress", "completed"} {
			if outs[0].Success || !strings.Contains(outs[0].Output, word) {
				t.Errorf("refused with %+v", outs[0])
			}
		}
		if !outs[1].Success || !strings.HasSuffix(outs[1].Output, "1/2 done") {
			t.Errorf("taken with %+v", outs[1])
		}
		if plan := one[event.PlanUpdate](t, got).Plan; len(plan) != 2 || plan[1].Status != "pending" {
			t.Errorf("plan %+v", plan)
		}
	})
}
