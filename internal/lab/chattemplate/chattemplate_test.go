package chattemplate_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/chattemplate"
)

func tokens() map[string]string {
	return map[string]string{"bos_token": "<s>", "eos_token": "<|im_end|>"}
}

func inspect(t *testing.T, source string) *chattemplate.Report {
	t.Helper()
	tpl, err := chattemplate.Parse(source, tokens())
	if err != nil {
		t.Fatal(err)
	}
	r, err := tpl.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const plain = `{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

func TestPlain(t *testing.T) {
	r := inspect(t, plain)
	if !r.System.Yes || r.Default != "" || r.Tools.Yes || r.ToolResults.Yes || r.Thinking.Yes || r.Marked || !r.Stops || !r.Prompt || !r.Prefix.Yes || r.Begins {
		t.Errorf("%+v", r)
	}
	if r.Sample != "<|im_start|>user\nQUSERQ<|im_end|>\n<|im_start|>assistant\nQANSWERQ<|im_end|>\n" {
		t.Errorf("%q", r.Sample)
	}
}

// A template of the larger sort: a default system prompt, tools, calls, results
// in the user's turn, thoughts that are dropped from earlier turns, marks.
const rich = `{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{%- endif %}
    {{- "# Tools\n\n<tools>" }}
    {%- for tool in tools %}{{- "\n" }}{{- tool | tojson }}{%- endfor %}
    {{- "\n</tools><|im_end|>\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>system\nYou are a helpful lamp.<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(last=-1) %}
{%- for message in messages %}{%- if message.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\n' + content + '<|im_end|>\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\n' }}
        {%- generation %}
        {%- if message.reasoning_content is string and loop.index0 > ns.last %}{{- '<think>\n' + message.reasoning_content.strip('\n') + '\n</think>\n\n' }}{%- endif %}
        {{- content.lstrip('\n') }}
        {%- for call in message.tool_calls or [] %}
            {%- if call.function %}{%- set call = call.function %}{%- endif %}
            {{- '<tool_call>\n{"name": "' ~ call.name ~ '", "arguments": ' ~ (call.arguments if call.arguments is string else call.arguments | tojson) ~ '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user\n<tool_response>\n' + content + '\n</tool_response><|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %}`

func TestRich(t *testing.T) {
	r := inspect(t, rich)
	if !r.System.Yes || r.Default != "You are a helpful lamp." || !r.Tools.Yes || !r.ToolResults.Yes || !r.Marked || !r.StopMarked || !r.Stops || !r.Prompt || !r.Prefix.Yes || !r.PrefixTools.Yes {
		t.Errorf("%+v", r)
	}
	if !r.Thinking.Yes || r.Thinking.Note != "switched by enable_thinking, thoughts of the last answer are kept, those of earlier answers are dropped" {
		t.Errorf("%+v", r.Thinking)
	}
	if r.PrefixThinking.Yes || r.PrefixThinking.Note != "the text of 2 messages does not begin that of 3" {
		t.Errorf("%+v", r.PrefixThinking)
	}
}

func TestStrict(t *testing.T) {
	r := inspect(t, `{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate user/assistant') }}{% endif %}`+
		`{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %}{% generation %}{{ m.content }}{% endgeneration %}</s>{% endif %}{% endfor %}`)
	if r.System.Yes || r.System.Note != "refused: Roles must alternate user/assistant" || r.ToolResults.Yes || !r.Begins || r.Stops || r.Prompt || !r.Marked || r.StopMarked || !r.Prefix.Yes {
		t.Errorf("%+v", r)
	}
	r = inspect(t, `{% for m in messages if m.role != 'system' %}{{ m.content }}{% if loop.last %}<end>{% endif %}{% endfor %}`)
	if r.System.Yes || r.System.Note != "the message is dropped" || r.Prefix.Yes || !strings.Contains(r.Prefix.Note, "1 messages does not begin that of 2") {
		t.Errorf("%+v", r)
	}
}

func TestContext(t *testing.T) {
	tpl, err := chattemplate.Parse(plain, tokens())
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := tpl.Render(t.Context(), []chattemplate.Message{{"role": "user", "content": "Hi"}}, chattemplate.Options{Prompt: true})
	if err != nil || text != "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n" {
		t.Errorf("%q %v", text, err)
	}
	if _, _, err := tpl.Render(t.Context(), []chattemplate.Message{{"role": func() {}}}, chattemplate.Options{}); err == nil {
		t.Error("a function is a message")
	}
}

// A template that never ends is given up soon.
func TestHostile(t *testing.T) {
	begun := time.Now()
	tpl, err := chattemplate.Parse(`{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}x{% endfor %}{% endfor %}{% endfor %}`, tokens())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpl.Inspect(t.Context()); err == nil || !strings.Contains(err.Error(), "steps") {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := tpl.Inspect(ctx); err == nil {
		t.Error("it goes on")
	}
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	if _, err := chattemplate.Parse("{% include '/etc/passwd' %}", tokens()); err == nil {
		t.Error("it reads files")
	}
}
