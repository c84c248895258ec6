package pii

import (
	"net/netip"
	"strings"
)

// address4 is the public IPv4 address at i.
func address4(s string, i int) (Match, bool) {
	end := span(s, i, 16, func(c byte) bool { return digit(c) || c == '.' })
	word := strings.TrimRight(s[i:end], ".")
	end = i + len(word)
	if strings.Count(word, ".") != 3 || end < len(s) && (alnum(s[end]) || s[end] == '_' || s[end] == '-') || before(s, i, ".-") {
		return Match{}, false
	}
	if i > 1 && s[i-1] == '/' && s[i-2] != '/' {
		return Match{}, false // the version in the name of a program
	}
	a, err := netip.ParseAddr(word)
	if err != nil || !personal(a) || versioned(s, i, a) {
		return Match{}, false
	}
	return Match{Kind: IP, Start: i, End: end, Masked: word[:strings.IndexByte(word, '.')] + ".*.*.*"}, true
}

// personal reports whether the address can belong to somebody: not those of
// networks at home, of manuals, of groups, and of services all the world asks.
func personal(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	if a.Is6() {
		b := a.As16()
		return b[0]>>5 == 1 && !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8)
	}
	switch b := a.As4(); {
	case b[0] == 0 || b[0] >= 240 || b[0] == 100 && b[1]>>6 == 1,
		b[0] == 192 && b[1] == 0 && b[2] <= 2, b[0] == 198 && b[1] == 51 && b[2] == 100, b[0] == 203 && b[1] == 0 && b[2] == 113,
		b[0] == 255, b[0] == b[1] && b[1] == b[2] && b[2] == b[3]:
		return false
	case b[3] == 0: // a network
		return false
	}
	return true
}

// versioned reports whether what has the form of an address is rather a
// version or the number of a section.
func versioned(s string, i int, a netip.Addr) bool {
	b := a.As4()
	if max(b[0], b[1], b[2], b[3]) <= 30 {
		return true
	}
	ahead := strings.ToLower(strings.TrimRight(s[max(0, i-14):i], " :=\"'`>~<^(v"))
	for _, word := range []string{"version", "release", "driver", "build", "firmware", "section", "update", "ver.", "ver"} {
		if strings.HasSuffix(ahead, word) {
			return true
		}
	}
	return strings.Contains(s[max(0, i-2):i], "==")
}

// address6 is the public IPv6 address at i. One that begins with a letter is
// no public one.
func address6(s string, i int) (Match, bool) {
	end := span(s, i, 40, func(c byte) bool { return hexa(c) || c == ':' })
	word := strings.TrimRight(s[i:end], ":")
	end = i + len(word)
	if strings.Count(word, ":") < 3 || end < len(s) && (alnum(s[end]) || s[end] == '_') || before(s, i, ":.-") {
		return Match{}, false
	}
	a, err := netip.ParseAddr(word)
	if err != nil || !personal(a) {
		return Match{}, false
	}
	return Match{Kind: IP, Start: i, End: end, Masked: word[:strings.IndexByte(word, ':')] + ":***"}, true
}
