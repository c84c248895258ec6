// Package papers is the tool that finds and reads research papers: the Hub's
// lists and records, Semantic Scholar's searches and links, arXiv's search, and
// the resources that belong to a paper. How a paper's text is read it leaves to
// its reader, and requests to the client it is given.
package papers

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/arxiv"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/scholar"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/papers/graph"
	"github.com/ml-intern/ml-intern/internal/tools/papers/hub"
	"github.com/ml-intern/ml-intern/internal/tools/papers/request"
	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
	"github.com/ml-intern/ml-intern/internal/tools/papers/text"
)

//go:embed hf_papers.json
var description []byte

const name = "hf_papers"

// Options make the tool.
type Options struct {
	Fetch fetch.Getter
	// PDF reads a document's text as Markdown, for papers that have no other
	// form; nil leaves PDFs out.
	PDF func(ctx context.Context, document []byte) (string, error)
	// Alone leaves OpenAlex out, which is asked where Semantic Scholar is busy or
	// lacks a paper.
	Alone bool
	// Now is the time; nil is the clock.
	Now func() time.Time
}

// Tool is hf_papers. It is safe for concurrent use.
type Tool struct {
	spec    tool.Spec
	o       Options
	hub     *hub.Client
	scholar *scholar.Client
	arxiv   *arxiv.Client
	graph   *graph.Service
	text    *text.Reader
}

var _ tool.Tool = (*Tool)(nil)

// New returns the tool.
func New(o Options) (*Tool, error) {
	if o.Fetch == nil {
		return nil, errors.New("make hf_papers: Fetch is required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	t := &Tool{o: o}
	var err error
	if t.spec, err = tool.ParseSpec(description, lookup.MaxOutput); err != nil {
		return nil, err
	}
	if t.hub, err = hub.New(hub.Options{Fetch: o.Fetch}); err != nil {
		return nil, err
	}
	if t.arxiv, err = arxiv.New(arxiv.Options{Fetch: o.Fetch}); err != nil {
		return nil, err
	}
	if t.scholar, err = scholar.New(scholar.Options{Fetch: o.Fetch, Alone: o.Alone}); err != nil {
		return nil, err
	}
	if t.text, err = text.New(text.Options{Fetch: o.Fetch, PDF: o.PDF}); err != nil {
		return nil, err
	}
	t.graph, err = graph.New(graph.Options{Scholar: t.scholar, Now: o.Now, Bibliography: t.bibliography})
	return t, err
}

// Spec describes the tool.
func (t *Tool) Spec() tool.Spec { return t.spec }

// Risk is reading.
func (t *Tool) Risk(args json.RawMessage) tool.Risk {
	var p struct {
		Operation string `json:"operation"`
	}
	_ = json.Unmarshal(args, &p) // bad arguments have no operation
	return tool.Risk{Effect: event.Read, Operation: p.Operation}
}

// Run does one operation.
func (t *Tool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	in, err := request.Read(args)
	if err != nil {
		return refused(in, err), nil
	}
	if in.Operation == "read_paper" {
		r := t.text.Read(ctx, env, text.Args{Paper: in.Arxiv, Section: in.Section, Offset: in.Offset, MaxChars: in.MaxChars})
		return r, ctx.Err()
	}
	c := &call{Tool: t, Request: in, env: env}
	do := map[string]func(context.Context) (rendered, error){
		"trending": c.trending, "search": c.search, "arxiv_search": c.arxivSearch, "paper_details": c.details,
		"citation_graph": c.citationGraph, "citation_walk": c.citationWalk, "snippet_search": c.passages, "recommend": c.recommend,
		"find_datasets": c.datasets, "find_models": c.models, "find_collections": c.collections, "find_all_resources": c.resources,
	}[in.Operation]
	text, err := do(ctx)
	if ctx.Err() != nil {
		return tool.Result{}, ctx.Err()
	}
	if err != nil {
		return c.failed(err), nil
	}
	return c.finish(text), nil
}

// badArgument is a fault of the arguments that shows only when an operation
// looks at them.
type badArgument string

func (e badArgument) Error() string { return string(e) }

func bad(format string, args ...any) error { return badArgument(fmt.Sprintf(format, args...)) }

// refused tells what is wrong with the arguments, and gives good ones.
func refused(in *request.Request, err error) tool.Result {
	operation, example := in.Example()
	return tool.Failed(fmt.Sprintf("%s: bad_argument: %s. Example: hf_papers %s",
		strings.TrimSpace(name+" "+operation), strings.ReplaceAll(err.Error(), "\n", "; "), example))
}

// rendered makes the text of a result in at most room characters.
type rendered func(room int) string

// fixed is a result that is as long as it is.
func fixed(s string) rendered { return func(int) string { return s } }

// call is one call at work.
type call struct {
	*Tool
	*request.Request
	env     tool.Env
	sources []lookup.Source
}

// used notes an answer that the result is made from; url is the page people
// see, "" for the answer's own address.
func (c *call) used(r *fetch.Response, url string) {
	if r != nil {
		c.sources = append(c.sources, lookup.Source{
			Response: r, Tool: name, Operation: c.Operation, Object: c.object(), URL: url,
		})
	}
}

// object is what the call is about.
func (c *call) object() string {
	if o := c.Title(); o != "" {
		return o
	}
	return show.Line(c.Query, 200)
}

// finish renders a result within the room there is, and cites its sources.
func (c *call) finish(render rendered) tool.Result {
	room := lookup.Room(c.env, c.MaxChars)
	tail := ""
	if c.Cut {
		tail = fmt.Sprintf("\n\nlimit is %d at most: use offset for more.", request.MaxLimit)
	}
	out := strings.TrimRight(render(room-len(tail)), "\n")
	if utf8.RuneCountInString(out) > room-len(tail) {
		out = lookup.Part{Max: room - len(tail), More: func(int) string { return "a larger max_chars or a smaller limit" }}.Cut(out)
	}
	title := heading(out)
	for i := range c.sources {
		c.sources[i].Title = title
	}
	return lookup.Cite(c.env, out+tail, c.sources...)
}

// heading is the first heading of a text: what was found, in a few words.
func heading(text string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "# "); ok {
			return show.Line(rest, 200)
		}
	}
	return ""
}

// failed tells what was tried, what came back and what to do next.
func (c *call) failed(err error) tool.Result {
	what := strings.TrimSpace(name + " " + c.Operation + " " + c.object())
	var f *fetch.Error
	var argument badArgument
	switch {
	case errors.As(err, &argument):
		return refused(c.Request, err)
	case !errors.As(err, &f):
		return lookup.Failed(what, err)
	case f.Service == "Semantic Scholar":
		return lookup.Failed(what, err, graph.Advice(err)+".")
	case f.Kind == fetch.NotFound:
		return lookup.Failed(what, err, "Check the id, or find the paper with search or arxiv_search.")
	}
	return lookup.Failed(what, err)
}
