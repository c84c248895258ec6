package document

import (
	"crypto/sha256"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// TitleLength and PreviewLength are how many characters a title of ours and the
// first message in a list have at most.
const (
	TitleLength   = 60
	PreviewLength = 72
)

// Line puts a text on one line of at most limit characters. What steers a
// terminal is gone.
func Line(text string, limit int) string {
	// Words beyond these cannot show; a text may be a whole file.
	if enough := 64 * limit; len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "")
	}
	line := strings.Join(strings.Fields(plain.ForTerminal(text)), " ")
	if runes := []rune(line); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return line
}

// Typed remembers what persons have typed where their messages hold more: the
// text of a file that they named, for one. The zero value knows nothing yet.
type Typed struct{ shown map[digest]string }

// digest tells a message's text.
type digest [16]byte

func digestOf(text string) digest {
	full := sha256.Sum256([]byte(text))
	return digest(full[:])
}

// Note takes in an event of the session.
func (t *Typed) Note(ev event.Event) {
	if ev.Type != event.TypeInputAccepted {
		return
	}
	in, err := event.Decode[event.InputAccepted](ev)
	if err != nil || in.Shown == "" || in.Shown == in.Text {
		return
	}
	if t.shown == nil {
		t.shown = map[digest]string{}
	}
	t.shown[digestOf(in.Text)] = in.Shown
}

// Text is what was typed for a message of a person: its text where nothing else
// is known.
func (t Typed) Text(m llm.Message) string {
	text := m.PlainText()
	if len(t.shown) == 0 {
		return text
	}
	if shown, ok := t.shown[digestOf(text)]; ok {
		return shown
	}
	return text
}

// Title is the beginning of the first thing a person said.
func (t Typed) Title(messages []llm.Message) string { return t.first(messages, TitleLength) }

// Preview is Title for a line of a list.
func (t Typed) Preview(messages []llm.Message) string { return t.first(messages, PreviewLength) }

func (t Typed) first(messages []llm.Message, limit int) string {
	for _, m := range messages {
		if !history.FromPerson(m) {
			continue
		}
		if line := Line(t.Text(m), limit); line != "" {
			return line
		}
	}
	return ""
}
