// Package pii finds personal data and secrets in texts by their form: e-mail
// and IP addresses, telephone numbers, and keys with known prefixes. It rather
// misses one than takes a version, a date or a piece of code for one, and it
// gives away nothing of what it finds: matches come masked.
package pii

import "strings"

// Kind is the kind of a match.
type Kind string

// The kinds.
const (
	Email Kind = "email"
	Phone Kind = "phone"
	IP    Kind = "ip"
	Key   Kind = "key"
)

// Kinds is all kinds, worst first.
func Kinds() []Kind { return []Kind{Key, Email, Phone, IP} }

// Match is a place in a text.
type Match struct {
	Kind       Kind
	Start, End int
	// Masked shows the form of what was found and no more than its beginning or
	// end.
	Masked string
}

// MaxMatches is how many matches of one text are looked for.
const MaxMatches = 1000

// Find is the matches in the order of the text. They do not overlap.
func Find(s string) []Match {
	var out []Match
	floor := 0 // where the last match ended
	for i := 0; i < len(s) && len(out) < MaxMatches; {
		m, ok := at(s, i, floor)
		if !ok {
			i++
			continue
		}
		out = append(out, m)
		i, floor = m.End, m.End
	}
	return out
}

// at is the match that byte i gives rise to: the sign of an address, or the
// first byte of anything else.
func at(s string, i, floor int) (Match, bool) {
	switch c := s[i]; {
	case c == '@':
		return email(s, i, floor)
	case c == '+' || c == '(':
		return phone(s, i)
	case digit(c):
		if !startsWord(s, i) {
			return Match{}, false
		}
		if m, ok := address4(s, i); ok {
			return m, true
		}
		if m, ok := address6(s, i); ok {
			return m, true
		}
		return phone(s, i)
	case c == '-':
		return privateKey(s, i)
	case letter(c):
		if startsWord(s, i) {
			return key(s, i)
		}
	}
	return Match{}, false
}

// Mask is the text with everything found in it masked.
func Mask(s string) string {
	found := Find(s)
	if len(found) == 0 {
		return s
	}
	var b strings.Builder
	last := 0
	for _, m := range found {
		b.WriteString(s[last:m.Start])
		b.WriteString(m.Masked)
		last = m.End
	}
	b.WriteString(s[last:])
	return b.String()
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func alnum(c byte) bool  { return digit(c) || letter(c) }
func upper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func lower(c byte) bool  { return c >= 'a' && c <= 'z' }
func hexa(c byte) bool   { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// startsWord reports whether no word goes on at i.
func startsWord(s string, i int) bool { return i == 0 || !alnum(s[i-1]) && s[i-1] != '_' }

// span is where the bytes that is accepts end, from i on and at most n of them.
func span(s string, i, n int, is func(byte) bool) int {
	end := i
	for end < len(s) && end-i < n && is(s[end]) {
		end++
	}
	return end
}

// one reports whether any byte of s is accepted.
func one(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if is(s[i]) {
			return true
		}
	}
	return false
}
