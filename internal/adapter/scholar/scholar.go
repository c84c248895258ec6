// Package scholar asks the two services that know who cites whom: Semantic
// Scholar, and OpenAlex where the first is busy or lacks a paper. It knows
// papers, the links between them and passages of them, not who asks nor how it
// is shown.
package scholar

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// fresh is how long an answer may serve again.
const fresh = 24 * time.Hour

// Paper is what a service knows of a paper. A nil number and an empty text were
// not told.
type Paper struct {
	// ID is the service's own.
	ID                                 string
	ArxivID, DOI, CorpusID             string
	Title, Venue, TLDR, Abstract, PDF  string
	Authors                            []string
	Date                               string // such as "2024-02-05"
	Year                               *int
	Citations, Influential, References *int
	Cited                              []Paper // of Batch, where it was asked for
}

// Key is the name under which Semantic Scholar knows the paper; "" when it
// cannot be asked for it.
func (p *Paper) Key() Key {
	if isSHA(p.ID) {
		return Key(p.ID)
	}
	if p.CorpusID != "" {
		return Key("CorpusId:" + p.CorpusID)
	}
	return ""
}

// named reports whether there is anything to call the paper by.
func (p *Paper) named() bool { return p.Title != "" || p.ID != "" }

// Record is an answer about one paper.
type Record struct {
	*fetch.Response
	Paper
	// Source names the service. Instead is why it was asked in place of the
	// first one; nil when it is the first.
	Source  string
	Instead error
}

// Direction is the end of a link that is looked for.
type Direction string

// The directions.
const (
	Citations  Direction = "citations"
	References Direction = "references"
)

// Span is a part of a paper's links. From and To bound the day the other paper
// was published; "" is open.
type Span struct {
	Offset, Limit int
	From, To      string
}

// Link is a citation, with the paper at its other end.
type Link struct {
	Paper
	// Influential, Intents and Contexts are told by Semantic Scholar only.
	Influential bool
	Intents     []string
	Contexts    []string
}

// Links is an answer with links.
type Links struct {
	*fetch.Response
	Links []Link
	// Total counts all links, -1 when it was not told; More says that there
	// are more behind these.
	Total int
	More  bool
	// Withheld says that the publisher does not let the list be shown.
	Withheld bool
	Source   string
	Instead  error
}

// Query is a search.
type Query struct {
	Text string
	// From and To are days, both included; "" is open.
	From, To string
	// Fields are fields of study as Semantic Scholar names them.
	Fields        []string
	MinCitations  int
	Sort          Sort
	Offset, Limit int
}

// Sort is an order of found papers.
type Sort string

// The orders.
const (
	Relevance       Sort = "relevance"
	CitationCount   Sort = "citationCount"
	PublicationDate Sort = "publicationDate"
)

// Found is an answer with papers. Total is -1 when it was not told.
type Found struct {
	Responses []*fetch.Response
	Papers    []Paper
	Total     int
	Source    string
}

// Source is a service that knows papers and their links.
type Source interface {
	Name() string
	Paper(ctx context.Context, key Key) (*Record, error)
	Links(ctx context.Context, key Key, d Direction, s Span) (*Links, error)
	Search(ctx context.Context, q Query) (*Found, error)
}

var (
	_ Source = (*Semantic)(nil)
	_ Source = (*OpenAlex)(nil)
)

// Options make a Client.
type Options struct {
	Fetch fetch.Getter
	// Alone leaves OpenAlex out.
	Alone bool
}

// Client asks Semantic Scholar and, where that is busy, down or without the
// paper, OpenAlex. It is safe for concurrent use.
type Client struct {
	*Semantic
	second Source
}

// New returns a Client.
func New(o Options) (*Client, error) {
	if o.Fetch == nil {
		return nil, errors.New("make the client of literature services: Fetch is required")
	}
	c := &Client{Semantic: &Semantic{o.Fetch}}
	if !o.Alone {
		c.second = &OpenAlex{o.Fetch}
	}
	return c, nil
}

// Second is the service that is asked after the first one; nil is none.
func (c *Client) Second() Source { return c.second }

// Paper returns what is known of a paper.
func (c *Client) Paper(ctx context.Context, key Key) (*Record, error) {
	r, err := c.Semantic.Paper(ctx, key)
	if c.second == nil || !elsewhere(ctx, err) {
		return r, err
	}
	r, other := c.second.Paper(ctx, key)
	if other != nil {
		return nil, err
	}
	r.Instead = err
	return r, nil
}

// Links returns who cites a paper, or whom it cites.
func (c *Client) Links(ctx context.Context, key Key, d Direction, s Span) (*Links, error) {
	l, err := c.Semantic.Links(ctx, key, d, s)
	if c.second == nil || !elsewhere(ctx, err) {
		return l, err
	}
	l, other := c.second.Links(ctx, key, d, s)
	if other != nil {
		return nil, err
	}
	l.Instead = err
	return l, nil
}

// elsewhere reports whether another service may know more: not where the
// question itself was bad.
func elsewhere(ctx context.Context, err error) bool {
	var f *fetch.Error
	return ctx.Err() == nil && errors.As(err, &f) && f.Kind != fetch.BadArgument && f.Status != 400
}

// Limited reports whether an error means that a service has no time for us.
func Limited(err error) bool {
	var f *fetch.Error
	return errors.As(err, &f) && f.Kind == fetch.RateLimited
}

// cited is an answer as it is cited: its address without the list of fields,
// which only says how much of a record was wanted.
func cited(r *fetch.Response) *fetch.Response {
	u, err := url.Parse(r.URL)
	if err != nil {
		return r
	}
	q := u.Query()
	q.Del("fields")
	q.Del("select")
	u.RawQuery = q.Encode()
	short := *r
	short.URL = u.String()
	return &short
}

// line makes a text one line.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// count is a number that can count something.
func count(n *int) *int {
	if n != nil && *n < 0 {
		return nil
	}
	return n
}
