package docs

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/docs/address"
	"github.com/ml-intern/ml-intern/internal/tools/docs/hubsearch"
	"github.com/ml-intern/ml-intern/internal/tools/docs/index"
	"github.com/ml-intern/ml-intern/internal/tools/docs/manifest"
	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

const (
	// What the Hub's searches take.
	hubQueryChars = 250
	hubLimit      = 25
	// searchFresh is how long the Hub's answers serve again.
	searchFresh = 10 * time.Minute
	// wholeFresh is how long a whole set in the local index is current, and
	// wholeLimit how large the file with all of a set may be: the largest sets
	// have more than a page's limit.
	wholeFresh = 7 * 24 * time.Hour
	wholeLimit = 32 << 20 // bytes
	// firstExcerpt and excerpt are how much of a hit is shown, in characters.
	firstExcerpt = 1200
	excerpt      = 400
)

// found is what a search has brought.
type found struct {
	items   []item
	sources []lookup.Source
	err     error
}

// search shows the pages that answer the query: those that the Hub's search
// finds, else those of the local index, else those whose titles fit.
func (t *Explore) search(ctx context.Context, env tool.Env, q question) tool.Result {
	type both struct {
		found
		listed
	}
	asked := parts(len(q.sets), func(i int) both {
		set, err := t.manifests.Set(ctx, q.sets[i])
		return both{t.askHub(ctx, q, q.sets[i]), listed{set, err}}
	})
	if ctx.Err() != nil {
		return lookup.Failed("explore_hf_docs "+q.endpoint, ctx.Err())
	}
	var lists []listed
	var hub []found
	var rest []manifest.Product // sets that the Hub did not search
	var hubErr error
	for i, a := range asked {
		lists = append(lists, a.listed)
		if hub = append(hub, a.found); a.found.err != nil {
			rest = append(rest, at(q.sets[i], a.listed))
			hubErr = a.found.err
		}
	}
	all := interleave(hub)
	notes := q.notes
	if len(all.items) == 0 {
		rest = nil
		for i, a := range asked {
			rest = append(rest, at(q.sets[i], a.listed))
		}
	}
	if len(rest) > 0 {
		if local := t.askIndex(ctx, q, rest); len(local.items) > 0 {
			all.items = append(all.items, local.items...)
			all.sources = append(all.sources, local.sources...)
			notes = append(notes, localNote(hubErr))
		}
	}
	if len(all.items) == 0 {
		gaps, err := missing(q.sets, lists)
		if err != nil {
			return lookup.Failed("explore_hf_docs "+q.endpoint, err)
		}
		ranked, matched := byTitle(q, lists)
		all = found{items: ranked, sources: t.sources(lists, q)}
		notes = append(append(notes, gaps...), titleNote(matched))
	}
	return t.show(env, q, all, lists, notes)
}

func localNote(hubErr error) string {
	if hubErr == nil {
		return "from the local index; the Hub's search found nothing"
	}
	return "from the local index; the Hub's search failed: " + lookup.Line(hubErr.Error(), 120)
}

func titleNote(matched bool) string {
	if matched {
		return "by titles and paths only"
	}
	return "no strong match: the first pages"
}

// at is a set where its list of pages was found.
func at(p manifest.Product, l listed) manifest.Product {
	if l.set != nil {
		return l.set.Product
	}
	return p
}

func (t *Explore) show(env tool.Env, q question, all found, lists []listed, notes []string) tool.Result {
	items := all.items
	if len(items) > q.limit {
		items = items[:q.limit]
		if q.limit == defaultResults {
			notes = append(notes, fmt.Sprintf("top %d", defaultResults))
		}
	}
	total := 0
	for _, l := range lists {
		if l.set != nil {
			total += len(l.set.Pages)
		}
	}
	head := q.title() + fmt.Sprintf("Query: '%s' → showing %d result(s)", lookup.Line(q.query, 300), len(items))
	if total > 0 {
		head += fmt.Sprintf(" out of %d pages", total)
	}
	if len(notes) > 0 {
		head += " " + joinNotes(notes)
	}
	var texts []string
	for i, it := range items {
		most := excerpt
		if i == 0 {
			most = firstExcerpt
		}
		it.glimpse = shorten(it.glimpse, most)
		texts = append(texts, it.String())
	}
	room := lookup.Room(env, 0)
	text, left := layOut(head, texts, room-100)
	if left > 0 {
		text += fmt.Sprintf("\n\n… %d further result(s) do not fit; ask for fewer or narrow the query", left)
	}
	return lookup.Cite(env, text, all.sources...)
}

// shorten cuts an excerpt to n characters, keeping its lines and closing a code
// fence that it tears.
func shorten(text string, n int) string {
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) > n {
		text = strings.TrimSpace(string([]rune(text)[:n])) + "…"
	}
	if strings.Count(text, "```")%2 == 1 {
		text += "\n```"
	}
	return strings.ReplaceAll(text, "\n", "\n   ")
}

// interleave takes the first of each, then the second of each, and so on: the
// results of different sets cannot be compared.
func interleave(all []found) (out found) {
	seen := map[string]bool{}
	for i, more := 0, true; more; i++ {
		more = false
		for _, f := range all {
			if i >= len(f.items) {
				continue
			}
			more = true
			if it := f.items[i]; !seen[it.url] {
				seen[it.url] = true
				out.items = append(out.items, it)
			}
		}
	}
	for _, f := range all {
		if len(f.items) > 0 {
			out.sources = append(out.sources, f.sources...)
		}
	}
	return out
}

