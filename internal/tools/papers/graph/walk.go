package graph

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/scholar"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
)

// Bounds of a walk.
const (
	maxCalls = 30
	// starts are the papers of the first level that the second one begins at.
	starts = 10
	// maxNodes are how many papers of a level are looked at closely.
	maxNodes = 2 * scholar.BatchSize
	// hubLinks is how many of the found papers cite a hub, at least.
	hubLinks = 3
	maxHubs  = 10
)

// node is a paper on the way.
type node struct {
	scholar.Paper
	name        string // what makes it the same paper
	how         []string
	contexts    []string
	influential int // of the links that lead here
	hits        int
	level       int
	score       float64
}

// walk is a walk in progress.
type walk struct {
	*Service
	r        Request
	keywords []string
	calls    int
	nodes    map[string]*node
	hubs     []hub
	sources  []*fetch.Response
	notes    []string
	stopped  bool
	total    int // papers seen that fit
}

type hub struct {
	scholar.Paper
	by int
}

// Walk ranks the papers around one.
func (s *Service) Walk(ctx context.Context, r Request) (*Answer, error) {
	w := &walk{Service: s, r: r, nodes: map[string]*node{}, keywords: strings.Fields(strings.ToLower(r.Query))}
	err := w.level(ctx, r.Key, r.Key.Bare(), 1, scholar.PageSize)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && len(w.nodes) == 0 {
		return nil, err
	}
	w.look(ctx, 1)
	if r.Depth > 1 {
		for _, n := range w.ranked(1)[:min(starts, len(w.ranked(1)))] {
			if k := n.Key(); k != "" && !w.stopped {
				_ = w.level(ctx, k, cmp.Or(n.ArxivID, show.Line(n.Title, 40)), 2, 200) // what failed is in the notes
			}
		}
		w.look(ctx, 2)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	found := w.ranked(0)
	w.total = len(found)
	start := min(r.Offset, len(found))
	shown := found[start:min(start+r.Limit, len(found))]
	w.findHubs(ctx, shown)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return &Answer{Sources: w.sources, Render: func(room int, next func(scholar.Direction, int) string) string {
		return w.render(shown, start, room, next)
	}}, nil
}

// may counts a call, and reports whether there is one left. The last two are
// kept for what makes a result of the others.
func (w *walk) may(kept int) bool {
	if w.stopped || w.calls+kept >= maxCalls {
		if !w.stopped {
			w.note(fmt.Sprintf("stopped after %d calls", w.calls))
		}
		return false
	}
	w.calls++
	return true
}

func (w *walk) note(text string) {
	if !slices.Contains(w.notes, text) {
		w.notes = append(w.notes, text)
	}
}

// level adds the papers next to one.
func (w *walk) level(ctx context.Context, key scholar.Key, name string, level, limit int) error {
	var failed error
	for _, d := range []scholar.Direction{scholar.References, scholar.Citations} {
		if d == scholar.References && !w.r.References || d == scholar.Citations && !w.r.Citations || !w.may(3) {
			continue
		}
		span := scholar.Span{Limit: limit, From: w.r.From, To: w.r.To}
		ask := w.o.Scholar.Semantic.Links
		if level == 1 {
			ask = w.o.Scholar.Links // the first step may be made elsewhere
		}
		links, err := ask(ctx, key, d, span)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed = err
			w.note(fmt.Sprintf("%s of %s could not be listed: %s", d, name, Reason(err)))
			w.stopped = w.stopped || level > 1 && scholar.Limited(err)
			continue
		}
		w.sources = append(w.sources, links.Response)
		if links.Instead != nil {
			w.note(fmt.Sprintf("%s of %s are from %s, which knows no influence or contexts, because %s", d, name, links.Source, Reason(links.Instead)))
		}
		if links.More {
			w.note(fmt.Sprintf("of the %s of %s the %d that are listed first were looked at", d, name, len(links.Links)))
		}
		if links.Withheld {
			w.note(fmt.Sprintf("the publisher withholds the %s of %s", d, name))
		}
		for i := range links.Links {
			w.add(&links.Links[i], d, name, level)
		}
	}
	return failed
}

