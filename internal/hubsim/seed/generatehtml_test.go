package seed_test

import (
	"fmt"
	"html"
	"regexp"
	"strings"
)

var (
	sectionNumber = regexp.MustCompile(`^(?:Appendix )?([A-Z]|[A-Z]?\.?\d+(?:\.\d+)*|[A-Z](?:\.\d+)+) (.*)$`)
	inlineMath    = regexp.MustCompile(`\$([^$]+)\$`)
	citation      = regexp.MustCompile(`\[([A-Z][^\]]*? \d{4})\]`)
	footnote      = regexp.MustCompile(`\(footnote: ([^)]*)\)`)
	inlineCode    = regexp.MustCompile("`([^`]+)`")
	bold          = regexp.MustCompile(`\*\*([^*]+)\*\*`)
)

// latexml writes a paper as the converter of arXiv writes it.
func latexml(text string) []byte {
	c := &converter{}
	blocks := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, block := range blocks {
		c.block(i, strings.TrimSpace(block))
	}
	c.closeTo(0)
	return []byte(fmt.Sprintf(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>%s</title></head>
<body>
<div class="ltx_page_main"><div class="ltx_page_content"><article class="ltx_document ltx_authors_1line">
%s</article></div><footer class="ltx_page_footer">An invented paper of a simulated Hub</footer></div>
</body></html>
`, html.EscapeString(c.title), c.out.String()))
}

type converter struct {
	out        strings.Builder
	title      string
	open       []int // levels of open sections
	paragraph  int
	table      int
	note       int
	inAbstract bool
	references bool
}

func (c *converter) closeTo(level int) {
	for len(c.open) > 0 && c.open[len(c.open)-1] >= level {
		c.out.WriteString("</section>\n")
		c.open = c.open[:len(c.open)-1]
	}
}

func (c *converter) block(i int, b string) {
	switch {
	case strings.HasPrefix(b, "# "):
		c.title = b[2:]
		fmt.Fprintf(&c.out, "<h1 class=\"ltx_title ltx_title_document\">%s</h1>\n", html.EscapeString(c.title))
	case i == 1:
		fmt.Fprintf(&c.out, "<div class=\"ltx_authors\"><span class=\"ltx_creator ltx_role_author\"><span class=\"ltx_personname\">%s</span></span></div>\n", html.EscapeString(b))
	case b == "## Abstract":
		c.inAbstract = true
	case strings.HasPrefix(b, "#"):
		c.heading(b)
	case c.inAbstract:
		fmt.Fprintf(&c.out, "<div class=\"ltx_abstract\"><h6 class=\"ltx_title ltx_title_abstract\">Abstract</h6>\n<p class=\"ltx_p\">%s</p></div>\n", c.inline(b))
		c.inAbstract = false
	case strings.HasPrefix(b, "$$"):
		math := html.EscapeString(strings.TrimSpace(strings.Trim(b, "$")))
		c.para(fmt.Sprintf("<table class=\"ltx_equation ltx_eqn_table\"><tbody><tr class=\"ltx_equation ltx_eqn_row\"><td class=\"ltx_eqn_cell\"><math alttext=\"%s\" display=\"block\"><semantics><mi>x</mi><annotation encoding=\"application/x-tex\">%s</annotation></semantics></math></td></tr></tbody></table>", math, math))
	case strings.HasPrefix(b, "Table "):
		c.tabular(b)
	case strings.HasPrefix(b, "- "):
		c.list(b)
	default:
		c.para("<p class=\"ltx_p\">" + c.inline(b) + "</p>")
	}
}

func (c *converter) para(body string) {
	c.paragraph++
	fmt.Fprintf(&c.out, "<div id=\"p%d\" class=\"ltx_para\">%s</div>\n", c.paragraph, body)
}

func (c *converter) heading(b string) {
	title := strings.TrimLeft(b, "#")
	level := len(b) - len(title)
	title = strings.TrimSpace(title)
	c.closeTo(level)
	c.open = append(c.open, level)
	if c.references = title == "References"; c.references {
		c.out.WriteString("<section id=\"bib\" class=\"ltx_bibliography\"><h2 class=\"ltx_title ltx_title_bibliography\">References</h2>\n")
		return
	}
	kind, tag := "section", ""
	if level == 3 {
		kind = "subsection"
	}
	if m := sectionNumber.FindStringSubmatch(title); m != nil {
		tag = fmt.Sprintf("<span class=\"ltx_tag ltx_tag_%s\">%s </span>", kind, m[1])
		if strings.HasPrefix(title, "Appendix") {
			kind = "appendix"
			tag = fmt.Sprintf("<span class=\"ltx_tag ltx_tag_appendix\">Appendix %s </span>", m[1])
		}
		title = m[2]
	}
	fmt.Fprintf(&c.out, "<section class=\"ltx_%s\"><h%d class=\"ltx_title ltx_title_%s\">%s%s</h%d>\n", kind, level, kind, tag, html.EscapeString(title), level)
}

// tabular reads a caption line and a table in Markdown below it.
func (c *converter) tabular(b string) {
	caption, rows, _ := strings.Cut(b, "\n")
	name, text, _ := strings.Cut(caption, ": ")
	c.table++
	fmt.Fprintf(&c.out, "<figure id=\"T%d\" class=\"ltx_table\"><figcaption class=\"ltx_caption\"><span class=\"ltx_tag ltx_tag_table\">%s: </span>%s</figcaption><table class=\"ltx_tabular\">", c.table, name, c.inline(text))
	for i, line := range strings.Split(rows, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		cell, class := "td", "ltx_td"
		switch i {
		case 0:
			c.out.WriteString("<thead class=\"ltx_thead\">")
			cell, class = "th", "ltx_td ltx_th"
		case 1:
			c.out.WriteString("</thead><tbody class=\"ltx_tbody\">")
			continue
		}
		c.out.WriteString("<tr class=\"ltx_tr\">")
		for _, x := range cells {
			fmt.Fprintf(&c.out, "<%s class=\"%s\">%s</%s>", cell, class, c.inline(strings.TrimSpace(x)), cell)
		}
		c.out.WriteString("</tr>")
	}
	c.out.WriteString("</tbody></table></figure>\n")
}

func (c *converter) list(b string) {
	class := "ltx_itemize"
	if c.references {
		class = "ltx_biblist"
	}
	fmt.Fprintf(&c.out, "<ul class=\"%s\">\n", class)
	for i, item := range strings.Split(b, "\n") {
		item = strings.TrimPrefix(item, "- ")
		if c.references {
			fmt.Fprintf(&c.out, "<li id=\"bib.bib%d\" class=\"ltx_bibitem\"><span class=\"ltx_bibblock\">%s</span></li>\n", i+1, html.EscapeString(item))
			continue
		}
		fmt.Fprintf(&c.out, "<li class=\"ltx_item\"><div class=\"ltx_para\"><p class=\"ltx_p\">%s</p></div></li>\n", c.inline(item))
	}
	c.out.WriteString("</ul>\n")
}

func (c *converter) inline(s string) string {
	s = html.EscapeString(strings.ReplaceAll(s, "\n", " "))
	s = inlineMath.ReplaceAllString(s, `<math class="ltx_Math" alttext="$1" display="inline"><semantics><mi>x</mi><annotation encoding="application/x-tex">$1</annotation></semantics></math>`)
	s = citation.ReplaceAllString(s, `<cite class="ltx_cite">[<a href="#bib" class="ltx_ref">$1</a>]</cite>`)
	s = footnote.ReplaceAllStringFunc(s, func(m string) string {
		c.note++
		return fmt.Sprintf(`<span class="ltx_note ltx_role_footnote"><sup class="ltx_note_mark">%d</sup><span class="ltx_note_outer"><span class="ltx_note_content">%s</span></span></span>`, c.note, footnote.FindStringSubmatch(m)[1])
	})
	s = inlineCode.ReplaceAllString(s, `<span class="ltx_text ltx_font_typewriter">$1</span>`)
	return bold.ReplaceAllString(s, `<span class="ltx_text ltx_font_bold">$1</span>`)
}
