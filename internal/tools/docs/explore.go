package docs

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/docs/manifest"
)

//go:embed explore_hf_docs.json
var exploreDescription []byte

// How many results are shown, and how many requests run at once.
const (
	defaultResults = 20
	maxResults     = 50
	atOnce         = 8
)

// Explore is explore_hf_docs.
type Explore struct{ base }

var _ tool.Tool = (*Explore)(nil)

func newExplore(s *source) (*Explore, error) {
	b, err := newBase(s, exploreDescription, "explore")
	return &Explore{b}, err
}

// ExploreParams are the arguments of explore_hf_docs.
type ExploreParams struct {
	Endpoint   string `json:"endpoint"`
	Query      string `json:"query,omitempty"`
	MaxResults *int   `json:"max_results,omitempty"`
}

// question is a call that has been read.
type question struct {
	endpoint, query string
	limit           int
	notes           []string
	sets            []manifest.Product
}

// Run lists or searches pages.
func (t *Explore) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	q, err := readQuestion(args)
	if err != nil {
		return t.refused(err), nil
	}
	if q.endpoint == "gradio" {
		return t.gradio(ctx, env, q), nil
	}
	catalogue := t.manifests.Catalogue(ctx)
	if q.sets, err = catalogue.Resolve(q.endpoint); err != nil {
		return t.refused(fmt.Errorf("endpoint: %w", err)), nil
	}
	if len(q.sets) == 1 && q.sets[0].Elsewhere != "" {
		return t.elsewhere(ctx, env, q), nil
	}
	if q.query == "" {
		return t.list(ctx, env, q), nil
	}
	return t.search(ctx, env, q), nil
}

func readQuestion(args json.RawMessage) (question, error) {
	var p ExploreParams
	if err := tool.Decode(args, &p); err != nil {
		return question{}, err
	}
	q := question{
		endpoint: strings.ToLower(strings.Trim(strings.TrimSpace(p.Endpoint), "/")),
		query:    strings.Join(strings.Fields(lookup.Plain(p.Query)), " "), limit: defaultResults,
	}
	if q.endpoint == "" {
		return q, errors.New("endpoint must name a documentation set")
	}
	switch {
	case p.MaxResults == nil:
	case *p.MaxResults < 1:
		return q, fmt.Errorf("max_results is %d: it must be at least 1", *p.MaxResults)
	case *p.MaxResults > maxResults:
		q.limit = maxResults
		q.notes = append(q.notes, fmt.Sprintf("requested %d, showing at most %d", *p.MaxResults, maxResults))
	default:
		q.limit = *p.MaxResults
	}
	return q, nil
}

// elsewhere tells of a set that is not on the Hub: it is listed, not read.
func (t *Explore) elsewhere(ctx context.Context, env tool.Env, q question) tool.Result {
	p := q.sets[0]
	if strings.Contains(p.Elsewhere, "gradio.app") {
		return t.gradio(ctx, env, q)
	}
	return tool.Failed(fmt.Sprintf("explore_hf_docs %s failed (%s): the Hub lists this documentation at %s, outside its own pages. Read it with web_fetch.",
		q.endpoint, fetch.NotFound, lookup.Line(p.Elsewhere, 300)))
}

// item is an entry of a result.
type item struct {
	title, url, section, glimpse string
	score                        float64 // 0 shows none
}

func (i item) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n   URL: %s\n   Section: %s", lookup.Line(i.title, 200), lookup.Line(i.url, 500), i.section)
	if i.score > 0 {
		fmt.Fprintf(&b, "\n   Relevance score: %.2f", i.score)
	}
	if i.glimpse != "" {
		b.WriteString("\n   Glimpse: " + i.glimpse)
	}
	return b.String()
}

// title is the first line of a result.
func (q question) title() string {
	url := "https://huggingface.co/docs/" + q.endpoint
	if len(q.sets) == 1 {
		url = q.sets[0].URL()
	}
	return "Documentation structure for: " + url + "\n\n"
}

// page lays out items below a head, as many as fit into room; left is how many
// do not.
func layOut(head string, items []string, room int) (text string, left int) {
	var b strings.Builder
	b.WriteString(head)
	used := utf8.RuneCountInString(head)
	for i, it := range items {
		it = fmt.Sprintf("\n\n%d. %s", i+1, it)
		if n := utf8.RuneCountInString(it); used+n <= room || i == 0 {
			b.WriteString(it)
			used += n
			continue
		}
		return b.String(), len(items) - i
	}
	return b.String(), 0
}

// notes are the remarks on a result, in brackets.
func joinNotes(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return "(" + strings.Join(notes, "; ") + ")"
}

// parts does something for each set, a few at once, and returns when all are
// done.
func parts[T any](n int, f func(i int) T) []T {
	out := make([]T, n)
	turn := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range n {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			out[i] = f(i)
		})
	}
	wg.Wait()
	return out
}

// listed is the list of pages of a set, or why there is none.
type listed struct {
	set *manifest.Set
	err error
}

func (t *Explore) lists(ctx context.Context, sets []manifest.Product) []listed {
	return parts(len(sets), func(i int) listed {
		set, err := t.manifests.Set(ctx, sets[i])
		return listed{set, err}
	})
}

// missing are remarks on the sets whose lists are missing, if others are there;
// err is the first reason if there are none at all.
func missing(sets []manifest.Product, lists []listed) (notes []string, err error) {
	found := 0
	for i, l := range lists {
		if l.err == nil {
			found++
			continue
		}
		if err == nil {
			err = l.err
		}
		notes = append(notes, fmt.Sprintf("%s is left out: %s", sets[i].ID, lookup.Line(l.err.Error(), 120)))
	}
	if found > 0 {
		err = nil
	}
	return notes, err
}
