package proc

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"unicode/utf8"
)

const (
	// headSize and tailSize are how much of an output stays in memory, in bytes.
	headSize = 8 << 10
	tailSize = 24 << 10
	// SpillLimit is the most bytes of one output that are written to a file.
	SpillLimit = 64 << 20
)

// Capture keeps an output: its beginning and end in memory, all of it in a
// file as soon as memory does not hold it, up to [SpillLimit] bytes. The text
// written to it should be valid UTF-8. It is safe for concurrent use.
type Capture struct {
	dir, pattern string
	limit        int64

	mu    sync.Mutex
	head  []byte
	tail  []byte // the last bytes after head, at most twice tailSize
	total int64
	chars int64
	file  *os.File
	// saved counts the bytes in the file.
	saved int64
	err   error // the file could not be made or written
}

// NewCapture returns a capture whose file, if one is needed, is made in dir
// with a name after pattern, as [os.CreateTemp] does it.
func NewCapture(dir, pattern string) *Capture {
	return &Capture{dir: dir, pattern: pattern, limit: SpillLimit}
}

// Write keeps p. It never fails: an output goes on without its file.
func (c *Capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total+int64(len(p)) > headSize+tailSize {
		c.open()
	}
	c.save(p)
	c.total += int64(len(p))
	c.chars += int64(utf8.RuneCount(p))
	n := len(p)
	if room := headSize - len(c.head); room > 0 {
		k := min(room, len(p))
		c.head = append(c.head, p[:k]...)
		p = p[k:]
	}
	c.keep(p)
	return n, nil
}

// keep appends p to the tail.
func (c *Capture) keep(p []byte) {
	if len(p) >= tailSize {
		c.tail = append(c.tail[:0], p[len(p)-tailSize:]...)
		return
	}
	if len(c.tail)+len(p) > 2*tailSize {
		c.tail = append(c.tail[:0], c.tail[len(c.tail)-tailSize:]...)
	}
	c.tail = append(c.tail, p...)
}

// open makes the file and writes what memory holds.
func (c *Capture) open() {
	if c.file != nil || c.err != nil {
		return
	}
	if c.err = os.MkdirAll(c.dir, 0o700); c.err != nil {
		return
	}
	// CreateTemp makes a new file that only its owner may read.
	if c.file, c.err = os.CreateTemp(c.dir, c.pattern); c.err != nil {
		return
	}
	c.save(c.head)
	c.save(c.tail)
}

// save appends p to the file, as far as the limit allows.
func (c *Capture) save(p []byte) {
	if c.file == nil || c.err != nil {
		return
	}
	n, err := c.file.Write(p[:min(int64(len(p)), c.limit-c.saved)])
	c.saved += int64(n)
	c.err = err
}

// Spill makes sure that there is a file and returns its path.
func (c *Capture) Spill() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open()
	if c.err != nil {
		return "", fmt.Errorf("keep an output in %s: %w", c.dir, c.err)
	}
	return c.file.Name(), nil
}

// Size returns the bytes and the characters of the output so far, and the bytes
// that the file has of them, if there is one.
func (c *Capture) Size() (total, chars, saved int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total, c.chars, c.saved
}

// whole returns all of the output when memory has it.
func (c *Capture) whole() ([]byte, bool) {
	if c.total > int64(len(c.head)+len(c.tail)) {
		return nil, false
	}
	return append(bytes.Clone(c.head), c.tail...), true
}

// First returns the first n characters of the output, or fewer when the file
// that should have them is missing.
func (c *Capture) First(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, ok := c.whole()
	if !ok {
		text = c.head
		if want := n * utf8.UTFMax; want > len(text) && c.saved > int64(len(text)) {
			text = c.stored(0, min(int64(want), c.saved), text)
		}
	}
	end := 0
	for i := 0; i < n && end < len(text); i++ {
		if !utf8.FullRune(text[end:]) {
			break // memory ends within a character
		}
		_, size := utf8.DecodeRune(text[end:])
		end += size
	}
	return string(text[:end])
}

// Last returns the last n characters of the output, or fewer when the file that
// should have them is missing or full.
func (c *Capture) Last(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, ok := c.whole()
	if !ok {
		text = c.tail
		want := min(int64(n)*utf8.UTFMax, c.total)
		if want > int64(len(text)) && c.saved == c.total {
			text = c.stored(c.total-want, want, text)
		}
		for len(text) > 0 && !utf8.RuneStart(text[0]) {
			text = text[1:] // it begins within a character
		}
	}
	start := len(text)
	for i := 0; i < n && start > 0; i++ {
		_, size := utf8.DecodeLastRune(text[:start])
		start -= size
	}
	return string(text[start:])
}

// stored reads size bytes of the file, or returns otherwise.
func (c *Capture) stored(at, size int64, otherwise []byte) []byte {
	buf := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(c.file, at, size), buf); err != nil {
		return otherwise
	}
	return buf
}

// Close closes the file, which stays where it is.
func (c *Capture) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	if err := c.file.Close(); err != nil {
		return fmt.Errorf("close the output file %s: %w", c.file.Name(), err)
	}
	return nil
}
