package pdf

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/platform/markup/paper"
)

// Proportions that tell paragraphs and headings.
const (
	// larger is how much larger than the text a heading's type is.
	larger = 1.12
	// apart is how much further below the line above the first line of a
	// paragraph is, indent how far in it begins, in sizes of the type.
	apart  = 1.35
	indent = 0.8
	// longest is the most characters of a heading.
	longest = 200
	// edge is the part of a page at its top and bottom where running titles are.
	edge = 0.09
)

// prose makes Markdown of pages.
func prose(pages []sheet) string {
	var all []line
	for i, s := range pages {
		all = append(all, lines(s, i)...)
	}
	all = withoutRunning(all, pages)
	w := writer{body: bodySize(all), largest: largest(all)}
	w.leading = w.usualLeading(all)
	for i, l := range all {
		if w.b.Len() > maxText {
			break
		}
		w.add(l, all, i)
	}
	w.end()
	return strings.TrimSpace(w.b.String())
}

// bodySize is the size that most characters have.
func bodySize(all []line) float64 {
	count := map[float64]int{}
	best, most := 10.0, 0
	for _, l := range all {
		key := math.Round(l.size*2) / 2
		count[key] += len(l.text)
		if count[key] > most {
			best, most = key, count[key]
		}
	}
	return best
}

// withoutRunning drops page numbers, and titles that stand at the edge of three
// pages or more.
func withoutRunning(all []line, pages []sheet) []line {
	atEdge := func(l line) bool {
		h := pages[l.page].height
		return h > 0 && (l.y < h*edge || l.y > h*(1-edge))
	}
	key := func(l line) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return '0'
			}
			return r
		}, l.text)
	}
	seen := map[string]int{}
	for _, l := range all {
		if atEdge(l) {
			seen[key(l)]++
		}
	}
	var out []line
	for _, l := range all {
		if atEdge(l) && (seen[key(l)] >= 3 || strings.Trim(l.text, "0123456789-–— ") == "") {
			continue
		}
		out = append(out, l)
	}
	return out
}

type writer struct {
	b strings.Builder
	// body is the size of most text, largest that of the first page's largest.
	body, largest float64
	leading       float64 // in sizes
	titled        bool

	text  strings.Builder // the paragraph or heading so far
	level int             // of the heading; 0 is a paragraph
	last  line
}

// usualLeading is the distance that most lines of the text have, in sizes.
func (w *writer) usualLeading(all []line) float64 {
	count := map[float64]int{}
	best, most := 1.2, 0
	for i := 1; i < len(all); i++ {
		d := (all[i-1].y - all[i].y) / w.body
		if all[i].page != all[i-1].page || d < 0.9 || d > 2.5 {
			continue
		}
		key := math.Round(d*20) / 20
		count[key]++
		if count[key] > most {
			best, most = key, count[key]
		}
	}
	return best
}

func (w *writer) add(l line, all []line, i int) {
	level := w.levelOf(l, all, i)
	switch {
	case w.text.Len() == 0:
	case level != w.level:
		w.end()
	case level > 0:
		// A heading goes on in the next line unless that has a number of its own.
		if numbered(l.text) > 0 || math.Abs(l.size-w.last.size) > 0.5 || w.last.y-l.y > 2*l.size || w.text.Len() > longest {
			w.end()
		}
	case w.begins(l), w.text.Len() > longestParagraph:
		w.end()
	}
	w.join(l.text)
	w.level, w.last = level, l
}

// levelOf returns the level of the heading a line is; 0 for none.
func (w *writer) levelOf(l line, all []line, i int) int {
	if utf8.RuneCountInString(l.text) > longest || !strings.ContainsFunc(l.text, unicode.IsLetter) {
		return 0
	}
	parts := numbered(l.text)
	big := l.size >= w.body*larger
	switch strings.ToLower(strings.TrimRight(l.text, ".:")) {
	case "abstract", "references", "bibliography", "acknowledgements", "acknowledgments", "a b s t r a c t":
		return 2
	}
	switch {
	case parts == 0 && l.page == 0 && l.size >= w.body*1.3 && !w.titled && l.size >= w.largest:
		return 1
	case big && parts > 0, l.bold && parts > 0 && l.size >= w.body*0.95 && !strings.HasSuffix(l.text, ","):
		return min(1+parts, 6)
	case big && (l.bold || l.size >= w.body*1.18) && letters(l.text)*2 >= utf8.RuneCountInString(l.text) && (w.titled || l.page > 0):
		return 2
	case l.bold && w.titled && w.alone(l, all, i):
		return 3
	}
	return 0
}

