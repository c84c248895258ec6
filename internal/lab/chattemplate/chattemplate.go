// Package chattemplate finds out what a model's chat template does with
// conversations, by rendering some: whether it takes a system message, tools and
// thinking, what it marks as written by the model, and whether a conversation
// that goes on begins as it did before. It fetches nothing and knows no Hub.
package chattemplate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja"
	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/value"
)

// renderLimit is how long one rendering may take.
const renderLimit = 2 * time.Second

// Template is a chat template with the special tokens that it may name.
type Template struct {
	tpl    *jinja.Template
	source string
	tokens map[string]any
	eos    string
}

// Parse reads a template. tokens are special tokens by their names, such as
// bos_token and eos_token.
func Parse(source string, tokens map[string]string) (*Template, error) {
	tpl, err := jinja.Parse(source)
	if err != nil {
		return nil, err
	}
	t := &Template{tpl: tpl, source: source, tokens: map[string]any{}, eos: tokens["eos_token"]}
	for name, token := range tokens {
		t.tokens[name] = token
	}
	return t, nil
}

// Message is one of a conversation.
type Message map[string]any

// Options of a rendering.
type Options struct {
	Tools []any
	// Prompt ends the text with the beginning of an answer.
	Prompt bool
	// Variables are further ones, such as enable_thinking.
	Variables map[string]any
}

// Render renders a conversation. spans are what the template marks as written
// by the model.
func (t *Template) Render(ctx context.Context, messages []Message, o Options) (text string, spans []jinja.Span, err error) {
	vars := maps.Clone(t.tokens)
	list := []any{}
	for _, m := range messages {
		v, err := native(m)
		if err != nil {
			return "", nil, err
		}
		list = append(list, v)
	}
	vars["messages"], vars["add_generation_prompt"] = list, o.Prompt
	vars["tools"], vars["documents"] = nil, nil
	if len(o.Tools) > 0 {
		if vars["tools"], err = native(o.Tools); err != nil {
			return "", nil, err
		}
	}
	maps.Copy(vars, o.Variables)
	ctx, stop := context.WithTimeout(ctx, renderLimit)
	defer stop()
	return t.tpl.Render(ctx, vars, jinja.Options{Now: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)})
}

// native is a Go value as templates have it.
func native(v any) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("prepare a message: %w", err)
	}
	return value.FromJSON(raw)
}

// Verdict is what was found out about one ability; Note says why not, or more.
type Verdict struct {
	Yes  bool
	Note string
}

// Report is what a template does.
type Report struct {
	System, Tools, ToolResults Verdict
	// Default is the system prompt that stands where a conversation has none.
	Default string
	// Thinking names how thinking is switched and what becomes of it.
	Thinking Verdict
	// Marked: what the model writes is marked, as training on answers alone
	// needs. StopMarked: the mark includes the stop token.
	Marked, StopMarked bool
	// Stops: an answer of the assistant ends with the stop token.
	Stops bool
	// Prompt: the beginning of an answer can be asked for.
	Prompt bool
	// Prefix: what n messages render to begins what n+1 render to, for plain
	// conversations, for those with tools, and for those with thinking.
	Prefix, PrefixTools, PrefixThinking Verdict
	// Begins: the text begins with the token for beginnings, which a tokenizer
	// may add a second time.
	Begins bool
	// Sample is a small conversation as it is rendered.
	Sample string
}

// Words that tests find again in what is rendered.
const (
	systemWord, userWord, answerWord  = "QSYSTEMQ", "QUSERQ", "QANSWERQ"
	toolWord, resultWord, thoughtWord = "qtoolq", "QRESULTQ", "QTHOUGHTQ"
	laterWord, lastWord               = "QLATERQ", "QLASTQ"
)

func say(role, content string) Message { return Message{"role": role, "content": content} }

var errNothing = errors.New("a plain conversation cannot be rendered")

// Inspect finds out. It fails where not even a plain conversation renders.
func (t *Template) Inspect(ctx context.Context) (*Report, error) {
	plain := []Message{say("user", userWord), say("assistant", answerWord)}
	sample, spans, err := t.Render(ctx, plain, Options{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNothing, err)
	}
	r := &Report{Sample: sample, Marked: len(spans) > 0}
	for _, s := range spans {
		r.StopMarked = r.StopMarked || t.eos != "" && strings.Contains(sample[s.From:s.To], t.eos)
	}
	_, after, _ := strings.Cut(sample, answerWord)
	r.Stops = t.eos != "" && strings.HasPrefix(strings.TrimSpace(after), t.eos)
	bos, _ := t.tokens["bos_token"].(string)
	r.Begins = bos != "" && strings.HasPrefix(sample, bos)
	asked, _, err := t.Render(ctx, plain[:1], Options{Prompt: true})
	bare, _, _ := t.Render(ctx, plain[:1], Options{})
	r.Prompt = err == nil && asked != bare && strings.HasPrefix(asked, bare)
	t.system(ctx, r)
	t.tools(ctx, r)
	t.thinking(ctx, r)
	r.Prefix = t.prefix(ctx, []Message{say("user", userWord), say("assistant", answerWord), say("user", laterWord), say("assistant", lastWord)}, Options{})
	return r, ctx.Err()
}

