// Package rule finds secrets in a text: tokens that are known by their shape,
// values that stand behind a name such as HF_TOKEN, and exact values it was
// given.
//
// A scan reads from left to right and decides at each place with a bounded
// view: at most Lookback bytes behind it and MaxSpan bytes ahead. Only the END
// line of a private key looks further back, MaxSpan bytes over lines of base64,
// as the beginning of its block may have been cut off. What was replaced counts as a wall that no rule looks through.
//
// The package replaces nothing and does not know what becomes of a match.
package rule

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// Lookback bounds, in bytes, what a rule may read before its place.
	Lookback = 256
	// MaxSpan bounds, in bytes, what a rule may read after its place, and how
	// much base64 an END line takes. A stream may hold back both together. The
	// PEM form of a 16,384-bit key fits.
	MaxSpan = 16 << 10
	// minHeld is the length in bytes from which a held value is removed.
	// Shorter ones ("admin", "1234") would tear holes into ordinary text.
	minHeld = 8
)

// Set is all rules and the held values. It never changes and may be used by
// many goroutines at once.
type Set struct {
	held  [256][]string  // all forms by first byte, longest first
	rules [256][]prefix  // by first byte
	pairs [256][4]uint64 // bit set of second bytes that may begin a match
	first [256]bool      // bytes that may begin a match
}

// NewSet returns the rules together with the held values of 8 or more bytes in
// plain, base64, URL-encoded and JSON-escaped form.
func NewSet(held []string) *Set {
	s := &Set{}
	for _, p := range prefixes {
		s.rules[p.lead[0]] = append(s.rules[p.lead[0]], p)
		s.watch(p.lead)
	}
	for _, lead := range leads {
		s.watch(lead)
	}
	for _, lead := range []string{"be", "bE", "Be", "BE", markLead} {
		s.watch(lead)
	}
	for c := range 256 {
		s.watch(string([]byte{'=', byte(c)}))
		s.watch(string([]byte{':', byte(c)}))
	}
	for _, form := range heldForms(held) {
		s.held[form[0]] = append(s.held[form[0]], form)
		s.watch(form)
	}
	for c := range s.held {
		slices.SortFunc(s.held[c], func(a, b string) int { return len(b) - len(a) })
	}
	return s
}

// watch tells the prefilter that a match may begin like lead.
func (s *Set) watch(lead string) {
	s.first[lead[0]] = true
	s.pairs[lead[0]][lead[1]>>6] |= 1 << (lead[1] & 63)
}

// heldForms lists every spelling of the held values once.
func heldForms(values []string) []string {
	var forms []string
	for _, v := range values {
		v = strings.TrimSpace(v)
		// A value that is not UTF-8 could cut a character of a text in two.
		if len(v) < minHeld || !utf8.ValidString(v) {
			continue
		}
		b := []byte(v)
		forms = append(forms, v,
			base64.StdEncoding.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b),
			base64.URLEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
			url.QueryEscape(v), url.PathEscape(v), lowerEscapes(url.QueryEscape(v)))
		if quoted, err := json.Marshal(v); err == nil {
			forms = append(forms, string(quoted[1:len(quoted)-1]))
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// lowerEscapes turns %2F into %2f, as some clients write it.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			b[i+1], b[i+2] = lower(b[i+1]), lower(b[i+2])
		}
	}
	return string(b)
}

// Member reports whether text, the value of the key of a map, is a secret
// because of that key. beside says that the map has a "username" too, next to
// which a "key" is one of Kaggle.
func (s *Set) Member(key, text string, beside bool) (Kind, bool) {
	if beside && key == "key" && isKaggleKey(text) {
		return kindNamed, true
	}
	if len(key) > maxName || !isSecretName(key) || runEnd(key, 0, len(key), isDotted) < len(key) {
		return 0, false
	}
	if !isLiteral(name{text: key}, text) {
		return 0, false
	}
	sc := Scan{Set: s, Src: text, Final: true}
	if m, v := sc.token(0, sc.view(0)); v == Found && m.Start == 0 && m.End == len(text) {
		return m.Kind, true
	}
	return kindNamed, true
}
