package paper_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
	"github.com/ml-intern/ml-intern/internal/platform/markup/paper"
)

const md = `# A Study of Größe

Ada, Bo

## Abstract

We study.

## I Introduction

Long ago.

## II Method

### II-A Data and Setup

Rows.

Table 1: Scores of runs.

| a | b |
| --- | --- |
| 1 | 2 |

## Data

More rows.

## References

- [Doe 2020] J. Doe. Big. arXiv:2001.00001, 2020.
- R. Roe.
  Small.

## Appendix A Details

### A.1 Seeds

1, 2 and 3.
`

func TestFromMarkdown(t *testing.T) {
	p := paper.FromMarkdown(md)
	if p.Title != "A Study of Größe" || p.Authors != "Ada, Bo" || p.Abstract != "We study." {
		t.Errorf("%q by %q: %q", p.Title, p.Authors, p.Abstract)
	}
	var got []string
	for i, s := range p.Sections {
		got = append(got, s.ID+"|"+s.Title)
		if text := p.Text(i); !strings.HasPrefix(text, strings.Repeat("#", s.Level)+" "+s.Title) {
			t.Errorf("%s begins %.20q", s.Title, text)
		}
	}
	want := []string{"I|I Introduction", "II|II Method", "II-A|II-A Data and Setup", "|Data", "|References", "A|Appendix A Details", "A.1|A.1 Seeds"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(p.Tables) != 1 || p.Tables[0].Caption != "Table 1: Scores of runs." || p.Tables[0].Section != 2 || p.Sections[1].Tables != 1 || p.Sections[2].Tables != 1 {
		t.Errorf("%+v", p.Tables)
	}
	refs := []paper.Reference{{"Doe 2020", "J. Doe. Big. arXiv:2001.00001, 2020.", "2001.00001"}, {"", "R. Roe. Small.", ""}}
	if d := cmp.Diff(refs, p.References); d != "" {
		t.Error(d)
	}
	if got := p.Lead(1); got != "Rows. Table 1: Scores of runs. | a | b | | --- | --- | | 1 | 2 |" {
		t.Errorf("lead %q", got)
	}
}

func TestFind(t *testing.T) {
	p := paper.FromMarkdown(md)
	for name, want := range map[string][]int{
		"a": {5}, "A": {5}, "Appendix A": {5}, "appendix a.": {5}, "A.1": {6}, "ii": {1}, "2": {1}, "Section 2": {1}, "§ 2.1": {2},
		"data": {3}, "DATA": {3}, "data and setup": {2}, "setup": {2}, "see": nil, "seeds": {6}, "9": nil, "ii method": {1}, "method": {1},
		"": nil, " ": nil, "references": {4}, "1": {0}, "a.1 seeds": {6}, "and": {2}, "introduct": nil,
	} {
		if got := p.Find(name); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
	p = paper.FromMarkdown("# T\n## 1 A\n## 10 B\n### 10.1 C\n### 10.2 D\n## A study\n## I robot\n## 3.1 E data\n## 3.2 F data\n")
	for name, want := range map[string][]int{"1": {0}, "10": {1}, "3": {6, 7}, "data": {6, 7}, "a": {0}, "study": {4}, "i": nil} {
		if got := p.Find(name); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func TestID(t *testing.T) {
	for tag, want := range map[string]string{
		"1 ": "1", "2.1": "2.1", "A.1.2 ": "A.1.2", "Appendix B ": "B", "IV-B ": "IV-B", "IV": "IV", "3.": "3", "": "", "Table": "", "2024": "", "A1": "", "1.x.": "",
	} {
		if got := paper.ID(tag); got != want {
			t.Errorf("%q: %q, want %q", tag, got, want)
		}
	}
}

func TestArXiv(t *testing.T) {
	for text, want := range map[string]string{
		"arXiv preprint arXiv:2001.00001, 2020": "2001.00001", "https://arxiv.org/abs/2402.03300v2": "2402.03300", "CoRR, abs/1234.5678.": "1234.5678",
		"10.48550/arXiv.2305.18290": "2305.18290", "pages 1234.56789": "", "arXiv:2001.000011": "", "arXiv: none. 3.5": "", "doi 10.1000/2001.00001": "", "": "",
	} {
		if got := paper.ArXiv(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestHubPaper(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "research"), "hub-paper.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := paper.FromMarkdown(string(data))
	var ids []string
	for _, s := range p.Sections {
		ids = append(ids, s.ID)
	}
	if !slices.Equal(ids, []string{"1", "2", "2.1", "3", "A"}) || p.Title != "Accumulate Less: A Study of Small Batches" || len(p.Tables) != 1 {
		t.Errorf("%q: %q, %d tables", p.Title, ids, len(p.Tables))
	}
}

func TestNoPaper(t *testing.T) {
	for _, text := range []string{"", "only words", "# Title\n"} {
		if p := paper.FromMarkdown(text); p != nil && len(p.Sections) > 0 {
			t.Errorf("%q: %+v", text, p)
		}
	}
}

func FuzzFromMarkdown(f *testing.F) {
	f.Add(md, "A")
	f.Add("# a\n## abstract\nx\n# I.\n|a|\n|b|\n## References\n[1] a arXiv 2001.00001\n", "i")
	f.Fuzz(func(t *testing.T, text, name string) {
		p := paper.FromMarkdown(text)
		if p == nil {
			return
		}
		for i, s := range p.Sections {
			if p.Text(i) == "" || s.Chars == 0 {
				t.Fatalf("section %d of %q is empty: %+v", i, text, s)
			}
			p.Lead(i)
		}
		for _, i := range p.Find(name) {
			_ = p.Sections[i]
		}
		for _, x := range p.Tables {
			if x.Section >= len(p.Sections) {
				t.Fatal(x)
			}
		}
	})
}
