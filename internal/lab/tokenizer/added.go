package tokenizer

import (
	"fmt"
	"slices"
	"sort"
)

// matcher finds added tokens: at each place the longest one.
type matcher struct {
	// byFirst are the tokens by their first byte, in order.
	byFirst [256][]string
	any     bool
}

// newMatcher takes tokens of at most maxToken bytes: at every place of a text
// as many bytes may have to be looked at.
func newMatcher(tokens []string) (*matcher, error) {
	m := &matcher{}
	for _, t := range tokens {
		if len(t) > maxToken {
			return nil, fmt.Errorf("a token has %d bytes, more than %d", len(t), maxToken)
		}
		m.byFirst[t[0]], m.any = append(m.byFirst[t[0]], t), true
	}
	for i, list := range m.byFirst {
		slices.Sort(list)
		m.byFirst[i] = slices.Compact(list)
	}
	return m, nil
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

// at returns the longest token that a text begins with. The list is in order,
// so that those with the same beginning stand side by side: each byte of the
// text leaves fewer of them.
func (m *matcher) at(text string) (best string) {
	list := m.byFirst[text[0]]
	for n := 1; len(list) > 0; n++ {
		if len(list[0]) == n {
			best, list = list[0], list[1:]
		}
		if n == len(text) {
			break
		}
		c := text[n]
		list = list[sort.Search(len(list), func(i int) bool { return list[i][n] >= c }):]
		list = list[:sort.Search(len(list), func(i int) bool { return list[i][n] > c })]
	}
	return best
}