// system tries a system message, and looks for one that stands there unasked.
func (t *Template) system(ctx context.Context, r *Report) {
	with, _, err := t.Render(ctx, []Message{say("system", systemWord), say("user", userWord)}, Options{})
	if err != nil {
		r.System.Note = reason(err)
		return
	}
	head, rest, found := strings.Cut(with, systemWord)
	if !found {
		r.System.Note = "the message is dropped"
		return
	}
	r.System.Yes = true
	between, _, _ := strings.Cut(rest, userWord)
	without, _, err := t.Render(ctx, []Message{say("user", userWord)}, Options{})
	if err != nil {
		return
	}
	before, _, _ := strings.Cut(without, userWord)
	if middle, ok := strings.CutPrefix(before, head); ok && head != "" {
		if middle, ok = strings.CutSuffix(middle, between); ok {
			r.Default = strings.TrimSpace(middle)
		}
	}
}

// tool is the description of a function.
func tool() any {
	return map[string]any{"type": "function", "function": map[string]any{
		"name": toolWord, "description": "Finds things.",
		"parameters": map[string]any{"type": "object", "properties": map[string]any{"q": map[string]any{"type": "string", "description": "what"}}, "required": []string{"q"}},
	}}
}

func calling() Message {
	return Message{"role": "assistant", "content": "", "tool_calls": []any{map[string]any{
		"type": "function", "id": "abcdefghi", "function": map[string]any{"name": toolWord, "arguments": map[string]any{"q": "x"}},
	}}}
}

func result() Message {
	return Message{"role": "tool", "name": toolWord, "content": resultWord, "tool_call_id": "abcdefghi"}
}

// tools tries a function, a call of it and its result.
func (t *Template) tools(ctx context.Context, r *Report) {
	o := Options{Tools: []any{tool()}}
	text, _, err := t.Render(ctx, []Message{say("user", userWord)}, o)
	if err != nil {
		r.Tools.Note = reason(err)
	} else if r.Tools.Yes = strings.Contains(text, toolWord); !r.Tools.Yes {
		r.Tools.Note = "they are not shown"
	}
	talk := []Message{say("user", userWord), calling(), result(), say("assistant", answerWord)}
	text, _, err = t.Render(ctx, talk, o)
	switch {
	case err != nil:
		r.ToolResults.Note = reason(err)
	case !strings.Contains(text, toolWord) || !strings.Contains(text, resultWord):
		r.ToolResults.Note = "calls or results are dropped"
	default:
		r.ToolResults.Yes = true
		r.PrefixTools = t.prefix(ctx, talk[:3], o)
	}
}

// switches are the variables that templates switch thinking with.
var switches = [...]string{"enable_thinking", "thinking", "reasoning_effort", "thinking_budget"}

// thinking looks for switches and for what becomes of earlier thoughts.
func (t *Template) thinking(ctx context.Context, r *Report) {
	var notes []string
	for _, name := range switches {
		if !strings.Contains(t.source, name) {
			continue
		}
		values := [2]any{true, false}
		if name == "reasoning_effort" {
			values = [2]any{"high", "low"}
		}
		on, _, err := t.Render(ctx, []Message{say("user", userWord)}, Options{Prompt: true, Variables: map[string]any{name: values[0]}})
		off, _, second := t.Render(ctx, []Message{say("user", userWord)}, Options{Prompt: true, Variables: map[string]any{name: values[1]}})
		if err == nil && second == nil && on != off {
			notes = append(notes, "switched by "+name)
		}
	}
	answer := say("assistant", answerWord)
	for _, field := range []string{"reasoning_content", "thinking", "reasoning"} {
		answer[field] = thoughtWord
	}
	last, _, err := t.Render(ctx, []Message{say("user", userWord), answer}, Options{})
	if err == nil && strings.Contains(last, thoughtWord) {
		notes = append(notes, "thoughts of the last answer are kept")
		talk := []Message{say("user", userWord), answer, say("user", laterWord)}
		if earlier, _, err := t.Render(ctx, talk, Options{}); err == nil && !strings.Contains(earlier, thoughtWord) {
			notes = append(notes, "those of earlier answers are dropped")
		}
		r.PrefixThinking = t.prefix(ctx, talk, Options{})
	}
	r.Thinking = Verdict{Yes: len(notes) > 0, Note: strings.Join(notes, ", ")}
}

// prefix renders growing beginnings of a conversation.
func (t *Template) prefix(ctx context.Context, talk []Message, o Options) Verdict {
	before := ""
	for n := 1; n <= len(talk); n++ {
		text, _, err := t.Render(ctx, talk[:n], o)
		if err != nil {
			return Verdict{Note: reason(err)}
		}
		if !strings.HasPrefix(text, before) {
			return Verdict{Note: fmt.Sprintf("the text of %d messages does not begin that of %d", n-1, n)}
		}
		before = text
	}
	return Verdict{Yes: true}
}

// reason is why a rendering failed, in the template's own words where it has
// any.
func reason(err error) string {
	var raised *jinja.Raised
	text := err.Error()
	if errors.As(err, &raised) {
		text = "refused: " + raised.Message
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200]) + "…"
	}
	return text
}
