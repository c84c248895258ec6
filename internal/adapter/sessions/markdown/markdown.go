// Package markdown writes a session to be read by people.
package markdown

import (
	"fmt"
	"io"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
	shown "github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Write writes what was asked and answered, to be read by people: the
// marks of what was looked up become footnotes, and references that nothing
// stands behind have their remark. Results of tools are left out.
func Write(w io.Writer, d document.Document) error {
	var b strings.Builder
	title := d.Title
	if title == "" {
		title = "Session " + d.SessionID
	}
	fmt.Fprintf(&b, "# %s\n\n", strings.Join(strings.Fields(shown.String(title)), " "))
	for _, x := range []struct{ name, value string }{{"Session", d.SessionID}, {"Model", d.Model}, {"Started", d.StartTime}} {
		if x.value != "" {
			fmt.Fprintf(&b, "- %s: %s\n", x.name, shown.String(x.value))
		}
	}
	texts := d.Texts()
	for i, m := range d.Messages {
		text := strings.TrimSpace(shown.String(texts[i]))
		switch {
		case text == "", m.Synthetic:
		case m.Role == llm.User: // in a fence it is what it was, and cites nothing
			fence := markup.Fence(text)
			fmt.Fprintf(&b, "\n## Asked\n\n%stext\n%s\n%s\n", fence, text, fence)
		case m.Role == llm.Assistant && len(m.ToolCalls) == 0:
			fmt.Fprintf(&b, "\n## Answered\n\n%s\n", text)
		}
	}
	if _, err := io.WriteString(w, evidence.Footnotes(b.String(), document.Behind(d, b.String()))); err != nil {
		return fmt.Errorf("write session as Markdown: %w", err)
	}
	return nil
}
