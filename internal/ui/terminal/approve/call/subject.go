package call

import (
	"bytes"
	"encoding/json"
	"path"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Subject is the part of a call that a person may edit.
type Subject struct {
	What string // in a sentence
	Name string // of the file it is edited in
	Text string
	// Script says that it is the script of a job, which goes back under its own
	// name.
	Script bool
	// Whole says that it is all arguments, as JSON.
	Whole bool

	set func(args Arguments, text string) (out Arguments, why string)
}

// Subject says what is edited of the call.
func (c Call) Subject() Subject {
	field := func(what, name, key string) Subject {
		return Subject{What: what, Name: name, Text: c.Args.Text(key), set: func(a Arguments, text string) (Arguments, string) {
			return a.With(key, text), ""
		}}
	}
	switch {
	case c.Tool == "hf_jobs" && c.Args.Text("script") != "" && !IsAddress(c.Args.Text("script")):
		s := field("the script", "script.py", "script")
		s.Script = true
		return s.filled()
	case c.Tool == "bash":
		return field("the command", "command.sh", "command").filled()
	case c.Tool == "write":
		return field("the content", fileName(c.Args.Text("path")), "content")
	case c.Tool == "edit":
		return field("the new text", fileName(c.Args.Text("path")), "new_str")
	case c.Tool == "hf_repo_files" && c.Operation() == "upload" && c.Args.Text("content") != "":
		return field("the content", fileName(c.Args.Text("path")), "content")
	}
	return Subject{What: "the arguments", Name: "arguments.json", Text: indented(c.Args), Whole: true, set: func(_ Arguments, text string) (Arguments, string) {
		changed := Read(json.RawMessage(text))
		if changed == nil {
			return nil, "the arguments are no JSON object any more; nothing is changed"
		}
		return changed, ""
	}}
}

// Put returns the arguments with another text in the place of the subject; why
// says what is wrong with that text.
func (s Subject) Put(args Arguments, text string) (out Arguments, why string) {
	return s.set(args, text)
}

// IsAddress reports whether a script is named by where it is fetched from.
func IsAddress(text string) bool {
	return !strings.Contains(text, "\n") && (strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://"))
}

// filled refuses an empty text.
func (s Subject) filled() Subject {
	set, what := s.set, s.What
	s.set = func(args Arguments, text string) (Arguments, string) {
		if strings.TrimSpace(text) == "" {
			return nil, what + " is empty; nothing is changed"
		}
		return set(args, text)
	}
	return s
}

// fileName is the last part of a path, where an editor can use it.
func fileName(p string) string {
	name := path.Base(strings.ReplaceAll(p, `\`, "/"))
	odd := func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c))
	}
	if strings.ContainsFunc(name, odd) || strings.Trim(name, ".-") == "" || len(name) > 100 {
		return "content.txt"
	}
	return strings.TrimLeft(name, "-")
}

func indented(args Arguments) string {
	raw, err := event.Encode(args)
	if err != nil {
		return "{}\n"
	}
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return "{}\n"
	}
	return b.String() + "\n"
}

// AsWritten undoes what editors do by themselves at the end of a text and to the
// ends of its lines; before is the text they got.
func AsWritten(text, before string) string {
	if !strings.Contains(before, "\r\n") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	if !strings.HasSuffix(before, "\n") {
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}

// Diff is what has become of a text.
type Diff struct {
	Text           string // unified, without the names of files
	Added, Removed int    // lines
}

// Compare finds the difference. That the last line has no end is only told where
// it makes one.
func Compare(before, after string) Diff {
	if !strings.HasSuffix(before, "\n") && !strings.HasSuffix(after, "\n") {
		before, after = before+"\n", after+"\n"
	}
	text := udiff.Unified("before", "after", before, after)
	for range 2 {
		_, text, _ = strings.Cut(text, "\n")
	}
	d := Diff{Text: text}
	for line := range strings.Lines(text) {
		switch line[0] {
		case '+':
			d.Added++
		case '-':
			d.Removed++
		}
	}
	return d
}

// Counts writes how much has changed, such as +3 -1.
func (d Diff) Counts() string {
	return "+" + amount.Grouped(d.Added) + " -" + amount.Grouped(d.Removed)
}
