package wholestack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
)

// Model check 31: a prompt that is too long is condensed once and asked again,
// and what the service said of its window holds from then on.
func TestModelCheck31_TooLong(t *testing.T) {
	const claimed = 3_000_000
	wide := func(set *setup) { set.models.ContextTokens = map[string]int{claude: claimed} }
	// A million tokens at least: more than 0.9 of the window that the refusal tells,
	// less than 0.9 of the claimed one.
	long := strings.Repeat("漢字", 900_000)
	for _, learned := range []bool{true, false} {
		t.Run(fmt.Sprintf("learned %v", learned), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				net := &network{script: []reply{claudeText("fine")}}
				if learned {
					net.script = []reply{recorded(t, "anthropic/error_400_prompt_too_long.json"), claudeText("fine")}
				}
				s := start(t, net, wide)
				got := s.turn("hello")
				if text := s.answers(got); text != "fine" {
					t.Errorf("%q", text)
				}
				posts := net.sent()
				if learned {
					one[event.Compacted](t, got)
					first, again := at(t, posts[0].body, "messages", 0, "content", 0, "text"), at(t, posts[len(posts)-1].body, "messages", 0, "content", 0, "text")
					if first != again || posts[0].at != posts[len(posts)-1].at {
						t.Errorf("the step was not repeated: %v, then %v", first, again)
					}
				}
				got = s.turn(long)
				if n := len(find[event.Compacted](t, got)); (n > 0) != learned {
					t.Errorf("%d compactions before a prompt that fits the claimed window", n)
				}
				last := net.sent()[len(net.sent())-1]
				if cut := len(last.raw) < len(long); cut != learned {
					t.Errorf("the last request has %d bytes", len(last.raw))
				}
			})
		})
	}
}

// Model check 31: a service that always finds the prompt too long ends the
// turn with an error, after a handful of requests.
func TestModelCheck31_AlwaysTooLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "anthropic/error_400_prompt_too_long.json")}}
		s := start(t, net, nil)
		got := s.turn("hello")
		e := one[event.Error](t, got)
		if n := len(net.sent()); n > 12 || e.Code != "context" || len(find[event.SessionTerminated](t, got)) != 0 {
			t.Errorf("%d requests, %+v", n, e)
		}
		net.mu.Lock()
		net.script = []reply{claudeText("back")}
		net.mu.Unlock()
		if text := s.answers(s.turn("again")); text != "back" {
			t.Errorf("%q", text)
		}
	})
}

// Model check 32: an overflow that a local server tells with status 200.
func TestModelCheck32_OverflowWithStatus200(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{chatText("one"), recorded(t, "local/error_llamacpp_overflow.json"), chatText("fine")}}
		s := start(t, net, func(set *setup) {
			set.vars["LLAMACPP_BASE_URL"], set.settings.Model = "http://h:3", "llamacpp/m"
			set.models.ContextTokens = map[string]int{"llamacpp/m": 100_000}
		})
		s.answers(s.turn("hello"))
		got := s.turn(strings.Repeat("many words ", 1000))
		one[event.Compacted](t, got)
		if text := s.answers(got); text != "fine" || len(find[event.ToolLog](t, got)) != 0 {
			t.Errorf("%q", text)
		}
		// 8,192 is the window now: 9,000 tokens do not fit it.
		if n := len(find[event.Compacted](t, s.turn(strings.Repeat("漢字", 8000)))); n == 0 {
			t.Error("the window that the server told was not learned")
		}
	})
}

// payer is told what a probe costs, and nothing else.
type payer struct{ inference.Observer }

func (payer) Billed(inference.Reply) {}

// Model check 14: the levels a refusal lists are believed: two requests, not
// one a level.
func TestModelCheck14_Probe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "anthropic/error_400_effort.json"), claudeText("pong")}}
		s := start(t, net, effort(llm.EffortXHigh))
		const model = "anthropic/claude-opus-4-6"
		p, err := s.caller.Probe(t.Context(), model, session, llm.EffortXHigh, payer{})
		if err != nil || p.Effort != llm.EffortHigh || p.Inconclusive || p.Note == "" {
			t.Errorf("%+v, %v", p, err)
		}
		var asked []any
		for _, post := range net.sent() {
			asked = append(asked, at(t, post.body, "output_config", "effort"))
		}
		if fmt.Sprint(asked) != "[xhigh high]" {
			t.Errorf("asked for %v", asked)
		}
		if level, known := s.caller.Effort(model); !known || level != llm.EffortHigh {
			t.Errorf("remembered %q, %v", level, known)
		}
		// A turn asks for what the model takes, although the wish is higher.
		s.agent.Change(func(set *agent.Settings) { set.Model = model })
		s.answers(s.turn("hello"))
		if got := at(t, net.sent()[2].body, "output_config", "effort"); got != "high" {
			t.Errorf("effort of the turn: %v", got)
		}
	})
}

