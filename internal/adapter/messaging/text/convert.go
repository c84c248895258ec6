package text

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mrkdwn turns Markdown into what Slack reads. Code stays as it is, links become
// <url|text>, emphasis and headings Slack's own; what Slack already understands
// is kept. & < > are escaped once. Unless mentions is true, nothing in the text
// calls anybody.
func Mrkdwn(markdown string, mentions bool) string {
	code := func(s string) string { return s }
	if !mentions {
		code = uncalled
	}
	return convert(markdown, form{
		bold: [2]string{"*", "*"}, italic: [2]string{"_", "_"}, struck: [2]string{"~", "~"},
		link:   func(label, address string) string { return "<" + address + "|" + label + ">" },
		inline: func(s string, _ int) string { return code(s) },
		block:  code, begin: func(info string) string { return fence + info }, end: fence,
		special: func(s string) int {
			if !mentions && calls(s[1:]) {
				return 0
			}
			return special(s)
		},
		quotes: true,
	})
}

// HTML turns Markdown into the few tags that chats read. They are balanced
// whatever the text is.
func HTML(markdown string) string {
	return convert(markdown, form{
		bold: [2]string{"<b>", "</b>"}, italic: [2]string{"<i>", "</i>"}, struck: [2]string{"<s>", "</s>"},
		link: func(label, address string) string { return `<a href="` + address + `">` + label + "</a>" },
		inline: func(s string, marks int) string {
			return "<code>" + html.EscapeString(s[marks:len(s)-marks]) + "</code>"
		},
		block: html.EscapeString, begin: func(string) string { return "<pre>" }, end: "</pre>",
		special: func(string) int { return 0 },
	})
}

// form is how a service writes what Markdown says.
type form struct {
	bold, italic, struck [2]string
	link                 func(label, address string) string
	// inline writes code with its marks, block a line of a block that begin and
	// end enclose.
	inline func(code string, marks int) string
	block  func(line string) string
	begin  func(info string) string
	end    string
	// special is the length of something in pointed brackets that stays as it is.
	special func(s string) int
	// quotes keeps the marks of quotes.
	quotes bool
}

// convert writes Markdown in another form.
func convert(markdown string, f form) string {
	lines := strings.Split(markdown, "\n")
	open := ""
	for i, line := range lines {
		mark, info, opens := fenceMark(line)
		switch {
		case open == "" && opens:
			open = mark
			lines[i] = f.begin(f.block(info))
		case open != "" && closes(line, open):
			open = ""
			lines[i] = f.end
		case open != "":
			lines[i] = f.block(line)
		default:
			lines[i] = f.line(line)
		}
	}
	if open != "" && f.end != fence { // a fence is closed by whoever cuts
		lines = append(lines, f.end)
	}
	return strings.Join(lines, "\n")
}

// fenceMark is the run of marks that opens a block of code on this line, and
// what stands behind it.
func fenceMark(line string) (mark, info string, ok bool) {
	rest := strings.TrimLeft(line, " ")
	if rest == "" || len(line)-len(rest) > 3 || rest[0] != '`' && rest[0] != '~' {
		return "", "", false
	}
	n := run(rest, rest[0])
	return rest[:n], rest[n:], n >= 3 && !strings.Contains(rest[n:], "`")
}

// closes reports whether a line ends the block that mark has opened.
func closes(line, mark string) bool {
	rest := strings.TrimSpace(line)
	return len(rest) >= len(mark) && run(rest, mark[0]) == len(rest)
}

// run is how often b stands at the beginning of s.
func run(s string, b byte) int {
	n := 0
	for n < len(s) && s[n] == b {
		n++
	}
	return n
}

