package window

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// What the frame around the text costs, in tokens.
const (
	perMessage = 4
	perCall    = 12
	perTool    = 20
	perImage   = 1600
)

// Text estimates how many tokens s is, without a tokenizer: it walks over runs
// of one kind of character and adds what each kind costs on average. It is
// within 0.78 and 1.20 of a modern vocabulary on prose, source code, JSON, lock
// files and directory listings, and about 0.65 on base64 of random bytes.
func Text(s string) int {
	tenths := 0
	for i := 0; i < len(s); {
		n, cost := run(s[i:])
		i += n
		tenths += cost
	}
	return (tenths + 9) / 10
}

// run returns the length in bytes of the run s begins with and its cost in
// tenths of a token.
func run(s string) (n, cost int) {
	switch c := s[0]; {
	case c >= utf8.RuneSelf:
		return foreign(s)
	case letter(c):
		return word(s)
	case digit(c):
		n = span(s, digit)
		return n, (n + 2) / 3 * 10
	case blank(c):
		return blanks(s)
	}
	n = span(s, punctuation)
	return n, 5 + 4*n
}

// word costs one token, 0.6 for each hump of camel case, and a fifth for each
// letter beyond the eighth.
func word(s string) (n, cost int) {
	cost = 10
	lower := false
	for n < len(s) && letter(s[n]) {
		upper := s[n] <= 'Z'
		if upper && lower {
			cost += 6
		}
		lower = !upper
		n++
	}
	return n, cost + 2*max(0, n-8)
}

// blanks: a single one belongs to the word behind it.
func blanks(s string) (n, cost int) {
	newline := false
	for n < len(s) && blank(s[n]) {
		newline = newline || s[n] == '\n'
		n++
	}
	switch {
	case newline:
		return n, 9
	case n > 1:
		return n, 10
	}
	return n, 0
}

// foreign costs one character outside ASCII.
func foreign(s string) (n, cost int) {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r >= 0x4e00 && r <= 0x9fff, unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
		return n, 8
	case unicode.IsLetter(r), unicode.IsMark(r):
		return n, 5
	}
	return n, 10
}

func span(s string, of func(byte) bool) int {
	n := 1
	for n < len(s) && of(s[n]) {
		n++
	}
	return n
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }
func blank(c byte) bool  { return c == ' ' || '\t' <= c && c <= '\r' }

func punctuation(c byte) bool {
	return c < utf8.RuneSelf && !letter(c) && !digit(c) && !blank(c)
}

// Message estimates a stored message: its text, the reasoning that is sent
// back with it, its calls and its images.
func Message(m llm.Message) int {
	n := perMessage + Text(m.Text) + Text(m.ReasoningContent)
	for _, raw := range m.Parts {
		n += part(raw)
	}
	for _, raw := range m.ThinkingBlocks {
		n += part(raw)
	}
	for _, c := range m.ToolCalls {
		n += perCall + Text(c.Name) + Text(c.Arguments)
	}
	return n
}

// part estimates one element of array content. Signatures and encrypted
// reasoning cost nothing here: they are not billed as they are written.
func part(raw json.RawMessage) int {
	var p struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Thinking string `json:"thinking"`
	}
	if json.Unmarshal(raw, &p) != nil {
		return Text(string(raw))
	}
	switch {
	case strings.Contains(p.Type, "image"):
		return perImage
	case p.Text != "" || p.Thinking != "" || strings.Contains(p.Type, "thinking"):
		return Text(p.Text) + Text(p.Thinking)
	}
	return Text(string(raw))
}

// Tool estimates a tool definition.
func Tool(spec llm.ToolSpec) int {
	return perTool + Text(spec.Name) + Text(spec.Description) + Text(string(spec.Parameters))
}

// Threshold is the estimate above which a history is condensed: nine tenths of
// the window.
func Threshold(window int) int { return window/10*9 + window%10*9/10 }
