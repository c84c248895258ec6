// Package disk is the files of this machine as a workspace has them: found
// once and held by an open folder, so that no link swapped in meanwhile leads
// elsewhere; replaced whole or not at all; packed and unpacked. It does not
// know who asks for a file, nor whether that was allowed.
package disk

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// Confine says which uses of files must stay inside the workspace.
type Confine string

// The confinements.
const (
	Off   Confine = "off"
	Write Confine = "write" // changes
	All   Confine = "all"   // reading too
)

// Options are where the files are.
type Options struct {
	// Dir is the absolute folder that relative paths begin in.
	Dir string
	// Root is the absolute workspace; empty means Dir.
	Root string
	// Confine is empty or Off for no confinement.
	Confine Confine
	// Extra are absolute folders that may be read in every confinement, such as
	// the session's spill folder. They need not exist yet.
	Extra []string
	// Home stands for a leading ~ in paths; empty leaves ~ as it is.
	Home string
}

// Disk is the files of a workspace on this machine.
type Disk struct{ o Options }

var (
	_ workspace.Files   = (*Disk)(nil)
	_ workspace.Archive = (*Disk)(nil)
)

// New checks o and returns the files.
func New(o Options) (*Disk, error) {
	if !filepath.IsAbs(o.Dir) {
		return nil, fmt.Errorf("files: Dir %q is not absolute", o.Dir)
	}
	o.Root = cmp.Or(o.Root, o.Dir)
	if !filepath.IsAbs(o.Root) {
		return nil, fmt.Errorf("files: Root %q is not absolute", o.Root)
	}
	o.Confine = cmp.Or(o.Confine, Off)
	if !slices.Contains([]Confine{Off, Write, All}, o.Confine) {
		return nil, fmt.Errorf("files: Confine is %q, not off, write or all", o.Confine)
	}
	for _, extra := range o.Extra {
		if !filepath.IsAbs(extra) {
			return nil, fmt.Errorf("files: Extra %q is not absolute", extra)
		}
	}
	return &Disk{o}, nil
}

// Root is the folder of the workspace.
func (d *Disk) Root() string { return d.o.Root }

// Stat tells of the file a path means.
func (d *Disk) Stat(ctx context.Context, path string, o workspace.StatOptions) (workspace.Info, error) {
	at, err := d.open(path, o.Change)
	if err != nil {
		return workspace.Info{}, err
	}
	defer at.Close()
	info, err := at.anchor.Stat(at.rel)
	if errors.Is(err, fs.ErrNotExist) {
		return workspace.Info{Path: at.real}, nil
	}
	if err != nil {
		return workspace.Info{}, err
	}
	out := at.info(info)
	if !o.Sum || !info.Mode().IsRegular() {
		return out, nil
	}
	f, info, err := at.read()
	if err != nil {
		return workspace.Info{}, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, patient{ctx, f}); err != nil {
		return workspace.Info{}, err
	}
	out = at.info(info)
	out.Sum = hex.EncodeToString(h.Sum(nil))
	return out, nil
}

// Read opens a regular file.
func (d *Disk) Read(ctx context.Context, path string, o workspace.ReadOptions) (io.ReadCloser, workspace.Info, error) {
	if o.Offset < 0 || o.Length < 0 {
		return nil, workspace.Info{}, invalid(fmt.Sprintf("offset %d and length %d must not be negative", o.Offset, o.Length))
	}
	at, err := d.open(path, o.Change)
	if err != nil {
		return nil, workspace.Info{}, err
	}
	defer at.Close() // an open file needs it no more
	f, info, err := at.read()
	if errors.Is(err, fs.ErrNotExist) {
		err = at.fault(workspace.Missing, "is not there")
	}
	if err != nil {
		return nil, workspace.Info{}, err
	}
	if _, err := f.Seek(o.Offset, io.SeekStart); err != nil {
		return nil, workspace.Info{}, errors.Join(err, f.Close())
	}
	var from io.Reader = patient{ctx, f}
	if o.Length > 0 {
		from = io.LimitReader(from, o.Length)
	}
	return struct {
		io.Reader
		io.Closer
	}{from, f}, at.info(info), nil
}

// List tells of what is in a folder.
func (d *Disk) List(ctx context.Context, path string) ([]workspace.Info, error) {
	at, err := d.open(path, false)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	f, err := at.folder()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(workspace.ListLimit)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	out := make([]workspace.Info, 0, len(entries))
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		info, err := e.Info()
		if err != nil {
			continue // it was removed just now
		}
		entry := place{real: filepath.Join(at.real, e.Name())}
		out = append(out, entry.info(info))
	}
	slices.SortFunc(out, func(a, b workspace.Info) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}

// folder opens the place as a folder.
func (at *place) folder() (*os.File, error) {
	info, err := at.anchor.Stat(at.rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, at.fault(workspace.Missing, "is not there")
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, at.fault(workspace.Invalid, "is no folder")
	}
	return at.anchor.Open(at.rel)
}

// info tells of the file at the place.
func (at *place) info(i fs.FileInfo) workspace.Info {
	return workspace.Info{
		Path: at.real, Exists: true, Mode: i.Mode(), Size: i.Size(), ModTime: i.ModTime(), Version: version(i),
	}
}

// stat is the file itself; only regular files pass.
func (at *place) stat() (fs.FileInfo, error) {
	info, err := at.anchor.Stat(at.rel)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, at.fault(workspace.Directory, "is a directory; list it with ls in bash")
	case !info.Mode().IsRegular():
		return nil, at.fault(workspace.Irregular, "is no regular file but "+kind(info.Mode()))
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

// read opens the file for reading.
func (at *place) read() (*os.File, fs.FileInfo, error) {
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
