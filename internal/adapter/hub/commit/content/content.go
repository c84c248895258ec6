// Package content is the bytes of one file on their way to a repository: where
// they lie, what their hashes are, and that they are still the same when they
// are sent. It knows nothing of the Hub and makes no request.
//
// A file is read twice: once to learn its hashes, once to be sent. What is
// sent whole is hashed again on the way, and its last piece is held back until
// the hash is known to be the same, so that a file that changed in between
// never arrives complete.
package content

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync/atomic"
	"time"
)

const (
	// SampleSize is how much of a file's beginning [Content.Sample] holds, in
	// bytes.
	SampleSize = 512
	// bothHashes is the size up to which the git hash is computed in the same
	// pass as the SHA-256: larger files are stored by SHA-256 and their git
	// hash is seldom asked for.
	bothHashes = 16 << 20
	// readSize is how much is read at once.
	readSize = 256 << 10
)

// ErrChanged is in the chain of an error for a file that is not the one whose
// hashes were taken.
var ErrChanged = errors.New("the file changed after it was hashed")

// Content is the bytes of one file. It is safe for concurrent use.
type Content struct {
	name    string
	data    []byte
	open    func() (*os.File, error) // nil: data holds the bytes
	stamp   stamp
	changed atomic.Bool

	size   int64
	sha256 string
	git    atomic.Pointer[string]
	sample []byte
}

// stamp is what tells one state of a file from the next without reading it.
type stamp struct {
	size     int64
	modified time.Time
}

// Bytes makes content of data, which must not change afterwards. The name is
// for errors.
func Bytes(name string, data []byte) *Content {
	sum := sha256.Sum256(data)
	c := &Content{
		name: name, data: data, size: int64(len(data)), sha256: hex.EncodeToString(sum[:]),
		sample: data[:min(len(data), SampleSize)],
	}
	git := gitHash(c.size)
	git.Write(data)
	c.keep(git)
	return c
}

// File reads a regular file once to learn its hashes. The name is for errors;
// open is called again whenever the bytes are wanted.
func File(ctx context.Context, name string, open func() (*os.File, error)) (*Content, error) {
	c := &Content{name: name, open: open}
	f, err := c.file()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c.size = c.stamp.size
	sum := sha256.New()
	into := io.Writer(sum)
	var git hash.Hash
	if c.size <= bothHashes {
		git = gitHash(c.size)
		into = io.MultiWriter(sum, git)
	}
	n, err := io.CopyBuffer(plain{io.MultiWriter(into, &head{c})}, &patient{ctx, f}, make([]byte, min(readSize, c.size+1)))
	if err != nil {
		return nil, fmt.Errorf("hash %s: %w", name, err)
	}
	if n != c.size {
		return nil, c.fail()
	}
	c.sha256 = hex.EncodeToString(sum.Sum(nil))
	if git != nil {
		c.keep(git)
	}
	return c, nil
}

// head keeps the beginning of what is written.
type head struct{ c *Content }

func (h *head) Write(p []byte) (int, error) {
	if room := SampleSize - len(h.c.sample); room > 0 {
		h.c.sample = append(h.c.sample, p[:min(len(p), room)]...)
	}
	return len(p), nil
}

// plain hides every method but Write, so that a copy goes through its buffer.
type plain struct{ io.Writer }

// patient ends a long read when its context ends.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

func gitHash(size int64) hash.Hash {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}

func (c *Content) keep(git hash.Hash) {
	text := hex.EncodeToString(git.Sum(nil))
	c.git.Store(&text)
}

// Size is the number of bytes.
func (c *Content) Size() int64 { return c.size }

// SHA256 is the hash of the bytes, in hex.
func (c *Content) SHA256() string { return c.sha256 }

// Sample is the beginning of the bytes, at most [SampleSize] of them.
func (c *Content) Sample() []byte { return c.sample }

// Changed reports whether the file was found to be another than the one that
// was hashed.
func (c *Content) Changed() bool { return c.changed.Load() }

// Git is the hash git has for the bytes as a blob, in hex. A large file is read
// for it, the first time.
func (c *Content) Git(ctx context.Context) (string, error) {
	if known := c.git.Load(); known != nil {
		return *known, nil
	}
	r, err := c.Open(ctx)
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := gitHash(c.size)
	if _, err := io.CopyBuffer(plain{h}, r, make([]byte, readSize)); err != nil {
		return "", fmt.Errorf("hash %s: %w", c.name, err)
	}
	c.keep(h)
	return *c.git.Load(), nil
}

// Open gives the bytes from the beginning. Where they are no longer those that
// were hashed, the reader ends with [ErrChanged] before the last piece.
func (c *Content) Open(ctx context.Context) (io.ReadCloser, error) {
	if c.open == nil {
		return io.NopCloser(bytes.NewReader(c.data)), nil
	}
	f, err := c.same()
	if err != nil {
		return nil, err
	}
	return &checked{ctx: ctx, c: c, f: f, left: c.size, sum: sha256.New()}, nil
}

// Part gives n bytes from an offset. A file whose size or time of change is
// another than before is refused, before the first and after the last byte; what
// it holds is for the receiver to judge, who has the hash of the whole.
func (c *Content) Part(ctx context.Context, offset, n int64) (io.ReadCloser, error) {
	if offset < 0 || n < 0 || offset+n > c.size {
		return nil, fmt.Errorf("read %s: bytes %d to %d of %d do not exist", c.name, offset, offset+n, c.size)
	}
	if c.open == nil {
		return io.NopCloser(bytes.NewReader(c.data[offset : offset+n])), nil
	}
	f, err := c.same()
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", c.name, err)
	}
	return &checked{ctx: ctx, c: c, f: f, left: n}, nil
}

// file opens the file and notes its state.
func (c *Content) file() (*os.File, error) {
	f, err := c.open()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.name, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("read %s: %w", c.name, err)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("read %s: it is not a regular file", c.name)
	default:
		c.stamp = stamp{info.Size(), info.ModTime()}
		return f, nil
	}
	f.Close()
	return nil, err
}

// same opens the file once more, if it is still the one that was hashed.
func (c *Content) same() (*os.File, error) {
	if c.Changed() {
		return nil, c.fail()
	}
	f, err := c.open()
	if errors.Is(err, os.ErrNotExist) {
		return nil, c.fail()
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.name, err)
	}
	if !c.untouched(f) {
		f.Close()
		return nil, c.fail()
	}
	return f, nil
}

func (c *Content) untouched(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular() && c.stamp == stamp{info.Size(), info.ModTime()}
}

// fail notes and tells that the file is another.
func (c *Content) fail() error {
	c.changed.Store(true)
	return fmt.Errorf("read %s: %w", c.name, ErrChanged)
}

// checked reads a piece of a file and refuses its end when the file changed.
type checked struct {
	ctx  context.Context
	c    *Content
	f    *os.File
	left int64
	sum  hash.Hash // nil where the piece is not the whole file
}

// Read gives the next bytes; the last ones only after the check.
func (r *checked) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := io.ReadFull(r.f, p[:min(int64(len(p)), r.left)])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, r.c.fail()
	}
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", r.c.name, err)
	}
	if r.sum != nil {
		r.sum.Write(p[:n])
	}
	if r.left -= int64(n); r.left > 0 {
		return n, nil
	}
	if !r.c.untouched(r.f) || r.sum != nil && hex.EncodeToString(r.sum.Sum(nil)) != r.c.sha256 {
		return 0, r.c.fail()
	}
	return n, nil
}

// Close closes the file.
func (r *checked) Close() error { return r.f.Close() }
