package models_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/tools/models"
)

func open(t *testing.T, f fetch.Getter) *models.Tool {
	t.Helper()
	tl, err := models.New(models.Options{Fetch: f})
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

func run(t *testing.T, f fetch.Getter, args string) tool.Result {
	t.Helper()
	env := &tooltest.Env{}
	r, err := open(t, f).Run(t.Context(), env, json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Output, lookuptest.HubToken) {
		t.Errorf("the token is in the output: %s", r.Output)
	}
	if r.OK && !strings.Contains(r.Output, "[S1] https://huggingface.co/") {
		t.Errorf("the result is not cited: %s", r.Output)
	}
	return r
}

func has(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%s", w, text)
		}
	}
}

// plant puts a model with files on the server.
func plant(s *lookuptest.Server, id, more string, files map[string]string) {
	var names []string
	for name, text := range files {
		names = append(names, fmt.Sprintf(`{"rfilename":%q,"size":%d}`, name, len(text)))
		s.Answer("/hub/"+id+"/resolve/main/"+name, 200, text)
	}
	s.Answer("/hub/api/models/"+id, 200, fmt.Sprintf(`{"id":%q,"sha":"abc","siblings":[%s]%s}`, id, strings.Join(names, ","), more))
}

const llama = `{"architectures":["LlamaForCausalLM"],"model_type":"llama","num_hidden_layers":32,"hidden_size":4096,"num_attention_heads":32,"num_key_value_heads":8,
	"intermediate_size":14336,"vocab_size":128256,"max_position_embeddings":131072,"rope_scaling":{"rope_type":"llama3","factor":8.0,"original_max_position_embeddings":8192},
	"torch_dtype":"bfloat16","auto_map":{"AutoModel":"x.y"}}`

const chatml = `{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}`

func TestConformance(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			s := lookuptest.New(t)
			plant(s, "o/m", "", map[string]string{"README.md": strings.Repeat("A long card.\n", 10_000)})
			s.Handle("/hub/api/models/o/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			return open(t, s.Client()), &tooltest.Env{}
		},
		Params: models.Params{}, Good: `{"model":"o/m"}`, Slow: `{"model":"o/slow"}`, Large: `{"model":"o/m","parts":["card"]}`,
		Bad: map[string]string{
			`{"model":"a/b/c"}`: "model", `{"model":"../x"}`: "model", `{"model":"o/m?x=1"}`: "model", `{"model":"o/m","parts":["x"]}`: "parts",
			`{"model":"o/m","revision":"a b"}`: "revision", `{"model":"o/none"}`: "not_found",
		},
	})
	spec := open(t, lookuptest.New(t).Client()).Spec()
	if n := len(spec.Description) + len(spec.Parameters); n > 520 {
		t.Errorf("it takes %d bytes of every request", n)
	}
}

func TestOverviewAndConfig(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, "o/llama", `,"pipeline_tag":"text-generation","library_name":"transformers","tags":["license:llama3.1","base_model:finetune:o/base"],"downloads":12345,"likes":67,
		"lastModified":"2026-05-02T09:00:00.000Z","gated":"manual","usedStorage":20000000000,"safetensors":{"parameters":{"BF16":8030000000},"total":8030000000}`,
		map[string]string{"config.json": llama, "model.bin": "x"})
	r := run(t, s.Client(), `{"model":"https://huggingface.co/o/llama","parts":["overview","config"]}`)
	has(t, r.Output, "# o/llama", "Task: text-generation | Library: transformers | Licence: llama3.1", "gated (manual); its files can be read", "Downloads: 12345 | Likes: 67 | Last change: 2026-05-02 | Commit: abc",
		"Parameters: 8.03B (BF16 8.03B)", "whole repository with its history 20 GB", "pickle files only", "Base: finetune:o/base",
		"Architecture: LlamaForCausalLM (model_type llama)", "Layers: 32", "32 heads, 8 KV heads, head width 128; grouped-query attention, 4 heads to one", "Context length: 131072 tokens; rope_scaling llama3, factor 8, trained on 8192",
		"auto_map: loading it runs code", "Weights: 16.1 GB = 2 bytes × 8.03B BF16", "Full fine-tune with AdamW: 128 GB = 16 bytes × 8.03B",
		"LoRA: 16.7 GB = 2 bytes × 8.03B + 16 bytes × 41.9M adapter parameters at rank 16", "QLoRA: 5.1 GB", "KV cache per 1,000 tokens of a sequence, 16 bits: 131 MB = 1,000 × 2 × 32 layers × 8 KV heads × 128 wide × 2 bytes")
	if strings.Contains(r.Output, "Chat template") {
		t.Error("a part that was not asked for")
	}
}

