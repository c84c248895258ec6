package wholestack

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
)

// unmarked removes cache markers, which a request of another client has
// elsewhere.
func unmarked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			if k != "cache_control" {
				out[k] = unmarked(x)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = unmarked(x)
		}
		return out
	}
	return v
}

func decoded(t *testing.T, raw string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Model check 20: thinking goes back as it came, first and with its signature;
// another model does not get it, and the history keeps it.
func TestModelCheck20_ThinkingComesBack(t *testing.T) {
	want := decoded(t, recorded(t, "anthropic/thinking_tool.replay.request.json").body)
	for _, other := range []string{"anthropic/claude-opus-4-8", "moonshotai/Kimi-K2.6:novita"} {
		t.Run(other, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				next := claudeText("and again")
				if !strings.HasPrefix(other, "anthropic/") {
					next = chatText("and again")
				}
				net := &network{script: []reply{recorded(t, "anthropic/thinking_tool.sse"), recorded(t, "anthropic/text.sse"), next}}
				s := start(t, net, effort(llm.EffortMedium, weather()))
				s.answers(s.turn("What's the weather in Florence, Italy?"))
				replay := net.sent()[1]
				for i := range 2 { // the assistant's blocks, then the result
					a, b := at(t, want, "messages", 1+i), unmarked(at(t, replay.body, "messages", 1+i))
					if i == 1 { // a result may be a text or a list of one
						a, b = at(t, a, "content", 0, "tool_use_id"), at(t, b, "content", 0, "tool_use_id")
					}
					if diff := cmp.Diff(a, b); diff != "" {
						t.Errorf("message %d: %s", 1+i, diff)
					}
				}
				s.agent.Change(func(set *agent.Settings) { set.Model = other })
				s.answers(s.turn("And tomorrow?"))
				if raw := string(net.sent()[2].raw); strings.Contains(raw, "signature") || strings.Contains(raw, "The user is asking for weather") {
					t.Errorf("thinking went to %s: %s", other, raw)
				}
				kept := 0
				for _, m := range s.state().Messages {
					for _, block := range m.ThinkingBlocks {
						if strings.Contains(string(block), "The user is asking for weather") && strings.Contains(string(block), `"signature":"EtYD`) {
							kept++
						}
					}
				}
				if kept != 1 {
					t.Errorf("%d thinking blocks in the history, want 1", kept)
				}
			})
		})
	}
}

// Model check 20 across a restart: what the journal keeps is what goes back.
func TestModelCheck20_ThinkingAfterARestart(t *testing.T) {
	want := at(t, decoded(t, recorded(t, "anthropic/thinking_tool.replay.request.json").body), "messages", 1)
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "anthropic/thinking_tool.sse"), recorded(t, "anthropic/text.sse"), claudeText("more")}}
		s := start(t, net, effort(llm.EffortMedium, weather()))
		s.answers(s.turn("What's the weather in Florence, Italy?"))
		again := start(t, net, func(set *setup) {
			effort(llm.EffortMedium, weather())(set)
			set.store, set.resume = s.store, true
		})
		again.answers(again.turn("And tomorrow?"))
		if diff := cmp.Diff(want, unmarked(at(t, net.sent()[2].body, "messages", 1))); diff != "" {
			t.Error(diff)
		}
	})
}

// Model check 21: the items of an answer go back in their order with all
// their fields, between the user's message and the result.
func TestModelCheck21_ItemsComeBack(t *testing.T) {
	want := decoded(t, recorded(t, "openai-responses/reasoning_tool.replay.request.json").body)
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "openai-responses/reasoning_tool.sse")}}
		lookup := &fake{
			name: "get_capital", run: func() string { return "Potato City" },
			schema: `{"type":"object","properties":{"country":{"type":"string"}},"required":["country"],"additionalProperties":false}`,
		}
		s := start(t, net, func(set *setup) {
			effort(llm.EffortHigh, lookup)(set)
			set.settings.Model, set.settings.MaxIterations = "openai/gpt-5.5", 1
		})
		s.turn("What is the capital of PotatoLand?")
		second := net.sent()[1]
		if second.host != "api.openai.com" || !strings.HasSuffix(second.url, "/v1/responses") || lookup.calls() != 1 {
			t.Fatalf("%s, %d calls of the tool", second.url, lookup.calls())
		}
		got, _ := at(t, second.body, "input").([]any)
		for len(got) > 0 && at(t, got[0], "role") != "user" { // the system prompt, where it is an item
			got = got[1:]
		}
		expected, _ := at(t, want, "input").([]any)
		// The recorder of the request replaced a typographic apostrophe and quotes.
		plain := strings.NewReplacer("’", "'", "“", `"`, "”", `"`)
		if len(got) < len(expected) {
			t.Fatalf("%d items, want %d: %v", len(got), len(expected), got)
		}
		for i := 1; i < len(expected); i++ { // the reasoning, the message, the call, the result
			a, b := expected[i].(map[string]any), got[i].(map[string]any)
			for field, value := range a {
				if field == "content" {
					value, b[field] = at(t, value, 0, "text"), plain.Replace(at(t, b[field], 0, "text").(string))
				}
				if diff := cmp.Diff(value, b[field]); diff != "" {
					t.Errorf("item %d, %s: %s", i, field, diff)
				}
			}
		}
	})
}

