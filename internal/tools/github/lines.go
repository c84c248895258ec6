package github

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
	"github.com/ml-intern/ml-intern/internal/tools/github/show"
	"github.com/ml-intern/ml-intern/internal/tools/github/source"
)

const (
	// firstLines are shown when no range is asked for.
	firstLines = 300
	// lineChars is where a line is cut, in characters.
	lineChars = 2000
)

// file shows a file, or says why it cannot be shown.
func (l *look) file(env tool.Env, p ReadFile, c *api.Content) tool.Result {
	cite := l.from(c.Response, p.Repo+"/"+p.Path, p.page("blob"))
	if oid, size, ok := source.Pointer(c.Data); ok {
		return lookup.Cite(env, p.head("file")+fmt.Sprintf("It is a Git LFS pointer: the content (%s bytes, %s) is kept outside the repository and is not read.", show.Line(size, 20), show.Line(oid, 100)), cite)
	}
	if source.Binary(c.Data) {
		return lookup.Cite(env, p.head("file")+fmt.Sprintf("It is a binary file: type %s, %s. Its content is not shown.", show.Line(source.Kind(p.Path), 20), source.Size(int64(len(c.Data)))), cite)
	}
	text := readable(p.Path, c.Data)
	lines := source.Lines(text)
	from, to, err := p.span(lines)
	if err != "" {
		return tool.Failed(err)
	}
	head := p.head("file") + "**File content:**\n"
	notes := p.notes(text)
	room := min(env.Room(), lookup.MaxOutput) - utf8.RuneCountInString(head+notes+cite.URL) - show.Citation - 700 - len(show.Call(p))
	shown, last := p.numbered(lines, from, to, room)
	fence := markup.Fence(shown)
	text = head + fence + "\n" + shown + fence + "\n"
	switch {
	case len(lines) == 0:
		text += "The file is empty.\n"
	case last < to || from > 1 || to < len(lines):
		text += fmt.Sprintf("Showing lines %d-%d of %d", from, last, len(lines))
		if p.Symbol != "" {
			text += ", " + show.Line(p.Symbol, 200)
		}
		text += "."
		if last < len(lines) {
			span := max(last-from, 50)
			text += " Choose others with line_start and line_end: " + p.more(func(q *ReadFile) {
				start, end := last+1, min(last+1+span, len(lines))
				q.LineStart, q.LineEnd = &start, &end
			})
		}
		text += "\n"
	}
	return lookup.Cite(env, text+notes, cite)
}

// span is the lines to show, counted from 1; refusal says why there are none.
func (p ReadFile) span(lines []string) (from, to int, refusal string) {
	total := len(lines)
	if p.Symbol != "" {
		from, to, ok := source.Symbol(p.Path, p.Symbol, lines)
		if !ok {
			return 0, 0, fmt.Sprintf("No symbol %s in %s of %s (not_found). It declares: %s. Or read it by line_start and line_end (%d lines).",
				show.Line(p.Symbol, 200), p.Path, p.Repo, show.Line(strings.Join(source.Names(lines), ", "), 2000), total)
		}
		return from, to, ""
	}
	if p.LineStart == nil && p.LineEnd == nil {
		return 1, min(total, firstLines), ""
	}
	from, to = 1, total
	if p.LineStart != nil {
		from = max(*p.LineStart, 1)
	}
	if p.LineEnd != nil {
		to = min(*p.LineEnd, total)
	}
	if from > to && total > 0 {
		return 0, 0, fmt.Sprintf("Invalid range: line_start (%d) > line_end (%d). %s has %d lines.", from, to, p.Path, total)
	}
	return from, to, ""
}

// numbered joins lines up to what room holds, in characters; last is the last
// one shown, at least from.
func (p ReadFile) numbered(lines []string, from, to, room int) (text string, last int) {
	var b strings.Builder
	last = from - 1
	for i := from; i <= to && i <= len(lines); i++ {
		s := lines[i-1]
		if n := utf8.RuneCountInString(s); n > lineChars {
			s = string([]rune(s)[:lineChars]) + fmt.Sprintf("… [%d characters of this line are cut]", n-lineChars)
		}
		if p.LineNumbers {
			s = fmt.Sprintf("%6d  %s", i, s)
		}
		n := utf8.RuneCountInString(s) + 1
		if n > room {
			if i == from { // a line must fit, however small the room is
				b.WriteString(string([]rune(s)[:min(max(room, 0), n-1)]) + "…\n")
				last = i
			}
			return b.String(), last
		}
		room -= n
		b.WriteString(s + "\n")
		last = i
	}
	return b.String(), last
}

// notes are remarks on the whole file.
func (p ReadFile) notes(text string) string {
	notes := ""
	if strings.EqualFold(path.Ext(p.Path), ".ipynb") && !strings.HasPrefix(strings.TrimSpace(text), "{") {
		notes += "The notebook is shown as Markdown; outputs and hidden cells are left out, and lines count in this text.\n"
	}
	target, moved := source.Moved(p.Path, text)
	if !moved {
		return notes
	}
	if target == "" {
		return notes + "This file is only a note that its content has moved.\n"
	}
	if place, is, err := api.ParseURL(target); is {
		if err != nil || place.Path == "" {
			return notes + "This file is only a note: its content has moved to " + show.Line(target, 300) + "\n"
		}
		return notes + "This file is only a note: its content has moved to " + show.Line(place.Path, 300) + ". Read " +
			p.more(func(q *ReadFile) { q.Repo, q.Path, q.Ref = place.Repo, place.Path, "" }) + "\n"
	}
	return notes + "This file is only a note: its content has moved to " + show.Line(target, 300) + ". Read " + p.more(func(q *ReadFile) { q.Path = target }) + "\n"
}
