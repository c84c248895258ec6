// Package foreign is what reading the session files of other programs needs:
// their lines, within bounds, and a conversation that is put together from them
// so that any provider takes it. It knows no program's form.
package foreign

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Bounds of a file. Those of other programs are a few megabytes long; a line
// with an image has some of them.
const (
	mostBytes = 512 << 20
	mostLine  = 32 << 20
)

// ErrTooLarge says that a file or its conversation is beyond all bounds.
var ErrTooLarge = errors.New("it is too large")

// Lines yields the JSON objects of r, one a line, and counts the lines that are
// none, or too long, in bad. Empty lines do not count. A line is only good
// until the next. The error, at the end, is one of reading.
func Lines(r io.Reader, bad *int) iter.Seq2[[]byte, error] { return lines(r, mostBytes, bad) }

func lines(r io.Reader, most int64, bad *int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		limited := &io.LimitedReader{R: r, N: most + 1}
		in := bufio.NewReaderSize(limited, 64<<10)
		var line []byte
		for {
			var err error
			var long bool
			line, long, err = readLine(in, line[:0])
			if limited.N <= 0 {
				yield(nil, fmt.Errorf("%w: more than %d MB", ErrTooLarge, most>>20))
				return
			}
			if err != nil && !errors.Is(err, io.EOF) {
				yield(nil, err)
				return
			}
			text := bytes.TrimSpace(line)
			switch {
			case len(text) == 0 && !long:
			case long || text[0] != '{' || !json.Valid(text):
				*bad++
			case !yield(text, nil):
				return
			}
			if err != nil {
				return
			}
		}
	}
}

// readLine appends the next line to dst; of one that is too long nothing is
// kept.
func readLine(in *bufio.Reader, dst []byte) (line []byte, long bool, err error) {
	for {
		piece, err := in.ReadSlice('\n')
		if len(dst)+len(piece) > mostLine {
			dst, long = dst[:0], true
		}
		if !long {
			dst = append(dst, piece...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return dst, long, err
		}
	}
}
