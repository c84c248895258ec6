package modelid_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]modelid.ID{
		"ollama/llama3.1:8b":                    {Text: "ollama/llama3.1:8b", Prefix: "ollama", Name: "llama3.1:8b"},
		"vllm/meta-llama/Llama-3.1-8B-Instruct": {Text: "vllm/meta-llama/Llama-3.1-8B-Instruct", Prefix: "vllm", Name: "meta-llama/Llama-3.1-8B-Instruct"},
		" moonshotai/Kimi-K2.6:novita\n":        {Text: "moonshotai/Kimi-K2.6:novita", Prefix: "moonshotai", Name: "Kimi-K2.6:novita", Tag: "novita"},
		"huggingface/openai/gpt-5.5":            {Text: "openai/gpt-5.5", Router: true, Prefix: "openai", Name: "gpt-5.5"},
		"openai/ft:gpt-4o:acme":                 {Text: "openai/ft:gpt-4o:acme", Prefix: "openai", Name: "ft:gpt-4o:acme", Tag: "gpt-4o:acme"},
		"replay//tmp/a b/journal.jsonl":         {Text: "replay//tmp/a b/journal.jsonl", Prefix: "replay", Name: "/tmp/a b/journal.jsonl"},
	} {
		got, err := modelid.Parse(text)
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", text, diff)
		}
	}
	if id, _ := modelid.Parse("a/b:c"); id.Untagged() != "a/b" {
		t.Errorf("Untagged = %q", id.Untagged())
	}
}

// Acceptance check 5, and what upstream let pass.
func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "   ", "gpt-5.5", "ollama/", "ollama/a b", "openai-compat/x", "a//b", "a/b:", "/b", "a/", "a/b/",
		"a b/c", "a/b\tc", "a/b\x00", "a/\u200bb", "huggingface/", "huggingface/x", "a/" + strings.Repeat("x", 255), "a/\xff", "replay/", "replay/a\nb",
	} {
		_, err := modelid.Parse(text)
		var bad *modelid.FormatError
		if !errors.As(err, &bad) {
			t.Errorf("Parse(%q) = %v, want a FormatError", text, err)
		}
	}
	if _, err := modelid.Parse("openai-compat/x"); !strings.Contains(err.Error(), "unsupported local model id: openai-compat/x") {
		t.Errorf("openai-compat: %v", err)
	}
}

func TestBareNamesAreExplained(t *testing.T) {
	for name, want := range map[string][]string{
		"claude-opus-4-8": {"anthropic/claude-opus-4-8", "anthropic/claude-opus-4.8:fal-ai"},
		"claude-opus-4.8": {"anthropic/claude-opus-4-8", "anthropic/claude-opus-4.8:fal-ai"},
		"gpt-5.5":         {"openai/gpt-5.5", "openai/gpt-5.5:fal-ai"},
		"o3":              {"openai/o3"},
		"Kimi-K2.6":       {"moonshotai/Kimi-K2.6:novita"},
		"kimi-k2.6":       {"moonshotai/Kimi-K2.6:novita"},
		"gpt-oss-120b":    {"openai/gpt-oss-120b"},
		"llama3.1:8b":     {"ollama/llama3.1:8b"},
	} {
		_, err := modelid.Parse(name)
		if err == nil {
			t.Errorf("Parse(%q) passed", name)
			continue
		}
		for _, id := range want {
			if !strings.Contains(err.Error(), id) {
				t.Errorf("Parse(%q) = %v, want it to name %s", name, err, id)
			}
		}
	}
}

