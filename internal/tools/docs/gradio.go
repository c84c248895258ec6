package docs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

// Gradio's documentation in one text, and the search that picks its sections.
const (
	gradioText   = "https://www.gradio.app/llms.txt"
	gradioSearch = "https://playground-worker.pages.dev/api/prompt"
	gradioNone   = "No results found"
	// gradioFallback is how many sections the local search shows.
	gradioFallback = 8
)

// gradio reads Gradio's documentation, which lies outside the Hub.
func (t *Explore) gradio(ctx context.Context, env tool.Env, q question) tool.Result {
	if q.query == "" {
		resp, err := t.Fetch.Do(ctx, fetch.Request{URL: gradioText, Fresh: pageFresh, Anonymous: true})
		if err != nil {
			return lookup.Failed("explore_hf_docs gradio", err)
		}
		return t.showGradio(env, q, lookup.Plain(string(resp.Body)), "list", resp)
	}
	text, resp, err := t.askGradio(ctx, q.query)
	if err == nil {
		return t.showGradio(env, q, text, "search", resp)
	}
	whole, wholeErr := t.Fetch.Do(ctx, fetch.Request{URL: gradioText, Fresh: pageFresh, Anonymous: true})
	if wholeErr != nil {
		return lookup.Failed("explore_hf_docs gradio", err)
	}
	text = searchSections(lookup.Plain(string(whole.Body)), q.query)
	return t.showGradio(env, q, fmt.Sprintf("(The search service failed: %s. Sections with the words of the query:)\n\n%s", lookup.Line(err.Error(), 120), text), "search", whole)
}

func (t *Explore) askGradio(ctx context.Context, query string) (string, *fetch.Response, error) {
	body, err := json.Marshal(map[string]string{
		"prompt_to_embed": query, "SYSTEM_PROMPT": "$INSERT_GUIDES_DOCS_DEMOS", "FALLBACK_PROMPT": gradioNone,
	})
	if err != nil {
		return "", nil, fmt.Errorf("write the question to the Gradio search: %w", err)
	}
	resp, err := t.Fetch.Do(ctx, fetch.Request{
		URL: gradioSearch, Body: body, Fresh: pageFresh, Anonymous: true,
		// The service answers callers of this origin only.
		Header: http.Header{"Content-Type": {"application/json"}, "Origin": {"https://gradio-docs-mcp.up.railway.app"}},
	})
	if err != nil {
		return "", nil, err
	}
	var answer struct {
		Text *string `json:"SYS_PROMPT"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return "", nil, &fetch.Error{Kind: fetch.Parse, Service: "the Gradio search", URL: gradioSearch, Message: "its answer is not JSON", Err: err}
	}
	if answer.Text == nil {
		return gradioNone, resp, nil
	}
	return lookup.Plain(*answer.Text), resp, nil
}

func (t *Explore) showGradio(env tool.Env, q question, text, operation string, resp *fetch.Response) tool.Result {
	head := "# Gradio Documentation\n\n"
	if q.query != "" {
		head += fmt.Sprintf("Query: '%s'\n\n", lookup.Line(q.query, 300))
	}
	head += "Source: https://gradio.app/docs\n\n---\n\n"
	more := func(offset int) string {
		if q.query != "" {
			return "a narrower query"
		}
		return fmt.Sprintf(`fetch_hf_docs {"url":"%s","offset":%d}`, gradioText, offset)
	}
	room := lookup.Room(env, 0) - utf8.RuneCountInString(head)
	text = lookup.Part{Max: room, More: more}.Cut(text)
	return lookup.Cite(env, head+text, lookup.Source{
		Response: resp, Tool: t.spec.Name, Operation: operation, Object: "gradio", Title: "Gradio documentation",
	})
}

// searchSections returns the sections of a text that have most of the words of
// a query.
func searchSections(text, query string) string {
	var sections []string
	var fields [][]rank.Field
	for i, s := range strings.Split("\n"+text, "\n## ") {
		if i > 0 {
			s = "## " + s
		}
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		head, body, _ := strings.Cut(s, "\n")
		sections = append(sections, s)
		fields = append(fields, []rank.Field{{Text: head, Weight: 3}, {Text: body, Weight: 1}})
	}
	var found []string
	for _, hit := range rank.New(fields).Search(query) {
		if found = append(found, sections[hit.Text]); len(found) == gradioFallback {
			break
		}
	}
	if len(found) == 0 {
		return gradioNone
	}
	return strings.Join(found, "\n\n")
}
