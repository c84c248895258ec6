package text

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/markup/paper"
)

const (
	// leadChars is how much of a section the overview shows.
	leadChars = 280
	// maxNamed bounds the other hits and the headings that are named.
	maxNamed = 60
)

// choose returns what was asked for, or the failed result that says what there
// is instead.
func (c *call) choose() (*chosen, tool.Result) {
	switch strings.ToLower(strings.TrimSpace(c.Section)) {
	case "":
		return c.overview(), tool.Result{}
	case "all":
		return c.part("", c.Whole()), tool.Result{}
	case "tables":
		return c.tables()
	case "abstract":
		if c.Abstract != "" {
			return c.part("Abstract", c.Abstract), tool.Result{}
		}
	case "references", "bibliography":
		if len(c.References) > 0 {
			return c.part("References", references(c.References)), tool.Result{}
		}
	}
	if list := c.list(); list != nil {
		return list, tool.Result{}
	}
	hits := c.Find(c.Section)
	if len(hits) == 0 {
		return nil, c.noSection()
	}
	s := c.Sections[hits[0]]
	_, text, _ := strings.Cut(c.found.Text(hits[0]), "\n")
	out := c.part(s.Title, strings.TrimLeft(text, "\n"))
	if len(hits) > 1 {
		var others []string
		for _, i := range hits[1:min(len(hits), maxNamed)] {
			others = append(others, c.Sections[i].Title)
		}
		out.head += "\nAlso fits: " + lookup.Line(strings.Join(others, "; "), 1000)
	}
	return out, tool.Result{}
}

// part is a part of the paper under its heading; without one, the whole.
func (c *call) part(heading, text string) *chosen {
	title := c.name()
	if heading != "" {
		title = lookup.Line(heading, 300)
	}
	if text == "" {
		text = "(empty)"
	}
	return &chosen{head: "# " + title + "\n" + c.address(), text: lookup.Plain(text)}
}

// list reads a list of numbers; nil when the section is none, or when the paper
// has none of them. A section within another of the list comes once.
func (c *call) list() *chosen {
	if !strings.Contains(c.Section, ",") {
		return nil
	}
	var picked []int
	var unknown, texts []string
	for part := range strings.SplitSeq(c.Section, ",") {
		i := c.Numbered(part)
		switch {
		case strings.TrimSpace(part) == "":
		case i < 0:
			unknown = append(unknown, strings.TrimSpace(part))
		default:
			picked = append(picked, i)
		}
	}
	if len(picked) == 0 || len(unknown) > 0 && !allNumbers(unknown) {
		return nil
	}
	slices.Sort(picked)
	last := -1
	for _, i := range picked {
		if last < 0 || !c.Within(i, last) {
			texts = append(texts, c.found.Text(i))
			last = i
		}
	}
	out := c.part("", strings.Join(texts, "\n\n"))
	if unknown != nil {
		out.head += "\nNot in this paper: " + lookup.Line(strings.Join(unknown, ", "), 200)
	}
	return out
}

func allNumbers(parts []string) bool {
	return !slices.ContainsFunc(parts, func(s string) bool { return paper.ID(strings.ToUpper(s)) == "" })
}

// overview shows title, abstract and what each section begins with.
func (c *call) overview() *chosen {
	var b strings.Builder
	if c.Authors != "" {
		fmt.Fprintf(&b, "%s\n\n", lookup.Line(c.Authors, 1000))
	}
	if c.Abstract != "" {
		fmt.Fprintf(&b, "## Abstract\n%s\n\n", c.Abstract)
	}
	b.WriteString("## Sections\n")
	if len(c.Sections) == 0 {
		b.WriteString("(no headings were found)\n")
	}
	top := 6
	for _, s := range c.Sections {
		top = min(top, s.Level)
	}
	for i, s := range c.Sections {
		fmt.Fprintf(&b, "%s- **%s** (%d characters%s): %s\n", strings.Repeat("  ", s.Level-top), lookup.Line(s.Title, 200), s.Chars, count(s.Tables), c.lead(i))
	}
	b.WriteString("\nRead on with section: a number or several (\"2,3.1\"), a heading, \"references\"")
	if len(c.Tables) > 0 {
		fmt.Fprintf(&b, ", \"tables\" (%d)", len(c.Tables))
	}
	b.WriteString(" or \"all\".")
	return &chosen{head: "# " + c.name() + "\n" + c.address(), text: lookup.Plain(b.String())}
}

func count(tables int) string {
	switch tables {
	case 0:
		return ""
	case 1:
		return ", 1 table"
	}
	return fmt.Sprintf(", %d tables", tables)
}

func (c *call) lead(i int) string {
	if text := c.Lead(i); text != "" {
		return lookup.Line(text, leadChars)
	}
	return "(empty)"
}

// tables shows all tables, each with the section it stands in.
func (c *call) tables() (*chosen, tool.Result) {
	if len(c.Tables) == 0 {
		return nil, tool.Failed(fmt.Sprintf("%s tables failed (not_found): no tables were recognised in this paper (%s). Read the section with the results instead: %s.", c.what, c.place, c.headings()))
	}
	var b strings.Builder
	for i, t := range c.Tables {
		if i > 0 {
			b.WriteString("\n\n")
		}
		if t.Section >= 0 && t.Section < len(c.Sections) {
			fmt.Fprintf(&b, "## In %s\n\n", lookup.Line(c.Sections[t.Section].Title, 200))
		}
		b.WriteString(t.Markdown)
	}
	return c.part(fmt.Sprintf("Tables of %s", c.name()), b.String()), tool.Result{}
}

// references shows the bibliography, one entry a line with its arXiv id.
func references(list []paper.Reference) string {
	var b strings.Builder
	for _, r := range list {
		b.WriteString("- ")
		if r.Tag != "" {
			fmt.Fprintf(&b, "[%s] ", r.Tag)
		}
		b.WriteString(r.Text)
		if r.ArXiv != "" && !strings.Contains(strings.ToLower(r.Text), "arxiv:"+r.ArXiv) {
			fmt.Fprintf(&b, " arxiv:%s", r.ArXiv)
		}
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n")
}

// noSection says which sections there are.
func (c *call) noSection() tool.Result {
	return tool.Failed(fmt.Sprintf("%s failed (not_found): the paper has no section %q (%s). It has: %s. Also: abstract, references, tables, all.",
		c.what, lookup.Line(c.Section, 100), c.place, c.headings()))
}

func (c *call) headings() string {
	titles := c.Index()
	if len(titles) == 0 {
		return "no headings (use section \"all\")"
	}
	more := ""
	if len(titles) > maxNamed {
		titles, more = titles[:maxNamed], "; …"
	}
	for i, t := range titles {
		titles[i] = lookup.Line(t, 100)
	}
	return strings.Join(titles, "; ") + more
}
