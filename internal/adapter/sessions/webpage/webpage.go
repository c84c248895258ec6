// Package webpage writes a session as one HTML file to be read by people: it
// needs nothing beside itself, loads nothing and runs nothing. Whatever is in a
// session is hostile here: it becomes text, or Markdown without HTML and with
// links to web pages only. The package does not know where sessions lie.
package webpage

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

//go:embed style.css
var style string

// page writes the file; the first error of writing stays in the writer.
type page struct {
	w *bufio.Writer
	d document.Document
	// texts are those of the messages as people see them, evidence is what
	// stands behind them.
	texts    []string
	evidence []event.Evidence
	calls    map[string]call
}

// call is what became of a call.
type call struct {
	result string
	failed bool
	known  bool
}

// Write writes the page. Now is when it was written.
func Write(w io.Writer, d document.Document, now time.Time) error {
	p := &page{w: bufio.NewWriter(w), d: d, texts: d.Texts(), calls: results(d)}
	for i, text := range p.texts {
		p.texts[i] = plain.ForTerminal(text)
	}
	p.evidence = document.Behind(d, strings.Join(answers(d, p.texts), "\n\n"))
	p.head()
	p.about()
	p.plan()
	p.contents()
	for i, m := range d.Messages {
		p.message(i, m)
	}
	p.html("<footer><p class=\"dim\">Exported ", now.UTC().Format("2006-01-02 15:04"), " UTC")
	if d.AppVersion != "" {
		p.html(" · ml-intern ", escaped(d.AppVersion))
	}
	p.html("</p></footer>\n</body>\n</html>\n")
	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("write session as a web page: %w", err)
	}
	return nil
}

// html writes pieces that are HTML already.
func (p *page) html(pieces ...string) {
	for _, piece := range pieces {
		_, _ = p.w.WriteString(piece) // Flush returns the first error
	}
}

// escaped is a foreign text as HTML.
func escaped(s string) string { return html.EscapeString(plain.ForTerminal(s)) }

// line is a foreign text on one line, as HTML.
func line(s string, limit int) string {
	return html.EscapeString(history.Cut(history.Line(plain.ForTerminal(s)), limit))
}

// answers are the texts that models wrote for people.
func answers(d document.Document, texts []string) []string {
	var out []string
	for i, m := range d.Messages {
		if m.Role == llm.Assistant {
			out = append(out, texts[i])
		}
	}
	return out
}

// results are the results of all calls by id, the last of each.
func results(d document.Document) map[string]call {
	failed := map[string]bool{}
	for _, ev := range d.Events {
		if ev.Type != event.TypeToolOutput || ev.AgentID() != "" {
			continue
		}
		if out, err := event.Decode[event.ToolOutput](ev); err == nil {
			failed[out.ToolCallID] = !out.Success
		}
	}
	calls := map[string]call{}
	for _, m := range d.Messages {
		if m.Role == llm.ToolRole {
			calls[m.ToolCallID] = call{m.PlainText(), failed[m.ToolCallID], true}
		}
	}
	return calls
}

// head writes everything up to the title. The policy forbids what the page
// does not need: scripts, and whatever is not in it.
func (p *page) head() {
	sum := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	title := p.title()
	p.html("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
		`<meta http-equiv="Content-Security-Policy" content="`, html.EscapeString(policy), "\">\n",
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
		"<title>", title, "</title>\n<style>", style, "</style>\n</head>\n<body>\n<h1>", title, "</h1>\n")
}

func (p *page) title() string {
	if p.d.Title != "" {
		return line(p.d.Title, history.MaxTitle)
	}
	return line("Session "+p.d.SessionID, history.MaxTitle)
}

// message writes one message. Results stand with their calls.
func (p *page) message(i int, m llm.Message) {
	switch {
	case m.Role == llm.User && m.Synthetic:
		p.html("<details><summary class=\"dim\">Note of the program</summary><pre>", html.EscapeString(p.texts[i]), "</pre></details>\n")
	case m.Role == llm.User:
		p.begin(i, m, "Asked")
		p.html("<div class=\"asked\">", html.EscapeString(p.texts[i]))
		p.images(m)
		p.html("</div>\n</section>\n")
	case m.Role == llm.Assistant:
		p.answer(i, m)
	}
}

