// Package program finds the program that is put into sandboxes: this one, built
// for their machines. It does not know how it gets there.
package program

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// Asset is a released build for sandboxes.
type Asset struct {
	URL    string
	SHA256 string // in hex
	Size   int64  // in bytes
}

// Released lists, by version, the builds that were released. A build of this
// program can only know the sums of those before it, or its own when the
// release wrote it in; there is none yet.
func Released() map[string]Asset { return map[string]Asset{} }

// maxSize is the most bytes of a released build that are taken.
const maxSize = 512 << 20

// Options say where to look.
type Options struct {
	// Path is a program named by the user; empty when there is none.
	Path string
	// Own returns the path of this program.
	Own func() (string, error)
	// OS and Arch are what this program was built for.
	OS, Arch string
	Version  string
	// Released are the builds that may be fetched with HTTP into Cache.
	Released map[string]Asset
	HTTP     *http.Client
	Cache    string
}

// Program is the program for sandboxes.
type Program struct {
	Path   string
	SHA256 string // in hex
	Size   int64
}

// Finder finds the program once. It is safe for concurrent use.
type Finder struct {
	opts Options

	mu    sync.Mutex
	found *Program
}

// New returns a finder; nothing is looked for yet.
func New(o Options) *Finder { return &Finder{opts: o} }

// Find returns the program.
func (f *Finder) Find(ctx context.Context) (Program, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.found != nil {
		return *f.found, nil
	}
	path, err := f.path(ctx)
	if err != nil {
		return Program{}, err
	}
	p, err := measure(path)
	if err != nil {
		return Program{}, fmt.Errorf("read the program for sandboxes: %w", err)
	}
	f.found = &p
	return p, nil
}

func (f *Finder) path(ctx context.Context) (string, error) {
	o := f.opts
	if o.Path != "" {
		return o.Path, nil
	}
	if o.OS == "linux" && o.Arch == "amd64" {
		path, err := o.Own()
		if err != nil {
			return "", fmt.Errorf("find this program: %w", err)
		}
		return path, nil
	}
	asset, ok := o.Released[o.Version]
	if !ok {
		return "", fmt.Errorf("a sandbox needs a build of ml-intern for linux/amd64: this one is for %s/%s, and no build of version %s is known; "+
			"set ML_INTERN_TOOLSERVER to the path of one", o.OS, o.Arch, o.Version)
	}
	return f.fetch(ctx, asset)
}

// measure takes size and sum of a file.
func measure(path string) (Program, error) {
	file, err := os.Open(path)
	if err != nil {
		return Program{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Program{}, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return Program{}, fmt.Errorf("%s is no program", path)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	return Program{Path: path, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: n}, err
}

// fetch downloads a released build, unless it is there already. Only what has
// the pinned sum is kept.
func (f *Finder) fetch(ctx context.Context, a Asset) (string, error) {
	path := filepath.Join(f.opts.Cache, a.SHA256, "ml-intern")
	if p, err := measure(path); err == nil && p.SHA256 == a.SHA256 {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("fetch the program for sandboxes: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, nil)
	if err != nil {
		return "", fmt.Errorf("fetch the program for sandboxes: %w", err)
	}
	res, err := f.opts.HTTP.Do(req)
	if err != nil {
		return "", fmt.Errorf("fetch the program for sandboxes: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("fetch the program for sandboxes from %s: %s", a.URL, res.Status)
	}
	return path, keep(path, res.Body, a.SHA256)
}

func keep(path string, content io.Reader, want string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".program-*")
	if err != nil {
		return fmt.Errorf("fetch the program for sandboxes: %w", err)
	}
	defer os.Remove(tmp.Name())
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(content, maxSize))
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("fetch the program for sandboxes: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("fetch the program for sandboxes: its sha256 is %s, not the pinned %s: it is not used", got, want)
	}
	if err := os.Chmod(tmp.Name(), 0o755); err != nil {
		return fmt.Errorf("fetch the program for sandboxes: %w", err)
	}
	return os.Rename(tmp.Name(), path)
}
