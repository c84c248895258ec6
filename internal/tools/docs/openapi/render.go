package openapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Detail is how much is told of an operation.
type Detail struct {
	// Base is the address that commands use, without a slash at the end.
	Base string
	// Text is how many characters of a description are shown, Lines how many of
	// a list of fields.
	Text, Lines int
}

// Render tells an operation: what it is for, its parameters, a command, and what
// comes back.
func (s *Spec) Render(h Hit, d Detail) string {
	var b strings.Builder
	if h.Score > 0 {
		fmt.Fprintf(&b, "**Relevance:** %.2f\n", h.Score)
	}
	if h.Writes {
		b.WriteString("**Writes:** this changes something on the Hub\n")
	}
	if h.Deprecated {
		b.WriteString("**Deprecated**\n")
	}
	if h.Summary != "" {
		fmt.Fprintf(&b, "**Summary:** %s\n", short(h.Summary, d.Text))
	}
	if h.Description != "" {
		fmt.Fprintf(&b, "**Description:** %s\n", short(h.Description, d.Text))
	}
	if len(h.Tags) > 0 {
		fmt.Fprintf(&b, "**Tags:** %s\n", short(strings.Join(h.Tags, ", "), d.Text))
	}
	for _, in := range [...]string{"path", "query", "header"} {
		s.parameters(&b, h.Operation, in, d)
	}
	if h.Body != nil {
		fieldList(&b, "Body (JSON)", s.Fields(h.Body, 2), d)
	}
	fmt.Fprintf(&b, "\n**Usage:**\n```bash\n%s\n```\n", s.Curl(h.Operation, d.Base))
	s.returns(&b, h.Operation, d)
	return strings.TrimRight(b.String(), "\n")
}

func (s *Spec) parameters(b *strings.Builder, o *Operation, in string, d Detail) {
	begun := false
	for _, p := range o.Parameters {
		if p.In != in {
			continue
		}
		if !begun {
			fmt.Fprintf(b, "\n**%s Parameters:**\n", strings.ToUpper(in[:1])+in[1:])
			begun = true
		}
		need := "optional"
		if p.Required {
			need = "required"
		}
		fmt.Fprintf(b, "- `%s` (%s) (%s)", p.Name, p.Type, need)
		if p.Description != "" {
			b.WriteString(": " + short(p.Description, d.Text))
		}
		b.WriteString("\n")
		if p.Example != nil {
			fmt.Fprintf(b, "  Example: `%s`\n", short(plain(p.Example), d.Text))
		}
	}
}

// statuses is how many kinds of answers are shown.
const statuses = 3

func (s *Spec) returns(b *strings.Builder, o *Operation, d Detail) {
	if len(o.Responses) == 0 {
		return
	}
	b.WriteString("\n**Returns:**\n")
	for _, r := range o.Responses[:min(len(o.Responses), statuses)] {
		fmt.Fprintf(b, "- **%s**: %s\n", r.Status, short(r.Description, d.Text))
		if r.Schema == nil {
			continue
		}
		fmt.Fprintf(b, "  Returns: %s\n", s.Type(r.Schema))
		for i, line := range s.Fields(r.Schema, 2) {
			if i == d.Lines {
				b.WriteString("  - …\n")
				break
			}
			writeField(b, "  ", line, d)
		}
	}
}

func fieldList(b *strings.Builder, title string, lines []string, d Detail) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n**%s:**\n", title)
	for i, line := range lines {
		if i == d.Lines {
			b.WriteString("- …\n")
			return
		}
		writeField(b, "", line, d)
	}
}

func writeField(b *strings.Builder, indent, line string, d Detail) {
	body := strings.TrimLeft(line, " ")
	fmt.Fprintf(b, "%s%s- %s\n", indent, line[:len(line)-len(body)], short(body, d.Text))
}

// Curl is a command that calls an operation. The token stands in double quotes,
// so that a shell fills it in; nothing else in it means anything to a shell.
func (s *Spec) Curl(o *Operation, base string) string {
	address := base + s.path(o)
	var query []string
	for _, p := range o.Parameters {
		if p.In == "query" && p.Required {
			query = append(query, escape(p.Name)+"="+s.sample(p))
		}
	}
	if len(query) > 0 {
		address += "?" + strings.Join(query, "&")
	}
	parts := []string{
		fmt.Sprintf(`curl -X %s "%s"`, o.Method, address),
		`-H "Authorization: Bearer $HF_TOKEN"`,
	}
	if o.Body != nil && (o.Method == "POST" || o.Method == "PUT" || o.Method == "PATCH") {
		example := o.BodyExample
		if example == nil {
			example = s.Example(o.Body)
		}
		parts = append(parts, `-H "Content-Type: application/json"`, "-d '"+strings.ReplaceAll(compact(example), "'", `'\''`)+"'")
	}
	return strings.Join(parts, " \\\n  ")
}

// path is an operation's path with its parameters filled in where there is an
// example, and named where there is none.
func (s *Spec) path(o *Operation) string {
	var b strings.Builder
	rest := o.Path
	for {
		before, after, ok := strings.Cut(rest, "{")
		b.WriteString(escapePath(before))
		if !ok {
			return b.String()
		}
		name, tail, ok := strings.Cut(after, "}")
		if !ok {
			b.WriteString(escapePath("{" + after))
			return b.String()
		}
		b.WriteString(s.sample(s.pathParameter(o, name)))
		rest = tail
	}
}

func (s *Spec) pathParameter(o *Operation, name string) Parameter {
	for _, p := range o.Parameters {
		if p.In == "path" && p.Name == name {
			return p
		}
	}
	return Parameter{Name: name}
}

// sample is an example of a parameter for an address, or its name in brackets.
func (s *Spec) sample(p Parameter) string {
	if p.Example != nil {
		return escape(plain(p.Example))
	}
	return "<" + escape(p.Name) + ">"
}

func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = escape(parts[i])
	}
	return strings.Join(parts, "/")
}

// plain is a value as people write it: texts without quotes.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return compact(v)
}

func compact(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "{}"
	}
	return strings.TrimSpace(b.String())
}

// short is a text in one line of at most n characters.
func short(text string, n int) string {
	if len(text) > 16*n {
		text = text[:16*n]
	}
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "")
	i := 0
	for at := range text {
		if i++; i > n {
			return text[:at] + "…"
		}
	}
	return text
}