// begin opens the section of a message.
func (p *page) begin(i int, m llm.Message, what string) {
	p.html("<section id=\"m", fmt.Sprint(i), "\">\n<h2>", what)
	if at, ok := stamp(m.Timestamp); ok {
		p.html(" <time datetime=\"", at.Format(time.RFC3339), "\">", at.Format("2006-01-02 15:04"), "</time>")
	}
	p.html("</h2>\n")
}

func stamp(text string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, text)
	return at.UTC(), err == nil
}

// mostMarkdown is the longest text, in bytes, that is rendered: longer ones are
// shown as they are.
const mostMarkdown = 200_000

// answer writes what a model wrote and called.
func (p *page) answer(i int, m llm.Message) {
	source := strings.TrimSpace(p.texts[i])
	what := "Answered"
	if len(m.ToolCalls) > 0 {
		what = "Worked"
	}
	p.begin(i, m, what)
	switch {
	case len(source) > mostMarkdown || monstrous(source):
		p.html("<pre>", html.EscapeString(source), "</pre>\n")
	case source != "":
		p.html(render(plain.ForTerminal(evidence.Footnotes(source, p.evidence)), fmt.Sprintf("m%d-", i)))
	}
	for _, c := range m.ToolCalls {
		p.call(c)
	}
	p.html("</section>\n")
}

// Bounds of what is rendered: how many quotes and lists may lie in one another,
// as characters in front of a line, and how many links may begin in a paragraph.
const (
	mostNested = 256
	mostLinks  = 500
)

// monstrous reports whether a text goes deeper, or begins more links, than any
// real one: it would cost a parser more time than it is worth.
func monstrous(source string) bool {
	links := 0
	for line := range strings.Lines(source) {
		body := strings.TrimLeft(line, " \t>*+-.)0123456789")
		if len(line)-len(body) > mostNested {
			return true
		}
		if strings.TrimSpace(body) == "" || opensItem(line) { // the paragraph has ended
			links = 0
		}
		if links += strings.Count(body, "]("); links > mostLinks {
			return true
		}
	}
	return false
}

// opensItem reports whether a line begins an item of a list, whatever stands
// before it.
func opensItem(line string) bool {
	text := strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 || len(text) < 2 {
		return false
	}
	return text[1] == ' ' && strings.Contains("-*+", text[:1])
}

// mostResult is how many characters of a result are shown.
const mostResult = 40_000

// call writes a call of a tool with its result, folded.
func (p *page) call(c llm.ToolCall) {
	result := p.calls[c.ID]
	p.html("<details><summary>", line(c.Name, 60), " <code>", line(c.Arguments, 100), "</code>")
	switch {
	case !result.known:
		p.html(" <span class=\"dim\">no result</span>")
	case result.failed:
		p.html(" <span class=\"bad\">failed</span>")
	}
	p.html("</summary>\n<pre>", escaped(indented(c.Arguments)), "</pre>\n")
	if result.known {
		p.html("<pre>", html.EscapeString(shorten(plain.ForTerminal(result.result))), "</pre>\n")
	}
	p.html("</details>\n")
}

// indented is JSON to be read, or the text itself.
func indented(arguments string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(arguments), "", "  ") != nil {
		return arguments
	}
	return out.String()
}

// shorten leaves the middle of a long text out.
func shorten(s string) string {
	runes := []rune(s)
	if len(runes) <= mostResult {
		return s
	}
	left := len(runes) - mostResult
	return string(runes[:mostResult*3/4]) + fmt.Sprintf("\n\n… %d characters are left out …\n\n", left) + string(runes[len(runes)-mostResult/4:])
}

// images writes the pictures of a person's message that lie in it.
func (p *page) images(m llm.Message) {
	for _, url := range pictures(m) {
		p.html("\n<img alt=\"image of the message\" src=\"", html.EscapeString(url), "\">")
	}
}
