package rule

import "strings"

const (
	maxName  = 128 // bytes of a name, of the blanks around a separator half of it
	minValue = 8   // bytes of an unquoted value that no upper-case name vouches for
	maxBare  = 512 // bytes of an unquoted value that decide about it; its tail follows it
)

// name is what stands before a separator.
type name struct {
	text   string
	direct bool // nothing stands between it and the separator
	query  bool // it follows ? or &, as a parameter of a URL
}

func (n name) token() bool {
	_, ok := hasNameSuffix(n.text, "token")
	return ok
}

// upper reports whether the name is written like an environment variable.
func (n name) upper() bool { return strings.ToUpper(n.text) == n.text }

// nameBefore reads the name that ends at i, through blanks, a closing quote
// (with the backslashes of a nested string), the bracket of os.environ["X"]
// and the stars of Markdown.
func (sc *Scan) nameBefore(i int) name {
	lo := max(sc.Floor, i-Lookback)
	end := i
	for end > lo && i-end < maxName/2 && isBlank(sc.Src[end-1]) {
		end--
	}
	if end-2 >= lo && sc.Src[end-1] == ']' && isQuote(sc.Src[end-2]) {
		end--
	}
	if end > lo && isQuote(sc.Src[end-1]) {
		end--
		for end > lo && sc.Src[end-1] == '\\' {
			end--
		}
	}
	for k := 0; k < 2 && end > lo && sc.Src[end-1] == '*'; k++ {
		end--
	}
	start := end
	for start > lo && end-start < maxName && isKeyByte(sc.Src[start-1]) {
		start--
	}
	query := start > lo && (sc.Src[start-1] == '?' || sc.Src[start-1] == '&')
	return name{text: sc.Src[start:end], direct: end == i, query: query}
}

// annotated reads the name of `name: type =`, of which i is the equals sign.
func (sc *Scan) annotated(i int) name {
	lo := max(sc.Floor, i-maxName/2)
	k := i
	for k > lo && (isWord(sc.Src[k-1]) || strings.IndexByte(" .[]|", sc.Src[k-1]) >= 0) {
		k--
	}
	if k <= lo || sc.Src[k-1] != ':' || strings.TrimSpace(sc.Src[k:i]) == "" {
		return name{}
	}
	n := sc.nameBefore(k - 1)
	n.direct = false
	return n
}

// secretName returns the name that the separator at i assigns to, if it is the
// name of a secret.
func (sc *Scan) secretName(i int) (name, bool) {
	end := i
	if sc.Src[i] == '=' && i > sc.Floor {
		switch c := sc.Src[i-1]; {
		case c == ':' || c == '?':
			end--
		case strings.IndexByte("!<>=+-*/%&^|~", c) >= 0:
			return name{}, false
		}
	}
	n := sc.nameBefore(end)
	if isSecretName(n.text) {
		return n, true
	}
	if sc.Src[i] == '=' && end == i {
		n = sc.annotated(i)
		return n, isSecretName(n.text)
	}
	return name{}, false
}

func (sc *Scan) namesSecret(i int) bool {
	_, ok := sc.secretName(i)
	return ok
}

// assignment finds the value behind the "=" or ":" at i where the name before
// it is that of a secret.
func (sc *Scan) assignment(i int, w view) (Match, Verdict) {
	n, ok := sc.secretName(i)
	if !ok {
		if sc.kaggle(i) {
			return sc.kaggleKey(i, w)
		}
		return Match{}, None
	}
	p := i + 1
	switch {
	case p == w.end:
		return open(w)
	case strings.IndexByte("=~:", sc.Src[p]) >= 0:
		return Match{}, None
	case sc.Src[p] == '>' && sc.Src[i] == '=':
		p++
		n.direct = false
	}
	at := runEnd(sc.Src, p, min(w.end, p+maxName/2), isBlank)
	if at == w.end {
		return open(w)
	}
	n.direct = n.direct && sc.Src[i] == '=' && at == p
	return sc.value(n, at, w)
}

// open is the answer of a rule that reached the end of its view without a
// decision.
func open(w view) (Match, Verdict) {
	if w.open {
		return Match{}, More
	}
	return Match{}, None
}

// value reads the right-hand side at p.
func (sc *Scan) value(n name, p int, w view) (Match, Verdict) {
	q := runEnd(sc.Src, p, min(w.end, p+2), func(c byte) bool { return strings.IndexByte("bBrRuUfF", c) >= 0 })
	formatted := strings.ContainsAny(sc.Src[p:q], "fF")
	if q == p {
		q = runEnd(sc.Src, p, min(w.end, p+16), func(c byte) bool { return c == '\\' })
	}
	if q == w.end && w.open {
		return Match{}, More
	}
	if q < w.end && (sc.Src[q] == '"' || sc.Src[q] == '\'') {
		slashes := 0
		if q > p && sc.Src[p] == '\\' {
			slashes = q - p
		}
		return sc.quoted(n, q, slashes, formatted, w)
	}
	if sc.Src[p] == '`' {
		if n.direct {
			return Match{}, None // a shell's command substitution
		}
		p++
	}
	return sc.bare(n, p, w)
}

