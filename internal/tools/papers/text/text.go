// Package text reads the text of research papers for the tool that finds them:
// from whichever place has it in the best form, in sections and parts. It knows
// the places; how each form is read it leaves to the markup packages.
package text

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/arxiv"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/paper"
)

const (
	name      = "hf_papers"
	operation = "read_paper"
	// usual is how many characters an answer has where nobody says.
	usual = 20_000
)

// Args say what to read.
type Args struct {
	Paper arxiv.ID
	// Section is "" for the overview, the numbers of sections, a heading, or
	// one of abstract, references, tables, all.
	Section string
	// Offset and MaxChars cut the text, in characters; 0 is the usual length.
	Offset, MaxChars int
}

// Options make a Reader.
type Options struct {
	Fetch fetch.Getter
	// PDF reads a document's text as Markdown; nil leaves PDFs out.
	PDF func(ctx context.Context, document []byte) (string, error)
}

// Reader reads papers. It is safe for concurrent use.
type Reader struct {
	o     Options
	arxiv *arxiv.Client

	mu   sync.Mutex
	kept []document // PDFs that were read last: reading one takes seconds
}

// New returns a Reader.
func New(o Options) (*Reader, error) {
	if o.Fetch == nil {
		return nil, errors.New("make the reader of papers: Fetch is required")
	}
	client, err := arxiv.New(arxiv.Options{Fetch: o.Fetch})
	if err != nil {
		return nil, err
	}
	return &Reader{o: o, arxiv: client}, nil
}

// found is a paper and where it is from.
type found struct {
	*paper.Paper
	*fetch.Response
	// place is what the first line calls it, version what it says of it.
	place, version string
	// page is the address people see.
	page string
}

// Read answers one call.
func (r *Reader) Read(ctx context.Context, env tool.Env, in Args) tool.Result {
	c := call{Args: in, what: strings.TrimSpace(fmt.Sprintf("%s %s %s", name, operation, in.Paper))}
	if in.Paper.Name == "" {
		return lookup.Failed(c.what, &fetch.Error{Kind: fetch.BadArgument, Service: "arxiv_id", Message: "it is needed"})
	}
	p, missing, err := r.text(ctx, in.Paper)
	if p == nil && err == nil {
		return r.abstract(ctx, env, c, missing)
	} else if err != nil {
		return lookup.Failed(c.what, err)
	}
	c.found = p
	body, result := c.choose()
	if body == nil {
		return result
	}
	return c.answer(env, *body)
}

// call is one call at work.
type call struct {
	Args
	*found
	what string
}

// chosen is what of a paper is shown: a head, which every part has, and the text
// that offsets count in.
type chosen struct{ head, text string }

// answer shows a part of what was chosen under the line that names the source.
func (c *call) answer(env tool.Env, of chosen) tool.Result {
	head := fmt.Sprintf("source: %s%s\n%s\n\n", c.place, c.version, of.head)
	if c.Offset > 0 {
		head = fmt.Sprintf("source: %s%s\n\n", c.place, c.version)
	}
	wanted := c.MaxChars
	if wanted <= 0 {
		wanted = usual
	}
	const least = 200 // characters of text, however long the head is
	room := max(min(lookup.Room(env, 0)-len([]rune(head)), wanted), least)
	part := lookup.Part{Offset: c.Offset, Max: room, More: c.more}.Cut(of.text)
	return lookup.Cite(env, head+part, lookup.Source{
		Response: c.Response, Tool: name, Operation: operation, Object: c.Args.Paper.String(), Title: c.Title, URL: c.page,
	})
}

// more is the call that reads on.
func (c *call) more(offset int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `%s {"operation":%q,"arxiv_id":%q`, name, operation, c.Args.Paper.String())
	if c.Section != "" {
		fmt.Fprintf(&b, `,"section":%q`, c.Section)
	}
	fmt.Fprintf(&b, `,"offset":%d`, offset)
	if c.MaxChars > 0 {
		fmt.Fprintf(&b, `,"max_chars":%d`, c.MaxChars)
	}
	return b.String() + "}"
}

// address is the paper's page for people.
func (c *call) address() string { return c.Args.Paper.AbstractURL() }

// name is the paper's title, else its id.
func (c *call) name() string {
	if c.Title != "" {
		return lookup.Line(c.Title, 300)
	}
	return "arXiv " + c.Args.Paper.String()
}
