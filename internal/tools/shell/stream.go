package shell

import (
	"bytes"
	"fmt"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
)

const (
	// tick is the pause between progress lines: at most ten in a second, the
	// last one of a call included.
	tick = 120 * time.Millisecond
	// maxLine is the most bytes of one progress line.
	maxLine = 4 << 10
	// logBudget is how much output one call shows as progress. It leaves room
	// below 256 KiB for the short lines that come after.
	logBudget = 192 << 10
	// beat is the pause between those.
	beat = 10 * time.Second
)

// stream shows the output of a running command as progress lines: what is new,
// a few times a second, the newest part when there is too much of it.
type stream struct {
	log func(string)
	// spill names the file that has all of the output, and total its size.
	spill func() string
	total func() int64
	// each is called a few times a second, and once at the end.
	each  func()
	began time.Time

	mu      sync.Mutex
	pending []byte
	skipped int
	// held: pending is the beginning of a line and has waited one tick.
	held bool

	// These belong to the goroutine of run.
	sent  int
	over  bool
	after time.Time

	stop, ended chan struct{}
}

func newStream(log func(string), spill func() string, total func() int64, each func()) *stream {
	return &stream{
		log: log, spill: spill, total: total, each: each, began: time.Now(),
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
}

// write takes plain text; it never blocks on the reader of the lines.
func (s *stream) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(p) - maxLine; n > 0 {
		s.skipped += n
		p = p[n:]
	}
	s.pending = append(s.pending, p...)
	if n := len(s.pending) - maxLine; n > 0 {
		s.skipped += n
		s.pending = append(s.pending[:0], s.pending[n:]...)
	}
}

// run emits lines until end is called.
func (s *stream) run() {
	defer close(s.ended)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.emit(false)
			s.each()
		case <-s.stop:
			s.emit(true)
			s.each()
			return
		}
	}
}

// end emits what is left and stops run; no line comes later.
func (s *stream) end() {
	close(s.stop)
	<-s.ended
}

func (s *stream) emit(last bool) {
	if s.over {
		if now := time.Now(); !last && now.Sub(s.after) >= beat {
			s.after = now
			s.log(fmt.Sprintf("[running for %v, %s of output]", now.Sub(s.began).Round(time.Second), size(s.total())))
		}
		return
	}
	text := s.take(last)
	if text == "" {
		return
	}
	if s.sent+len(text) > logBudget {
		s.over, s.after = true, time.Now()
		s.log("[more output than is shown here; all of it is in " + s.spill() + "]")
		return
	}
	s.sent += len(text)
	s.log(text)
}

// take returns the complete lines that are pending. The beginning of a line
// waits for the next tick, its last word and the beginning of a private key
// for what follows: who looks for secrets sees each piece alone.
func (s *stream) take(last bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	cut := bytes.LastIndexByte(s.pending, '\n') + 1
	switch {
	case last:
		cut = len(s.pending)
	case cut > 0:
		cut = beforeKey(s.pending[:cut])
	case s.held:
		cut = wholeWords(s.pending)
	}
	s.held = bytes.IndexByte(s.pending[cut:], '\n') < 0 && cut < len(s.pending)
	if cut == 0 {
		return ""
	}
	text, note := s.pending[:cut], ""
	if s.skipped > 0 {
		text, note = afterGap(text, s.skipped)
		s.skipped = 0
	}
	out := note + string(bytes.TrimSuffix(text, []byte("\n")))
	s.pending = append(s.pending[:0], s.pending[cut:]...)
	return out
}

// wholeWords returns where the last word of an unfinished line begins; one
// without letters and digits, as of a progress bar, may be shown at once.
func wholeWords(line []byte) int {
	word := bytes.LastIndexAny(line, " \t") + 1
	if bytes.ContainsFunc(line[word:], func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return word
	}
	return len(line)
}

// beforeKey returns where a private key begins in whole lines whose end has
// not come yet, else their end.
func beforeKey(lines []byte) int {
	begin := bytes.LastIndex(lines, []byte("-----BEGIN "))
	if begin < 0 {
		return len(lines)
	}
	label, body, _ := bytes.Cut(lines[begin:], []byte("\n"))
	if !bytes.Contains(label, []byte("PRIVATE KEY")) || bytes.Contains(lines[begin:], []byte("-----END ")) {
		return len(lines)
	}
	for line := range bytes.Lines(body) {
		if bytes.IndexByte(bytes.TrimSpace(line), ' ') >= 0 && !bytes.Contains(line, []byte(": ")) {
			return len(lines) // what follows is no key
		}
	}
	return bytes.LastIndexByte(lines[:begin], '\n') + 1
}

// afterGap drops the rest of the line that the gap begins in, or the words
// that it may have torn, and as much that the note about the gap fits in too.
func afterGap(text []byte, skipped int) (rest []byte, note string) {
	const room = 64 // bytes of the note
	drop := min(max(0, len(text)+room-maxLine), len(text))
	for drop < len(text) && !utf8.RuneStart(text[drop]) {
		drop++
	}
	drop = len(text) - len(excerpt.TrimStart(string(text[drop:])))
	return text[drop:], fmt.Sprintf("[%s not shown]\n", size(int64(skipped+drop)))
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
