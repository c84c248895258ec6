package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// cache is a folder in the layout of the Hub's Python client:
//
//	models--NS--NAME/blobs/ETAG           the content
//	models--NS--NAME/refs/REVISION        the commit it stands for
//	models--NS--NAME/snapshots/SHA/PATH   links to blobs
//	models--NS--NAME/.no_exist/SHA/PATH   empty: there is no such file
//	.locks/models--NS--NAME/ETAG.lock
type cache struct{ root string }

func folder(s Source) string {
	return s.Type.Plural() + "--" + strings.ReplaceAll(s.ID, "/", "--")
}

func (c cache) in(s Source, parts ...string) string {
	return filepath.Join(append([]string{c.root, folder(s)}, parts...)...)
}

func (c cache) snapshot(s Source, commit, path string) string {
	return c.in(s, "snapshots", commit, filepath.FromSlash(path))
}

func (c cache) absent(s Source, commit, path string) string {
	return c.in(s, ".no_exist", commit, filepath.FromSlash(path))
}

// place is where a blob goes. A file of ranges is not the ".incomplete" that
// other programs go on with: they would take its length for its progress.
func (c cache) place(s Source, etag string) place {
	blob := c.in(s, "blobs", etag)
	return place{
		final: blob, part: blob + ".incomplete", ranges: blob + ".ranges.incomplete", journal: blob + ".ranges.journal",
		lock: filepath.Join(c.root, ".locks", folder(s), etag+".lock"),
	}
}

// commit is the commit a revision is known to stand for; "" if none.
func (c cache) commit(s Source) string {
	if wire.CheckHash("revision", s.Revision, 40) == nil {
		return s.Revision
	}
	data, err := os.ReadFile(c.in(s, "refs", filepath.FromSlash(s.Revision)))
	commit := strings.TrimSpace(string(data))
	if err != nil || wire.CheckHash("commit", commit, 40) != nil {
		return ""
	}
	return commit
}

// note remembers the commit a revision stands for.
func (c cache) note(s Source, commit string) error {
	if s.Revision == commit {
		return nil
	}
	name := c.in(s, "refs", filepath.FromSlash(s.Revision))
	if data, err := os.ReadFile(name); err == nil && string(data) == commit {
		return nil
	}
	return write(name, commit)
}

// noteAbsent remembers that a commit has no such file.
func (c cache) noteAbsent(s Source, commit, path string) error {
	return write(c.absent(s, commit, path), "")
}

// write replaces a small file in one step.
func write(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// link makes a file of a snapshot from a blob: a link where the system has
// them, else a copy.
func (c cache) link(s Source, commit, path, etag string) (string, error) {
	name := c.snapshot(s, commit, path)
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return "", err
	}
	blob := c.in(s, "blobs", etag)
	target, err := filepath.Rel(filepath.Dir(name), blob)
	if err != nil {
		return "", err
	}
	_ = os.Remove(name) // a link whose blob is gone
	err = os.Symlink(target, name)
	if err != nil && !errors.Is(err, os.ErrExist) {
		if err = os.Link(blob, name); err != nil && !errors.Is(err, os.ErrExist) {
			err = copyFile(blob, name)
		}
	}
	if _, serr := os.Stat(name); serr != nil {
		return "", errors.Join(err, serr)
	}
	return name, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(out, in, make([]byte, bufferSize))
	err = errors.Join(err, out.Close())
	if err == nil {
		err = os.Rename(out.Name(), to)
	}
	return err
}

var errNoCache = errors.New("there is no cache for this hub")

// File brings one file into the cache and returns its name there. What is
// known of a commit never changes, so it is answered from the cache; so is
// everything else when the Hub cannot be asked.
func (a *API) File(ctx context.Context, s Source, path string) (string, error) {
	op := "download " + path + " of " + s.String()
	if err := s.check(); err != nil {
		return "", err
	}
	if err := checkPath(path); err != nil {
		return "", err
	}
	if a.cache.root == "" {
		return "", fmt.Errorf("%s: %w", op, errNoCache)
	}
	if s.Revision == a.cache.commit(s) {
		if name, err := a.cached(op, s, s.Revision, path); name != "" || err != nil {
			return name, err
		}
	}
	m, err := a.Head(ctx, s, path)
	if err != nil {
		return a.instead(op, s, path, err)
	}
	_ = a.cache.note(s, m.Commit) // the answer counts, not the memory of it
	return a.into(ctx, op, s, path, m)
}

// cached is a file of a commit as far as the cache knows it: its name, or that
// there is none, or nothing.
func (a *API) cached(op string, s Source, commit, path string) (string, error) {
	name := a.cache.snapshot(s, commit, path)
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		return name, nil
	}
	if _, err := os.Stat(a.cache.absent(s, commit, path)); err == nil {
		return "", &wire.Error{Kind: wire.EntryNotFound, Op: op, Commit: commit, Message: "the commit has no such file"}
	}
	return "", nil
}

// instead answers from the cache when the Hub could not.
func (a *API) instead(op string, s Source, path string, err error) (string, error) {
	var e *wire.Error
	if !errors.As(err, &e) {
		return "", err
	}
	switch e.Kind {
	case wire.EntryNotFound:
		if wire.CheckHash("commit", e.Commit, 40) == nil {
			_ = a.cache.note(s, e.Commit)
			_ = a.cache.noteAbsent(s, e.Commit, path)
		}
	case wire.Offline, wire.Unreachable, wire.Server:
		if commit := a.cache.commit(s); commit != "" {
			if name, cerr := a.cached(op, s, commit, path); name != "" || cerr != nil {
				return name, cerr
			}
		}
	}
	return "", err
}

// into brings content into the cache and links it into its snapshot.
func (a *API) into(ctx context.Context, op string, s Source, path string, m Meta) (string, error) {
	if name, err := a.cached(op, s, m.Commit, path); err == nil && name != "" {
		return name, nil
	}
	k := a.content(op, s, path, m)
	if err := k.fetch(ctx, a.cache.place(s, m.ETag), false); err != nil {
		return "", err
	}
	name, err := a.cache.link(s, m.Commit, path, m.ETag)
	if err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	return name, nil
}

func (a *API) content(op string, s Source, path string, m Meta) *content {
	s.Revision = m.Commit
	return &content{a: a, op: op, src: s, path: path, meta: m, location: m.location}
}

// To brings one file to dest, replacing what is there, without the cache. What
// was cut is gone on with by the next call for the same content.
func (a *API) To(ctx context.Context, s Source, path, dest string) (Meta, error) {
	m, err := a.Head(ctx, s, path)
	if err != nil {
		return m, err
	}
	k := a.content("download "+path+" of "+s.String(), s, path, m)
	dir, base := filepath.Split(dest)
	half := filepath.Join(dir, "."+base+"."+m.ETag[:16])
	p := place{final: dest, part: half + ".incomplete", ranges: half + ".ranges.incomplete", journal: half + ".ranges.journal", lock: half + ".lock"}
	err = k.fetch(ctx, p, true)
	_ = os.Remove(p.lock)
	return m, err
}
