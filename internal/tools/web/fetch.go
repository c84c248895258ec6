package web

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

//go:embed web_fetch.json
var fetchDescription []byte

const (
	// pageBytes and pdfBytes bound what is read, after decompression.
	pageBytes = fetch.DefaultLimit
	pdfBytes  = 32 << 20
	// fresh is how long a page serves again, and timeout how long it may take:
	// a PDF is large.
	fresh   = time.Hour
	timeout = time.Minute
	// The least and the most that max_chars may be.
	leastChars = 1_000
	mostChars  = 100_000
	// findChars bounds a text that is looked for.
	findChars = 500
	// addressBytes bounds an address.
	addressBytes = 4_000
)

// FetchOptions make web_fetch.
type FetchOptions struct {
	Fetch fetch.Getter
	// PDF gives the text of a PDF; it must not let hostile ones harm the
	// program. nil refuses them.
	PDF func(ctx context.Context, data []byte) (string, error)
	// AllowedDomains are the only hosts that are read, with their subdomains;
	// none allows all.
	AllowedDomains []string
}

// Fetch is web_fetch.
type Fetch struct {
	spec    tool.Spec
	o       FetchOptions
	allowed domains
	shelf   shelf
	large   chan struct{} // taken by the large pages that are read
}

var _ tool.Tool = (*Fetch)(nil)

// NewFetch returns web_fetch.
func NewFetch(o FetchOptions) (*Fetch, error) {
	if o.Fetch == nil {
		return nil, errors.New("make web_fetch: Fetch is required")
	}
	allowed := normal(o.AllowedDomains)
	if len(allowed) != len(o.AllowedDomains) {
		return nil, errors.New("make web_fetch: web_fetch.allowed_domains has an entry that names no host")
	}
	spec, err := tool.ParseSpec(fetchDescription, lookup.MaxOutput)
	if err != nil {
		return nil, err
	}
	return &Fetch{spec: spec, o: o, allowed: allowed, large: make(chan struct{}, largeAtOnce)}, nil
}

// FetchParams are the arguments of web_fetch.
type FetchParams struct {
	URL      string `json:"url"`
	Find     string `json:"find,omitempty"`
	Offset   int    `json:"offset,omitempty"`
	MaxChars int    `json:"max_chars,omitempty"`
}

// Spec describes the tool.
func (t *Fetch) Spec() tool.Spec { return t.spec }

// Risk is reading.
func (t *Fetch) Risk(json.RawMessage) tool.Risk {
	return tool.Risk{Effect: event.Read, Operation: "fetch"}
}

// Run reads a page.
func (t *Fetch) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	p, u, err := t.params(args)
	if err != nil {
		return lookup.Refused(t.spec, err), nil
	}
	what := "web_fetch " + lookup.Line(u.Redacted(), 200)
	if !t.mayRead(u.Hostname()) {
		return tool.Failed(fmt.Sprintf("%s failed (blocked): the user's setting web_fetch.allowed_domains leaves only %s. Use one of these, or another tool.",
			what, lookup.Line(strings.Join(t.allowed, ", "), 500))), nil
	}
	r, err := t.o.Fetch.Do(ctx, fetch.Request{
		URL: source(u).String(), Anonymous: true, Fresh: fresh, Timeout: timeout, Limit: pdfBytes, Follow: t.mayRead,
		Header: http.Header{"Accept": {"text/markdown, text/html;q=0.9, text/plain;q=0.8, application/json;q=0.8, application/pdf;q=0.7, */*;q=0.1"}},
	})
	if ctx.Err() != nil {
		return tool.Result{}, ctx.Err()
	}
	if err == nil {
		var d document
		if d, err = t.document(ctx, r); err == nil {
			return t.show(env, p, r, d), nil
		}
		if ctx.Err() != nil {
			return tool.Result{}, ctx.Err()
		}
	}
	return failed(what, err), nil
}

func (t *Fetch) params(args json.RawMessage) (FetchParams, *url.URL, error) {
	var p FetchParams
	if err := tool.Decode(args, &p); err != nil {
		return p, nil, err
	}
	p.URL = strings.TrimSpace(p.URL)
	u, err := url.Parse(p.URL)
	switch {
	case err != nil || u.Host == "" || len(p.URL) > addressBytes:
		return p, nil, errors.New("url must be a whole address, beginning with https://")
	case u.User != nil:
		return p, nil, errors.New("url must not hold a user name")
	case p.Offset < 0:
		return p, nil, errors.New("offset must not be below 0")
	case p.MaxChars != 0 && (p.MaxChars < leastChars || p.MaxChars > mostChars):
		return p, nil, fmt.Errorf("max_chars must be from %d to %d", leastChars, mostChars)
	case utf8.RuneCountInString(p.Find) > findChars:
		return p, nil, fmt.Errorf("find must have at most %d characters", findChars)
	}
	return p, u, nil
}

