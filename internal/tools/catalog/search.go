package catalog

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

//go:embed hub_search.json
var searchSpec []byte

const (
	defaultFound = 20
	maxFound     = 50
)

// NewSearch returns hub_search.
func NewSearch(o Options) (tool.Tool, error) { return newLook(o, searchSpec, search) }

// Search are the arguments of hub_search.
type Search struct {
	Type      string   `json:"type"`
	Query     string   `json:"query,omitempty"`
	Author    string   `json:"author,omitempty"`
	Filters   []string `json:"filters,omitempty"`
	Task      string   `json:"task,omitempty"`
	Library   string   `json:"library,omitempty"`
	License   string   `json:"license,omitempty"`
	Language  string   `json:"language,omitempty"`
	MinParams string   `json:"min_params,omitempty"`
	MaxParams string   `json:"max_params,omitempty"`
	Gated     *bool    `json:"gated,omitempty"`
	Sort      string   `json:"sort,omitempty"`
	Limit     int      `json:"limit,omitempty"`
	Semantic  bool     `json:"semantic,omitempty"`
}

func (p *Search) check() error {
	if !slices.Contains([]string{"models", "datasets", "spaces", "kernels", "collections"}, p.Type) {
		return fmt.Errorf("type must be one of models, datasets, spaces, kernels, collections, not %q", p.Type)
	}
	if p.Limit == 0 {
		p.Limit = defaultFound
	}
	if p.Limit < 1 || p.Limit > maxFound {
		return fmt.Errorf("limit must be from 1 to %d, not %d", maxFound, p.Limit)
	}
	if p.Sort != "" && sorts()[p.Sort] == "" {
		return fmt.Errorf("sort must be one of trending, downloads, likes, created, modified, not %q", p.Sort)
	}
	if len(p.Query) > 500 || len(p.Filters) > 20 {
		return errors.New("query takes at most 500 characters and filters at most 20 tags")
	}
	for _, c := range []struct{ name, value string }{{"min_params", p.MinParams}, {"max_params", p.MaxParams}} {
		if c.value != "" {
			if _, err := size(c.name, c.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// sorts maps orders to the Hub's words.
func sorts() map[string]string {
	return map[string]string{"trending": "trendingScore", "downloads": "downloads", "likes": "likes", "created": "createdAt", "modified": "lastModified"}
}

// question is a search in the Hub's terms.
type question struct {
	path    string
	query   url.Values
	unused  []string // arguments that say nothing for this type
	present func(entry) bool
}

// members are what is asked for of each entry of a list.
var members = [...]struct{ kind, names string }{
	{"models", "author downloads likes tags gated private lastModified pipeline_tag library_name safetensors gguf"},
	{"datasets", "author downloads likes tags gated private lastModified"},
	{"spaces", "author likes tags private lastModified sdk runtime cardData"},
}

func (p Search) question() question {
	q := question{path: "/api/" + p.Type, query: url.Values{"limit": {strconv.Itoa(p.Limit)}}, present: func(entry) bool { return true }}
	switch {
	case p.Type == "collections":
		p.collections(&q)
	case p.Type == "kernels":
		p.kernels(&q)
	case p.Semantic && p.Type == "spaces" && strings.TrimSpace(p.Query) != "":
		p.byMeaning(&q)
	default:
		p.repos(&q)
	}
	if p.Semantic && q.query.Get("q") == "" {
		q.unused = append(q.unused, "semantic (it needs type spaces and a query)")
	}
	return q
}

func (p Search) repos(q *question) {
	set := func(name, value string) {
		if value != "" {
			q.query.Set(name, value)
		}
	}
	set("search", p.Query)
	set("author", p.Author)
	set("sort", sorts()[p.Sort])
	if p.Sort != "" {
		set("direction", "-1")
	}
	if p.Gated != nil && p.Type != "spaces" {
		set("gated", strconv.FormatBool(*p.Gated))
	} else if p.Gated != nil {
		q.unused = append(q.unused, "gated")
	}
	filters := slices.Clone(p.Filters)
	tag := func(name, prefix, value string, fits bool) {
		switch {
		case value == "":
		case !fits:
			q.unused = append(q.unused, name)
		default:
			filters = append(filters, prefix+strings.TrimPrefix(value, prefix))
		}
	}
	models, sets := p.Type == "models", p.Type == "datasets"
	if models {
		set("pipeline_tag", p.Task)
		tag("language", "", p.Language, true)
		tag("library", "", p.Library, true)
	} else {
		tag("task", "task_categories:", p.Task, sets)
		tag("language", "language:", p.Language, sets)
		tag("library", "library:", p.Library, sets)
	}
	tag("license", "license:", p.License, true)
	if len(filters) > 0 {
		q.query["filter"] = filters
	}
	switch {
	case p.MinParams == "" && p.MaxParams == "":
	case !models:
		q.unused = append(q.unused, "min_params/max_params")
	default:
		var span []string
		for _, bound := range [...]struct{ name, value string }{{"min:", p.MinParams}, {"max:", p.MaxParams}} {
			if bound.value != "" {
				span = append(span, bound.name+strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(bound.value), ",", "")))
			}
		}
		set("num_parameters", strings.Join(span, ","))
	}
	for _, m := range members {
		if m.kind == p.Type {
			q.query["expand"] = strings.Fields(m.names)
		}
	}
}

func (p Search) collections(q *question) {
	if p.Query != "" {
		q.query.Set("q", p.Query)
	}
	if p.Author != "" {
		q.query.Set("owner", p.Author)
	}
	switch p.Sort {
	case "trending", "":
		q.query.Set("sort", "trending")
	case "likes":
		q.query.Set("sort", "upvotes")
	case "modified":
		q.query.Set("sort", "lastModified")
	default:
		q.unused = append(q.unused, "sort")
	}
	q.unused = append(q.unused, p.narrowing(true)...)
}

// kernels asks for the list of kernels, which takes a search alone; the owner
// and tags are compared here.
func (p Search) kernels(q *question) {
	if p.Query != "" {
		q.query.Set("search", p.Query)
	}
	if p.Author != "" || len(p.Filters) > 0 || p.License != "" || p.Gated != nil {
		q.query.Set("limit", strconv.Itoa(maxFound))
	}
	if p.Sort != "" {
		q.unused = append(q.unused, "sort")
	}
	rest := p
	rest.License, rest.Gated = "", nil
	q.unused = append(q.unused, rest.narrowing(false)...)
	q.present = func(e entry) bool {
		owner, _, _ := strings.Cut(e.ID.V, "/")
		for _, f := range p.Filters {
			if !slices.Contains(e.Tags.V, f) {
				return false
			}
		}
		return (p.Author == "" || strings.EqualFold(owner, p.Author)) &&
			(p.License == "" || strings.EqualFold(e.tag("license:"), strings.TrimPrefix(p.License, "license:"))) &&
			(p.Gated == nil || e.gate() != "" && (e.gate() != "not gated") == *p.Gated)
	}
}

func (p Search) byMeaning(q *question) {
	q.path = "/api/spaces/semantic-search"
	q.query = url.Values{"q": {p.Query}}
	filters := slices.Clone(p.Filters)
	if p.License != "" {
		filters = append(filters, "license:"+strings.TrimPrefix(p.License, "license:"))
	}
	if len(filters) > 0 {
		q.query["filter"] = filters
	}
	if p.Sort != "" {
		q.unused = append(q.unused, "sort")
	}
	rest := p
	rest.License, rest.Filters = "", nil
	q.unused = append(q.unused, rest.narrowing(false)...)
	q.present = func(e entry) bool {
		owner, _, _ := strings.Cut(e.ID.V, "/")
		return p.Author == "" || strings.EqualFold(owner, p.Author)
	}
}

// narrowing names the set arguments that narrow lists of repositories.
func (p Search) narrowing(tags bool) []string {
	var names []string
	for _, c := range []struct {
		name string
		set  bool
	}{
		{"task", p.Task != ""},
		{"library", p.Library != ""},
		{"license", p.License != ""},
		{"language", p.Language != ""},
		{"min_params/max_params", p.MinParams+p.MaxParams != ""},
		{"gated", p.Gated != nil},
		{"filters", tags && len(p.Filters) > 0},
	} {
		if c.set {
			names = append(names, c.name)
		}
	}
	return names
}

func search(ctx context.Context, l *look, env tool.Env, args json.RawMessage) tool.Result {
	var p Search
	if err := tool.Decode(args, &p); err != nil {
		return l.bad(err)
	}
	if err := p.check(); err != nil {
		return l.bad(err)
	}
	q := p.question()
	wanted := p.Limit
	if n, err := strconv.Atoi(q.query.Get("limit")); err == nil {
		wanted = n
	}
	items, resp, more, err := l.list(ctx, q.path, q.query, wanted)
	if err != nil {
		return lookup.Failed("hub_search: list "+p.Type, err)
	}
	var lines []string
	for _, raw := range items {
		var e entry
		if json.Unmarshal(raw, &e) != nil || e.ID.V == "" && e.Slug.V == "" || !q.present(e) {
			continue
		}
		if len(lines) == p.Limit {
			more = true
			break
		}
		lines = append(lines, fmt.Sprintf("%d. %s\n", len(lines)+1, e.line(p.Type)))
	}
	q.query.Del("expand") // says nothing to people
	return lookup.Cite(env, p.show(env, lines, q.unused, more), lookup.Source{
		Response: resp, Tool: l.spec.Name, Operation: p.Type, Object: p.Query, Title: "Hub search: " + p.Type,
		URL: hub + q.path + "?" + q.query.Encode(),
	})
}

func (p Search) show(env tool.Env, lines, unused []string, more bool) string {
	var b strings.Builder
	what := p.Type
	if p.Query != "" {
		what += fmt.Sprintf(" for '%s'", lookup.Line(p.Query, 200))
	}
	fmt.Fprintf(&b, "**Found %d %s:**\n", len(lines), what)
	if len(unused) > 0 {
		fmt.Fprintf(&b, "Not applied to %s: %s.\n", p.Type, strings.Join(unused, ", "))
	}
	b.WriteString("\n")
	left := lookup.Room(env, 0) - len(b.String()) - 150 // for the last words
	for i, text := range lines {
		if left -= len([]rune(text)); left < 0 {
			fmt.Fprintf(&b, "… %d more are left out for their length.\n", len(lines)-i)
			break
		}
		b.WriteString(text)
	}
	switch {
	case len(lines) == 0:
		b.WriteString("Nothing matches. Use fewer words (ids are searched, not cards) or drop a filter.\n")
	case more:
		fmt.Fprintf(&b, "There are more; narrow the search or raise limit (at most %d).\n", maxFound)
	}
	return b.String()
}
