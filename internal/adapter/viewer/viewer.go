// Package viewer asks the Hub's dataset viewer about data sets: which
// configurations and splits one has, its features, rows, statistics and sizes;
// and the Hub itself for the record of a data set. Answers are read leniently:
// a member that is absent or of another type is left empty. The package does
// not know what the answers are for, nor how they are shown.
package viewer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

const (
	base = "https://datasets-server.huggingface.co"
	hub  = "https://huggingface.co"

	// MaxRows is the most rows the viewer gives at once.
	MaxRows = 100

	fresh   = 10 * time.Minute // how long an answer may serve again
	timeout = 15 * time.Second
	// slow is the time for rows that the viewer may have to read first.
	slow = 30 * time.Second
)

// Options make a Client.
type Options struct {
	// Fetch makes the requests.
	Fetch fetch.Getter
	// Pauses are the waits before an answer that is still being computed is
	// asked for again; nil is 2 and 5 seconds, empty asks once.
	Pauses []time.Duration
}

// Client asks the viewer. It is safe for concurrent use.
type Client struct{ o Options }

// New returns a Client.
func New(o Options) (*Client, error) {
	if o.Fetch == nil {
		return nil, errors.New("make the client of the dataset viewer: Fetch is required")
	}
	if o.Pauses == nil {
		o.Pauses = []time.Duration{2 * time.Second, 5 * time.Second}
	}
	return &Client{o: o}, nil
}

// Impatient is a client that does not wait for what is still being computed.
func (c *Client) Impatient() *Client {
	return &Client{o: Options{Fetch: c.o.Fetch, Pauses: []time.Duration{}}}
}

// At names a split. Methods that need less ignore the rest.
type At struct{ Dataset, Config, Split string }

// ID reads the name of a data set: "owner/name", an old name without owner, or
// its address on the Hub.
func ID(text string) (string, error) {
	id := strings.TrimSpace(text)
	for _, prefix := range []string{hub + "/", "huggingface.co/", "hf://", "datasets/"} {
		id = strings.TrimPrefix(id, prefix)
	}
	id = strings.TrimSuffix(id, "/")
	owner, name, two := strings.Cut(id, "/")
	if !word(owner) || two && !word(name) {
		return "", fmt.Errorf("dataset must be owner/name, not %.100q", text)
	}
	return id, nil
}

// word reports whether s may be a part of a name on the Hub.
func word(s string) bool {
	if s == "" || len(s) > 96 || s == "." || s == ".." {
		return false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// Splits lists configurations and splits.
func (c *Client) Splits(ctx context.Context, dataset string) (*Splits, error) {
	return ask(ctx, c, call{path: "/splits", at: At{Dataset: dataset}}, readSplits)
}

// Info describes one configuration, or all of them where config is empty.
func (c *Client) Info(ctx context.Context, dataset, config string) (*Info, error) {
	return ask(ctx, c, call{path: "/info", at: At{Dataset: dataset, Config: config}}, func(data []byte) (*Info, error) {
		return readInfo(data, config)
	})
}

// FirstRows gives the first rows of a split: at most 100, and at most 1 MB.
func (c *Client) FirstRows(ctx context.Context, at At) (*Page, error) {
	return ask(ctx, c, call{path: "/first-rows", at: at, timeout: slow}, readPage)
}

// Rows gives the rows of a split from offset on.
func (c *Client) Rows(ctx context.Context, at At, offset, length int) (*Page, error) {
	return ask(ctx, c, call{path: "/rows", at: at, timeout: slow, more: slice(offset, length)}, readPage)
}

// Search gives the rows that have words of query in a column of text.
func (c *Client) Search(ctx context.Context, at At, query string, offset, length int) (*Page, error) {
	more := slice(offset, length)
	more.Set("query", query)
	return ask(ctx, c, call{path: "/search", at: at, timeout: slow, more: more}, readPage)
}

// Filter gives the rows that meet where, an SQL condition, in the order of
// orderby, such as `"age" DESC`; empty is the split's own.
func (c *Client) Filter(ctx context.Context, at At, where, orderby string, offset, length int) (*Page, error) {
	more := slice(offset, length)
	if where != "" {
		more.Set("where", where)
	}
	if orderby != "" {
		more.Set("orderby", orderby)
	}
	return ask(ctx, c, call{path: "/filter", at: at, timeout: slow, more: more}, readPage)
}

// Statistics describes the columns of a split.
func (c *Client) Statistics(ctx context.Context, at At) (*Statistics, error) {
	return ask(ctx, c, call{path: "/statistics", at: at}, readStatistics)
}

// Size counts rows and bytes.
func (c *Client) Size(ctx context.Context, dataset string) (*Size, error) {
	return ask(ctx, c, call{path: "/size", at: At{Dataset: dataset}}, readSize)
}

// IsValid tells what the viewer can do with the data set.
func (c *Client) IsValid(ctx context.Context, dataset string) (*Valid, error) {
	return ask(ctx, c, call{path: "/is-valid", at: At{Dataset: dataset}}, readValid)
}

// Presidio tells of personal data found in a sample; few data sets have it.
func (c *Client) Presidio(ctx context.Context, at At) (*Presidio, error) {
	return ask(ctx, c, call{path: "/presidio-entities", at: at}, readPresidio)
}

func slice(offset, length int) url.Values {
	return url.Values{
		"offset": {strconv.Itoa(max(offset, 0))},
		"length": {strconv.Itoa(min(max(length, 1), MaxRows))},
	}
}

// call is a question to the viewer.
type call struct {
	path    string
	at      At
	more    url.Values
	timeout time.Duration
}

func (q call) url() string {
	v := url.Values{"dataset": {q.at.Dataset}}
	if q.at.Config != "" {
		v.Set("config", q.at.Config)
	}
	if q.at.Split != "" {
		v.Set("split", q.at.Split)
	}
	for name, values := range q.more {
		v[name] = values
	}
	return base + q.path + "?" + v.Encode()
}

// answer is a result that remembers where it came from.
type answer interface{ from(r *fetch.Response) }

// ask puts a question, again after a pause while the answer is being computed.
func ask[T any, P interface {
	*T
	answer
}](ctx context.Context, c *Client, q call, read func(data []byte) (P, error)) (P, error) {
	req := fetch.Request{URL: q.url(), Fresh: fresh, Timeout: max(q.timeout, timeout)}
	for try := 0; ; try++ {
		resp, err := c.o.Fetch.Do(ctx, req)
		if err == nil {
			result, err := read(resp.Body)
			if err == nil && !bytes.HasPrefix(bytes.TrimSpace(resp.Body), []byte("{")) {
				err = errors.New("it is no object")
			}
			if err != nil {
				return nil, &fetch.Error{Kind: fetch.Parse, Service: service, URL: req.URL, Message: "the answer of " + q.path + " cannot be read: " + err.Error(), Err: err}
			}
			result.from(resp)
			return result, nil
		}
		err = explain(err)
		if Code(err) != NotReady || try >= len(c.o.Pauses) {
			return nil, err
		}
		if err := pause(ctx, c.o.Pauses[try]); err != nil {
			return nil, err
		}
	}
}

// pause waits, no longer than ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
