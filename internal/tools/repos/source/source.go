// Package source finds what is to be uploaded to a repository: texts, or files
// and folders of a workspace, which are copied first when it lies elsewhere. It
// uploads nothing.
package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/repos/pattern"
)

// Options say where files are and what must not be uploaded.
type Options struct {
	// Workspace is where local files are; nil has none.
	Workspace func(ctx context.Context) (workspace.Workspace, error)
	// Root, when the workspace is this machine, is the folder that local files
	// must lie in; "" says that the workspace is elsewhere.
	Root string
	// HasSecret reports what kind of secret a text shows, "" for none; nil looks
	// at nothing.
	HasSecret func(text string) string
}

// Want is what is to be uploaded: Content at Path, or Files, or the file or
// folder Local of the workspace, of which Patterns choose files.
type Want struct {
	Path     string
	Content  *string
	Files    []File
	Local    string
	Patterns []string
}

// File is a text and where it goes.
type File struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

// Source is what was found.
type Source struct {
	Operations []commit.Operation
	done       func()
}

// Close removes what was copied.
func (s *Source) Close() { s.done() }

// Find reads what is wanted. The source is to be closed.
func Find(ctx context.Context, o Options, p Want) (*Source, error) {
	src := &Source{done: func() {}}
	switch {
	case p.Content != nil:
		src.Operations = []commit.Operation{commit.Add{Path: clean(p.Path), Data: []byte(*p.Content)}}
	case len(p.Files) > 0:
		for _, file := range p.Files {
			src.Operations = append(src.Operations, commit.Add{Path: clean(file.Path), Data: []byte(file.Content)})
		}
	default:
		var err error
		if src, err = local(ctx, o, p); err != nil {
			return nil, err
		}
	}
	if err := o.refuseSecrets(src.Operations); err != nil {
		src.Close()
		return nil, err
	}
	return src, nil
}

// clean drops what a path may begin with.
func clean(p string) string { return strings.TrimPrefix(strings.TrimPrefix(p, "./"), "/") }

// refuseSecrets keeps tokens out of repositories, where everybody reads them.
func (o Options) refuseSecrets(ops []commit.Operation) error {
	if o.HasSecret == nil {
		return nil
	}
	for _, op := range ops {
		add, _ := op.(commit.Add)
		text := add.Data
		if add.File != "" {
			var err error
			if text, err = readable(add.File); err != nil {
				return fmt.Errorf("local_path: %w", err)
			}
		}
		if kind := o.HasSecret(string(text)); kind != "" {
			return fmt.Errorf("%s shows a secret (%s): it was not uploaded. Take it out, and read it from the environment", add.Path, kind)
		}
	}
	return nil
}

// readableLimit bounds the files that are looked through for secrets, in bytes:
// what people write is smaller.
const readableLimit = 4 << 20

// readable is the text of a file; nil when it is none, or larger than what
// people write.
func readable(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, readableLimit+1))
	if err != nil || len(text) > readableLimit || bytes.IndexByte(text[:min(len(text), 8<<10)], 0) >= 0 {
		return nil, err
	}
	return text, nil
}

// local is a file or folder of the workspace. From a sandbox it is copied
// first.
func local(ctx context.Context, o Options, p Want) (*Source, error) {
	if o.Workspace == nil {
		return nil, errors.New("local_path: there is no workspace")
	}
	place, err := o.Workspace(ctx)
	if err != nil {
		return nil, fmt.Errorf("local_path: %w", err)
	}
	info, err := place.Stat(ctx, p.Local, workspace.StatOptions{})
	if err != nil {
		return nil, fmt.Errorf("local_path: %w", err)
	}
	if !info.Exists {
		return nil, fmt.Errorf("local_path: there is no %s", p.Local)
	}
	if o.Root != "" {
		if rel, err := filepath.Rel(o.Root, info.Path); err != nil || !filepath.IsLocal(rel) {
			return nil, fmt.Errorf("local_path: %s lies outside the workspace %s", info.Path, o.Root)
		}
		return disk(p, info.Path, path.Base(filepath.ToSlash(info.Path)), func() {})
	}
	return fetch(ctx, place, p, info)
}

// fetch copies a file or folder out of a sandbox.
func fetch(ctx context.Context, place workspace.Workspace, p Want, info workspace.Info) (*Source, error) {
	dir, err := os.MkdirTemp("", "ml-intern-upload-")
	if err != nil {
		return nil, fmt.Errorf("copy %s from the sandbox: %w", p.Local, err)
	}
	src, err := func() (*Source, error) {
		if info.Mode.IsDir() {
			tar, err := place.Pack(ctx, info.Path, workspace.PackOptions{Exclude: []string{".git", ".cache", "__pycache__", ".venv", "node_modules"}})
			if err != nil {
				return nil, err
			}
			defer tar.Close()
			if err := unpack(tar, dir); err != nil {
				return nil, err
			}
			return disk(p, dir, path.Base(info.Path), func() { _ = os.RemoveAll(dir) })
		}
		file, _, err := place.Read(ctx, info.Path, workspace.ReadOptions{})
		if err != nil {
			return nil, err
		}
		defer file.Close()
		copied := filepath.Join(dir, "file")
		if err := save(file, copied); err != nil {
			return nil, err
		}
		return disk(p, copied, path.Base(info.Path), func() { _ = os.RemoveAll(dir) })
	}()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("copy %s from the sandbox: %w", p.Local, err)
	}
	return src, nil
}

// disk is a file or folder of this machine.
func disk(p Want, local, name string, done func()) (*Source, error) {
	info, err := os.Stat(local)
	if err != nil {
		return nil, fmt.Errorf("local_path: %w", err)
	}
	src := &Source{done: done}
	if !info.IsDir() {
		into := clean(p.Path)
		if into == "" || strings.HasSuffix(into, "/") {
			into += name
		}
		src.Operations = []commit.Operation{commit.Add{Path: into, File: local}}
		return src, nil
	}
	var only pattern.Set
	if len(p.Patterns) > 0 {
		if only, err = pattern.Compile(p.Patterns); err != nil {
			return nil, err
		}
	}
	err = filepath.WalkDir(local, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == ".cache" || d.Name() == "__pycache__") {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(local, file)
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel = filepath.ToSlash(rel)
		if only == nil || only.Match(rel) {
			src.Operations = append(src.Operations, commit.Add{Path: path.Join(clean(p.Path), rel), File: file})
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("local_path: %w", err)
	case len(src.Operations) == 0:
		return nil, fmt.Errorf("local_path: %s holds no file that is meant", p.Local)
	}
	return src, nil
}
