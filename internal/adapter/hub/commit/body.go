package commit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/content"
)

const (
	// rawPiece bytes are encoded at once; three of them become four characters,
	// so that pieces join without padding.
	rawPiece     = 48 << 10
	encodedPiece = rawPiece / 3 * 4
)

// body is a commit as it goes over the wire: lines of JSON, one of which may
// hold a file. Files are read, and encoded, while they are sent.
type body struct {
	segments []segment
	size     int64
}

// segment is text as it is, or the bytes of a file in base64.
type segment struct {
	text []byte
	file *content.Content
}

func (b *body) text(s []byte) {
	b.segments = append(b.segments, segment{text: s})
	b.size += int64(len(s))
}

// line adds a line of a key and a value.
func (b *body) line(key string, value any) error {
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

// file adds a line that holds a file.
func (b *body) file(path string, c *content.Content) error {
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

// open begins a reading of the body.
func (b *body) open(ctx context.Context) io.ReadCloser {
	return &bodyReader{ctx: ctx, left: b.segments}
}

// bodyReader reads a body once, with one file open at a time.
type bodyReader struct {
	ctx  context.Context
	left []segment
	file io.ReadCloser
	raw  []byte // for bytes of a file
	out  []byte // for their encoding
	rest []byte // what is to be given next
}

// Read gives the next bytes.
func (r *bodyReader) Read(p []byte) (int, error) {
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
func (r *bodyReader) fill() error {
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
func (r *bodyReader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}
