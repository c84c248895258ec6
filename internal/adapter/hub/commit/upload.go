package commit

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/folder"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/state"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Folder is the upload of a local folder as one commit.
type Folder struct {
	// Request says where it goes. Its operations are made with the others.
	Request
	Dir string
	// Into is the folder of the repository; "" is its top.
	Into string
	// Allow and Ignore choose local files by their path within Dir, as the
	// patterns of package folder do; without Allow all are wanted.
	Allow, Ignore []string
	// Delete names files of the repository, by their path within Into, that go
	// unless the folder has them.
	Delete []string
}

// Upload commits the files of a folder. Links that leave the folder are not
// followed; they are told in the result.
func (a *API) Upload(ctx context.Context, f Folder) (Result, error) {
	var err error
	if f.Target, err = f.filled(); err != nil {
		return Result{}, err
	}
	f.Into = strings.Trim(f.Into, "/")
	if f.Into != "" {
		if err := wire.CheckPath("into", f.Into); err != nil {
			return Result{}, err
		}
	}
	tree, err := folder.Scan(ctx, f.Dir, folder.Options{Allow: f.Allow, Ignore: f.Ignore})
	if err != nil {
		return Result{}, err
	}
	defer tree.Close()
	ops := slices.Clone(f.Operations)
	local := map[string]bool{}
	for _, file := range tree.Files {
		ops = append(ops, Add{Path: path.Join(f.Into, file.Path), Open: file.Open})
		local[file.Path] = true
	}
	gone, err := a.obsolete(ctx, &f, local)
	if err != nil {
		return Result{}, err
	}
	ops = append(ops, gone...)
	if len(ops) == 0 {
		return Result{}, invalid("dir", fmt.Sprintf("%q holds no file that is wanted", f.Dir))
	}
	f.Operations = ops
	result, err := a.Commit(ctx, f.Request)
	result.Skipped = tree.Skipped
	return result, err
}

// obsolete lists the files of the repository that go. The commit then stands
// on the state that was listed.
func (a *API) obsolete(ctx context.Context, f *Folder, local map[string]bool) ([]Operation, error) {
	if len(f.Delete) == 0 {
		return nil, nil
	}
	patterns, err := folder.Compile("delete", f.Delete)
	if err != nil {
		return nil, err
	}
	t := f.Target
	if f.Parent == "" {
		if f.Parent, err = a.at(t).Head(ctx, t.Revision); err != nil {
			return nil, err
		}
	}
	where := t.Type.API(t.Repo, "tree", f.Parent)
	prefix := ""
	if f.Into != "" {
		where += wire.Path(f.Into)
		prefix = f.Into + "/"
	}
	var ops []Operation
	pages := wire.Pages[state.Entry](ctx, a.conn, wire.Request{
		Op: "list the files of " + t.Repo, Path: where, Query: url.Values{"recursive": {"true"}},
	})
	for e, err := range pages {
		if errors.Is(err, wire.EntryNotFound) {
			return nil, nil // nothing is there yet
		}
		if err != nil {
			return nil, err
		}
		name, inside := strings.CutPrefix(e.Path, prefix)
		if e.Type == "file" && inside && e.Path != ".gitattributes" && !local[name] && patterns.Match(name) {
			ops = append(ops, Delete{Path: e.Path})
		}
	}
	return ops, nil
}
