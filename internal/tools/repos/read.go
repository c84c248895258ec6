package repos

import (
	"context"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/repos/cite"
	"github.com/ml-intern/ml-intern/internal/tools/repos/reader"
	"github.com/ml-intern/ml-intern/internal/tools/repos/show"
)

// How much is read.
const (
	defaultChars = 50_000
	// sniff is what is read of a file to tell what it is, in bytes.
	sniff = 8 << 10
)

// read shows a file, or a piece of it: no more is transferred than is needed.
// What it says was written by others.
func (f *Files) read(ctx context.Context, env tool.Env, r repo.Ref, p FilesParams) (string, error) {
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
	source := cite.Source{Tool: "hf_repo_files", Operation: "read", Object: r.ID + "/" + p.Path, URL: blob}
	file := reader.New(ctx, f.opts.Repos, r, p.Revision, p.Path, size)
	if text, ok := summary(file, size); ok {
		return source.On(env, fmt.Sprintf("**%s** (%s)\n%s\n\n%s", p.Path, show.Size(size), blob, show.Fence(text)), text), nil
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
	text, more, err := file.Lines(max(p.Offset, 1), p.Limit, limit)
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
	return source.On(env, fmt.Sprintf("%s\n%s\n\n%s", title, blob, show.Fence(text)), text), nil
}

// summary tells of files that nobody reads as they are.
func summary(file *reader.File, size int64) (string, bool) {
	var text string
	var err error
	switch strings.ToLower(path.Ext(file.Path())) {
	case ".safetensors":
		text, err = show.Weights(file)
	case ".parquet":
		text, err = show.Table(file, size)
	default:
		return "", false
	}
	return text, err == nil
}
