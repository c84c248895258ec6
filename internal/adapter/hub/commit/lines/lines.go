// Package lines is the body of a commit as it goes over the wire: lines of JSON,
// one of which may hold a file. Files are read, and encoded, while they are
// sent, so that a body takes no more memory than a piece of one. The package
// does not know what the lines mean.
package lines

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
)

const (
	// rawPiece bytes are encoded at once; three of them become four characters,
	// so that pieces join without padding.
	rawPiece     = 48 << 10
	encodedPiece = rawPiece / 3 * 4
)

// File is where the bytes of a file come from.
type File interface {
	Size() int64
	Open(ctx context.Context) (io.ReadCloser, error)
}

// Body is a list of lines.
type Body struct {
	segments []segment
	size     int64
}

// Size is the body's length in bytes.
func (b *Body) Size() int64 { return b.size }

// segment is text as it is, or the bytes of a file in base64.
type segment struct {
	text []byte
	file File
}

func (b *Body) text(s []byte) {
	b.segments = append(b.segments, segment{text: s})
	b.size += int64(len(s))
}

// Add adds a line of a key and a value.
func (b *Body) Add(key string, value any) error {
	data, err := json.Marshal(struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}{key, value})
	if err != nil {
		return err
	}
	b.text(append(data, '\n'))
	return nil
}

// AddFile adds a line that holds a file.
func (b *Body) AddFile(path string, c File) error {
	name, err := json.Marshal(path)
	if err != nil {
		return err
	}
	b.text([]byte(`{"key":"file","value":{"path":` + string(name) + `,"encoding":"base64","content":"`))
	b.segments = append(b.segments, segment{file: c})
	b.size += (c.Size() + 2) / 3 * 4
	b.text([]byte("\"}}\n"))
	return nil
}

// Open begins a reading of the body.
func (b *Body) Open(ctx context.Context) io.ReadCloser {
	return &reader{ctx: ctx, left: b.segments}
}

// reader reads a body once, with one file open at a time.
type reader struct {
	ctx  context.Context
	left []segment
	file io.ReadCloser
	raw  []byte // for bytes of a file
	out  []byte // for their encoding
	rest []byte // what is to be given next
}

// Read gives the next bytes.
func (r *reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if len(r.left) == 0 {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// fill makes the next bytes ready, or moves on to the next segment.
func (r *reader) fill() error {
	s := r.left[0]
	if s.file == nil {
		r.rest, r.left = s.text, r.left[1:]
		return nil
	}
	if r.file == nil {
		f, err := s.file.Open(r.ctx)
		if err != nil {
			return err
		}
		r.file = f
	}
	if r.raw == nil {
		r.raw, r.out = make([]byte, rawPiece), make([]byte, encodedPiece)
	}
	n, err := io.ReadFull(r.file, r.raw)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.left = r.left[1:]
		err = r.Close()
	}
	if err != nil {
		return err
	}
	base64.StdEncoding.Encode(r.out, r.raw[:n])
	r.rest = r.out[:base64.StdEncoding.EncodedLen(n)]
	return nil
}

// Close closes the file that is open.
func (r *reader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}