// The resolution table, acceptance checks 6 to 9.
func TestResolve(t *testing.T) {
	var (
		none = modelid.Keys{}
		a    = modelid.Keys{Anthropic: true}
		o    = modelid.Keys{OpenAI: true}
		h    = modelid.Keys{HF: true}
		oh   = modelid.Keys{OpenAI: true, HF: true}
		all  = modelid.Keys{Anthropic: true, OpenAI: true, HF: true, OpenRouter: true}
	)
	for _, c := range []struct {
		id      string
		keys    modelid.Keys
		routing string
		want    string // provider and wire name, or the variables of a missing key
	}{
		{"ollama/llama3.1:8b", none, "", "ollama llama3.1:8b"},
		{"lm_studio/a/b", none, "router", "lm_studio a/b"},
		{"replay/demo", none, "", "replay demo"},
		{"huggingface/openai/gpt-5.5", all, "", "hf-router openai/gpt-5.5"},
		{"huggingface/openai/gpt-5.5", all, "direct", "hf-router openai/gpt-5.5"},
		{"openai/gpt-5.5:fal-ai", oh, "", "hf-router openai/gpt-5.5:fal-ai"},
		{"openai/gpt-5.5:fal-ai", o, "", "missing HF_TOKEN"},
		{"openai/ft:gpt-4o:acme", oh, "", "openai ft:gpt-4o:acme"},
		{"openrouter/deepseek/r1:free", all, "", "openrouter deepseek/r1:free"},
		{"openrouter/deepseek/r1", h, "", "missing OPENROUTER_API_KEY"},
		{"bedrock/us.anthropic.claude-opus-4-6-v1", all, "", "unbuilt bedrock"},
		{"azure/x", all, "", "unbuilt azure"},
		{"gemini/x", all, "", "unbuilt gemini"},
		{"vertex_ai/x", all, "", "unbuilt vertex_ai"},
		{"anthropic/claude-opus-4.8", all, "", "hf-router anthropic/claude-opus-4.8"},
		{"anthropic/claude-opus-4.8:fal-ai", h, "", "hf-router anthropic/claude-opus-4.8:fal-ai"},
		{"anthropic/claude-opus-4-6", a, "", "anthropic claude-opus-4-6"},
		{"anthropic/claude-opus-4-6", h, "", "missing ANTHROPIC_API_KEY"},
		{"anthropic/claude-opus-4-6", h, "router", "hf-router anthropic/claude-opus-4-6"},
		{"anthropic/claude-opus-4.8", a, "direct", "anthropic claude-opus-4.8"},
		{"openai/gpt-oss-120b", oh, "", "hf-router openai/gpt-oss-120b"},
		{"openai/gpt-oss-120b", o, "", "missing HF_TOKEN"},
		{"openai/gpt-5.5", oh, "", "openai gpt-5.5"},
		{"openai/gpt-5.5", h, "", "hf-router openai/gpt-5.5"},
		{"openai/gpt-5.5", h, "direct", "missing OPENAI_API_KEY"},
		{"openai/gpt-5.5", oh, "router", "hf-router openai/gpt-5.5"},
		{"openai/gpt-5.5", none, "", "missing OPENAI_API_KEY"},
		{"moonshotai/Kimi-K2.6", h, "", "hf-router moonshotai/Kimi-K2.6"},
		{"moonshotai/Kimi-K2.6", a, "", "missing HF_TOKEN"},
	} {
		id, err := modelid.Parse(c.id)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.id, err)
			continue
		}
		route, err := modelid.Resolve(id, c.keys, c.routing)
		if got := outcome(route, err); !strings.HasPrefix(got, c.want) {
			t.Errorf("Resolve(%q, %+v, %q) = %s, want %s", c.id, c.keys, c.routing, got, c.want)
		}
	}
}

func outcome(route modelid.Route, err error) string {
	var fault *llm.Fault
	switch {
	case err == nil:
		return route.Provider + " " + route.Wire
	case !errors.As(err, &fault):
		return "error " + err.Error()
	case fault.Class == llm.ClassMissingKey:
		_, after, _ := strings.Cut(fault.Text, "needs ")
		return "missing " + after
	default:
		return "unbuilt " + fault.Provider + ": " + fault.Text
	}
}

