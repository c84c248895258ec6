package tokenizer

import "strings"

// matcher finds added tokens: at each place the longest one.
type matcher struct {
	// byFirst are the tokens by their first byte, the longest first.
	byFirst [256][]string
	any     bool
}

func newMatcher(tokens []string) *matcher {
	m := &matcher{}
	for _, t := range tokens {
		list := m.byFirst[t[0]]
		at := 0
		for at < len(list) && len(list[at]) >= len(t) {
			at++
		}
		list = append(list, "")
		copy(list[at+1:], list[at:])
		list[at] = t
		m.byFirst[t[0]], m.any = list, true
	}
	return m
}

// cut calls each for the tokens and the texts between them, in order.
func (m *matcher) cut(text string, each func(part string, added bool)) {
	if !m.any {
		each(text, false)
		return
	}
	from := 0
	for i := 0; i < len(text); {
		token := m.at(text[i:])
		if token == "" {
			i++
			continue
		}
		each(text[from:i], false)
		each(token, true)
		i += len(token)
		from = i
	}
	each(text[from:], false)
}

func (m *matcher) at(text string) string {
	for _, t := range m.byFirst[text[0]] {
		if strings.HasPrefix(text, t) {
			return t
		}
	}
	return ""
}
