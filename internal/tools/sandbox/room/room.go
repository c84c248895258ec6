// Package room is a sandbox as the tools see it. It knows paths and files, not
// what the sandbox runs on.
package room

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

const (
	// keptFile and keptAll bound, in bytes, what is kept to be sent again: one
	// file, and all together.
	keptFile = 1 << 20
	keptAll  = 32 << 20
)

// Room is a sandbox whose work folder is /app wherever that lies. What is
// written is kept when it may have to be sent again.
type Room struct {
	workspace.Workspace
	keep bool

	mu   sync.Mutex
	dir  string            // where /app is; empty when it is there
	kept map[string][]byte // by the path that tools use
	size int
}

// New finds out where the work folder is. keep says that what is written may
// have to be sent again.
func New(ctx context.Context, w workspace.Workspace, keep bool) (*Room, error) {
	r := &Room{Workspace: w, keep: keep, kept: map[string][]byte{}}
	return r, r.look(ctx)
}

// look finds out where the work folder is now.
func (r *Room) look(ctx context.Context) error {
	info, err := r.Workspace.Stat(ctx, ".", workspace.StatOptions{})
	if err != nil {
		return fmt.Errorf("look at the sandbox's folder: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir = info.Path; r.dir == sandbox.Dir {
		r.dir = ""
	}
	return nil
}

// within is the path of name below dir; ok is false when it is elsewhere.
func within(name, dir string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path.Clean(name), dir)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// there is where a path of the tools lies.
func (r *Room) there(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir == "" || !path.IsAbs(name) {
		return name
	}
	if rest, ok := within(name, sandbox.Dir); ok {
		return r.dir + rest
	}
	return name
}

// Start starts a command.
func (r *Room) Start(ctx context.Context, c workspace.Command) (workspace.Process, error) {
	c.Dir = r.there(c.Dir)
	return r.Workspace.Start(ctx, c)
}

// Stat tells of a file.
func (r *Room) Stat(ctx context.Context, name string, o workspace.StatOptions) (workspace.Info, error) {
	return r.Workspace.Stat(ctx, r.there(name), o)
}

// Read opens a file.
func (r *Room) Read(ctx context.Context, name string, o workspace.ReadOptions) (io.ReadCloser, workspace.Info, error) {
	return r.Workspace.Read(ctx, r.there(name), o)
}

// List tells of what is in a folder.
func (r *Room) List(ctx context.Context, name string) ([]workspace.Info, error) {
	return r.Workspace.List(ctx, r.there(name))
}

// Pack streams the files below a folder.
func (r *Room) Pack(ctx context.Context, name string, o workspace.PackOptions) (io.ReadCloser, error) {
	return r.Workspace.Pack(ctx, r.there(name), o)
}

// Unpack makes the files of a stream.
func (r *Room) Unpack(ctx context.Context, name string, tar io.Reader, o workspace.Limits) (workspace.Packed, error) {
	return r.Workspace.Unpack(ctx, r.there(name), tar, o)
}

// Write replaces a file.
func (r *Room) Write(ctx context.Context, name string, content io.Reader, o workspace.WriteOptions) (workspace.Info, error) {
	if !r.keep || o.Part {
		return r.Workspace.Write(ctx, r.there(name), content, o)
	}
	data, err := io.ReadAll(io.LimitReader(content, keptFile+1))
	if err != nil {
		return workspace.Info{}, err
	}
	if len(data) > keptFile {
		r.remember(name, nil)
		return r.Workspace.Write(ctx, r.there(name), io.MultiReader(bytes.NewReader(data), content), o)
	}
	info, err := r.Workspace.Write(ctx, r.there(name), bytes.NewReader(data), o)
	if err == nil {
		r.remember(name, data)
	}
	return info, err
}

// remember keeps a file; nil forgets it.
func (r *Room) remember(name string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir != "" && path.IsAbs(name) {
		if rest, ok := within(name, r.dir); ok {
			name = sandbox.Dir + rest // wherever that will be
		}
	}
	r.size -= len(r.kept[name])
	delete(r.kept, name)
	if data != nil && r.size+len(data) <= keptAll {
		r.kept[name] = data
		r.size += len(data)
	}
}

// Restore is called when the sandbox has lost its disk: it sends what was kept
// again and returns how many files that were.
func (r *Room) Restore(ctx context.Context) (n int, err error) {
	if err := r.look(ctx); err != nil {
		return 0, err
	}
	r.mu.Lock()
	all := maps.Clone(r.kept)
	r.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, err := r.Workspace.Write(ctx, r.there(name), bytes.NewReader(all[name]), workspace.WriteOptions{Anyhow: true}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// unmoved is left out of what is carried: it can be made again.
var unmoved = []string{
	".cache", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".ipynb_checkpoints", ".venv", "venv", "node_modules", ".keep",
}

// Carry copies the work folder from one sandbox to another.
func Carry(ctx context.Context, from, to workspace.Archive) (workspace.Packed, error) {
	tar, err := from.Pack(ctx, ".", workspace.PackOptions{Exclude: unmoved})
	if err != nil {
		return workspace.Packed{}, err
	}
	defer tar.Close()
	return to.Unpack(ctx, ".", io.Reader(tar), workspace.Limits{})
}
