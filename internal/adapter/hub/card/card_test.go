package card_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/card"
)

func edit(t testing.TB, text string, spec card.Spec) string {
	t.Helper()
	out, err := card.Edit(text, spec)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return out
}

var model = card.Spec{Kind: card.Model, ID: "bob/m"}

// The front matter keeps its own lines; tags may be absent, a text or a list.
func TestFrontMatter(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"no front matter", "# hi\n", "---\ntags:\n- ml-intern\n---\n# hi\n"},
		{"no tags", "---\nlicense: mit # ours\n---\n# hi\n", "---\nlicense: mit # ours\ntags:\n- ml-intern\n---\n# hi\n"},
		{"a text", "---\ntags: nlp\nlicense: mit\n---\n# hi\n", "---\ntags:\n- nlp\n- ml-intern\nlicense: mit\n---\n# hi\n"},
		{"a list on a line", "---\ntags: [a, \"b c\"]\n# keep\nlicense: mit\n---\n# hi\n", "---\ntags:\n- a\n- b c\n- ml-intern\n# keep\nlicense: mit\n---\n# hi\n"},
		{"an empty list", "---\ntags: []\n---\n# hi\n", "---\ntags:\n- ml-intern\n---\n# hi\n"},
		{"null", "---\ntags:\nx: 1\n---\n# hi\n", "---\ntags:\n- ml-intern\nx: 1\n---\n# hi\n"},
		{"a list", "---\ntags:\n  - a # first\n  - b\nx:   {y:  1}\n---\n# hi\n", "---\ntags:\n  - a # first\n  - b\n  - ml-intern\nx:   {y:  1}\n---\n# hi\n"},
		{"there already", "---\ntags: [ml-intern,x]\n---\n# hi\n", "---\ntags: [ml-intern,x]\n---\n# hi\n"},
		{"empty front matter", "---\n---\n# hi\n", "---\ntags:\n- ml-intern\n---\n# hi\n"},
	} {
		got := edit(t, c.in, card.Spec{Kind: card.Space, ID: "bob/s"})
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestSections(t *testing.T) {
	twice := edit(t, edit(t, "", model), model)
	for _, part := range []string{card.Marker, "## Usage", "# bob/m\n", "\n- ml-intern\n"} {
		if strings.Count(twice, part) != 1 {
			t.Errorf("%q stands %d times in %q", part, strings.Count(twice, part), twice)
		}
	}
	if !strings.Contains(twice, `AutoModelForCausalLM.from_pretrained("bob/m")`) {
		t.Error("the model's card does not load it")
	}
	for _, heading := range []string{"## How to use", "### usage", "## Using this model", "###### Usage of it"} {
		if got := edit(t, "# x\n\n"+heading+"\n", model); strings.Contains(got, "from_pretrained") {
			t.Errorf("%s: usage was added to %q", heading, got)
		}
	}
	if got := edit(t, "# x\n", card.Spec{Kind: card.Dataset, ID: "bob/d"}); !strings.Contains(got, `load_dataset("bob/d")`) {
		t.Errorf("dataset: %q", got)
	}
	got := edit(t, "---\nsdk: docker\n---\n", card.Spec{Kind: card.Space, ID: "bob/s", Defaults: map[string]string{"sdk": "gradio", "title": "a: b"}})
	if !strings.Contains(got, "sdk: docker\n") || strings.Contains(got, "gradio") || !strings.Contains(got, "title: 'a: b'\n") || strings.Contains(got, card.Marker) {
		t.Errorf("space: %q", got)
	}
}

func TestBrokenFrontMatterIsLeftAlone(t *testing.T) {
	for _, in := range []string{"---\n 000:\n  000\n---", "---\na: [\n---\n", "---\n- a\n---\n", "---\n{a: 1}\n---\n"} {
		if out, err := card.Edit(in, model); err == nil {
			t.Errorf("%q became %q", in, out)
		}
	}
}

func TestLineEndsStay(t *testing.T) {
	got := edit(t, "---\r\ntags:\r\n- a\r\n---\r\n# x\r\n", model)
	if strings.Contains(strings.ReplaceAll(got, "\r\n", ""), "\n") {
		t.Errorf("%q has other line ends", got)
	}
}

// Editing twice is editing once, the text stays a part of the card, and the
// keys keep their values.
func TestEditIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`(# [a-z ]{0,10}\n|[a-z]{1,8}\n|\n){0,6}`).Draw(t, "body")
		front := rapid.StringMatching(`(license: mit\n|x: \[1, 2\]\n|# c\n){0,1}(tags:( a| \[a, b\]|\n- a\n- b|\n  - a)?\n){0,1}(y: "z"\n){0,1}`).Draw(t, "front")
		in := body
		if rapid.Bool().Draw(t, "with front matter") {
			in = "---\n" + front + "---\n" + body
		}
		once, err := card.Edit(in, model)
		if err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		if again, err := card.Edit(once, model); err != nil || again != once {
			t.Fatalf("edited twice: %v\n%q\n%q", err, once, again)
		}
		if strings.TrimSpace(body) != "" && !strings.Contains(once, strings.TrimRight(body, "\n")) {
			t.Fatalf("the text %q is not in %q", body, once)
		}
		var m map[string]any
		if err := yaml.Unmarshal([]byte(strings.Split(once, "---\n")[1]), &m); err != nil {
			t.Fatalf("%q: %v", once, err)
		}
	})
}

func FuzzEdit(f *testing.F) {
	for _, s := range []string{"", "0\r", "---\n 000:\n  000\n---", "---\n", "---\ntags: x\n---", "---\ntags:\n- a\n- b\n---\nx", "---\n? a\n: b\n---\n", "---\ntags: |\n  a\n---\n", "\ufeff---\na: 1\n---\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once, err := card.Edit(text, model)
		if err != nil {
			return
		}
		if again, err := card.Edit(once, model); err == nil && again != once {
			t.Errorf("%q: once %q, twice %q", text, once, again)
		}
	})
}
