package anthropic

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// mendStrings removes from valid JSON what the API refuses in strings: escapes
// of NUL and of half a surrogate pair, and bytes that are not UTF-8.
func mendStrings(raw []byte) []byte {
	raw = bytes.ToValidUTF8(raw, nil)
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' || i+1 >= len(raw) {
			out = append(out, raw[i])
			i++
			continue
		}
		n := 2
		if raw[i+1] == 'u' {
			n = 6
			if !whole(raw, i, &n) {
				i += n
				continue
			}
		}
		out = append(out, raw[i:i+n]...)
		i += n
	}
	return out
}

// whole reports whether the \u escape at i may stay, and sets n to the length
// of it, or of the pair it begins.
func whole(raw []byte, i int, n *int) bool {
	r := escaped(raw, i)
	if r == 0 {
		return false
	}
	if !utf16.IsSurrogate(r) {
		return true
	}
	if utf16.DecodeRune(r, escaped(raw, i+6)) == utf8.RuneError {
		return false
	}
	*n = 12
	return true
}

// escaped returns the code unit of the \u escape at i, or 0.
func escaped(raw []byte, i int) rune {
	if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
		return 0
	}
	code, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(code)
}
