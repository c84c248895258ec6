package address_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/tools/docs/address"
)

const endpoint = "http://127.0.0.1:8080/hub"

func TestParse(t *testing.T) {
	for raw, want := range map[string]string{
		"https://huggingface.co/docs/trl/sft_trainer":                          "https://huggingface.co/docs/trl/sft_trainer.md",
		"  https://huggingface.co/docs/trl/sft_trainer.md ":                    "https://huggingface.co/docs/trl/sft_trainer.md",
		"https://huggingface.co/docs/trl/sft_trainer#trl.SFTConfig":            "https://huggingface.co/docs/trl/sft_trainer.md",
		"https://huggingface.co/docs/trl/sft_trainer?fw=pt#x":                  "https://huggingface.co/docs/trl/sft_trainer.md?fw=pt",
		"https://huggingface.co/docs/trl/v1.12.0/en/sft_trainer/":              "https://huggingface.co/docs/trl/v1.12.0/en/sft_trainer.md",
		"https://www.huggingface.co/docs/trl":                                  "https://huggingface.co/docs/trl/index.md",
		"https://huggingface.co/docs/trl/main/en":                              "https://huggingface.co/docs/trl/main/en/index.md",
		"https://HF.co:443/learn/llm-course/chapter1/1":                        "https://huggingface.co/learn/llm-course/chapter1/1.md",
		"https://hf.co/blog/trl-v1":                                            "https://huggingface.co/blog/trl-v1.md",
		"https://huggingface.co/papers/2402.03300":                             "https://huggingface.co/papers/2402.03300.md",
		"/docs/trl/sft_trainer":                                                "https://huggingface.co/docs/trl/sft_trainer.md",
		"trl/sft_trainer":                                                      "https://huggingface.co/docs/trl/sft_trainer.md",
		"https://huggingface.co/docs/trl/ab":                                   "https://huggingface.co/docs/trl/ab.md",
		"https://huggingface.co/docs/trl/fr.md":                                "https://huggingface.co/docs/trl/fr.md",
		"https://huggingface.co/docs/trl.md":                                   "https://huggingface.co/docs/trl/index.md",
		"https://huggingface.co/docs/trl/main.md":                              "https://huggingface.co/docs/trl/main.md",
		"trl/sft_trainer#trl.SFTConfig":                                        "https://huggingface.co/docs/trl/sft_trainer.md",
		"transformers.js/index":                                                "https://huggingface.co/docs/transformers.js/index.md",
		"learn/cookbook/index":                                                 "https://huggingface.co/learn/cookbook/index.md",
		"huggingface.co/docs/peft/quicktour.html":                              "https://huggingface.co/docs/peft/quicktour.md",
		"http://127.0.0.1:8080/hub/docs/trl/x":                                 "https://huggingface.co/docs/trl/x.md",
		"https://www.gradio.app/docs/gradio/image":                             "https://www.gradio.app/docs/gradio/image",
		"https://gradio.app/guides/quickstart":                                 "https://www.gradio.app/guides/quickstart",
		"https://www.gradio.app/llms.txt":                                      "https://www.gradio.app/llms.txt",
		"https://huggingface.co/docs/huggingface_hub/package_reference/hf_api": "https://huggingface.co/docs/huggingface_hub/package_reference/hf_api.md",
	} {
		p, err := address.Parse(raw, endpoint)
		if err != nil || p.Markdown() != want {
			t.Errorf("%s: %s, %v, want %s", raw, p.Markdown(), err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, raw := range []string{
		"", strings.Repeat("a", 3000), "https://evil.test/x", "http://169.254.169.254/latest", "//evil.test/docs/x",
		"https://huggingface.co.evil.test/docs/x", "https://huggingface.co@evil.test/docs/x", "https://evil.test@huggingface.co/docs/x",
		"https://evil.test\\@huggingface.co/docs/x", "https://huggingface.co\\.evil.test/docs/x", "https://huggingface.co:8443/docs/x",
		"https://huggingface.co./docs/x", "http://huggingface.co/docs/x", "ftp://huggingface.co/docs/x", "javascript:alert(1)",
		"https://huggingface.co/settings/tokens", "https://huggingface.co/docs", "https://huggingface.co/docs/../settings/tokens",
		"https://huggingface.co/docs/%2e%2e/settings/tokens", "https://huggingface.co/docs/%2e%2e%2fsettings", "https://huggingface.co/docs/%252e%252e/x",
		"docs/../../x", "../x", "https://huggingface.co/docs/a%00b", "https://huggingface.co/docs/a\nb", "https://huggingface.co/docs//x",
		"https://xn--hggingface-8ib.co/docs/x", "https://huggingface.co%2eevil.test/docs/x", "https://huggingface.co%00.evil.test/docs/x",
		"https://www.gradio.app/brand", "https://playground.gradio.app/docs/x", "http://127.0.0.1:8080/docs/trl", "http://127.0.0.1:8080/hub/../docs/trl",
		"http://127.0.0.1:9090/hub/docs/trl", "http://127.0.0.1/hub/docs/trl", "https://127.0.0.1:8080/hub/docs/x", "/", "https://[::1]/docs/x", "?x", "#x",
	} {
		if p, err := address.Parse(raw, endpoint); err == nil {
			t.Errorf("%q became %s", raw, p.Markdown())
		}
	}
	if _, err := address.Parse("http://127.0.0.1:8080/hub/docs/trl", ""); err == nil {
		t.Error("an endpoint was accepted that is none")
	}
}

func TestParts(t *testing.T) {
	p, err := address.Parse("https://huggingface.co/docs/transformers/v5.1.0/ko/main_classes/trainer.md#a.b", "")
	if err != nil {
		t.Fatal(err)
	}
	if p.Slug != "transformers" || p.Version != "v5.1.0" || p.Language != "ko" || p.Path != "main_classes/trainer" || p.Anchor != "a.b" ||
		p.Key() != "ko/main_classes/trainer" || p.Short() != "transformers/v5.1.0/ko/main_classes/trainer" {
		t.Errorf("%+v %s %s", p, p.Key(), p.Short())
	}
}

// Whatever is read, the address that is asked lies on one of the two sites, in
// an area that may be read, and reads as itself again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"https://huggingface.co/docs/trl/sft_trainer#x", "trl/sft_trainer", "https://a@b/docs", "https://huggingface.co/docs/%2e%2e/x", "//x/docs/a", "https://gradio.app/docs/a?b=c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := address.Parse(raw, endpoint)
		if err != nil {
			return
		}
		u, err := url.Parse(p.Markdown())
		if err != nil {
			t.Fatalf("%q became %q: %v", raw, p.Markdown(), err)
		}
		if o := u.Scheme + "://" + u.Host; o != address.Hub && o != address.Gradio || u.User != nil {
			t.Fatalf("%q became %q", raw, p.Markdown())
		}
		for s := range strings.SplitSeq(u.Path, "/") {
			if s == ".." || s == "." {
				t.Fatalf("%q became %q", raw, p.Markdown())
			}
		}
		if again, err := address.Parse(p.Markdown(), ""); err != nil || again.Markdown() != p.Markdown() {
			t.Fatalf("%q became %q, and that %q (%v)", raw, p.Markdown(), again.Markdown(), err)
		}
	})
}
