package docs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/docs/address"
	"github.com/ml-intern/ml-intern/internal/tools/docs/index"
	"github.com/ml-intern/ml-intern/internal/tools/docs/manifest"
)

const (
	// glimpseChars is how long a preview is.
	glimpseChars = 200
	// restChars is the room for the pages that are only named.
	restChars = 12_000
)

// entryOf is a page of a list with the set it belongs to.
type entryOf struct {
	manifest.Page
	set string
}

// list shows the pages of the sets: the first ones with a preview, the others
// by name.
func (t *Explore) list(ctx context.Context, env tool.Env, q question) tool.Result {
	lists := t.lists(ctx, q.sets)
	gaps, err := missing(q.sets, lists)
	if err != nil {
		return lookup.Failed("explore_hf_docs "+q.endpoint, err)
	}
	pages := grouped(lists)
	shown := pages[:min(q.limit, len(pages))]
	items := t.items(ctx, env, shown)
	if ctx.Err() != nil {
		return lookup.Failed("explore_hf_docs "+q.endpoint, ctx.Err())
	}
	notes := append(gaps, q.notes...)
	if len(items) > defaultResults {
		notes = append(notes, fmt.Sprintf("no previews for more than %d pages", defaultResults))
	}
	if len(pages) > len(shown) && len(q.notes) == 0 && q.limit == defaultResults {
		notes = append(notes, fmt.Sprintf("top %d", defaultResults))
	}
	head := q.title() + fmt.Sprintf("Found %d page(s) (total available: %d).", len(shown), len(pages))
	if len(notes) > 0 {
		head += "\n" + joinNotes(notes)
	}
	room := lookup.Room(env, 0)
	rest := min(restChars, room/3)
	text, left := layOut(head, items, room-rest)
	text += others(pages[len(items)-left:], min(rest, room-utf8.RuneCountInString(text)))
	return lookup.Cite(env, text, t.sources(lists, q)...)
}

// sources are the lists that a result was made from.
func (t *Explore) sources(lists []listed, q question) []lookup.Source {
	var out []lookup.Source
	for _, l := range lists {
		if l.set != nil {
			out = append(out, lookup.Source{
				Response: l.set.Response, Tool: t.spec.Name, Operation: "list", Object: q.endpoint, Title: "Pages of " + l.set.Product.ID,
			})
		}
	}
	return out
}

// grouped are the pages of all lists, those of a directory together, in the
// order in which the lists have them.
func grouped(lists []listed) []entryOf {
	var out []entryOf
	for _, l := range lists {
		if l.set == nil {
			continue
		}
		order := map[string]int{}
		for _, p := range l.set.Pages {
			if _, ok := order[p.Directory()]; !ok {
				order[p.Directory()] = len(order)
			}
		}
		begin := len(out)
		for _, p := range l.set.Pages {
			out = append(out, entryOf{p, l.set.Product.ID})
		}
		slices.SortStableFunc(out[begin:], func(a, b entryOf) int { return order[a.Directory()] - order[b.Directory()] })
	}
	return out
}

// section names the set of a page and the directory within it.
func (e entryOf) section() string {
	if dir := e.Directory(); dir != "" {
		return e.set + "/" + dir
	}
	return e.set
}

// items are the entries of pages, with previews unless there are too many.
func (t *Explore) items(ctx context.Context, env tool.Env, pages []entryOf) []string {
	if len(pages) > defaultResults {
		var out []string
		for _, p := range pages {
			out = append(out, item{title: p.Title, url: p.URL, section: p.section()}.String())
		}
		return out
	}
	type preview struct {
		document
		glimpse string
	}
	var limited atomic.Bool // the service has had enough: ask for no more pages
	got := parts(len(pages), func(i int) preview {
		switch {
		case !pages[i].Ours:
			return preview{glimpse: "[Another site]"}
		case limited.Load():
			return preview{glimpse: "[Not fetched: rate limited]"}
		}
		d, err := t.load(ctx, pages[i].Address)
		if err != nil {
			var f *fetch.Error
			if errors.As(err, &f) && f.Kind == fetch.RateLimited {
				limited.Store(true)
			}
			return preview{glimpse: "[Could not fetch: " + lookup.Line(err.Error(), 50) + "]"}
		}
		return preview{d, glimpse(d.text)}
	})
	var out []string
	var keep []index.Page
	for i, p := range pages {
		g := got[i].glimpse
		if got[i].resp != nil {
			if e, ok := entry(p.Address, got[i].document); ok {
				keep = append(keep, e)
			}
			if mark := lookup.Note(env, lookup.Source{
				Response: got[i].resp, Tool: t.spec.Name, Operation: "preview", Object: p.Address.Short(), Title: p.Title, URL: p.URL,
			}); mark != "" {
				g += " [" + mark + "]"
			}
		}
		out = append(out, item{title: p.Title, url: p.URL, section: p.section(), glimpse: g}.String())
	}
	t.remember(ctx, keep...)
	return out
}

// glimpse is the beginning of a page's text, without its headings.
func glimpse(text string) string {
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if fenced || !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
		if b.Len() > 16*glimpseChars {
			break
		}
	}
	if strings.TrimSpace(b.String()) == "" {
		b.WriteString(text) // nothing but headings
	}
	short := lookup.Line(b.String(), glimpseChars+1)
	if runes := []rune(short); len(runes) > glimpseChars {
		return string(runes[:glimpseChars]) + "..."
	}
	return short
}

// others names the pages that are not shown, by directory, in at most max
// characters.
func others(pages []entryOf, max int) string {
	if len(pages) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n\n%d further page(s), as fetch_hf_docs takes them; query finds what is in them:", len(pages))
	used := utf8.RuneCountInString(b.String())
	in := ""
	for i, p := range pages {
		name := p.URL
		if p.Ours {
			name = current(p.Address).Short()
		}
		line := fmt.Sprintf("\n- %s: %s", lookup.Line(p.Title, 80), lookup.Line(name, 200))
		if s := p.section(); s != in {
			line = "\n" + s + line
			in = s
		}
		end := fmt.Sprintf("\n… and %d more", len(pages)-i)
		if used += utf8.RuneCountInString(line); used+len(end) > max && i < len(pages) {
			return b.String() + end
		}
		b.WriteString(line)
	}
	return b.String()
}

// current is the address of a page in the release that is shown by default,
// which is the one that a set's list names.
func current(a address.Page) address.Page {
	a.Version = ""
	return a
}
