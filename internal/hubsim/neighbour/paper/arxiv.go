package paper

import (
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

func (p *Service) arxivRoutes(mux *http.ServeMux) {
	mux.Handle("GET /arxiv/html/{id...}", answer.Handler(p.arxivHTML))
	mux.Handle("GET /arxiv/abs/{id...}", answer.Handler(p.abstract))
	mux.Handle("GET /arxiv/pdf/{id...}", answer.Handler(p.pdf))
	mux.Handle("GET /arxiv-api/api/query", answer.Handler(p.query))
	mux.Handle("GET /ar5iv/html/{id...}", answer.Handler(p.ar5iv))
}

// absent is arXiv's page for what it does not have.
func absent(w http.ResponseWriter, what string) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body><h1>%s</h1></body></html>\n", html.EscapeString(what))
	return nil
}

func (p *Service) arxivHTML(w http.ResponseWriter, r *http.Request) error {
	x, ok := p.Find(r.PathValue("id"))
	if !ok || x.HTML == "" {
		return absent(w, "No HTML for this paper")
	}
	return write(w, "text/html", x.HTML)
}

// ar5iv shows the same page; what it lacks it sends on to arXiv's abstract.
func (p *Service) ar5iv(w http.ResponseWriter, r *http.Request) error {
	x, ok := p.Find(r.PathValue("id"))
	if !ok || x.HTML == "" {
		http.Redirect(w, r, "/arxiv/abs/"+r.PathValue("id"), http.StatusTemporaryRedirect)
		return nil
	}
	return write(w, "text/html", x.HTML)
}

func (p *Service) abstract(w http.ResponseWriter, r *http.Request) error {
	x, ok := p.Find(r.PathValue("id"))
	if !ok {
		return absent(w, "Article not found")
	}
	return write(w, "text/html", fmt.Sprintf(`<!DOCTYPE html><html><head><title>[%[1]s] %[2]s</title></head><body>
<h1 class="title mathjax"><span class="descriptor">Title:</span>%[2]s</h1>
<div class="authors"><span class="descriptor">Authors:</span>%[3]s</div>
<blockquote class="abstract mathjax"><span class="descriptor">Abstract:</span>%[4]s</blockquote>
</body></html>
`, x.ID, html.EscapeString(x.Title), html.EscapeString(strings.Join(x.Authors, ", ")), html.EscapeString(x.Summary)))
}

func (p *Service) pdf(w http.ResponseWriter, r *http.Request) error {
	x, ok := p.Find(strings.TrimSuffix(r.PathValue("id"), ".pdf"))
	if !ok {
		return absent(w, "Article not found")
	}
	return write(w, "application/pdf", x.pdf())
}

// feed is an Atom answer of the API.
type feed struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	Link    link     `xml:"link"`
	Title   string   `xml:"title"`
	ID      string   `xml:"id"`
	Updated string   `xml:"updated"`
	Total   int      `xml:"http://a9.com/-/spec/opensearch/1.1/ totalResults"`
	Start   int      `xml:"http://a9.com/-/spec/opensearch/1.1/ startIndex"`
	PerPage int      `xml:"http://a9.com/-/spec/opensearch/1.1/ itemsPerPage"`
	Entries []entry  `xml:"entry"`
}

type link struct {
	Title string `xml:"title,attr,omitempty"`
	Href  string `xml:"href,attr"`
	Rel   string `xml:"rel,attr"`
	Type  string `xml:"type,attr"`
}

type entry struct {
	ID         string   `xml:"id"`
	Updated    string   `xml:"updated"`
	Published  string   `xml:"published,omitempty"`
	Title      string   `xml:"title"`
	Summary    string   `xml:"summary"`
	Authors    []author `xml:"author"`
	Comment    string   `xml:"http://arxiv.org/schemas/atom comment,omitempty"`
	Journal    string   `xml:"http://arxiv.org/schemas/atom journal_ref,omitempty"`
	Links      []link   `xml:"link"`
	Primary    *term    `xml:"http://arxiv.org/schemas/atom primary_category"`
	Categories []term   `xml:"category"`
}

type author struct {
	Name string `xml:"name"`
}

type term struct {
	Term   string `xml:"term,attr"`
	Scheme string `xml:"scheme,attr"`
}