// add puts a paper on the map, or another way to one that is there.
func (w *walk) add(l *scholar.Link, d scholar.Direction, name string, level int) {
	id := cmp.Or(l.ID, l.ArxivID, strings.ToLower(l.Title))
	if id == "" || l.Title == "" || w.isRoot(&l.Paper) {
		return
	}
	n := w.nodes[id]
	if n == nil {
		n = &node{Paper: l.Paper, name: id, level: level}
		w.nodes[id] = n
	}
	how := "cites " + name
	if d == scholar.References {
		how = "cited by " + name
	}
	if l.Influential {
		n.influential++
		how += " (influential)"
	}
	if len(n.how) < 3 && !slices.Contains(n.how, how) {
		n.how = append(n.how, how)
	}
	if len(n.contexts) < 20 {
		n.contexts = append(n.contexts, l.Contexts...)
	}
}

// isRoot reports whether a paper is the one the walk began at.
func (w *walk) isRoot(p *scholar.Paper) bool {
	return p.ArxivID != "" && p.ArxivID == w.r.Arxiv || p.ID != "" && p.ID == string(w.r.Key) || p.CorpusID != "" && "CorpusId:"+p.CorpusID == string(w.r.Key) ||
		p.DOI != "" && strings.EqualFold("DOI:"+p.DOI, string(w.r.Key))
}

// ranked are the papers of a level that fit, best first; level 0 is all.
func (w *walk) ranked(level int) []*node {
	now := w.o.Now()
	var out []*node
	for _, n := range w.nodes {
		if level != 0 && n.level != level || w.r.MinCitations > 0 && value(n.Citations) < w.r.MinCitations || !w.match(n) {
			continue
		}
		n.score = 2*float64(n.influential) + max(perYear(&n.Paper, now), 0) + 3*float64(n.hits)
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b *node) int {
		return cmp.Or(cmp.Compare(b.score, a.score), newer(&a.Paper, &b.Paper), strings.Compare(a.name, b.name))
	})
	return out
}

// match counts where the keywords occur; each has to occur somewhere.
func (w *walk) match(n *node) bool {
	n.hits = 0
	places := []string{strings.ToLower(n.Title), strings.ToLower(n.TLDR), strings.ToLower(strings.Join(n.contexts, "\n"))}
	for _, k := range w.keywords {
		before := n.hits
		for _, p := range places {
			if strings.Contains(p, k) {
				n.hits++
			}
		}
		if n.hits == before {
			return false
		}
	}
	return true
}

// look asks for what links do not tell, above all the summaries, in which the
// keywords may occur.
func (w *walk) look(ctx context.Context, level int) {
	words := w.keywords
	w.keywords = nil // the summaries are not known yet
	candidates := w.ranked(level)
	w.keywords = words
	if len(candidates) > maxNodes {
		w.note(fmt.Sprintf("%d papers of level %d were ranked by citations and influence only", len(candidates)-maxNodes, level))
		candidates = candidates[:maxNodes]
	}
	byKey := map[scholar.Key]*node{}
	var keys []scholar.Key
	for _, n := range candidates {
		if k := n.Key(); k != "" {
			byKey[k] = n
			keys = append(keys, k)
		}
	}
	for batch := range slices.Chunk(keys, scholar.BatchSize) {
		if !w.may(1) {
			return
		}
		got, err := w.o.Scholar.Batch(ctx, batch, scholar.DetailFields)
		if err != nil {
			w.note("summaries could not be asked for: " + Reason(err))
			w.stopped = w.stopped || scholar.Limited(err)
			return
		}
		w.sources = append(w.sources, got.Response)
		for k, p := range got.Papers {
			byKey[k].learn(p)
		}
	}
}

// learn takes over what a fuller record knows.
func (n *node) learn(p *scholar.Paper) {
	n.TLDR = cmp.Or(p.TLDR, n.TLDR)
	n.Date = cmp.Or(p.Date, n.Date)
	n.ArxivID = cmp.Or(p.ArxivID, n.ArxivID)
	if p.Year != nil {
		n.Year = p.Year
	}
	if p.Citations != nil {
		n.Citations = p.Citations
	}
}

