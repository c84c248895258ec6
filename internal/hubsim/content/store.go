// Package content keeps the bytes of large files under their sha256, takes them
// in parts or whole, and hands out signed addresses for them: it is the LFS
// store and the content host. It knows no repositories and no accounts: who
// holds a signed address may use it.
package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Options of a store.
type Options struct {
	Clock *clock.Clock
	// Base is the origin of the content host, such as http://localhost:7871.
	Base func() string
	// Dir keeps the contents; empty is memory, and a temporary directory for
	// what does not fit.
	Dir string
	// Memory is how many bytes may lie in memory; default 64 MiB.
	Memory int64
	// Threshold is the size in bytes above which files go up in parts of
	// PartSize; defaults 2 MiB and 1 MiB.
	Threshold, PartSize int64
	// TTL is how long signed addresses live; default an hour.
	TTL time.Duration
}

const (
	mib = 1 << 20
	// maxPart keeps the parts that are held in memory while they arrive small.
	maxPart = 16 * mib
	// maxParts is how many parts a content has, as on S3; each has its address.
	maxParts = 10_000
	// maxSmall is the size of contents that may lie in memory.
	maxSmall = mib
)

// ErrMissing says that a content is not stored.
var ErrMissing = errors.New("content is not stored")

// Store keeps contents. It is safe for concurrent use.
type Store struct {
	o   Options
	key []byte // signs addresses

	mu      sync.Mutex
	temp    string            // temporary directory, once needed
	small   map[string][]byte // in memory
	used    int64             // bytes in small
	sizes   map[string]int64
	uploads map[string]*upload // by id
	open    map[string]string  // sha256 and size to id
}

// New returns a store.
func New(o Options) (*Store, error) {
	if o.Clock == nil {
		return nil, errors.New("content: Clock is missing")
	}
	if o.Base == nil {
		return nil, errors.New("content: Base is missing")
	}
	if o.Memory == 0 {
		o.Memory = 64 * mib
	}
	if o.Threshold == 0 {
		o.Threshold = 2 * mib
	}
	if o.PartSize == 0 {
		o.PartSize = mib
	}
	if o.TTL == 0 {
		o.TTL = time.Hour
	}
	if o.PartSize < 0 || o.PartSize > maxPart || o.Threshold < 0 || o.Memory < 0 || o.TTL < 0 {
		return nil, fmt.Errorf("content: Threshold, Memory and TTL must not be negative, PartSize must be from 1 byte to %d", maxPart)
	}
	s := &Store{
		o: o, key: make([]byte, 32), small: map[string][]byte{}, sizes: map[string]int64{},
		uploads: map[string]*upload{}, open: map[string]string{},
	}
	o.Clock.Random(s.key)
	if o.Dir != "" {
		if err := os.RemoveAll(filepath.Join(o.Dir, "incoming")); err != nil {
			return nil, fmt.Errorf("content: clear unfinished uploads: %w", err)
		}
	}
	return s, nil
}

// Close ends unfinished uploads and removes temporary files.
func (s *Store) Close() error {
	s.mu.Lock()
	uploads, temp := s.uploads, s.temp
	s.uploads, s.open, s.temp = map[string]*upload{}, map[string]string{}, ""
	s.mu.Unlock()
	for _, u := range uploads {
		u.abandon()
	}
	if temp != "" {
		return os.RemoveAll(temp)
	}
	return nil
}

// dir is where files lie.
func (s *Store) dir() (string, error) {
	if s.o.Dir != "" {
		return s.o.Dir, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.temp == "" {
		temp, err := os.MkdirTemp("", "hubsim-content-")
		if err != nil {
			return "", err
		}
		s.temp = temp
	}
	return s.temp, nil
}

// incoming opens a file for bytes that arrive.
func (s *Store) incoming() (*os.File, error) {
	dir, err := s.dir()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "incoming")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return os.CreateTemp(dir, "*")
}

// adopt moves a complete file into its place.
func (s *Store) adopt(name, sha string, size int64) error {
	dir, err := s.dir()
	if err != nil {
		return err
	}
	place := filepath.Join(dir, sha[:2], sha)
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	if err := os.Rename(name, place); err != nil {
		return err
	}
	s.mu.Lock()
	s.sizes[sha] = size
	s.mu.Unlock()
	return nil
}