func (t *Fetch) mayRead(host string) bool { return len(t.allowed) == 0 || t.allowed.holds(host) }

// source is where the text of a page is: files on GitHub are shown by a page
// of scripts and lie elsewhere as they are.
func source(u *url.URL) *url.URL {
	v := *u
	v.Fragment, v.RawFragment = "", ""
	if host := strings.ToLower(u.Host); host != "github.com" && host != "www.github.com" {
		return &v
	}
	parts := strings.SplitN(strings.TrimPrefix(u.EscapedPath(), "/"), "/", 5)
	if len(parts) < 5 || parts[2] != "blob" && parts[2] != "raw" {
		return &v
	}
	raw, err := url.Parse("https://raw.githubusercontent.com/" + strings.Join([]string{parts[0], parts[1], parts[3], parts[4]}, "/"))
	if err != nil {
		return &v
	}
	return raw
}

// show makes the result: where the text comes from, the piece that was asked
// for, and how to read on.
func (t *Fetch) show(env tool.Env, p FetchParams, r *fetch.Response, d document) tool.Result {
	head := fmt.Sprintf("Source: %s (fetched %s)\n", lookup.Line(r.URL, 1_000), r.FetchedAt.UTC().Format(time.RFC3339))
	if d.title != "" && !strings.Contains(firstLine(d.text), d.title) {
		head += "Title: " + lookup.Line(d.title, 300) + "\n"
	}
	room := lookup.Room(env, p.MaxChars)
	size := max(room-utf8.RuneCountInString(head)-200, leastChars/2)
	offset := p.Offset
	if strings.TrimSpace(p.Find) != "" {
		at := find(d.text, p.Find, p.Offset)
		if at < 0 {
			head += fmt.Sprintf("%q is not in the text from character %d on.\n", lookup.Line(p.Find, 100), p.Offset)
		} else {
			offset = around(d.text, at, size)
			head += fmt.Sprintf("%q is at character %d.\n", lookup.Line(p.Find, 100), at)
		}
	}
	part := lookup.Part{Offset: offset, Max: size, More: func(next int) string { return p.more(next) }}
	return lookup.Cite(env, head+"\n"+part.Cut(d.text), lookup.Source{
		Response: r, Tool: t.spec.Name, Operation: "fetch", Object: p.URL, Title: d.title,
	})
}

// more is the call that reads on.
func (p FetchParams) more(offset int) string {
	next := FetchParams{URL: p.URL, Offset: offset, MaxChars: p.MaxChars}
	args, err := json.Marshal(next)
	if err != nil || len(args) > 1_500 {
		return fmt.Sprintf("the same call with offset %d", offset)
	}
	return "web_fetch " + string(args)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// find returns the character at which wanted begins in text, in any case, from
// a character on; -1 when it is not there. Blanks and line ends are the same.
func find(text, wanted string, from int) int {
	// Letters and blanks are replaced one by one, so that places stay.
	same := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return ' '
			}
			return unicode.ToLower(r)
		}, s)
	}
	text, wanted = same(text), same(strings.TrimSpace(wanted))
	start := skip(text, from)
	i := strings.Index(text[start:], wanted)
	if i < 0 {
		return -1
	}
	return utf8.RuneCountInString(text[:start+i])
}

// around returns the beginning of a piece of size characters that has the
// character at in its first half, at the beginning of a line if one is near.
func around(text string, at, size int) int {
	low := max(at-size/3, 0)
	if low == 0 {
		return 0
	}
	begin, end := skip(text, low), skip(text, at)
	if i := strings.IndexByte(text[begin:end], '\n'); i >= 0 {
		return low + utf8.RuneCountInString(text[begin:begin+i+1])
	}
	return low
}

// skip returns where character n of s begins.
func skip(s string, n int) int {
	for i := range s {
		if n <= 0 {
			return i
		}
		n--
	}
	return len(s)
}

func failed(what string, err error) tool.Result {
	var f *fetch.Error
	if errors.As(err, &f) {
		switch f.Kind {
		case fetch.Unauthorized, fetch.Gated:
			return lookup.Failed(what, err, "The page is not for everybody; do not try to get around that. Use another source.")
		case fetch.Blocked:
			return lookup.Failed(what, err, "Only public https pages are read. Use another address; web_search finds some.")
		case fetch.NotFound:
			return lookup.Failed(what, err, "Check the address, or find the page with web_search.")
		}
	}
	return lookup.Failed(what, err)
}
