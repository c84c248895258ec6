package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// place is a file, held by an open folder above it: whatever becomes of the
// path meanwhile, nothing outside that folder is reached.
type place struct {
	named  string // as the call named it
	real   string // absolute, symbolic links resolved
	anchor *os.Root
	rel    string // below anchor
}

func (at *place) Close() error { return at.anchor.Close() }

func (at *place) fault(kind workspace.Kind, reason string) error {
	return &workspace.Fault{Kind: kind, Path: at.named, Reason: reason}
}

func invalid(reason string) error {
	return &workspace.Fault{Kind: workspace.Invalid, Reason: reason}
}

// absolute is path as it stands, made absolute.
func (d *Disk) absolute(path string) (string, error) {
	if path == "" {
		return "", invalid("path is required: name a file")
	}
	if strings.ContainsRune(path, 0) {
		return "", invalid("path must not contain a NUL character")
	}
	if rest, ok := strings.CutPrefix(path, "~"); ok && d.o.Home != "" && (rest == "" || os.IsPathSeparator(rest[0])) {
		path = filepath.Join(d.o.Home, rest)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.o.Dir, path)
	}
	return filepath.Clean(path), nil
}

// Resolve is the real path a call means: of the file itself, or of what would
// be made.
func (d *Disk) Resolve(path string) (string, error) {
	abs, err := d.absolute(path)
	if err != nil {
		return "", err
	}
	return realPath(abs)
}

// realPath follows the symbolic links of an absolute path; parts that do not
// exist stay as they are.
func realPath(path string) (string, error) {
	const links = 40 // as many as Linux follows
	for range links {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			return filepath.Clean(real), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(path)
		if parent == path {
			return path, nil
		}
		if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			above, err := realPath(parent)
			return filepath.Join(above, filepath.Base(path)), err
		}
		to, err := os.Readlink(path) // a link to what is not there yet
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			if parent, err = filepath.EvalSymlinks(parent); err != nil {
				return "", err
			}
			to = filepath.Join(parent, to)
		}
		path = to
	}
	return "", fmt.Errorf("%s: too many symbolic links", path)
}

// open finds the file a call names and checks that it may be used. The caller
// closes the place.
func (d *Disk) open(path string, change bool) (*place, error) {
	real, err := d.Resolve(path)
	if err != nil {
		return nil, err
	}
	at := &place{named: path, real: real}
	if !change && secret(real) {
		return nil, at.fault(workspace.Secret, "is not shown: it holds the memory or the environment of a process")
	}
	if d.o.Confine == All || d.o.Confine == Write && change {
		err = d.confine(at, change)
	} else {
		err = at.free()
	}
	if err != nil {
		return nil, err
	}
	return at, nil
}

// confine anchors at in the workspace or, for reading, in one of the extra
// folders.
func (d *Disk) confine(at *place, change bool) error {
	roots := []string{d.o.Root}
	if !change {
		roots = append(roots, d.o.Extra...)
	}
	for _, root := range roots {
		real, err := filepath.EvalSymlinks(root)
		if err != nil {
			continue // an extra folder that is not there yet
		}
		rel, err := filepath.Rel(real, at.real)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		if at.anchor, err = os.OpenRoot(real); err != nil {
			return err
		}
		at.rel = rel
		return nil
	}
	return at.fault(workspace.Outside, "is outside "+d.o.Root+", and files are confined to it")
}

// free anchors at in the nearest folder above it that exists.
func (at *place) free() error {
	dir, rel := filepath.Dir(at.real), filepath.Base(at.real)
	if dir == at.real { // the root of the file system
		rel = "."
	}
	for {
		anchor, err := os.OpenRoot(dir)
		if err == nil {
			at.anchor, at.rel = anchor, rel
			return nil
		}
		above := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || above == dir {
			return err
		}
		dir, rel = above, filepath.Join(filepath.Base(dir), rel)
	}
}

var secretFiles = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^/proc/[^/]+/(task/[^/]+/)?(environ|mem|fd/.*|map_files/.*)$`)
})

// secret reports whether a file shows what a process keeps to itself, such as
// the keys in our own environment.
func secret(real string) bool {
	return strings.HasPrefix(real, "/proc/") && secretFiles().MatchString(real)
}

// Where is the real path a call means, or the next best to it; empty when the
// path means nothing.
func (d *Disk) Where(path string) string {
	real, err := d.Resolve(path)
	if err != nil {
		real, _ = d.absolute(path)
	}
	return real
}
