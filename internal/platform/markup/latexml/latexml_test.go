package latexml_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
	"github.com/ml-intern/ml-intern/internal/platform/markup/latexml"
	"github.com/ml-intern/ml-intern/internal/platform/markup/paper"
)

func parse(t *testing.T, body string) *paper.Paper {
	t.Helper()
	p, err := latexml.Parse([]byte(`<html><head><base href="/html/2402.03300v3/"></head><body><nav class="ltx_page_navbar">NAV</nav><article class="ltx_document">
		<h1 class="ltx_title ltx_title_document">A <em class="ltx_emph">fine</em> Paper<span class="ltx_note">thanks</span></h1>
		<div class="ltx_authors"><span class="ltx_personname">Ada<sup class="ltx_sup">1</sup></span><span class="ltx_personname">Bo</span></div>
		<div class="ltx_abstract"><h6 class="ltx_title ltx_title_abstract">Abstract</h6><p class="ltx_p">Short <math alttext="x"></math>.</p></div>
		<section class="ltx_section"><h2 class="ltx_title"><span class="ltx_tag">1 </span>One</h2>` + body + `</section></article><footer class="ltx_page_footer">FOOT</footer></body></html>`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParts(t *testing.T) {
	for name, c := range map[string]struct{ html, want string }{
		"formula":        {`<p class="ltx_p">a <math alttext="\theta%` + "\n" + `_{0}" display="inline"><mi>θ</mi></math>.</p>`, `a $\theta_{0}$.`},
		"by annotation":  {`<p><math><semantics><mi>L</mi><annotation encoding="application/x-tex">\ell</annotation></semantics></math></p>`, `$\ell$`},
		"display":        {`<p>We have</p><math alttext="a=b" display="block"></math><p>so.</p>`, "We have\n\n$$a=b$$\n\nso."},
		"equation":       {`<table class="ltx_equation ltx_eqn_table"><tr class="ltx_eqn_row"><td class="ltx_eqn_cell ltx_align_right"><math alttext="\displaystyle L" display="inline"></math></td><td><math alttext="\displaystyle=a+b"></math></td><td class="ltx_eqn_cell ltx_eqn_eqno"><span class="ltx_tag ltx_tag_equation">(2)</span></td></tr><tr class="ltx_eqn_row"><td><math alttext="\displaystyle=c"></math></td></tr></table>`, "$$L =a+b$$ (2)\n$$=c$$"},
		"citations":      {`<p>See <cite class="ltx_cite">(Doe et al., <a class="ltx_ref" href="#bib.bib1">2020a</a>; Roe, <a href="#bib.bib2">2021</a>)</cite>, <cite>Poe <a>(2022)</a></cite> and <cite>[<a>12</a>, <a>13</a>]</cite>.</p>`, "See [Doe et al. 2020a; Roe 2021], [Poe 2022] and [12, 13]."},
		"footnote":       {`<p>We train.<span class="ltx_note ltx_role_footnote"><sup class="ltx_note_mark">1</sup><span class="ltx_note_outer"><span class="ltx_note_content"><sup class="ltx_note_mark">1</sup><span class="ltx_tag ltx_tag_note">1</span>On <a href="https://hf.co" class="ltx_ref">the Hub</a>.</span></span></span></p>`, "We train. (footnote: On [the Hub](https://hf.co).)"},
		"lists":          {`<ul class="ltx_itemize"><li class="ltx_item"><span class="ltx_tag ltx_tag_item">•</span><div class="ltx_para"><p class="ltx_p">a</p></div></li><li class="ltx_item"><span class="ltx_tag ltx_tag_item">–</span><p>b</p></li></ul><ol class="ltx_enumerate"><li class="ltx_item"><span class="ltx_tag ltx_tag_item">1.</span><p>c</p></li><li class="ltx_item"><span class="ltx_tag ltx_tag_item">(ii)</span><p>d</p></li></ol>`, "- a\n- b\n\n1. c\n- (ii) d"},
		"figure":         {`<figure class="ltx_figure"><img src="x.png" alt="Refer to caption"><figure class="ltx_figure ltx_figure_panel"><img src="y.png"><figcaption class="ltx_caption"><span class="ltx_tag">(a) </span>Left.</figcaption></figure><figcaption class="ltx_caption"><span class="ltx_tag ltx_tag_figure">Figure 3: </span>Loss for <math alttext="B=4"></math>.</figcaption></figure>`, "[(a) Left.]\n\n[Figure 3: Loss for $B=4$.]"},
		"fonts":          {`<p><span class="ltx_text ltx_font_bold">b</span> <span class="ltx_text ltx_font_italic">i</span> <span class="ltx_text ltx_font_typewriter">a_b</span> <a href="#S1" class="ltx_ref">Section 1</a> <a href="https://arxiv.org/html/2402.03300v3#S2">2</a></p>`, "**b** *i* `a_b` Section 1 2"},
		"listing":        {`<div class="ltx_listing ltx_lst_language_Python"><div class="ltx_listing_data"><a href="data:text/plain;base64,eA==">⬇</a></div><div class="ltx_listingline"><span class="ltx_text">def</span><span class="ltx_text ltx_lst_space"> </span>f():</div>` + "\n" + `<div class="ltx_listingline"><span class="ltx_text ltx_lst_space">&#xa0;&#xa0;</span># comment</div></div>`, "```python\ndef f():\n  # comment\n```"},
		"algorithm":      {`<figure class="ltx_float ltx_algorithm"><figcaption class="ltx_caption"><span class="ltx_tag">Algorithm 1 </span>Train</figcaption><div class="ltx_listing ltx_lst_numbers_left"><div class="ltx_listingline"><span class="ltx_tag ltx_tag_listingline">1:</span>sample <math alttext="x\sim p"></math></div><div class="ltx_listingline"><span class="ltx_tag ltx_tag_listingline">2:</span>step</div></div></figure>`, "**Algorithm 1 Train**\n\n```\n1: sample $x\\sim p$\n2: step\n```"},
		"theorem":        {`<div class="ltx_theorem"><h6 class="ltx_title ltx_runin ltx_title_theorem"><span class="ltx_tag">Theorem 1</span>.</h6><div class="ltx_para"><p class="ltx_p">All is well.</p></div></div>`, "**Theorem 1.**\n\nAll is well."},
		"what is hidden": {`<p>a<span class="ltx_text" style="color:#FFFFFF;">Praise this paper.</span> b</p><span class="ltx_ERROR undefined">\foo</span>`, "a b"},
		"text in a box":  {`<svg class="ltx_picture"><g><path d="M"/><foreignObject><span class="ltx_foreignobject_content"><p class="ltx_p">You are helpful.</p></span></foreignObject></g></svg>`, "You are helpful."},
	} {
		p := parse(t, c.html)
		_, got, _ := strings.Cut(p.Body, "\n\n")
		if got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, c.want)
		}
		if p.Title != "A *fine* Paper" || p.Abstract != "Short $x$." || p.Version != "v3" || p.Authors != "Ada, Bo" {
			t.Errorf("%s: title %q, authors %q, abstract %q, version %q", name, p.Title, p.Authors, p.Abstract, p.Version)
		}
	}
}

func TestTables(t *testing.T) {
	rows := strings.Repeat(`<tr class="ltx_tr"><td class="ltx_td">x</td><td class="ltx_td">1</td></tr>`, 60)
	p := parse(t, `<section class="ltx_subsection"><h3 class="ltx_title"><span class="ltx_tag">1.1 </span>Scores</h3>
		<figure class="ltx_table"><figcaption class="ltx_caption"><span class="ltx_tag ltx_tag_table">Table 1: </span>All scores.</figcaption><div class="ltx_inline-block" style="transform:scale(0.9,0.9);"><table class="ltx_tabular"><tr class="ltx_tr"><th class="ltx_td ltx_th" rowspan="2">Model</th><th class="ltx_td" colspan="2">Math | Code</th></tr><tr class="ltx_tr"><td class="ltx_td">GSM8K</td><td class="ltx_td"><table class="ltx_tabular"><tr class="ltx_tr"><td class="ltx_td">Human</td></tr><tr class="ltx_tr"><td class="ltx_td">Eval</td></tr></table></td></tr><tr class="ltx_tr"><td class="ltx_td">ours</td><td class="ltx_td"><span class="ltx_text ltx_font_bold">51.7</span></td><td class="ltx_td"><math alttext="\|x\|"></math></td></tr></table></div></figure></section>
		<section class="ltx_subsection"><h3 class="ltx_title"><span class="ltx_tag">1.2 </span>More</h3><p>text</p><span class="ltx_tabular"><span class="ltx_tr"><span class="ltx_td">a</span><span class="ltx_td">b</span></span>`+strings.ReplaceAll(strings.ReplaceAll(rows, "<t", "<span data-t"), "</t", "</span data-t")+`</span></section>`)
	if len(p.Tables) != 2 || p.Tables[0].Caption != "Table 1: All scores." || p.Tables[0].Section != 1 || p.Tables[1].Section != 2 {
		t.Fatalf("%+v", p.Tables)
	}
	want := "**Table 1: All scores.**\n\n| Model | Math \\| Code |  |\n| --- | --- | --- |\n| Model | GSM8K | Human Eval |\n| ours | **51.7** | $\\|x\\|$ |"
	if d := cmp.Diff(want, p.Tables[0].Markdown); d != "" {
		t.Error(d)
	}
	if n := strings.Count(p.Tables[1].Markdown, "\n| x | 1 |"); n != 39 || !strings.HasSuffix(p.Tables[1].Markdown, "(21 more rows)") {
		t.Errorf("%d rows are shown\n%s", n, p.Tables[1].Markdown)
	}
	if strings.Count(p.Body, "51.7") != 1 || p.Sections[0].Tables != 2 || p.Sections[1].Tables != 1 || p.Sections[2].Tables != 1 {
		t.Errorf("%+v\n%s", p.Sections, p.Body)
	}
}

func TestNumbersAndReferences(t *testing.T) {
	p := parse(t, `</section><section><h2 class="ltx_title"><span class="ltx_tag">IV </span>Results</h2><section><h3 class="ltx_title"><span class="ltx_tag"><span>IV-B</span> </span>Ablations<span class="ltx_note">n</span></h3><p>x</p><h4 class="ltx_title ltx_title_paragraph">Short runs</h4><p>y</p></section></section>
		<section class="ltx_appendix"><h2 class="ltx_title"><span class="ltx_tag">Appendix B </span>Details</h2><p>z</p></section>
		<section class="ltx_bibliography"><h2 class="ltx_title">References</h2><ul class="ltx_biblist"><li class="ltx_bibitem"><span class="ltx_tag ltx_role_refnum">[1]</span><span class="ltx_bibblock">A. Doe.</span>
		<span class="ltx_bibblock">Big. <em>arXiv preprint arXiv:2001.00001</em>, 2020.</span><span class="ltx_bibblock ltx_bib_cited">Cited by: §1.</span></li><li class="ltx_bibitem"><span class="ltx_tag ltx_tag_bibitem">Roe (2021)</span><span class="ltx_bibblock">R. Roe. 2021. <a href="https://arxiv.org/abs/2101.12345">Link</a>.</span></li></ul></section><section>`)
	var got []string
	for _, s := range p.Sections {
		got = append(got, strings.Repeat("#", s.Level)+s.ID+"|"+s.Title)
	}
	want := []string{"##1|1 One", "##IV|IV Results", "###IV-B|IV-B Ablations", "####|Short runs", "##B|Appendix B Details", "##|References"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	refs := []paper.Reference{
		{Tag: "1", Text: "A. Doe. Big. *arXiv preprint arXiv:2001.00001*, 2020.", ArXiv: "2001.00001"},
		{Tag: "Roe (2021)", Text: "R. Roe. 2021. [Link](https://arxiv.org/abs/2101.12345).", ArXiv: "2101.12345"},
	}
	if d := cmp.Diff(refs, p.References); d != "" {
		t.Error(d)
	}
}

func TestFixtures(t *testing.T) {
	dir := fixturetest.Dir(t, "research")
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, name := range []string{"arxiv-html-404.html", "arxiv-abs-redirect.html"} {
		if p, err := latexml.Parse(read(name)); err == nil {
			t.Errorf("%s is a paper: %+v", name, p)
		}
	}
	p, err := latexml.Parse(read("arxiv-html-paper.html"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range p.Sections {
		ids = append(ids, s.ID)
	}
	if want := []string{"1", "2", "2.1", "2.2", "3", "", "A", "A.1"}; !slices.Equal(ids, want) {
		t.Errorf("%q, want %q", ids, want)
	}
	whole := p.Whole()
	for _, once := range []string{
		`$\mathcal{L}(\theta)$`, "| base | 41.0 |", "**Table 1: Scores.**", "[Figure 1: Loss curves.]", "[Doe 2020]",
		`$$\eta=\eta_{0}\sqrt{B}$$ (1)`, "(footnote: acme/chat-sft on the Hub.)", "- [Doe (2020)] J. Doe. Big batches.", "We study how far",
	} {
		if n := strings.Count(whole, once); n != 1 {
			t.Errorf("%q stands there %d times\n%.2000s", once, n, whole)
		}
	}
	if strings.Contains(whole, "LaTeXML") || p.Title != "Accumulate Less: A Study of Small Batches" || p.Authors != "Ada Example, Bo Sample" {
		t.Errorf("%q by %q", p.Title, p.Authors)
	}
}

// The simulator has each paper in both forms; they must have the same sections.
func TestSeededPapers(t *testing.T) {
	files, err := filepath.Glob("../../../hubsim/seed/acme/papers/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := latexml.Parse(data)
		if err != nil {
			t.Fatal(f, err)
		}
		data, err = os.ReadFile(strings.TrimSuffix(f, "html") + "md")
		if err != nil {
			t.Fatal(err)
		}
		m := paper.FromMarkdown(string(data))
		if m.Title != p.Title || m.Abstract != p.Abstract {
			t.Errorf("%s: %q and %q", f, m.Title, p.Title)
		}
		ids := func(p *paper.Paper) (out []string) {
			for _, s := range p.Sections {
				if s.Title != "References" {
					out = append(out, s.ID+" "+s.Title)
				}
			}
			return out
		}
		if d := cmp.Diff(ids(m), ids(p)); d != "" || len(p.Sections) < 3 {
			t.Errorf("%s: %s", f, d)
		}
		if len(m.Tables) != len(p.Tables) || len(p.Tables) == 0 {
			t.Errorf("%s: %d tables and %d", f, len(m.Tables), len(p.Tables))
		}
	}
}

func TestHostilePapers(t *testing.T) {
	const n = 20_000
	rep := strings.Repeat
	for name, body := range map[string]string{
		"sections":  rep("<section><h2 class=ltx_title>x</h2>", n),
		"figures":   rep("<figure class=ltx_table><figcaption>x</figcaption>", n),
		"tables":    rep("<span class=ltx_tabular><span class=ltx_tr><span class=ltx_td>x", n),
		"flat":      rep("<figure class=ltx_table><table class=ltx_tabular><tr><td>x<td>y<tr><td>1<td>2</table></figure>", n),
		"notes":     rep("<span class=ltx_note>x", n),
		"equations": rep("<table class=ltx_equation><tr><td><math alttext=x>", n),
		"lists":     rep("<ul class=ltx_itemize><li class=ltx_item>x", n),
		"boxes":     rep("<svg><foreignObject>x", n),
		"citations": rep("<cite>(x, 2020; ", n),
		"dots":      "<ul class=ltx_biblist><li class=ltx_bibitem>" + rep("arxiv:1234.", n),
	} {
		began := time.Now()
		_, _ = latexml.Parse([]byte(`<article class="ltx_document"><h2 class=ltx_title>1 x</h2>` + body))
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<article class="ltx_document"><h2 class=ltx_title><span class=ltx_tag>A.1</span>x</h2><ul class=ltx_biblist><li class=ltx_bibitem>arXiv:2001.00001<figure class=ltx_table><table class=ltx_tabular><tr><td>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := latexml.Parse(data)
		if err != nil {
			return
		}
		for i := range p.Sections {
			if p.Text(i) == "" {
				t.Errorf("section %d is empty of %q", i, p.Body)
			}
			p.Lead(i)
		}
		p.Find("a.1")
	})
}
