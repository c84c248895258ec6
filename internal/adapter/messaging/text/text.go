// Package text lays messages out: their lines, in the form a service reads, cut
// to the room it has. It knows forms and lengths, and sends nothing.
package text

import (
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Style is how a service wants a message.
type Style struct {
	// Convert turns Markdown into the service's form; nil leaves it.
	Convert func(markdown string) string
	// Limit is the room of one post, counted by Size.
	Limit int
	Size  Measure
	// Untitled leaves out the first line, where the service shows severity and
	// title itself.
	Untitled bool
	// Whole makes further posts of what does not fit into the first.
	Whole bool
}

// Lengths of what stands beside the text, in characters.
const (
	longestTitle = 200
	longestField = 300
)

// Lay makes the posts of a message, at least one: its severity and title, its
// text, and its facts, one a line.
func Lay(m messaging.Message, s Style) []string {
	convert := s.Convert
	if convert == nil {
		convert = func(t string) string { return t }
	}
	head, tail := "", facts(m, convert, s)
	if !s.Untitled {
		head, _ = Cut(convert(Head(m)), s.Limit/4, s.Size)
	}
	body := convert(strings.Trim(plain.ForTerminal(m.Text), "\n"))
	room := s.Limit - s.Size.Size(join(head, "", tail)) - 2 // the two line ends around the text
	if fitting, rest := Cut(body, room, s.Size); rest == "" {
		return []string{join(head, fitting, tail)}
	}
	mark := "… (truncated)"
	switch {
	case s.Whole:
		mark = "… (goes on below)"
	case m.Session != "":
		mark = "… (truncated, full reply in session " + m.Session + ")"
	}
	first, rest := Cut(body, room-s.Size.Size(mark)-1, s.Size)
	posts := []string{join(head, first, mark, tail)}
	if s.Whole {
		posts = append(posts, Split(rest, s.Limit, s.Size)...)
	}
	return posts
}

// Head is the first line of a message.
func Head(m messaging.Message) string {
	head := "[" + strings.ToUpper(string(m.Severity)) + "]"
	if title := Title(m); title != "" {
		head += " " + title
	}
	return head
}

// Title is the title of a message in one line, with how often it happened.
func Title(m messaging.Message) string {
	title := line(m.Title, longestTitle)
	if m.Count > 1 {
		title = strings.TrimSpace(fmt.Sprintf("%s (%d times)", title, m.Count))
	}
	return title
}

// facts are the lines below the text: as many as fit into a third of the room.
func facts(m messaging.Message, convert func(string) string, s Style) string {
	var lines []string
	room := s.Limit / 3
	for _, f := range m.Fields {
		fact := convert(line(f.Name, longestField) + ": " + line(f.Value, longestField))
		if room -= s.Size.Size(fact) + 1; room < 0 {
			break
		}
		lines = append(lines, fact)
	}
	return strings.Join(lines, "\n")
}

// line makes one line of at most limit characters of a text. No block of code
// begins in it.
func line(s string, limit int) string {
	s = strings.Join(strings.Fields(plain.ForTerminal(s)), " ")
	if strings.Contains(s, fence) {
		s = strings.ReplaceAll(s, "`", "'")
	}
	if Measure(Characters).Size(s) <= limit {
		return s
	}
	head, _ := Cut(s, limit-1, Characters)
	return head + "…"
}

// join puts the parts that are there below each other.
func join(parts ...string) string {
	var there []string
	for _, p := range parts {
		if p != "" {
			there = append(there, p)
		}
	}
	return strings.Join(there, "\n")
}
