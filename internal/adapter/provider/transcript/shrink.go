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

// shrink makes the older part of msgs small: images become placeholders, tool
// output keeps its start and end. The newest round, that is the last assistant
// message with calls (or the last user message, when that is later) and what
// follows, stays whole: the model is about to work on it.
func shrink(msgs []llm.Message) {
	old := msgs[:newestRound(msgs)]
	replaceImages(old, imageDropped)
	for i, m := range old {
		if m.Role != llm.ToolRole {
			continue
		}
		if text := m.PlainText(); len(text) > shrinkHead+shrinkTail+100 {
			old[i].Text, old[i].Parts = shorten(text), nil
		}
	}
}

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
