package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// File is a file of a bucket.
type File struct {
	Size        int64     `json:"size"`
	Hash        string    `json:"hash"` // sha256 of the content
	MTime       time.Time `json:"mtime"`
	MTimeNanos  *int64    `json:"mtimeNanos,omitempty"`
	Uploaded    time.Time `json:"uploadedAt"`
	ContentType string    `json:"contentType,omitempty"`
	// Disk is when the file on disk was changed last: another time there means
	// that a program has written it.
	Disk time.Time `json:"disk"`
}

// incoming is where content is written before it gets its name. No file of a
// bucket is called so.
const incoming = ".incoming"

// contentType is what the name of a file tells of it; the table of the system
// is left out, because it differs between machines.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".txt", ".log", ".md":
		return "text/plain"
	case ".json", ".html", ".css", ".js", ".png", ".jpg", ".gif", ".svg", ".pdf", ".xml":
		t, _, _ := strings.Cut(mime.TypeByExtension(path.Ext(name)), ";")
		return t
	}
	return ""
}

// goodPath reports whether p may name a file.
func goodPath(p string) bool {
	return fs.ValidPath(p) && p != "." && !strings.ContainsAny(p, "\\\x00") && !strings.HasPrefix(p, incoming) &&
		!slices.Contains(strings.Split(p, "/"), ".git")
}

// refresh takes in what programs have written to the folder, in order of
// paths. The caller holds b.mu.
func (b *Bucket) refresh(stamp func() time.Time) error {
	seen := map[string]bool{}
	changed := false
	err := fs.WalkDir(b.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !goodPath(p) {
			return nil // what cannot be read is not there
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		seen[p] = true
		if f := b.files[p]; f != nil && f.Size == info.Size() && f.Disk.Equal(info.ModTime()) {
			return nil
		}
		hash, size, err := b.hash(p)
		if err != nil {
			delete(seen, p)
			return nil
		}
		now := stamp()
		b.files[p] = &File{
			Size: size, Hash: hash, MTime: now, Uploaded: now, ContentType: contentType(p), Disk: info.ModTime(),
		}
		changed = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("read bucket %s: %w", b.ID(), err)
	}
	for p := range b.files {
		if !seen[p] {
			delete(b.files, p)
			changed = true
		}
	}
	if changed {
		b.updated = stamp()
	}
	return nil
}

func (b *Bucket) hash(p string) (string, int64, error) {
	f, err := b.root.Open(p)
	if err != nil {
		return "", 0, err
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	n, err := io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// place writes content to path p, whole or not at all. The caller holds b.mu.
func (b *Bucket) place(p string, content io.Reader, now time.Time) (*File, error) {
	if !goodPath(p) {
		return nil, answer.Refuse(http.StatusUnprocessableEntity, `"path" is not a valid path: `+p)
	}
	f, err := b.root.Create(incoming)
	if err != nil {
		return nil, fmt.Errorf("write to bucket %s: %w", b.ID(), err)
	}
	defer b.root.Remove(incoming) //nolint:errcheck // gone when all went well
	h := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, h), content)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = b.root.MkdirAll(path.Dir(p), 0o700)
	}
	if err == nil {
		err = b.root.Rename(incoming, p)
	}
	if err != nil {
		return nil, answer.Refuse(http.StatusUnprocessableEntity, "Cannot write "+p+": "+cause(err))
	}
	file := &File{Size: size, Hash: hex.EncodeToString(h.Sum(nil)), MTime: now, Uploaded: now, ContentType: contentType(p)}
	if info, err := b.root.Stat(p); err == nil {
		file.Disk = info.ModTime()
	}
	b.files[p], b.updated = file, now
	return file, nil
}

// cause leaves the paths of this machine out of an answer.
func cause(err error) string {
	for inner := err; inner != nil; {
		err = inner
		u, ok := inner.(interface{ Unwrap() error })
		if !ok {
			break
		}
		inner = u.Unwrap()
	}
	return err.Error()
}

// drop removes a file and the folders it leaves empty. The caller holds b.mu.
func (b *Bucket) drop(p string, now time.Time) {
	if _, ok := b.files[p]; !ok {
		return
	}
	for name := p; name != "." && b.root.Remove(name) == nil; name = path.Dir(name) {
	}
	delete(b.files, p)
	b.updated = now
}

// Put writes content to a path of the bucket called id, for the caller in ctx.
func (a *Area) Put(ctx context.Context, id, path string, content io.Reader) error {
	b, err := a.Writable(ctx, id)
	if err != nil {
		return err
	}
	return a.Seed(b, path, content)
}

// Seed writes content to a path of b without asking who wants it.
func (a *Area) Seed(b *Bucket, path string, content io.Reader) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.place(path, content, a.o.Clock.Stamp())
	return err
}

// Open opens a file of the bucket called id, for the caller in ctx.
func (a *Area) Open(ctx context.Context, id, path string) (io.ReadSeekCloser, File, error) {
	b, err := a.Find(ctx, id)
	if err != nil {
		return nil, File{}, err
	}
	return a.open(b, path)
}

func (a *Area) open(b *Bucket, path string) (io.ReadSeekCloser, File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refresh(a.o.Clock.Stamp); err != nil {
		return nil, File{}, err
	}
	f, ok := b.files[path]
	if !ok {
		return nil, File{}, answer.NotFound(answer.EntryNotFound, "Entry not found")
	}
	r, err := b.root.Open(path)
	if err != nil {
		return nil, File{}, answer.NotFound(answer.EntryNotFound, "Entry not found")
	}
	return r, *f, nil
}

// list returns the files as they are now, and when the bucket last changed.
func (a *Area) list(b *Bucket) (map[string]File, time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refresh(a.o.Clock.Stamp); err != nil {
		return nil, time.Time{}, err
	}
	files := make(map[string]File, len(b.files))
	for p, f := range b.files {
		files[p] = *f
	}
	return files, b.updated, nil
}
