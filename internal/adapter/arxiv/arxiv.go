// Package arxiv reads arXiv's search: records of papers, found by id or by
// words. It knows the ids in all the forms they are written in, and neither the
// papers' texts nor who asks.
package arxiv

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

const (
	endpoint = "https://export.arxiv.org/api/query"
	service  = "the arXiv search"
	// fresh is how long an answer may serve again: papers come once a day.
	fresh = 10 * time.Minute
	// MaxResults is how many records one question brings at most.
	MaxResults = 200
)

// Options make a Client.
type Options struct {
	Fetch fetch.Getter
}

// Client asks arXiv. It is safe for concurrent use.
type Client struct{ o Options }

// New returns a Client.
func New(o Options) (*Client, error) {
	if o.Fetch == nil {
		return nil, errors.New("make the arXiv client: Fetch is required")
	}
	return &Client{o}, nil
}

// Paper is a record. Texts are one line each; dates are days such as
// "2024-02-05", "" where arXiv told none.
type Paper struct {
	ID                    ID
	Title, Summary        string
	Authors               []string
	Published, Updated    string
	Comment, Journal, DOI string
	PrimaryCategory       string
	Categories            []string
}

// Results is an answer. Total counts all that match, -1 when it was not told.
type Results struct {
	*fetch.Response
	Total  int
	Papers []Paper
}

// Sort is an order of results, best or newest first.
type Sort string

// The orders.
const (
	Relevance Sort = "relevance"
	Submitted Sort = "submittedDate"
)

// Query is what to search for.
type Query struct {
	// Text is plain words, all of which must occur, or arXiv's own form with
	// field prefixes (ti:, au:, abs:, cat:, all:), AND, OR, ANDNOT and brackets.
	Text string
	// Categories are such as "cs.CL" or "cs.*"; one of them must fit.
	Categories []string
	// From and To are days such as "2024-01-31", both included; "" is open.
	From, To      string
	Sort          Sort
	Offset, Limit int
}

// Search finds papers.
func (c *Client) Search(ctx context.Context, q Query) (*Results, error) {
	values := url.Values{
		"search_query": {q.expression()},
		"start":        {strconv.Itoa(max(q.Offset, 0))},
		"max_results":  {strconv.Itoa(min(max(q.Limit, 1), MaxResults))},
		"sortOrder":    {"descending"},
		"sortBy":       {string(Relevance)},
	}
	if q.Sort != "" {
		values.Set("sortBy", string(q.Sort))
	}
	return c.ask(ctx, values)
}

// Paper returns one record.
func (c *Client) Paper(ctx context.Context, id ID) (*Results, error) {
	found, err := c.ask(ctx, url.Values{"id_list": {id.String()}, "max_results": {"1"}})
	if err != nil {
		return nil, err
	}
	if len(found.Papers) == 0 {
		return nil, &fetch.Error{Kind: fetch.NotFound, Service: service, URL: found.URL, Status: found.Status, Message: "it knows no paper " + id.String()}
	}
	return found, nil
}

func (c *Client) ask(ctx context.Context, values url.Values) (*Results, error) {
	// What arXiv cannot read it tells in a feed, with 200 or with 400.
	resp, err := c.o.Fetch.Do(ctx, fetch.Request{
		URL: endpoint + "?" + values.Encode(), Fresh: fresh, Answers: []int{400},
	})
	if err != nil {
		return nil, err
	}
	found, err := read(resp.Body)
	if err != nil {
		kind := fetch.Parse
		if errors.Is(err, errRefused) {
			kind = fetch.BadArgument
		}
		return nil, &fetch.Error{Kind: kind, Service: service, URL: resp.URL, Status: resp.Status, Message: err.Error(), Err: err}
	}
	found.Response = resp
	return found, nil
}

// feed is an Atom answer.
type feed struct {
	XMLName xml.Name `xml:"feed"`
	Total   string   `xml:"totalResults"`
	Entries []entry  `xml:"entry"`
}

type entry struct {
	ID        string `xml:"id"`
	Published string `xml:"published"`
	Updated   string `xml:"updated"`
	Title     string `xml:"title"`
	Summary   string `xml:"summary"`
	Authors   []struct {
		Name string `xml:"name"`
	} `xml:"author"`
	Comment string `xml:"comment"`
	Journal string `xml:"journal_ref"`
	DOI     string `xml:"doi"`
	Primary struct {
		Term string `xml:"term,attr"`
	} `xml:"primary_category"`
	Categories []struct {
		Term string `xml:"term,attr"`
	} `xml:"category"`
}

var errRefused = errors.New("it cannot read the question")

// read parses an answer.
func read(body []byte) (*Results, error) {
	var f feed
	if err := xml.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("its answer is no Atom feed: %w", err)
	}
	found := &Results{Total: -1}
	if n, err := strconv.Atoi(strings.TrimSpace(f.Total)); err == nil && n >= 0 {
		found.Total = n
	}
	for i := range f.Entries {
		e := &f.Entries[i]
		if strings.Contains(e.ID, "/api/errors") || line(e.Title) == "Error" && len(f.Entries) == 1 {
			return nil, fmt.Errorf("%w: %s", errRefused, line(e.Summary))
		}
		if p, ok := e.paper(); ok {
			found.Papers = append(found.Papers, p)
		}
	}
	return found, nil
}

// paper is the record of an entry; one without a readable id or title is none:
// arXiv answers an unknown id with an empty entry.
func (e *entry) paper() (Paper, bool) {
	id, err := ParseID(e.ID)
	if err != nil || line(e.Title) == "" {
		return Paper{}, false
	}
	p := Paper{
		ID: id, Title: line(e.Title), Summary: line(e.Summary), Published: day(e.Published), Updated: day(e.Updated),
		Comment: line(e.Comment), Journal: line(e.Journal), DOI: line(e.DOI), PrimaryCategory: line(e.Primary.Term),
	}
	for _, a := range e.Authors {
		if name := line(a.Name); name != "" {
			p.Authors = append(p.Authors, name)
		}
	}
	for _, c := range e.Categories {
		if term := line(c.Term); term != "" {
			p.Categories = append(p.Categories, term)
		}
	}
	return p, true
}

// line makes a text one line.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// day is the day of a time as arXiv writes it.
func day(s string) string {
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(s))
	if err != nil {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}
