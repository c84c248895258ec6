// Package openapi serves the description of the Hub's API, written from one
// table of operations. It knows the operations' words, not what they do.
package openapi

import (
	_ "embed"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// operations is the table: a line "# tag" begins a group, "METHOD /path | name |
// summary | description" an operation, and the indented lines below it are its
// parameters: "? name type text" of the query, "< name type text" of a JSON
// body, "> text" what is returned. A type that ends in ! is required.
//
//go:embed operations.txt
var operations string

// Operation is a line of the table with what belongs to it.
type Operation struct {
	Method, Path, ID, Tag, Summary, Description string
	Query, Body                                 []Parameter
	Returns                                     string
}

// Parameter is one value of a request.
type Parameter struct {
	Name, Type, Text string
	Required         bool
}

// Operations reads the table.
func Operations() []Operation {
	var out []Operation
	tag := ""
	for line := range strings.Lines(operations) {
		line = strings.TrimRight(line, "\n")
		text := strings.TrimSpace(line)
		switch {
		case text == "":
		case strings.HasPrefix(line, "# "):
			tag = strings.TrimPrefix(line, "# ")
		case !strings.HasPrefix(line, " "):
			parts := strings.Split(line+" | | | ", " | ")
			method, path, _ := strings.Cut(parts[0], " ")
			out = append(out, Operation{
				Method: method, Path: path, Tag: tag, ID: strings.TrimSpace(parts[1]),
				Summary: strings.TrimSpace(parts[2]), Description: strings.TrimSpace(parts[3]),
			})
		default:
			out[len(out)-1].add(text)
		}
	}
	return out
}

func (o *Operation) add(text string) {
	mark, rest, _ := strings.Cut(text, " ")
	if mark == ">" {
		o.Returns = rest
		return
	}
	name, rest, _ := strings.Cut(rest, " ")
	kind, words, _ := strings.Cut(rest, " ")
	p := Parameter{Name: name, Type: strings.TrimSuffix(kind, "!"), Text: words, Required: strings.HasSuffix(kind, "!")}
	if mark == "<" {
		o.Body = append(o.Body, p)
	} else {
		o.Query = append(o.Query, p)
	}
}

// Routes adds the description as JSON and as Markdown.
func Routes(mux *http.ServeMux) {
	list := Operations()
	mux.HandleFunc("GET /.well-known/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		answer.JSON(w, http.StatusOK, document(list, answer.Base(r)))
	})
	text := markdown(list)
	mux.HandleFunc("GET /.well-known/openapi.md", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
		_, _ = fmt.Fprint(w, text) // the client has gone
	})
}

func document(list []Operation, base string) map[string]any {
	paths := map[string]map[string]any{}
	var tags []map[string]any
	for _, o := range list {
		if paths[o.Path] == nil {
			paths[o.Path] = map[string]any{}
		}
		paths[o.Path][strings.ToLower(o.Method)] = o.object()
		if !slices.ContainsFunc(tags, func(t map[string]any) bool { return t["name"] == o.Tag }) {
			tags = append(tags, map[string]any{"name": o.Tag})
		}
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": "Hugging Face Hub API (simulated)", "version": "0.0.1", "description": "What this simulated Hub serves."},
		"servers": []any{map[string]any{"url": base}}, "tags": tags, "paths": paths,
		"components": map[string]any{"securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer"}}},
		"security":   []any{map[string]any{"bearer": []any{}}},
	}
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// pathTexts explains the names in paths.
var pathTexts = map[string]string{
	"namespace": "User or organization name", "repo": "Repository name", "rev": "Branch, tag, commit sha or refs/pr/N",
	"path": "Path in the repository", "num": "Number of the discussion or pull request", "jobId": "Id of the job",
	"paperId": "arXiv id such as 2511.99003", "slug": "Name and id of the collection", "name": "Name", "compare": "Two revisions as base..head",
	"status": "pending, accepted or rejected", "logType": "build or run", "webhookId": "Id of the webhook",
}

func (o *Operation) object() map[string]any {
	params := []any{}
	for _, m := range placeholder.FindAllStringSubmatch(o.Path, -1) {
		params = append(params, map[string]any{"in": "path", "name": m[1], "required": true, "schema": map[string]any{"type": "string"}, "description": pathTexts[m[1]]})
	}
	for _, p := range o.Query {
		params = append(params, map[string]any{"in": "query", "name": p.Name, "required": p.Required, "schema": schema(p.Type), "description": p.Text})
	}
	kind := "object"
	if strings.HasPrefix(strings.ToLower(o.Returns), "array") {
		kind = "array"
	}
	out := map[string]any{
		"tags": []string{o.Tag}, "operationId": o.ID, "summary": o.Summary, "parameters": params,
		"responses": map[string]any{"200": map[string]any{
			"description": o.Returns,
			"content":     map[string]any{"application/json": map[string]any{"schema": map[string]any{"type": kind}}},
		}},
	}
	if o.Description != "" {
		out["description"] = o.Description
	}
	if len(o.Body) > 0 {
		properties, required := map[string]any{}, []string{}
		for _, p := range o.Body {
			s := schema(p.Type)
			s["description"] = p.Text
			properties[p.Name] = s
			if p.Required {
				required = append(required, p.Name)
			}
		}
		body := map[string]any{"type": "object", "properties": properties}
		if len(required) > 0 {
			body["required"] = required
		}
		out["requestBody"] = map[string]any{"required": len(required) > 0, "content": map[string]any{"application/json": map[string]any{"schema": body}}}
	}
	return out
}

// schema reads string, integer, number, boolean, object, TYPE[] and a|b|c.
func schema(kind string) map[string]any {
	if item, ok := strings.CutSuffix(kind, "[]"); ok {
		return map[string]any{"type": "array", "items": schema(item)}
	}
	if strings.Contains(kind, "|") {
		return map[string]any{"type": "string", "enum": strings.Split(kind, "|")}
	}
	return map[string]any{"type": kind}
}

func markdown(list []Operation) string {
	var b strings.Builder
	b.WriteString("# Hugging Face Hub API (simulated)\n")
	tag := ""
	for _, o := range list {
		if o.Tag != tag {
			tag = o.Tag
			fmt.Fprintf(&b, "\n## %s\n", tag)
		}
		fmt.Fprintf(&b, "\n### %s %s\n\n%s", o.Method, o.Path, o.Summary)
		if o.Description != "" {
			fmt.Fprintf(&b, ". %s", o.Description)
		}
		b.WriteString("\n\n")
		writeParameters(&b, "query", o.Query)
		writeParameters(&b, "body", o.Body)
		fmt.Fprintf(&b, "Returns: %s\n", o.Returns)
	}
	return b.String()
}

func writeParameters(b *strings.Builder, where string, params []Parameter) {
	for _, p := range params {
		need := "optional"
		if p.Required {
			need = "required"
		}
		fmt.Fprintf(b, "- `%s` (%s, %s, %s): %s\n", p.Name, where, p.Type, need, p.Text)
	}
}
