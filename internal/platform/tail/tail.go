// Package tail reads what is appended to a file, line by line, as tail -F does:
// through truncation, rotation and a file that is not there yet. It is asked to
// look; it knows no clock.
package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// LineLimit bounds a line, in bytes; the rest of a longer one is left out.
const LineLimit = 16 << 10

const (
	// chunk is how much is read at once, in bytes.
	chunk = 64 << 10
	// mark is how much of what was read last is compared before more is read:
	// another text there means another file.
	mark = 64
)

// Reader reads what is new in something that grows.
type Reader struct {
	open   func(ctx context.Context, offset int64) (io.ReadCloser, int64, error)
	offset int64  // behind what was read
	seen   []byte // the last bytes before it
	line   []byte // the beginning of a line whose end has not come
	cut    bool   // its rest is left out
	torn   bool   // its beginning was left out: it is not handed on
}

// New returns a reader. open opens what is read at an offset, which may lie
// behind its end, and tells its size.
func New(open func(ctx context.Context, offset int64) (io.ReadCloser, int64, error)) *Reader {
	return &Reader{open: open}
}

// Poll hands on the whole lines that are new, each with the offset behind it,
// and reports whether it has begun anew because something else is there now. A
// line without its end waits for it. A file that is not there is [fs.ErrNotExist].
func (r *Reader) Poll(ctx context.Context, take func(line string, end int64)) (again bool, err error) {
	for try := 0; ; try++ {
		same, err := r.read(ctx, take)
		if err != nil || same || try == 2 {
			return again, err
		}
		again = true
		r.Reset()
	}
}

// Reset begins at the beginning.
func (r *Reader) Reset() { r.offset, r.seen, r.line, r.cut, r.torn = 0, nil, nil, false, false }

// Skip goes on behind offset at instead of at the beginning; what may be the rest
// of a line there is left out.
func (r *Reader) Skip(at int64) {
	r.Reset()
	r.offset, r.torn = at, at > 0
}

// Offset is how far it has read, an unfinished line included.
func (r *Reader) Offset() int64 { return r.offset }

// Rest hands on the unfinished line, if there is one: no more comes.
func (r *Reader) Rest(take func(line string, end int64)) {
	if len(r.line) > 0 && !r.torn {
		take(string(r.line), r.offset)
	}
	r.line, r.cut, r.torn = nil, false, false
}

// read reads to the end; same is false when what was read before is not there
// any more.
func (r *Reader) read(ctx context.Context, take func(string, int64)) (same bool, err error) {
	from := r.offset - int64(len(r.seen))
	in, size, err := r.open(ctx, from)
	if err != nil {
		return true, err
	}
	defer in.Close()
	if size < r.offset {
		return false, nil
	}
	if size == r.offset {
		return true, nil
	}
	before := make([]byte, len(r.seen))
	if _, err := io.ReadFull(in, before); err != nil || !bytes.Equal(before, r.seen) {
		return false, ctx.Err()
	}
	buffer := make([]byte, chunk)
	for ctx.Err() == nil {
		n, err := in.Read(buffer)
		r.add(buffer[:n], take)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, fmt.Errorf("read on: %w", err)
		}
	}
	return true, ctx.Err()
}

// add takes the next bytes.
func (r *Reader) add(p []byte, take func(string, int64)) {
	if r.seen = append(r.seen, p[max(0, len(p)-mark):]...); len(r.seen) > mark {
		r.seen = append(r.seen[:0], r.seen[len(r.seen)-mark:]...)
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		if room := LineLimit - len(r.line); !r.cut {
			r.line = append(r.line, part[:min(room, len(part))]...)
			r.cut = len(part) > room
		}
		if i < 0 {
			r.offset += int64(len(p))
			return
		}
		r.offset += int64(i + 1)
		p = p[i+1:]
		if !r.torn {
			take(string(bytes.TrimSuffix(r.line, []byte("\r"))), r.offset)
		}
		r.line, r.cut, r.torn = r.line[:0], false, false
	}
}

// File is a file of this machine that is read on. A file that is put in its
// place is read from its beginning, when the old one has been read to its end.
type File struct {
	path   string
	file   *os.File
	reader *Reader
}

// Open returns a file to read on; it need not be there.
func Open(path string) *File {
	f := &File{path: path}
	f.reader = New(func(_ context.Context, offset int64) (io.ReadCloser, int64, error) {
		info, err := f.file.Stat()
		if err != nil {
			return nil, 0, err
		}
		return io.NopCloser(io.NewSectionReader(f.file, offset, 1<<62)), info.Size(), nil
	})
	return f
}

// Poll hands on the lines that are new and reports whether it has begun anew. A
// file that is not there, or not yet, has no lines.
func (f *File) Poll(ctx context.Context, take func(line string, end int64)) (again bool, err error) {
	if f.file != nil {
		if again, err = f.reader.Poll(ctx, take); err != nil {
			return again, fmt.Errorf("read %s: %w", f.path, err)
		}
	}
	now, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return again, nil
	}
	if err != nil {
		return again, err
	}
	if !now.Mode().IsRegular() {
		return again, fmt.Errorf("read %s: it is no regular file", f.path)
	}
	if f.file != nil {
		if old, err := f.file.Stat(); err == nil && os.SameFile(old, now) {
			return again, nil
		}
		f.reader.Rest(take)
		again = true
		_ = f.file.Close()
	}
	f.reader.Reset()
	if f.file, err = os.Open(f.path); err != nil {
		f.file = nil
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return again, err
	}
	_, err = f.reader.Poll(ctx, take)
	return again, err
}

// Close closes the file.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
