// Package section finds its way in Markdown: the outline of a text and the
// section that somebody names. It knows nothing of what the text is about.
package section

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a text a passage shows around a word that is no heading, in
// characters.
const (
	before = 3000
	after  = 9000
)

// Heading is a heading and the section below it.
type Heading struct {
	// Level is 1 to 6. Text is without marks and Marker; Marker is the anchor
	// in [[…]] that generated documentation puts behind it.
	Level        int
	Text, Marker string
	// Offset is where the heading begins and Size how long its section is, with
	// the heading and the sections within it, both in characters.
	Offset, Size int
}

// Outline lists the headings of a text. A line that begins with # in a code
// fence is none.
func Outline(md string) []Heading {
	places := scan(md)
	out := make([]Heading, len(places))
	for i, p := range places {
		out[i] = p.Heading
	}
	return out
}

// place is a heading with the bytes of its section.
type place struct {
	Heading
	from, to int
}

// scan finds the headings and the ends of their sections.
func scan(md string) []place {
	var out []place
	var open []int // sections that have not ended, outermost first
	end := func(level, at, chars int) {
		for len(open) > 0 && out[open[len(open)-1]].Level >= level {
			p := &out[open[len(open)-1]]
			p.to, p.Size = at, chars-p.Offset
			open = open[:len(open)-1]
		}
	}
	at, chars := 0, 0
	var f fence
	for line := range strings.Lines(md) {
		if !f.line(line) {
			if h, ok := heading(line); ok {
				end(h.Level, at, chars)
				h.Offset = chars
				open = append(open, len(out))
				out = append(out, place{Heading: h, from: at})
			}
		}
		at += len(line)
		chars += utf8.RuneCountInString(line)
	}
	end(0, at, chars)
	return out
}

// fence follows code fences through the lines of a text.
type fence struct {
	mark  byte // 0 outside of fences
	count int
	open  string // the line that opened it
}

// line takes the next line and reports whether it belongs to a fence.
func (f *fence) line(line string) bool {
	text := strings.TrimLeft(line, " \t>")
	count := run(text)
	if f.mark == 0 {
		if count < 3 || text[0] == '`' && strings.Contains(text[count:], "`") {
			return false
		}
		*f = fence{text[0], count, strings.TrimRight(text, "\r\n")}
		return true
	}
	if count >= f.count && text[0] == f.mark && strings.TrimSpace(text[count:]) == "" {
		*f = fence{}
	}
	return true
}

// run is how often a line repeats the back-tick or tilde it begins with.
func run(text string) int {
	n := 0
	for n < len(text) && (text[n] == '`' || text[n] == '~') && text[n] == text[0] {
		n++
	}
	return n
}

// heading reads a line that is one.
func heading(line string) (Heading, bool) {
	text := strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 {
		return Heading{}, false // code by indentation
	}
	level := 0
	for level < len(text) && text[level] == '#' {
		level++
	}
	text = text[level:]
	if level < 1 || level > 6 || text != "" && !strings.ContainsRune(" \t\r\n", rune(text[0])) {
		return Heading{}, false
	}
	text = strings.TrimSpace(text)
	if bare := strings.TrimRight(text, "#"); bare == "" || strings.HasSuffix(bare, " ") {
		text = strings.TrimSpace(bare)
	}
	h := Heading{Level: level, Text: text}
	if open := strings.LastIndex(text, "[["); open >= 0 && strings.HasSuffix(text, "]]") {
		h.Text, h.Marker = strings.TrimSpace(text[:open]), strings.TrimSpace(text[open+2:len(text)-2])
	}
	return h, true
}

// Find returns the section that name names: by its marker, else by the letters
// and digits of its heading, else the passage around the last dotted part of
// name, which must stand in the text as a word. h is the heading of the section
// or, for a passage, the one above it.
func Find(md, name string) (text string, h Heading, ok bool) {
	name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "#"))
	if name == "" {
		return "", Heading{}, false
	}
	places := scan(md)
	for _, p := range places {
		if p.Marker != "" && strings.EqualFold(p.Marker, name) {
			return md[p.from:p.to], p.Heading, true
		}
	}
	if bare := reduced(name); bare != "" {
		for _, p := range places {
			if reduced(p.Text) == bare {
				return md[p.from:p.to], p.Heading, true
			}
		}
	}
	return passage(md, places, name[strings.LastIndexByte(name, '.')+1:])
}

// reduced returns the letters and digits of s in lower case.
func reduced(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// passage returns what stands around a word, in whole lines.
func passage(md string, places []place, word string) (string, Heading, bool) {
	at := find(md, word)
	if at < 0 {
		return "", Heading{}, false
	}
	from := back(md, at, before)
	var above Heading
	for _, p := range places {
		if p.from > at {
			break
		}
		above = p.Heading
		from = max(from, p.from)
	}
	if from > 0 && md[from-1] != '\n' { // begin with a line
		if i := strings.IndexByte(md[from:at], '\n'); i >= 0 {
			from += i + 1
		}
	}
	to := forward(md, at, after)
	if to < len(md) { // end with a line
		if i := strings.LastIndexByte(md[at:to], '\n'); i >= 0 {
			to = at + i + 1
		}
	}
	return fenced(md, from, to), above, true
}

// find returns where word stands as a word: not as a part of a longer one.
func find(md, word string) int {
	if utf8.RuneCountInString(word) < 2 || !strings.ContainsFunc(word, unicode.IsLetter) {
		return -1
	}
	for at := 0; ; {
		i := strings.Index(md[at:], word)
		if i < 0 {
			return -1
		}
		at += i
		left, _ := utf8.DecodeLastRuneInString(md[:at])
		right, _ := utf8.DecodeRuneInString(md[at+len(word):])
		if !inWord(left) && !inWord(right) {
			return at
		}
		at += len(word)
	}
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// back returns the place n characters before at, forward that after it.
func back(md string, at, n int) int {
	for ; n > 0 && at > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(md[:at])
		at -= size
	}
	return at
}

func forward(md string, at, n int) int {
	for ; n > 0 && at < len(md); n-- {
		_, size := utf8.DecodeRuneInString(md[at:])
		at += size
	}
	return at
}

// fenced returns md[from:to] with the code fences that it tears opened and
// closed again.
func fenced(md string, from, to int) string {
	var f fence
	for line := range strings.Lines(md[:from]) {
		f.line(line)
	}
	out := md[from:to]
	if f.mark != 0 {
		out = f.open + "\n" + out
	}
	for line := range strings.Lines(md[from:to]) {
		f.line(line)
	}
	if f.mark != 0 {
		out = strings.TrimRight(out, "\n") + "\n" + strings.Repeat(string(f.mark), f.count)
	}
	return out
}
