package transcript

import (
	"fmt"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// What stays of an old tool output, in bytes at its start and at its end.
const (
	shrinkHead = 1500
	shrinkTail = 500
)

// shrink makes an old message small and reports whether it did: images become
// placeholders, tool output keeps its start and end.
func shrink(m *llm.Message) (changed bool) {
	changed = replaceImages(m, imageDropped)
	if m.Role != llm.ToolRole {
		return changed
	}
	if text := m.PlainText(); len(text) > shrinkHead+shrinkTail+100 {
		m.Text, m.Parts = shorten(text), nil
		return true
	}
	return changed
}

// newestRound is where the part begins that is never made small: the last
// assistant message with calls, or the last user message when that is later.
// The model is about to work on it.
func newestRound(msgs []llm.Message) int {
	for i := len(msgs) - 1; i >= 0; i-- {
		m := msgs[i]
		if m.Role == llm.User && !m.Synthetic || m.Role == llm.Assistant && len(m.ToolCalls) > 0 {
			return i
		}
	}
	return 0
}

func shorten(text string) string {
	head, tail := shrinkHead, len(text)-shrinkTail
	for !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return fmt.Sprintf("%s\n[… %d bytes left out: the request was too large …]\n%s", text[:head], tail-head, text[tail:])
}
