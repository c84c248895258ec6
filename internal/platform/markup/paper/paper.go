// Package paper is what a scientific paper is made of once it is Markdown:
// title, abstract, numbered sections, tables and references, and how a reader
// names a section. It knows nothing of the format a paper came in.
package paper

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/markup/section"
)

// Paper is a paper.
type Paper struct {
	Title, Authors, Abstract string
	// Version is such as "v2", "" when the paper does not say.
	Version string
	// Body is everything after the abstract, in Markdown. Sections are its
	// headings in order.
	Body       string
	Sections   []Section
	Tables     []Table
	References []Reference
}

// Section is a heading of the body and what is below it, with the sections
// within.
type Section struct {
	// ID is its number, such as "2.1", "A" or "IV-B"; "" without one.
	ID string
	// Title is its heading with the number.
	Title string
	// Level is 1 to 6; the sections of a paper mostly have 2.
	Level int
	// Chars is its length with its heading; Tables counts the tables in it.
	Chars, Tables int

	from, to int // bytes of the body
	parent   int // the section around it, -1 without one
	words    string
}

// Table is a table, its caption first.
type Table struct {
	Caption, Markdown string
	// Section is the index of the innermost section it stands in, -1 before the
	// first.
	Section int
}

// Reference is an entry of the bibliography.
type Reference struct {
	// Tag is how the text cites it, such as "Doe (2020)"; "" when unknown.
	Tag, Text string
	// ArXiv is the arXiv id that the entry gives, "" without one.
	ArXiv string
}

// New cuts a body into sections. ids are the numbers of its headings in order;
// nil reads them from the headings.
func New(p Paper, ids []string) *Paper {
	outline := section.Outline(p.Body)
	if ids == nil {
		ids = numbers(outline)
	}
	at, chars := 0, 0 // the byte and the character reached
	position := func(to int) int {
		for at < len(p.Body) && chars < to {
			_, size := decode(p.Body[at:])
			at += size
			chars++
		}
		return at
	}
	p.Sections = make([]Section, len(outline))
	for i, h := range outline {
		s := Section{Title: h.Text, Level: h.Level, Chars: h.Size, from: position(h.Offset)}
		if i < len(ids) {
			s.ID = ids[i]
		}
		s.words = strings.TrimSpace(title(h.Text, s.ID))
		p.Sections[i] = s
	}
	p.close()
	for _, t := range p.Tables {
		p.count(t.Section)
	}
	return &p
}

// close finds where the sections end: at the next heading of the same or a
// higher level.
func (p *Paper) close() {
	var open []int
	for i, s := range p.Sections {
		for len(open) > 0 && p.Sections[open[len(open)-1]].Level >= s.Level {
			p.Sections[open[len(open)-1]].to = s.from
			open = open[:len(open)-1]
		}
		p.Sections[i].parent = -1
		if len(open) > 0 {
			p.Sections[i].parent = open[len(open)-1]
		}
		open = append(open, i)
	}
	for _, i := range open {
		p.Sections[i].to = len(p.Body)
	}
}

// count counts a table for a section and those around it.
func (p *Paper) count(i int) {
	if i >= len(p.Sections) {
		return
	}
	for ; i >= 0; i = p.Sections[i].parent {
		p.Sections[i].Tables++
	}
}

// Text returns a section with its heading and the sections within it.
func (p *Paper) Text(i int) string {
	return strings.TrimSpace(p.Body[p.Sections[i].from:p.Sections[i].to])
}

// Lead returns the text directly below a section's heading, without marks of
// Markdown's blocks; where there is none, that of the first section within it.
func (p *Paper) Lead(i int) string {
	for j := i; j < len(p.Sections) && (j == i || p.Sections[j].Level > p.Sections[i].Level); j++ {
		end := p.Sections[j].to
		if j+1 < len(p.Sections) {
			end = min(end, p.Sections[j+1].from)
		}
		_, text, _ := strings.Cut(p.Body[p.Sections[j].from:end], "\n")
		if text = strings.Join(strings.Fields(text), " "); text != "" {
			return text
		}
	}
	return ""
}

// Whole returns the paper without title and authors.
func (p *Paper) Whole() string {
	if p.Abstract == "" {
		return p.Body
	}
	return "## Abstract\n\n" + p.Abstract + "\n\n" + p.Body
}

// Find returns the sections that name fits best, in the order of the paper:
// those with that number, else with that number in other words ("Appendix A",
// "Section 2", "4" for IV), with that heading, with these words in their
// heading, or with numbers below that one.
func (p *Paper) Find(name string) []int {
	name = strings.ToLower(strings.Join(strings.Fields(name), " "))
	if name == "" {
		return nil
	}
	number := bare(name)
	for _, fits := range []func(Section) bool{
		func(s Section) bool { return s.ID != "" && strings.EqualFold(s.ID, name) },
		func(s Section) bool {
			return s.ID != "" && (strings.EqualFold(s.ID, number) || arabic(s.ID) == number && number != "")
		},
		func(s Section) bool { return strings.EqualFold(s.Title, name) || strings.EqualFold(s.words, name) },
		func(s Section) bool { return containsWords(strings.ToLower(s.words), name) },
		func(s Section) bool {
			id := strings.ToLower(s.ID)
			return strings.HasPrefix(id, number+".") || strings.HasPrefix(id, number+"-")
		},
	} {
		var hits []int
		for i, s := range p.Sections {
			if fits(s) {
				hits = append(hits, i)
			}
		}
		if hits != nil {
			return hits
		}
	}
	return nil
}

// Numbered returns the section with that number, however it is written; -1 when
// there is none.
func (p *Paper) Numbered(name string) int {
	hits := p.Find(name)
	number := strings.ToUpper(bare(strings.ToLower(strings.TrimSpace(name))))
	for _, i := range hits {
		if id := p.Sections[i].ID; strings.EqualFold(id, number) || id != "" && arabic(id) == number {
			return i
		}
	}
	return -1
}

// Within reports whether section i is section j or lies in it.
func (p *Paper) Within(i, j int) bool {
	return p.Sections[j].from <= p.Sections[i].from && p.Sections[i].to <= p.Sections[j].to
}

// containsWords reports whether part stands in text between word boundaries. A
// single letter or digit is no word that anybody would look for.
func containsWords(text, part string) bool {
	if len(part) < 2 {
		return false
	}
	edge := func(s string, last bool) bool {
		r, _ := decode(s)
		if last {
			r = lastRune(s)
		}
		return s == "" || !letterOrDigit(r)
	}
	for at := 0; ; {
		i := strings.Index(text[at:], part)
		if i < 0 {
			return false
		}
		at += i
		if edge(text[:at], true) && edge(text[at+len(part):], false) {
			return true
		}
		at += len(part)
	}
}

// Index lists the headings, so that somebody who asked for another can choose.
func (p *Paper) Index() []string {
	out := make([]string, len(p.Sections))
	for i, s := range p.Sections {
		out[i] = s.Title
	}
	return out
}
