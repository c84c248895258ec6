package block

import (
	"slices"
	"strings"
)

// verbatim are the tags whose content is no HTML; blockTags those that begin a
// block whatever stands behind them. Both are CommonMark's.
var (
	verbatim  = []string{"pre", "script", "style", "textarea"}
	blockTags = []string{
		"address", "article", "aside", "base", "basefont", "blockquote", "body", "caption", "center", "col",
		"colgroup", "dd", "details", "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer",
		"form", "frame", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "iframe",
		"legend", "li", "link", "main", "menu", "menuitem", "nav", "noframes", "ol", "optgroup", "option", "p", "param",
		"search", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr", "track", "ul",
	}
)

// startsHTML reports whether s begins a block of HTML and what will end it:
// one of these texts, or a blank line where there are none.
func startsHTML(s string, inText bool) (end []string, ok bool) {
	if len(s) < 2 || s[0] != '<' {
		return nil, false
	}
	switch {
	case strings.HasPrefix(s, "<!--"):
		return []string{"-->"}, true
	case s[1] == '?':
		return []string{"?>"}, true
	case strings.HasPrefix(s, "<![CDATA["):
		return []string{"]]>"}, true
	case s[1] == '!' && len(s) > 2 && letter(s[2]):
		return []string{">"}, true
	}
	name := strings.TrimPrefix(s[1:], "/")
	closing := len(name) < len(s)-1
	n := 0
	for n < len(name) && (letter(name[n]) || n > 0 && (digit(name[n]) || name[n] == '-')) {
		n++
	}
	name, rest := strings.ToLower(name[:n]), name[n:]
	bounded := rest == "" || rest[0] == ' ' || rest[0] == '>'
	switch {
	case name == "":
		return nil, false
	case slices.Contains(verbatim, name) && bounded && !closing:
		return []string{"</pre>", "</script>", "</style>", "</textarea>"}, true
	case slices.Contains(blockTags, name) && (bounded || strings.HasPrefix(rest, "/>")):
		return nil, true
	case slices.Contains(verbatim, name) || inText:
		return nil, false
	}
	return nil, endsTag(rest, closing)
}

// endsTag reports whether s, what stands behind a tag's name, is the rest of one
// tag and nothing more.
func endsTag(s string, closing bool) bool {
	for !closing {
		rest := strings.TrimLeft(s, " ")
		if rest == s || rest == "" || strings.IndexByte("/>", rest[0]) >= 0 {
			break
		}
		after, ok := attribute(rest)
		if !ok {
			return false
		}
		s = after
	}
	s = strings.TrimLeft(s, " ")
	if !closing {
		s = strings.TrimPrefix(s, "/")
	}
	return strings.HasPrefix(s, ">") && strings.TrimLeft(s[1:], " ") == ""
}

// attribute returns what stands behind the attribute at the start of s.
func attribute(s string) (rest string, ok bool) {
	n := 0
	for n < len(s) && (letter(s[n]) || s[n] == '_' || s[n] == ':' || n > 0 && (digit(s[n]) || s[n] == '.' || s[n] == '-')) {
		n++
	}
	if n == 0 {
		return "", false
	}
	value, has := strings.CutPrefix(strings.TrimLeft(s[n:], " "), "=")
	if !has {
		return s[n:], true
	}
	value = strings.TrimLeft(value, " ")
	if value == "" {
		return "", false
	}
	if value[0] == '"' || value[0] == '\'' {
		end := strings.IndexByte(value[1:], value[0])
		return value[min(end+2, len(value)):], end >= 0
	}
	end := strings.IndexAny(value, " \"'=<>`")
	if end < 0 {
		end = len(value)
	}
	return value[end:], end > 0
}

// endHTML closes the open HTML if the line has what ends it.
func (p *Parser) endHTML(line string) {
	for _, end := range p.leaf.end {
		if containsFold(line, end) {
			p.closeLeaf()
			return
		}
	}
}

func containsFold(s, lower string) bool {
	for i := 0; i+len(lower) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}
