package docs

import (
	"fmt"
	"html"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/rank"
)

// Routes adds the catalogue and the searches.
func (d *Docs) Routes(mux *http.ServeMux) {
	mux.Handle("GET /api/docs", answer.Handler(d.catalogue))
	mux.Handle("GET /api/docs/search", answer.Handler(d.search))
	mux.Handle("GET /api/docs/search/full-text", answer.Handler(d.fullText))
}

// Pages adds the pages themselves, below /docs.
func (d *Docs) Pages(mux *http.ServeMux) {
	mux.Handle("GET /docs/{slug}", answer.Handler(d.page))
	mux.Handle("GET /docs/{slug}/{page...}", answer.Handler(d.page))
}

func (d *Docs) catalogue(w http.ResponseWriter, _ *http.Request) error {
	list := []map[string]any{}
	for _, set := range d.sets {
		entry := map[string]any{"id": set.ID, "url": "/docs/" + set.Slug}
		if set.Category != "" {
			entry["category"] = set.Category
		}
		list = append(list, entry)
	}
	answer.JSON(w, http.StatusOK, list)
	return nil
}

// query reads q and limit.
func query(r *http.Request, standard, most int) (q string, limit int, err error) {
	q = strings.TrimSpace(r.URL.Query().Get("q"))
	switch {
	case q == "":
		return "", 0, answer.Refuse(http.StatusBadRequest, `"q" is required`)
	case len([]rune(q)) > 250:
		return "", 0, answer.Refuse(http.StatusBadRequest, `"q" must have at most 250 characters`)
	}
	limit = standard
	if s := r.URL.Query().Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > most {
			return "", 0, answer.Refuse(http.StatusBadRequest, fmt.Sprintf(`"limit" must be between 1 and %d`, most))
		}
	}
	return q, limit, nil
}

// find returns the sections that match q in the named set; empty is every set.
func (d *Docs) find(q, set string, limit int) []section {
	var found []section
	for _, hit := range d.index.Search(q) {
		s := d.sections[hit.Text]
		if set != "" && !strings.EqualFold(d.sets[s.set].ID, set) && !strings.EqualFold(d.sets[s.set].Slug, set) {
			continue
		}
		if found = append(found, s); len(found) == limit {
			break
		}
	}
	return found
}

func (d *Docs) search(w http.ResponseWriter, r *http.Request) error {
	q, limit, err := query(r, 10, 25)
	if err != nil {
		return err
	}
	list := []map[string]any{}
	for _, s := range d.find(q, r.URL.Query().Get("product"), limit) {
		set := &d.sets[s.set]
		page := set.Pages[s.page]
		entry := map[string]any{
			"id":       fmt.Sprintf("%s-main-en-%s-%s", set.Slug, strings.ReplaceAll(page.Path, "/", "-"), s.anchor),
			"_vectors": map[string]any{"embeddings": vector(s.text)},
			"text":     s.text, "product": set.ID,
			"source_page_url": d.url(s), "source_page_title": page.Title,
		}
		for i, h := range s.headings {
			entry["heading"+strconv.Itoa(i+1)] = h
		}
		list = append(list, entry)
	}
	answer.JSON(w, http.StatusOK, list)
	return nil
}

// vector stands where the Hub has an embedding: a few numbers made from the
// text, which mean nothing.
func vector(text string) []float64 {
	v := make([]float64, 4)
	for i, c := range []byte(text) {
		v[i%4] += float64(c) / 1000
	}
	for i := range v {
		v[i] = float64(int(v[i]*1000)%200-100) / 1000
	}
	return v
}

func (d *Docs) url(s section) string {
	set := &d.sets[s.set]
	u := set.URL(set.Pages[s.page])
	if s.anchor != "" {
		u += "#" + s.anchor
	}
	return u
}

func (d *Docs) fullText(w http.ResponseWriter, r *http.Request) error {
	q, limit, err := query(r, 9, 100)
	if err != nil {
		return err
	}
	hits := []map[string]any{}
	for _, s := range d.find(q, r.URL.Query().Get("domain"), limit) {
		set := &d.sets[s.set]
		hit := map[string]any{
			"url": strings.TrimPrefix(d.url(s), public), "hierarchy_lvl0": set.Title,
			"content": s.text, "anchor": s.anchor,
			"_formatted": map[string]any{"content": emphasise(s.text, q)},
		}
		for i, h := range s.headings {
			hit["hierarchy_lvl"+strconv.Itoa(i+1)] = h
		}
		hits = append(hits, hit)
	}
	answer.JSON(w, http.StatusOK, map[string]any{"hits": hits})
	return nil
}