// Size returns the length of a content; ok is false when it is not stored.
func (s *Store) Size(sha string) (size int64, ok bool) {
	if !IsSum(sha) {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size, ok = s.sizes[sha]
	if ok || s.o.Dir == "" {
		return size, ok
	}
	info, err := os.Stat(filepath.Join(s.o.Dir, sha[:2], sha))
	if err != nil {
		return 0, false
	}
	s.sizes[sha] = info.Size()
	return info.Size(), true
}

// Has reports whether a content is stored.
func (s *Store) Has(sha string) bool {
	_, ok := s.Size(sha)
	return ok
}

// InMemory are bytes that can be closed.
func InMemory(body []byte) io.ReadSeekCloser { return closer{bytes.NewReader(body)} }

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

// Open reads a content.
func (s *Store) Open(sha string) (io.ReadSeekCloser, int64, error) {
	size, ok := s.Size(sha)
	if !ok {
		return nil, 0, fmt.Errorf("%s: %w", sha, ErrMissing)
	}
	s.mu.Lock()
	body, small := s.small[sha]
	s.mu.Unlock()
	if small {
		return InMemory(body), size, nil
	}
	dir, err := s.dir()
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(filepath.Join(dir, sha[:2], sha))
	if err != nil {
		return nil, 0, err
	}
	return f, size, nil
}

// Delete forgets a content. Who reads it now may finish.
func (s *Store) Delete(sha string) error {
	if !s.Has(sha) {
		return nil
	}
	s.mu.Lock()
	body, small := s.small[sha]
	s.used -= int64(len(body))
	delete(s.small, sha)
	delete(s.sizes, sha)
	s.mu.Unlock()
	if small {
		return nil
	}
	dir, err := s.dir()
	if err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, sha[:2], sha))
}

// Put stores what r gives and returns its sha256 and length.
func (s *Store) Put(r io.Reader) (sha string, size int64, err error) {
	w := s.writer(-1)
	defer w.abandon()
	if _, err := io.Copy(w, r); err != nil {
		return "", 0, err
	}
	return w.finish()
}

// writer takes bytes: into memory while they are few and there is room, into a
// file from there on, hashing as they come.
type writer struct {
	store *Store
	small bytes.Buffer
	file  *os.File
	hash  hash.Hash
	size  int64
}

// writer starts one; expect is the length when it is known, else negative.
func (s *Store) writer(expect int64) *writer {
	w := &writer{store: s, hash: sha256.New()}
	if expect > 0 && expect <= maxSmall {
		w.small.Grow(int(expect))
	}
	return w
}

func (w *writer) Write(p []byte) (int, error) {
	w.hash.Write(p)
	w.size += int64(len(p))
	if w.file == nil {
		if w.store.o.Dir == "" && w.size <= maxSmall {
			return w.small.Write(p)
		}
		if err := w.spill(); err != nil {
			return 0, err
		}
	}
	return w.file.Write(p)
}

// spill moves what is in memory to a file.
func (w *writer) spill() error {
	f, err := w.store.incoming()
	if err != nil {
		return err
	}
	w.file = f
	_, err = f.Write(w.small.Bytes())
	w.small = bytes.Buffer{}
	return err
}

func (w *writer) sum() string { return hex.EncodeToString(w.hash.Sum(nil)) }

// finish stores what was written.
func (w *writer) finish() (sha string, size int64, err error) {
	sha = w.sum()
	if w.file == nil {
		if w.store.keep(sha, w.small.Bytes()) {
			return sha, w.size, nil
		}
		if err := w.spill(); err != nil {
			return "", 0, err
		}
	}
	name := w.file.Name()
	if err := w.file.Close(); err != nil {
		return "", 0, err
	}
	if err := w.store.adopt(name, sha, w.size); err != nil {
		return "", 0, err
	}
	w.file = nil
	return sha, w.size, nil
}

// abandon removes what finish has not stored.
func (w *writer) abandon() {
	if w.file != nil {
		_ = w.file.Close()
		_ = os.Remove(w.file.Name())
	}
}

// keep holds a small content in memory, if there is room.
func (s *Store) keep(sha string, body []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.Dir != "" {
		return false
	}
	if _, ok := s.sizes[sha]; ok {
		return true
	}
	if s.used+int64(len(body)) > s.o.Memory {
		return false
	}
	s.used += int64(len(body))
	s.small[sha] = body
	s.sizes[sha] = int64(len(body))
	return true
}

// IsSum reports whether s is written like a sha256.
func IsSum(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
