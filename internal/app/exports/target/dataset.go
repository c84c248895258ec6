package target

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Dataset is a data set on the Hub: each file is a commit of its own. A data set that
// is not there is made, private; the visibility of one that is there stays.
type Dataset struct {
	Hub  *hub.Client
	Repo string // namespace/name

	// there is what the data set holds by top folder, with the hash of each file.
	there map[string]map[string]string
}

// String names the data set.
func (d *Dataset) String() string { return "hf:" + d.Repo }

// Put commits a file.
func (d *Dataset) Put(ctx context.Context, f File) (changed bool, err error) {
	top, _, _ := strings.Cut(f.Path, "/")
	there, err := d.look(ctx, top)
	if err != nil {
		return false, err
	}
	if hash := there[f.Path]; hash != "" && (hash == blob(f.Data) || hash == fmt.Sprintf("%x", sha256.Sum256(f.Data))) {
		return false, nil
	}
	done, err := d.Hub.Commits.Commit(ctx, commit.Request{
		Target:     commit.Target{Type: wire.Dataset, Repo: d.Repo},
		Operations: []commit.Operation{commit.Add{Path: f.Path, Data: f.Data}}, Summary: f.Message,
	})
	if err != nil {
		return false, d.failed(ctx, f, err)
	}
	there[f.Path] = blob(f.Data)
	return !done.Unchanged, nil
}

// failed tells failures of one file from those of all.
func (d *Dataset) failed(ctx context.Context, f File, err error) error {
	switch kind := wire.KindOf(err); {
	case ctx.Err() != nil:
		return ctx.Err()
	case kind == wire.Unauthorized, kind == wire.Forbidden, kind == wire.RepoNotFound, kind == wire.GatedRepo, kind == wire.Disabled,
		kind == wire.Payment, kind == wire.Offline:
		return fmt.Errorf("upload to %s: %w", d.Repo, err)
	}
	return &FailedError{f.Path, err}
}

// look lists what is in a top folder, once; a data set that is not there is made.
func (d *Dataset) look(ctx context.Context, top string) (map[string]string, error) {
	if there, known := d.there[top]; known {
		return there, nil
	}
	ref := repo.Ref{Type: wire.Dataset, ID: d.Repo}
	there := map[string]string{}
	for e, err := range d.Hub.Repos.Tree(ctx, ref, "main", repo.TreeOptions{Path: top, Recursive: true}) {
		switch {
		case errors.Is(err, wire.RepoNotFound):
			if _, err := d.Hub.Repos.Ensure(ctx, repo.CreateSpec{Ref: ref, Visibility: "private"}); err != nil {
				return nil, fmt.Errorf("make data set %s: %w", d.Repo, err)
			}
		case errors.Is(err, wire.EntryNotFound), errors.Is(err, wire.RevisionNotFound): // nothing is in it yet
		case err != nil:
			return nil, fmt.Errorf("look into data set %s: %w", d.Repo, err)
		case e.LFS != nil:
			there[e.Path] = e.LFS.OID
		case !e.Dir():
			there[e.Path] = e.OID
		}
	}
	if d.there == nil {
		d.there = map[string]map[string]string{}
	}
	d.there[top] = there
	return there, nil
}

// blob is the hash that git gives a content.
func blob(data []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return fmt.Sprintf("%x", h.Sum(nil))
}
