package disk

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// Write puts content in the place of a file: whole or not at all, on disk when
// it returns.
func (d *Disk) Write(ctx context.Context, path string, content io.Reader, o workspace.WriteOptions) (workspace.Info, error) {
	at, err := d.open(path, true)
	if err != nil {
		return workspace.Info{}, err
	}
	defer at.Close()
	before, err := at.stat()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return workspace.Info{}, err
	}
	if !replaces(before, o) {
		return workspace.Info{}, at.changed()
	}
	dir, base, err := at.within()
	if err != nil {
		return workspace.Info{}, err
	}
	defer dir.Close()
	if o.Part {
		err = writePart(dir, base, patient{ctx, content}, o)
	} else {
		err = at.replace(dir, base, patient{ctx, content}, before, o)
	}
	if err != nil {
		return workspace.Info{}, err
	}
	if err := syncDir(dir); err != nil {
		return workspace.Info{}, fmt.Errorf("the file is written, but its folder could not be synced: %w", err)
	}
	info, err := dir.Lstat(base)
	if err != nil {
		return workspace.Info{}, err
	}
	return at.info(info), nil
}

// replaces reports whether o means to replace now, which is nil for a file that
// is not there.
func replaces(now fs.FileInfo, o workspace.WriteOptions) bool {
	switch {
	case o.Anyhow:
		return true
	case now == nil:
		return o.Over == ""
	}
	return o.Over == version(now)
}

func (at *place) changed() error {
	return at.fault(workspace.Changed, "was changed by someone else at this moment; nothing was written: read it again")
}

// within makes and opens the folder of the file.
func (at *place) within() (dir *os.Root, base string, err error) {
	folder, base := filepath.Split(at.rel)
	if folder = filepath.Clean(folder); folder != "." {
		if err := at.anchor.MkdirAll(folder, 0o755); err != nil {
			return nil, "", err
		}
	}
	dir, err = at.anchor.OpenRoot(folder)
	return dir, base, err
}

// writePart writes into the file itself.
func writePart(dir *os.Root, base string, content io.Reader, o workspace.WriteOptions) (err error) {
	if o.At < 0 {
		return invalid(fmt.Sprintf("offset %d must not be negative", o.At))
	}
	f, err := dir.OpenFile(base, os.O_WRONLY|os.O_CREATE, cmp.Or(o.Mode.Perm(), 0o644))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Seek(o.At, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(f, content); err != nil {
		return err
	}
	return f.Sync()
}

// replace puts a new file in the place of the old one, with the mode and, where
// permitted, the owner of that.
func (at *place) replace(dir *os.Root, base string, content io.Reader, before fs.FileInfo, o workspace.WriteOptions) error {
	sweep(dir, base)
	temp := tempPrefix(base) + ours() + "-" + rand.Text()[:8] + tempSuffix
	if err := writeTemp(dir, temp, content, before, o.Mode); err != nil {
		_ = dir.Remove(temp) // what matters is why it could not be written
		return err
	}
	now, err := dir.Lstat(base) // right before it is replaced
	if errors.Is(err, fs.ErrNotExist) {
		now, err = nil, nil
	}
	if err == nil && !replaces(now, o) {
		err = at.changed()
	}
	if err == nil {
		err = dir.Rename(temp, base)
	}
	if err != nil {
		_ = dir.Remove(temp)
	}
	return err
}

// writeTemp makes the file that will take the target's place.
func writeTemp(dir *os.Root, name string, content io.Reader, before fs.FileInfo, mode fs.FileMode) (err error) {
	perm := cmp.Or(mode.Perm(), 0o644) // less what the user's mask takes away
	if before != nil {
		perm = 0o600 // nobody else looks in before it has its real mode
	}
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, content); err != nil {
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

const tempSuffix = ".tmp"

// tempPrefix begins the names of the temporary files of one target. The name
// itself is hashed, since it may be as long as the file system allows.
func tempPrefix(base string) string {
	sum := sha256.Sum256([]byte(base))
	return ".ml-intern-" + hex.EncodeToString(sum[:6]) + "-"
}

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
