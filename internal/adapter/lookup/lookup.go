// Package lookup is what every look-up tool does alike: it cites where a result
// comes from, cuts long texts so that reading can go on, and tells failures in
// words. It knows no tool, and of the services only where they are.
package lookup

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// MaxOutput is how many characters a look-up's result has at most.
const MaxOutput = 40_000

const (
	// addressChars is how much of an address a mark repeats; the evidence has
	// all of it.
	addressChars = 300
	// marksChars is how long the line of marks is at most; the addresses of
	// further marks are left out.
	marksChars = 3_000
	// reserved is what [Room] leaves for the line of marks and a notice.
	reserved = 600
)

// Source is an answer that a result was made from.
type Source struct {
	*fetch.Response
	// Tool, Operation and Object say what was looked up, such as "hf_papers",
	// "paper_details" and "2402.03300". URL replaces the answer's own where
	// people should see another, such as the page instead of its API.
	Tool, Operation, Object, Title, URL string
}

// Note writes a source into the session's evidence and returns its mark.
func Note(env tool.Env, s Source) string {
	return env.Evidence(event.Evidence{
		Tool: s.Tool, Operation: s.Operation, Object: line(s.Object, addressChars), Title: line(s.Title, addressChars),
		URL: s.address(), FetchedAt: s.FetchedAt.UTC(), SHA256: s.SHA256,
	})
}

func (s Source) address() string {
	return strings.Join(strings.Fields(Plain(cmp.Or(s.URL, s.Response.URL))), "%20")
}

// Room is how many characters of text a call may show beside its marks: at
// most wanted, where that is not 0.
func Room(env tool.Env, wanted int) int {
	room := limit(env)
	room -= min(reserved, room/4)
	if wanted > 0 {
		room = min(room, wanted)
	}
	return room
}

// limit is how long a whole result may be.
func limit(env tool.Env) int {
	if room := env.Room(); room > 0 {
		return room
	}
	return MaxOutput
}

// Cite returns a good result: the text and, as its last line, the marks of what
// it was made from. Sources that are nil are left out, and those that are the
// same are one. The whole stays within the call's room: a text that does not
// fit is cut, because it should have been asked for in parts.
func Cite(env tool.Env, text string, sources ...Source) tool.Result {
	room := limit(env)
	last := marks(env, sources, min(marksChars, room/3))
	text = strings.TrimRight(Plain(text), "\n")
	if last != "" {
		last = "\n\n" + last
	}
	return tool.Success(shorten(text, room-utf8.RuneCountInString(last)) + last)
}

// Note that a mark is empty where the ledger is full: the address stays.
func marks(env tool.Env, sources []Source, room int) string {
	var b strings.Builder
	seen := map[[2]string]bool{}
	for _, s := range sources {
		if s.Response == nil || seen[[2]string{s.address(), s.SHA256}] {
			continue
		}
		seen[[2]string{s.address(), s.SHA256}] = true
		mark := Note(env, s)
		if mark != "" {
			mark = "[" + mark + "]"
		}
		full := strings.TrimLeft(fmt.Sprintf("%s %s (fetched %s)", mark, line(s.address(), addressChars), s.FetchedAt.UTC().Format(time.RFC3339)), " ")
		switch {
		case b.Len()+len(full) <= room || b.Len() == 0:
			if b.Len() > 0 {
				b.WriteString(" · ")
			}
			b.WriteString(full)
		case mark != "" && b.Len()+len(mark) < room:
			b.WriteString(" " + mark)
		}
	}
	return b.String()
}

// Plain removes what would steer a terminal: control characters but newline and
// tab. What a text says stays as it is.
func Plain(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return '\n'
		case r < ' ' || r >= 0x7f && r <= 0x9f:
			return -1
		}
		return r
	}, s)
}

// Line makes a text one line of at most max characters, without what would
// steer a terminal.
func Line(s string, max int) string { return line(s, max) }

func line(s string, max int) string {
	// Only the beginning of a long text can show.
	if len(s) > 16*max {
		s = s[:16*max]
	}
	s = strings.Join(strings.Fields(Plain(s)), " ")
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return s[:byteAt(s, max-1)] + "…"
}
