package block

import (
	"slices"
	"strings"
)

// marker is the start of a list item.
type marker struct {
	marker  byte
	ordered bool
	number  int
	width   int
}

func parseMarker(s string) (marker, bool) {
	m := marker{}
	for m.width < len(s) && m.width < 9 && digit(s[m.width]) {
		m.number = m.number*10 + int(s[m.width]-'0')
		m.width++
	}
	m.ordered = m.width > 0
	if m.width == len(s) {
		return m, false
	}
	m.marker = s[m.width]
	known := "-+*"
	if m.ordered {
		known = ".)"
	}
	m.width++
	return m, strings.IndexByte(known, m.marker) >= 0 && (m.width == len(s) || s[m.width] == ' ')
}

// isRule reports whether s is a thematic break.
func isRule(s string) bool {
	n := 0
	for i := range len(s) {
		switch {
		case s[i] == s[0] && strings.IndexByte("-_*", s[i]) >= 0:
			n++
		case s[i] != ' ':
			return false
		}
	}
	return n >= 3
}

// underline returns the level of the heading that s underlines, or 0.
func underline(s string) int {
	s = strings.TrimRight(s, " ")
	switch {
	case s != "" && strings.Trim(s, "=") == "":
		return 1
	case s != "" && strings.Trim(s, "-") == "":
		return 2
	}
	return 0
}

func parseHeading(s string) (level int, title string, ok bool) {
	rest := strings.TrimLeft(s, "#")
	level = len(s) - len(rest)
	if level == 0 || level > 6 || rest != "" && rest[0] != ' ' {
		return 0, "", false
	}
	rest = strings.Trim(rest, " ")
	if open := strings.TrimRight(rest, "#"); open == "" || open[len(open)-1] == ' ' {
		rest = strings.TrimRight(open, " ")
	}
	return level, rest, true
}

func parseFence(s string) (leaf, string, bool) {
	if s[0] != '`' && s[0] != '~' {
		return leaf{}, "", false
	}
	info := strings.TrimLeft(s, s[:1])
	length := len(s) - len(info)
	if length < 3 || s[0] == '`' && strings.Contains(info, "`") {
		return leaf{}, "", false
	}
	return leaf{shape: fenced, fence: s[0], length: length}, strings.Trim(info, " "), true
}

func closesFence(s string, fence byte, length int) bool {
	n := 0
	for n < len(s) && s[n] == fence {
		n++
	}
	return n >= length && strings.TrimLeft(s[n:], " ") == ""
}

// startTable makes a table of the last line of the open paragraph, if line
// stands beneath it as a header's does.
func (p *Parser) startTable(line string) bool {
	l := &p.leaf
	if len(l.lines) == 0 || strings.Trim(line, "|-: ") != "" {
		return false
	}
	header := l.lines[len(l.lines)-1]
	aligns, ok := alignments(line)
	if !ok || len(aligns) > columnLimit || !strings.Contains(header+line, "|") || len(split(header)) != len(aligns) {
		return false
	}
	apart := l.apart
	if l.lines = l.lines[:len(l.lines)-1]; len(l.lines) > 0 {
		p.tellParagraph()
		apart = false
	}
	p.leaf = leaf{shape: table, columns: len(aligns)}
	p.tell(Event{Kind: TableStart, Apart: apart, Cells: cells(header, len(aligns)), Aligns: aligns})
	return true
}

func alignments(line string) ([]Align, bool) {
	var all []Align
	for _, cell := range split(line) {
		dashes := strings.TrimSuffix(strings.TrimPrefix(cell, ":"), ":")
		if dashes == "" || strings.Trim(dashes, "-") != "" {
			return nil, false
		}
		left, right := cell[0] == ':', cell[len(cell)-1] == ':'
		switch {
		case left && right:
			all = append(all, Center)
		case left:
			all = append(all, Left)
		case right:
			all = append(all, Right)
		default:
			all = append(all, Default)
		}
	}
	return all, len(all) > 0
}

// cells returns the n cells of a row. What is beyond the last column stays in
// it, where HTML would drop it.
func cells(row string, n int) []string {
	all := split(row)
	if len(all) > n {
		all = append(all[:n-1:n-1], strings.Join(all[n-1:], " | "))
	}
	return append(all, slices.Repeat([]string{""}, n-len(all))...)
}

// split cuts a row at the bars that have no backslash in front.
func split(row string) []string {
	row = strings.TrimPrefix(strings.Trim(row, " "), "|")
	var all []string
	start := 0
	for i := range len(row) {
		if row[i] == '|' && (i == 0 || row[i-1] != '\\') {
			all = append(all, cell(row[start:i]))
			start = i + 1
		}
	}
	if start < len(row) {
		all = append(all, cell(row[start:]))
	}
	return all
}

func cell(s string) string { return strings.ReplaceAll(strings.Trim(s, " "), `\|`, "|") }

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
