package attach_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// Lines come as they were sent, however they are cut on the way; nothing that
// was sent makes a line longer than allowed.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte("one\ntwo\n"), 10, uint8(16))
	f.Add([]byte("\n\nlast"), 3, uint8(0))
	f.Add(bytes.Repeat([]byte("x"), 100), 50, uint8(1))
	f.Add([]byte("123456789012345\n1234567890123456\n"), 15, uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, limit int, how uint8) {
		limit = min(max(limit, 0), 1<<16)
		var r io.Reader = bytes.NewReader(data)
		switch how % 3 {
		case 1:
			r = iotest.OneByteReader(r)
		case 2:
			r = iotest.DataErrReader(r)
		}
		in := bufio.NewReaderSize(r, 16+int(how))
		rest := data
		for {
			want, tail, whole := bytes.Cut(rest, []byte("\n"))
			got, err := attach.ReadLine(in, limit)
			switch {
			case len(want) > limit:
				if !attach.TooLong(err) {
					t.Fatalf("%d bytes, limit %d: %v", len(want), limit, err)
				}
				return
			case !whole && len(want) > 0:
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("half a line: %q, %v", got, err)
				}
				return
			case !whole:
				if !errors.Is(err, io.EOF) {
					t.Fatalf("the end: %q, %v", got, err)
				}
				return
			case err != nil || !bytes.Equal(got, want):
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
			rest = tail
		}
	})
}
