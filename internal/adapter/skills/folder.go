package skills

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of what is read.
const (
	// fileLimit is the largest file that is read, in bytes.
	fileLimit = 256 << 10
	// mostEntries is how many skills or commands a place may have, and
	// mostSeen how many files and folders are looked at for them.
	mostEntries, mostSeen = 200, 5000
	// deepest is how many folders commands and the files of a skill may lie in.
	deepest = 5
	// mostFiles is how many files of a skill are listed.
	mostFiles = 200
)

// folder is an open folder that nothing leads out of.
type folder struct {
	fs.FS
	close func() error
}

// open opens a folder of a place.
func (p Place) open(name string) (*folder, error) {
	dir := filepath.Join(p.Dir, name)
	if p.Within == "" {
		return opened(os.OpenRoot(dir))
	}
	base, err := os.OpenRoot(p.Within)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	rest, err := filepath.Rel(p.Within, dir)
	if err != nil {
		return nil, err
	}
	return opened(base.OpenRoot(rest))
}

// base opens the folder of a place of commands: one of the person's own may be a
// link to elsewhere.
func (p Place) base() (*folder, error) {
	f, err := p.open("")
	if err == nil && p.Within == "" {
		f.FS = os.DirFS(p.Dir)
	}
	return f, err
}

func opened(r *os.Root, err error) (*folder, error) {
	if err != nil {
		return nil, err
	}
	return &folder{r.FS(), r.Close}, nil
}

// embedded is a folder of the program's own.
func embedded(all fs.FS, name string) func() (*folder, error) {
	return func() (*folder, error) {
		sub, err := fs.Sub(all, name)
		return &folder{sub, func() error { return nil }}, err
	}
}

// read reads a regular file.
func (f *folder) read(name string) ([]byte, error) {
	info, err := fs.Stat(f, name)
	switch {
	case err != nil:
		return nil, cause(err)
	case !info.Mode().IsRegular(): // opening a pipe would wait for ever
		return nil, errors.New("it is no regular file")
	case info.Size() > fileLimit:
		return nil, fmt.Errorf("it has %d bytes, more than %d", info.Size(), fileLimit)
	}
	file, err := f.Open(name)
	if err != nil {
		return nil, cause(err)
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, fileLimit))
}

// cause is an error without the path, which the caller names.
func cause(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

// errMany ends a walk through too many files.
var errMany = errors.New("there are too many")

// walk calls see for every regular file, also one behind a link that stays in
// the folder, in order, up to the bounds.
func (f *folder) walk(see func(name string, size int64) error) error {
	seen := 0
	return fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
		if seen++; seen > mostSeen {
			return errMany
		}
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			return nil // what cannot be read is not there
		case d.IsDir():
			base := path.Base(name)
			if name != "." && (strings.Count(name, "/") >= deepest || strings.HasPrefix(base, ".") || base == "node_modules" || base == "__pycache__") {
				return fs.SkipDir
			}
			return nil
		case strings.HasPrefix(path.Base(name), "."):
			return nil
		}
		info, err := fs.Stat(f, name)
		if err != nil || !info.Mode().IsRegular() {
			return nil // a link that leads nowhere, or out of the folder
		}
		return see(name, info.Size())
	})
}

// File is a file of a skill.
type File struct {
	Name string // with slashes, in the skill's folder
	Size int64
}

// Files lists the files of a skill beside its SKILL.md; more says that there are
// others.
func (e Entry) Files() (files []File, more bool, err error) {
	f, err := e.open()
	if err != nil {
		return nil, false, cause(err)
	}
	defer f.close()
	err = f.walk(func(name string, size int64) error {
		if name == e.file {
			return nil
		}
		if len(files) == mostFiles {
			return errMany
		}
		files = append(files, File{name, size})
		return nil
	})
	if errors.Is(err, errMany) {
		more, err = true, nil
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, more, err
}

// Read reads a file of a skill; hidden ones, which may be anything's, are none.
func (e Entry) Read(name string) ([]byte, error) {
	name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if !fs.ValidPath(name) {
		return nil, errors.New("it must be a path in the skill's folder")
	}
	if strings.Contains("/"+name, "/.") {
		return nil, fs.ErrNotExist
	}
	f, err := e.open()
	if err != nil {
		return nil, cause(err)
	}
	defer f.close()
	return f.read(name)
}

// Body is what an entry says, without its front matter, as it stands there now.
func (e Entry) Body() (string, error) {
	raw, err := e.Read(e.file)
	if err != nil {
		return "", fmt.Errorf("read the %s %s: %w", e.Kind, e.Name, err)
	}
	_, body, _ := split(strings.ToValidUTF8(string(raw), "\ufffd"))
	return strings.Trim(body, "\n"), nil
}
