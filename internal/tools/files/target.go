package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// place returns where the files are.
func (f *Files) place(ctx context.Context) (workspace.Workspace, error) {
	place, err := f.opts.Workspace(ctx)
	if err != nil && ctx.Err() == nil {
		err = refuse("%v", err)
	}
	return place, err
}

// target is the file a call of write or edit means.
type target struct {
	place workspace.Workspace
	shown string // as the call named it
	info  workspace.Info
}

// find finds the file that is to be changed.
func (f *Files) find(ctx context.Context, path string) (target, error) {
	place, err := f.place(ctx)
	if err != nil {
		return target{}, err
	}
	info, err := place.Stat(ctx, path, workspace.StatOptions{Change: true})
	if err != nil {
		return target{}, worded(path, err)
	}
	return target{place, shown(path), info}, nil
}

// worded turns what a workspace would not do into words for the model.
func worded(path string, err error) error {
	var f *workspace.Fault
	switch {
	case !errors.As(err, &f) || f.Kind == workspace.Failed || f.Kind == workspace.Lost:
		return err
	case f.Kind == workspace.Missing:
		return errors.Join(fs.ErrNotExist, refuse("file not found: %s", shown(path)))
	case f.Path == "":
		return refuse("%s", f.Reason)
	}
	return refuse("%s %s", shown(path), f.Reason)
}

// loaded is a file's content at one moment.
type loaded struct {
	info    workspace.Info
	content []byte // nil when the file is larger than was asked for
	sum     string // SHA-256 in hex; empty when there is no such file
}

// load reads and sums the file; content over limit bytes is only summed. A file
// that is not there is no error.
func (at target) load(ctx context.Context, limit int64) (loaded, error) {
	if at.info.Mode.IsRegular() && at.info.Size > limit {
		info, err := at.place.Stat(ctx, at.info.Path, workspace.StatOptions{Change: true, Sum: true})
		return loaded{info: info, sum: info.Sum}, worded(at.shown, err)
	}
	body, info, err := at.place.Read(ctx, at.info.Path, workspace.ReadOptions{Change: true})
	if errors.Is(err, fs.ErrNotExist) {
		return loaded{info: workspace.Info{Path: at.info.Path}}, nil
	}
	if err != nil {
		return loaded{}, worded(at.shown, err)
	}
	defer body.Close()
	out := loaded{info: info}
	h := sha256.New()
	var into io.Writer = h
	var buf bytes.Buffer
	if info.Size <= limit {
		buf.Grow(int(info.Size) + bytes.MinRead)
		into = io.MultiWriter(h, &buf)
	}
	if _, err := io.Copy(into, body); err != nil {
		return loaded{}, err
	}
	if info.Size <= limit {
		out.content = buf.Bytes()
	}
	out.sum = sumOf(h)
	return out, nil
}

func sumOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// warnings is what a person would want to know of the new content.
func (f *Files) warnings(ctx context.Context, d *draft) []string {
	return f.checker.Warnings(ctx, d.at.info.Path, d.data)
}

// python asks the Python of the workspace; one that cannot be reached says
// nothing.
func (f *Files) python(ctx context.Context, program string, input []byte, limit time.Duration) []byte {
	place, err := f.place(ctx)
	if err != nil {
		return nil
	}
	out, err := place.Python(ctx, program, input, limit)
	if err != nil {
		return nil
	}
	return out
}
