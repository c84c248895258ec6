package text

import (
	"strings"
	"unicode/utf8"
)

// Measure is how much room a character takes where a text goes.
type Measure func(r rune) int

// Characters counts characters.
func Characters(rune) int { return 1 }

// Bytes counts bytes of UTF-8.
func Bytes(r rune) int { return utf8.RuneLen(r) }

// Units counts the 16-bit units of UTF-16.
func Units(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

// Size is the room that s takes.
func (m Measure) Size(s string) int {
	n := 0
	for _, r := range s {
		n += m(r)
	}
	return n
}

// fits is how many bytes of s have room.
func (m Measure) fits(s string, room int) int {
	for i, r := range s {
		if room -= m(r); room < 0 {
			return i
		}
	}
	return len(s)
}

// Close ends a block of code that s leaves open.
func Close(s string) string {
	if !inside(s) {
		return s
	}
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s + fence
}

const fence = "```"

// inside reports whether the end of s lies in a block of code: everybody who
// shows such texts counts the fences.
func inside(s string) bool { return strings.Count(s, fence)%2 == 1 }

// closer is what ends a block of code behind a cut, opener what begins it again.
const (
	closer = "\n" + fence
	opener = fence + "\n"
)

// smallest is the least room that a cut text is given.
const smallest = 32

// Cut returns as much of s as fits into limit, at least 32, and what is left. It
// cuts between lines, in a very long line between words, and never in a
// character, an address in pointed brackets or an entity. A block of code that is
// cut is closed in head and opened again in rest.
func Cut(s string, limit int, size Measure) (head, rest string) {
	limit = max(limit, smallest)
	if size.Size(Close(s)) <= limit {
		return Close(s), ""
	}
	end := backTo(s, size.fits(s, limit-size.Size(closer)))
	head, rest = s[:end], s[end:]
	reopen := inside(head)
	if reopen { // a block that would be empty begins behind the cut
		if at := strings.LastIndex(head, fence); at > 0 && !strings.Contains(strings.TrimSpace(head[at:]), "\n") && lineStart(head, at) {
			head, rest, reopen = s[:at], s[at:], false
		}
	}
	head = strings.TrimRight(head, " \t\n")
	rest = strings.TrimPrefix(strings.TrimLeft(rest, " "), "\n")
	if reopen {
		head, rest = Close(head), opener+rest
	}
	return head, rest
}

func lineStart(s string, at int) bool {
	return strings.TrimLeft(s[strings.LastIndexByte(s[:at], '\n')+1:at], " ") == ""
}

// backTo is the best place for a cut at or before end.
func backTo(s string, end int) int {
	if at := strings.LastIndexByte(s[:end], '\n'); at >= end/2 {
		return at
	}
	start := strings.LastIndexByte(s[:end], '\n') + 1
	line := s[start:end]
	if at := strings.LastIndexByte(line, ' '); at > len(line)/2 {
		line = line[:at]
	}
	if at := strings.LastIndexByte(line, '<'); at > len(line)/2 && !strings.Contains(line[at:], ">") {
		line = line[:at]
	}
	if at := strings.LastIndexByte(line, '&'); at > 0 && len(line)-at < len("&amp;") && !strings.Contains(line[at:], ";") {
		line = line[:at]
	}
	if short := strings.TrimRight(line, "`"); short != "" {
		line = short
	}
	return start + len(line)
}

// Split cuts s into texts of at most limit each.
func Split(s string, limit int, size Measure) []string {
	var parts []string
	for s != "" {
		var head string
		if head, s = Cut(s, limit, size); head != "" {
			parts = append(parts, head)
		}
	}
	return parts
}