func TestMissingKeyTexts(t *testing.T) {
	text := func(id string, keys modelid.Keys) string {
		parsed, err := modelid.Parse(id)
		if err != nil {
			t.Fatal(err)
		}
		_, err = modelid.Resolve(parsed, keys, "")
		if err == nil {
			t.Fatalf("%s: no error", id)
		}
		return err.Error()
	}
	for _, c := range []struct {
		id   string
		keys modelid.Keys
		want []string
	}{
		{"openai/gpt-5.5", modelid.Keys{}, []string{"openai/gpt-5.5", "OPENAI_API_KEY", "HF_TOKEN", "/model"}},
		{"anthropic/claude-opus-4-6", modelid.Keys{HF: true}, []string{"ANTHROPIC_API_KEY", "anthropic/claude-opus-4.8:fal-ai", "/model"}},
		{"moonshotai/Kimi-K2.6", modelid.Keys{}, []string{"HF_TOKEN", "hf auth login", "ollama/", "/model"}},
		{"gemini/x", modelid.Keys{}, []string{"provider gemini is not available in this build"}},
	} {
		got := text(c.id, c.keys)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q does not name %q", c.id, got, want)
			}
		}
	}
	got := text("openai/gpt-5.5", modelid.Keys{})
	if strings.Index(got, "OPENAI_API_KEY") > strings.Index(got, "HF_TOKEN") {
		t.Errorf("the alternative comes first: %s", got)
	}
}

func TestRoutingValue(t *testing.T) {
	err := modelid.ValidRouting("best")
	for _, want := range []string{"auto", "direct", "router"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ValidRouting = %v, want it to list %s", err, want)
		}
	}
}

func TestDefault(t *testing.T) {
	for _, c := range []struct {
		keys modelid.Keys
		want string
	}{
		{modelid.Keys{}, "anthropic/claude-opus-4.8:fal-ai"},
		{modelid.Keys{HF: true, Anthropic: true, OpenAI: true}, "anthropic/claude-opus-4.8:fal-ai"},
		{modelid.Keys{Anthropic: true, OpenAI: true}, "anthropic/claude-opus-4-8"},
		{modelid.Keys{OpenAI: true}, "openai/gpt-5.5"},
	} {
		if got := modelid.Default(c.keys); got != c.want {
			t.Errorf("Default(%+v) = %s, want %s", c.keys, got, c.want)
		}
	}
}

func TestSuggested(t *testing.T) {
	rows := modelid.Suggested(modelid.Keys{Anthropic: true}, "")
	if len(rows) != 11 || rows[0].ID != "anthropic/claude-opus-4-8" || rows[0].Needs != "" || rows[0].Provider != "Anthropic API" {
		t.Fatalf("first rows: %+v", rows[:3])
	}
	if rows[3].ID != "anthropic/claude-opus-4.8:fal-ai" || rows[3].Needs != "HF_TOKEN" {
		t.Errorf("first waiting row: %+v", rows[3])
	}
	if last := rows[10]; last.ID != "openai/gpt-5.4" || last.Needs != "OPENAI_API_KEY" {
		t.Errorf("last row: %+v", last)
	}
	var ids []string
	for _, m := range modelid.WebModels() {
		if m.Recommended != (m.Label == "Claude Opus 4.8") {
			t.Errorf("recommended: %+v", m)
		}
		ids = append(ids, m.Label)
	}
	if diff := cmp.Diff([]string{"Claude Opus 4.8", "GPT-5.5", "Kimi K2.6", "MiniMax M2.7", "GLM 5.1", "DeepSeek V4 Pro"}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestMatch(t *testing.T) {
	ids := []string{"moonshotai/Kimi-K2.6", "moonshotai/Kimi-K2", "zai-org/GLM-5.1"}
	for text, want := range map[string][]string{
		"glm":                {"zai-org/GLM-5.1"},
		"MOONSHOTAI/kimi-k2": {"moonshotai/Kimi-K2"},
		"kimi":               {"moonshotai/Kimi-K2.6", "moonshotai/Kimi-K2"},
		"":                   nil,
	} {
		if diff := cmp.Diff(want, modelid.Match(text, ids)); diff != "" {
			t.Errorf("Match(%q): %s", text, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a/b:c", "huggingface/a/b", "ollama/x:1", "replay/demo", "a//b", "gpt-5.5", "openai/ft:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := modelid.Parse(text)
		if err != nil {
			return
		}
		again, err := modelid.Parse(id.Text)
		again.Router = id.Router
		if err != nil && !strings.HasPrefix(id.Text, "huggingface/") {
			t.Fatalf("Parse(%q) gave %q, which fails: %v", text, id.Text, err)
		}
		if id.Prefix == "" || id.Name == "" || id.Prefix+"/"+id.Name != id.Text {
			t.Fatalf("parts of %q: %+v", text, id)
		}
	})
}
