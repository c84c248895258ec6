package section_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
	"github.com/ml-intern/ml-intern/internal/platform/markup/section"
)

const doc = `# Größe der Batches

Über alles.

## Usage[[usage]]

` + "```python\n# no heading\nprint(1)\n~~~\n## none either\n```" + `

### With a list ##

> ` + "```" + `
> # quoted code
> ` + "```" + `

#hashtag

    # indented code

## acme.Config[[acme.Config]]

#### acme.Config[[acme.Config]]

max_length : the longest sequence

## Last
`

func TestOutline(t *testing.T) {
	got := section.Outline(doc)
	var names []string
	runes := []rune(doc)
	for _, h := range got {
		names = append(names, strings.Repeat("#", h.Level)+h.Text+"|"+h.Marker)
		if part := string(runes[h.Offset : h.Offset+h.Size]); !strings.HasPrefix(part, strings.Repeat("#", h.Level)+" "+h.Text) {
			t.Errorf("%+v begins with %.30q", h, part)
		}
	}
	want := []string{"#Größe der Batches|", "##Usage|usage", "###With a list|", "##acme.Config|acme.Config", "####acme.Config|acme.Config", "##Last|"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	if got[0].Size != utf8.RuneCountInString(doc) {
		t.Errorf("the whole has %d characters, not %d", utf8.RuneCountInString(doc), got[0].Size)
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct{ name, begins, has, lacks string }{
		{"acme.Config", "## acme.Config", "max_length", "Last"},
		{"#ACME.config", "## acme.Config", "max_length", "Last"},
		{"usage", "## Usage", "With a list", "acme.Config"},
		{"grosse der batches", "", "", ""},
		{"größe-der-batches", "# Größe", "Last", "\x00"},
		{"withalist", "### With", "indented", "acme"},
		{"other.Thing.max_length", "#### acme.Config", "longest sequence", "Usage"},
		{"length", "", "", ""}, // a part of a word
		{"noheading", "", "", ""},
		{"", "", "", ""},
		{"9", "", "", ""},
	} {
		got, h, ok := section.Find(doc, c.name)
		if ok != (c.begins != "") {
			t.Errorf("%q: %v\n%s", c.name, ok, got)
			continue
		}
		if ok && (!strings.HasPrefix(got, c.begins) || !strings.Contains(got, c.has) || strings.Contains(got, c.lacks) || h.Level == 0) {
			t.Errorf("%q: %+v\n%s", c.name, h, got)
		}
	}
}

func TestPassage(t *testing.T) {
	line := strings.Repeat("x", 99) + "\n"
	md := "# Top\n" + strings.Repeat(line, 100) + "```python\n" + strings.Repeat(line, 20) + "target = 1\n" + strings.Repeat(line, 200) + "```\n"
	got, h, ok := section.Find(md, "lib.target")
	if !ok || h.Text != "Top" {
		t.Fatal(h, ok)
	}
	before, after, _ := strings.Cut(got, "target")
	if !strings.HasPrefix(got, strings.Repeat("x", 99)) || len(before) > 3000 || len(before) < 2800 || len(after) > 9010 || len(after) < 8800 {
		t.Errorf("%d before, %d after", len(before), len(after))
	}
	if strings.Count(got, "```")%2 != 0 || !strings.HasSuffix(got, "\n```") {
		t.Errorf("the fence is torn: %q", got[len(got)-20:])
	}
	md = "```python\n" + strings.Repeat(line, 50) + "target = 1\n```\nend\n"
	if got, _, _ = section.Find(md, "target"); !strings.HasPrefix(got, "```python\nx") || !strings.HasSuffix(got, "```\nend\n") {
		t.Errorf("begins %q and ends %q", got[:20], got[len(got)-20:])
	}
}

func TestDocumentationPage(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "research"), "docs-trl-sft_trainer.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"trl.SFTConfig", "TRL.sftconfig", "SFTConfig", "other.max_length"} {
		got, _, ok := section.Find(string(data), name)
		if !ok || !strings.Contains(got, "max_length") || strings.Contains(got, "Liger") {
			t.Errorf("%s: %v\n%s", name, ok, got)
		}
	}
	for _, h := range section.Outline(string(data)) {
		if strings.Contains(h.Text, "Conversational") || h.Text == "" {
			t.Errorf("%+v is no heading", h)
		}
	}
}

// The simulator's pages are what a test of the whole program reads.
func TestSeededPages(t *testing.T) {
	files, err := filepath.Glob("../../../hubsim/seed/acme/docs/*/*.md")
	papers, err2 := filepath.Glob("../../../hubsim/seed/acme/papers/*.md")
	if files = append(files, papers...); err != nil || err2 != nil || len(papers) == 0 {
		t.Fatal(files, err, err2)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		outline := section.Outline(string(data))
		if len(outline) == 0 || outline[0].Level != 1 {
			t.Errorf("%s: %+v", f, outline)
		}
		for _, h := range outline {
			if _, _, ok := section.Find(string(data), h.Text); !ok {
				t.Errorf("%s: %q is not found", f, h.Text)
			}
		}
	}
}

func TestLargeTexts(t *testing.T) {
	began := time.Now()
	for _, md := range []string{
		strings.Repeat("# a\n", 300_000), strings.Repeat("#", 1<<20), strings.Repeat("```\n", 300_000), strings.Repeat("`", 1<<20),
		strings.Repeat("xtarget ", 200_000), strings.Repeat("# [[", 300_000), strings.Repeat("###### x\n##### x\n", 100_000),
	} {
		section.Outline(md)
		section.Find(md, "target")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func FuzzFind(f *testing.F) {
	f.Add(doc, "usage")
	f.Add("# a\n```\n# b", "b")
	f.Add("\xff# x\n  ## y [[z]] ##\r\n~~~~\n~~~", "z.\xff")
	f.Fuzz(func(t *testing.T, md, name string) {
		runes := []rune(md)
		last := -1
		for _, h := range section.Outline(md) {
			if h.Level < 1 || h.Level > 6 || h.Offset <= last || h.Size < 1 || h.Offset+h.Size > len(runes) {
				t.Fatalf("%+v of %d characters after %d", h, len(runes), last)
			}
			last = h.Offset
			if h.Marker != "" {
				if _, _, ok := section.Find(md, h.Marker); !ok && strings.TrimLeft(h.Marker, "# ") == h.Marker {
					t.Fatalf("the marker %q is not found", h.Marker)
				}
			}
		}
		text, _, ok := section.Find(md, name)
		if ok == (text == "") {
			t.Fatalf("%v with %q", ok, text)
		}
	})
}
