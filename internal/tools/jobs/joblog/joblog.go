// Package joblog keeps the log of a running job: all of it in a file, its
// beginning, its end and the lines about errors in memory, for a result that a
// model can read. It does not know where the lines come from.
package joblog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// What is kept. A result shows much less; the limits in bytes let a session
// follow many jobs at once.
const (
	firstLines = 200
	firstBytes = 16 << 10
	lastLines  = 2000
	lastBytes  = 96 << 10
	// lineLimit bounds a line in memory, in bytes; the file has all of it.
	lineLimit = 4000
	// fileLimit bounds the text in the file; the lines behind it are empty
	// there, so that their number stays right.
	fileLimit  = 256 << 20
	errorLines = 20
)

// Log is the log of one job. One goroutine uses it.
type Log struct {
	hide    func(n int, event string) bool
	file    *os.File
	written int64
	taken   int
	first   []string
	size    int // bytes of first
	last    ring
	dropped int
	errors  []string
	before  string
	context int // lines that still belong to the newest error
}

// Open opens the log of a job in dir, which is made if needed; an empty one
// keeps no file. A log that is there is read again: Taken says how many events
// it has. hide is asked once for each event with a text, the old ones too, with
// its number, whether it is nothing for people; nil hides none.
func Open(dir, id string, hide func(n int, event string) bool) (*Log, error) {
	if hide == nil {
		hide = func(int, string) bool { return false }
	}
	l := &Log{hide: hide}
	if dir == "" {
		return l, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for the logs of jobs: %w", err)
	}
	if id != filepath.Base(id) || !filepath.IsLocal(id) {
		return nil, fmt.Errorf("open the log of job %q: that is no id", id)
	}
	file, err := os.OpenFile(filepath.Join(dir, id+".log"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of job %s: %w", id, err)
	}
	l.file = file
	if err := l.reread(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("read the log of job %s: %w", id, err)
	}
	return l, nil
}

// reread takes what an earlier run of the program has written. A torn last
// line is cut off: it comes again.
func (l *Log) reread() error {
	r := bufio.NewReader(l.file)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		l.written += int64(len(line))
		l.taken++
		if text := string(bytes.TrimSuffix(line, []byte("\n"))); text != "" {
			l.remember(l.taken, strings.ReplaceAll(text, lineMark, "\n"))
		}
	}
	if err := l.file.Truncate(l.written); err != nil {
		return err
	}
	_, err := l.file.Seek(l.written, io.SeekStart)
	return err
}

// Taken is the number of the newest event in the log.
func (l *Log) Taken() int { return l.taken }

// Path is where the whole log lies; empty without a file.
func (l *Log) Path() string {
	if l.file == nil {
		return ""
	}
	return l.file.Name()
}

// lineMark stands in the file for a line end within one event: there, a line is
// an event.
const lineMark = "\v"

// Add appends event number n and reports whether it is for people.
func (l *Log) Add(n int, text string) (shown bool, err error) {
	text = strings.TrimRight(text, "\r\n")
	shown = l.remember(n, text)
	text = strings.ReplaceAll(text, "\n", lineMark)
	var out strings.Builder
	for ; l.taken < n-1; l.taken++ { // events without a text
		out.WriteByte('\n')
	}
	l.taken++
	if l.written < fileLimit {
		out.WriteString(text)
	}
	out.WriteByte('\n')
	if l.file == nil {
		return shown, nil
	}
	m, err := l.file.WriteString(out.String())
	l.written += int64(m)
	if err != nil {
		return shown, fmt.Errorf("write the log of the job: %w", err)
	}
	return shown, nil
}

// Close closes the file, which stays.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// telling reports whether a line says what went wrong.
func telling(line string) bool {
	for _, word := range []string{"Error", "Exception", "Traceback", "CUDA out of memory", "Killed"} {
		if strings.Contains(line, word) {
			return true
		}
	}
	return false
}

