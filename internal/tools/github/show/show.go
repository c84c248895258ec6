// Package show writes what GitHub answers as rows and texts for a model. What
// comes from outside loses its control characters and has its limits. It asks
// nothing.
package show

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/github/source"
)

// Compact writes JSON on one line.
func Compact(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	return Call(v)
}

// Call writes arguments as the model would.
func Call(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}

// Citation is what the last line, which names a source, may take of the room,
// in characters beside the address.
const Citation = 80

// Page gathers rows while there is room.
type Page struct {
	b    strings.Builder
	left int
	out  int // rows left out
}

// NewPage keeps room for the sources' lines; addresses are their lengths.
func NewPage(env tool.Env, addresses ...string) *Page {
	room := lookup.Room(env, 0) - 200 // for the words behind the rows
	for _, a := range addresses {
		room -= utf8.RuneCountInString(a) + Citation
	}
	return &Page{left: room}
}

// Add writes a row, all or nothing.
func (p *Page) Add(row string) {
	n := utf8.RuneCountInString(row)
	if n > p.left || p.out > 0 {
		p.out++
		return
	}
	p.left -= n
	p.b.WriteString(row)
}

// Left is how many characters still fit.
func (p *Page) Left() int { return max(p.left, 0) }

// Text is what was gathered, with a line on what was left out.
func (p *Page) Text() string {
	if p.out > 0 {
		fmt.Fprintf(&p.b, "… %d more are left out for their length; narrow the question.\n", p.out)
	}
	return p.b.String()
}

// Line is text from outside in one line of at most n characters.
func Line(s string, n int) string {
	s = strings.Join(strings.Fields(source.Text([]byte(s))), " ")
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n]) + "..."
	}
	return s
}