// quoted reads the literal whose opening quote stands at q behind so many
// backslashes. An unclosed one ends with its line.
func (sc *Scan) quoted(n name, q, slashes int, formatted bool, w view) (Match, Verdict) {
	quote := sc.Src[q]
	v := q + 1
	if slashes == 0 {
		if v+1 >= w.end && w.open {
			return Match{}, More
		}
		if v+1 < w.end && sc.Src[v] == quote && sc.Src[v+1] == quote {
			return sc.tripled(n, v+2, formatted, w)
		}
	}
	end, back := v, 0
scan:
	for ; end < w.end; end++ {
		switch c := sc.Src[end]; {
		case c == '\\':
			back++
			continue
		case c == quote && (slashes == 0 && back%2 == 0 || slashes > 0 && back <= slashes):
			end -= min(back, slashes)
			break scan
		case c == '\n', c == '\r', slashes > 0 && isQuote(c) && back < slashes:
			break scan
		}
		back = 0
	}
	if end == w.end && w.open {
		return Match{}, More
	}
	return sc.literal(n, v, end, formatted, w)
}

// tripled reads a literal in three quotes, whose text begins at v.
func (sc *Scan) tripled(n name, v int, formatted bool, w view) (Match, Verdict) {
	closing := strings.Index(sc.Src[v:w.end], sc.Src[v-3:v])
	if closing < 0 {
		if w.open {
			return Match{}, More
		}
		closing = runEnd(sc.Src, v, w.end, func(c byte) bool { return c != '\n' }) - v
	}
	return sc.literal(n, v, v+closing, formatted, w)
}

// literal decides about the quoted text src[v:end].
func (sc *Scan) literal(n name, v, end int, formatted bool, w view) (Match, Verdict) {
	text := sc.Src[v:end]
	closed := end < w.end && isQuote(sc.Src[end]) || end < w.end && sc.Src[end] == '\\'
	if formatted && strings.Contains(text, "{") || isBetween(text, closed) || !isLiteral(n, text) {
		return Match{}, None
	}
	// A token of a known kind keeps the mark of its kind.
	m := Match{Start: v, End: end, Kind: kindNamed}
	switch t, tv := sc.token(v, w); {
	case tv == More:
		return Match{}, More
	case tv == Found && t.Start == v && t.End == end:
		m.Kind = t.Kind
	}
	return m, Found
}

// isBetween reports whether text is code between two strings, as after
// input("Password: ") or in "token=" + token + "&", whose first quote closes.
func isBetween(text string, closed bool) bool {
	code := strings.TrimLeft(text, " ")
	switch {
	case code == "":
		return true
	case len(code) < len(text):
		return strings.IndexByte("+%.|&=),;]}", code[0]) >= 0
	case code[0] == '+':
		return !closed || strings.HasSuffix(strings.TrimRight(code, " "), "+")
	}
	return strings.IndexByte("),;]}", code[0]) >= 0
}

// isLiteral reports whether a quoted text under a secret's name is a secret
// and not empty, a reference, a template, a number or a special token.
func isLiteral(n name, text string) bool {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "", isConstant(trimmed), isReference(text):
		return false
	case trimmed[0] == '{' && trimmed[len(trimmed)-1] == '}':
		return false
	case isIdentifierStart(trimmed[0]) && trimmed[len(trimmed)-1] == ')':
		call := runEnd(trimmed, 0, len(trimmed), isDotted)
		return trimmed[call] != '('
	}
	return !n.token() || !isSpecialToken(trimmed) && !isFraction(trimmed)
}

// isReference reports whether text points to a secret instead of being one,
// or holds what a former scrub left.
func isReference(text string) bool {
	return strings.Contains(text, "$") || strings.Contains(text, "os.environ") || strings.Contains(text, markLead)
}

func isConstant(text string) bool {
	switch text {
	case "None", "none", "null", "NULL", "nil", "true", "True", "false", "False", "undefined":
		return true
	}
	return false
}

// isSpecialToken knows what tokenizers call a token: <s>, <|im_end|>, [PAD].
func isSpecialToken(text string) bool {
	first, last := text[0], text[len(text)-1]
	return first == '<' && last == '>' || first == '[' && last == ']'
}

// isFraction knows measures such as cost_per_token: 0.0025 or 2.5e-06.
func isFraction(text string) bool {
	point := false
	for i := range len(text) {
		switch c := text[i]; {
		case isDigit(c):
		case c == '.':
			point = true
		case i > 0 && strings.IndexByte("eE+-", c) >= 0:
		default:
			return false
		}
	}
	return point || strings.Contains(text, "e-")
}

