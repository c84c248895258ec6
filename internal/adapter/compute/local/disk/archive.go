package disk

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// leftRecord is the name of the record, at the end of an archive, that counts
// what was left out of it. Other programs ignore it.
const leftRecord = "MLINTERN.left"

// Pack streams the regular files and folders below a folder.
func (d *Disk) Pack(ctx context.Context, name string, o workspace.PackOptions) (io.ReadCloser, error) {
	at, err := d.open(name, false)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	f, err := at.folder() // for its error
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	root, err := at.anchor.OpenRoot(at.rel)
	if err != nil {
		return nil, err
	}
	p := &packer{ctx: ctx, root: root, limits: o.Limits.Or(), exclude: o.Exclude}
	if err := p.survey(); err != nil {
		var f *workspace.Fault
		if errors.As(err, &f) {
			f.Path = name
		}
		return nil, errors.Join(err, root.Close())
	}
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.CloseWithError(errors.Join(p.stream(w), root.Close()))
	}()
	return &packing{r, done}, nil
}

// packing is an archive being read. Closing it ends the packing.
type packing struct {
	*io.PipeReader
	done chan struct{}
}

func (p *packing) Close() error {
	err := p.PipeReader.Close()
	<-p.done
	return err
}

// packer packs one folder.
type packer struct {
	ctx     context.Context
	root    *os.Root
	limits  workspace.Limits
	exclude []string
	names   []string // with slashes, folders before what is in them
	bytes   int64
	left    int
}

// survey finds what to pack and checks the limits.
func (p *packer) survey() error {
	return fs.WalkDir(p.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		switch {
		case name == ".":
			return err
		case p.excluded(name):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case err != nil: // a folder that may not be read
			p.left++
			return nil
		case !e.IsDir() && !e.Type().IsRegular():
			p.left++
			return nil
		}
		if e.Type().IsRegular() {
			info, err := e.Info()
			if err != nil {
				return nil // it was removed just now
			}
			p.bytes += info.Size()
		}
		p.names = append(p.names, name)
		return within(p.limits, len(p.names), p.bytes)
	})
}

// within checks an archive against its limits.
func within(l workspace.Limits, files int, bytes int64) error {
	switch {
	case files > l.Files:
		return &workspace.Fault{Kind: workspace.TooLarge, Reason: fmt.Sprintf("has more than %d files, the limit of an archive", l.Files)}
	case bytes > l.Bytes:
		return &workspace.Fault{Kind: workspace.TooLarge, Reason: fmt.Sprintf("has more than %d bytes, the limit of an archive", l.Bytes)}
	}
	return nil
}

func (p *packer) excluded(name string) bool {
	return slices.ContainsFunc(p.exclude, func(pattern string) bool {
		pattern = path.Clean(pattern)
		if name == pattern {
			return true
		}
		ok, err := path.Match(pattern, path.Base(name))
		return err == nil && ok
	})
}

func (p *packer) stream(w io.Writer) error {
	out := tar.NewWriter(w)
	for _, name := range p.names {
		if err := p.add(out, name); err != nil {
			return err
		}
	}
	if p.left > 0 {
		record := map[string]string{leftRecord: strconv.Itoa(p.left)}
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: record}); err != nil {
			return err
		}
	}
	return out.Close()
}

// add packs one file or folder. One that is gone is left out; one that shrinks
// meanwhile is filled up with zeros, because its length was announced.
func (p *packer) add(out *tar.Writer, name string) error {
	info, err := p.root.Lstat(filepath.FromSlash(name))
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		p.left++
		return nil
	}
	if info.IsDir() {
		return out.WriteHeader(&tar.Header{
			Typeflag: tar.TypeDir, Name: name + "/", Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX,
		})
	}
	f, err := p.root.Open(filepath.FromSlash(name))
	if err != nil {
		p.left++
		return nil
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		p.left++
		return nil
	}
	if err := out.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX,
	}); err != nil {
		return err
	}
	n, err := io.CopyN(out, patient{p.ctx, f}, info.Size())
	if errors.Is(err, io.EOF) {
		_, err = io.CopyN(out, zeros{}, info.Size()-n)
	}
	return err
}

// zeros is an endless file of zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Unpack makes the files of a tar stream below a folder.
func (d *Disk) Unpack(ctx context.Context, name string, stream io.Reader, limits workspace.Limits) (workspace.Packed, error) {
	at, err := d.open(name, true)
	if err != nil {
		return workspace.Packed{}, err
	}
	defer at.Close()
	if err := at.anchor.MkdirAll(at.rel, 0o755); err != nil {
		return workspace.Packed{}, err
	}
	root, err := at.anchor.OpenRoot(at.rel)
	if err != nil {
		return workspace.Packed{}, err
	}
	defer root.Close()
	u := &unpacker{root: root, limits: limits.Or(), in: tar.NewReader(patient{ctx, stream})}
	for {
		head, err := u.in.Next()
		if errors.Is(err, io.EOF) {
			return u.done, nil
		}
		if err != nil {
			return u.done, fmt.Errorf("read the archive: %w", err)
		}
		if err := u.make(head); err != nil {
			return u.done, err
		}
	}
}

// maxNotes bounds the entries of an archive that make nothing.
const maxNotes = 1000

// unpacker unpacks one archive.
type unpacker struct {
	root   *os.Root
	limits workspace.Limits
	in     *tar.Reader
	// entries counts folders too, notes what is neither.
	entries, notes int
	done           workspace.Packed
}

func (u *unpacker) make(head *tar.Header) error {
	if head.Typeflag == tar.TypeXGlobalHeader {
		if u.notes++; u.notes > maxNotes {
			return refuse(head, "is one note too many")
		}
		u.done.Left, _ = strconv.Atoi(head.PAXRecords[leftRecord]) // 0 when nothing is said
		return nil
	}
	name := strings.TrimSuffix(head.Name, "/")
	if name == "." {
		return nil
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsRune(name, 0) {
		return refuse(head, "leads out of the folder")
	}
	name = filepath.FromSlash(path.Clean(name))
	u.entries++
	if err := within(u.limits, u.entries, u.done.Bytes+head.Size); err != nil {
		return err
	}
	perm := fs.FileMode(head.Mode) & fs.ModePerm
	switch head.Typeflag {
	case tar.TypeDir:
		if err := u.root.MkdirAll(name, 0o755); err != nil {
			return err
		}
		return u.root.Chmod(name, perm|0o700) // what is in it is still to come
	case tar.TypeReg:
		return u.file(head, name, perm)
	case tar.TypeLink, tar.TypeSymlink:
		return refuse(head, "is a link")
	}
	return refuse(head, "is neither file nor folder")
}

func refuse(head *tar.Header, why string) error {
	return &workspace.Fault{Kind: workspace.Refused, Path: strconv.Quote(head.Name), Reason: "in the archive " + why + ": it is not unpacked"}
}

// file makes a regular file. One that is there, or a link, makes room.
func (u *unpacker) file(head *tar.Header, name string, perm fs.FileMode) (err error) {
	if err := u.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := u.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, u.in) // the header has bounded it
	if err == nil {
		err = f.Chmod(perm)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	u.done.Files++
	u.done.Bytes += n
	return u.root.Chtimes(name, head.ModTime, head.ModTime)
}