// askHub asks the Hub's search for a set, and its search for words where that
// finds nothing.
func (t *Explore) askHub(ctx context.Context, q question, p manifest.Product) found {
	text := q.query
	if runes := []rune(text); len(runes) > hubQueryChars {
		text = string(runes[:hubQueryChars])
	}
	limit := strconv.Itoa(min(q.limit, hubLimit))
	first := t.ask(ctx, "/api/docs/search?"+url.Values{"q": {text}, "limit": {limit}, "product": {p.ID}}.Encode(), p, hubsearch.Sections)
	if len(first.items) > 0 || ctx.Err() != nil {
		return first
	}
	second := t.ask(ctx, "/api/docs/search/full-text?"+url.Values{"q": {text}, "limit": {limit}, "domain": {p.Slug}}.Encode(), p, hubsearch.FullText)
	if second.err != nil && first.err == nil {
		second.err = nil // the better of the two has answered: there is nothing
	}
	return second
}

func (t *Explore) ask(ctx context.Context, path string, p manifest.Product, read func([]byte) ([]hubsearch.Hit, error)) found {
	resp, err := t.Fetch.Do(ctx, fetch.Request{URL: address.Hub + path, Fresh: searchFresh})
	if err != nil {
		return found{err: err}
	}
	hits, err := read(resp.Body)
	if err != nil {
		return found{err: &fetch.Error{Kind: fetch.Parse, Service: "the Hub's documentation search", URL: resp.URL, Message: "the answer has another form than expected", Err: err}}
	}
	var items []item
	for _, h := range hits[:min(len(hits), hubLimit)] {
		items = append(items, item{title: h.Title, url: h.URL, section: p.ID, glimpse: h.Text})
	}
	return found{items: items, sources: []lookup.Source{{
		Response: resp, Tool: t.spec.Name, Operation: "search", Object: p.ID, Title: "Search in the documentation of " + p.ID,
	}}}
}

// askIndex searches the local index, after whole sets have been put into it
// that are to be had in one file.
func (t *Explore) askIndex(ctx context.Context, q question, sets []manifest.Product) found {
	sets = onHub(sets)
	parts(len(sets), func(i int) struct{} {
		t.fill(ctx, sets[i])
		return struct{}{}
	})
	var slugs []string
	name := map[string]string{}
	for _, p := range sets {
		slugs = append(slugs, p.Slug)
		name[p.Slug] = p.ID
	}
	hits, err := t.index.Search(ctx, index.Query{Text: q.query, Slugs: slugs, Limit: q.limit})
	if err != nil || len(slugs) == 0 {
		return found{err: err}
	}
	var out found
	for _, h := range hits {
		it := item{title: h.Title, url: h.URL, section: name[h.Slug], glimpse: h.Excerpt, score: h.Score}
		if h.Heading != "" {
			it.title += " › " + h.Heading
		}
		if h.Anchor != "" {
			it.url += "#" + h.Anchor
		}
		out.items = append(out.items, it)
		out.sources = append(out.sources, lookup.Source{
			Response: &fetch.Response{URL: h.Origin.URL, SHA256: h.Origin.SHA256, FetchedAt: h.Origin.FetchedAt, Cached: true},
			Tool:     t.spec.Name, Operation: "search", Object: h.Slug, Title: h.Title,
		})
	}
	return out
}

func onHub(sets []manifest.Product) (out []manifest.Product) {
	for _, p := range sets {
		if p.Slug != "" {
			out = append(out, p)
		}
	}
	return out
}

// fill puts a whole set into the local index when it is not there or old. That
// a set has no such file, or cannot be asked for it, leaves what is there.
func (t *Explore) fill(ctx context.Context, p manifest.Product) {
	if at, _, ok, err := t.index.Whole(ctx, p.Slug); err != nil || ok && t.Now().Sub(at) < wholeFresh {
		return
	}
	resp, err := t.Fetch.Do(ctx, fetch.Request{URL: p.URL() + "/llms-full.txt", Fresh: wholeFresh, Limit: wholeLimit})
	if err != nil {
		return
	}
	var pages []index.Page
	for _, w := range manifest.Whole(string(resp.Body)) {
		if w.Address.Slug == p.Slug {
			pages = append(pages, index.Page{Path: w.Address.Key(), Version: w.Address.Version, URL: w.URL, Title: w.Title, Text: lookup.Plain(w.Text)})
		}
	}
	if len(pages) == 0 {
		return
	}
	_ = t.index.PutWhole(ctx, p.Slug, origin(resp), pages) // what is there already is searched
}

// byTitle ranks the pages of all lists by their titles and paths; where none
// fits it returns the first ones.
func byTitle(q question, lists []listed) (items []item, matched bool) {
	pages := grouped(lists)
	var fields [][]rank.Field
	for _, p := range pages {
		fields = append(fields, []rank.Field{{Text: p.Title, Weight: 2}, {Text: p.Address.Path, Weight: 1}})
	}
	for _, h := range rank.New(fields).Search(q.query) {
		p := pages[h.Text]
		items = append(items, item{title: p.Title, url: p.URL, section: p.section(), score: h.Score})
	}
	if len(items) > 0 {
		return items, true
	}
	for _, p := range pages {
		items = append(items, item{title: p.Title, url: p.URL, section: p.section()})
	}
	return items, false
}