func (p *Service) query(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	start, err := Number(q, "start", 0)
	if err != nil {
		return p.feedError(w, r, "start must be a non-negative integer")
	}
	most, err := Number(q, "max_results", 10)
	if err != nil || most > 30000 {
		return p.feedError(w, r, "max_results must be non-negative and at most 30000")
	}
	found, err := p.selected(q.Get("id_list"), q.Get("search_query"))
	if err != nil {
		return p.feedError(w, r, err.Error())
	}
	if by := q.Get("sortBy"); by == "submittedDate" || by == "lastUpdatedDate" {
		slices.SortStableFunc(found, func(a, b *Paper) int { return b.PublishedAt.Compare(a.PublishedAt) })
	} else if by != "" && by != "relevance" {
		return p.feedError(w, r, "sortBy must be in: relevance, lastUpdatedDate, submittedDate")
	}
	if q.Get("sortOrder") == "ascending" {
		slices.Reverse(found)
	}
	total := len(found)
	found = found[min(start, total):]
	found = found[:min(most, len(found))]
	f := p.feed(r, start, most, total)
	for _, x := range found {
		f.Entries = append(f.Entries, x.entry())
	}
	return writeFeed(w, http.StatusOK, f)
}

func (p *Service) feed(r *http.Request, start, most, total int) feed {
	q := r.URL.Query()
	return feed{
		Link:  link{Href: "http://arxiv.org/api/query?" + r.URL.RawQuery, Rel: "self", Type: "application/atom+xml"},
		Title: fmt.Sprintf("ArXiv Query: search_query=%s&id_list=%s&start=%d&max_results=%d", q.Get("search_query"), q.Get("id_list"), start, most),
		ID:    "http://arxiv.org/api/" + Digest(27, r.URL.RawQuery), Updated: p.clock.Now().UTC().Truncate(24 * time.Hour).Format(time.RFC3339),
		Total: total, Start: start, PerPage: most,
	}
}

func (p *Service) feedError(w http.ResponseWriter, r *http.Request, message string) error {
	f := p.feed(r, 0, 1, 1)
	f.Entries = []entry{{
		ID: "http://arxiv.org/api/errors#" + Digest(8, message), Updated: f.Updated, Title: "Error", Summary: message,
		Authors: []author{{Name: "arXiv api core"}},
	}}
	return writeFeed(w, http.StatusBadRequest, f)
}

func writeFeed(w http.ResponseWriter, status int, f feed) error {
	body, err := xml.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "%s%s\n", xml.Header, body)
	return nil
}

const atomScheme = "http://arxiv.org/schemas/atom"

func (x *Paper) entry() entry {
	at := x.PublishedAt.UTC().Format(time.RFC3339)
	e := entry{
		ID: "http://arxiv.org/abs/" + x.ID + "v1", Updated: at, Published: at, Title: x.Title, Summary: x.Summary,
		Comment: x.Comment, Journal: x.JournalRef, Primary: &term{x.Categories[0], atomScheme},
		Links: []link{
			{Href: "http://arxiv.org/abs/" + x.ID + "v1", Rel: "alternate", Type: "text/html"},
			{Title: "pdf", Href: "http://arxiv.org/pdf/" + x.ID + "v1", Rel: "related", Type: "application/pdf"},
		},
	}
	for _, a := range x.Authors {
		e.Authors = append(e.Authors, author{a})
	}
	for _, c := range x.Categories {
		e.Categories = append(e.Categories, term{c, atomScheme})
	}
	return e
}

// selected finds what id_list and search_query mean together.
func (p *Service) selected(ids, search string) ([]*Paper, error) {
	var found []*Paper
	if ids == "" {
		found = p.All()
	}
	for id := range strings.SplitSeq(ids, ",") {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		if !idForm.MatchString(versionSuffix.ReplaceAllString(id, "")) {
			return nil, fmt.Errorf("incorrect id format for %s", id)
		}
		if x, ok := p.Find(id); ok {
			found = append(found, x)
		}
	}
	if search == "" {
		if ids == "" {
			return nil, nil
		}
		return found, nil
	}
	match, err := parseQuery(search)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(x *Paper) bool { return !match(x) }), nil
}