// findHubs finds what several of the shown papers cite.
func (w *walk) findHubs(ctx context.Context, shown []*node) {
	var keys []scholar.Key
	for _, n := range shown {
		if k := n.Key(); k != "" {
			keys = append(keys, k)
		}
	}
	if len(keys) < hubLinks || !w.may(0) {
		return
	}
	got, err := w.o.Scholar.Batch(ctx, keys, scholar.CitedFields)
	if err != nil {
		w.note("hubs could not be found: " + Reason(err))
		return
	}
	w.sources = append(w.sources, got.Response)
	counts := map[string]*hub{}
	for _, k := range keys {
		p := got.Papers[k]
		if p == nil {
			continue
		}
		seen := map[string]bool{}
		for _, c := range p.Cited {
			id := cmp.Or(c.ID, strings.ToLower(c.Title))
			if id == "" || seen[id] || w.isRoot(&c) {
				continue
			}
			seen[id] = true
			if counts[id] == nil {
				counts[id] = &hub{Paper: c}
			}
			counts[id].by++
		}
	}
	for _, h := range counts {
		if h.by >= hubLinks {
			w.hubs = append(w.hubs, *h)
		}
	}
	slices.SortFunc(w.hubs, func(a, b hub) int {
		return cmp.Or(b.by-a.by, value(b.Citations)-value(a.Citations), strings.Compare(a.Title, b.Title))
	})
	w.hubs = w.hubs[:min(len(w.hubs), maxHubs)]
}

func (w *walk) render(shown []*node, start, room int, next func(scholar.Direction, int) string) string {
	var head strings.Builder
	fmt.Fprintf(&head, "# Citation Walk from %s\n", w.r.Key.Bare())
	if w.r.Arxiv != "" {
		fmt.Fprintf(&head, "https://arxiv.org/abs/%s\n", w.r.Arxiv)
	}
	if w.r.Query != "" {
		fmt.Fprintf(&head, "Keywords: '%s'\n", show.Line(w.r.Query, 200))
	}
	for _, n := range w.notes {
		fmt.Fprintf(&head, "Note: %s\n", show.Line(n, 600))
	}
	fmt.Fprintf(&head, "%s of depth %d fit, %d were seen. Rank = 2 × influential links + citations a year + 3 × keyword hits.\n\n",
		show.Counted(w.total, "paper"), max(w.r.Depth, 1), len(w.nodes))
	if len(shown) == 0 {
		return head.String() + "No paper fits. Ask with fewer keywords, a lower min_citations or an earlier date_from.\n"
	}
	head.WriteString("| # | Title | Year | Cites | arXiv | How | Context |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	l := show.List{Head: head.String(), Offset: start, More: start+len(shown) < w.total, Tail: w.hubTable(), Next: func(n int) string { return next("", n) }}
	for i, n := range shown {
		context := ""
		if len(n.contexts) > 0 {
			context = n.contexts[0]
		}
		l.Entries = append(l.Entries, fmt.Sprintf("| %d | %s | %s | %s | %s | %s | %s |\n", start+i+1, cell(n.Title, 200), show.Or(n.Year), show.Or(n.Citations),
			cell(n.ArxivID, 30), cell(strings.Join(n.how, "; "), 200), cell(context, 200)))
	}
	return l.Render(room)
}

func (w *walk) hubTable() string {
	if len(w.hubs) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## Hubs (cited by at least %d of those shown)\n", hubLinks)
	for _, h := range w.hubs {
		fmt.Fprintf(&b, "- **%s** (%s, %s cites), cited by %d", show.Line(h.Title, 200), show.Or(h.Year), show.Or(h.Citations), h.by)
		if h.ArxivID != "" {
			fmt.Fprintf(&b, "  arxiv:%s", show.Line(h.ArxivID, 40))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// cell is a text that does not end its place in a table.
func cell(s string, n int) string {
	return show.OrText(strings.ReplaceAll(show.Line(s, n), "|", "\\|"))
}
