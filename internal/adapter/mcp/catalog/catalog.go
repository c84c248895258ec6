// Package catalog is what a server of the model context protocol offers, made fit
// to be shown: names, descriptions and schemas are text that somebody else has
// written, for a model that reads it as its own tools. They lose what nobody sees,
// have bounds, and what does not fit is left out and said. The package asks no
// server.
package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Bounds of what one server offers.
const (
	MaxTools     = 200
	MaxResources = 500 // of each, resources and templates
	MaxPrompts   = 100
	// MaxToolBytes bounds all tools of a server together: each request to the
	// model carries them.
	MaxToolBytes = 128 << 10

	maxName        = 128  // characters
	maxDescription = 2000 // characters
	maxLine        = 200  // characters of a title, or of what a resource is
	maxURI         = 2000 // bytes
	maxArguments   = 20   // of a prompt
	maxNotes       = 20
)

// Catalog is what a server offers.
type Catalog struct {
	Tools     []Tool
	Resources []Resource
	Templates []Resource
	Prompts   []Prompt
	// Notes say what was left out, and why.
	Notes []string
}

// Tool is a tool of a server.
type Tool struct {
	// Name is the server's own; it has only characters that can be seen.
	Name, Title, Description string
	// Schema is that of the arguments, Parameters the same as a model takes it.
	Schema     map[string]any
	Parameters json.RawMessage
	// Annotated says that the server has told something of what the tool does.
	Annotated, ReadOnly bool
	// Destructive is what the server says of a tool that does not only read; nil
	// for nothing.
	Destructive *bool
}

// Resource is something that can be read. URI is a pattern with {names} in it
// where it stands for many.
type Resource struct{ URI, Name, Description, MIME string }

// Prompt is a text that a server has prepared for people to use.
type Prompt struct {
	Name, Title, Description string
	Arguments                []Argument
}

// Argument is a word that a prompt takes.
type Argument struct {
	Name, Description string
	Required          bool
}

// Builder gathers what a server lists.
type Builder struct {
	only  []string // names of tools; empty is all
	c     Catalog
	bytes int
	left  map[string]int // what was left out beyond the notes
}

// New begins a catalogue of the tools that are named; of all with none.
func New(only []string) *Builder { return &Builder{only: only, left: map[string]int{}} }

// Catalog is what was gathered.
func (b *Builder) Catalog() Catalog {
	c := b.c
	for _, why := range slices.Sorted(keys(b.left)) {
		c.Notes = append(c.Notes, fmt.Sprintf("%d more %s", b.left[why], why))
	}
	return c
}

