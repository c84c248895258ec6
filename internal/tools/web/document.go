package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
	"github.com/ml-intern/ml-intern/internal/platform/markup/page"
)

const (
	// jsonDepth and jsonGrowth bound pretty-printing: deep documents would
	// become many times longer.
	jsonDepth  = 40
	jsonGrowth = 8
)

// document is what there is to read in an answer.
type document struct{ title, text string }

// shelf keeps the documents that were read last: whoever reads on in parts
// should not pay for the whole each time.
type shelf struct {
	mu   sync.Mutex
	last []placed // the newest first
}

// shelfSize is how many documents are kept.
const shelfSize = 4

type placed struct {
	url, hash string
	document
}

func (s *shelf) find(r *fetch.Response) (document, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.last {
		if p.url == r.URL && p.hash == r.SHA256 {
			copy(s.last[1:i+1], s.last[:i])
			s.last[0] = p
			return p.document, true
		}
	}
	return document{}, false
}

func (s *shelf) put(r *fetch.Response, d document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = append([]placed{{r.URL, r.SHA256, d}}, s.last[:min(len(s.last), shelfSize-1)]...)
}

// document turns an answer into text, once.
func (t *Fetch) document(ctx context.Context, r *fetch.Response) (document, error) {
	if d, ok := t.shelf.find(r); ok {
		return d, nil
	}
	if len(r.Body) > largePage {
		select {
		case t.large <- struct{}{}:
			defer func() { <-t.large }()
		case <-ctx.Done():
			return document{}, ctx.Err()
		}
	}
	d, err := t.read(ctx, r)
	if err == nil {
		t.shelf.put(r, d)
	}
	return d, err
}

// Pages above largePage bytes are read so many at once: a hostile one of 8 MiB
// takes up to half a GiB of memory while it is.
const (
	largePage   = 1 << 20
	largeAtOnce = 2
)

// read turns an answer into text, by its type.
func (t *Fetch) read(ctx context.Context, r *fetch.Response) (document, error) {
	refuse := func(kind fetch.Kind, format string, a ...any) (document, error) {
		return document{}, &fetch.Error{Kind: kind, Service: "the page", URL: r.URL, Message: fmt.Sprintf(format, a...)}
	}
	at, err := url.Parse(r.URL)
	if err != nil {
		at = nil
	}
	kind, charset := contentType(r)
	if kind != "application/pdf" && len(r.Body) > pageBytes {
		return refuse(fetch.TooLarge, "it is over the limit of %d MiB", pageBytes>>20)
	}
	switch {
	case kind == "application/pdf":
		if t.o.PDF == nil {
			return refuse(fetch.Parse, "it is a PDF, which cannot be read here")
		}
		text, err := t.o.PDF(ctx, r.Body)
		if err != nil {
			return document{}, &fetch.Error{Kind: fetch.Parse, Service: "the PDF", URL: r.URL, Message: lookup.Line(err.Error(), 200), Err: err}
		}
		return document{"", lookup.Plain(text)}, nil
	case kind == "text/html" || kind == "application/xhtml+xml":
		d, err := page.Markdown(decoded(r.Body, charset), at)
		if errors.Is(err, page.ErrEmpty) {
			return refuse(fetch.Parse, "it has no text; it may be made by scripts only")
		} else if err != nil {
			return refuse(fetch.Parse, "it cannot be read as a page")
		}
		return document{lookup.Line(d.Title, 300), lookup.Plain(d.Markdown)}, nil
	case !readable(kind) || bytes.IndexByte(r.Body, 0) >= 0:
		return refuse(fetch.Parse, "its content type %s is no text", lookup.Line(kind, 80))
	}
	text := string(decoded(r.Body, charset))
	switch {
	case at != nil && path.Ext(at.Path) == ".ipynb":
		if md, err := markup.NotebookMarkdown(r.Body); err == nil {
			text = md
		}
	case isJSON(kind):
		text = pretty(r.Body, text)
	}
	return document{"", lookup.Plain(text)}, nil
}

// contentType is what an answer says it is, or looks like where it does not
// say.
func contentType(r *fetch.Response) (kind, charset string) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind == "" || kind == "application/octet-stream" || kind == "binary/octet-stream" {
		kind, params, _ = mime.ParseMediaType(http.DetectContentType(r.Body))
	}
	if bytes.HasPrefix(r.Body, []byte("%PDF-")) {
		kind = "application/pdf" // whatever it says
	}
	return kind, strings.ToLower(params["charset"])
}

// readable reports whether a content type is text.
func readable(kind string) bool {
	if strings.HasPrefix(kind, "text/") || isJSON(kind) || strings.HasSuffix(kind, "+xml") || strings.HasSuffix(kind, "+yaml") {
		return kind != "text/event-stream"
	}
	switch kind {
	case "application/xml", "application/yaml", "application/x-yaml", "application/toml", "application/javascript", "application/x-javascript",
		"application/ecmascript", "application/x-sh", "application/x-ndjson", "application/jsonl", "application/x-python", "application/sql",
		"application/x-tex", "application/x-latex", "application/rtf", "application/x-httpd-php", "application/x-ipynb+json":
		return true
	}
	return false
}

func isJSON(kind string) bool {
	return kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json")
}

// pretty indents a JSON document; one that is none, or too deep, stays as it is.
func pretty(data []byte, asIs string) string {
	depth, deepest, quoted, cost := 0, 0, false, 0
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			cost += 2 * depth
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
			cost += 2 * max(depth, 0)
		case c == ',':
			cost += 2 * max(depth, 0)
		}
	}
	if deepest > jsonDepth || cost > jsonGrowth*len(data) {
		return asIs
	}
	var b bytes.Buffer
	if json.Indent(&b, bytes.TrimSpace(data), "", "  ") != nil {
		return asIs
	}
	return b.String()
}

// decoded is text in UTF-8. Of other encodings only the one that old pages of
// Europe and America have is known.
func decoded(data []byte, charset string) []byte {
	switch charset {
	case "iso-8859-1", "latin1", "windows-1252", "iso-8859-15", "cp1252":
	default:
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	if utf8.Valid(data) {
		return data // many say one and send the other
	}
	upper := []rune("€\uFFFD‚ƒ„…†‡ˆ‰Š‹Œ\uFFFDŽ\uFFFD\uFFFD‘’“”•–—˜™š›œ\uFFFDžŸ")
	out := make([]byte, 0, len(data)+len(data)/8)
	for _, c := range data {
		r := rune(c)
		if c >= 0x80 && c < 0xa0 {
			r = upper[c-0x80]
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}
