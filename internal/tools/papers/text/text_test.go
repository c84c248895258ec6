package text_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/arxiv"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/pdf"
	"github.com/ml-intern/ml-intern/internal/tools/papers/text"
)

// PDFs are read by this program in another process.
func TestMain(m *testing.M) {
	if handled, code := pdf.Main(os.Args); handled {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

type desk struct {
	*lookuptest.Server
	t      *testing.T
	env    *tooltest.Env
	reader *text.Reader
}

func newDesk(t *testing.T) *desk {
	s := lookuptest.New(t)
	r, err := text.New(text.Options{Fetch: s.Client(), PDF: pdf.Text})
	if err != nil {
		t.Fatal(err)
	}
	return &desk{s, t, &tooltest.Env{}, r}
}

func (d *desk) read(id, section string, change ...func(*text.Args)) tool.Result {
	d.t.Helper()
	paper, err := arxiv.ParseID(id)
	if err != nil {
		d.t.Fatal(err)
	}
	in := text.Args{Paper: paper, Section: section}
	for _, f := range change {
		f(&in)
	}
	return d.reader.Read(d.t.Context(), d.env, in)
}

func (d *desk) good(id, section string, change ...func(*text.Args)) string {
	d.t.Helper()
	r := d.read(id, section, change...)
	if !r.OK {
		d.t.Fatalf("%s %q: %s", id, section, r.Output)
	}
	if n := utf8.RuneCountInString(r.Output); n > d.env.Room() {
		d.t.Errorf("%s %q: %d characters where there is room for %d", id, section, n, d.env.Room())
	}
	return r.Output
}

func (d *desk) bad(id, section string) string {
	d.t.Helper()
	r := d.read(id, section)
	if r.OK {
		d.t.Fatalf("%s %q succeeds: %s", id, section, r.Output)
	}
	return r.Output
}

const (
	html  = "/arxiv/html/"
	seeds = "../../../hubsim/seed/acme/papers/"
)

func seed(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(seeds, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%.3000s", w, text)
		}
	}
}

func lacks(t *testing.T, text string, bad ...string) {
	t.Helper()
	for _, w := range bad {
		if strings.Contains(text, w) {
			t.Errorf("%q stands in:\n%.3000s", w, text)
		}
	}
}

func TestCheck14_OverviewOfAPaper(t *testing.T) {
	d := newDesk(t)
	d.File(html+"2402.00001", 200, "arxiv-html-paper.html", "Content-Type", "text/html")
	got := d.good("2402.00001", "")
	contains(t, got, "source: arXiv HTML", "# Accumulate Less: A Study of Small Batches\n", "https://arxiv.org/abs/2402.00001", "Ada Example, Bo Sample",
		"## Abstract\nWe study how far", "\n- **Appendix A Details**", "\n  - **2.1 Setup**", "1 table", "\n[S1] https://arxiv.org/html/2402.00001 (fetched ")
	if n := strings.Count(got, "\n- **"); n != 5 {
		t.Errorf("%d top-level entries\n%s", n, got)
	}
	all := d.good("2402.00001", "all")
	if n := strings.Count(all, `$\mathcal{L}(\theta)$`); n != 1 {
		t.Errorf("the formula stands there %d times", n)
	}
	contains(t, all, "| base | 41.0 |", "**Table 1: Scores.**")
	contains(t, d.good("2402.00001", "tables"), "# Tables of Accumulate Less", "## In 3 Experiments", "**Table 1: Scores.**\n\n| Model | Score |\n| --- | --- |\n| base | 41.0 |")
	contains(t, d.good("2402.00001", "references"), "# References", "- [Doe (2020)] J. Doe. Big batches. arXiv:2001.00001, 2020.")
	contains(t, d.good("2402.00001", "Abstract"), "# Abstract", "We study")
	if s := d.env.Sources(); len(s) != 5 || s[0].Object != "2402.00001" || s[0].Operation != "read_paper" || s[0].Title != "Accumulate Less: A Study of Small Batches" {
		t.Errorf("%+v", s)
	}
}

func TestCheck15_SectionsByName(t *testing.T) {
	d := newDesk(t)
	d.File(html+"2402.00001", 200, "arxiv-html-paper.html")
	for section, want := range map[string][2]string{
		"A": {"# Appendix A Details\n", "1,200 chats"}, "A.1": {"# A.1 Seeds\n", "Details"}, "appendix a": {"# Appendix A Details\n", "1,200"},
		"2": {"## 2 Method", "Large batches"}, "method": {"# 2 Method\n", "Large"}, "data": {"# 2.2 Data\n", "AdamW"}, "3": {"# 3 Experiments\n", "J. Doe"},
		"2.1, A": {"### 2.1 Setup", "1,200 chats"}, "2,2.2": {"### 2.2 Data", "Seeds"}, "1,9": {"Not in this paper: 9", "AdamW"},
	} {
		got := d.good("2402.00001", section)
		contains(t, strings.Replace(got, "# 2 Method\nhttps", "## 2 Method\nhttps", 1), want[0])
		lacks(t, got, want[1])
	}
	contains(t, d.good("2402.00001", "2"), "2.1 Setup", "2.2 Data", `$$\eta=\eta_{0}\sqrt{B}$$ (1)`, "(footnote: acme/chat-sft on the Hub.)")
	for _, section := range []string{"9", "no such heading", "9, 10", ",", "§"} {
		contains(t, d.bad("2402.00001", section), "not_found", "1 Introduction; 2 Method; 2.1 Setup", "Appendix A Details")
	}
}

// asking notes what it is asked and has nothing.
type asking struct{ got []fetch.Request }

func (a *asking) Do(_ context.Context, r fetch.Request) (*fetch.Response, error) {
	a.got = append(a.got, r)
	return nil, &fetch.Error{Kind: fetch.NotFound, Service: "nobody", URL: r.URL}
}

// A version of a paper never changes; the newest may be another one tomorrow.
func TestVersionsAreKeptForAMonth(t *testing.T) {
	for id, want := range map[string]time.Duration{"2402.00001v2": 30 * 24 * time.Hour, "2402.00001": 24 * time.Hour} {
		a := &asking{}
		r, err := text.New(text.Options{Fetch: a, PDF: pdf.Text})
		if err != nil {
			t.Fatal(err)
		}
		(&desk{t: t, env: &tooltest.Env{}, reader: r}).bad(id, "")
		seen := 0
		for _, q := range a.got {
			if q.URL == "https://arxiv.org/html/"+id || q.URL == "https://arxiv.org/pdf/"+id {
				if seen++; q.Fresh != want {
					t.Errorf("%s is kept for %v, want %v", q.URL, q.Fresh, want)
				}
			}
		}
		if seen != 2 {
			t.Errorf("%s: asked %+v", id, a.got)
		}
	}
}

// A heading may be named by some of its words; of several the first is read and
// the others are named. Roman numbers count as numbers.
func TestHeadingsByWords(t *testing.T) {
	d := newDesk(t)
	var b strings.Builder
	b.WriteString(`<html><body><article class="ltx_document"><h1 class="ltx_title ltx_title_document">Tides</h1>`)
	for i, heading := range []string{"Introduction", "Training data", "Training recipe", "Results"} {
		fmt.Fprintf(&b, `<section class="ltx_section"><h2 class="ltx_title ltx_title_section"><span class="ltx_tag">%s </span>%s</h2><div class="ltx_para"><p class="ltx_p">Text of %s.</p></div></section>`,
			[]string{"I", "II", "III", "IV"}[i], heading, heading)
	}
	d.Answer(html+"2402.00001", 200, b.String()+"</article></body></html>")
	got := d.good("2402.00001", "training")
	contains(t, got, "Text of Training data.", "Also fits: III Training recipe")
	lacks(t, got, "Text of Training recipe", "Text of Results")
	contains(t, d.good("2402.00001", "III"), "Text of Training recipe.")
	lacks(t, d.good("2402.00001", "results"), "Also fits")
}

var offset = regexp.MustCompile(`"offset":(\d+)`)

// follow reads all parts and returns the text without their heads and ends.
func (d *desk) follow(id, section string, maxChars int) (whole string, parts int) {
	d.t.Helper()
	for at := 0; ; {
		got := d.good(id, section, func(in *text.Args) { in.Offset, in.MaxChars = at, maxChars })
		got = got[:strings.LastIndex(got, "\n\n[S")]
		_, got, _ = strings.Cut(got, "\n\n") // the head
		parts++
		i := strings.LastIndex(got, "\n… ")
		if i < 0 {
			return whole + got, parts
		}
		end := got[i:]
		body := []rune(got[:i+1])
		if !strings.Contains(end, `"arxiv_id":"`+id) || !strings.Contains(end, `"max_chars":`) {
			d.t.Fatalf("the end line is no call: %s", end)
		}
		next := 0
		if _, err := fmt.Sscan(offset.FindStringSubmatch(end)[1], &next); err != nil || next <= at || parts > 100 {
			d.t.Fatalf("from %d to %d: %v", at, next, err)
		}
		// A part that ends within a line has a line end of its own.
		if n := next - at; n > len(body) || len(body) > n+1 {
			d.t.Fatalf("a part from %d to %d has %d characters", at, next, len(body))
		}
		whole += string(body[:next-at])
		at = next
	}
}

func TestCheck16_LongSectionsInParts(t *testing.T) {
	d := newDesk(t)
	// The paragraph of the recorded page is one line; cut, lines are whole.
	page := strings.ReplaceAll(lookuptest.Fixture(t, "arxiv-html-paper.html"), " Run 50 reached", "</p><p class=\"ltx_p\">Run 50 reached")
	d.Answer(html+"2402.00001", 200, page)
	for _, section := range []string{"3", "all"} {
		whole, _ := d.follow("2402.00001", section, 100_000)
		for _, size := range []int{8000, 1000, 1777} {
			got, parts := d.follow("2402.00001", section, size)
			if got != whole || parts < 2 {
				t.Errorf("%q in parts of %d differs: %d parts, %d characters instead of %d", section, size, parts, len(got), len(whole))
			}
		}
		for i := 1; i <= 189; i++ {
			if n := strings.Count(whole, fmt.Sprintf("Run %d reached", i)); n != 1 {
				t.Errorf("run %d stands there %d times", i, n)
			}
		}
	}
	got := d.good("2402.00001", "3", func(in *text.Args) { in.MaxChars = 8000 })
	contains(t, got, `hf_papers {"operation":"read_paper","arxiv_id":"2402.00001","section":"3","offset":`)
	d.env.Chars = 3000
	if n := utf8.RuneCountInString(d.good("2402.00001", "all", func(in *text.Args) { in.MaxChars = 100_000 })); n > 3000 {
		t.Errorf("%d characters in a room of 3000", n)
	}
}

func TestCheck17_OtherSources(t *testing.T) {
	d := newDesk(t)
	d.File(html+"2402.00001", 404, "arxiv-html-404.html")
	d.File("/hub/papers/2402.00001.md", 200, "hub-paper.md", "Content-Type", "text/markdown")
	got := d.good("2402.00001v2", "2.1")
	contains(t, got, "source: Hub Markdown, version not stated (v2 was asked for)", "# 2.1 Setup", "AdamW, lr 2e-5", "https://huggingface.co/papers/2402.00001.md (fetched")
	contains(t, d.good("2402.00001", "A"), "# Appendix A Details", "Seeds 1, 2")
	if r := d.Requests("/ar5iv"); len(r) > 0 {
		t.Errorf("ar5iv was asked: %v", r)
	}

	// The mirror sends those it lacks to the abstract's page.
	d.Answer("/hub/papers/2402.00001.md", 200, "<!doctype html><p>no Markdown", "Content-Type", "text/html")
	d.reader, _ = text.New(text.Options{Fetch: d.Client(), PDF: pdf.Text})
	d.File("/ar5iv/html/2402.00001", 200, "arxiv-abs-redirect.html")
	d.File("/hub/api/papers/2402.00001", 200, "hub-paper-detail.json")
	got = d.good("2402.00001", "3")
	contains(t, got, "source: Hub record, abstract only", "# Large Multimodal Models as General In-Context Classifiers", "Which multimodal model", "section is ignored",
		"PDF: https://arxiv.org/pdf/2402.00001", "ar5iv HTML: it has no text", "[S3] https://huggingface.co/papers/2402.00001 (fetched")
}

func TestMirrorAndDocument(t *testing.T) {
	d := newDesk(t)
	d.Answer("/ar5iv/html/2509.99001", 200, seed(t, "2509.99001.html"))
	contains(t, d.good("2509.99001v1", "2.2"), "source: ar5iv HTML, version not stated (v1 was asked for)", "# 2.2 Model", "$d = 16$")

	d.Answer("/arxiv/pdf/hep-th/9901001", 200, document("1 Introduction", "We hyphen-", "ate the words of a line here."), "Content-Type", "application/pdf")
	for range 2 {
		got := d.good("hep-th/9901001", "all")
		contains(t, got, "source: PDF, layout approximate\n", "## 1 Introduction", "We hyphenate the words")
	}
	contains(t, d.good("hep-th/9901001", "introduction"), "# 1 Introduction\n", "We hyphenate")
	for _, r := range d.Requests("/") {
		if strings.Contains(r.Path, "%2F") {
			t.Errorf("the slash is escaped: %s", r.Path)
		}
	}
}

func TestNothingFound(t *testing.T) {
	d := newDesk(t)
	contains(t, d.bad("2402.99999", ""), "hf_papers read_paper 2402.99999", "not_found")
	d.Answer("/hub/api/papers/2402.99999", 429, `{"error":"slow down"}`, "Retry-After", "120")
	contains(t, d.bad("2402.99999", ""), "rate_limited", "120 s")
	d.Answer("/arxiv-api/api/query", 200, `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>http://arxiv.org/abs/2402.99999v1</id><title>A Title</title><summary>The summary.</summary><published>2024-02-05T00:00:00Z</published></entry></feed>`, "Content-Type", "application/atom+xml")
	contains(t, d.good("2402.99999", ""), "source: arXiv record, abstract only", "# A Title", "The summary.")
	if r := d.reader.Read(t.Context(), d.env, text.Args{}); r.OK || !strings.Contains(r.Output, "bad_argument") {
		t.Error(r.Output)
	}
}

func TestInterrupted(t *testing.T) {
	d := newDesk(t)
	asked, done := make(chan struct{}), make(chan struct{})
	d.Handle(html+"2402.00001", func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-r.Context().Done():
		case <-done:
		}
	})
	defer close(done)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-asked
		cancel(errors.New("the user has had enough"))
	}()
	began := time.Now()
	if r := d.reader.Read(ctx, d.env, text.Args{Paper: arxiv.ID{Name: "2402.00001"}}); r.OK || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", r, time.Since(began))
	}
	if r := d.Requests("/hub"); len(r) > 0 || len(d.env.Sources()) > 0 {
		t.Errorf("it went on: %v", r)
	}
}

