// Package markup turns documents into text a model can read. It knows formats
// only: not where a document comes from nor who reads the text.
package markup

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// outputChars bounds each output of a notebook cell, in characters; the head
// and the tail are kept.
const outputChars = 4000

// ErrNotNotebook says that a document is JSON but not a notebook.
var ErrNotNotebook = errors.New("it is no notebook: it has no list of cells")

// Notebook renders a Jupyter notebook as its cells in order, each under a line
// that gives its number and kind, with outputs as text. Pictures and other
// binary outputs are only named.
func Notebook(data []byte) (string, error) {
	var nb notebook
	if err := json.Unmarshal(data, &nb); err != nil {
		return "", fmt.Errorf("read notebook: %w", err)
	}
	cells := nb.Cells
	for _, w := range nb.Worksheets { // format 3
		cells = append(cells, w.Cells...)
	}
	if nb.Cells == nil && nb.Worksheets == nil {
		return "", ErrNotNotebook
	}
	var b strings.Builder
	language := nb.Metadata.Kernel.Language
	if language == "" {
		language = nb.Metadata.Language.Name
	}
	if language != "" {
		language += ", "
	}
	fmt.Fprintf(&b, "[notebook: %s%d cells]\n", language, len(cells))
	for i, c := range cells {
		c.render(&b, i+1)
	}
	return b.String(), nil
}

type notebook struct {
	Cells      []cell `json:"cells"`
	Worksheets []struct {
		Cells []cell `json:"cells"`
	} `json:"worksheets"`
	Metadata struct {
		Kernel struct {
			Language string `json:"language"`
		} `json:"kernelspec"`
		Language struct {
			Name string `json:"name"`
		} `json:"language_info"`
	} `json:"metadata"`
}

type cell struct {
	Type    string   `json:"cell_type"`
	Count   *int     `json:"execution_count"`
	Source  text     `json:"source"`
	Input   text     `json:"input"` // format 3
	Outputs []output `json:"outputs"`
}

type output struct {
	Type      string          `json:"output_type"`
	Name      string          `json:"name"`
	Text      text            `json:"text"`
	Data      map[string]text `json:"data"`
	ErrorName string          `json:"ename"`
	Error     string          `json:"evalue"`
	Traceback []string        `json:"traceback"`
}

// text is a string that a notebook may also hold as a list of lines, or, for
// rich outputs, as any JSON value.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = text(one)
		return nil
	}
	var lines []string
	if json.Unmarshal(data, &lines) == nil {
		*t = text(strings.Join(lines, ""))
		return nil
	}
	*t = text(data)
	return nil
}

func (c cell) render(b *strings.Builder, n int) {
	fmt.Fprintf(b, "\n[cell %d: %s", n, c.Type)
	if c.Count != nil {
		fmt.Fprintf(b, ", run %d", *c.Count)
	}
	b.WriteString("]\n")
	line(b, string(c.Source+c.Input))
	for _, o := range c.Outputs {
		o.render(b)
	}
}

func (o output) render(b *strings.Builder) {
	name := o.Type
	if o.Name != "" {
		name = o.Name
	}
	switch {
	case o.ErrorName != "" || o.Error != "":
		fmt.Fprintf(b, "[output: error]\n")
		trace := strings.Join(o.Traceback, "\n")
		if trace == "" {
			trace = o.ErrorName + ": " + o.Error
		}
		line(b, shorten(escapes().ReplaceAllString(trace, "")))
	case o.Text != "":
		fmt.Fprintf(b, "[output: %s]\n", name)
		line(b, shorten(escapes().ReplaceAllString(string(o.Text), "")))
	default:
		o.renderData(b, name)
	}
}

// renderData shows the text form of a rich output and names the others.
func (o output) renderData(b *strings.Builder, name string) {
	if t := o.Data["text/plain"]; t != "" {
		fmt.Fprintf(b, "[output: %s]\n", name)
		line(b, shorten(string(t)))
	}
	kinds := make([]string, 0, len(o.Data))
	for kind := range o.Data {
		if kind != "text/plain" {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(b, "[output: %s, %d bytes, not shown]\n", kind, len(o.Data[kind]))
	}
}

// line writes s with exactly one line end behind it.
func line(b *strings.Builder, s string) {
	if s = strings.TrimRight(s, "\n"); s != "" {
		b.WriteString(s)
		b.WriteByte('\n')
	}
}

// escapes matches the colours of tracebacks.
var escapes = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]") })

func shorten(s string) string {
	runes := []rune(s)
	if len(runes) <= outputChars {
		return s
	}
	const head = outputChars / 4
	tail := outputChars - head
	return fmt.Sprintf("%s\n… (%d characters left out) …\n%s",
		string(runes[:head]), len(runes)-outputChars, string(runes[len(runes)-tail:]))
}