func TestShapesOfConfigs(t *testing.T) {
	s := lookuptest.New(t)
	total := `,"safetensors":{"parameters":{"BF16":30000000000},"total":30000000000}`
	plant(s, "o/moe", total, map[string]string{"config.json": `{"architectures":["X"],"text_config":{"num_hidden_layers":48,"hidden_size":2048,"num_attention_heads":32,"num_key_value_heads":4,"head_dim":128,
		"num_experts":128,"num_experts_per_tok":8,"moe_intermediate_size":768,"sliding_window":4096,"layer_types":["sliding_attention","full_attention"]}}`})
	has(t, run(t, s.Client(), `{"model":"o/moe","parts":["config"]}`).Output, "Figures below are those of: text_config", "Experts: 128, 8 active", "about 2.82B of 30B parameters are active", "Sliding window: 4096 tokens on 47 of 48 layers", "keep at most 4096 tokens")
	plant(s, "o/mla", total, map[string]string{"config.json": `{"num_hidden_layers":61,"hidden_size":7168,"num_attention_heads":128,"kv_lora_rank":512,"qk_rope_head_dim":64,"quantization_config":{"quant_method":"fp8"},"max_position_embeddings":1e400}`})
	has(t, run(t, s.Client(), `{"model":"o/mla","parts":["config"]}`).Output, "latent attention", "61 layers × 576 latent values", "Quantisation: fp8", "The weights are quantised")
	for _, bad := range []string{`[]`, `{`, `{"num_hidden_layers":"many","text_config":{"text_config":{"text_config":7}}}`, `{"num_hidden_layers":-3,"hidden_size":1e300}`} {
		plant(s, "o/odd", "", map[string]string{"config.json": bad})
		has(t, run(t, s.Client(), `{"model":"o/odd"}`).Output, "## Config", "KV cache: unknown", "Weights: unknown")
	}
}

func TestAccess(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, "o/gated", `,"gated":"auto"`, map[string]string{"config.json": "{}", "tokenizer_config.json": "{}"})
	for status, want := range map[int]string{401: "its files need a token", 403: "the user must ask for it at https://huggingface.co/o/gated"} {
		s.Answer("/hub/o/gated/resolve/main/config.json", status, `{"error":"Access to model o/gated is restricted"}`)
		s.Answer("/hub/o/gated/resolve/main/tokenizer_config.json", status, `{"error":"Access to model o/gated is restricted"}`)
		r := run(t, s.Client(), `{"model":"o/gated"}`)
		has(t, r.Output, "gated (auto); ", want, "config.json could not be read", "tokenizer_config.json could not be read")
	}
}

func TestTokenizerAndTemplate(t *testing.T) {
	s := lookuptest.New(t)
	tokens := func(more string) string {
		return fmt.Sprintf(`{"tokenizer_class":"Qwen2Tokenizer","eos_token":{"content":"<|im_end|>"},"bos_token":null%s}`, more)
	}
	template := func(v any) string { raw, _ := json.Marshal(v); return `,"chat_template":` + string(raw) }
	args := `{"model":"o/m","parts":["tokenizer","chat_template"]}`
	plant(s, "o/m", "", map[string]string{"tokenizer_config.json": tokens(`,"pad_token":"<|im_end|>"` + template(strings.ReplaceAll(chatml, `\n`, "\n")))})
	r := run(t, s.Client(), args)
	has(t, r.Output, "Class: Qwen2Tokenizer", "- eos_token: `<|im_end|>`", "pad_token is the eos_token", "From tokenizer_config.json", "System message: yes", "Tools: no: they are not shown",
		"{% generation %} marks: no", "Answers end with the eos_token: yes", "Prefix kept (n messages begin n+1), plain: yes", "<|im_start|>user\nQUSERQ<|im_end|>")
	r = run(t, s.Client(), `{"model":"o/m","context":[{"role":"user","content":"What is a lamp?"}]}`)
	has(t, r.Output, "The context renders to:", "<|im_start|>user\nWhat is a lamp?<|im_end|>\n<|im_start|>assistant\n```")
	plant(s, "o/two", "", map[string]string{"tokenizer_config.json": tokens(template([]map[string]string{{"name": "rag", "template": "x"}, {"name": "default", "template": "{{ messages[0].content }}"}}))})
	has(t, run(t, s.Client(), `{"model":"o/two"}`).Output, `tokenizer_config.json ("default", one of 2)`, "there is no pad_token")
	plant(s, "o/file", "", map[string]string{"tokenizer_config.json": tokens(template("no")), "chat_template.jinja": "{{ messages[0].content }}{{ raise_exception('Never\x1b') if messages | length > 2 }}"})
	has(t, run(t, s.Client(), `{"model":"o/file"}`).Output, "From chat_template.jinja", "plain: no: refused: Never")
	plant(s, "o/bad", "", map[string]string{"chat_template.json": `{"chat_template":"{% include 'x' %}"}`})
	has(t, run(t, s.Client(), `{"model":"o/bad"}`).Output, "could not be rendered here", "```jinja\n{% include 'x' %}\n```")
	plant(s, "o/hostile", "", map[string]string{"chat_template.jinja": strings.Repeat("{% for x in range(100000) %}", 4) + strings.Repeat("{% endfor %}", 4)})
	has(t, run(t, s.Client(), `{"model":"o/hostile"}`).Output, "could not be rendered here", "steps")
	plant(s, "o/base", "", map[string]string{"tokenizer_config.json": `{"eos_token":"</s>"}`})
	has(t, run(t, s.Client(), `{"model":"o/base"}`).Output, "There is none: it is a base model")
}

