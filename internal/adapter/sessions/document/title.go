package document

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/history"
)

// previewLength is how many characters a list shows of the first message.
const previewLength = 72

// Shorten cuts a line to the length of a preview.
func Shorten(line string) string {
	if runes := []rune(line); len(runes) > previewLength {
		return string(runes[:previewLength-1]) + "…"
	}
	return line
}

// First is the beginning of the first thing a person typed, on one line.
func (d Document) First() string {
	texts := d.Texts()
	for i, m := range d.Messages {
		if !history.FromPerson(m) {
			continue
		}
		if line := history.Line(texts[i]); line != "" {
			return history.Cut(line, firstLength)
		}
	}
	return ""
}

// firstLength is how many characters are kept of it.
const firstLength = 200

// Name is what a session is called that nobody has given a title.
func (d Document) Name() string { return history.Cut(d.First(), titleLength) }

// titleLength is how long a title is that was made from a message.
const titleLength = 60

// Texts are the texts of the messages as people see them: what was typed where
// a message holds more, the contents of a file that was named for one.
func (d Document) Texts() []string {
	texts := make([]string, len(d.Messages))
	people := 0
	for i, m := range d.Messages {
		texts[i] = m.PlainText()
		if !history.FromPerson(m) {
			continue
		}
		if people < len(d.Said) && d.Said[people].Shown != "" {
			texts[i] = d.Said[people].Shown
		}
		people++
	}
	return texts
}

// Given reports whether somebody chose this title: one that was made is the
// beginning of the session's first line.
func Given(title, first string) bool {
	begin := strings.TrimSpace(strings.TrimSuffix(title, "…"))
	return begin != "" && !strings.HasPrefix(first, begin)
}
