package docs

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/section"
	"github.com/ml-intern/ml-intern/internal/tools/docs/address"
	"github.com/ml-intern/ml-intern/internal/tools/docs/manifest"
	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

//go:embed fetch_hf_docs.json
var pageDescription []byte

// defaultChars is how much of a page is shown where the call says nothing.
const defaultChars = 20_000

// Page is fetch_hf_docs.
type Page struct{ base }

var _ tool.Tool = (*Page)(nil)

func newPage(s *source) (*Page, error) {
	b, err := newBase(s, pageDescription, "read")
	return &Page{b}, err
}

// PageParams are the arguments of fetch_hf_docs.
type PageParams struct {
	URL      string `json:"url"`
	Section  string `json:"section,omitempty"`
	Offset   int    `json:"offset,omitempty"`
	MaxChars int    `json:"max_chars,omitempty"`
}

// Run reads a page.
func (t *Page) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p PageParams
	if err := tool.Decode(args, &p); err != nil {
		return t.refused(err), nil
	}
	if p.Offset < 0 || p.MaxChars < 0 {
		return t.refused(errors.New("offset and max_chars must not be negative")), nil
	}
	a, err := address.Parse(p.URL, t.Endpoint)
	if err != nil {
		return t.refused(fmt.Errorf("url: %w", err)), nil
	}
	what := "fetch_hf_docs " + a.URL()
	d, err := t.load(ctx, a)
	if err != nil {
		return t.failed(ctx, what, a, err), nil
	}
	if page, ok := entry(a, d); ok {
		t.remember(ctx, page)
	}
	wanted := strings.TrimPrefix(strings.TrimSpace(p.Section), "#")
	if wanted == "" {
		wanted = a.Anchor
	}
	text := d.text
	if wanted != "" {
		found, ok := find(d.text, wanted)
		if !ok {
			return t.noSection(env, a, d, wanted), nil
		}
		text = found
	}
	return t.show(env, p, a, d, text, wanted), nil
}

// show is a good result: where the text comes from, the outline of a long page,
// and the piece that was asked for.
func (t *Page) show(env tool.Env, p PageParams, a address.Page, d document, text, wanted string) tool.Result {
	link := a.URL()
	if wanted != "" {
		link += "#" + wanted
	}
	head := "Documentation from: " + lookup.Line(link, 500) + "\n\n"
	max := p.MaxChars
	if max == 0 {
		max = defaultChars
	}
	room := lookup.Room(env, max)
	if wanted == "" && p.Offset == 0 && utf8.RuneCountInString(text) > room {
		if o := outline(text, room/4); o != "" {
			head += "Outline (level, heading, marker, characters); read one part with section:\n" + o + "\n\n---\n\n"
		}
	}
	more := func(offset int) string {
		next := PageParams{URL: a.URL(), Section: wanted, Offset: offset, MaxChars: p.MaxChars}
		call, _ := json.Marshal(next) // strings and numbers always marshal
		return "fetch_hf_docs " + string(call)
	}
	piece := lookup.Part{Offset: p.Offset, Max: room - utf8.RuneCountInString(head), More: more}.Cut(text)
	return lookup.Cite(env, head+piece, lookup.Source{
		Response: d.resp, Tool: t.spec.Name, Operation: t.operation, Object: a.Short(), Title: d.title, URL: link,
	})
}

// find returns the section that an anchor or a heading names. Anchors of search
// results are made of a heading and its marker together.
func find(text, name string) (string, bool) {
	if found, _, ok := section.Find(text, name); ok {
		return found, true
	}
	for _, h := range section.Outline(text) {
		if h.Marker != "" && rank.Letters(h.Text+h.Marker) == rank.Letters(name) {
			found, _, ok := section.Find(text, h.Marker)
			return found, ok
		}
	}
	return "", false
}

// outline lists the headings of a text in at most max characters: of the upper
// levels only where all of them do not fit.
func outline(text string, max int) string {
	all := section.Outline(text)
	for level := 6; level > 0; level-- {
		var b strings.Builder
		for _, h := range all {
			if h.Level > level {
				continue
			}
			fmt.Fprintf(&b, "%sh%d %s", strings.Repeat("  ", h.Level-1), h.Level, lookup.Line(h.Text, 100))
			if h.Marker != "" {
				fmt.Fprintf(&b, " [%s]", lookup.Line(h.Marker, 100))
			}
			fmt.Fprintf(&b, " %d\n", h.Size)
		}
		list := strings.TrimRight(b.String(), "\n")
		if utf8.RuneCountInString(list) <= max {
			return list
		}
		if level == 1 || !slices.ContainsFunc(all, func(h section.Heading) bool { return h.Level < level }) {
			return lookup.Part{Max: max, More: func(int) string { return "section or offset" }}.Cut(list)
		}
	}
	return ""
}

// noSection is the failure to find a section: it shows which there are.
func (t *Page) noSection(env tool.Env, a address.Page, d document, wanted string) tool.Result {
	text := fmt.Sprintf("fetch_hf_docs %s failed (%s): the page has no section %q. Its outline (level, heading, marker, characters):\n%s\nCall again with one of them as section, or without.",
		a.URL(), fetch.NotFound, lookup.Line(wanted, 200), outline(d.text, lookup.Room(env, defaultChars)/2))
	return tool.Failed(lookup.Plain(text))
}

// failed tells why a page cannot be read; for one that does not exist, which
// pages look like it.
func (t *Page) failed(ctx context.Context, what string, a address.Page, err error) tool.Result {
	var f *fetch.Error
	if !errors.As(err, &f) || f.Kind != fetch.NotFound || a.Slug == "" {
		return lookup.Failed(what, err)
	}
	set, setErr := t.manifests.Set(ctx, manifest.Product{ID: a.Slug, Area: a.Area, Slug: a.Slug})
	if setErr != nil {
		return lookup.Failed(what, err, "Look for the page with explore_hf_docs.")
	}
	var keys []string
	byKey := map[string]manifest.Page{}
	for _, p := range set.Pages {
		if key := p.Address.Key(); p.Ours && byKey[key].URL == "" {
			keys = append(keys, key)
			byKey[key] = p
		}
	}
	if same, ok := byKey[a.Key()]; ok && same.URL != a.URL() {
		return lookup.Failed(what, err, "The page exists under another version: "+same.URL)
	}
	var list []string
	for _, key := range manifest.Nearest(a.Key(), keys, 5) {
		list = append(list, byKey[key].URL)
	}
	return lookup.Failed(what, err, "Pages with a similar path: "+strings.Join(list, " , "))
}
