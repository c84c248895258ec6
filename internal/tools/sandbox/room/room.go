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
	// dir is where /app is; empty when it is there.
	dir  string
	keep bool

	mu   sync.Mutex
	kept map[string][]byte // by path
	size int
}

// New finds out where the work folder is. keep says that what is written may
// have to be sent again.
func New(ctx context.Context, w workspace.Workspace, keep bool) (*Room, error) {
	info, err := w.Stat(ctx, ".", workspace.StatOptions{})
	if err != nil {
		return nil, fmt.Errorf("look at the sandbox's folder: %w", err)
	}
	r := &Room{Workspace: w, keep: keep, kept: map[string][]byte{}}
	if info.Path != sandbox.Dir {
		r.dir = info.Path
	}
	return r, nil
}

// there is where a path of the tools lies.
func (r *Room) there(name string) string {
	if r.dir == "" || !path.IsAbs(name) {
		return name
	}
	rest, ok := strings.CutPrefix(path.Clean(name), sandbox.Dir)
	if !ok || rest != "" && rest[0] != '/' {
		return name
	}
	return r.dir + rest
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
	r.size -= len(r.kept[name])
	delete(r.kept, name)
	if data != nil && r.size+len(data) <= keptAll {
		r.kept[name] = data
		r.size += len(data)
	}
}

// Restore sends what was kept again and returns how many files that were.
func (r *Room) Restore(ctx context.Context) (n int, err error) {
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
