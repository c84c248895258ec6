package pii

import "strings"

// phone is the telephone number at i: international ones with a plus,
// North American ones in their written form, and any other after a word that
// announces one.
func phone(s string, i int) (Match, bool) {
	if s[i] == '+' {
		return international(s, i)
	}
	if end, ok := american(s, i); ok {
		return Match{Kind: Phone, Start: i, End: end, Masked: "***-***-**" + s[end-2:end]}, true
	}
	return announced(s, i)
}

// number passes over digits with at most two separators between groups, and
// tells how many digits and groups there are.
func number(s string, i int) (end, digits, groups int) {
	end = i
	for at := i; at < len(s) && at-i < 40; {
		stop := span(s, at, 40, digit)
		if stop == at {
			break
		}
		digits, groups, end = digits+stop-at, groups+1, stop
		at = span(s, stop, 3, func(c byte) bool { return strings.IndexByte(" -./()\u00a0", c) >= 0 && c < 0x80 })
		if at == stop || strings.Contains(s[stop:at], "  ") {
			break
		}
	}
	return end, digits, groups
}

func international(s string, i int) (Match, bool) {
	if i+1 >= len(s) || !digit(s[i+1]) || s[i+1] == '0' {
		return Match{}, false
	}
	before := strings.TrimRight(s[max(0, i-4):i], " ")
	if before != "" && (alnum(before[len(before)-1]) && len(before) == len(s[max(0, i-4):i]) ||
		digit(before[len(before)-1]) || strings.IndexByte("+-*/^%=)]_", before[len(before)-1]) >= 0) {
		return Match{}, false // a sum, a time zone or a sign
	}
	end, digits, groups := number(s, i+1)
	if digits < 9 || digits > 15 || groups > 7 || end < len(s) && (alnum(s[end]) || s[end] == '_' || s[end] == '%') {
		return Match{}, false
	}
	if end+1 < len(s) && (s[end] == '.' || s[end] == ',' || s[end] == ':') && digit(s[end+1]) {
		return Match{}, false
	}
	return Match{Kind: Phone, Start: i, End: end, Masked: "+" + s[i+1:i+2] + " *** **" + s[end-2:end]}, true
}

// american is where "(202) 555-0143", "202-555-0143" or "202.555.0143" ends.
func american(s string, i int) (int, bool) {
	at, bracket := i, s[i] == '('
	if bracket {
		at++
	}
	if at+12 > len(s) || before(s, i, "-./:#=$@") {
		return 0, false
	}
	group := func(n int, leads bool) bool {
		end := span(s, at, n, digit)
		ok := end-at == n && (!leads || s[at] >= '2')
		at = end
		return ok
	}
	if !group(3, true) {
		return 0, false
	}
	separator := s[at]
	if bracket {
		if separator != ')' {
			return 0, false
		}
		at++
		at = span(s, at, 1, func(c byte) bool { return c == ' ' })
	} else if separator != '-' && separator != '.' {
		return 0, false
	} else {
		at++
	}
	if !group(3, true) || at >= len(s) {
		return 0, false
	}
	if !bracket && s[at] != separator || s[at] != '-' && s[at] != '.' && s[at] != ' ' {
		return 0, false
	}
	at++
	if !group(4, false) || at < len(s) && (alnum(s[at]) || s[at] == '_') {
		return 0, false
	}
	if at+1 < len(s) && strings.IndexByte("-./:", s[at]) >= 0 && digit(s[at+1]) {
		return 0, false
	}
	return at, true
}

// before reports whether one of the signs stands before i.
func before(s string, i int, signs string) bool {
	return i > 0 && strings.IndexByte(signs, s[i-1]) >= 0
}

// announced is the number at i when a word such as "tel" stands before it.
func announced(s string, i int) (Match, bool) {
	if !cue(s, i) {
		return Match{}, false
	}
	at := i
	if s[i] == '(' {
		at++
	}
	end, digits, groups := number(s, at)
	if digits < 7 || digits > 15 || groups > 7 || end < len(s) && (alnum(s[end]) || s[end] == '_' || s[end] == '%') || dated(s[at:end]) {
		return Match{}, false
	}
	if s[at] != '0' && groups < 2 && digits < 9 {
		return Match{}, false // a count
	}
	return Match{Kind: Phone, Start: i, End: end, Masked: "*** *** **" + s[end-2:end]}, true
}

// cue reports whether a word just before i announces a telephone number.
func cue(s string, i int) bool {
	ahead := strings.ToLower(strings.TrimRight(s[max(0, i-16):i], " :.#\t(-"))
	for _, word := range []string{
		"phone", "tel", "telephone", "telefon", "téléphone", "teléfono", "telefone", "mobile", "mobil", "cell", "fax",
		"whatsapp", "call", "call us at", "call me at", "handy", "dial", "电话", "電話", "手机", "전화", "телефон",
	} {
		if rest, ok := strings.CutSuffix(ahead, word); ok && (rest == "" || !letter(rest[len(rest)-1])) {
			return true
		}
	}
	return false
}

// dated reports whether the digits are written as a date: 2024-01-31 or 31.01.2024.
func dated(s string) bool {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '-' || r == '.' || r == '/' })
	if len(parts) != 3 {
		return false
	}
	return len(parts[0]) == 4 && len(parts[1]) <= 2 && len(parts[2]) <= 2 || len(parts[2]) == 4 && len(parts[0]) <= 2 && len(parts[1]) <= 2
}
