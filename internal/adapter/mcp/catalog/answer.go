package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// MaxAnswer is how much text of one answer is kept, in bytes; what the model sees
// of it is less.
const MaxAnswer = 1 << 20

// writer gathers text up to a bound.
type writer struct {
	b    strings.Builder
	left int // bytes that did not fit
}

// part adds a text on lines of its own.
func (w *writer) part(text string) {
	if w.left > 0 {
		w.left += len(text)
		return
	}
	if w.b.Len() > 0 {
		w.b.WriteByte('\n')
	}
	if room := MaxAnswer - w.b.Len(); len(text) > room {
		w.left = len(text) - room
		text = strings.ToValidUTF8(text[:max(room, 0)], "")
	}
	w.b.WriteString(text)
}

func (w *writer) String() string {
	if w.left > 0 {
		fmt.Fprintf(&w.b, "\n[%d more bytes are left out]", w.left)
	}
	return w.b.String()
}

// Answer is what a tool has answered as text: what is no text is named.
func Answer(r *mcp.CallToolResult) string {
	var w writer
	for _, c := range r.Content {
		w.content(c)
	}
	if r.StructuredContent != nil {
		w.structured(r)
	}
	return w.String()
}

// structured adds a structured result, unless a text says the same.
func (w *writer) structured(r *mcp.CallToolResult) {
	raw, err := json.Marshal(r.StructuredContent)
	if err != nil {
		return
	}
	for _, c := range r.Content {
		if t, ok := c.(*mcp.TextContent); ok && same([]byte(t.Text), raw) {
			return
		}
	}
	w.part(string(raw))
}

// same reports whether two texts are the same JSON.
func same(a, b []byte) bool {
	var x any
	if json.Unmarshal(a, &x) != nil {
		return false
	}
	again, err := json.Marshal(x)
	return err == nil && bytes.Equal(again, b)
}

// content adds one block.
func (w *writer) content(c mcp.Content) {
	switch c := c.(type) {
	case *mcp.TextContent:
		w.part(c.Text)
	case *mcp.ImageContent:
		w.part("[Image: " + Line(c.MIMEType, maxLine) + "]")
	case *mcp.AudioContent:
		w.part("[Audio: " + Line(c.MIMEType, maxLine) + "]")
	case *mcp.ResourceLink:
		w.part(link(c))
	case *mcp.EmbeddedResource:
		w.resource(c.Resource)
	default:
		w.part("[a block of a kind that is not known here]")
	}
}

func link(c *mcp.ResourceLink) string {
	text := "[Resource: " + Line(c.URI, maxURI)
	if name := Line(c.Name, maxLine); name != "" {
		text += " " + name
	}
	return text + "]"
}

// resource adds what a resource holds.
func (w *writer) resource(r *mcp.ResourceContents) {
	switch {
	case r == nil:
	case r.Text != "":
		w.part(r.Text)
	case r.Blob != nil:
		w.part("[Binary data: " + Line(r.MIMEType, maxLine) + "]")
	default:
		w.part("[Resource: " + Line(r.URI, maxURI) + "]")
	}
}

// Contents are those of a resource that was read.
func Contents(r *mcp.ReadResourceResult) string {
	var w writer
	for _, c := range r.Contents {
		w.resource(c)
	}
	return w.String()
}

// Wording is a prompt as one text: what it has a person say, and, marked, what it
// has the model say.
func Wording(r *mcp.GetPromptResult) string {
	var w writer
	for _, m := range r.Messages {
		if m == nil {
			continue
		}
		if m.Role != "user" {
			w.part("[" + Line(string(m.Role), maxName) + "]")
		}
		w.content(m.Content)
	}
	return w.String()
}
