package docs

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/docs/address"
	"github.com/ml-intern/ml-intern/internal/tools/docs/manifest"
	"github.com/ml-intern/ml-intern/internal/tools/docs/openapi"
)

//go:embed find_hf_api.json
var apiDescription []byte

const (
	specURL   = address.Hub + "/.well-known/openapi.json"
	specFresh = 24 * time.Hour
	// apiResults is how many operations are shown.
	apiResults = 20
	// descriptionChars is how much of a description is shown, fieldLines how
	// many fields of a body; one operation alone gets more of both.
	descriptionChars, fieldLines           = 300, 8
	wholeDescriptionChars, wholeFieldLines = 2000, 200
)

// API is find_hf_api.
type API struct {
	base

	mu   sync.Mutex
	sha  string // of the answer that spec was read from
	spec *openapi.Spec
}

var _ tool.Tool = (*API)(nil)

func newAPI(s *source) (*API, error) {
	b, err := newBase(s, apiDescription, "search")
	return &API{base: b}, err
}

// APIParams are the arguments of find_hf_api.
type APIParams struct {
	Query string `json:"query,omitempty"`
	Tag   string `json:"tag,omitempty"`
}

// Run finds operations.
func (t *API) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p APIParams
	if err := tool.Decode(args, &p); err != nil {
		return t.refused(err), nil
	}
	p.Query, p.Tag = strings.TrimSpace(lookup.Plain(p.Query)), strings.TrimSpace(p.Tag)
	if p.Query == "" && p.Tag == "" {
		return t.refused(errors.New("query and tag are both empty: give at least one of them")), nil
	}
	spec, resp, err := t.read(ctx)
	if err != nil {
		return lookup.Failed("find_hf_api", err), nil
	}
	if p.Tag != "" {
		tag, ok := spec.Tag(p.Tag)
		if !ok {
			return t.refused(fmt.Errorf("tag: there is no %q; the nearest are %s, all are %s", p.Tag,
				strings.Join(manifest.Nearest(strings.ToLower(p.Tag), spec.Tags, 5), ", "), strings.Join(spec.Tags, ", "))), nil
		}
		p.Tag = tag
	}
	return t.show(env, spec, p, resp), nil
}

// read returns the description of the API. It is read again when the Hub's has
// changed.
func (t *API) read(ctx context.Context) (*openapi.Spec, *fetch.Response, error) {
	resp, err := t.Fetch.Do(ctx, fetch.Request{URL: specURL, Fresh: specFresh, Anonymous: true})
	if err != nil {
		return nil, nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.spec != nil && t.sha == resp.SHA256 {
		return t.spec, resp, nil
	}
	spec, err := openapi.Parse(resp.Body)
	if err != nil {
		return nil, nil, &fetch.Error{Kind: fetch.Parse, Service: "the Hub", URL: specURL, Message: "its description of the API cannot be read", Err: err}
	}
	t.spec, t.sha = spec, resp.SHA256
	return spec, resp, nil
}

func (t *API) show(env tool.Env, spec *openapi.Spec, p APIParams, resp *fetch.Response) tool.Result {
	hits, note := findIn(spec, p)
	source := lookup.Source{Response: resp, Tool: t.base.spec.Name, Operation: t.operation, Object: strings.TrimSpace(p.Query + " " + p.Tag), Title: "Description of the Hub's API"}
	if len(hits) == 0 {
		return lookup.Cite(env, fmt.Sprintf("No API endpoints match '%s'. Try other words, or one of the tags: %s", lookup.Line(p.Query, 300), strings.Join(spec.Tags, ", ")), source)
	}
	detail := openapi.Detail{Base: t.baseURL(spec), Text: descriptionChars, Lines: fieldLines}
	if len(hits) <= 2 {
		detail.Text, detail.Lines = wholeDescriptionChars, wholeFieldLines
	}
	var b strings.Builder
	b.WriteString(title(p))
	fmt.Fprintf(&b, "\n\nFound %d endpoint(s)%s\n\n---", len(hits), note)
	room := lookup.Room(env, 0)
	used := utf8.RuneCountInString(b.String())
	const restLine = 120 // characters of an operation that is only named
	shown := 0
	for _, h := range hits[:min(len(hits), apiResults)] {
		one := fmt.Sprintf("\n\n## %d. %s %s\n\n%s\n\n---", shown+1, h.Method, lookup.Line(h.Path, 300), spec.Render(h, detail))
		n := utf8.RuneCountInString(one)
		if rest := min(len(hits)-shown-1, 100) * restLine; shown > 0 && used+n+min(rest, room/4) > room {
			break
		}
		b.WriteString(one)
		used += n
		shown++
	}
	rest(&b, hits[shown:], room-used)
	return lookup.Cite(env, b.String(), source)
}

// findIn returns the operations that a call asks for, and a remark on them.
func findIn(spec *openapi.Spec, p APIParams) (hits []openapi.Hit, note string) {
	if p.Query == "" {
		return spec.Tagged(p.Tag), ""
	}
	if hits := spec.At(p.Query); len(hits) > 0 {
		return hits, ""
	}
	if hits = spec.Search(p.Query, p.Tag); len(hits) > apiResults {
		return hits[:apiResults], fmt.Sprintf(" (the best %d of %d)", apiResults, len(hits))
	}
	if len(hits) == 0 && p.Tag != "" {
		return spec.Tagged(p.Tag), " (no match for the query: all with the tag)"
	}
	return hits, ""
}

func title(p APIParams) string {
	switch {
	case p.Query == "":
		return fmt.Sprintf("# API Endpoints with tag `%s`", p.Tag)
	case p.Tag == "":
		return fmt.Sprintf("# API Endpoints matching '%s'", lookup.Line(p.Query, 300))
	}
	return fmt.Sprintf("# API Endpoints matching '%s' (tag: `%s`)", lookup.Line(p.Query, 300), p.Tag)
}

// rest names the operations that are not shown.
func rest(b *strings.Builder, hits []openapi.Hit, room int) {
	if len(hits) == 0 {
		return
	}
	head := fmt.Sprintf("\n\n%d further endpoint(s); give the path as query for one of them:", len(hits))
	b.WriteString(head)
	used := len(head)
	for i, h := range hits {
		line := fmt.Sprintf("\n- %s %s: %s", h.Method, lookup.Line(h.Path, 200), lookup.Line(h.Summary, 100))
		if h.Writes {
			line += " (writes)"
		}
		if used += utf8.RuneCountInString(line); used > room-40 {
			fmt.Fprintf(b, "\n… and %d more", len(hits)-i)
			return
		}
		b.WriteString(line)
	}
}

// baseURL is the address that commands use: the description's own if it is the
// Hub's, so that no token goes elsewhere.
func (t *API) baseURL(spec *openapi.Spec) string {
	for _, s := range spec.Servers {
		u, err := url.Parse(s)
		if err != nil || u.User != nil || strings.ContainsAny(s, "\"$`\\ \n") {
			continue
		}
		e, _ := url.Parse(t.Endpoint) // nil is no endpoint
		if u.Scheme == "https" && u.Host == "huggingface.co" || e != nil && e.Host != "" && u.Scheme == e.Scheme && u.Host == e.Host {
			return strings.TrimRight(s, "/")
		}
	}
	return address.Hub
}
