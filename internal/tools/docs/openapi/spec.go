// Package openapi reads the description of an HTTP API and finds operations in
// it. It knows OpenAPI 3, as far as a reader of it needs, and no API.
package openapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

// Bounds of what is read.
const (
	maxOperations = 5000
	maxParameters = 100 // of an operation
	maxDepth      = 12  // of references and schemas
)

// Spec is the description of an API.
type Spec struct {
	// Servers are the base addresses as they stand there.
	Servers []string
	// Tags are the names of all categories, sorted.
	Tags       []string
	Operations []*Operation

	components map[string]any
	index      *rank.Index
	types      *walk // that names the types of all parameters
}

// Operation is a method of a path.
type Operation struct {
	Method, Path, ID     string
	Summary, Description string
	Tags                 []string
	Deprecated           bool
	// Writes says that a call changes something.
	Writes     bool
	Parameters []Parameter
	// Body is the schema of a JSON body; nil is none.
	Body        any
	BodyExample any // nil where the description gives none
	Responses   []Response
}

// Parameter is a value of a call outside its body.
type Parameter struct {
	In, Name, Type, Description string
	Required                    bool
	Example                     any // nil is none
}

// Response is what a call can be answered with.
type Response struct {
	Status, Description string
	Schema              any // nil is none
}

// methods are those that are read, in the order in which they are shown.
func methods() []string {
	return []string{"get", "post", "put", "delete", "patch", "head", "options"}
}

// Parse reads a description in JSON.
func Parse(data []byte) (*Spec, error) {
	var doc struct {
		Servers []struct {
			URL string `json:"url"`
		} `json:"servers"`
		Tags []struct {
			Name string `json:"name"`
		} `json:"tags"`
		Paths      map[string]map[string]any `json:"paths"`
		Components map[string]any            `json:"components"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("read the description of the API: %w", err)
	}
	if len(doc.Paths) == 0 {
		return nil, errors.New("read the description of the API: it has no paths")
	}
	s := &Spec{components: doc.Components}
	s.types = &walk{s, 100 * maxSteps}
	for _, server := range doc.Servers {
		s.Servers = append(s.Servers, server.URL)
	}
	tags := map[string]bool{}
	for _, t := range doc.Tags {
		tags[t.Name] = true
	}
	paths := make([]string, 0, len(doc.Paths))
	for p := range doc.Paths {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		for _, method := range methods() {
			fields, ok := doc.Paths[p][method].(map[string]any)
			if !ok || len(s.Operations) >= maxOperations {
				continue
			}
			o := s.operation(method, p, fields, list(doc.Paths[p]["parameters"]))
			for _, t := range o.Tags {
				tags[t] = true
			}
			s.Operations = append(s.Operations, o)
		}
	}
	for t := range tags {
		if t != "" {
			s.Tags = append(s.Tags, t)
		}
	}
	slices.Sort(s.Tags)
	s.index, s.types = s.words(), nil
	return s, nil
}

func (s *Spec) operation(method, path string, fields map[string]any, shared []any) *Operation {
	o := &Operation{
		Method: strings.ToUpper(method), Path: path, ID: text(fields["operationId"]),
		Summary: text(fields["summary"]), Description: text(fields["description"]), Deprecated: fields["deprecated"] == true,
	}
	for _, t := range list(fields["tags"]) {
		o.Tags = append(o.Tags, text(t))
	}
	o.Writes = writes(o)
	for _, raw := range append(slices.Clone(shared), list(fields["parameters"])...) {
		if p, ok := s.parameter(raw); ok && len(o.Parameters) < maxParameters {
			// What the operation says replaces what all of the path share.
			o.Parameters = slices.DeleteFunc(o.Parameters, func(q Parameter) bool { return q.In == p.In && q.Name == p.Name })
			o.Parameters = append(o.Parameters, p)
		}
	}
	if body := s.resolve(fields["requestBody"]); body != nil {
		if media := jsonMedia(body); media != nil {
			o.Body, o.BodyExample = media["schema"], s.example(media)
		}
	}
	o.Responses = s.responses(fields["responses"])
	return o
}

// writes reports whether an operation changes something. A POST that only asks
// says so in its first word.
func writes(o *Operation) bool {
	switch o.Method {
	case "PUT", "DELETE", "PATCH":
		return true
	case "POST":
		first, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(o.Summary)), " ")
		return !slices.Contains([]string{"get", "list", "search", "check", "validate", "preview", "compare", "count"}, first)
	}
	return false
}

func (s *Spec) parameter(raw any) (p Parameter, ok bool) {
	fields := s.resolve(raw)
	p = Parameter{In: text(fields["in"]), Name: text(fields["name"]), Description: text(fields["description"])}
	if p.Name == "" || !slices.Contains([]string{"path", "query", "header"}, p.In) {
		return p, false
	}
	p.Required = fields["required"] == true || p.In == "path"
	p.Type = s.types.typeOf(fields["schema"], 0)
	if p.Example = s.example(fields); p.Example == nil {
		p.Example = s.example(s.resolve(fields["schema"]))
	}
	return p, true
}

func (s *Spec) responses(raw any) (out []Response) {
	all, _ := raw.(map[string]any)
	for status, r := range all {
		fields := s.resolve(r)
		response := Response{Status: status, Description: text(fields["description"])}
		if media := jsonMedia(fields); media != nil {
			response.Schema = media["schema"]
		}
		out = append(out, response)
	}
	slices.SortFunc(out, func(a, b Response) int { return cmp.Compare(a.Status, b.Status) })
	return out
}

// jsonMedia is the JSON form of a body.
func jsonMedia(body map[string]any) map[string]any {
	content, _ := body["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	return media
}

// example is the example that something gives of itself.
func (s *Spec) example(fields map[string]any) any {
	if v, ok := fields["example"]; ok {
		return v
	}
	switch examples := fields["examples"].(type) {
	case []any:
		if len(examples) > 0 {
			return examples[0]
		}
	case map[string]any:
		names := make([]string, 0, len(examples))
		for name := range examples {
			names = append(names, name)
		}
		slices.Sort(names)
		if len(names) > 0 {
			return s.resolve(examples[names[0]])["value"]
		}
	}
	return nil
}

// resolve follows references within the description.
func (s *Spec) resolve(v any) map[string]any {
	for range maxDepth {
		fields, _ := v.(map[string]any)
		ref, ok := fields["$ref"].(string)
		if !ok {
			return fields
		}
		path, ok := strings.CutPrefix(ref, "#/components/")
		if !ok {
			return nil
		}
		kind, name, _ := strings.Cut(path, "/")
		group, _ := s.components[kind].(map[string]any)
		v = group[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	return nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