// Model check 15: a probe that gets no answer decides nothing and leaves no
// trace; a refused key is an error, and no level.
func TestModelCheck15_ProbeFails(t *testing.T) {
	const model = "anthropic/claude-opus-4-6"
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{{header: map[string]string{"Content-Type": "text/event-stream"}, stall: true}}}
		s := start(t, net, nil)
		begun := time.Now()
		p, err := s.caller.Probe(t.Context(), model, session, llm.EffortXHigh, payer{})
		if err != nil || !p.Inconclusive || p.Effort != llm.EffortXHigh {
			t.Errorf("%+v, %v", p, err)
		}
		within(t, "the probe", time.Since(begun), 15*time.Second, 31*time.Second)
		if level, known := s.caller.Effort(model); known {
			t.Errorf("remembered %q", level)
		}
	})
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "anthropic/error_401.json")}}
		s := start(t, net, nil)
		_, err := s.caller.Probe(t.Context(), model, session, llm.EffortXHigh, payer{})
		var f *llm.Fault
		if !errors.As(err, &f) || f.Class != llm.ClassAuth || len(net.sent()) != 1 {
			t.Errorf("%v after %d requests", err, len(net.sent()))
		}
		if level, known := s.caller.Effort(model); known {
			t.Errorf("remembered %q", level)
		}
	})
}

// Model check 16: a switch to a local server that is not there is refused.
func TestModelCheck16_DeadServer(t *testing.T) {
	for name, r := range map[string]reply{"refused": {fails: errDown}, "silent": {stall: true}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := start(t, &network{script: []reply{r}}, nil)
				begun := time.Now()
				_, err := s.models.Check(t.Context(), "ollama/x")
				var f *llm.Fault
				if !errors.As(err, &f) || f.Text == "" || !strings.Contains(f.Text+f.Hint, "localhost:11434") {
					t.Errorf("%v: %+v", err, f)
				}
				within(t, "the check", time.Since(begun), 0, 16*time.Second)
				if now := s.agent.Settings().Model; now != claude {
					t.Errorf("the model is %s", now)
				}
			})
		})
	}
}

// Model checks 12 and 13: the wish for effort on the wire.
func TestModelChecks12And13_Effort(t *testing.T) {
	for _, tt := range []struct {
		model  string
		effort llm.Effort
		want   string // of the body's effort members
	}{
		{"acme/m:x", llm.EffortHigh, `"reasoning_effort":"high"`},
		{"acme/m:x", llm.EffortMinimal, `"reasoning_effort":"low"`},
		{"acme/m:x", llm.EffortMax, ``},
		{"anthropic/claude-opus-4-8", llm.EffortMax, `"thinking":{"type":"adaptive"`},
		{"anthropic/claude-opus-4-8", llm.EffortMax, `"output_config":{"effort":"max"}`},
		{"ollama/m", llm.EffortHigh, ``},
	} {
		inBubble(t, func(t *testing.T) {
			answer := chatText("ok")
			if strings.HasPrefix(tt.model, "anthropic/") {
				answer = claudeText("ok")
			}
			net := &network{script: []reply{answer}}
			s := start(t, net, func(set *setup) { set.settings.Model, set.settings.Effort = tt.model, tt.effort })
			s.answers(s.turn("hello"))
			raw := string(net.sent()[0].raw)
			if !strings.Contains(raw, tt.want) || tt.want == "" && strings.Contains(raw, "effort") {
				t.Errorf("%s, %s: %.600s", tt.model, tt.effort, raw)
			}
			if strings.Contains(raw, `"temperature"`) {
				t.Errorf("%s: a temperature was sent", tt.model)
			}
		})
	}
	// Strict: what cannot be said is refused without a request.
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{chatText("ok")}}
		s := start(t, net, nil)
		req := llm.Request{Model: "acme/m:x", Kind: llm.KindEffortProbe, Effort: llm.EffortMax, Strict: true, Messages: []llm.Message{{Role: llm.User, Text: "x"}}}
		for _, err := range s.models.Stream(t.Context(), req) {
			var f *llm.Fault
			if !errors.As(err, &f) || f.Class != llm.ClassInvalidEffort {
				t.Errorf("%v", err)
			}
		}
		if n := len(net.sent()); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

