package line

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/muesli/cancelreader"
	"golang.org/x/term"
)

// lineLimit is the most bytes of a line that is read.
const lineLimit = 1 << 20

var (
	// errInterrupted is Ctrl-C while nothing that is typed is shown.
	errInterrupted = errors.New("interrupted")
	errTooLong     = fmt.Errorf("the line is longer than %d bytes: put the text into a file and mention it with @", lineLimit)
)

// read is a line, or why there is none.
type read struct {
	text string
	err  error
}

// input reads lines in a goroutine of its own, each when it is wanted: in
// between the terminal belongs to others, such as an editor.
type input struct {
	from io.Reader
	fd   int
	tty  bool

	source cancelreader.CancelReader
	buf    *bufio.Reader

	wants  chan bool     // whether what is typed must not be shown
	hidden chan struct{} // told when it is not shown any more
	lines  chan read     // has room for one
	done   chan struct{}
}

// newInput begins to wait for wants.
func newInput(from io.Reader) *input {
	in := &input{from: from, wants: make(chan bool, 1), hidden: make(chan struct{}, 1), lines: make(chan read, 1), done: make(chan struct{})}
	if f, ok := from.(*os.File); ok {
		in.fd = int(f.Fd())
		in.tty = term.IsTerminal(in.fd)
	}
	in.open()
	go in.run()
	return in
}

// open makes a source whose reads can be cancelled. Where that is not possible
// (a regular file, whose reads do not wait) it is the reader itself.
func (in *input) open() {
	source, err := cancelreader.NewReader(in.from)
	if err != nil {
		source, _ = cancelreader.NewReader(struct{ io.Reader }{in.from}) // anything but a file always works
	}
	in.source, in.buf = source, bufio.NewReader(source)
}

func (in *input) run() {
	defer close(in.done)
	for secret := range in.wants {
		var r read
		if secret && in.tty {
			r.text, r.err = in.secret()
		} else {
			r.text, r.err = in.line()
		}
		in.lines <- r
	}
}

// want asks for the next line. A secret one may be asked for when it returns.
func (in *input) want(secret bool) {
	in.wants <- secret
	if secret && in.tty {
		<-in.hidden
	}
}

// close ends the goroutine. A read from something that cannot be cancelled and
// that still waits is left behind.
func (in *input) close() {
	close(in.wants)
	if in.source.Cancel() {
		<-in.done
	}
	_ = in.source.Close() // nothing is read any more
}

// line reads up to the end of a line. The last one needs none.
func (in *input) line() (string, error) {
	var b []byte
	for {
		part, err := in.buf.ReadSlice('\n')
		if len(b)+len(part) > lineLimit {
			return "", errors.Join(errTooLong, in.skip(err))
		}
		b = append(b, part...)
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(b) > 0:
			return text(bytes.TrimRight(b, "\r\n")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}

// skip reads the rest of a line that is too long.
func (in *input) skip(err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.buf.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) {
		return nil // the next read tells
	}
	return err
}

func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// Keys of a terminal that hands them over one by one.
const (
	ctrlC     = 0x03
	ctrlD     = 0x04
	backspace = 0x08
	ctrlU     = 0x15
	del       = 0x7f
)

// secret reads a line that is not shown.
func (in *input) secret() (line string, err error) {
	before, err := term.MakeRaw(in.fd)
	in.hidden <- struct{}{}
	if err != nil {
		return "", fmt.Errorf("hide what is typed: %w", err)
	}
	defer func() { err = errors.Join(err, term.Restore(in.fd, before)) }()
	var typed []byte
	for {
		c, err := in.buf.ReadByte()
		switch {
		case err != nil:
			return "", err
		case c == '\r' || c == '\n':
			return text(typed), nil
		case c == ctrlC:
			return "", errInterrupted
		case c == ctrlD && len(typed) == 0:
			return "", io.EOF
		case c == backspace || c == del:
			_, size := utf8.DecodeLastRune(typed)
			typed = typed[:len(typed)-size]
		case c == ctrlU:
			typed = typed[:0]
		case c >= ' ' && len(typed) < lineLimit:
			typed = append(typed, c)
		}
	}
}
