package files

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// loaded is a file's content at one moment.
type loaded struct {
	info    fs.FileInfo // nil when there is no such file
	content []byte      // nil when the file is larger than was asked for
	sum     string      // SHA-256 in hex; empty when there is no such file
}

// stat is the file itself; only regular files pass.
func (at *place) stat() (fs.FileInfo, error) {
	info, err := at.anchor.Stat(at.rel)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, refuse("%s is a directory; list it with ls in bash", at.shown)
	case !info.Mode().IsRegular():
		return nil, refuse("%s is no regular file but %s", at.shown, kind(info.Mode()))
	}
	return info, nil
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}

// open opens the file for reading.
func (at *place) open() (*os.File, fs.FileInfo, error) {
	if _, err := at.stat(); err != nil { // before opening: a named pipe would block
		return nil, nil, err
	}
	f, err := at.anchor.Open(at.rel)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// load reads and sums the file; content over limit bytes is only summed. A
// file that is not there is no error.
func (at *place) load(ctx context.Context, limit int64) (loaded, error) {
	f, info, err := at.open()
	if errors.Is(err, fs.ErrNotExist) {
		return loaded{}, nil
	}
	if err != nil {
		return loaded{}, err
	}
	defer f.Close()
	out := loaded{info: info}
	h := sha256.New()
	var into io.Writer = h
	var buf bytes.Buffer
	if info.Size() <= limit {
		buf.Grow(int(info.Size()) + bytes.MinRead)
		into = io.MultiWriter(h, &buf)
	}
	if _, err := io.Copy(into, patient{ctx, f}); err != nil {
		return loaded{}, err
	}
	if info.Size() <= limit {
		out.content = buf.Bytes()
	}
	out.sum = sumOf(h)
	return out, nil
}

// patient is a reader that a done context ends.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

func sumOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// replace puts data in the place of what was loaded: whole or not at all, on
// disk when it returns, with the mode and, where permitted, the owner of the
// file before.
func (at *place) replace(data []byte, before fs.FileInfo) (fs.FileInfo, error) {
	folder, base := filepath.Split(at.rel)
	if folder = filepath.Clean(folder); folder != "." {
		if err := at.anchor.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	dir, err := at.anchor.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	sweep(dir, base)
	temp := tempPrefix(base) + ours() + "-" + rand.Text()[:8] + tempSuffix
	if err := writeTemp(dir, temp, data, before); err != nil {
		_ = dir.Remove(temp) // what matters is why it could not be written
		return nil, err
	}
	if err = unchanged(dir, base, before); err == nil {
		err = dir.Rename(temp, base)
	}
	if err != nil {
		_ = dir.Remove(temp)
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		return nil, fmt.Errorf("the file is written, but its folder could not be synced: %w", err)
	}
	return dir.Lstat(base)
}

// writeTemp makes the file that will take the target's place.
func writeTemp(dir *os.Root, name string, data []byte, before fs.FileInfo) (err error) {
	perm := fs.FileMode(0o644) // less what the user's mask takes away
	if before != nil {
		perm = 0o600 // nobody else looks in before it has its real mode
	}
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if before != nil {
		mode := before.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
		if !keepOwner(f, before) {
			mode &= fs.ModePerm // another owner must not gain the old one's rights
		}
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	return f.Sync()
}

// unchanged checks, right before it is replaced, that base is what was loaded.
func unchanged(dir *os.Root, base string, before fs.FileInfo) error {
	now, err := dir.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) && before == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if before == nil || !os.SameFile(now, before) || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime()) {
		return refuse("%s was changed by someone else at this moment; nothing was written: read it again", base)
	}
	return nil
}

const tempSuffix = ".tmp"

// tempPrefix begins the names of the temporary files of one target. The name
// itself is hashed, since it may be as long as the file system allows.
func tempPrefix(base string) string { return ".ml-intern-" + sum([]byte(base))[:12] + "-" }

// ours marks the temporary files of this process, which may be in use.
var ours = sync.OnceValue(func() string { return rand.Text()[:8] })

// sweep removes what a killed process has left of earlier writes to base.
func sweep(dir *os.Root, base string) {
	f, err := dir.Open(".")
	if err != nil {
		return
	}
	defer f.Close()
	prefix := tempPrefix(base)
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			rest, ok := strings.CutPrefix(name, prefix)
			if ok && strings.HasSuffix(name, tempSuffix) && !strings.HasPrefix(rest, ours()) {
				_ = dir.Remove(name) // the next write tries again
			}
		}
		if err != nil {
			return
		}
	}
}
