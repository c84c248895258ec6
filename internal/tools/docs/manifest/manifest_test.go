package manifest_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/docs/manifest"
)

func TestRecordedLists(t *testing.T) {
	pages := manifest.Parse(lookuptest.Fixture(t, "docs-trl-llms.txt"))
	if len(pages) != 63 || pages[0].Title != "A2PO" || pages[0].URL != "https://huggingface.co/docs/trl/v1.12.0/a2po_trainer" || !pages[0].Ours {
		t.Errorf("%d pages, %+v", len(pages), pages[:1])
	}
	base, _ := url.Parse("https://huggingface.co/docs/trl")
	side := manifest.Sidebar([]byte(lookuptest.Fixture(t, "docs-trl-index.html")), base)
	if len(side) != 7 || side[5].Title != "SFT Trainer" || side[6].Ours || side[6].URL != "https://example.com/outside" {
		t.Errorf("%+v", side)
	}
}

func TestParse(t *testing.T) {
	pages := manifest.Parse("# X\n- [A [b] (c)](https://huggingface.co/docs/x/deep/er/a.md)\n- [Rel](/docs/x/r.md)\n-[no](x)\n- [Bad](javascript:x)\n- [ ](https://huggingface.co/docs/x/n.md)\n- [Off](https://evil.test/docs/x)")
	var got []string
	for _, p := range pages {
		got = append(got, p.Title+" "+p.URL+" "+p.Directory())
	}
	if diff := cmp.Diff([]string{
		"A [b] (c) https://huggingface.co/docs/x/deep/er/a deep/er", "Rel https://huggingface.co/docs/x/r ",
		"https://huggingface.co/docs/x/n https://huggingface.co/docs/x/n ", "Off https://evil.test/docs/x ",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhole(t *testing.T) {
	file := "# Trl\n\n## Docs\n\n- [A](https://huggingface.co/docs/trl/a.md)\n\n### A\nhttps://huggingface.co/docs/trl/a.md\n\n# A\n\nText.\n\n## More\n\n[link](https://huggingface.co/docs/trl/b.md)\nhttps://huggingface.co/docs/trl/loose.md\n" +
		"# B\n\nSource: https://huggingface.co/docs/trl/main/b.md\n\n```\n# x\nhttps://evil.test/c.md\n```\n"
	var got []string
	for _, p := range manifest.Whole(file) {
		got = append(got, p.Title+"|"+p.URL+"|"+strings.ReplaceAll(p.Text, "\n", "/"))
	}
	if diff := cmp.Diff([]string{
		"A|https://huggingface.co/docs/trl/a|# A//Text.//## More//[link](https://huggingface.co/docs/trl/b.md)/https://huggingface.co/docs/trl/loose.md",
		"B|https://huggingface.co/docs/trl/main/b|```/# x/https://evil.test/c.md/```",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzLists(f *testing.F) {
	f.Add("- [a](https://huggingface.co/docs/x/a.md)\n# A\nSource: https://huggingface.co/docs/x/a.md\ntext")
	f.Add("<nav class='flex-auto'><a href='/docs/x/a'>A</a>")
	f.Fuzz(func(t *testing.T, text string) {
		base, _ := url.Parse("https://huggingface.co/docs/x")
		for _, p := range append(manifest.Parse(text), manifest.Sidebar([]byte(text), base)...) {
			if p.Title == "" || p.URL == "" || p.Ours && !strings.HasPrefix(p.URL, "https://huggingface.co/") {
				t.Fatalf("%+v", p)
			}
		}
		manifest.Whole(text)
	})
}

func TestResolve(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/hub/api/docs", 200, "hub-docs-catalog.json")
	c := manifest.New(s.Client()).Catalogue(t.Context())
	for name, want := range map[string]string{
		"tgi": "https://huggingface.co/docs/text-generation-inference", "text-embeddings-inference": "https://huggingface.co/docs/text-embeddings-inference",
		"TRL": "https://huggingface.co/docs/trl", "trackio": "https://huggingface.co/docs/trackio", "cookbook": "https://huggingface.co/learn/cookbook",
		"optimum-tpu": "https://huggingface.co/docs/optimum-tpu", "gradio": "https://www.gradio.app/docs/",
	} {
		if p, err := c.Resolve(name); err != nil || len(p) != 1 || p[0].URL() != want {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if p, err := c.Resolve("courses"); err != nil || len(p) != 12 || p[11].Slug != "cookbook" || p[0].Area != "learn" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := c.Resolve("optimum"); err != nil || len(p) != 6 || p[1].Slug != "optimum-habana" || p[1].Area != "docs" {
		t.Errorf("%+v, %v", p, err)
	}
	var unknown *manifest.UnknownError
	if _, err := c.Resolve("transformer"); !errors.As(err, &unknown) || len(unknown.Nearest) != 5 || unknown.Nearest[0] != "transformers" {
		t.Errorf("%v", err)
	}
	if len(manifest.Known()) != 40 {
		t.Errorf("%d names", len(manifest.Known()))
	}
	for _, name := range manifest.Known() {
		if p, err := (manifest.Catalogue{}).Resolve(name); err != nil || len(p) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailuresOfTheServiceAreNotTakenForMissingLists(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/hub/docs/trl/llms.txt", 429, "slow", "Retry-After", "100")
	_, err := manifest.New(s.Client()).Set(t.Context(), manifest.Product{ID: "trl", Area: "docs", Slug: "trl"})
	var f *fetch.Error
	if !errors.As(err, &f) || f.Kind != fetch.RateLimited || len(s.Requests("")) != 1 {
		t.Errorf("%v after %d requests", err, len(s.Requests("")))
	}
}

func TestNearestIsQuick(t *testing.T) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = strings.Repeat("ab", 300)
	}
	if got := manifest.Nearest(strings.Repeat("ba", 300), names, 5); len(got) != 5 {
		t.Errorf("%d names", len(got))
	}
}