// largest is the largest size on the first page.
func largest(all []line) float64 {
	size := 0.0
	for _, l := range all {
		if l.page > 0 {
			break
		}
		if letters(l.text) > 3 {
			size = max(size, l.size-0.1)
		}
	}
	return size
}

// alone reports whether a bold line stands between others that are not, with
// space above, and is too short to be a sentence.
func (w *writer) alone(l line, all []line, i int) bool {
	if len(l.text) > 80 || strings.HasSuffix(l.text, ".") || l.size < w.body*0.95 || i == 0 || i+1 >= len(all) {
		return false
	}
	above, below := all[i-1], all[i+1]
	spaced := above.page != l.page || above.y < l.y || above.y-l.y > w.body*w.leading*apart
	return spaced && !below.bold && unicode.IsUpper(firstRune(l.text)) && l.from < l.left+w.body
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func letters(s string) int {
	n := 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			n++
		}
	}
	return n
}

// numbered returns how many parts the number has that a line begins with, which
// is 2 for "3.1 Setup"; 0 without one.
func numbered(text string) int {
	first, rest, ok := strings.Cut(text, " ")
	if strings.EqualFold(first, "appendix") {
		first, rest, ok = strings.Cut(rest, " ")
	}
	rest = strings.TrimSpace(rest)
	if !ok || paper.ID(first) == "" || !unicode.IsUpper(firstRune(rest)) && !unicode.IsDigit(firstRune(rest)) {
		return 0
	}
	id := paper.ID(first)
	return 1 + strings.Count(id, ".") + strings.Count(id, "-")
}

// begins reports whether a line begins a paragraph.
func (w *writer) begins(l line) bool {
	last := w.last
	if math.Abs(l.size-last.size) > 0.12*w.body {
		return true
	}
	full := last.to >= last.right-0.12*(last.right-last.left)
	if l.page != last.page || l.y > last.y { // the next column or page
		return full == endsSentence(last.text) && endsSentence(last.text) || l.from > l.left+indent*l.size
	}
	if last.y-l.y > w.body*w.leading*apart {
		return true
	}
	// Indented, under a line that is not.
	if l.from > l.left+indent*l.size && last.from < last.left+indent*l.size {
		return true
	}
	return listed(l.text) && (endsSentence(last.text) || !full)
}

func endsSentence(s string) bool {
	return strings.HasSuffix(s, ".") || strings.HasSuffix(s, ":") || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "!")
}

// listed reports whether a line begins an item of a list or bibliography.
func listed(s string) bool {
	if strings.HasPrefix(s, "•") || strings.HasPrefix(s, "– ") || strings.HasPrefix(s, "- ") {
		return true
	}
	if rest, ok := strings.CutPrefix(s, "["); ok {
		number, _, ok := strings.Cut(rest, "]")
		return ok && number != "" && len(number) <= 3 && strings.Trim(number, "0123456789") == ""
	}
	return false
}

// join adds a line to the paragraph; a word that the line broke becomes one.
func (w *writer) join(text string) {
	before := w.text.String()
	if before == "" {
		w.text.WriteString(text)
		return
	}
	bare, broken := strings.CutSuffix(before, "-")
	if !broken {
		bare, broken = strings.CutSuffix(before, "\u00ad")
	} else if i := strings.LastIndexByte(bare, ' '); strings.Contains(bare[i+1:], "-") {
		// state-of-the- / art: the hyphen is the word's own.
		w.text.WriteString(text)
		return
	}
	if broken {
		r, _ := utf8.DecodeLastRuneInString(bare)
		if unicode.IsLetter(r) && unicode.IsLower(firstRune(text)) {
			w.text.Reset()
			w.text.WriteString(bare)
			w.text.WriteString(text)
			return
		}
	}
	w.text.WriteByte(' ')
	w.text.WriteString(text)
}

// end writes the paragraph.
func (w *writer) end() {
	text := strings.TrimSpace(w.text.String())
	w.text.Reset()
	if text == "" {
		return
	}
	text = strings.ReplaceAll(text, "\u00ad", "")
	switch {
	case w.level > 0:
		text = strings.Repeat("#", w.level) + " " + strings.Join(strings.Fields(text), " ")
		w.titled = true
	case strings.HasPrefix(text, "#"), strings.HasPrefix(text, "```"), strings.HasPrefix(text, "~~~"):
		text = `\` + text
	case strings.HasPrefix(text, "•"):
		text = "- " + strings.TrimSpace(strings.TrimPrefix(text, "•"))
	}
	w.b.WriteString(text)
	w.b.WriteString("\n\n")
}

// longestParagraph bounds a paragraph in bytes.
const longestParagraph = 20_000