// Every paper of the simulator reads alike from its page and its Markdown.
func TestSeededPapers(t *testing.T) {
	files, err := filepath.Glob(seeds + "*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		id := strings.TrimSuffix(filepath.Base(f), ".html")
		a, b := newDesk(t), newDesk(t)
		a.Answer(html+id, 200, seed(t, id+".html"))
		b.Answer("/hub/papers/"+id+".md", 200, seed(t, id+".md"), "Content-Type", "text/markdown")
		for _, d := range []*desk{a, b} {
			overview := d.good(id, "")
			contains(t, overview, "## Abstract\n", "- **1 Introduction**", "table")
			contains(t, d.good(id, "introduction"), "# 1 Introduction\n")
			contains(t, d.good(id, "tables"), "| --- |")
			contains(t, d.good(id, "1,2"), "## 1 Introduction", "\n## 2 ")
			lacks(t, d.good(id, "all"), "ltx_", "<p", "<math", "\\#")
			contains(t, d.bad(id, "99"), "1 Introduction; 2")
		}
		contains(t, a.good(id, "references"), "# References", "\n- ")
	}
}

// document writes a PDF of one page: a heading in large type, and lines.
func document(heading string, lines ...string) string {
	content := "BT /F 14 Tf 72 720 Td (" + heading + ") Tj ET\n"
	for i, l := range lines {
		content += fmt.Sprintf("BT /F 10 Tf 72 %d Td (%s) Tj ET\n", 700-12*i, l)
	}
	var b strings.Builder
	b.WriteString("%PDF-1.5\n")
	var at []int
	for i, o := range []string{
		"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[4 0 R]/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>>>",
		"<</Type/Font/Subtype/Type1/BaseFont/Times-Bold/Encoding/WinAnsiEncoding/FirstChar 32/LastChar 255/Widths[" + strings.Repeat("500 ", 224) + "]>>",
		"<</Type/Page/Parent 2 0 R/Contents 5 0 R>>", fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(content), content),
	} {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	b.WriteString("xref\n0 6\n0000000000 65535 f \n")
	for _, a := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", a)
	}
	fmt.Fprintf(&b, "trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", xref)
	return b.String()
}
