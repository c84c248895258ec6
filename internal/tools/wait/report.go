package wait

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// What of a log is kept for a result.
const (
	keptLines = 60
	lineRoom  = 400 // characters of one line
	// lineShare is the part of a result that lines may take.
	lineShare = 0.7
	// shownFindings are the newest ones that a result repeats.
	shownFindings = 10
)

// show keeps a line for the result.
func (s *source) show(text string) {
	if text == "" {
		return
	}
	if short := excerpt.Head(text, lineRoom); len(short) < len(text) {
		text = short + "…"
	}
	if s.lines = append(s.lines, text); len(s.lines) > keptLines {
		s.lines = append(s.lines[:0], s.lines[1:]...)
	}
}

// lastPart is what is seen of a line that returns to its beginning.
func lastPart(text string) string {
	text = strings.TrimRight(text, "\r")
	return text[strings.LastIndexByte(text, '\r')+1:]
}

// clean is a text without secrets, and without what steers a terminal.
func (t *Tool) clean(text string) string { return t.opts.Scrub(plain.String(text)) }

// cut is a text in one line, short enough for a title.
func cut(text string) string { return excerpt.Head(words(text), maxText) }

func clock(at time.Time) string { return at.UTC().Format("15:04:05") + " UTC" }

func took(d time.Duration) string { return amount.Took(d.Round(time.Second)) }

// progress tells how the waiting goes, unless nothing has changed.
func (w *waiting) progress(now time.Time) {
	var parts []string
	for _, s := range w.sources {
		text := s.name + " " + words(s.state)
		if newest := s.run.Newest(); newest != "" {
			text += ", " + newest
		}
		parts = append(parts, text)
	}
	text := excerpt.Head(w.tool.clean(strings.Join(parts, "; ")), 4*maxText)
	if text == w.said && text != "" {
		return
	}
	w.told, w.said = now, text
	w.env.Log(fmt.Sprintf("waiting for %s: %s", took(now.Sub(w.memory.Began)), text))
}

// result is what the model reads: why the waiting is over, how everything is,
// and the newest lines, in at most as many characters as there is room for.
func (w *waiting) result(now time.Time, why ending) tool.Result {
	room := min(maxOutput, w.env.Room())
	var b strings.Builder
	b.WriteString(why.title)
	fmt.Fprintf(&b, "\nWaited %s.", took(now.Sub(w.memory.Began)))
	if w.memory.old {
		b.WriteString(" The program was restarted meanwhile.")
	}
	if w.note != "" {
		b.WriteString("\nNote: " + cut(w.note))
	}
	for i, c := range w.conditions {
		if !c.held {
			fmt.Fprintf(&b, "\nNot yet (%d): %s", i+1, cut(c.text))
		}
	}
	for _, s := range w.sources {
		fmt.Fprintf(&b, "\n%s: %s", s.name, cut(s.state))
		if newest := s.run.Newest(); newest != "" {
			b.WriteString("\n  newest: " + newest)
		}
	}
	for _, f := range w.findings[max(0, len(w.findings)-shownFindings):] {
		b.WriteString("\n" + cut(f.String()))
	}
	head := excerpt.Head(w.tool.clean(b.String()), int(float64(room)*(1-lineShare)))
	return tool.Result{Output: head + w.logs(room-utf8.RuneCountInString(head)), OK: why.ok}
}

// logs are the newest lines of all logs in at most room characters.
func (w *waiting) logs(room int) string {
	var with []*source
	for _, s := range w.sources {
		if len(s.lines) > 0 {
			with = append(with, s)
		}
	}
	var b strings.Builder
	for i, s := range with {
		share := (room - utf8.RuneCountInString(b.String())) / (len(with) - i)
		title, end := "\n\nLast lines of "+cut(s.name)+":\n```\n", "\n```"
		left := share - utf8.RuneCountInString(title+end)
		first := len(s.lines)
		for first > 0 && left > utf8.RuneCountInString(s.lines[first-1]) {
			first--
			left -= utf8.RuneCountInString(s.lines[first]) + 1
		}
		if first < len(s.lines) {
			b.WriteString(title + strings.Join(s.lines[first:], "\n") + end)
		}
	}
	return b.String()
}