// uncalled keeps code, but for what would call somebody: Slack looks there too,
// and shows the escaped form as it was.
func uncalled(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '<' && calls(s[i+1:]) {
			b.WriteString("&lt;")
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// calls reports whether what stands behind a < makes Slack call people.
func calls(s string) bool {
	return strings.HasPrefix(s, "@") || strings.HasPrefix(s, "!") && !strings.HasPrefix(s, "!date^")
}

// line converts a line outside of code.
func (f form) line(line string) string {
	rest := strings.TrimLeft(line, " \t")
	indent := line[:len(line)-len(rest)]
	for f.quotes && strings.HasPrefix(rest, ">") { // quotes, one inside another
		n := 1
		for n < len(rest) && rest[n] == ' ' {
			n++
		}
		indent, rest = indent+rest[:n], rest[n:]
	}
	if n := run(rest, '#'); n > 0 && n <= 6 && strings.HasPrefix(rest[n:], " ") {
		title := strings.TrimSpace(rest[n:])
		if end := strings.TrimRight(title, "#"); end == "" || strings.HasSuffix(end, " ") {
			title = strings.TrimSpace(end)
		}
		if title != "" {
			return indent + f.bold[0] + f.render(f.tokens(title), true) + f.bold[1]
		}
	}
	if len(rest) > 2 && (rest[0] == '*' || rest[0] == '+') && rest[1] == ' ' && strings.Trim(rest, "* ") != "" {
		indent, rest = indent+"• ", strings.TrimLeft(rest[2:], " ")
	}
	return indent + f.render(f.tokens(rest), false)
}

// token is a piece of a line: text that is finished, or a run of marks that may
// begin or end an emphasis.
type token struct {
	text              string
	mark, open, close bool
}

// tokens takes a line apart.
func (f form) tokens(s string) []token {
	var out []token
	plain := strings.Builder{}
	flush := func() {
		if plain.Len() > 0 {
			out = append(out, token{text: plain.String()})
			plain.Reset()
		}
	}
	noCode := map[int]bool{} // lengths of runs of backticks that nothing closes
	for i := 0; i < len(s); {
		if atom, n := f.atom(s, i, noCode); n > 0 {
			plain.WriteString(atom)
			i += n
			continue
		}
		n := run(s[i:], s[i])
		if s[i] == '*' && n <= 3 || s[i] == '~' && n == 2 {
			flush()
			t := token{text: s[i : i+n], mark: true}
			t.open, t.close = flanks(s, i, i+n)
			out = append(out, t)
		} else {
			plain.WriteString(s[i : i+n])
		}
		i += n
	}
	flush()
	return out
}

// flanks tells whether the marks s[from:to] can begin and end an emphasis: there
// is a blank or a sign on the outer side, and none on the inner one.
func flanks(s string, from, to int) (opens, ends bool) {
	before, _ := utf8.DecodeLastRuneInString(s[:from])
	after, _ := utf8.DecodeRuneInString(s[to:])
	inWord := func(r rune) bool { return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
	opens = to < len(s) && !unicode.IsSpace(after) && (from == 0 || !inWord(before))
	ends = from > 0 && !unicode.IsSpace(before) && (to == len(s) || !inWord(after))
	return opens, ends
}

// atom is what stands at s[i] if it is to be taken as a whole: its form for
// Slack and its length, 0 for a single character without meaning.
func (f form) atom(s string, i int, noCode map[int]bool) (string, int) {
	rest := s[i:]
	switch rest[0] {
	case '`':
		n := run(rest, '`')
		if !noCode[n] {
			if end := codeEnd(rest, n); end > 0 {
				return f.inline(rest[:end], n), end
			}
		}
		noCode[n] = true
		return rest[:n], n
	case '\\':
		if len(rest) > 1 && (rest[1] == '*' || rest[1] == '_') {
			return rest[1:2], 2
		}
	case '<':
		if n := f.special(rest); n > 0 {
			return rest[:n], n
		}
		return "&lt;", 1
	case '>':
		return "&gt;", 1
	case '&':
		for _, known := range []string{"&amp;", "&lt;", "&gt;"} {
			if strings.HasPrefix(rest, known) {
				return known, len(known)
			}
		}
		return "&amp;", 1
	case '!', '[':
		if label, address, n := link(rest); n > 0 {
			return f.link(label, address), n
		}
	case 'h':
		if (i == 0 || !letter(s[i-1])) && (strings.HasPrefix(rest, "http://") || strings.HasPrefix(rest, "https://")) {
			n := strings.IndexAny(rest, " \t<>()[]`|\"")
			if n < 0 {
				n = len(rest)
			}
			n = len(strings.TrimRight(rest[:n], "*~.,;:!?'")) // marks around an address are not its own
			return escape(rest[:n]), n
		}
	}
	return "", 0
}

func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// codeEnd is where the code ends that a run of n backticks has begun; 0 where
// nothing closes it.
func codeEnd(s string, n int) int {
	for i := n; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		m := run(s[i:], '`')
		if i += m; m == n {
			return i
		}
	}
	return 0
}

// farthest bounds how far the end of a link is looked for, in bytes.
const farthest = 2_000

// special is the length of something at the beginning of s that Slack reads in
// pointed brackets, 0 for anything else.
func special(s string) int {
	for _, known := range []string{"<@", "<#", "<!", "<http://", "<https://", "<mailto:", "<tel:"} {
		if strings.HasPrefix(s, known) {
			if end := strings.IndexAny(s[1:min(len(s), farthest)], "<>"); end >= len(known)-1 && s[1+end] == '>' {
				return end + 2
			}
		}
	}
	return 0
}

// link reads [label](address) or ![label](address) at the beginning of s. Only
// addresses that lead somewhere count: in Slack's form anything else could be a
// command.
func link(s string) (label, address string, n int) {
	start := strings.TrimPrefix(s, "!")
	if !strings.HasPrefix(start, "[") {
		return "", "", 0
	}
	off := len(s) - len(start)
	middle := matching(start, '[', ']')
	if middle < 0 || !strings.HasPrefix(start[middle+1:], "(") {
		return "", "", 0
	}
	end := matching(start[middle+1:], '(', ')')
	if end < 0 {
		return "", "", 0
	}
	target, _, _ := strings.Cut(strings.TrimSpace(start[middle+2:middle+1+end]), " ") // a title is left out
	if strings.HasPrefix(target, "<") {
		target = strings.TrimSuffix(target[1:], ">")
	}
	if !leads(target) {
		return "", "", 0
	}
	label = strings.TrimSpace(strings.NewReplacer("**", "", "`", "").Replace(start[1:middle]))
	if label == "" {
		label = target
	}
	address = strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", `"`, "%22").Replace(target)
	return escape(label), escape(address), off + middle + 1 + end + 1
}

// leads reports whether an address is one that Slack makes a link of.
func leads(address string) bool {
	for _, scheme := range []string{"http://", "https://", "mailto:", "tel:"} {
		if len(address) > len(scheme) && strings.EqualFold(address[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// matching is where the bracket closes that stands at the beginning of s; -1
// where none does.
func matching(s string, opening, closing byte) int {
	depth := 0
	for i := range min(len(s), farthest) {
		switch s[i] {
		case opening:
			depth++
		case closing:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// escape writes & < > as Slack wants them, those that are written so once.
func escape(s string) string {
	s = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// render joins tokens; marks that belong together become Slack's. Inside of bold
// text further bold has no form of its own.
func (f form) render(tokens []token, bold bool) string {
	var b strings.Builder
	none := map[string]bool{} // marks that nothing closes any more
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if !t.mark || !t.open || none[t.text] {
			b.WriteString(t.text)
			continue
		}
		end := closing(tokens[i+1:], t.text)
		if end < 0 {
			none[t.text] = true
			b.WriteString(t.text)
			continue
		}
		inner := tokens[i+1 : i+1+end]
		strong := t.text == "**" || t.text == "***"
		text := f.render(inner, bold || strong)
		switch t.text {
		case "~~":
			text = f.struck[0] + text + f.struck[1]
		case "*", "***":
			text = f.italic[0] + text + f.italic[1]
		}
		if strong && !bold {
			text = f.bold[0] + text + f.bold[1]
		}
		b.WriteString(text)
		i += 1 + end
	}
	return b.String()
}

// closing is the index of the token that closes marks; there is something in
// between. -1 where none does.
func closing(tokens []token, marks string) int {
	for i, t := range tokens {
		if i > 0 && t.text == marks && t.mark && t.close {
			return i
		}
	}
	return -1
}
