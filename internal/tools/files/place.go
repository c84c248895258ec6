package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// places turns the paths of calls into files that may be used.
type places struct{ Options }

// place is a file, held by an open folder above it: whatever becomes of the
// path meanwhile, nothing outside that folder is reached.
type place struct {
	shown  string // as the call named it
	real   string // absolute, symbolic links resolved
	anchor *os.Root
	rel    string // below anchor
}

func (p *place) Close() error { return p.anchor.Close() }

// absolute is path as it stands, made absolute.
func (p *places) absolute(path string) (string, error) {
	if path == "" {
		return "", refuse("path is required: name a file")
	}
	if strings.ContainsRune(path, 0) {
		return "", refuse("path must not contain a NUL character")
	}
	if rest, ok := strings.CutPrefix(path, "~"); ok && p.Home != "" && (rest == "" || os.IsPathSeparator(rest[0])) {
		path = filepath.Join(p.Home, rest)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.Dir, path)
	}
	return filepath.Clean(path), nil
}

// resolve is the real path a call means: of the file itself, or of what would
// be made.
func (p *places) resolve(path string) (string, error) {
	abs, err := p.absolute(path)
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
func (p *places) open(path string, change bool) (*place, error) {
	real, err := p.resolve(path)
	if err != nil {
		return nil, err
	}
	at := &place{shown: shown(path), real: real}
	if !change && secret(real) {
		return nil, refuse("%s is not shown: it holds the memory or the environment of a process", at.shown)
	}
	if p.Confine == All || p.Confine == Write && change {
		err = p.confine(at, change)
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
func (p *places) confine(at *place, change bool) error {
	roots := []string{p.Root}
	if !change {
		roots = append(roots, p.Extra...)
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
	return refuse("%s is outside %s, and files are confined to it", at.shown, p.Root)
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
