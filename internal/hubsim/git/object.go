// Package git keeps real git objects: blobs, trees and commits whose names are
// the ones git computes, refs with their log, LFS pointers, attribute and
// ignore patterns, differences and merges. Given a directory it writes loose
// objects that git itself reads. It knows neither repositories of the Hub, nor
// who may see them, nor HTTP.
package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Kind is the type of an object.
type Kind string

// Kinds of objects.
const (
	BlobKind   Kind = "blob"
	TreeKind   Kind = "tree"
	CommitKind Kind = "commit"
)

// ErrMissing says that an object, an entry or a revision does not exist.
var ErrMissing = errors.New("not in the repository")

// Sum is the name git gives an object.
func Sum(kind Kind, body []byte) string {
	h := sha1.New()
	h.Write(header(kind, len(body)))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

func header(kind Kind, size int) []byte {
	return append(strconv.AppendInt([]byte(string(kind)+" "), int64(size), 10), 0)
}

type object struct {
	kind Kind
	body []byte
}

// Objects is the object database of one repository. It is safe for concurrent
// use; what it gives out must not be changed.
type Objects struct {
	dir string

	mu       sync.Mutex
	mem      map[string]object // all objects; with a directory trees and commits only
	sizes    map[string]int64  // of blobs that were looked at
	trees    map[string][]Entry
	commits  map[string]*Commit
	pointers map[string]*Pointer // of blobs, nil for other content
}

// New returns a database below dir, in memory when dir is empty. What the
// directory holds already is found.
func New(dir string) *Objects {
	return &Objects{
		dir: dir, mem: map[string]object{}, sizes: map[string]int64{},
		trees: map[string][]Entry{}, commits: map[string]*Commit{}, pointers: map[string]*Pointer{},
	}
}

// Put stores an object and returns its name. It keeps body.
func (o *Objects) Put(kind Kind, body []byte) (string, error) {
	oid := Sum(kind, body)
	o.mu.Lock()
	_, known := o.mem[oid]
	if !known && (o.dir == "" || kind != BlobKind) {
		o.mem[oid] = object{kind, body}
	}
	if kind == BlobKind {
		o.sizes[oid] = int64(len(body))
	}
	o.mu.Unlock()
	if known || o.dir == "" {
		return oid, nil
	}
	return oid, o.write(oid, kind, body)
}

// PutBlob stores the content of a file. It keeps body.
func (o *Objects) PutBlob(body []byte) (string, error) { return o.Put(BlobKind, body) }

func (o *Objects) file(oid string) string { return filepath.Join(o.dir, oid[:2], oid[2:]) }

// small is the size in bytes of objects whose compression is not worth much:
// most trees and commits.
const small = 4096

// write stores a loose object as git does: compressed, complete or not at all.
func (o *Objects) write(oid string, kind Kind, body []byte) error {
	name := o.file(oid)
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("store object %s: %w", oid, err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "tmp_obj_")
	if err != nil {
		return fmt.Errorf("store object %s: %w", oid, err)
	}
	defer os.Remove(f.Name())
	level := zlib.BestSpeed
	if len(body) < small {
		level = zlib.HuffmanOnly // the tables of the others are a megabyte
	}
	z, err := zlib.NewWriterLevel(f, level)
	if err == nil {
		_, err = z.Write(append(header(kind, len(body)), body...))
	}
	if err == nil {
		err = z.Close()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("store object %s: %w", oid, err)
	}
	return nil
}

// open reads the header of a loose object; the rest is the body.
func (o *Objects) open(oid string) (kind Kind, size int64, body io.Reader, done func(), err error) {
	if o.dir == "" || !FullName(oid) {
		return "", 0, nil, nil, fmt.Errorf("object %s: %w", oid, ErrMissing)
	}
	f, err := os.Open(o.file(oid))
	if errors.Is(err, os.ErrNotExist) {
		return "", 0, nil, nil, fmt.Errorf("object %s: %w", oid, ErrMissing)
	} else if err != nil {
		return "", 0, nil, nil, fmt.Errorf("read object %s: %w", oid, err)
	}
	fail := func(err error) (Kind, int64, io.Reader, func(), error) {
		_ = f.Close()
		return "", 0, nil, nil, fmt.Errorf("read object %s: %w", oid, err)
	}
	z, err := zlib.NewReader(f)
	if err != nil {
		return fail(err)
	}
	var head [40]byte
	n := 0
	for ; ; n++ {
		if n == len(head) {
			return fail(errors.New("its header does not end"))
		}
		if _, err := io.ReadFull(z, head[n:n+1]); err != nil {
			return fail(err)
		}
		if head[n] == 0 {
			break
		}
	}
	word, number, _ := bytes.Cut(head[:n], []byte(" "))
	size, err = strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return fail(err)
	}
	return Kind(word), size, z, func() { _ = f.Close() }, nil
}

// Read returns an object.
func (o *Objects) Read(oid string) (Kind, []byte, error) {
	o.mu.Lock()
	obj, ok := o.mem[oid]
	o.mu.Unlock()
	if ok {
		return obj.kind, obj.body, nil
	}
	kind, size, r, done, err := o.open(oid)
	if err != nil {
		return "", nil, err
	}
	defer done()
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", nil, fmt.Errorf("read object %s: %w", oid, err)
	}
	if kind != BlobKind {
		o.mu.Lock()
		o.mem[oid] = object{kind, body}
		o.mu.Unlock()
	}
	return kind, body, nil
}

// read returns an object of one kind.
func (o *Objects) read(kind Kind, oid string) ([]byte, error) {
	got, body, err := o.Read(oid)
	if err != nil {
		return nil, err
	}
	if got != kind {
		return nil, fmt.Errorf("object %s is a %s, no %s: %w", oid, got, kind, ErrMissing)
	}
	return body, nil
}

// Blob returns the content git keeps for a file: for LFS files the pointer.
func (o *Objects) Blob(oid string) ([]byte, error) { return o.read(BlobKind, oid) }

// Size is the length of a blob.
func (o *Objects) Size(oid string) (int64, error) {
	o.mu.Lock()
	size, ok := o.sizes[oid]
	o.mu.Unlock()
	if ok {
		return size, nil
	}
	_, size, _, done, err := o.open(oid)
	if err != nil {
		return 0, err
	}
	done()
	o.mu.Lock()
	o.sizes[oid] = size
	o.mu.Unlock()
	return size, nil
}

// FullName reports whether s is written like the full name of an object.
func FullName(s string) bool { return len(s) == 40 && Hex(s) }

// Hex reports whether s consists of lower-case hexadecimal digits.
func Hex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