// remember keeps the lines of one event in memory, unless it is hidden.
func (l *Log) remember(n int, event string) bool {
	if l.hide(n, event) {
		return false
	}
	for text := range strings.SplitSeq(event, "\n") {
		l.keep(Collapse(text))
	}
	return true
}

func (l *Log) keep(text string) {
	if len(text) > lineLimit {
		text = strings.ToValidUTF8(text[:lineLimit], "") + "…"
	}
	if len(l.last.lines) == 0 && len(l.first) < firstLines && l.size+len(text) <= firstBytes {
		l.first = append(l.first, text)
		l.size += len(text)
		return
	}
	l.last.push(text, func(old string) {
		l.keepError(old)
		l.dropped++
	})
}

// keepError keeps a line that leaves memory when it tells of an error, with
// one line before and two behind it.
func (l *Log) keepError(text string) {
	switch {
	case len(l.errors) >= errorLines:
	case telling(text):
		if l.context == 0 && l.before != "" {
			l.errors = append(l.errors, l.before)
		}
		l.errors, l.context = append(l.errors, text), 2
	case l.context > 0:
		l.errors = append(l.errors, text)
		l.context--
	}
	l.before = text
}

// Collapse leaves of a progress bar, which returns to the line's beginning
// again and again, what is seen in the end.
func Collapse(text string) string {
	text = strings.TrimRight(text, "\r")
	if i := strings.LastIndexByte(text, '\r'); i >= 0 {
		return text[i+1:]
	}
	return text
}

var installed = regexp.MustCompile(`^Installed \d+ packages? in \d+(\.\d+)?\s*m?s`)

// Lines are the lines in memory, without those that a package installation has
// printed; a line says how many are left out.
func (l *Log) Lines() []string {
	lines := append([]string{}, l.first...)
	if l.dropped > 0 {
		lines = append(lines, fmt.Sprintf("… (%d lines omitted) …", l.dropped))
		if len(l.errors) > 0 {
			lines = append(append(append(lines, "[lines about errors among them:]"), l.errors...), "…")
		}
	}
	lines = append(lines, l.last.all()...)
	for i, line := range lines {
		if installed.MatchString(line) {
			return append([]string{"[installs truncated]"}, lines[i:]...)
		}
	}
	return lines
}

// Text is the log in at most limit bytes: a fifth of that from the beginning,
// the rest from the end and for errors between the two, cut at lines.
func (l *Log) Text(limit int) string {
	lines := l.Lines()
	text := strings.Join(lines, "\n")
	if len(text) <= limit {
		return text
	}
	head := text[:limit/5]
	head = head[:strings.LastIndexByte(head, '\n')+1]
	errs := tellingLines(text[len(head):len(text)-limit/2], limit/5)
	room := max(limit-len(head)-len(errs)-len("… (1000000 lines omitted) …\n"), 0)
	tail := text[len(text)-room:]
	if i := strings.IndexByte(tail, '\n'); i >= 0 && i < len(tail)-1 {
		tail = tail[i+1:]
	}
	gap := text[len(head) : len(text)-len(tail)]
	return strings.ToValidUTF8(fmt.Sprintf("%s… (%d lines omitted) …\n%s%s", head, strings.Count(gap, "\n"), errs, tail), "")
}

// tellingLimit bounds a line about an error that is told beside the log, in
// bytes.
const tellingLimit = 300

// tellingLines are the lines about errors in the part that is left out, in at
// most limit bytes.
func tellingLines(gap string, limit int) string {
	const title, end = "[lines about errors among them:]\n", "…\n"
	limit -= len(title) + len(end)
	var found strings.Builder
	for line := range strings.Lines(gap) {
		if !telling(line) {
			continue
		}
		if line = strings.TrimRight(line, "\n"); len(line) > tellingLimit {
			line = strings.ToValidUTF8(line[:tellingLimit], "") + "…"
		}
		if found.Len()+len(line)+1 > limit {
			break
		}
		found.WriteString(line + "\n")
	}
	if found.Len() == 0 {
		return ""
	}
	return title + found.String() + end
}
