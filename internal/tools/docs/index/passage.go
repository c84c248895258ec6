package index

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

// maxScan is how many bytes of a page are looked through for the section that
// fits best.
const maxScan = 256 << 10

// passage is a piece of a page below a heading.
type passage struct {
	level           int
	heading, anchor string
	text            string
}

// choose fills in the section of the page that has most of the words, and lets
// go of the text.
func (h *Hit) choose(words []string) {
	text := h.Text
	if len(text) > maxScan {
		text = text[:maxScan]
	}
	h.Text = ""
	parts := passages(text)
	best, most := -1, 0
	for i, p := range parts {
		// Heading words count thrice: they say what the section is about.
		if n := 3*distinct(p.heading, words) + 2*distinct(p.text, words); n > most && p.text != "" {
			best, most = i, n
		}
	}
	if best < 0 {
		for _, p := range parts {
			if p.text != "" {
				h.Excerpt = cut(p.text, maxExcerpt)
				return
			}
		}
		return
	}
	p := parts[best]
	if p.level > 1 {
		h.Heading, h.Anchor = p.heading, p.anchor
	}
	h.Excerpt = cut(from(p.text, words), maxExcerpt)
}

// distinct counts the words that occur in a text.
func distinct(text string, words []string) (n int) {
	seen := map[string]bool{}
	for _, w := range rank.Words(text) {
		seen[w] = true
	}
	for _, w := range words {
		if seen[w] {
			n++
		}
	}
	return n
}

// from is the text from its first line that has one of the words, if that lies
// so far behind that the excerpt would not show it.
func from(text string, words []string) string {
	at := 0
	for line := range strings.Lines(text) {
		if distinct(line, words) > 0 {
			if at+len(line) > maxExcerpt/3 {
				return "… " + text[at:]
			}
			return text
		}
		at += len(line)
	}
	return text
}

// cut shortens a text to n characters.
func cut(text string, n int) string {
	text = strings.TrimSpace(text)
	i := 0
	for at := range text {
		if i++; i > n {
			return strings.TrimRight(text[:at], " \n") + "…"
		}
	}
	return text
}

// passages splits a page at its headings; a # in a code block is none. The
// first has no heading.
func passages(text string) []passage {
	all := []passage{{}}
	start, at, fenced := 0, 0, false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		level := len(line) - len(strings.TrimLeft(line, "#"))
		if !fenced && level > 0 && level < 7 && strings.HasPrefix(line[level:], " ") {
			all[len(all)-1].text = strings.TrimSpace(text[start:at])
			p := passage{level: level}
			p.heading, p.anchor = marked(strings.TrimSpace(line[level:]))
			all = append(all, p)
			start = at + len(line)
		}
		at += len(line)
	}
	all[len(all)-1].text = strings.TrimSpace(text[start:])
	return all
}

// marked splits the anchor off a heading such as "SFTConfig[[trl.SFTConfig]]";
// others are known by their words.
func marked(heading string) (text, anchor string) {
	if text, rest, ok := strings.Cut(heading, "[["); ok {
		anchor, _, _ = strings.Cut(rest, "]]")
		return strings.TrimSpace(text), anchor
	}
	return heading, strings.Join(rank.Split(strings.ToLower(heading)), "-")
}