func TestOtherParts(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, "o/lora", `,"tags":["base_model:o/base","base_model:adapter:o/base","dataset:o/set"],"model-index":[{"results":[{"dataset":{"type":"o/bench"},"metrics":[{"type":"acc","value":34.8}]}]}]`,
		map[string]string{"adapter_config.json": `{"peft_type":"LORA","base_model_name_or_path":"o/base","r":16,"lora_alpha":32,"target_modules":["q_proj","v_proj"]}`, "README.md": "---\nlicense: mit\n---\n# Card\nText \x1b[31m"})
	s.Answer("/hub/api/models", 200, `[{"id":"x/child"}]`)
	r := run(t, s.Client(), `{"model":"o/lora","parts":["files","card","eval","lineage"]}`)
	has(t, r.Output, "## Files (2)", "# Card\nText", "| o/bench | acc | 34.8 | model card |", "Made from: adapter:o/base", "Trained on: o/set", "Made of it (quantized, the most loaded): x/child", "adapter (LORA): base o/base, r 16, alpha 32, on q_proj, v_proj")
	if strings.Contains(r.Output, "license: mit") || strings.Contains(r.Output, "\x1b") {
		t.Error(r.Output)
	}
}

func TestTheRecordedModel(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/hub/api/models/acme/tiny-instruct", 200, "hub-model-info.json")
	r := run(t, s.Client(), `{"model":"acme/tiny-instruct"}`)
	has(t, r.Output, "Parameters: 494M (BF16 494M)", "whole repository with its history 988 MB", "Weights: 988 MB = 2 bytes × 494M BF16", "From the record, ", "System message: yes", "Answers end with the eos_token: yes", "Base: acme/tiny-base")
}

func TestAgainstTheSimulator(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{})
	client, err := httpx.New(httpx.Options{Version: "0.0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	c, err := fetch.New(fetch.Options{HTTP: client, Services: lookup.Services(lookup.Places{Base: func(v string) string {
		if v == "HF_ENDPOINT" {
			return h.URL()
		}
		return ""
	}, Unhurried: true})})
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, c, `{"model":"acme/tiny-gpt","parts":["overview","config","tokenizer","chat_template","files","card","eval","lineage"]}`)
	has(t, r.Output, "Licence: apache-2.0", "its files can be read", "Architecture: GPT2LMHeadModel", "Layers: 2", "every head has keys and values of its own", "Context length: 256 tokens",
		"- eos_token: `<|im_end|>`", "From chat_template.jinja", "System message: yes", "config.json", "The chat version of", "acme/mini-bench", "34.8", "Made from: acme/tiny-base")
	has(t, run(t, c, `{"model":"acme/tiny-base","parts":["chat_template","lineage"]}`).Output, "it is a base model", "finetune, the most loaded): acme/tiny-gpt")
	has(t, run(t, c, `{"model":"acme/gated"}`).Output, "gated (", "its files need a token")
	if r := run(t, c, `{"model":"acme/none"}`); r.OK || !strings.Contains(r.Output, "hub_search") {
		t.Errorf("%+v", r)
	}
}

// Acceptance check 39: a call that is interrupted ends within 100 ms.
func TestCheck39_Interrupt(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, "o/m", "", map[string]string{"config.json": "{}"})
	hung := make(chan struct{}, 8)
	s.Handle("/hub/o/m/resolve/main/config.json", func(_ http.ResponseWriter, r *http.Request) { hung <- struct{}{}; <-r.Context().Done() })
	tooltest.Interrupted(t, open(t, s.Client()), `{"model":"o/m"}`, hung, func() {})
}

// Acceptance check 40: results stay within their room.
func TestCheck40_Room(t *testing.T) {
	s := lookuptest.New(t)
	plant(s, "o/m", "", map[string]string{
		"README.md": "```\n" + strings.Repeat("ü line\n", 20_000), "chat_template.jinja": "{{ 'x' * 1000000 }}{{ messages[0].content }}", "tokenizer_config.json": `{"bos_token":"` + strings.Repeat("b", 10_000) + `"}`,
	})
	for _, room := range []int{40_000, 5_000} {
		for _, args := range []string{`{"model":"o/m","parts":["card"]}`, `{"model":"o/m"}`, `{"model":"o/m","parts":["tokenizer","files"]}`} {
			r, err := open(t, s.Client()).Run(t.Context(), &tooltest.Env{Chars: room}, json.RawMessage(args))
			if n := len([]rune(r.Output)); err != nil || !r.OK || n > room {
				t.Errorf("%s with room for %d: %d characters, %v", args, room, n, err)
			}
			if strings.Count(r.Output, "```")%2 != 0 {
				t.Errorf("%s: a fence is open", args)
			}
		}
	}
}