var (
	queryToken = regexp.MustCompile(`\(|\)|\w+:\[[^\]]*\]|(?:\w+:)?"[^"]*"|[^\s()]+`)
	dateRange  = regexp.MustCompile(`^\[(\d{8,12}) TO (\d{8,12})\]$`)
)

// parseQuery reads a search such as ti:dpo AND (cat:cs.CL OR abs:"reward
// model") ANDNOT au:doe; terms that stand side by side must all hold.
func parseQuery(s string) (func(*Paper) bool, error) {
	ps := &queryParser{tokens: queryToken.FindAllString(s, -1)}
	match, err := ps.expression()
	if err == nil && len(ps.tokens) > 0 {
		err = fmt.Errorf("malformed query: unexpected %s", ps.tokens[0])
	}
	return match, err
}

type queryParser struct{ tokens []string }

func (ps *queryParser) expression() (func(*Paper) bool, error) {
	left, err := ps.operand()
	for err == nil && len(ps.tokens) > 0 && ps.tokens[0] != ")" {
		op := "AND"
		switch ps.tokens[0] {
		case "AND", "OR", "ANDNOT":
			op, ps.tokens = ps.tokens[0], ps.tokens[1:]
		}
		var right func(*Paper) bool
		if right, err = ps.operand(); err != nil {
			break
		}
		before := left
		left = func(x *Paper) bool {
			switch op {
			case "OR":
				return before(x) || right(x)
			case "ANDNOT":
				return before(x) && !right(x)
			}
			return before(x) && right(x)
		}
	}
	return left, err
}

func (ps *queryParser) operand() (func(*Paper) bool, error) {
	if len(ps.tokens) == 0 {
		return nil, fmt.Errorf("malformed query: it ends too early")
	}
	tok := ps.tokens[0]
	ps.tokens = ps.tokens[1:]
	switch {
	case tok == "(":
		inner, err := ps.expression()
		if err == nil && (len(ps.tokens) == 0 || ps.tokens[0] != ")") {
			err = fmt.Errorf("malformed query: a bracket is not closed")
		}
		if err == nil {
			ps.tokens = ps.tokens[1:]
		}
		return inner, err
	case tok == ")" || tok == "AND" || tok == "OR" || tok == "ANDNOT":
		return nil, fmt.Errorf("malformed query: unexpected %s", tok)
	}
	return queryTerm(tok)
}

func queryTerm(tok string) (func(*Paper) bool, error) {
	field, value, ok := strings.Cut(tok, ":")
	if !ok {
		field, value = "all", tok
	}
	if field == "submittedDate" || field == "lastUpdatedDate" {
		m := dateRange.FindStringSubmatch(value)
		if m == nil {
			return nil, fmt.Errorf("malformed query: %s is no range of dates", value)
		}
		return func(x *Paper) bool {
			at := x.PublishedAt.UTC().Format("200601021504")
			return at >= m[1] && at[:len(m[2])] <= m[2]
		}, nil
	}
	value = strings.ToLower(strings.Trim(value, `"`))
	fields := map[string]func(*Paper) string{
		"ti": func(x *Paper) string { return x.Title }, "abs": func(x *Paper) string { return x.Summary },
		"au": func(x *Paper) string { return strings.Join(x.Authors, ", ") }, "co": func(x *Paper) string { return x.Comment },
		"jr": func(x *Paper) string { return x.JournalRef }, "cat": func(x *Paper) string { return strings.Join(x.Categories, " ") },
		"id": func(x *Paper) string { return x.ID },
		"all": func(x *Paper) string {
			return strings.Join([]string{x.Title, x.Summary, strings.Join(x.Authors, ", "), strings.Join(x.Categories, " "), x.Comment}, "\n")
		},
	}
	text, ok := fields[field]
	if !ok {
		return nil, fmt.Errorf("malformed query: unknown field %s", field)
	}
	return func(x *Paper) bool { return contains(strings.ToLower(text(x)), value) }, nil
}

// contains reports whether text holds value at the start of a word; a star at
// its end stands for any letters.
func contains(text, value string) bool {
	value = strings.ReplaceAll(strings.TrimSuffix(value, "*"), "_", " ")
	for from := 0; value != ""; {
		i := strings.Index(text[from:], value)
		if i < 0 {
			return false
		}
		if i += from; i == 0 || !isWord(text[i-1]) {
			return true
		}
		from = i + 1
	}
	return false
}

func isWord(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
