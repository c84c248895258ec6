package transcript

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// Clean removes NUL and what is not valid UTF-8, lone surrogates among it:
// providers refuse a request that holds either.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "") // last, or halves on both sides of one would join
	}
	return s
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, cleaned as [Clean] does. Characters
// that JSON does not need escaped stay as they are, < and > too. A history of
// megabytes is encoded for every request, so text is copied eight bytes at a
// time, and looked at closer only where a character needs it.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for len(s) >= 8 {
		n := len(dst)
		if cap(dst)-n < 8 {
			dst = slices.Grow(dst, len(s)+len(s)/8+8)
		}
		word := load(s)
		binary.LittleEndian.PutUint64(dst[n:n+8], word)
		found := special(word)
		if found == 0 {
			dst, s = dst[:n+8], s[8:]
			continue
		}
		plain := bits.TrailingZeros64(found) / 8
		dst, s = appendSpecial(dst[:n+plain], s[plain:])
	}
	for len(s) > 0 {
		if c := s[0]; c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			dst, s = append(dst, c), s[1:]
			continue
		}
		dst, s = appendSpecial(dst, s)
	}
	return append(dst, '"')
}

// appendSpecial appends what s begins with: one character that needs an
// escape, or a run of characters beyond ASCII.
func appendSpecial(dst []byte, s string) (out []byte, rest string) {
	if c := s[0]; c < utf8.RuneSelf {
		return appendEscape(dst, c), s[1:]
	}
	for len(s) > 0 && s[0] >= utf8.RuneSelf {
		r, size := utf8.DecodeRuneInString(s)
		if r != utf8.RuneError || size > 1 {
			dst = append(dst, s[:size]...)
		}
		s = s[size:]
	}
	return dst, s
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case 0:
		return dst
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\t':
		return append(dst, '\\', 't')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// Bit patterns for looking at eight bytes at once.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// load reads eight bytes; the compiler makes one instruction of it.
func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// special is not zero when any of eight bytes is a control character, a quote,
// a backslash or no ASCII; its lowest set bit belongs to the first of them. A byte
// minus a larger one borrows into its high bit, and only from there on upwards
// may bytes be marked wrongly.
func special(w uint64) uint64 {
	return (w | (w - ones*' ') | ((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones)) & highs
}
