package paper

import (
	"fmt"
	"strings"
)

// Measures of a page in points: A4 with margins, 11 points of text.
const (
	pdfWidth, pdfHeight = 595, 842
	pdfMargin           = 56
	pdfLeading          = 14
	pdfColumns          = 88 // characters a line at most
)

// pdf sets the paper as plain lines of Helvetica, headings larger: enough for
// programs that take the text out of a PDF.
func (x *Paper) pdf() string {
	text := x.Markdown
	if text == "" {
		text = "# " + x.Title + "\n\n" + strings.Join(x.Authors, ", ") + "\n\n## Abstract\n\n" + x.Summary
	}
	var pages []string
	var page strings.Builder
	y := pdfHeight - pdfMargin
	flush := func() {
		pages = append(pages, page.String())
		page.Reset()
		y = pdfHeight - pdfMargin
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		size := 11
		if rest := strings.TrimLeft(line, "#"); rest != line {
			size = 20 - 2*(len(line)-len(rest))
			line = strings.TrimSpace(rest)
		}
		for _, l := range wrap(line, pdfColumns*11/size) {
			if y < pdfMargin {
				flush()
			}
			fmt.Fprintf(&page, "BT /F1 %d Tf %d %d Td (%s) Tj ET\n", size, pdfMargin, y, pdfString(l))
			y -= pdfLeading * size / 11
		}
	}
	flush()
	return assemble(pages)
}

func wrap(line string, columns int) []string {
	var lines []string
	cur := ""
	for word := range strings.FieldsSeq(line) {
		if cur != "" && len(cur)+1+len(word) > columns {
			lines = append(lines, cur)
			cur = ""
		}
		if cur != "" {
			cur += " "
		}
		cur += word
	}
	return append(lines, cur)
}

// pdfString escapes what has a meaning in a string and drops what the standard
// encoding lacks.
func pdfString(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '(' || r == ')' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 127:
			b.WriteRune(r)
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// assemble writes the objects of a document and the table of where they are.
func assemble(pages []string) string {
	var b strings.Builder
	b.WriteString("%PDF-1.4\n")
	var offsets []int
	object := func(body string) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), body)
	}
	kids := make([]string, len(pages))
	for i := range pages {
		kids[i] = fmt.Sprintf("%d 0 R", 4+2*i)
	}
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object(fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", strings.Join(kids, " "), len(pages)))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	for i, p := range pages {
		object(fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>", pdfWidth, pdfHeight, 5+2*i))
		object(fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(p), p))
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, start)
	return b.String()
}
