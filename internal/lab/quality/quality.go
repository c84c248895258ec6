// Package quality finds rows that are broken or say nothing: missing and empty
// texts, too few words, an answer that repeats its question, an ending that was
// cut off, and refusals. It knows a row as its texts.
package quality

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/lab/text"
)

// Field is one text of a row: a column, or one message of a conversation.
type Field struct {
	Column string
	// Role is the role of a message, empty for a column.
	Role string
	// Null tells that there is no value.
	Null bool
	Text string
	// Normal is Text in the normal form of package text.
	Normal string
}

// Fault is one kind of fault.
type Fault string

// The faults, worst first.
const (
	Null      Fault = "null"
	Empty     Fault = "empty"
	Repeated  Fault = "repeated"
	Few       Fault = "few_words"
	Truncated Fault = "truncated"
	Refusal   Fault = "refusal"
)

// Faults is all faults, worst first.
func Faults() []Fault { return []Fault{Null, Empty, Repeated, Few, Truncated, Refusal} }

// Issue is a fault and the column it is in; the row's as a whole has none.
type Issue struct {
	Fault  Fault
	Column string
}

// FewWords is how many words a row has at least.
const FewWords = 5

// Looker looks at rows. Several goroutines may share one.
type Looker struct {
	whole  []string
	halves [][2]string
}

// New returns a looker.
func New() *Looker { return &Looker{whole: whole(), halves: halves()} }

// Look is the issues of a row, each once.
func (l *Looker) Look(fields []Field) []Issue {
	var out []Issue
	add := func(f Fault, column string) {
		for _, i := range out {
			if i == (Issue{f, column}) {
				return
			}
		}
		out = append(out, Issue{f, column})
	}
	words := FewWords
	for _, f := range fields {
		switch {
		case f.Null:
			add(Null, f.Column)
		case f.Normal == "" && (f.Role == "" || answers(f.Role)):
			add(Empty, f.Column)
		}
		words -= count(f.Normal, words)
	}
	if column, ok := repeated(fields); ok {
		add(Repeated, column)
	}
	if words > 0 && words < FewWords {
		add(Few, "")
	}
	if last := answer(fields); last != nil {
		if cut(last.Text) {
			add(Truncated, last.Column)
		}
		if l.Refuses(last.Normal) {
			add(Refusal, last.Column)
		}
	}
	return out
}

// count is how many words a text has, at most so many.
func count(s string, most int) int {
	n := 0
	for n < most {
		var word string
		if word, s = text.Next(s); word == "" {
			break
		}
		n++
	}
	return n
}

func answers(role string) bool {
	switch strings.ToLower(role) {
	case "assistant", "gpt", "model", "bot", "chatgpt":
		return true
	}
	return false
}

// repeated is the column whose text is that of an earlier column, or of the
// message before it.
func repeated(fields []Field) (string, bool) {
	for i, f := range fields {
		if f.Normal == "" {
			continue
		}
		for j, e := range fields[:i] {
			if len(e.Normal) != len(f.Normal) || e.Normal != f.Normal {
				continue
			}
			if f.Role == "" && e.Role == "" && e.Column != f.Column ||
				j == i-1 && e.Column == f.Column && answers(f.Role) && !answers(e.Role) {
				return f.Column, true
			}
		}
		if i > 200 {
			break // a very long conversation
		}
	}
	return "", false
}

// answer is the text that a model would learn to give: the last message of an
// assistant, the column with a name for answers, or the last text.
func answer(fields []Field) *Field {
	var last, named, said *Field
	for i := range fields {
		f := &fields[i]
		if f.Normal == "" {
			continue
		}
		last = f
		switch {
		case answers(f.Role):
			said = f
		case f.Role == "":
			switch strings.ToLower(f.Column) {
			case "completion", "response", "output", "answer", "chosen", "target", "solution", "summary":
				named = f
			}
		}
	}
	switch {
	case said != nil:
		return said
	case named != nil:
		return named
	case last != nil && last.Role != "":
		return nil // a conversation without an answer
	}
	return last
}

// cut reports whether a text ends in the middle of a sentence: prose of some
// length whose last line is long and ends in a letter, a comma or a hyphen.
// Lists, titles, code and addresses end in other ways.
func cut(s string) bool {
	s = strings.TrimRightFunc(s, unicode.IsSpace)
	r, _ := utf8.DecodeLastRuneInString(s)
	if s == "" || !unicode.IsLetter(r) && r != ',' && r != '-' && r != '，' && r != '、' {
		return false
	}
	line := s[strings.LastIndexByte(s, '\n')+1:]
	if strings.Count(s, "```")%2 == 1 || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t") || strings.ContainsAny(line, "{}=;|<>`\\") {
		return false
	}
	word := line[strings.LastIndexByte(line, ' ')+1:]
	if strings.ContainsAny(word, "/@_.#") {
		return false // an address or a name
	}
	if text.Unspaced(r) {
		return !text.Fewer(line, 40) && strings.ContainsAny(s, "。！？")
	}
	// Only who ended sentences before has left one open.
	return !text.Fewer(line, 8) && !text.Fewer(s, 20) && strings.ContainsAny(s[:len(s)-1], ".!?।؟")
}