// emphasise marks the words of q in text.
func emphasise(text, q string) string {
	wanted := map[string]bool{}
	for _, w := range rank.Words(q) {
		wanted[w] = true
	}
	return regexp.MustCompile(`[A-Za-z0-9]+`).ReplaceAllStringFunc(text, func(word string) string {
		for _, w := range rank.Words(word) {
			if wanted[w] {
				return "<em>" + word + "</em>"
			}
		}
		return word
	})
}

// version is a segment that names a release: all of them show the same pages.
var version = regexp.MustCompile(`^(main|v\d+(\.\d+)*|en)$`)

func (d *Docs) page(w http.ResponseWriter, r *http.Request) error {
	set := d.set(r.PathValue("slug"))
	if set == nil {
		return missing(w)
	}
	segments := strings.Split(strings.Trim(r.PathValue("page"), "/"), "/")
	for len(segments) > 0 && version.MatchString(segments[0]) {
		segments = segments[1:]
	}
	name := strings.Join(segments, "/")
	switch name {
	case "llms.txt":
		return text(w, "text/plain", set.list())
	case "llms-full.txt":
		return text(w, "text/plain", set.full())
	case "", "index.html":
		name = "index"
	case ".md":
		name = "index.md"
	}
	plain := strings.HasSuffix(name, ".md")
	name = strings.TrimSuffix(name, ".md")
	for _, p := range set.Pages {
		if p.Path != name {
			continue
		}
		if plain || strings.Contains(r.Header.Get("Accept"), "text/markdown") {
			return text(w, "text/markdown", p.Text)
		}
		return text(w, "text/html", set.html(p))
	}
	if name == "index" && !plain && len(set.Pages) > 0 {
		return text(w, "text/html", set.html(set.Pages[0]))
	}
	return missing(w)
}

func (d *Docs) set(slug string) *Set {
	for i := range d.sets {
		if d.sets[i].Slug == slug {
			return &d.sets[i]
		}
	}
	return nil
}

func missing(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = fmt.Fprint(w, "<!doctype html><html><head><title>404</title></head><body><h1>404</h1><p>Sorry, we can't find the page you are looking for.</p></body></html>")
	return nil
}

func text(w http.ResponseWriter, kind, body string) error {
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = fmt.Fprint(w, body) // the client has gone
	return nil
}

// list is llms.txt: every page with its address in Markdown form.
func (s *Set) list() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n## Docs\n\n", s.Title)
	for _, p := range s.Pages {
		fmt.Fprintf(&b, "- [%s](%s.md)\n", p.Title, s.URL(p))
	}
	return b.String()
}

// full is llms-full.txt: all pages, each below its address.
func (s *Set) full() string {
	var b strings.Builder
	for _, p := range s.Pages {
		fmt.Fprintf(&b, "# %s\n\nSource: %s.md\n\n%s\n\n", p.Title, s.URL(p), strings.TrimSpace(p.Text))
	}
	return b.String()
}

// html is a page with its sidebar.
func (s *Set) html(p Page) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html><html><head><title>%s</title></head><body>\n", html.EscapeString(p.Title))
	b.WriteString("<nav class=\"flex-auto overflow-y-auto pb-4 pl-3 pr-2 pt-3\">\n")
	for _, other := range s.Pages {
		fmt.Fprintf(&b, "<a class=\"block\" href=\"/docs/%s\">%s</a>\n", path.Join(s.Slug, other.Path), html.EscapeString(other.Title))
	}
	b.WriteString("</nav>\n<div class=\"prose-doc\">\n")
	fenced := false
	for line := range strings.Lines(p.Text) {
		line = strings.TrimRight(line, "\n")
		level, title := heading(line)
		switch {
		case strings.HasPrefix(line, "```") && fenced:
			b.WriteString("</pre>\n")
			fenced = false
		case strings.HasPrefix(line, "```"):
			b.WriteString("<pre>")
			fenced = true
		case fenced:
			b.WriteString(html.EscapeString(line) + "\n")
		case level > 0:
			title, anchor := marked(title)
			fmt.Fprintf(&b, "<h%d id=\"%s\">%s</h%d>\n", level, html.EscapeString(anchor), html.EscapeString(title), level)
		case line != "":
			fmt.Fprintf(&b, "<p>%s</p>\n", html.EscapeString(line))
		}
	}
	b.WriteString("</div>\n</body></html>\n")
	return b.String()
}