// Model check 38: what a call cost, from the service's own count to the event.
func TestModelCheck38_Cost(t *testing.T) {
	router := reply{body: `{"data":[{"id":"acme/m","providers":[{"provider":"x","status":"live","context_length":100000,"pricing":{"input":0.5,"output":2},"supports_tools":true}]},{"id":"acme/free","providers":[{"provider":"x","status":"live"}]}]}`}
	for name, tt := range map[string]struct {
		model  string
		answer reply
		usage  [4]int // prompt, completion, cache read, cache write
		cost   float64
		source llm.PriceSource
	}{
		"a cache write": {"anthropic/claude-sonnet-4-5", recorded(t, "anthropic/cache_write.sse"), [4]int{1169, 201, 0, 1165}, (4*3 + 1165*3.75 + 201*15) / 1e6, llm.PriceTable},
		"the catalogue": {"acme/m:x", chatText("ok"), [4]int{7, 3, 0, 0}, (7*0.5 + 3*2) / 1e6, llm.PriceCatalog},
		"unknown":       {"acme/free:x", chatText("ok"), [4]int{7, 3, 0, 0}, -1, llm.PriceUnknown},
		"local":         {"ollama/m", chatText("ok"), [4]int{7, 3, 0, 0}, 0, llm.PriceLocal},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				net := &network{script: []reply{tt.answer}, looks: map[string]reply{"/v1/models": router}}
				s := start(t, net, func(set *setup) { set.settings.Model = tt.model })
				if strings.HasPrefix(tt.model, "acme/") {
					if _, err := s.models.Refresh(t.Context(), tt.model); err != nil {
						t.Fatal(err)
					}
				}
				got := s.turn("hello")
				s.answers(got)
				c := one[event.LLMCall](t, got)
				if u := [4]int{c.Prompt, c.Completion, c.CacheRead, c.CacheWrite}; u != tt.usage || c.Total != c.Prompt+c.Completion {
					t.Errorf("usage %+v", c)
				}
				if c.CostSource != tt.source || (c.CostUSD == nil) != (tt.cost < 0) || c.CostUSD != nil && math.Abs(*c.CostUSD-tt.cost) > 1e-12 {
					t.Errorf("cost %v from %s, want %v from %s", c.CostUSD, c.CostSource, tt.cost, tt.source)
				}
				spend := one[event.Spend](t, got)
				if (spend.MicroUSD == nil) != (tt.cost < 0) || spend.State != event.SpendSettled {
					t.Errorf("spend %+v", spend)
				}
			})
		})
	}
}

// marker is a cache marker of Anthropic's, which moves along; onePart is a text
// in the form that can carry one, which means the same as the plain text.
var (
	marker  = regexp.MustCompile(`,?"cache_control":\{[^{}]*\},?`)
	onePart = regexp.MustCompile(`"content":\[\{"type":"text","text":("(?:[^"\\]|\\.)*")\}\]`)
)

// unmarkedBody is a request without what moves along.
func unmarkedBody(p sent) []byte {
	return onePart.ReplaceAll(marker.ReplaceAll(p.raw, nil), []byte(`"content":$1`))
}

