package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
)

// LFS is the content of a file that git keeps a pointer to.
type LFS struct {
	SHA256      string `json:"oid"`
	Size        int64  `json:"size"`
	PointerSize int64  `json:"pointerSize"`
}

// File is a file of a commit. Size is that of its content; OID is the blob git
// keeps, for LFS files the pointer.
type File struct {
	Path string
	OID  string
	Size int64
	LFS  *LFS
}

// Entry is a file or a folder.
type Entry struct {
	File
	Dir bool
}

// ETag is the hash of the content: sha256 for LFS files, else the blob's name.
func (f File) ETag() string {
	if f.LFS != nil {
		return f.LFS.SHA256
	}
	return f.OID
}

// Head is the commit a branch, tag or pull request points to.
func (h *History) Head(name string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ref, ok := h.refs.Find(name); ok {
		return h.refs.Names[ref], nil
	}
	return "", NoRevision(name)
}

// Resolve finds the commit of a revision: everything Head takes, and the name
// of a commit, which may be cut to 7 digits.
func (h *History) Resolve(rev string) (string, error) {
	if oid, err := h.Head(rev); err == nil {
		return oid, nil
	}
	if low := strings.ToLower(rev); len(low) >= 7 && len(low) <= 40 && git.Hex(low) {
		if oid, ok := h.byPrefix(low); ok {
			return oid, nil
		}
	}
	return "", NoRevision(rev)
}

func (h *History) byPrefix(prefix string) (string, bool) {
	if git.FullName(prefix) {
		_, err := h.objects.Commit(prefix)
		return prefix, err == nil
	}
	h.mu.Lock()
	var heads []string
	for _, m := range h.refs.Log {
		if m.New != "" {
			heads = append(heads, m.New)
		}
	}
	h.mu.Unlock()
	log, err := h.objects.Log(heads...)
	if err != nil {
		return "", false
	}
	for _, c := range log {
		if strings.HasPrefix(c.OID, prefix) {
			return c.OID, true
		}
	}
	return "", false
}

// Ref turns a revision into the full name of a ref, if it is one.
func (h *History) Ref(rev string) (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refs.Find(rev)
}

// Refs lists the refs below a prefix such as git.Heads, with their commits.
func (h *History) Refs(prefix string) []NamedCommit {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []NamedCommit
	for _, ref := range h.refs.List(prefix) {
		all = append(all, NamedCommit{Name: strings.TrimPrefix(ref, prefix), Ref: ref, OID: h.refs.Names[ref]})
	}
	return all
}

// NamedCommit is a ref and where it points.
type NamedCommit struct {
	Name string `json:"name"`
	Ref  string `json:"ref"`
	OID  string `json:"targetCommit"`
}

// Tree is the root tree of a commit.
func (h *History) Tree(oid string) (string, error) {
	c, err := h.objects.Commit(oid)
	if err != nil {
		return "", NoRevision(oid)
	}
	return c.Tree, nil
}

// Log lists the history of a commit, newest first.
func (h *History) Log(oid string) ([]Commit, error) {
	log, err := h.objects.Log(oid)
	if err != nil {
		return nil, err
	}
	all := make([]Commit, len(log))
	for i, c := range log {
		all[i] = public(c)
	}
	return all, nil
}

// describe turns an entry of a tree into one of ours.
func (h *History) describe(path string, e git.Entry) (Entry, error) {
	out := Entry{File: File{Path: path, OID: e.OID}, Dir: e.Dir()}
	if e.Dir() {
		return out, nil
	}
	size, err := h.objects.Size(e.OID)
	if err != nil {
		return Entry{}, err
	}
	out.Size = size
	p, err := h.objects.Pointer(e.OID)
	if err != nil {
		return Entry{}, err
	}
	if p != nil {
		out.LFS = &LFS{SHA256: p.SHA256, Size: p.Size, PointerSize: size}
		out.Size = p.Size
	}
	return out, nil
}

// List lists what a folder of a commit holds, folders included; recursive goes
// below them too.
func (h *History) List(oid, folder string, recursive bool) ([]Entry, error) {
	root, err := h.Tree(oid)
	if err != nil {
		return nil, err
	}
	top, err := h.objects.Lookup(root, folder)
	if err != nil || !top.Dir() {
		return nil, NoEntry(oid)
	}
	prefix := folder
	if prefix != "" {
		prefix += "/"
	}
	var entries []Entry
	var failed error
	err = h.objects.Walk(top.OID, prefix, func(path string, e git.Entry) bool {
		got, err := h.describe(path, e)
		if err != nil {
			failed = err
			return false
		}
		entries = append(entries, got)
		return recursive
	})
	return entries, errors.Join(err, failed)
}

// Files lists all files of a commit by path, none when there is no such commit.
func (h *History) Files(oid string) []File {
	entries, err := h.List(oid, "", true)
	if err != nil {
		return nil
	}
	var files []File
	for _, e := range entries {
		if !e.Dir {
			files = append(files, e.File)
		}
	}
	return files
}

// NoEntry is the answer for a path a commit does not have.
func NoEntry(oid string) error {
	return &answer.Error{
		Status: http.StatusNotFound, Code: answer.EntryNotFound, Message: "Entry not found",
		Header: http.Header{"X-Repo-Commit": {oid}},
	}
}

// Stat describes a path of a commit.
func (h *History) Stat(oid, path string) (Entry, error) {
	root, err := h.Tree(oid)
	if err != nil {
		return Entry{}, err
	}
	path = strings.Trim(path, "/")
	e, err := h.objects.Lookup(root, path)
	if errors.Is(err, git.ErrMissing) {
		return Entry{}, NoEntry(oid)
	} else if err != nil {
		return Entry{}, err
	}
	return h.describe(path, e)
}

// Open reads the content of a file of a commit.
func (h *History) Open(_ context.Context, oid, path string) (io.ReadSeekCloser, File, error) {
	e, err := h.Stat(oid, path)
	if err != nil {
		return nil, File{}, err
	}
	if e.Dir {
		return nil, File{}, NoEntry(oid)
	}
	body, err := h.open(e.File)
	if errors.Is(err, content.ErrMissing) {
		return nil, File{}, NoEntry(oid) // it was deleted from the store
	}
	return body, e.File, err
}

func (h *History) open(f File) (io.ReadSeekCloser, error) {
	if f.LFS != nil {
		body, _, err := h.o.Content.Open(f.LFS.SHA256)
		return body, err
	}
	body, err := h.objects.Blob(f.OID)
	if err != nil {
		return nil, err
	}
	return content.InMemory(body), nil
}

// Read returns the content of a file of a commit.
func (h *History) Read(ctx context.Context, oid, path string) ([]byte, error) {
	body, _, err := h.Open(ctx, oid, path)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// Checkout writes the files of a commit below subpath, empty for all, into a
// directory.
func (h *History) Checkout(ctx context.Context, oid, subpath, dir string) error {
	subpath = strings.Trim(subpath, "/")
	e, err := h.Stat(oid, subpath)
	if err != nil {
		return err
	}
	if !e.Dir {
		return h.write(e.File, filepath.Join(dir, filepath.Base(filepath.FromSlash(subpath))))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("check out %s: %w", oid, err)
	}
	entries, err := h.List(oid, subpath, true)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(strings.TrimPrefix(e.Path, subpath), "/")))
		if e.Dir {
			err = os.MkdirAll(name, 0o755)
		} else {
			err = h.write(e.File, name)
		}
		if err != nil {
			return fmt.Errorf("check out %s: %w", oid, err)
		}
	}
	return nil
}

func (h *History) write(f File, name string) error {
	in, err := h.open(f)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