// Model check 22: an id that only one service would write reaches the next
// one in a form it takes, the same for call and result.
func TestModelCheck22_ForeignIDs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "hf-router/tool_use.sse"), chatText("It is hot."), claudeText("Still hot.")}}
		s := start(t, net, func(set *setup) {
			with(weather())(set)
			set.settings.Model = "moonshotai/Kimi-K2.6:novita"
		})
		s.answers(s.turn("weather?"))
		if id := at(t, net.sent()[1].body, "messages", -1, "tool_call_id"); id != "functions.weather:0" {
			t.Errorf("its own service gets the id %v", id)
		}
		s.agent.Change(func(set *agent.Settings) { set.Model = claude })
		s.answers(s.turn("and now?"))
		body := net.sent()[2].body
		use, result := at(t, body, "messages", 1, "content", 0), at(t, body, "messages", 2, "content", 0)
		id, _ := at(t, use, "id").(string)
		if at(t, use, "type") != "tool_use" || !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(id) || at(t, result, "tool_use_id") != id {
			t.Errorf("call %v, result %v", use, result)
		}
	})
}

// Model check 23: a backend that misses reasoning gets it, and nobody notices.
func TestModelCheck23_ReasoningFilledIn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{
			recorded(t, "hf-router/tool_use.sse"), recorded(t, "hf-router/error_400_reasoning_missing.json"), chatText("It is hot."),
			recorded(t, "hf-router/parallel_tools.sse"), chatText("Seven."),
		}}
		num := `{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}}}`
		s := start(t, net, func(set *setup) {
			with(weather(), &fake{name: "add", schema: num}, &fake{name: "multiply", schema: num})(set)
			set.settings.Model = "acme/thinker:novita"
		})
		if got := s.answers(s.turn("weather?")); got != "It is hot." {
			t.Errorf("%q", got)
		}
		s.answers(s.turn("and sums?"))
		posts := net.sent()
		if len(posts) != 5 || posts[2].at != posts[1].at {
			t.Fatalf("%d requests; the heal waited %s", len(posts), posts[2].at.Sub(posts[1].at))
		}
		reasoned := func(p sent) (with, without int) {
			for _, m := range at(t, p.body, "messages").([]any) {
				if at(t, m, "tool_calls") == nil {
					continue
				}
				if text, _ := at(t, m, "reasoning_content").(string); text != "" {
					with++
				} else {
					without++
				}
			}
			return with, without
		}
		for i, want := range map[int][2]int{1: {0, 1}, 2: {1, 0}, 4: {2, 0}} { // the later call remembers
			if a, b := reasoned(posts[i]); a != want[0] || b != want[1] {
				t.Errorf("request %d: %d messages with reasoning, %d without", i+1, a, b)
			}
		}
		if n := len(find[event.Error](t, s.all())); n != 0 {
			t.Errorf("%d errors", n)
		}
	})
}

// Model check 34: a call that the limit cut does not run, what was said stays,
// and the next request names it.
func TestModelCheck34_CutCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "anthropic/truncated_tool_json.sse"), claudeText("Shorter, then.")}}
		maker := &fake{name: "make_file"}
		s := start(t, net, with(maker))
		got := s.turn("write a tax guide")
		s.answers(got)
		posts := net.sent()
		if maker.calls() != 0 || len(posts) != 2 || len(find[event.ToolCall](t, got)) != 0 {
			t.Fatalf("the tool ran %d times in %d requests", maker.calls(), len(posts))
		}
		said := at(t, posts[1].body, "messages", 1)
		if text, _ := at(t, said, "content", 0, "text").(string); !strings.HasPrefix(text, "I'll create a comprehensive tax guide") || len(at(t, said, "content").([]any)) != 1 {
			t.Errorf("the answer came back as %v", said)
		}
		if hint := at(t, posts[1].body, "messages", 2, "content", 0, "text").(string); !strings.Contains(hint, "'make_file'") {
			t.Errorf("hint %q", hint)
		}
	})
}

// Model check 37: reasoning in tags is no part of the answer, and a waiting
// time on a good answer is none.
func TestModelCheck37_ThinkTags(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		net := &network{script: []reply{recorded(t, "hf-router/think_tags.json")}}
		s := start(t, net, func(set *setup) { set.settings.Model = "deepseek-ai/DeepSeek-R1:novita" })
		got := s.turn("How do I cross the street?")
		text := s.answers(got)
		if !strings.HasPrefix(text, "Crossing the street safely") || strings.Contains(text, "think>") || strings.Contains(text, "Okay, the user asked") {
			t.Errorf("answer %.200q", text)
		}
		shown := ""
		for _, c := range find[event.AssistantChunk](t, got) {
			shown += c.Content
		}
		if shown != text {
			t.Errorf("shown %.200q", shown)
		}
		if len(net.sent()) != 1 {
			t.Errorf("%d requests", len(net.sent()))
		}
	})
}
