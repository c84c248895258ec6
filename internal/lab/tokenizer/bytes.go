package tokenizer

import (
	"strings"
	"sync"
)

// byteTable writes each byte as a character that is seen: printable ones as
// themselves, the others from U+0100 on.
var byteTable = sync.OnceValue(func() *[256]string {
	var t [256]string
	next := rune(0x100)
	for b := range 256 {
		switch {
		case b >= '!' && b <= '~', b >= 0xa1 && b <= 0xac, b >= 0xae:
			t[b] = string(rune(b))
		default:
			t[b] = string(next)
			next++
		}
	}
	return &t
})

// byteChars writes the bytes of a text as characters.
func byteChars(text string) string {
	t := byteTable()
	var out strings.Builder
	out.Grow(len(text) + len(text)/4)
	for i := range len(text) {
		out.WriteString(t[text[i]])
	}
	return out.String()
}
