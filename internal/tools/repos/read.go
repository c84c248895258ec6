package repos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/tools/repos/show"
)

// How much is read.
const (
	defaultChars = 50_000
	// sniff is what is read of a file to tell what it is, in bytes.
	sniff = 8 << 10
	// scanLimit is how far into a file lines are counted, in bytes.
	scanLimit = 32 << 20
	scanPart  = 1 << 20
)

// read shows a file, or a piece of it: no more is transferred than is needed.
func (f *Files) read(ctx context.Context, r repo.Ref, p FilesParams) (string, error) {
	found, err := f.opts.Repos.Paths(ctx, r, p.Revision, []string{p.Path}, false)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", &wire.Error{Kind: wire.EntryNotFound, Op: "read " + p.Path}
	}
	if found[0].Dir() {
		return "", fmt.Errorf("%s is a folder: use list", p.Path)
	}
	size, blob := found[0].Size, f.page(r, "blob", p.Revision, p.Path)
	file := &remote{ctx: ctx, api: f.opts.Repos, ref: r, revision: p.Revision, path: p.Path, size: size}
	if text, ok := summary(file, size); ok {
		return fmt.Sprintf("**%s** (%s)\n%s\n\n%s", p.Path, show.Size(size), blob, show.Fence(text)), nil
	}
	if size == 0 {
		return fmt.Sprintf("**%s**\n%s\n\n(empty file)", p.Path, blob), nil
	}
	limit := p.MaxChars
	if limit == 0 {
		limit = defaultChars
	}
	limit = min(limit, filesOutput-2000)
	head := make([]byte, min(size, sniff))
	if _, err := file.ReadAt(head, 0); err != nil {
		return "", err
	}
	if !show.Text(head) {
		return fmt.Sprintf("Binary file (%s): **%s**\n%s", show.Size(size), p.Path, blob), nil
	}
	text, more, err := file.lines(max(p.Offset, 1), p.Limit, limit)
	if err != nil {
		return "", err
	}
	if !utf8.ValidString(text) {
		return fmt.Sprintf("Binary file (%s): **%s**\n%s", show.Size(size), p.Path, blob), nil
	}
	title := "**" + p.Path + "**"
	if more {
		title += " (truncated)"
	}
	return fmt.Sprintf("%s\n%s\n\n%s", title, blob, show.Fence(text)), nil
}

// summary tells of files that nobody reads as they are.
func summary(file *remote, size int64) (string, bool) {
	var text string
	var err error
	switch strings.ToLower(path.Ext(file.path)) {
	case ".safetensors":
		text, err = show.Weights(file)
	case ".parquet":
		text, err = show.Table(file, size)
	default:
		return "", false
	}
	return text, err == nil
}

// remote is a file of a repository that is read in pieces.
type remote struct {
	ctx      context.Context // of the call that reads it
	api      *repo.API
	ref      repo.Ref
	revision string
	path     string
	size     int64
}

// ReadAt reads a piece; it may be shorter than p at the end of the file.
func (f *remote) ReadAt(p []byte, offset int64) (int, error) {
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

// lines returns count lines from number first on, at most limit characters of
// them; more says that the file goes on. A count of 0 is all.
func (f *remote) lines(first, count, limit int) (text string, more bool, err error) {
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
