package transcript

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Clean removes NUL and what is not valid UTF-8, lone surrogates among it:
// providers refuse a request that holds either.
func Clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "")
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, cleaned as [Clean] does. Characters
// that JSON does not need escaped stay as they are, < and > too. A history of
// megabytes is encoded for every request, so plain text is copied in long
// runs that are scanned eight bytes at a time.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		n := plainRun(s)
		dst = append(dst, s[:n]...)
		s = s[n:]
		if s == "" {
			break
		}
		if c := s[0]; c < utf8.RuneSelf {
			dst = appendEscape(dst, c)
			s = s[1:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		if r != utf8.RuneError || size > 1 {
			dst = append(dst, s[:size]...)
		}
		s = s[size:]
	}
	return append(dst, '"')
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

// plainRun returns how many bytes at the start of s are ASCII and need no
// escape.
func plainRun(s string) int {
	n := 0
	for ; n+8 <= len(s); n += 8 {
		if found := special(load(s[n:])); found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for n < len(s) && plain(s[n]) {
		n++
	}
	return n
}

func plain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// load reads eight bytes; the compiler makes one instruction of it.
func load(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.LittleEndian.Uint64(b[:])
}

// special is not zero when any of eight bytes is a control character, a quote,
// a backslash or no ASCII; its lowest set bit belongs to the first of them. A byte
// minus a larger one borrows into its high bit, and only from there on upwards
// may bytes be marked wrongly.
func special(w uint64) uint64 {
	return (w | (w - ones*' ') | ((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones)) & highs
}