func keys(m map[string]int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Note says what was left out.
func (b *Builder) Note(format string, args ...any) {
	if len(b.c.Notes) < maxNotes {
		b.c.Notes = append(b.c.Notes, fmt.Sprintf(format, args...))
		return
	}
	b.left["things were left out"]++
}

// Tool adds a tool; it reports whether more may be added.
func (b *Builder) Tool(t *mcp.Tool) bool {
	if t == nil || len(b.only) > 0 && !slices.Contains(b.only, t.Name) {
		return true
	}
	if len(b.c.Tools) == MaxTools {
		b.Note("it offers more than %d tools: the others are left out; name those you need in \"tools\"", MaxTools)
		return false
	}
	name := Line(t.Name, maxName)
	if name == "" || name != t.Name {
		b.Note("a tool with the name %q is left out: a name has up to %d characters that can be seen", Line(t.Name, 60), maxName)
		return true
	}
	if slices.ContainsFunc(b.c.Tools, func(other Tool) bool { return other.Name == name }) {
		b.Note("a second tool %q is left out", name)
		return true
	}
	schema, err := Schema(t.InputSchema)
	var parameters json.RawMessage
	if err == nil {
		parameters, err = Parameters(schema)
	}
	if err != nil {
		b.Note("the tool %q is left out: %v", name, err)
		return true
	}
	tool := Tool{Name: name, Title: Line(t.Title, maxLine), Description: Text(t.Description, maxDescription), Schema: schema, Parameters: parameters}
	if a := t.Annotations; a != nil {
		tool.Annotated, tool.ReadOnly, tool.Destructive = true, a.ReadOnlyHint, a.DestructiveHint
		if tool.Title == "" {
			tool.Title = Line(a.Title, maxLine)
		}
	}
	size := len(tool.Name) + len(tool.Description) + len(parameters)
	if b.bytes+size > MaxToolBytes {
		b.Note("its tools have more than %d kB together: %q and what comes behind it is left out; name those you need in \"tools\"", MaxToolBytes>>10, name)
		return false
	}
	b.bytes += size
	b.c.Tools = append(b.c.Tools, tool)
	return true
}

// Resource adds a resource; it reports whether more may be added.
func (b *Builder) Resource(r *mcp.Resource) bool {
	if r == nil {
		return true
	}
	return b.resource(&b.c.Resources, Resource{r.URI, r.Name, r.Description, r.MIMEType}, r.Title)
}

// Template adds a pattern of resources; it reports whether more may be added.
func (b *Builder) Template(r *mcp.ResourceTemplate) bool {
	if r == nil {
		return true
	}
	return b.resource(&b.c.Templates, Resource{r.URITemplate, r.Name, r.Description, r.MIMEType}, r.Title)
}

func (b *Builder) resource(list *[]Resource, r Resource, title string) bool {
	if len(*list) == MaxResources {
		b.Note("it offers more than %d resources: the others are left out", MaxResources)
		return false
	}
	if r.URI == "" || len(r.URI) > maxURI || !seen(r.URI) {
		b.Note("a resource is left out: its address is empty, too long, or has characters that nobody sees")
		return true
	}
	if title != "" {
		r.Name = title
	}
	r.Name, r.Description, r.MIME = Line(r.Name, maxLine), Line(r.Description, maxLine), Line(r.MIME, maxLine)
	*list = append(*list, r)
	return true
}

// Prompt adds a prompt; it reports whether more may be added.
func (b *Builder) Prompt(p *mcp.Prompt) bool {
	if p == nil {
		return true
	}
	if len(b.c.Prompts) == MaxPrompts {
		b.Note("it offers more than %d prompts: the others are left out", MaxPrompts)
		return false
	}
	name := Line(p.Name, maxName)
	if name == "" || name != p.Name || strings.ContainsAny(name, " \t") {
		b.Note("a prompt with the name %q is left out: a name has up to %d characters that can be seen, and no blanks", Line(p.Name, 60), maxName)
		return true
	}
	prompt := Prompt{Name: name, Title: Line(p.Title, maxLine), Description: Line(p.Description, maxLine)}
	for _, a := range p.Arguments {
		if a == nil || len(prompt.Arguments) == maxArguments {
			continue
		}
		prompt.Arguments = append(prompt.Arguments, Argument{Line(a.Name, maxName), Line(a.Description, maxLine), a.Required})
	}
	b.c.Prompts = append(b.c.Prompts, prompt)
	return true
}

// Text is a foreign text of at most n characters without what nobody sees: control
// sequences, and marks that hide, join or turn around what stands there.
func Text(s string, n int) string {
	s = strings.TrimSpace(strings.Map(visible, plain.String(head(s, n))))
	if utf8.RuneCountInString(s) > n {
		s = excerpt.Head(s, n-1) + "…"
	}
	return s
}

// Line is a foreign text on one line.
func Line(s string, n int) string {
	s = strings.Join(strings.Fields(strings.Map(visible, plain.String(head(s, n)))), " ")
	if utf8.RuneCountInString(s) > n {
		s = excerpt.Head(s, n-1) + "…"
	}
	return s
}

// head is enough of a text to cut it to n characters.
func head(s string, n int) string {
	if most := 8 * (n + 1); len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// visible drops characters that a person does not see.
func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return r
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Variation_Selector):
		return -1
	}
	return r
}

func seen(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r == '\n' || r == '\t' || visible(r) < 0 })
}
