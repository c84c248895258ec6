package repo

import (
	"bytes"
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
func (r *Repo) Head(name string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ref, ok := r.refs.Find(name); ok {
		return r.refs.Names[ref], nil
	}
	return "", badRevision(name)
}

// Resolve finds the commit of a revision: everything Head takes, and the name
// of a commit, which may be cut to 7 digits.
func (r *Repo) Resolve(rev string) (string, error) {
	if oid, err := r.Head(rev); err == nil {
		return oid, nil
	}
	if low := strings.ToLower(rev); len(low) >= 7 && len(low) <= 40 && git.Hex(low) {
		if oid, ok := r.byPrefix(low); ok {
			return oid, nil
		}
	}
	return "", badRevision(rev)
}

func (r *Repo) byPrefix(prefix string) (string, bool) {
	if git.FullName(prefix) {
		_, err := r.objects.Commit(prefix)
		return prefix, err == nil
	}
	r.mu.Lock()
	var heads []string
	for _, m := range r.refs.Log {
		if m.New != "" {
			heads = append(heads, m.New)
		}
	}
	r.mu.Unlock()
	log, err := r.objects.Log(heads...)
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
func (r *Repo) Ref(rev string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refs.Find(rev)
}

// Refs lists the refs below a prefix such as git.Heads, with their commits.
func (r *Repo) Refs(prefix string) []NamedCommit {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []NamedCommit
	for _, ref := range r.refs.List(prefix) {
		all = append(all, NamedCommit{Name: strings.TrimPrefix(ref, prefix), Ref: ref, OID: r.refs.Names[ref]})
	}
	return all
}

// NamedCommit is a ref and where it points.
type NamedCommit struct {
	Name string `json:"name"`
	Ref  string `json:"ref"`
	OID  string `json:"targetCommit"`
}

// Objects is the git database.
func (r *Repo) Objects() *git.Objects { return r.objects }

// Tree is the root tree of a commit.
func (r *Repo) Tree(oid string) (string, error) {
	c, err := r.objects.Commit(oid)
	if err != nil {
		return "", badRevision(oid)
	}
	return c.Tree, nil
}

// Log lists the history of a commit, newest first.
func (r *Repo) Log(oid string) ([]Commit, error) {
	log, err := r.objects.Log(oid)
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
func (r *Repo) describe(path string, e git.Entry) (Entry, error) {
	out := Entry{File: File{Path: path, OID: e.OID}, Dir: e.Dir()}
	if e.Dir() {
		return out, nil
	}
	size, err := r.objects.Size(e.OID)
	if err != nil {
		return Entry{}, err
	}
	out.Size = size
	p, err := r.objects.Pointer(e.OID)
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
func (r *Repo) List(oid, folder string, recursive bool) ([]Entry, error) {
	root, err := r.Tree(oid)
	if err != nil {
		return nil, err
	}
	top, err := r.objects.Lookup(root, folder)
	if err != nil || !top.Dir() {
		return nil, NoEntry(oid)
	}
	prefix := folder
	if prefix != "" {
		prefix += "/"
	}
	var entries []Entry
	var failed error
	err = r.objects.Walk(top.OID, prefix, func(path string, e git.Entry) bool {
		got, err := r.describe(path, e)
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
func (r *Repo) Files(oid string) []File {
	entries, err := r.List(oid, "", true)
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
func (r *Repo) Stat(oid, path string) (Entry, error) {
	root, err := r.Tree(oid)
	if err != nil {
		return Entry{}, err
	}
	path = strings.Trim(path, "/")
	e, err := r.objects.Lookup(root, path)
	if errors.Is(err, git.ErrMissing) {
		return Entry{}, NoEntry(oid)
	} else if err != nil {
		return Entry{}, err
	}
	return r.describe(path, e)
}

// nopCloser lets bytes in memory be closed.
type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// Open reads the content of a file of a commit.
func (r *Repo) Open(_ context.Context, oid, path string) (io.ReadSeekCloser, File, error) {
	e, err := r.Stat(oid, path)
	if err != nil {
		return nil, File{}, err
	}
	if e.Dir {
		return nil, File{}, NoEntry(oid)
	}
	body, err := r.open(e.File)
	if errors.Is(err, content.ErrMissing) {
		return nil, File{}, NoEntry(oid) // it was deleted from the store
	}
	return body, e.File, err
}

func (r *Repo) open(f File) (io.ReadSeekCloser, error) {
	if f.LFS != nil {
		body, _, err := r.store.o.Content.Open(f.LFS.SHA256)
		return body, err
	}
	body, err := r.objects.Blob(f.OID)
	if err != nil {
		return nil, err
	}
	return nopCloser{bytes.NewReader(body)}, nil
}

// Read returns the content of a file of a commit.
func (r *Repo) Read(ctx context.Context, oid, path string) ([]byte, error) {
	body, _, err := r.Open(ctx, oid, path)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// Checkout writes the files of a commit below subpath, empty for all, into a
// directory.
func (r *Repo) Checkout(ctx context.Context, oid, subpath, dir string) error {
	subpath = strings.Trim(subpath, "/")
	e, err := r.Stat(oid, subpath)
	if err != nil {
		return err
	}
	if !e.Dir {
		return r.write(e.File, filepath.Join(dir, filepath.Base(filepath.FromSlash(subpath))))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("check out %s: %w", r.ID(), err)
	}
	entries, err := r.List(oid, subpath, true)
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
			err = r.write(e.File, name)
		}
		if err != nil {
			return fmt.Errorf("check out %s: %w", r.ID(), err)
		}
	}
	return nil
}

func (r *Repo) write(f File, name string) error {
	in, err := r.open(f)
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