// Model checks 17 to 19: every request extends the one before byte for byte,
// so that a cached prefix is found again; the real tools run in between.
func TestModelCheck19_RequestsExtend(t *testing.T) {
	call := func(i int) string {
		return fmt.Sprintf(`{"path":"f%d.txt","content":"line %d \u00e9\u6f22\n<tag> & \"quotes\""}`, i, i)
	}
	chatCall := func(i int) reply {
		args, _ := json.Marshal(call(i))
		r := chatText("x")
		r.body = fmt.Sprintf(`data: {"model":"m","choices":[{"index":0,"delta":{"content":"step %d","tool_calls":[{"index":0,"id":"c%d","type":"function","function":{"name":"write","arguments":%s}}]}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}

data: [DONE]

`, i, i, args)
		return r
	}
	claudeCall := func(i int) reply {
		args, _ := json.Marshal(call(i))
		r := claudeText("x")
		r.body = fmt.Sprintf(`event: message_start
data: {"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{"input_tokens":7,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_%d","name":"write","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":%s}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":3}}

event: message_stop
data: {"type":"message_stop"}

`, i, args)
		return r
	}
	for model, make := range map[string]func(int) reply{
		"acme/m:x": chatCall, "openai/gpt-5.5:fal-ai": chatCall, "ollama/m": chatCall, "anthropic/claude-opus-4-8": claudeCall,
		"anthropic/claude-opus-4.8:fal-ai": chatCall,
	} {
		t.Run(model, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				net := &network{}
				for i := range 5 {
					net.script = append(net.script, make(i))
				}
				end := chatText("done")
				if strings.HasPrefix(model, "anthropic/") && !strings.Contains(model, ":") {
					end = claudeText("done")
				}
				net.script = append(net.script, end, end)
				s := start(t, net, func(set *setup) { set.settings.Model, set.settings.Effort = model, llm.EffortHigh })
				s.answers(s.turn("write five files"))
				s.answers(s.turn("thank you"))
				if raw, err := os.ReadFile(s.inFolder("f4.txt")); err != nil || string(raw) != "line 4 é漢\n<tag> & \"quotes\"" {
					t.Errorf("the file: %q, %v", raw, err)
				}
				posts := net.sent()
				if len(posts) != 7 {
					t.Fatalf("%d requests", len(posts))
				}
				for i := 1; i < len(posts); i++ {
					before, after := unmarkedBody(posts[i-1]), unmarkedBody(posts[i])
					messages := bytes.LastIndex(before, []byte("]"))
					if messages < 0 || !bytes.HasPrefix(after, bytes.TrimRight(before[:messages], "]}")) {
						n := 0
						for n < min(len(before), len(after)) && before[n] == after[n] {
							n++
						}
						t.Errorf("request %d does not extend the one before; from byte %d:\n%.300s\n%.300s", i+1, n, before[max(0, n-60):], after[max(0, n-60):])
					}
					if n := len(marker.FindAll(posts[i].raw, -1)); n > 4 {
						t.Errorf("%d cache markers", n)
					}
				}
				checkCaching(t, model, posts[len(posts)-1])
			})
		})
	}
}

// checkCaching checks what a request says about caching.
func checkCaching(t *testing.T, model string, p sent) {
	t.Helper()
	key, retention, top := p.body["prompt_cache_key"], p.body["prompt_cache_retention"], p.body["cache_control"]
	id := p.header.Get("X-Hf-Session-Id")
	switch model {
	case "openai/gpt-5.5:fal-ai":
		if key != session || retention != "24h" || id != session {
			t.Errorf("key %v, retention %v, session %q", key, retention, id)
		}
	case "anthropic/claude-opus-4.8:fal-ai":
		if top == nil || at(t, p.body, "tools", -1, "cache_control") == nil || id != session {
			t.Errorf("top %v, tool %v, session %q", top, at(t, p.body, "tools", -1), id)
		}
	case "anthropic/claude-opus-4-8":
		if at(t, p.body, "tools", -1, "cache_control") == nil || at(t, p.body, "messages", -1, "content", -1, "cache_control") == nil || id != "" {
			t.Errorf("markers: %s", p.raw)
		}
	default:
		if key != nil || retention != nil || top != nil || (id != "") != strings.HasPrefix(model, "acme/") {
			t.Errorf("key %v, retention %v, top %v, session %q", key, retention, top, id)
		}
	}
}

// Model check 39: ten questions at once are one request.
func TestModelCheck39_OneRequestForTen(t *testing.T) {
	catalogue := recorded(t, "hf-router/models_catalog.json")
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{chatText("ok")}, looks: map[string]reply{"/v1/models": catalogue}}
		s := start(t, net, nil)
		done := make(chan llm.Info, 10)
		for range 10 {
			go func() {
				info, err := s.models.Refresh(context.Background(), "deepseek-ai/DeepSeek-V4-Pro:novita")
				if err != nil {
					t.Error(err)
				}
				done <- info
			}()
		}
		for range 10 {
			if info := <-done; info.Window != 1_048_576 || info.Prices == nil || info.Prices.Input != 1.69 || info.Prices.Output != 3.38 {
				t.Errorf("%+v", info)
			}
		}
		net.mu.Lock()
		defer net.mu.Unlock()
		if n := len(net.gets); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}