func isNumber(text string) bool { return runEnd(text, 0, len(text), isDigit) == len(text) }

// bare reads an unquoted value at v.
func (sc *Scan) bare(n name, v int, w view) (Match, Verdict) {
	vouched := n.direct && n.upper() && !n.query
	limit := min(w.end, v+maxBare)
	end := v
	for ; end < limit; end++ {
		c := sc.Src[end]
		if isBlankOrQuote(c) || c == '\\' && sc.escapesEnd(end, w) ||
			!vouched && strings.IndexByte(",;&)", c) >= 0 || vouched && sc.joins(end, w) {
			break
		}
	}
	if end == w.end && w.open {
		return Match{}, More
	}
	cut := end == limit && limit < w.end
	subscript := end > v && sc.Src[end-1] == '[' && end < w.end && isQuote(sc.Src[end])
	for end > v && strings.IndexByte(",;)]}.\\", sc.Src[end-1]) >= 0 && !isReference(sc.Src[v:end]) {
		if sc.Src[end-1] == ']' && strings.Contains(sc.Src[v:end], "[") {
			break
		}
		end--
	}
	if subscript || !isBareSecret(n, sc.Src[v:end], vouched) {
		return Match{}, None
	}
	return Match{Start: v, End: end, Kind: kindNamed, Cut: cut}, Found
}

// isBareSecret decides about an unquoted text under a secret's name. vouched
// says that the name is an environment variable's, whose value is never code.
func isBareSecret(n name, text string, vouched bool) bool {
	switch {
	case text == "", isConstant(text), isReference(text), strings.Contains(text, "("),
		strings.IndexByte("{<[", text[0]) >= 0, n.token() && isFraction(text):
		return false
	case vouched:
		return true
	case len(text) < minValue, strings.HasPrefix(text, "./"):
		return false
	}
	return n.query || !strings.Contains(text, "://") && !isCode(text) && !(n.token() && isNumber(text))
}

// joins reports whether && or || stands at p, which end a word of the shell.
func (sc *Scan) joins(p int, w view) bool {
	c := sc.Src[p]
	return (c == '&' || c == '|') && p+1 < w.end && sc.Src[p+1] == c
}

// escapesEnd reports whether the backslash at p begins an escaped line break,
// tab or quote, which end a value inside a quoted string.
func (sc *Scan) escapesEnd(p int, w view) bool {
	q := runEnd(sc.Src, p, min(w.end, p+16), func(c byte) bool { return c == '\\' })
	return q < w.end && (strings.IndexByte("nrt", sc.Src[q]) >= 0 || isQuote(sc.Src[q]))
}

func isIdentifierStart(c byte) bool { return isLetter(c) || c == '_' || c >= 0x80 }

// isCode reports whether an unquoted value is an identifier, an attribute, a
// subscript or a type with a default rather than a literal. Letters and digits
// in wild alternation, or 40 characters of an AWS secret, are a literal.
func isCode(text string) bool {
	text = strings.TrimLeft(text, "&*")
	if text == "" || !isIdentifierStart(text[0]) {
		return false
	}
	if looksRandom(text) {
		return false
	}
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case isIdentifierStart(c), isDigit(c), strings.IndexByte(".[]<>|?:", c) >= 0:
		case c == '=':
			return strings.Trim(text[i:], "=") != ""
		default:
			return false
		}
	}
	return true
}

// looksRandom reports whether text is 20 or more letters and digits that
// change places at least four times, as in keys and digests.
func looksRandom(text string) bool {
	changes := 0
	for i := range len(text) {
		if !isAlnum(text[i]) {
			return false
		}
		if i > 0 && isDigit(text[i]) != isDigit(text[i-1]) {
			changes++
		}
	}
	return len(text) >= 20 && changes >= 4
}

// kaggle reports whether the colon at i follows the "key" of a kaggle.json,
// which names no secret: {"username":"…","key":"…"}.
func (sc *Scan) kaggle(i int) bool {
	if i == 0 || sc.Src[i] != ':' && sc.Src[i] != '=' || sc.Src[i-1] != '"' {
		return false
	}
	return sc.nameBefore(i).text == "key" && strings.Contains(sc.Src[max(sc.Floor, i-Lookback):i], "username")
}

func (sc *Scan) kaggleKey(i int, w view) (Match, Verdict) {
	at := runEnd(sc.Src, i+1, min(w.end, i+16), func(c byte) bool { return isBlank(c) || c == '\\' || c == '"' })
	end := runEnd(sc.Src, at, w.end, isHex)
	if end == w.end && w.open {
		return Match{}, More
	}
	if at == i+1 || !isKaggleKey(sc.Src[at:end]) {
		return Match{}, None
	}
	return Match{Start: at, End: end, Kind: kindNamed}, Found
}

func isKaggleKey(text string) bool {
	return len(text) >= 32 && runEnd(text, 0, len(text), isHex) == len(text)
}
