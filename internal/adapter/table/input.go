package table

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// readBuffer is how much of a text file is read at once, in bytes.
const readBuffer = 1 << 20

// input is an opened file: as it lies on disk, and as text.
type input struct {
	ctx  context.Context
	file *os.File
	size int64
	// longest is how many bytes a row of a text may have.
	longest int
	text    *bufio.Reader
	closes  []func()
	told    func(int64)
}

func open(ctx context.Context, path string, progress func(int64)) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	in := &input{ctx: ctx, file: f, longest: maxRow, told: progress, closes: []func(){func() { _ = f.Close() }}}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		in.close()
		return nil, err
	}
	in.size = info.Size()
	if err := in.decompress(path); err != nil {
		in.close()
		return nil, err
	}
	if mark, err := in.text.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = in.text.Discard(3) // a byte order mark is no text
	}
	return in, nil
}

func (in *input) decompress(path string) error {
	var r io.Reader = &counter{in: in}
	switch {
	case strings.HasSuffix(strings.ToLower(path), ".gz"):
		z, err := gzip.NewReader(bufio.NewReaderSize(r, readBuffer))
		if err != nil {
			return err
		}
		r = z
	case strings.HasSuffix(strings.ToLower(path), ".zst"):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return err
		}
		in.closes = append(in.closes, z.Close)
		r = z
	}
	in.text = bufio.NewReaderSize(r, readBuffer)
	return nil
}

func (in *input) close() {
	for i := len(in.closes) - 1; i >= 0; i-- {
		in.closes[i]()
	}
}

// counter reads the file, tells how far it has come, and stops with the context.
type counter struct {
	in   *input
	read int64
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.in.file.Read(p)
	c.read += int64(n)
	c.in.told(c.read)
	return n, err
}

// ReadAt reads the file itself, for formats that jump about in it.
func (in *input) ReadAt(p []byte, offset int64) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	return in.file.ReadAt(p, offset)
}
