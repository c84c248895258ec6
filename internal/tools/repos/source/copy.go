package source

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// save writes a new private file.
func save(r io.Reader, name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, io.LimitReader(r, workspace.ArchiveBytes+1))
	if n > workspace.ArchiveBytes {
		err = fmt.Errorf("the file is larger than %d bytes", int64(workspace.ArchiveBytes))
	}
	return errors.Join(err, file.Close())
}

// maxEntries bounds what an archive may hold, folders counted.
const maxEntries = 2 * workspace.ArchiveFiles

// unpack makes the regular files of an archive below dir. What a sandbox sends
// is not trusted: a name that leads elsewhere, a link or a device ends it.
func unpack(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var bytes int64
	files, entries := 0, 0
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("the archive has more than %d entries", maxEntries)
		}
		name := path.Clean(h.Name)
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("the archive names %q, which leads elsewhere", h.Name)
		}
		switch h.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader: // what the sandbox left out of the archive is told so
			continue
		case tar.TypeReg:
		default:
			return fmt.Errorf("the archive holds %q, which is no regular file", h.Name)
		}
		files++
		if bytes += h.Size; bytes > workspace.ArchiveBytes || files > workspace.ArchiveFiles {
			return fmt.Errorf("the folder is larger than %d bytes or has more than %d files", int64(workspace.ArchiveBytes), workspace.ArchiveFiles)
		}
		if err := extract(root, name, archive); err != nil {
			return err
		}
	}
}

func extract(root *os.Root, name string, r io.Reader) error {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(filepath.FromSlash(dir), 0o700); err != nil {
			return err
		}
	}
	file, err := root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}
