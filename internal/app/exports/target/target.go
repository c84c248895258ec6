// Package target is where exports put their files: a folder, a data set on the Hub, or
// a stream. Each leaves alone what is there already with the same content. It knows
// neither sessions nor figures.
package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File is one file of an export.
type File struct {
	// Path is below the target, with slashes.
	Path string
	Data []byte
	// Message is what a data set's history says of it.
	Message string
}

// Target takes files.
type Target interface {
	// Put stores a file, over the one that is there. changed is false where that has
	// the same content. An error of the type [*FailedError] is about this file only.
	Put(ctx context.Context, f File) (changed bool, err error)
	// String names the target for people.
	String() string
}

// FailedError says that one file could not be stored; others may be.
type FailedError struct {
	Path string
	Err  error
}

func (e *FailedError) Error() string { return fmt.Sprintf("store %s: %v", e.Path, e.Err) }

// Unwrap returns why.
func (e *FailedError) Unwrap() error { return e.Err }

// Folder is a folder, made when the first file comes. Files are for their owner alone:
// sessions may hold anything.
type Folder struct{ Dir string }

// String names the folder.
func (f Folder) String() string { return f.Dir }

// Put writes a file, always a whole one.
func (f Folder) Put(ctx context.Context, file File) (changed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	local := filepath.FromSlash(file.Path)
	if !filepath.IsLocal(local) {
		return false, &FailedError{file.Path, errors.New("it is no path below a folder")}
	}
	path := filepath.Join(f.Dir, local)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, file.Data) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("make the folder of %s: %w", path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".export-*.tmp") // mode 0600
	if err != nil {
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	_, err = tmp.Write(file.Data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return false, fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(tmp.Name())))
	}
	return true, nil
}

// Stream writes the contents of files one behind the other. A first line that stood at
// the beginning of the first file too, as columns do, is written once.
type Stream struct {
	To io.Writer
	// Columns says that files begin with a line of columns.
	Columns bool

	begun bool
}

// String names the stream.
func (s *Stream) String() string { return "standard output" }

// Put writes a file's content.
func (s *Stream) Put(ctx context.Context, file File) (changed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	data := file.Data
	if _, rest, found := bytes.Cut(data, []byte("\n")); s.Columns && s.begun && found {
		data = rest
	}
	s.begun = true
	if _, err := s.To.Write(data); err != nil {
		return false, fmt.Errorf("write %s: %w", s, err)
	}
	return true, nil
}
