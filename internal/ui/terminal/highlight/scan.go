package highlight

import (
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// language is what is known of a language. Lists of words have a blank in front
// of and behind each word.
type language struct {
	names    string
	keywords string
	// values are words like true and null.
	values string
	// declares are the keywords in front of a name that is declared.
	declares string
	// fold: keywords are the same in capitals.
	fold bool
	// comments begin a comment up to the end of the line; where spaced is set,
	// only behind a blank.
	comments []string
	spaced   bool
	// delimiters begin what has an end of its own.
	delimiters []delimiter
	// prefixes are letters in front of a string that belong to it.
	prefixes string
	// extra are characters of names beside letters, digits and '_'.
	extra string
	// sigil begins the name of a variable.
	sigil byte
	// keys paints a string in front of a colon as a name.
	keys bool
	// calls paints a name in front of a parenthesis as a function.
	calls bool
	// line sees each line first, unless something is open; it may take its
	// start or, if it returns true, all of it.
	line func(*state, *scanner) bool
	// token passes the next token; nil is what most languages have.
	token func(*state, *scanner)
}

// delimiter is something between two signs.
type delimiter struct {
	open, close string
	role        theme.Role
	// escape is the character that takes the meaning of the next; 0 for none.
	escape byte
	// lines: it may go over lines. nests: it may stand in itself.
	lines, nests bool
	// short: only one character, else the sign is none (a lifetime, a
	// transposition).
	short bool
}

// state is what one line hands to the next.
type state struct {
	language *language
	// open is the delimiter that is open, nil for none; depth how often, for
	// those that nest.
	open  *delimiter
	depth int
	// terminator ends the lines of a here-document; waiting is that of one
	// whose lines begin with the next.
	terminator, waiting string
	// inside: in a tag of markup, or between the fences of Markdown.
	inside bool
}

// scanner goes through a line and makes spans of it.
type scanner struct {
	line  string
	pos   int
	done  int // what is in spans
	spans []theme.Span
}

func (s *scanner) begin(line string) { s.line = line }

// emit paints what was passed since the last emit.
func (s *scanner) emit(role theme.Role) {
	if s.done == s.pos {
		return
	}
	style := theme.In(role)
	text := s.line[s.done:s.pos]
	s.done = s.pos
	if n := len(s.spans); n > 0 && s.spans[n-1].Style == style {
		start := s.pos - len(text) - len(s.spans[n-1].Text)
		s.spans[n-1].Text = s.line[start:s.pos]
		return
	}
	s.spans = append(s.spans, theme.Span{Text: text, Style: style})
}

// take passes n bytes and paints them; what was passed before is text.
func (s *scanner) take(n int, role theme.Role) {
	s.emit(theme.Text)
	s.pos += n
	s.emit(role)
}

// all takes the rest of the line.
func (s *scanner) all(role theme.Role) { s.take(len(s.line)-s.pos, role) }

func (s *scanner) end() {
	s.pos = len(s.line)
	s.emit(theme.Text)
}

func (s *scanner) rest() string { return s.line[s.pos:] }

// before is the byte in front of pos, a blank at the start of the line.
func (s *scanner) before() byte {
	if s.pos == 0 {
		return ' '
	}
	return s.line[s.pos-1]
}

// scan paints a line.
func (st *state) scan(s *scanner) {
	l := st.language
	if l == nil {
		s.all(theme.Code)
		return
	}
	if st.terminator != "" {
		if strings.TrimLeft(s.line, "\t ") == st.terminator {
			st.terminator = ""
		}
		s.all(theme.String)
		return
	}
	if st.open == nil && l.line != nil && l.line(st, s) {
		return
	}
	for s.pos < len(s.line) {
		switch {
		case st.open != nil:
			st.through(s)
		case l.token != nil:
			l.token(st, s)
		default:
			st.token(s)
		}
	}
	if st.open != nil && !st.open.lines {
		st.open, st.depth = nil, 0
	}
	st.terminator, st.waiting = st.waiting, ""
}

// through passes what is open, up to its end or that of the line.
func (st *state) through(s *scanner) {
	d := st.open
	for s.pos < len(s.line) {
		rest := s.rest()
		switch {
		case d.escape != 0 && rest[0] == d.escape && len(rest) > 1:
			s.pos += 2
		case strings.HasPrefix(rest, d.close):
			s.pos += len(d.close)
			if st.depth--; st.depth == 0 {
				st.open = nil
				role := d.role
				if st.language.keys && strings.HasPrefix(strings.TrimLeft(s.rest(), " "), ":") {
					role = theme.Function
				}
				s.emit(role)
				return
			}
		case d.nests && strings.HasPrefix(rest, d.open):
			st.depth++
			s.pos += len(d.open)
		default:
			s.pos++
		}
	}
	s.emit(d.role)
}

// token passes the next token outside of everything.
func (st *state) token(s *scanner) {
	l, rest := st.language, s.rest()
	c := rest[0]
	switch {
	case c == ' ':
		s.pos++
	case st.opens(s):
	case st.comment(s):
		s.all(theme.Comment)
	case digit(c):
		s.take(numberLength(rest), theme.Number)
	case l.sigil != 0 && c == l.sigil:
		s.take(variableLength(rest), theme.Number)
	case l.letter(c):
		st.word(s)
	default:
		s.pos++
	}
}

func (st *state) comment(s *scanner) bool {
	if st.language.spaced && s.before() != ' ' {
		return false
	}
	for _, sign := range st.language.comments {
		if strings.HasPrefix(s.rest(), sign) {
			return true
		}
	}
	return false
}

// opens enters what begins here, if anything does.
func (st *state) opens(s *scanner) bool {
	rest := s.rest()
	for i := range st.language.delimiters {
		d := &st.language.delimiters[i]
		if !strings.HasPrefix(rest, d.open) || d.short && !isCharacter(rest) {
			continue
		}
		if st.language.letter(d.open[0]) && st.language.letter(s.before()) {
			continue
		}
		s.emit(theme.Text)
		s.pos += len(d.open)
		st.open, st.depth = d, 1
		if s.pos == len(s.line) {
			s.emit(d.role)
		}
		return true
	}
	return false
}

// word passes a name and paints it for what it is.
func (st *state) word(s *scanner) {
	l := st.language
	rest := s.rest()
	n := 1
	for n < len(rest) && (l.letter(rest[n]) || digit(rest[n])) {
		n++
	}
	name, after := rest[:n], rest[n:]
	known := name
	if l.fold {
		known = strings.ToLower(name)
	}
	member := s.before() == '.' // a.match is no keyword
	switch {
	case n <= 2 && after != "" && (after[0] == '"' || after[0] == '\'') && l.prefixes != "" &&
		strings.Trim(strings.ToLower(name), l.prefixes) == "":
		s.take(n, theme.String)
	case !member && in(l.keywords, known):
		s.take(n, theme.Keyword)
		if in(l.declares, known) {
			st.declared(s)
		}
	case !member && in(l.values, known):
		s.take(n, theme.Number)
	case l.calls && strings.HasPrefix(after, "("):
		s.take(n, theme.Function)
	default:
		s.pos += n
	}
}

// declared paints the name behind a keyword that declares it.
func (st *state) declared(s *scanner) {
	for s.pos < len(s.line) && s.line[s.pos] == ' ' {
		s.pos++
	}
	n := 0
	for rest := s.rest(); n < len(rest) && (st.language.letter(rest[n]) || n > 0 && digit(rest[n])); n++ {
	}
	s.take(n, theme.Function)
}

// in reports whether a list of words has one.
func in(list, word string) bool {
	for word != "" {
		i := strings.Index(list, word)
		if i < 0 {
			return false
		}
		if end := i + len(word); i > 0 && list[i-1] == ' ' && end < len(list) && list[end] == ' ' {
			return true
		}
		list = list[i+1:]
	}
	return false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (l *language) letter(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= utf8.RuneSelf || c != 0 && strings.IndexByte(l.extra, c) >= 0
}

// numberLength is how long the number at the start of s is, with its exponent
// and what it is measured in.
func numberLength(s string) int {
	n := 1
	hex := strings.HasPrefix(s, "0x")
	for ; n < len(s); n++ {
		c := s[n]
		switch {
		case digit(c), c == '_', c|0x20 >= 'a' && c|0x20 <= 'z':
		case c == '.' && n+1 < len(s) && digit(s[n+1]):
		case (c == '-' || c == '+') && s[n-1]|0x20 == 'e' && !hex && n+1 < len(s) && digit(s[n+1]):
		default:
			return n
		}
	}
	return n
}

// variableLength is how long the variable at the start of s is: $name, ${name}
// or $1.
func variableLength(s string) int {
	if strings.HasPrefix(s[1:], "{") {
		if end := strings.IndexByte(s, '}'); end > 0 {
			return end + 1
		}
		return len(s)
	}
	n := 1
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || s[n] == '_' || digit(s[n])) {
		n++
	}
	if n == 1 && len(s) > 1 && strings.IndexByte("@*#?!$-", s[1]) >= 0 {
		n++
	}
	return n
}

// isCharacter reports whether s begins with one character between quotes.
func isCharacter(s string) bool {
	if strings.HasPrefix(s[1:], `\`) {
		end := strings.IndexByte(s[2:], '\'')
		return end >= 1 && end <= 10 || strings.HasPrefix(s[2:], "''")
	}
	_, size := utf8.DecodeRuneInString(s[1:])
	return size > 0 && s[1] != '\'' && strings.HasPrefix(s[1+size:], "'")
}
