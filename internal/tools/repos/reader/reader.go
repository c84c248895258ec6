// Package reader reads a file of a repository in pieces: no more is transferred
// than is needed. It does not know what is in the file or who reads it.
package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/tools/repos/show"
)

const (
	// scanLimit is how far into a file lines are counted, in bytes.
	scanLimit = 32 << 20
	scanPart  = 1 << 20
)

// File is a file of a repository.
type File struct {
	ctx      context.Context // of the call that reads it
	api      *repo.API
	ref      repo.Ref
	revision string
	path     string
	size     int64
}

// New returns the file at path; ctx is that of the call that reads it.
func New(ctx context.Context, api *repo.API, ref repo.Ref, revision, path string, size int64) *File {
	return &File{ctx: ctx, api: api, ref: ref, revision: revision, path: path, size: size}
}

// Path is where the file lies in its repository.
func (f *File) Path() string { return f.path }

// ReadAt reads a piece; it may be shorter than p at the end of the file.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if offset >= f.size {
		return 0, io.EOF
	}
	part, err := f.api.ReadRange(f.ctx, f.ref, f.revision, f.path, offset, int64(len(p)))
	if err != nil {
		return 0, err
	}
	n := copy(p, part.Data)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Lines returns count lines from number first on, at most limit characters of
// them; more says that the file goes on. A count of 0 is all.
func (f *File) Lines(first, count, limit int) (text string, more bool, err error) {
	want := int64(limit) * utf8.UTFMax
	if first == 1 && count == 0 {
		part := make([]byte, min(f.size, want))
		if _, err := f.ReadAt(part, 0); err != nil && !errors.Is(err, io.EOF) {
			return "", false, err
		}
		text, cut := head(string(part), limit)
		return text, cut || int64(len(part)) < f.size, nil
	}
	var out strings.Builder
	line := 1
	for offset := int64(0); offset < f.size; offset += scanPart {
		if offset >= scanLimit {
			return "", false, fmt.Errorf("offset %d lies more than %s into the file: download it instead", first, show.Size(scanLimit))
		}
		part := make([]byte, min(f.size-offset, scanPart))
		if _, err := f.ReadAt(part, offset); err != nil && !errors.Is(err, io.EOF) {
			return "", false, err
		}
		for piece := range strings.Lines(string(part)) {
			if line >= first {
				out.WriteString(piece)
			}
			if strings.HasSuffix(piece, "\n") {
				line++
			}
			if count > 0 && line >= first+count || int64(out.Len()) > want {
				text, _ := head(out.String(), limit)
				return text, true, nil
			}
		}
	}
	if out.Len() == 0 {
		return "", false, fmt.Errorf("offset %d lies behind the end: the file has %d lines", first, line)
	}
	text, cut := head(out.String(), limit)
	return text, cut, nil
}

// head is the first n characters of a text, without a character that was cut.
func head(s string, n int) (text string, cut bool) {
	count := 0
	for i, r := range s {
		if r == utf8.RuneError && len(s)-i < utf8.UTFMax && !utf8.FullRuneInString(s[i:]) {
			return s[:i], true
		}
		if count == n {
			return s[:i], true
		}
		count++
	}
	return s, false
}
