package paper

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/markup/section"
)

// FromMarkdown reads a paper that is Markdown already: its first heading is the
// title, the section named Abstract the abstract. It is nil when the text has no
// further heading.
func FromMarkdown(md string) *Paper {
	outline := section.Outline(md)
	runes := []rune(md)
	var p Paper
	rest := 0 // where the body begins, in characters
	for i, h := range outline {
		own := h.Offset + h.Size
		if i+1 < len(outline) {
			own = min(own, outline[i+1].Offset)
		}
		_, text, _ := strings.Cut(string(runes[h.Offset:own]), "\n")
		titled := i == 0 && h.Level == 1 && !isNumber(strings.TrimRight(firstWord(h.Text), "."))
		abstract := p.Abstract == "" && i <= 3 && strings.EqualFold(h.Text, "abstract")
		if titled {
			p.Title, p.Authors = h.Text, authors(text)
		} else if abstract {
			p.Abstract = strings.TrimSpace(text)
		}
		if !titled && !abstract {
			break
		}
		rest = own
	}
	p.Body = strings.TrimSpace(string(runes[rest:]))
	if p.Abstract == "" && p.Title == "" && len(outline) == 0 || p.Body == "" {
		return nil
	}
	out := New(p, nil)
	out.Tables = tables(out)
	for _, t := range out.Tables {
		out.count(t.Section)
	}
	out.References = references(out)
	return out
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// authors returns the text below the title when it is as short as a list of
// names.
func authors(text string) string {
	const longest = 2000
	if text = strings.Join(strings.Fields(text), " "); len(text) > longest {
		return ""
	}
	return text
}

// tables finds the tables of a body, with the line above or below that calls
// itself their caption.
func tables(p *Paper) []Table {
	var out []Table
	lines := strings.SplitAfter(p.Body, "\n")
	at := 0
	current := -1
	for i := 0; i < len(lines); i++ {
		for current+1 < len(p.Sections) && p.Sections[current+1].from <= at {
			current++
		}
		if !tabular(lines[i]) || i+1 >= len(lines) || !tabular(lines[i+1]) {
			at += len(lines[i])
			continue
		}
		begin := i
		for i < len(lines) && tabular(lines[i]) {
			at += len(lines[i])
			i++
		}
		caption := captionNear(lines, begin, i)
		out = append(out, Table{Caption: caption, Markdown: strings.TrimSpace(caption + "\n\n" + strings.Join(lines[begin:i], "")), Section: current})
		i--
	}
	return out
}

func tabular(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "|") }

// captionNear returns the line within two lines of a table that begins with the
// word Table.
func captionNear(lines []string, begin, end int) string {
	for _, i := range [...]int{begin - 1, begin - 2, end, end + 1} {
		if i >= 0 && i < len(lines) {
			text := strings.TrimSpace(lines[i])
			if strings.HasPrefix(strings.ToLower(strings.Trim(text, "*_[ ")), "table") {
				return text
			}
		}
	}
	return ""
}

// references reads the entries of the last section with that name.
func references(p *Paper) []Reference {
	for i := len(p.Sections) - 1; i >= 0; i-- {
		switch strings.ToLower(p.Sections[i].words) {
		case "references", "bibliography":
			_, text, _ := strings.Cut(p.Text(i), "\n")
			return entries(text)
		}
	}
	return nil
}

// entries cuts a bibliography into its items: at list marks and "[12]", else at
// empty lines.
func entries(text string) []Reference {
	var out []Reference
	var item []string
	end := func() {
		if len(item) > 0 {
			t := strings.Join(item, " ")
			r := Reference{Text: t, ArXiv: ArXiv(t)}
			if rest, ok := strings.CutPrefix(t, "["); ok {
				if tag, after, ok := strings.Cut(rest, "] "); ok && len(tag) < 60 {
					r.Tag, r.Text = tag, after
				}
			}
			out = append(out, r)
		}
		item = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		rest, marked := strings.CutPrefix(line, "- ")
		if line == "" || marked || strings.HasPrefix(line, "[") {
			end()
		}
		if rest = strings.TrimSpace(rest); rest != "" {
			item = append(item, rest)
		}
	}
	end()
	return out
}
